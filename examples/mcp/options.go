package main

import (
	"log/slog"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

// options are the command line.
type options struct {
	addr            *run.Addr
	accessLifetime  time.Duration
	demo, noBrowser bool
}

func parseOptions(e *run.Example) (options, error) {
	e.About = "Mcp runs Acme Notes, an OAuth 2.0 provider, with an MCP server that agents sign in to."
	o := options{addr: e.Addr("addr", "localhost:8080", "Acme Notes")}
	e.Flags.DurationVar(&o.accessLifetime, "access-lifetime", 2*time.Hour, "how long access tokens work, such as 10s")
	e.Flags.BoolVar(&o.demo, "demo", false, "also run a client, which signs you in with your browser and calls the tools")
	e.Flags.BoolVar(&o.noBrowser, "no-browser", false, "with -demo: only print the address to open")
	return o, e.Listen()
}

// config is the part of the provider.Config that depends on the command line.
func (o options) config(e *run.Example) provider.Config {
	cfg := provider.Config{Issuer: o.addr.URL(), Store: memory.New(), Lifetimes: provider.Lifetimes{Access: o.accessLifetime}}
	if o.demo { // The client prints each response, so leave those lines out of the log.
		cfg.Logger = slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	return cfg
}

// greet prints how to use the program.
func (o options) greet(e *run.Example) {
	e.Printf(`Acme Notes is at %s, its MCP server at %[1]s/mcp
The users are ada and grace; the password of both is: %s

`, o.addr.URL(), acme.Password)
	if !o.demo {
		e.Printf(`Add this to the configuration of an MCP client. It needs no key and no client ID.
  {"mcpServers": {"acme-notes": {"type": "http", "url": "%s/mcp"}}}
A client's first request has no token, so the log shows that it is refused. That is how the client discovers the provider.
`, o.addr.URL())
	}
}
