// Quickstart runs two apps to try Latchkey with: Acme Notes, which has users and
// is the OAuth 2.0 provider, and Wiki, which has a "Sign in with Acme" button.
//
//	go run ./examples/quickstart        and open the address that it prints
//	go run ./examples/quickstart -walk  signs in by itself and explains each step
//
// The code that makes Acme a provider is in host.go.
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/walk"
)

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	e.About = "Quickstart runs Acme Notes, an OAuth 2.0 provider, and Wiki, an app that people sign in to with it."
	acmeAddr := e.Addr("addr", "127.0.0.1:8080", "Acme Notes, the provider")
	wikiAddr := e.Addr("client-addr", "127.0.0.1:8081", "Wiki, the client")
	issuer := e.Flags.String("issuer", "", "the `URL` where browsers reach Acme Notes, if it isn't where Acme Notes listens")
	secretKey := e.Flags.String("secret-key", "", "a `key` of your choice that lets programs manage applications at /v1/oauth_applications")
	perMinute := e.Flags.Int("limit", 600, "how often per minute a client may call the token endpoint; load tests need more")
	walks := e.Flags.Bool("walk", false, "sign in the way a browser does, print each step, and exit")
	if err := e.Parse(); err != nil {
		return err
	}
	if *walks {
		e.FreePorts()
	}
	if err := e.Listen(); err != nil {
		return err
	}
	if *issuer == "" {
		*issuer = acmeAddr.URL()
	}
	h, err := newHost(*issuer, *secretKey, *perMinute)
	if err != nil {
		return run.Usage("-issuer: %w", err)
	}
	wiki, err := h.newWiki(ctx, wikiAddr.URL(), e.Stdout, *walks)
	if err != nil {
		return err
	}
	e.Go(h.provider.Run)
	e.Serve(acmeAddr, h.handler())
	e.Serve(wikiAddr, wiki.Handler())
	if *walks {
		return walk.Walk(ctx, e.Stdout, wikiAddr.URL(), h.issuer)
	}
	e.Printf("Acme Notes (the provider)           %s\nWiki (an app with a sign-in button) %s\n%s\n\n%s", h.issuer, wikiAddr.URL(), h.backendAPI(), h.advice())
	e.Printf("Open %s and press \"Sign in with Acme\".\nThe users are ada and grace, and their password is: %s\n", wikiAddr.URL(), acme.Password)
	return e.Wait()
}
