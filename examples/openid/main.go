// Openid runs Acme Notes as an OpenID Provider, and Wiki, an app whose users sign
// in with it by OpenID Connect.
//
//	go run ./examples/openid    and open the address that it prints
//
// To try an OpenID Connect client of yours too, give the program its redirect
// URI, and give it the issuer, client ID, and secret that the program prints:
//
//	go run ./examples/openid -redirect-uri http://127.0.0.1:4180/oauth2/callback
//
// What makes Acme Notes an OpenID Provider is in host.go. Wiki is in wiki.go: it
// knows nothing of Latchkey, and is written with github.com/coreos/go-oidc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for signals. It returns the exit status: 2 for
// wrong usage, 1 for other failures.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("openid", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "localhost:8080", "`host:port` where Acme Notes, the provider, listens; port 0 takes a free one")
	wikiAddr := flags.String("wiki-addr", "127.0.0.1:8081", "`host:port` where Wiki listens; port 0 takes a free one")
	redirectURI := flags.String("redirect-uri", "", "a redirect `URI` of an OpenID Connect client of yours, to try that too")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "openid: %q is not a flag (-h lists the flags)\n", flags.Arg(0))
		return 2
	}
	if err := serve(ctx, *addr, *wikiAddr, *redirectURI, stdout); err != nil {
		fmt.Fprintln(stderr, "openid:", err)
		return 1
	}
	return 0
}

// serve runs both until ctx ends.
func serve(ctx context.Context, addr, wikiAddr, redirectURI string, stdout io.Writer) error {
	acmeListener, issuer, err := acme.Listen(ctx, "-addr", addr)
	if err != nil {
		return err
	}
	defer acmeListener.Close()
	wikiListener, wikiURL, err := acme.Listen(ctx, "-wiki-addr", wikiAddr)
	if err != nil {
		return err
	}
	defer wikiListener.Close()

	host, err := newHost(ctx, issuer)
	if err != nil {
		return err
	}
	client, err := registerWiki(ctx, host.Provider, wikiURL, redirectURI)
	if err != nil {
		return err
	}

	// Whatever ends first ends the others.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go host.Provider.Run(ctx) // It rotates the keys too.
	go func() { ended <- acme.Serve(ctx, acmeListener, hostHandler(host)) }()
	go func() { ended <- acme.Serve(ctx, wikiListener, newWiki(issuer, wikiURL, client)) }()
	fmt.Fprintf(stdout, `Open %s and sign in with Acme Notes, the provider, which is at %s.
The users are ada and grace; the password of both is: %s
A client of yours (see -redirect-uri) needs:

  issuer         %s
  client ID      %s
  client secret  %s

Press Ctrl+C to stop.
`, wikiURL, issuer, acme.Password, issuer, client.id, client.secret)
	first := <-ended
	cancel()
	return errors.Join(first, <-ended)
}
