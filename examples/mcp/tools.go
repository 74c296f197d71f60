package main

import (
	"context"
	"errors"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
)

// newServer returns the MCP server. Each tool acts for the user of the request's
// token.
func newServer(host *acme.Host) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "acme-notes", Title: "Acme Notes", Version: "1.0.0"}, nil)

	type nothing struct{}
	type user struct {
		ID     string   `json:"id"`
		Scopes []string `json:"scopes" jsonschema:"what the user has allowed you"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Says whose notes these are."},
		func(_ context.Context, r *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, user, error) {
			return nil, user{r.Extra.TokenInfo.UserID, r.Extra.TokenInfo.Scopes}, nil
		})

	type notes struct {
		Notes []acme.Note `json:"notes"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "list_notes", Description: "Lists the user's notes."},
		func(_ context.Context, r *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, notes, error) {
			return nil, notes{host.Notes(r.Extra.TokenInfo.UserID)}, nil
		})

	mcp.AddTool(server, &mcp.Tool{Name: "add_note", Description: "Writes a new note in the user's name."},
		func(_ context.Context, r *mcp.CallToolRequest, note acme.Note) (*mcp.CallToolResult, nothing, error) {
			if !slices.Contains(r.Extra.TokenInfo.Scopes, "notes:write") {
				return nil, nothing{}, errors.New("the token lacks the scope notes:write")
			}
			host.AddNote(r.Extra.TokenInfo.UserID, note)
			return nil, nothing{}, nil
		})
	return server
}
