package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
)

// demo runs Acme Notes, which has users and is a provider, and signs in there
// like with any other provider. Acme keeps running until the user stops it.
func demo(ctx context.Context, e *run.Example, opts options) error {
	if err := e.Listen(); err != nil {
		return err
	}
	opts.issuer, opts.clientID = opts.addr.URL(), "acme-cli"
	host, err := newAcme(opts.issuer)
	if err != nil {
		return err
	}
	if err := register(ctx, host.Provider, opts.clientID); err != nil {
		return err
	}
	mux := http.NewServeMux()
	host.Mount(mux)
	e.Go(host.Provider.Run)
	e.Serve(opts.addr, mux)
	e.Printf("Acme Notes, the provider, is at %s\nThe users are ada and grace; the password of both is: %s\n\n", opts.issuer, acme.Password)

	file, err := newTokenFile(opts)
	if err != nil {
		return err
	}
	defer file.remove() // Acme loses its sign-ins when it stops.
	err = whoami(ctx, opts, e.Stdout)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	again := fmt.Sprintf("go run ./examples/cli -issuer %s -client-id %s", opts.issuer, opts.clientID)
	if opts.tokenFile != "" {
		again += " -token-file " + opts.tokenFile
	}
	e.Printf(`
Acme keeps running at %s
Run the program again in another terminal. It doesn't need the browser now:
  %s
To sign out:
  %s -logout
To see the connection, and end it, open %s/oauth/connections
`, opts.issuer, again, again, opts.issuer)
	return e.Wait()
}
