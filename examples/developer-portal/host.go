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

// offered is what applications may ask for. What strangers may have of Acme's
// users is for Acme to decide.
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
	return h, err
}

func (h *host) handler() http.Handler {
	mux := http.NewServeMux()

	// Pages: with the session, and closed to forms of other sites.
	csrf := http.NewCrossOriginProtection()
	if err := csrf.AddTrustedOrigin(h.issuer); err != nil { // A proxy may rewrite Host, which it is compared with.
		panic(err) // provider.New has refused whatever is no origin.
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

	// Users register applications of their own, and Ada looks at them. Both sites
	// protect their forms by themselves.
	mux.Handle("/developers/", h.sessions.LoadAndSave(portal.Developers(h.provider, portal.DeveloperOptions{
		Scopes:      scopes.New(scopes.Profile, scopes.Email, "notes:read"),
		TokenScopes: scopes.New("notes:read"),
		APIURL:      h.issuer + "/api/notes",
	})))
	mux.Handle("/admin/oauth/", h.sessions.LoadAndSave(portal.Admin(h.provider, portal.AdminOptions{Allow: h.administrator})))

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

	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		panic(err) // They are part of the program.
	}
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /logo.svg", http.FileServerFS(files))
	return mux
}

// administrator says who is one: see portal.AdminOptions.
func (h *host) administrator(r *http.Request) (actor string, err error) {
	u, ok := h.user(r)
	switch {
	case !ok:
		return "", portal.ErrSignIn
	case !u.administers:
		return "", errors.New("the user is no administrator")
	}
	return u.ID, nil
}

// signedIn sends everybody else to the sign-in page first.
func (h *host) signedIn(f func(w http.ResponseWriter, r *http.Request, u user)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, ok := h.user(r)
		if !ok {
			next := "/settings/account" // A form cannot be sent again from there.
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
