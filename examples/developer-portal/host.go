package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// host is Acme Notes.
type host struct {
	issuer   string
	provider *provider.Provider
	users    *users
	sessions *scs.SessionManager
	logos    *logos
	tokens   *tokens
}

// offered is what applications may ask for. What strangers may have of Acme's
// users is for Acme to decide.
var offered = []scopes.Scope{
	{Name: scopes.Profile, Title: "See your name and username", Required: true},
	{Name: scopes.Email, Title: "See your email address"},
	{Name: "notes:read", Title: "Read your notes"},
}

func newHost(ctx context.Context, issuer string, kept store.Store) (*host, error) {
	h := &host{issuer: issuer, sessions: scs.New(), logos: newLogos()}
	h.sessions.Cookie.Name = "acme_session" // Lax and HttpOnly by default
	h.sessions.Cookie.Secure = strings.HasPrefix(issuer, "https://")
	var err error
	if h.users, err = newUsers(); err != nil {
		return nil, err
	}
	german := pages.German()
	german.Scopes["notes:read"] = "Deine Notizen lesen"
	h.provider, err = provider.New(provider.Config{
		Issuer:      issuer,
		Store:       kept,
		CurrentUser: h.currentUser,
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       h.users.lookup,
		Scopes:      offered,
		TokenPrefix: "acme_", // by which scanners know a leaked token

		// Name, logo and color are for the built-in page of connected
		// applications, the other two pages are Acme's own.
		Pages: pages.Config{
			Name:        "Acme Notes",
			LogoURL:     issuer + "/logo.svg",
			AccentColor: "#0b6b4f",
			Texts:       pages.AcceptLanguage(pages.English(), german),
			Consent:     h.consentPage,
			Error:       h.errorPage,
		},
	})
	if err != nil {
		return nil, err
	}
	h.tokens, err = newTokens(ctx, h.provider)
	return h, err
}

func (h *host) handler() http.Handler {
	mux := http.NewServeMux()

	// Pages: with the session, and closed to forms of other sites.
	csrf := http.NewCrossOriginProtection()
	if err := csrf.AddTrustedOrigin(h.issuer); err != nil { // A proxy may rewrite Host, which it is compared with.
		panic(err) // provider.New has refused whatever is no origin.
	}
	page := func(pattern string, maxBytes int64, f http.HandlerFunc) {
		mux.Handle(pattern, http.MaxBytesHandler(csrf.Handler(h.sessions.LoadAndSave(f)), maxBytes))
	}
	const formSize = 256 << 10 // Latchkey takes 100 redirect URIs of 1 KB each.
	page("GET /{$}", formSize, h.home)
	page("GET /login", formSize, h.showSignIn)
	page("POST /login", formSize, h.signIn)
	page("POST /logout", formSize, h.signOut)

	// Settings: for whoever is signed in.
	settings := func(pattern string, maxBytes int64, f settingsFunc) { page(pattern, maxBytes, h.signedIn(f)) }
	settings("GET /settings/applications", formSize, h.listApplications)
	settings("GET /settings/applications/new", formSize, h.newApplication)
	settings("POST /settings/applications", formSize, h.createApplication)
	settings("GET /settings/applications/{id}", formSize, h.owned(h.showApplication))
	settings("POST /settings/applications/{id}", formSize, h.owned(h.updateApplication))
	settings("POST /settings/applications/{id}/secrets", formSize, h.owned(h.addSecret))
	settings("POST /settings/applications/{id}/logo", maxLogo+formSize, h.owned(h.uploadLogo))
	settings("POST /settings/applications/{id}/revoke", formSize, h.owned(h.revokeApplication))
	settings("POST /settings/applications/{id}/delete", formSize, h.owned(h.deleteApplication))
	settings("GET /settings/tokens", formSize, h.listTokens)
	settings("POST /settings/tokens", formSize, h.createToken)
	settings("POST /settings/tokens/{id}/revoke", formSize, h.revokeToken)
	settings("GET /settings/account", formSize, h.showAccount)
	settings("POST /settings/account/sign-out-everywhere", formSize, h.signOutEverywhere)
	settings("POST /settings/account/close", formSize, h.closeAccount)

	// Latchkey's endpoints: with the session where they need it, and without
	// the check of origins, because programs and other sites may call them.
	for _, route := range h.provider.Routes() {
		handler := route.Handler
		if route.Session {
			handler = h.sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}

	// The API takes the tokens of applications and of people alike.
	mux.Handle("GET /api/notes", h.provider.Require("notes:read")(http.HandlerFunc(h.listNotes)))

	mux.HandleFunc("GET /logos/{id}", h.serveLogo)
	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		panic(err) // They are part of the program.
	}
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /logo.svg", http.FileServerFS(files))
	return mux
}

// settingsFunc is a page for the user who is signed in.
type settingsFunc func(w http.ResponseWriter, r *http.Request, u user)

// signedIn sends everybody else to the sign-in page first, and reads the form.
func (h *host) signedIn(f settingsFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, ok := h.user(r)
		if !ok {
			next := "/settings/applications" // A form cannot be sent again from there.
			if r.Method == http.MethodGet {
				next = r.URL.RequestURI()
			}
			http.Redirect(w, r, signInPath(next), http.StatusSeeOther)
			return
		}
		if err := r.ParseForm(); err != nil {
			h.message(w, r, http.StatusBadRequest, "This form cannot be read", "It is too long or damaged. Nothing was changed.")
			return
		}
		f(w, r, u)
	}
}

func (h *host) listNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	u, ok := h.users.find(token.UserID)
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.tokens.used(token.GrantID)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": u.notes})
}
