// Package acme is Acme Notes, the app that some of the examples need: as small
// as an app with users can be, and an OAuth 2.0 provider by Latchkey. The
// quickstart has a fuller one.
package acme

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Password is everybody's, to be printed by the program that runs the app.
const Password = "correct horse battery staple"

// HashCost is what checking a password costs. Tests lower it.
var HashCost = bcrypt.DefaultCost

// Host is the app.
type Host struct {
	Provider *provider.Provider

	users        map[string]userinfo.User // by id
	passwordHash []byte
	sessions     *scs.SessionManager

	mu    sync.Mutex
	notes map[string][]Note // by the id of their user
}

// Note is one that a user has written.
type Note struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// New returns the app. The caller says in cfg where it is and what it keeps
// its records in; who the users are is said here. Scopes in cfg come beside
// those that there always are.
func New(cfg provider.Config) (*Host, error) {
	h := &Host{sessions: scs.New(), users: map[string]userinfo.User{
		"user_1815": {ID: "user_1815", Username: "ada", Name: "Ada Lovelace", Email: "ada@acme.example", EmailVerified: true},
		"user_1906": {ID: "user_1906", Username: "grace", Name: "Grace Hopper", Email: "grace@acme.example", EmailVerified: true},
	}, notes: map[string][]Note{
		"user_1815": {
			{"Bernoulli numbers", "Ask Mr Babbage for more punched cards before Thursday."},
			{"Flying machine", "Steam might do. Measure a pigeon first."},
		},
		"user_1906": {
			{"Nanoseconds", "Order more wire, cut to 30 centimetres."},
			{"Relay 70, panel F", "There was a moth in it. Keep it for the log book."},
		},
	}}
	h.sessions.Cookie.Name = "acme_session" // Lax and HttpOnly by default
	h.sessions.Cookie.Secure = strings.HasPrefix(cfg.Issuer, "https://")
	var err error
	if h.passwordHash, err = bcrypt.GenerateFromPassword([]byte(Password), HashCost); err != nil {
		return nil, err
	}
	cfg.Pages.Name = "Acme Notes"
	cfg.CurrentUser = h.currentUser
	cfg.SignIn = provider.RedirectTo("/login", "next")
	cfg.Users = h.findUser
	cfg.Scopes = append(append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}), cfg.Scopes...)
	h.Provider, err = provider.New(cfg)
	return h, err
}

// Mount registers the app's pages and Latchkey's endpoints.
func (h *Host) Mount(mux *http.ServeMux) {
	mux.Handle("GET /{$}", h.page(h.home))
	mux.Handle("GET /login", h.page(h.showSignIn))
	mux.Handle("POST /login", h.page(h.signIn))
	mux.Handle("POST /logout", h.page(h.signOut))

	// The endpoints: with the session where they need it, and without the
	// check of origins, because programs and other sites may call them.
	for _, route := range h.Provider.Routes() {
		handler := route.Handler
		if route.Session {
			handler = h.sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}
}

// page is a page of the app: with the session, and closed to forms of other sites.
func (h *Host) page(f http.HandlerFunc) http.Handler {
	return http.MaxBytesHandler(http.NewCrossOriginProtection().Handler(h.sessions.LoadAndSave(f)), 64<<10)
}

// Page is a page for users who are signed in. Others are sent to sign in first.
func (h *Host) Page(serve func(w http.ResponseWriter, r *http.Request, userID string)) http.Handler {
	return h.page(func(w http.ResponseWriter, r *http.Request) {
		userID := h.sessions.GetString(r.Context(), sessionUser)
		if userID == "" {
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.Path), http.StatusSeeOther)
			return
		}
		serve(w, r, userID)
	})
}

// Notes returns the notes of a user.
func (h *Host) Notes(userID string) []Note {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.notes[userID])
}

// AddNote keeps a note for a user, until the program ends.
func (h *Host) AddNote(userID string, note Note) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes[userID] = append(h.notes[userID], note)
}

// ListNotes is the app's API. It answers with the notes of the user whose token
// was presented; whether it may is to be settled by provider.Require.
func (h *Host) ListNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": h.Notes(token.UserID)})
}

// What the session holds.
const (
	sessionUser       = "user"         // the user's id
	sessionSignedInAt = "signed_in_at" // in Unix seconds
)

// currentUser is provider.Config.CurrentUser.
func (h *Host) currentUser(r *http.Request) (provider.Session, error) {
	id := h.sessions.GetString(r.Context(), sessionUser)
	if id == "" {
		return provider.Session{}, nil
	}
	return provider.Session{UserID: id, SignedInAt: time.Unix(h.sessions.GetInt64(r.Context(), sessionSignedInAt), 0)}, nil
}

// findUser is provider.Config.Users.
func (h *Host) findUser(_ context.Context, id string) (userinfo.User, error) {
	if user, ok := h.users[id]; ok {
		return user, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}

// EndSession signs the visitor out. It is provider.OpenID.SignOut.
func (h *Host) EndSession(_ http.ResponseWriter, r *http.Request) error {
	return h.sessions.Destroy(r.Context())
}
