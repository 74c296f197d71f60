package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	signing "github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	jwksPath      = "/oauth/jwks"
)

// The authentication context classes that the host knows.
var contextClasses = []string{"urn:example:password", "urn:example:two-factor"}

// everything is a user with a value in each field.
var everything = userinfo.User{
	ID: user, Email: "ada@example.com", EmailVerified: true,
	Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", MiddleName: "King", Nickname: "Countess", Username: "ada",
	Profile: "https://example.com/ada", Picture: "https://example.com/ada.png", Website: "https://ada.example.com",
	Gender: "female", Birthdate: "1915-12-10", Zoneinfo: "Europe/London", Locale: "en-GB", UpdatedAt: time.Date(2025, 12, 10, 0, 0, 0, 0, time.UTC),
	PhoneNumber: "+44 20 7946 0000", PhoneNumberVerified: true,
	Address: userinfo.Address{
		Formatted: "12 St James's Square\nLondon", StreetAddress: "12 St James's Square", Locality: "London",
		Region: "England", PostalCode: "SW1Y 4JH", Country: "United Kingdom",
	},
}

// openIDHost is a host that offers OpenID Connect, with https. Its users sign
// in on a page and have sessions. The relying party is another server.
type openIDHost struct {
	*provider.Provider
	url     string // of the issuer
	origin  string
	clock   *hosttest.Clock
	relying *relyingParty
	trust   http.RoundTripper // of both servers

	mu       sync.Mutex
	sessions map[string]provider.Session // by the cookie's value

	// The clients that the suite is given: two that authenticate with a header,
	// and one with a form.
	first, second, post *relyingClient

	discovered func() (*oidc.Provider, error)
}

func newOpenIDHost(t testing.TB, change ...func(*provider.Config)) *openIDHost {
	t.Helper()
	h := &openIDHost{clock: hosttest.NewClock(time.Now()), sessions: map[string]provider.Session{}, relying: newRelyingParty(t)}
	var mux *http.ServeMux
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	h.origin, h.trust = server.URL, server.Client().Transport
	first := func(cfg *provider.Config) {
		cfg.Issuer = h.origin
		cfg.CurrentUser = h.currentUser
		cfg.SignIn = provider.RedirectTo("/login", "next")
		cfg.Users = func(_ context.Context, id string) (userinfo.User, error) {
			u := everything
			u.ID = id
			return u, nil
		}
		cfg.Scopes = append(scopes.Default(), scopes.Scope{Name: scopes.Address, Title: "See your address"}, scopes.Scope{Name: scopes.Phone, Title: "See your phone number"})
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Now = h.clock.Now
		cfg.Registration = &provider.Registration{}
		cfg.DeviceAuthorization = &provider.DeviceAuthorization{}
		cfg.OpenID = &provider.OpenID{ACRValues: contextClasses}
		var err error
		cfg.Keys, err = signing.New(t.Context(), signing.Options{Store: cfg.Store, Secrets: []string{rand.Text() + rand.Text()}, Now: h.clock.Now})
		require.NoError(t, err)
	}
	app := providertest.New(t, append([]func(*provider.Config){first}, change...)...)
	h.Provider, mux = app.Provider, app.Mux
	h.url = h.Endpoints().Issuer
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<h1>Sign in</h1>") })
	mux.HandleFunc("POST /login", h.signIn)
	h.first, h.second, h.post = h.client(t, "Wiki"), h.client(t, "Calendar"), h.client(t, "Shop")
	h.post.byForm = true
	h.discovered = sync.OnceValues(func() (*oidc.Provider, error) { return oidc.NewProvider(h.context(), h.url) })
	return h
}

// context returns one in which go-oidc trusts the host.
func (h *openIDHost) context() context.Context {
	return oidc.ClientContext(context.Background(), &http.Client{Transport: h.trust})
}

const sessionCookie = "session"

func (h *openIDHost) currentUser(r *http.Request) (provider.Session, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return provider.Session{}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[cookie.Value], nil
}

func (h *openIDHost) signIn(w http.ResponseWriter, r *http.Request) {
	value := rand.Text()
	h.mu.Lock()
	h.sessions[value] = provider.Session{UserID: r.PostFormValue("user"), SignedInAt: h.clock.Now(), ACR: contextClasses[0], AMR: []string{"pwd"}, ID: rand.Text()}
	h.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
}

// relyingClient is a client of the host.
type relyingClient struct {
	id, secret  string
	redirectURI string
	byForm      bool // client_secret_post
}

func (h *openIDHost) client(t testing.TB, name string) *relyingClient {
	t.Helper()
	uri := h.relying.url + "/callback"
	app, secret, err := h.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: name, RedirectURIs: []string{uri}, Scopes: scopes.New(scopes.Profile, scopes.Email, scopes.Address, scopes.Phone),
	})
	require.NoError(t, err)
	return &relyingClient{id: app.ClientID, secret: secret.Reveal(), redirectURI: uri}
}

// relyingParty is a server that records what browsers bring to it.
type relyingParty struct {
	url     string
	mu      sync.Mutex
	brought []arrival
}

// arrival is what a browser brought to the relying party, or the page at which
// it stopped.
type arrival struct {
	page         *reply // nil if the browser came to the relying party
	path, method string
	contentType  string
	query, form  url.Values
}

func newRelyingParty(t testing.TB) *relyingParty {
	p := &relyingParty{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		form, badForm := url.ParseQuery(string(body))
		query, badQuery := url.ParseQuery(r.URL.RawQuery)
		if err != nil || badForm != nil || badQuery != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.brought = append(p.brought, arrival{path: r.URL.Path, method: r.Method, contentType: r.Header.Get("Content-Type"), query: query, form: form})
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *relyingParty) arrivals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.brought)
}

// openIDBrowser is a browser with a user. The user signs in and agrees when a
// page asks for it. It counts how often.
type openIDBrowser struct {
	h              *openIDHost
	http           *http.Client
	user           string // who signs in
	comesBack      bool   // the user leaves the sign-in page without signing in again
	signIns, asked int
}

func (h *openIDHost) browser(t testing.TB) *openIDBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &openIDBrowser{h: h, user: user, http: &http.Client{Transport: h.trust, Jar: jar, CheckRedirect: hosttest.Program.CheckRedirect}}
}

// formAction is the target of the form of form_post.
var formAction = regexp.MustCompile(`<form method="post" action="([^"]*)">`)

// open opens a URL, or posts a form there as a page of another site does, and
// follows the answers.
func (b *openIDBrowser) open(t testing.TB, address string, posted url.Values) arrival {
	t.Helper()
	var r *http.Request
	if posted != nil {
		// From another site the browser doesn't send the cookies: they are
		// SameSite=Lax.
		bare := &http.Client{Transport: b.http.Transport, CheckRedirect: b.http.CheckRedirect}
		answer, text := hosttest.Send(t, bare, b.request(t, "POST", address, posted, b.h.relying.url))
		r = b.next(t, address, reply{answer, text})
		require.NotNil(t, r, brief(reply{answer, text}))
	} else {
		r = b.request(t, "GET", address, nil, "")
	}
	return b.follow(t, r)
}

// follow sends a request and follows the answers.
func (b *openIDBrowser) follow(t testing.TB, r *http.Request) arrival {
	t.Helper()
	for range 12 {
		before := b.h.relying.arrivals()
		answer, text := hosttest.Send(t, b.http, r)
		if strings.HasPrefix(r.URL.String(), b.h.relying.url+"/") {
			require.Equal(t, http.StatusOK, answer.StatusCode, text)
			b.h.relying.mu.Lock()
			defer b.h.relying.mu.Unlock()
			require.Len(t, b.h.relying.brought, before+1)
			return b.h.relying.brought[before]
		}
		page := reply{answer, text}
		if r = b.next(t, r.URL.String(), page); r == nil {
			return arrival{page: &page}
		}
	}
	t.Fatal("the browser is in a redirect loop")
	return arrival{}
}

// next returns the request that a page or a redirect leads to, or nil.
func (b *openIDBrowser) next(t testing.TB, at string, page reply) *http.Request {
	t.Helper()
	here, err := url.Parse(at)
	require.NoError(t, err)
	if location := page.Header.Get("Location"); page.StatusCode/100 == 3 {
		there, err := here.Parse(location)
		require.NoError(t, err)
		return b.request(t, "GET", there.String(), nil, "")
	}
	switch action := formAction.FindStringSubmatch(page.body); {
	case page.StatusCode != http.StatusOK:
		return nil
	case here.Path == "/login":
		b.signIns++
		if b.comesBack {
			return b.request(t, "GET", b.h.origin+here.Query().Get("next"), nil, "")
		}
		return b.request(t, "POST", b.h.origin+"/login", url.Values{"next": {here.Query().Get("next")}, "user": {b.user}}, b.h.origin)
	case strings.Contains(page.body, `value="allow"`):
		b.asked++
		form := fields(page.body)
		form.Set("decision", "allow")
		return b.request(t, "POST", b.h.origin+here.Path, form, b.h.origin)
	case action != nil && strings.HasPrefix(html.UnescapeString(action[1]), b.h.relying.url+"/"):
		require.Contains(t, page.Header.Get("Content-Type"), "text/html")
		require.Contains(t, page.Header.Get("Cache-Control"), "no-store")
		require.Contains(t, page.body, "<script>", "the form submits itself")
		return b.request(t, "POST", html.UnescapeString(action[1]), fields(page.body), b.h.origin)
	}
	return nil
}

func (b *openIDBrowser) request(t testing.TB, method, address string, form url.Values, from string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == "POST" {
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Origin", from)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if strings.HasPrefix(address, from+"/") {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
	}
	return r
}

// program sends a request as the relying party's server does.
func (h *openIDHost) program(t testing.TB, method, path string, header http.Header, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	answer, text := hosttest.Send(t, &http.Client{Transport: h.trust, CheckRedirect: hosttest.Program.CheckRedirect}, r)
	return reply{answer, text}
}

// metadata returns the discovery document.
func (h *openIDHost) metadata(t testing.TB) map[string]any {
	t.Helper()
	r := h.program(t, "GET", discoveryPath, http.Header{}, "")
	require.Equal(t, http.StatusOK, r.StatusCode, r.body)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	return object(t, r)
}

// texts returns a list of strings in a JSON object.
func texts(t require.TestingT, o map[string]any, name string) []string {
	var values []string
	raw, err := json.Marshal(o[name])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &values), name)
	return values
}

func has(t require.TestingT, o map[string]any, name, value string) bool {
	return slices.Contains(texts(t, o, name), value)
}

// read reads an answer to its end.
func read(t testing.TB, answer *http.Response) reply {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return reply{answer, string(body)}
}
