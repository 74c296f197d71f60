package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// demo runs Acme Notes, which has users and is a provider, and signs in there
// as with any other.
func demo(ctx context.Context, opts options, stdout io.Writer) error {
	listener, issuer, err := acme.Listen(ctx, "-addr", opts.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	host, err := acme.New(provider.Config{Issuer: issuer, Store: memory.New(), DeviceAuthorization: &provider.DeviceAuthorization{}})
	if err != nil {
		return err
	}
	opts.issuer, opts.clientID = issuer, "acme-cli"
	if err := register(ctx, host.Provider, opts.clientID); err != nil {
		return err
	}
	mux := http.NewServeMux()
	host.Mount(mux)
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- acme.Serve(serving, listener, mux) }()
	go host.Provider.Run(serving)
	fmt.Fprintf(stdout, "Acme Notes, the provider, is at %s.\nThe users are ada and grace; the password of both is: %s\n\n", issuer, acme.Password)

	err = signInToDemo(ctx, opts, stdout)
	stop()
	if served := <-ended; err == nil {
		err = served
	}
	return err
}

// signInToDemo returns when ctx ends, so that there is time to run the program
// again beside this one.
func signInToDemo(ctx context.Context, opts options, stdout io.Writer) error {
	file, err := newTokenFile(opts)
	if err != nil {
		return err
	}
	defer file.remove() // Acme forgets its sign-ins when it stops.
	err = whoami(ctx, opts, stdout)
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
	fmt.Fprintf(stdout, `
Acme goes on running. In another terminal, this needs no browser any more:
  %s
and this signs out:
  %s -logout
Press Ctrl+C to stop.
`, again, again)
	<-ctx.Done()
	return nil
}

// register makes the program known to Acme.
func register(ctx context.Context, p *provider.Provider, clientID string) error {
	// The client id can be typed; CreateApplication makes a random one.
	_, err := p.ImportApplication(ctx, clientID, provider.ApplicationSettings{
		Name:   "Acme on the command line",
		Public: true, // What is on a user's machine, its user can read, so there is no secret.
		// The provider lets the port be any, as the program listens where it
		// finds a free one.
		RedirectURIs: []string{"http://127.0.0.1/callback"},
	}, store.SecretHash{})
	return err
}
