package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/walk"
	"github.com/latchkey-go/latchkey/examples/internal/wiki"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
)

// host is Acme Notes, an ordinary web app, with Latchkey.
type host struct {
	app       *acme.App // users, sessions, a sign-in page, and notes
	provider  *provider.Provider
	issuer    string
	secretKey string // for the Backend API; empty: the API is off
}

// newHost makes the app a provider. A client may call the token endpoint perMinute
// times per minute.
func newHost(issuer, secretKey string, perMinute int) (*host, error) {
	if u, err := url.Parse(issuer); err == nil && u.Host != "" && u.Path != "" {
		return nil, fmt.Errorf("%q has a path: leave it out, because the pages of this example are at the root", issuer)
	}
	app, err := acme.NewApp(issuer)
	if err != nil {
		return nil, err
	}
	p, err := provider.New(provider.Config{
		Issuer:      issuer,
		Store:       memory.New(),
		CurrentUser: app.CurrentUser,
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       app.FindUser,
		Pages:       pages.Config{Name: "Acme Notes"},
		Scopes:      append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
		Limit:       provider.LimitByAddress(perMinute),
	})
	return &host{app, p, issuer, secretKey}, err
}

// handler is the app's routes.
func (h *host) handler() http.Handler {
	mux := http.NewServeMux()

	// The app's own pages have the session, and reject forms of other sites.
	h.app.MountPages(mux)

	// Latchkey's endpoints have the session where they need it. They must accept
	// requests of programs and of other sites, so the app's CSRF check isn't here.
	// (If your middleware wraps the whole mux, call provider.Mount(mux).)
	for _, route := range h.provider.Routes() {
		handler := route.Handler
		if route.Session {
			handler = h.app.Sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}

	// The Backend API manages applications. It's for programs that have the key, so
	// it needs no session. Clerk's JavaScript SDK calls the last path without /v1.
	if h.secretKey != "" {
		api := clerkapi.Handler(h.provider, provider.BearerKey(h.secretKey), clerkapi.Options{})
		for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
			mux.Handle(method+" /v1/", api)
		}
		mux.Handle("POST /oauth_applications/access_tokens/verify", api)
	}

	// The app's API is for clients whose user granted them the scope notes:read.
	mux.Handle("GET /api/notes", h.provider.Require("notes:read")(http.HandlerFunc(h.app.ListNotes)))
	return mux
}

// newWiki registers Wiki as a client and returns it. With trace it prints its
// requests.
func (h *host) newWiki(ctx context.Context, at string, out io.Writer, trace bool) (*wiki.Wiki, error) {
	app, secret, err := h.provider.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{wiki.Callback(at)},
		Scopes:       scopes.New("profile", "email", "public_metadata", "notes:read"),
	})
	if err != nil {
		return nil, err
	}
	cfg := wiki.Config{URL: at, Issuer: h.issuer, ClientID: app.ClientID, ClientSecret: secret.Reveal()}
	if trace {
		cfg.Transport = walk.Trace("Wiki", out)
	}
	return wiki.New(cfg), nil
}

// backendAPI says where the Backend API is, or how to turn it on.
func (h *host) backendAPI() string {
	if h.secretKey == "" {
		return "The Backend API is off. Turn it on with -secret-key and a key of your choice."
	}
	return "The Backend API is at " + h.issuer + "/v1/oauth_applications. It needs the key from -secret-key."
}

// advice lists what to change before production.
func (h *host) advice() string {
	text := "Before production (see docs/start/go-live.md):\n"
	for _, advice := range h.provider.Check(h.secretKey) {
		what, _, _ := strings.Cut(advice.Text, ". ")
		text += fmt.Sprintf("  %s: %s.\n", advice.Code, strings.TrimSuffix(what, "."))
	}
	return text + "\n"
}
