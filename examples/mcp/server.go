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

// mcpHandler is the MCP server with its middleware. All requests need notes:read,
// so clients request that scope first. Calls of a tool that writes also need
// notes:write, and the 403 tells clients to request it.
//
// The server keeps no sessions, so a request can't use another user's session:
// each request runs for the user of its token.
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

// withTokenInfo passes the checked token to the SDK. The SDK passes it to the
// tools with each request, and if it keeps sessions, it binds them to the user.
// Tools must not read the token from their context: in a session, that is the
// context of the request that started it.
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

// stepUp sends requests that call a writing tool to writing, and all others to
// reading. MCP clients request more scopes when they get HTTP status 403, and
// inside the SDK it is too late for that.
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

// callsWritingTool reports whether a JSON-RPC message, or a message of a batch,
// calls a tool that writes. JSON parsers differ, so this only chooses the
// response. The tool itself checks the scope.
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

// allowOrigins lets MCP clients that run in a browser call the server from any
// origin. Put it around the middleware, because a preflight carries no token and
// pages can't read a 401 without these headers. Access depends only on the token,
// never on a cookie, so a page without a token gains nothing.
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
		h.Set("Access-Control-Allow-Headers", "Authorization, *") // "*" doesn't cover Authorization.
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	})
}
