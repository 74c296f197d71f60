// Package acme is Acme Notes, the app that the examples turn into an OAuth 2.0
// provider: a small web app with users, sessions, and notes.
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

	"github.com/latchkey-go/latchkey/examples/internal/ui"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Password is the password of both users.
const Password = "correct horse battery staple"

// HashCost is the bcrypt cost of the passwords. Tests lower it.
var HashCost = bcrypt.DefaultCost

// App is Acme Notes without Latchkey.
type App struct {
	Sessions *scs.SessionManager

	url          string
	users        map[string]User // by ID
	passwordHash []byte

	mu    sync.Mutex
	notes map[string][]Note // by the user's ID
}

// Note is a user's note.
type Note struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// NewApp returns the app. Browsers reach it at the URL.
func NewApp(url string) (*App, error) {
	a := &App{Sessions: scs.New(), url: url, users: newUsers(url), notes: newNotes()}
	// Browsers send a cookie to every port of a machine, so the examples' apps
	// need different names. The default of scs is SameSite=Lax and HttpOnly. With
	// Strict the cookie would be missing when a client sends the user here.
	a.Sessions.Cookie.Name = "acme_session"
	a.Sessions.Cookie.Secure = strings.HasPrefix(url, "https://")
	var err error
	a.passwordHash, err = bcrypt.GenerateFromPassword([]byte(Password), HashCost)
	return a, err
}

// MountPages registers the app's own pages.
func (a *App) MountPages(mux *http.ServeMux) {
	mux.Handle("GET /{$}", a.page(a.home))
	mux.Handle("GET /login", a.page(a.showSignIn))
	mux.Handle("POST /login", a.page(a.signIn))
	mux.Handle("POST /logout", a.page(a.signOut))
	mux.HandleFunc("GET /style.css", ui.ServeStyle)
	mux.Handle("GET /avatars/{file}", http.FileServerFS(avatars))
}

// page adds the session to one of the app's pages, and rejects forms of other
// sites. SameSite alone doesn't: another port of this machine is the same site.
func (a *App) page(f http.HandlerFunc) http.Handler {
	csrf := http.NewCrossOriginProtection()
	if err := csrf.AddTrustedOrigin(a.url); err != nil { // A proxy can change Host, which csrf compares.
		panic(err)
	}
	return http.MaxBytesHandler(csrf.Handler(a.Sessions.LoadAndSave(f)), 64<<10)
}

// Page is a page for users who are signed in. Others must sign in first.
func (a *App) Page(serve func(w http.ResponseWriter, r *http.Request, userID string)) http.Handler {
	return a.page(func(w http.ResponseWriter, r *http.Request) {
		userID := a.userID(r)
		if userID == "" {
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.Path), http.StatusSeeOther)
			return
		}
		serve(w, r, userID)
	})
}

// Notes returns a user's notes.
func (a *App) Notes(userID string) []Note {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.notes[userID])
}

// AddNote keeps a note for a user until the program ends.
func (a *App) AddNote(userID string, note Note) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes[userID] = append(a.notes[userID], note)
}

// ListNotes is the app's API. It answers with the notes of the user who granted
// the token. Protect it with provider.Require.
func (a *App) ListNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": a.Notes(token.UserID)})
}

// The keys of the session.
const (
	sessionUser       = "user"         // the user's ID
	sessionSignedInAt = "signed_in_at" // in Unix seconds
)

func (a *App) userID(r *http.Request) string { return a.Sessions.GetString(r.Context(), sessionUser) }

// CurrentUser tells Latchkey who is signed in. It's provider.Config.CurrentUser.
func (a *App) CurrentUser(r *http.Request) (provider.Session, error) {
	id := a.userID(r)
	if id == "" {
		return provider.Session{}, nil
	}
	return provider.Session{UserID: id, SignedInAt: time.Unix(a.Sessions.GetInt64(r.Context(), sessionSignedInAt), 0)}, nil
}

// FindUser finds a user by ID. It's provider.Config.Users.
func (a *App) FindUser(_ context.Context, id string) (userinfo.User, error) {
	if user, ok := a.users[id]; ok {
		return user, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}

// EndSession signs the visitor out. It's provider.OpenID.SignOut.
func (a *App) EndSession(_ http.ResponseWriter, r *http.Request) error {
	return a.Sessions.Destroy(r.Context())
}

// Host is Acme Notes with Latchkey.
type Host struct {
	*App
	Provider *provider.Provider
}

// New returns the app as a provider. It adds to cfg everything about the app:
// its users, sign-in page, name, and scopes.
func New(cfg provider.Config) (*Host, error) {
	app, err := NewApp(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	cfg.Pages.Name = "Acme Notes"
	cfg.CurrentUser = app.CurrentUser
	cfg.SignIn = provider.RedirectTo("/login", "next")
	cfg.Users = app.FindUser
	cfg.Scopes = append(append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}), cfg.Scopes...)
	p, err := provider.New(cfg)
	return &Host{app, p}, err
}

// Mount registers the app's pages and Latchkey's endpoints.
func (h *Host) Mount(mux *http.ServeMux) {
	h.MountPages(mux)
	h.MountEndpoints(mux, h.Provider)
}

// MountEndpoints registers Latchkey's endpoints: with the session where they need
// it, and without the check for forms of other sites, because programs and other
// sites may call them.
func (a *App) MountEndpoints(mux *http.ServeMux, p *provider.Provider) {
	for _, route := range p.Routes() {
		handler := route.Handler
		if route.Session {
			handler = a.Sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}
}
