// Stores runs the quickstart's two apps with a store that you choose:
//
//	go run ./examples/stores -store sqlite:acme.db
//	go run ./examples/stores -store postgres://user:password@localhost:5432/acme
//	go run ./examples/stores -store mysql://user:password@localhost:3306/acme
//	go run ./examples/stores -store redis://localhost:6379/0
//
// Sign in, then stop the program and start it again: Wiki is still in Acme's list
// of connected apps. The code that opens each store is in store.go.
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/walk"
	"github.com/latchkey-go/latchkey/provider"
)

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	e.About = "Stores runs Acme Notes, an OAuth 2.0 provider, and Wiki, its client, with a store that you choose."
	acmeAddr := e.Addr("addr", "127.0.0.1:8080", "Acme Notes, the provider")
	wikiAddr := e.Addr("client-addr", "127.0.0.1:8081", "Wiki, the client")
	name := e.Flags.String("store", "sqlite:latchkey-stores.db", "the `store` for applications and tokens: "+storeForms)
	walks := e.Flags.Bool("walk", false, "sign in the way a browser does, print each step, and exit")
	if err := e.Parse(); err != nil {
		return err
	}
	if *walks {
		e.FreePorts()
	}
	kept, err := openStore(ctx, *name)
	if err != nil {
		return err
	}
	e.Defer(kept.close)
	if err := e.Listen(); err != nil {
		return err
	}
	host, err := acme.New(provider.Config{Issuer: acmeAddr.URL(), Store: kept})
	if err != nil {
		return err
	}
	wiki, err := newWiki(ctx, host.Provider, acmeAddr.URL(), wikiAddr.URL())
	if err != nil {
		return err
	}
	e.Go(host.Provider.Run) // It also deletes expired records.
	e.Serve(acmeAddr, handler(host))
	e.Serve(wikiAddr, wiki.Handler())
	if *walks {
		return walk.Walk(ctx, e.Stdout, wikiAddr.URL(), acmeAddr.URL())
	}
	e.Printf("Records are kept %s.\nOpen %s and press \"Sign in with Acme\".\nThe users are ada and grace, and their password is: %s\n",
		kept.where, wikiAddr.URL(), acme.Password)
	return e.Wait()
}
