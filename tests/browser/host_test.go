package browser

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

const password = "correct horse battery staple"

// host is Acme Notes: providertest's host with a sign-in page for a real
// browser. It listens at 127.0.0.1, which for a browser is another site than
// localhost, where its clients are.
type host struct {
	*providertest.Host
	*provider.Provider
	t     testing.TB
	url   string
	store store.Store

	// called before the host looks up the signed-in user, if set
	slow atomic.Pointer[func(*http.Request)]

	mu       sync.Mutex
	sessions map[string]provider.Session
	ahead    time.Duration // added to the real time
}

func newHost(t testing.TB, edit ...func(*provider.Config)) *host {
	t.Helper()
	h := &host{t: t, sessions: map[string]provider.Session{}}
	first := func(c *provider.Config) {
		h.store = c.Store
		c.CurrentUser = h.currentUser
		c.SignIn = provider.RedirectTo("/login", "next")
		c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"},
			scopes.Scope{Name: "notes:list", Title: "See the titles of your notes", Required: true})
		c.DeviceAuthorization = &provider.DeviceAuthorization{Interval: time.Second}
		c.Registration = &provider.Registration{}
		c.Logger = slog.New(slog.DiscardHandler)
		c.Now = h.now
	}
	h.Host = providertest.New(t, append([]func(*provider.Config){first}, edit...)...)
	h.Provider, h.url = h.Host.Provider, h.URL
	// without pictures, which a browser would load
	h.AddUser(userinfo.User{ID: "user_ada", Name: "Ada Lovelace", Username: "ada", Email: "ada@example.com", EmailVerified: true})
	h.AddUser(userinfo.User{ID: "user_grace", Name: "Grace Hopper", Username: "grace", Email: "grace@example.com"})
	mux := h.Mux
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, "<h1>Acme Notes</h1>", nil) })
	mux.HandleFunc("GET /has-cookie", func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("some")
		http.SetCookie(w, &http.Cookie{Name: "some", Value: "thing"})
		json.NewEncoder(w).Encode(err == nil)
	})
	mux.HandleFunc("GET /login", h.showSignIn)
	mux.HandleFunc("POST /login", h.signIn)
	mux.HandleFunc("GET /logo.svg", logo("#0a7"))
	mux.HandleFunc("GET /apps/wiki.svg", logo("#c40"))
	mux.HandleFunc("GET /favicon.ico", logo("#07a")) // Browsers request it, and don't report errors about it.
	mux.Handle("GET /api/notes", h.Require("notes:read")(http.HandlerFunc(h.notes)))
	return h
}

func (h *host) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

// advance moves the provider's clock.
func (h *host) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

const sessionCookie = "acme_session"

func (h *host) currentUser(r *http.Request) (provider.Session, error) {
	if slow := h.slow.Load(); slow != nil {
		(*slow)(r)
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return provider.Session{}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[cookie.Value], nil
}

// newSession signs a user in and returns the value of the cookie.
func (h *host) newSession(userID string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := rand.Text()
	h.sessions[id] = provider.Session{UserID: userID, SignedInAt: time.Now().Add(h.ahead)}
	return id
}

func (h *host) showSignIn(w http.ResponseWriter, r *http.Request) {
	h.signInPage(w, r.URL.Query().Get("next"))
}

func (h *host) signInPage(w http.ResponseWriter, next string) {
	show(w, `<h1>Sign in to Acme Notes</h1>
<form method="post" action="/login">
<input type="hidden" name="next" value="{{.}}">
<p><label>Name <input name="login" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button>Sign in</button></p>
</form>`, next)
}

func (h *host) signIn(w http.ResponseWriter, r *http.Request) {
	login := r.FormValue("login")
	if login != "ada" && login != "grace" || r.FormValue("password") != password {
		w.WriteHeader(http.StatusUnprocessableEntity)
		h.signInPage(w, r.FormValue("next"))
		return
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: h.newSession("user_" + login), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	// The tests use known addresses, so no check is needed.
	http.Redirect(w, r, r.FormValue("next"), http.StatusSeeOther)
}

// notes is the API of the host.
func (h *host) notes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	json.NewEncoder(w).Encode(map[string]any{"notes": []string{"a note of " + token.UserID}})
}

// application registers an application.
func (h *host) application(n provider.ApplicationSettings) (provider.Application, string) {
	h.t.Helper()
	app, secret, err := h.CreateApplication(context.Background(), n)
	require.NoError(h.t, err)
	return app, secret.Reveal()
}

// change changes an application in the store, beyond what the provider allows.
func (h *host) change(app provider.Application, edit func(*store.Application)) {
	h.t.Helper()
	kept, err := h.store.FindApplication(context.Background(), app.ID)
	require.NoError(h.t, err)
	edit(&kept)
	require.NoError(h.t, h.store.DeleteApplication(context.Background(), app.ID))
	require.NoError(h.t, h.store.CreateApplication(context.Background(), kept))
}

func logo(colour string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Write([]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"><rect width="48" height="48" rx="10" fill="` + colour + `"/></svg>`))
	}
}

// show writes a page of an app under test: valid, and without anything that
// browsers report.
func show(w http.ResponseWriter, body string, view any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">` +
		`<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>A page</title></head><body>` + body + `</body></html>`))
	if err := page.Execute(w, view); err != nil {
		panic(err)
	}
}
