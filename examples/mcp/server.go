package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
)

// mcpHandler is the MCP server behind its guard. To come in at all takes
// notes:read, which is therefore what a client asks for first. Calling a tool
// that writes takes notes:write, which a client asks for when it is told so.
//
// The server keeps no sessions, so that there are none to be mistaken for
// somebody else's: each request is done for the user whose token it carries.
func mcpHandler(host *acme.Host, resource *provider.ProtectedResource) http.Handler {
	server := newServer(host)
	sdk := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true},
	)
	tools := withTokenInfo(sdk)
	reading, writing := resource.Require("notes:read"), resource.Require("notes:write")
	return reading(stepUp(writing(tools), tools))
}

// withTokenInfo tells the SDK whose token the guard has let through. The SDK
// hands it to the tools with each request and, where it keeps sessions, lets
// nobody but that user use one. A tool must not look for the token in its
// context: that of a session is the context of the request that began it.
func withTokenInfo(next http.Handler) http.Handler {
	known := func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		token, ok := provider.TokenFromContext(ctx)
		if !ok {
			return nil, auth.ErrInvalidToken // The middleware is missing.
		}
		return &auth.TokenInfo{UserID: token.UserID, Scopes: token.Scopes}, nil
	}
	// The middleware has checked the expiration.
	return auth.RequireBearerToken(known, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(next)
}

// stepUp sends requests that call a writing tool to writing and all others to
// reading. MCP clients ask for more scopes when HTTP says 403, and inside the
// SDK it would be too late for that.
func stepUp(writing, reading http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			http.Error(w, "The request is larger than 1 MiB.", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "The request could not be read.", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if callsWritingTool(body) {
			writing.ServeHTTP(w, r)
			return
		}
		reading.ServeHTTP(w, r)
	})
}

// callsWritingTool reports whether there is a call of a tool that writes in a
// JSON-RPC message, or in a batch of them. No two programs read all JSON alike,
// so this decides only which answer a client gets. That nothing is written
// without the scope is seen to by the tool.
func callsWritingTool(body []byte) bool {
	var messages []json.RawMessage
	if json.Unmarshal(body, &messages) != nil {
		messages = []json.RawMessage{body}
	}
	return slices.ContainsFunc(messages, func(message json.RawMessage) bool {
		var call struct {
			Method string
			Params struct{ Name string }
		}
		return json.Unmarshal(message, &call) == nil && call.Method == "tools/call" && call.Params.Name == "add_note"
	})
}

// newServer has the tools. Each works for the user of the token that its
// request came with.
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

// allowOrigins lets MCP clients that run in a browser call the server from
// pages of any origin. It goes around the guard: a preflight carries no token,
// and a challenge that a page cannot read is of no use to it. Being let in
// depends on the token alone, never on a cookie, so there is nothing to gain
// for a page that has none.
func allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Mcp-Session-Id")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, *") // "*" covers all but Authorization.
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	})
}
