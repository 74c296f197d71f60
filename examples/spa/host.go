package main

import (
	"context"
	"net/http"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// register registers Notes Reader.
func register(ctx context.Context, p *provider.Provider, spaURL string) (provider.Application, error) {
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Notes Reader",
		Public:       true, // An app in the browser can't keep a secret.
		RedirectURIs: []string{spaURL + "/"},
		Scopes:       scopes.New("profile", "notes:read"),
	})
	return app, err
}

// hostHandler serves Acme Notes. Latchkey's endpoints set CORS headers, except the
// pages that users open, such as the authorization endpoint. The app sets them for
// its own API.
func hostHandler(host *acme.Host) http.Handler {
	mux := http.NewServeMux()
	host.Mount(mux)
	notes := host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes))
	mux.Handle("GET /api/notes", allowOrigins(notes))
	mux.Handle("OPTIONS /api/notes", allowOrigins(notes))
	return mux
}

// allowOrigins lets pages of other origins call an API that checks tokens. Put it
// around [provider.Provider.Require], not inside: a preflight carries no token,
// and without these headers the page can't read a 401 and doesn't know that it
// must refresh.
//
// It allows every origin, because access depends only on the token. Don't send
// Access-Control-Allow-Credentials: browsers would then send the user's cookies,
// and any page that you allow could act as the signed-in user.
func allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate") // It says what is wrong with the token.
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET")
		h.Set("Access-Control-Allow-Headers", "Authorization") // "*" doesn't cover it.
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	})
}
