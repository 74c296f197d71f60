// Spa runs an app that lives in the browser alone, and the provider that it
// signs people in with, on two origins: Acme Notes, and Notes Reader, which is
// static files.
//
//	go run ./examples/spa                            and open the address that it prints
//	go run ./examples/spa -access-lifetime 10s       to see it refresh its tokens
//	go run ./examples/spa -spa-addr localhost:8081   two sites, and not only two origins
//
// The whole client is web/app.js: the authorization code flow with PKCE, by
// fetch and Web Crypto. What a provider has to do for it is in host.go.
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
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for signals. It returns the exit status: 2 for
// wrong usage, 1 for other failures.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "spa:", err)
		return 2
	}
	if err := serve(ctx, opts, stdout); err != nil {
		fmt.Fprintln(stderr, "spa:", err)
		return 1
	}
	return 0
}

// options are the command line.
type options struct {
	addr, spaAddr  string
	accessLifetime time.Duration
}

func parseOptions(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("spa", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Errors are printed by run, in one line.
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` where Acme Notes, the provider, listens; port 0 takes a free one")
	flags.StringVar(&o.spaAddr, "spa-addr", "127.0.0.1:8081", "`host:port` where Notes Reader, the client, is served; port 0 takes a free one")
	flags.DurationVar(&o.accessLifetime, "access-lifetime", 2*time.Hour, "how long access tokens work, such as 10s")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(help, "Spa runs Acme Notes, an OAuth 2.0 provider, and Notes Reader, an app in the browser that signs in with it.")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w (-h lists the flags)", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag (-h lists the flags)", flags.Arg(0))
	}
	return o, nil
}

// serve runs both until ctx ends.
func serve(ctx context.Context, opts options, stdout io.Writer) error {
	acmeListener, issuer, err := acme.Listen(ctx, "-addr", opts.addr)
	if err != nil {
		return err
	}
	defer acmeListener.Close()
	spaListener, spaURL, err := acme.Listen(ctx, "-spa-addr", opts.spaAddr)
	if err != nil {
		return err
	}
	defer spaListener.Close()

	host, err := acme.New(provider.Config{Issuer: issuer, Store: memory.New(), Lifetimes: provider.Lifetimes{Access: opts.accessLifetime}})
	if err != nil {
		return err
	}
	app, err := register(ctx, host.Provider, spaURL)
	if err != nil {
		return err
	}

	// Whatever ends first ends the others.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go host.Provider.Run(ctx)
	go func() { ended <- acme.Serve(ctx, acmeListener, hostHandler(host)) }()
	go func() { ended <- acme.Serve(ctx, spaListener, spaHandler(issuer, app.ClientID)) }()
	fmt.Fprintf(stdout, `Open %s and press "Sign in with Acme". Acme Notes, the provider, is at %s.
The users are ada and grace; the password of both is: %s
Press Ctrl+C to stop.
`, spaURL, issuer, acme.Password)
	first := <-ended
	cancel()
	return errors.Join(first, <-ended)
}
