// Mcp runs Acme Notes with an MCP server at /mcp, which AI agents can discover and
// sign in to. Connect your own MCP client, or run the demo client:
//
//	go run ./examples/mcp
//	go run ./examples/mcp -demo
//
// The provider.Config is below. The MCP server and its middleware are in server.go,
// the tools in tools.go. The demo client in client.go works with any MCP server.
// Both use github.com/modelcontextprotocol/go-sdk.
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// forAgents opens a provider to agents that no one has registered. Their tokens
// work only at the MCP server.
func forAgents(cfg provider.Config) provider.Config {
	cfg.Scopes = []scopes.Scope{{Name: "notes:write", Title: "Write notes in your name"}}
	cfg.Resources = []provider.Resource{{
		URL:    cfg.Issuer + "/mcp",
		Name:   "Acme Notes for agents",
		Scopes: []string{"notes:read", "notes:write"},
	}}
	cfg.ClientIDDocuments = &provider.ClientIDDocuments{} // Clients identified by the URL of a document.
	cfg.Registration = &provider.Registration{}           // They register themselves.
	cfg.Limit = provider.LimitByAddress(600)              // Per address, 30 registrations a minute.
	return cfg
}

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	opts, err := parseOptions(e)
	if err != nil {
		return err
	}
	app, err := newApp(forAgents(opts.config(e)))
	if err != nil {
		return err
	}
	e.Go(app.Provider.Run)
	e.Serve(opts.addr, app)
	opts.greet(e)
	if opts.demo {
		return demo(ctx, opts.addr.URL()+"/mcp", !opts.noBrowser, e.Stdout)
	}
	return e.Wait()
}
