package provider_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

const callback = "https://wiki.example.com/callback"

// host is an app with the provider in it, on a real server.
type host struct {
	*provider.Provider
	t      testing.TB
	url    string
	store  store.Store
	clock  *hosttest.Clock
	log    *hosttest.Log
	read   int // bytes of the log, by logged
	server *httptest.Server

	mu      sync.Mutex
	users   map[string]userinfo.User
	down    error // what Users answers while it is set
	events  []provider.Event
	signIns []provider.SignInRequest
}

func newHost(t testing.TB, edit ...func(*provider.Config)) *host {
	t.Helper()
	h := &host{t: t, store: memory.New(), clock: hosttest.NewClock(time.Now()), log: &hosttest.Log{}, users: map[string]userinfo.User{
		"user_ada": {ID: "user_ada", Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Username: "ada",
			Email: "ada@example.com", EmailVerified: true, PublicMetadata: map[string]any{"plan": "pro"}},
		"user_grace": {ID: "user_grace", Name: "Grace Hopper", Email: "grace@example.com"},
	}}
	mux := http.NewServeMux()
	h.server = httptest.NewServer(mux)
	t.Cleanup(h.server.Close)
	h.url = h.server.URL
	cfg := provider.Config{
		Issuer:      h.url,
		Store:       h.store,
		CurrentUser: h.currentUser,
		SignIn:      h.signIn,
		Users:       h.user,
		Scopes:      append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
		Events: func(_ context.Context, e provider.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		},
		Logger: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    h.clock.Now,
	}
	for _, e := range edit {
		e(&cfg)
	}
	p, err := provider.New(cfg)
	require.NoError(t, err)
	h.Provider, h.store = p, cfg.Store
	p.Mount(mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the host's own page") })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the host's sign-in page") })
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
			Value: r.FormValue("user") + "." + strconv.FormatInt(h.clock.Now().UnixMicro(), 10)})
		http.Redirect(w, r, r.FormValue("next"), http.StatusSeeOther)
	})
	mux.Handle("GET /api/notes", p.Require("notes:read")(http.HandlerFunc(showToken)))
	for _, r := range cfg.Resources {
		if path, ok := strings.CutPrefix(r.URL, cfg.Issuer+"/"); ok {
			mux.Handle("GET /"+path, p.Resource(r.URL).Require("notes:read")(http.HandlerFunc(showToken)))
		}
	}
	return h
}

// showToken is a protected API that answers with the token.
func showToken(w http.ResponseWriter, r *http.Request) {
	token, ok := provider.TokenFromContext(r.Context())
	if !ok {
		http.Error(w, "no token in the context", http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(token)
}

func (h *host) currentUser(r *http.Request) (provider.Session, error) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return provider.Session{}, nil
	}
	user, at, _ := strings.Cut(cookie.Value, ".")
	if user == "broken" {
		return provider.Session{}, errors.New("the session store is down")
	}
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return provider.Session{}, err
	}
	return provider.Session{UserID: user, SignedInAt: time.UnixMicro(micros)}, nil
}

func (h *host) signIn(w http.ResponseWriter, r *http.Request, s provider.SignInRequest) {
	h.mu.Lock()
	h.signIns = append(h.signIns, s)
	h.mu.Unlock()
	provider.RedirectTo("/login", "next")(w, r, s)
}

func (h *host) user(_ context.Context, id string) (userinfo.User, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return userinfo.User{}, h.down
	}
	u, ok := h.users[id]
	if !ok {
		return userinfo.User{}, userinfo.ErrNotFound
	}
	return u, nil
}

// eventKinds returns the events since the last call, except requests and
// applications for the test.
func (h *host) eventKinds() []provider.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []provider.EventKind
	for _, e := range h.events {
		if e.Kind != provider.EventRequest && e.Kind != provider.EventApplicationCreated {
			kinds = append(kinds, e.Kind)
		}
	}
	h.events = nil
	return kinds
}

// application is a registered application with its credentials.
type application struct {
	provider.Application
	secret string
	h      *host
}

func (h *host) application(n provider.ApplicationSettings) *application {
	h.t.Helper()
	if n.Name == "" {
		n.Name = "Wiki"
	}
	if n.RedirectURIs == nil {
		n.RedirectURIs = []string{callback}
	}
	app, secret, err := h.CreateApplication(context.Background(), n)
	require.NoError(h.t, err)
	return &application{app, secret.Reveal(), h}
}

// imported is an application with the credentials of another provider.
func (h *host) imported(clientID string, s provider.ApplicationSettings, hash store.SecretHash) *application {
	h.t.Helper()
	s.Name, s.RedirectURIs = "Wiki", []string{callback}
	app, err := h.ImportApplication(context.Background(), clientID, s, hash)
	require.NoError(h.t, err)
	return &application{app, "", h}
}

// request is an authorization request with the changes given as name, value; an
// empty value leaves the parameter out.
func (a *application) request(changes ...string) string {
	q := url.Values{"response_type": {"code"}, "client_id": {a.ClientID}, "state": {"st4te with space&more"}}
	if len(a.RedirectURIs) > 0 {
		q.Set("redirect_uri", a.RedirectURIs[0])
	}
	if a.Public || a.PKCERequired {
		q.Set("code_challenge", challenge(verifier))
		q.Set("code_challenge_method", "S256")
	}
	for i := 0; i < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return a.h.url + "/oauth/authorize?" + q.Encode()
}

const verifier = "a-verifier-of-at-least-forty-three-characters"

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// code runs a whole sign-in of the user and returns the code.
func (a *application) code(user string, changes ...string) string {
	a.h.t.Helper()
	b := a.h.browser()
	b.signIn(user)
	answer := b.authorize(a.request(changes...))
	require.Empty(a.h.t, answer.Get("error"), "%v", answer)
	require.NotEmpty(a.h.t, answer.Get("code"))
	return answer.Get("code")
}

// tokens runs a whole sign-in and redeems its code.
func (a *application) tokens(user string, changes ...string) tokens {
	a.h.t.Helper()
	return a.redeem(a.code(user, changes...)).tokens(a.h.t)
}

// redeem presents a code, with changes to the form as name, value.
func (a *application) redeem(code string, changes ...string) *reply {
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", a.RedirectURIs[0]}
	if a.Public || a.PKCERequired {
		form = append(form, "code_verifier", verifier)
	}
	return a.post("/oauth/token", append(form, changes...)...)
}

// refresh presents a refresh token.
func (a *application) refresh(token string, changes ...string) *reply {
	return a.post("/oauth/token", append([]string{"grant_type", "refresh_token", "refresh_token", token}, changes...)...)
}

// post sends a form with the application's credentials in the body.
func (a *application) post(path string, form ...string) *reply {
	return a.h.post(path, append([]string{"client_id", a.ClientID, "client_secret", a.secret}, form...)...)
}

// post sends a form of name, value pairs; a later pair replaces an earlier one
// and an empty value leaves it out. A name "Header:X" sets the header X.
func (h *host) post(path string, form ...string) *reply {
	h.t.Helper()
	body := url.Values{}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for i := 0; i < len(form); i += 2 {
		if name, ok := strings.CutPrefix(form[i], "Header:"); ok {
			header.Set(name, form[i+1])
			continue
		}
		body.Set(form[i], form[i+1])
		if form[i+1] == "" {
			body.Del(form[i])
		}
	}
	return h.send("POST", path, header, body.Encode())
}

func (h *host) send(method, path string, header http.Header, body string) *reply {
	h.t.Helper()
	answer, text := hosttest.Do(h.t, method, h.url+path, header, body)
	return &reply{answer, text}
}

// bearer sends a GET with an access token.
func (h *host) bearer(path, token string) *reply {
	h.t.Helper()
	return h.send("GET", path, http.Header{"Authorization": {"Bearer " + token}}, "")
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
}

func send(t testing.TB, c *http.Client, r *http.Request) *reply {
	t.Helper()
	answer, body := hosttest.Send(t, c, r)
	return &reply{answer, body}
}

// tokens is the answer of the token endpoint.
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

func (r *reply) tokens(t testing.TB) (got tokens) {
	t.Helper()
	require.Equal(t, 200, r.StatusCode, r.body)
	require.NoError(t, json.Unmarshal([]byte(r.body), &got))
	return got
}

// refused checks that the answer is an OAuth error.
func (r *reply) refused(t testing.TB, status int, code string) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
	var got map[string]string
	require.NoError(t, json.Unmarshal([]byte(r.body), &got), r.body)
	require.Equal(t, code, got["error"], r.body)
	require.NotEmpty(t, got["error_description"])
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Empty(t, r.Header.Get("Location"))
}

// errorPage checks that the answer is a page, not a redirect.
func (r *reply) errorPage(t testing.TB, status int, says string) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
	require.Empty(t, r.Header.Get("Location"))
	require.Contains(t, r.Header.Get("Content-Type"), "text/html")
	require.Contains(t, r.text(), says)
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
}

// text returns the readable text of a page.
func (r *reply) text() string {
	_, body, _ := strings.Cut(r.body, "<body>")
	return html.UnescapeString(element.ReplaceAllString(body, ""))
}

var element = regexp.MustCompile("<[^>]*>")

// browser is a visitor's browser: it keeps cookies and shows each redirect.
type browser struct {
	h      *host
	client *http.Client
}

func (h *host) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	return &browser{h, &http.Client{Transport: h.server.Client().Transport, Jar: jar, CheckRedirect: noRedirect}}
}

func (b *browser) get(target string) *reply {
	b.h.t.Helper()
	r, err := http.NewRequest("GET", target, nil)
	require.NoError(b.h.t, err)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return send(b.h.t, b.client, r)
}

func (b *browser) post(path string, form url.Values, header ...string) *reply {
	b.h.t.Helper()
	r, err := http.NewRequest("POST", b.h.url+path, strings.NewReader(form.Encode()))
	require.NoError(b.h.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", b.h.url)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return send(b.h.t, b.client, r)
}

// signIn signs in at the host.
func (b *browser) signIn(user string) {
	b.h.t.Helper()
	r := b.post("/login", url.Values{"user": {user}, "next": {"/"}})
	require.Equal(b.h.t, http.StatusSeeOther, r.StatusCode)
}

// authorize opens an authorization request, agrees if asked, and returns the
// parameters of the redirect to the application.
func (b *browser) authorize(target string) url.Values {
	b.h.t.Helper()
	r := b.get(target)
	if r.StatusCode == http.StatusOK {
		r = b.answer(r, "allow")
	}
	return r.redirected(b.h.t)
}

// answer presses a button of the consent page.
func (b *browser) answer(page *reply, decision string) *reply {
	b.h.t.Helper()
	return b.post("/oauth/authorize", page.form(b.h.t, decision))
}

// form reads the fields of a page's form as a browser would send them, with
// nothing changed.
func (r *reply) form(t testing.TB, decision string) url.Values {
	t.Helper()
	require.Equal(t, http.StatusOK, r.StatusCode, r.body)
	form := hosttest.Fields(r.body)
	require.NotEmpty(t, form, r.body)
	if decision != "" {
		form.Set("decision", decision)
	}
	return form
}

// alter changes a parameter of the request in a consent form.
func alter(form url.Values, name, value string) {
	request, err := url.ParseQuery(form.Get("request"))
	if err != nil {
		panic(err)
	}
	request.Set(name, value)
	form.Set("request", request.Encode())
}

// redirected returns the parameters of a redirect to an application.
func (r *reply) redirected(t testing.TB) url.Values {
	t.Helper()
	require.Contains(t, []int{http.StatusFound, http.StatusSeeOther}, r.StatusCode, r.body)
	u, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	return u.Query()
}
