package main

import (
	"context"
	"net/http"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// register makes Notes Reader known to Acme.
func register(ctx context.Context, p *provider.Provider, spaURL string) (provider.Application, error) {
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Notes Reader",
		Public:       true, // What a browser has, its user can read, so there is no secret.
		RedirectURIs: []string{spaURL + "/"},
		Scopes:       scopes.New("profile", "notes:read"),
	})
	return app, err
}

// hostHandler is the routes of Acme Notes. Latchkey's endpoints allow other
// origins by themselves, all but the authorization endpoint, where the browser
// goes in person. The app's own API is for the app to open.
func hostHandler(host *acme.Host) http.Handler {
	mux := http.NewServeMux()
	host.Mount(mux)
	notes := host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes))
	mux.Handle("GET /api/notes", allowOrigins(notes))
	mux.Handle("OPTIONS /api/notes", allowOrigins(notes))
	return mux
}

// allowOrigins lets pages of other origins call an API that is guarded by
// tokens. It goes around [provider.Provider.Require] and not inside of it: the
// browser's question beforehand, the preflight, carries no token, and a 401
// without these headers would look to the page like a broken network, so that
// it would not know to refresh.
//
// Every origin is allowed, because being let in depends on the token alone,
// which a page has only if the user gave it one. For the same reason
// Access-Control-Allow-Credentials is left out: with it, and with the origin
// in place of "*", the browser would send the user's cookies along, and any
// page that is named could act as whoever is signed in.
func allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate") // It says what is wrong with a token.
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET")
		h.Set("Access-Control-Allow-Headers", "Authorization") // "*" would not cover it.
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	})
}
