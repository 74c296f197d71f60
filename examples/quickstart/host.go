package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// host is Acme Notes: an ordinary web app with users, sessions, a sign-in page
// and notes, that Latchkey turns into an OAuth 2.0 provider.
type host struct {
	issuer   string
	users    *users
	sessions *scs.SessionManager
	provider *provider.Provider

	secretKey string // of the Backend API; empty: it is off
}

// newHost makes the app. A client may call the token endpoint perMinute times a
// minute.
func newHost(issuer string, kept store.Store, perMinute int) (*host, error) {
	users, err := newUsers(issuer)
	if err != nil {
		return nil, err
	}
	h := &host{issuer: issuer, users: users, sessions: scs.New()}
	// Browsers send a cookie to every port of a host, so both apps get the
	// other's cookies when they share a machine: the names must differ.
	// SameSite=Lax (the default of scs, like HttpOnly) lets the cookie come
	// along when another app sends somebody here to sign in, which Strict
	// would not.
	h.sessions.Cookie.Name = "acme_session"
	h.sessions.Cookie.Secure = strings.HasPrefix(issuer, "https://")

	// This is all that Latchkey needs to know.
	h.provider, err = provider.New(provider.Config{
		Issuer:      issuer,
		Store:       kept,
		CurrentUser: h.currentUser,
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       users.lookup,
		Pages:       pages.Config{Name: "Acme Notes"},
		Scopes:      append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
		Limit:       provider.LimitByAddress(perMinute),
	})
	return h, err
}

// registerWiki registers Wiki, or finds it where the store has it from an
// earlier run. A secret is shown only when it is made, so it gets a new one,
// and its callback may have moved to another port.
func (h *host) registerWiki(ctx context.Context, callback string) (provider.Application, provider.Secret, error) {
	const owner = "quickstart"
	wiki := provider.ApplicationSettings{
		Name:         "Wiki",
		OwnerID:      owner,
		RedirectURIs: []string{callback},
		Scopes:       scopes.New("profile", "email", "public_metadata", "notes:read"),
	}
	known, _, err := h.provider.ListApplications(ctx, store.ApplicationQuery{OwnerID: owner, Name: wiki.Name, Limit: 1})
	if err != nil {
		return provider.Application{}, provider.Secret{}, err
	}
	if len(known) == 0 {
		return h.provider.CreateApplication(ctx, wiki)
	}
	app, err := h.provider.UpdateApplication(ctx, known[0].ID, func(app *provider.ApplicationSettings) error {
		app.RedirectURIs = wiki.RedirectURIs
		return nil
	})
	if err != nil {
		return app, provider.Secret{}, err
	}
	secret, err := h.provider.AddSecret(ctx, app.ID, time.Time{})
	return app, secret, err
}

// handler is the app's routes. They show the one thing to watch for: what
// belongs in front of Latchkey's endpoints, and what does not.
func (h *host) handler() http.Handler {
	mux := http.NewServeMux()

	// The app's own pages: with the session, and closed to forms of other
	// sites. SameSite alone does not do that, as Wiki on another port of this
	// machine is the same site.
	csrf := http.NewCrossOriginProtection()
	if err := csrf.AddTrustedOrigin(h.issuer); err != nil { // A proxy may rewrite Host, which it is compared with.
		panic(err) // provider.New has refused whatever is no origin.
	}
	page := func(f http.HandlerFunc) http.Handler {
		return http.MaxBytesHandler(csrf.Handler(h.sessions.LoadAndSave(f)), 64<<10)
	}
	mux.Handle("GET /{$}", page(h.home))
	mux.Handle("GET /login", page(h.showSignIn))
	mux.Handle("POST /login", page(h.signIn))
	mux.Handle("POST /logout", page(h.signOut))
	mux.Handle("GET /style.css", assets())
	mux.Handle("GET /avatars/{file}", assets())

	// Latchkey's endpoints: with the session where they need it, and without
	// the check of origins, because programs and other sites may call them.
	// (Where all middleware is on the mux itself, provider.Mount(mux) does.)
	for _, route := range h.provider.Routes() {
		handler := route.Handler
		if route.Session {
			handler = h.sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}

	// Latchkey's Backend API, by which applications are managed: for whoever
	// has the key, so that the session is left out here too. The last line is
	// for Clerk's JavaScript SDK, which leaves the prefix out there.
	if h.secretKey != "" {
		api := clerkapi.Handler(h.provider, provider.BearerKey(h.secretKey), clerkapi.Options{})
		for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
			mux.Handle(method+" /v1/", api)
		}
		mux.Handle("POST /oauth_applications/access_tokens/verify", api)
	}

	// The app's API: open to programs that a user has allowed to read notes.
	mux.Handle("GET /api/notes", h.provider.Require("notes:read")(http.HandlerFunc(h.listNotes)))
	return mux
}

// backendAPI says where the Backend API is, or how to switch it on.
func (h *host) backendAPI() string {
	if h.secretKey == "" {
		return "The Backend API is off: -secret-key with a key of your choice switches it on."
	}
	return "The Backend API is at " + h.issuer + "/v1/oauth_applications, for whoever has the key."
}

// What the session holds.
const (
	sessionUser       = "user"         // the user's id
	sessionSignedInAt = "signed_in_at" // in Unix seconds
)

// currentUser tells Latchkey who is signed in (provider.Config.CurrentUser).
func (h *host) currentUser(r *http.Request) (provider.Session, error) {
	id := h.sessions.GetString(r.Context(), sessionUser)
	if id == "" {
		return provider.Session{}, nil
	}
	return provider.Session{UserID: id, SignedInAt: time.Unix(h.sessions.GetInt64(r.Context(), sessionSignedInAt), 0)}, nil
}

// user returns who is signed in, or nil.
func (h *host) user(r *http.Request) *user {
	return h.users.byID[h.sessions.GetString(r.Context(), sessionUser)]
}

func (h *host) home(w http.ResponseWriter, r *http.Request) {
	view := acmeView{}
	if user := h.user(r); user != nil {
		view.Name, view.Notes = user.Name, user.notes
	}
	writePage(w, http.StatusOK, "acme.html", view)
}

func (h *host) showSignIn(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	next := provider.LocalPath(query.Get("next"), "/")
	view := signInView{Next: next, Login: query.Get("login_hint")}
	if user := h.user(r); user != nil {
		// Latchkey sends somebody here who is signed in only if an app asked
		// for it: by prompt=login to type the password again, by
		// prompt=select_account to choose who to be.
		switch query.Get("prompt") {
		case "login":
		case "select_account":
			view.ContinueAs = user.Name
		default:
			http.Redirect(w, r, next, http.StatusSeeOther)
			return
		}
	}
	writePage(w, http.StatusOK, "signin.html", view)
}

func (h *host) signIn(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	login, next := r.PostFormValue("login"), provider.LocalPath(r.PostFormValue("next"), "/")
	user, ok := h.users.authenticate(login, r.PostFormValue("password"))
	if !ok {
		writePage(w, http.StatusUnprocessableEntity, "signin.html", signInView{Next: next, Login: login, Failed: true})
		return
	}
	// With a new session id, one that somebody slipped into the browser before
	// is worth nothing.
	if err := h.sessions.RenewToken(ctx); err != nil {
		http.Error(w, "The session could not be started.", http.StatusInternalServerError)
		return
	}
	h.sessions.Put(ctx, sessionUser, user.ID)
	h.sessions.Put(ctx, sessionSignedInAt, time.Now().Unix())
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (h *host) signOut(w http.ResponseWriter, r *http.Request) {
	if err := h.sessions.Destroy(r.Context()); err != nil {
		http.Error(w, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// listNotes answers with the notes of the user whose token was presented.
// Whether it may be is settled by provider.Require.
func (h *host) listNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	user, ok := h.users.byID[token.UserID]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": user.notes})
}
