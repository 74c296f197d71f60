// Developer-portal runs Acme Notes, an app whose own users are developers too.
// They register OAuth applications, make personal access tokens, and see the
// consent page in Acme's own look; Ada administers what they registered.
//
//	go run ./examples/developer-portal   and open the address that it prints
//
// The pages for developers and administrators are those of package portal:
//
//	host.go     what Latchkey is told, and which middleware goes where
//	account.go  "log out everywhere", and a user who is disabled
//	pages.go    the consent page and the error page in the host's layout
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
	addr, err := parseFlags(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "developer-portal:", err)
		return 2
	}
	if err := serve(ctx, addr, stdout); err != nil {
		fmt.Fprintln(stderr, "developer-portal:", err)
		return 1
	}
	return 0
}

func parseFlags(args []string, help io.Writer) (addr string, err error) {
	flags := flag.NewFlagSet("developer-portal", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Errors are printed by run, in one line.
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	err = flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(help, "Developer-portal runs Acme Notes, where users register OAuth applications of their own.")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return addr, err
	case err != nil:
		return addr, fmt.Errorf("%w (-h lists the flags)", err)
	case flags.NArg() > 0:
		return addr, fmt.Errorf("%q is not a flag (-h lists the flags)", flags.Arg(0))
	}
	return addr, nil
}

// serve runs the app until ctx ends.
func serve(ctx context.Context, addr string, stdout io.Writer) error {
	listener, issuer, err := acme.Listen(ctx, "-addr", addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	h, err := newHost(issuer, memory.New())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go h.provider.Run(ctx)
	fmt.Fprintf(stdout, `Open %[1]s/developers/ and sign in as ada or grace; the password of both is: %[2]s
Ada administers all applications at %[1]s/admin/oauth/
Press Ctrl+C to stop.
`, issuer, password)
	return acme.Serve(ctx, listener, h.handler())
}
