package providertest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Host is a complete host on a real server: users, sessions, and a provider
// with its real pages and endpoints. [New] starts one.
type Host struct {
	// URL is where the host listens. It is the Issuer, unless an edit of New
	// changed that.
	URL string

	// Provider is the host's provider. Use it to create applications and revoke
	// grants.
	Provider *provider.Provider

	// Mux is the host's router. Add the routes of your test to it:
	//
	//	h.Mux.Handle("GET /api/notes", h.Provider.Require("notes:read")(notes))
	Mux *http.ServeMux

	// Client is the browser of the user whom SignIn signs in. It keeps cookies.
	// It follows redirects on this host, and returns redirects to other hosts as
	// they are.
	Client *http.Client

	t   testing.TB
	cfg provider.Config

	mu       sync.Mutex
	users    map[string]userinfo.User
	sessions map[string]provider.Session // by the cookie's value
}

// sessionCookie names the cookie of the host's session.
const sessionCookie = "providertest_session"

// New starts a host, which stops when the test ends. It has the default scopes,
// a store in memory, and two users: "user_ada", with a value in every field,
// and "user_grace", with only a name and an unverified email address. No one is
// signed in. The host logs to the test's log.
//
// Each edit changes the Config before [provider.New] gets it: other scopes,
// another store, shorter lifetimes, or a clock that the test moves. An edit
// that replaces CurrentUser or SignIn also replaces [Host.SignIn], and one that
// replaces Users also replaces [Host.AddUser].
func New(t testing.TB, edit ...func(*provider.Config)) *Host {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("providertest: New: %v", err)
	}
	h := &Host{
		URL: server.URL, Mux: mux, t: t,
		users:    map[string]userinfo.User{},
		sessions: map[string]provider.Session{},
	}
	h.Client = &http.Client{Transport: server.Client().Transport, Jar: jar, Timeout: patience, CheckRedirect: h.checkRedirect}
	for _, u := range firstUsers() {
		h.AddUser(u)
	}
	h.cfg = provider.Config{
		Issuer:      h.URL,
		Store:       memory.New(),
		CurrentUser: h.currentUser,
		SignIn:      h.signInPage,
		Users:       h.user,
		Pages:       pages.Config{Name: "Acme Notes"},
		Logger:      slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, e := range edit {
		e(&h.cfg)
	}
	if h.cfg.Now == nil {
		h.cfg.Now = time.Now
	}
	if h.Provider, err = provider.New(h.cfg); err != nil {
		t.Fatalf("providertest: New: the Config is invalid: %v", err)
	}
	h.Provider.Mount(mux)
	return h
}

func firstUsers() []userinfo.User {
	return []userinfo.User{{
		ID: "user_ada", Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Username: "ada",
		Email: "ada@example.com", EmailVerified: true, Picture: "https://example.com/ada.png",
		PublicMetadata:  map[string]any{"plan": "pro"},
		PrivateMetadata: map[string]any{"crm_id": "1815"},
		UnsafeMetadata:  map[string]any{"theme": "dark"},
	}, {
		ID: "user_grace", Name: "Grace Hopper", Email: "grace@example.com",
	}}
}

// AddUser adds a user, or replaces the one with the same ID.
func (h *Host) AddUser(u userinfo.User) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Copy the metadata, because the test may change it while a request reads
	// it.
	u.PublicMetadata, u.PrivateMetadata, u.UnsafeMetadata = maps.Clone(u.PublicMetadata), maps.Clone(u.PrivateMetadata), maps.Clone(u.UnsafeMetadata)
	h.users[u.ID] = u
}

// SignIn signs the user in on Client, as of now. An empty ID signs the current
// user out.
func (h *Host) SignIn(userID string) {
	h.t.Helper()
	if userID != "" {
		if _, err := h.cfg.Users(h.t.Context(), userID); err != nil {
			h.t.Fatalf("providertest: Host.SignIn: the user %q cannot be found: use one of the initial users, user_ada or user_grace, or add this one with Host.AddUser: %v", userID, err)
		}
	}
	cookie := rand.Text()
	h.mu.Lock()
	h.sessions[cookie] = provider.Session{UserID: userID, SignedInAt: h.cfg.Now()}
	h.mu.Unlock()
	at, err := url.Parse(h.URL)
	if err != nil {
		h.t.Fatalf("providertest: Host.SignIn: %v", err)
	}
	h.Client.Jar.SetCookies(at, []*http.Cookie{{Name: sessionCookie, Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}})
}

// currentUser is the host's Config.CurrentUser.
func (h *Host) currentUser(r *http.Request) (provider.Session, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return provider.Session{}, nil // Without a cookie no one is signed in.
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[cookie.Value], nil
}

// signInPage is the host's Config.SignIn. A user whom the test has signed in
// signs in again whenever an application asks for that; other visitors can't
// sign in.
func (h *Host) signInPage(w http.ResponseWriter, r *http.Request, s provider.SignInRequest) {
	cookie, err := r.Cookie(sessionCookie)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if session := h.sessions[cookie.Value]; session.UserID != "" {
			session.SignedInAt = h.cfg.Now()
			h.sessions[cookie.Value] = session
			http.Redirect(w, r, s.ReturnTo, http.StatusSeeOther)
			return
		}
	}
	http.Error(w, "No one is signed in in this browser: call Host.SignIn first, and use Host.Client.", http.StatusUnauthorized)
}

// user is the host's Config.Users.
func (h *Host) user(_ context.Context, id string) (userinfo.User, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, ok := h.users[id]
	if !ok {
		return userinfo.User{}, userinfo.ErrNotFound
	}
	return u, nil
}

// checkRedirect keeps Client on this host.
func (h *Host) checkRedirect(r *http.Request, via []*http.Request) error {
	if origin(r.URL) != h.URL || len(via) >= maxSteps {
		return http.ErrUseLastResponse
	}
	return nil
}
