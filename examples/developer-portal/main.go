// Developer-portal runs Acme Notes, an app whose users are also developers. They
// register OAuth applications and create personal access tokens. Ada reviews
// what they registered. The consent page has Acme's own design.
//
//	go run ./examples/developer-portal
//
// The pages for developers and administrators come from package portal. Read:
//
//	host.go     the provider.Config, and the middleware of each route
//	account.go  "log out everywhere", and how to disable a user
//	pages.go    a custom consent page and error page
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/store/memory"
)

func main() { run.Main(start) }

func start(_ context.Context, e *run.Example) error {
	e.About = "Developer-portal runs Acme Notes, where users register OAuth applications."
	addr := e.Addr("addr", "127.0.0.1:8080", "Acme Notes")
	if err := e.Listen(); err != nil {
		return err
	}
	h, err := newHost(addr.URL(), memory.New())
	if err != nil {
		return err
	}
	e.Go(h.provider.Run)
	e.Serve(addr, h.handler())
	e.Printf(`Open %[1]s/developers/ and sign in as ada or grace; the password of both is: %[2]s
Ada administers all applications at %[1]s/admin/oauth/
`, addr.URL(), password)
	return e.Wait()
}
