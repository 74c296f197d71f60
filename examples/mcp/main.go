// Mcp lets AI agents in: Acme Notes with a server of the Model Context
// Protocol at /mcp, and a client that finds its way to it by itself.
//
//	go run ./examples/mcp         and give the address that it prints to an MCP client
//	go run ./examples/mcp -demo   runs a client too, which signs you in with your browser
//
// What makes a provider one for agents is in this file, the MCP server and its
// guard in server.go. The client in client.go knows nothing of Latchkey; both
// are written with github.com/modelcontextprotocol/go-sdk.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
)

// forAgents opens a provider to agents: to those that nobody has registered,
// and with tokens that work for them alone.
func forAgents(cfg provider.Config) provider.Config {
	cfg.Scopes = []scopes.Scope{{Name: "notes:write", Title: "Write notes in your name"}}
	cfg.Resources = []provider.Resource{{
		URL:    cfg.Issuer + "/mcp",
		Name:   "Acme Notes for agents",
		Scopes: []string{"notes:read", "notes:write"},
	}}
	cfg.ClientIDDocuments = &provider.ClientIDDocuments{} // Clients identified by the URL of a document.
	cfg.Registration = &provider.Registration{}           // They register themselves.
	cfg.Limit = provider.LimitByAddress(600)              // A registration counts as twenty requests.
	return cfg
}

// app is Acme Notes with an MCP server.
type app struct {
	*acme.Host
	http.Handler
}

func newApp(cfg provider.Config) (*app, error) {
	host, err := acme.New(cfg)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	host.Mount(mux)
	mux.Handle("/mcp", allowOrigins(mcpHandler(host, host.Provider.Resource(cfg.Issuer+"/mcp"))))
	mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes)))
	return &app{host, mux}, nil
}

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
		fmt.Fprintln(stderr, "mcp:", err)
		return 2
	}
	if err := serve(ctx, opts, stdout); err != nil {
		fmt.Fprintln(stderr, "mcp:", err)
		return 1
	}
	return 0
}

// options are the command line.
type options struct {
	addr            string
	accessLifetime  time.Duration
	demo, noBrowser bool
}

func parseOptions(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("mcp", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Errors are printed by run, in one line.
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` where Acme Notes listens; port 0 takes a free one")
	flags.DurationVar(&o.accessLifetime, "access-lifetime", 2*time.Hour, "how long access tokens work, such as 10s")
	flags.BoolVar(&o.demo, "demo", false, "run a client too, which signs you in with your browser and calls the tools")
	flags.BoolVar(&o.noBrowser, "no-browser", false, "with -demo: only print the address to open")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(help, "Mcp runs Acme Notes, an OAuth 2.0 provider, with a Model Context Protocol server that agents sign in to.")
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

// serve runs Acme Notes until ctx ends, or until the demo does.
func serve(ctx context.Context, opts options, stdout io.Writer) error {
	listener, issuer, err := acme.Listen(ctx, "-addr", opts.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	app, err := newApp(forAgents(provider.Config{Issuer: issuer, Store: memory.New(), Lifetimes: provider.Lifetimes{Access: opts.accessLifetime}}))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go app.Provider.Run(ctx)
	go func() { ended <- acme.Serve(ctx, listener, app) }()
	fmt.Fprintf(stdout, `Acme Notes is at %s, its MCP server at %[1]s/mcp.
The users are ada and grace; the password of both is: %s

`, issuer, acme.Password)
	if opts.demo {
		err = demo(ctx, issuer+"/mcp", !opts.noBrowser, stdout)
		stop()
		return errors.Join(err, <-ended)
	}
	fmt.Fprintf(stdout, `Give this to an MCP client. It needs nothing else: no key, no client id.
  {"mcpServers": {"acme-notes": {"type": "http", "url": "%s/mcp"}}}
Press Ctrl+C to stop.
`, issuer)
	return <-ended
}
