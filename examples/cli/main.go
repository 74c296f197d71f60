// Cli is a command-line program that signs its user in with the browser of the
// system (RFC 8252), or with one on another device (RFC 8628). It says who is
// signed in, and remembers it.
//
//	go run ./examples/cli -demo
//	go run ./examples/cli -demo -device
//
// runs a provider too, with users to try it with. With a provider that runs
// already, and where a public application with the redirect URI
// http://127.0.0.1/callback is registered:
//
//	go run ./examples/cli -issuer http://127.0.0.1:8080 -client-id acme-cli
//	go run ./examples/cli -issuer http://127.0.0.1:8080 -client-id acme-cli -device
//	go run ./examples/cli -issuer http://127.0.0.1:8080 -client-id acme-cli -logout
//
// With -device the redirect URI is not needed. What to copy is in client.go,
// loopback.go, device.go and tokenfile.go. It knows nothing of Latchkey, and is
// written with golang.org/x/oauth2.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
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
		fmt.Fprintln(stderr, "cli:", err)
		return 2
	case opts.demo:
		err = demo(ctx, opts, stdout)
	case opts.logout:
		err = logout(ctx, opts, stdout)
	default:
		err = whoami(ctx, opts, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "cli:", err)
		return 1
	}
	return 0
}

// whoami says who is signed in, and signs somebody in if nobody is.
func whoami(ctx context.Context, opts options, stdout io.Writer) error {
	c, err := newClient(ctx, opts, stdout)
	if err != nil {
		return err
	}
	token, err := c.file.load()
	if err != nil {
		return err
	}
	var user *user
	if token != nil {
		user, err = c.userInfo(ctx, token)
	}
	if token == nil || errors.Is(err, errSignedOut) {
		if token, err = c.signIn(ctx); err != nil {
			return err
		}
		user, err = c.userInfo(ctx, token)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "You are signed in as %s. The sign-in is kept in %s\n", user, c.file.path)
	return nil
}

// logout ends the sign-in. The file goes last: while the token in it works, it
// can be tried again.
func logout(ctx context.Context, opts options, stdout io.Writer) error {
	c, err := newClient(ctx, opts, stdout)
	if err != nil {
		return err
	}
	token, err := c.file.load()
	if err != nil {
		return err
	}
	if token == nil {
		fmt.Fprintln(stdout, "You are not signed in.")
		return nil
	}
	if err := c.revoke(ctx, token); err != nil {
		return err
	}
	if err := c.file.remove(); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "You are signed out.")
	return nil
}

// options are the command line.
type options struct {
	issuer, clientID string
	scopes           []string
	tokenFile        string // empty: one in the user's configuration directory
	timeout          time.Duration
	noBrowser        bool
	device           bool
	logout           bool

	demo bool
	addr string // of the demo's provider
}

func parseOptions(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("cli", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Errors are printed by run, in one line.
	flags.StringVar(&o.issuer, "issuer", "", "the provider's `URL`, such as http://127.0.0.1:8080")
	flags.StringVar(&o.clientID, "client-id", "", "the `id` that this program has there")
	scope := flags.String("scope", "profile email", "what to ask for, as `names` with spaces between them")
	flags.StringVar(&o.tokenFile, "token-file", "", "the `file` that keeps the sign-in (default: one for each provider, in your configuration directory)")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait for you to sign in")
	flags.BoolVar(&o.noBrowser, "no-browser", false, "only print the address to open")
	flags.BoolVar(&o.device, "device", false, "sign in with a browser on another device, such as your telephone, by a code")
	flags.BoolVar(&o.logout, "logout", false, "end the sign-in, here and at the provider")
	flags.BoolVar(&o.demo, "demo", false, "run a provider too, and sign in with that")
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "with -demo: `host:port` where the provider listens; port 0 takes a free one")
	err := flags.Parse(args)
	o.scopes = strings.Fields(*scope)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(help, "Cli signs you in with an OAuth 2.0 provider by your browser, here or on another device, and says who you are. Try it with -demo.")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w (-h lists the flags)", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag (-h lists the flags)", flags.Arg(0))
	case o.demo && (o.issuer != "" || o.clientID != "" || o.logout):
		return o, errors.New("-demo brings a provider of its own: leave out -issuer, -client-id and -logout")
	case o.demo:
		return o, nil // The demo knows the rest.
	case o.issuer == "" || o.clientID == "":
		return o, errors.New("say which provider by -issuer and -client-id, or try it with -demo (-h lists the flags)")
	}
	return o, checkURL("-issuer", o.issuer)
}
