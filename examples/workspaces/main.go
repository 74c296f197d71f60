// Workspaces runs Acme Notes, whose users are in teams, and Wiki, an app that
// reads the notes of the one team that its user lets it.
//
//	go run ./examples/workspaces    and open the address that it prints
//
// Sign in as ada, choose a team on Acme's page, and see that Wiki reads the notes
// of that team and of no other. Then leave the team at Acme, and Wiki is refused.
//
// What Acme Notes does about teams is in host.go, Wiki is in wiki.go.
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
	flags := flag.NewFlagSet("workspaces", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "localhost:8080", "`host:port` where Acme Notes, the provider, listens; port 0 takes a free one")
	wikiAddr := flags.String("wiki-addr", "127.0.0.1:8081", "`host:port` where Wiki listens; port 0 takes a free one")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "workspaces: %q is not a flag (-h lists the flags)\n", flags.Arg(0))
		return 2
	}
	if err := serve(ctx, *addr, *wikiAddr, stdout); err != nil {
		fmt.Fprintln(stderr, "workspaces:", err)
		return 1
	}
	return 0
}

// serve runs both until ctx ends.
func serve(ctx context.Context, addr, wikiAddr string, stdout io.Writer) error {
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

	host, err := newHost(issuer)
	if err != nil {
		return err
	}
	client, err := registerWiki(ctx, host.acme.Provider, wikiURL)
	if err != nil {
		return err
	}

	// Whatever ends first ends the others.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go host.acme.Provider.Run(ctx)
	go func() { ended <- acme.Serve(ctx, acmeListener, host.handler()) }()
	go func() { ended <- acme.Serve(ctx, wikiListener, newWiki(issuer, wikiURL, client)) }()
	fmt.Fprintf(stdout, `Open %s and let Wiki read the notes of a team of Acme Notes, which is at %s.
The users are ada and grace; the password of both is: %s
To leave a team, open %s/teams.
Press Ctrl+C to stop.
`, wikiURL, issuer, acme.Password, issuer)
	first := <-ended
	cancel()
	return errors.Join(first, <-ended)
}
