// Spa runs Acme Notes, a provider, and Notes Reader, a single-page app on another
// origin that signs users in with it.
//
//	go run ./examples/spa
//	go run ./examples/spa -access-lifetime 10s       it refreshes its tokens
//	go run ./examples/spa -spa-addr localhost:8081   another site, not only another origin
//
// The whole client is web/app.js: the authorization code flow with PKCE, using
// fetch and Web Crypto. The CORS headers of the API are in host.go.
package main

import (
	"context"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

// newHost returns Acme Notes. A provider needs nothing else for single-page apps:
// Latchkey's endpoints allow calls from other origins.
func newHost(issuer string, lifetime time.Duration) (*acme.Host, error) {
	return acme.New(provider.Config{
		Issuer:    issuer,
		Store:     memory.New(),
		Lifetimes: provider.Lifetimes{Access: lifetime},
	})
}

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	e.About = "Spa runs Acme Notes, an OAuth 2.0 provider, and Notes Reader, a single-page app that signs users in with it."
	addr := e.Addr("addr", "127.0.0.1:8080", "Acme Notes, the provider")
	spaAddr := e.Addr("spa-addr", "127.0.0.1:8081", "Notes Reader, the client")
	lifetime := e.Flags.Duration("access-lifetime", 2*time.Hour, "how long access tokens work, such as 10s")
	if err := e.Listen(); err != nil {
		return err
	}
	host, err := newHost(addr.URL(), *lifetime)
	if err != nil {
		return err
	}
	app, err := register(ctx, host.Provider, spaAddr.URL())
	if err != nil {
		return err
	}
	e.Go(host.Provider.Run)
	e.Serve(addr, hostHandler(host))
	e.Serve(spaAddr, spaHandler(addr.URL(), app.ClientID))
	e.Printf(`Open %s and press "Sign in with Acme". Acme Notes, the provider, is at %s
The users are ada and grace; the password of both is: %s
`, spaAddr.URL(), addr.URL(), acme.Password)
	return e.Wait()
}
