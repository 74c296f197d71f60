package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// host is Acme Notes.
type host struct {
	issuer   string
	provider *provider.Provider
	users    *users
	sessions *scs.SessionManager
}

// offered are the scopes that applications can request. Acme decides what
// applications can read.
var offered = []scopes.Scope{
	{Name: scopes.Profile, Title: "See your name and username", Required: true},
	{Name: scopes.Email, Title: "See your email address"},
	{Name: "notes:read", Title: "Read your notes"},
}

func newHost(issuer string, kept store.Store) (*host, error) {
	h := &host{issuer: issuer, sessions: scs.New()}
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
		TokenPrefix: "acme_", // Secret scanners recognize leaked tokens by it.

		// The built-in page of connected applications uses the name, logo, and
		// color. The consent page and the error page are custom.
		Pages: pages.Config{
			Name:        "Acme Notes",
			LogoURL:     issuer + "/logo.svg",
			AccentColor: "#0b6b4f",
			Texts:       pages.AcceptLanguage(pages.English(), german),
			Consent:     h.consentPage,
			Error:       h.errorPage,
		},
	})
	return h, err
}

func (h *host) handler() http.Handler {
	mux := http.NewServeMux()

	// Acme's pages load the session and reject forms from other sites.
	csrf := http.NewCrossOriginProtection()
	if err := csrf.AddTrustedOrigin(h.issuer); err != nil { // The check compares with Host, which a proxy can rewrite.
		panic(err) // provider.New accepts only an issuer whose origin is valid.
	}
	page := func(pattern string, f http.HandlerFunc) {
		mux.Handle(pattern, http.MaxBytesHandler(csrf.Handler(h.sessions.LoadAndSave(f)), 64<<10))
	}
	page("GET /{$}", h.home)
	page("GET /login", h.showSignIn)
	page("POST /login", h.signIn)
	page("POST /logout", h.signOut)
	page("GET /settings/account", h.signedIn(h.showAccount))
	page("POST /settings/account/sign-out-everywhere", h.signedIn(h.signOutEverywhere))
	page("POST /settings/account/close", h.signedIn(h.closeAccount))

	// Users register applications, and Ada reviews them. Both handlers protect
	// their forms against CSRF.
	mux.Handle("/developers/", h.sessions.LoadAndSave(portal.Developers(h.provider, portal.DeveloperOptions{
		Scopes:      scopes.New(scopes.Profile, scopes.Email, "notes:read"),
		TokenScopes: scopes.New("notes:read"),
		APIURL:      h.issuer + "/api/notes",
	})))
	mux.Handle("/admin/oauth/", h.sessions.LoadAndSave(portal.Admin(h.provider, portal.AdminOptions{Allow: h.administrator})))

	// Latchkey's endpoints load the session where they need it. They skip the
	// origin check, because programs and other sites may call them.
	for _, route := range h.provider.Routes() {
		handler := route.Handler
		if route.Session {
			handler = h.sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}

	// The API accepts tokens of applications and personal access tokens.
	mux.Handle("GET /api/notes", h.provider.Require("notes:read")(http.HandlerFunc(h.listNotes)))

	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		panic(err) // The files are embedded.
	}
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /logo.svg", http.FileServerFS(files))
	return mux
}

// administrator is portal.AdminOptions.Allow.
func (h *host) administrator(r *http.Request) (actor string, err error) {
	u, ok := h.user(r)
	switch {
	case !ok:
		return "", portal.ErrSignIn
	case !u.administers:
		return "", errors.New("the user is not an administrator")
	}
	return u.ID, nil
}

// signedIn redirects signed-out users to the sign-in page.
func (h *host) signedIn(f func(w http.ResponseWriter, r *http.Request, u user)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, ok := h.user(r)
		if !ok {
			next := "/settings/account" // A redirect can't send the form again.
			if r.Method == http.MethodGet {
				next = r.URL.RequestURI()
			}
			http.Redirect(w, r, signInPath(next), http.StatusSeeOther)
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
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": u.notes})
}
