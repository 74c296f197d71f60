package conformance

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

const callback = "https://wiki.example.com/callback"

// host is an app with the provider in it, on a real server. The header
// Test-User says who is signed in.
type host struct {
	*provider.Provider
	url   string
	clock *hosttest.Clock
	http  *http.Client
}

func newHost(t testing.TB) *host {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h := &host{url: server.URL, clock: hosttest.NewClock(time.Now()), http: client}
	p, err := provider.New(provider.Config{
		Issuer: server.URL,
		Store:  memory.New(),
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			return provider.Session{UserID: r.Header.Get("Test-User"), SignedInAt: h.clock.Now()}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users: func(_ context.Context, id string) (userinfo.User, error) {
			return userinfo.User{ID: id, Name: "Ada", PublicMetadata: map[string]any{"plan": "pro"}}, nil
		},
		Scopes: append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
		Logger: slog.New(slog.DiscardHandler),
		Now:    h.clock.Now,
	})
	require.NoError(t, err)
	h.Provider = p
	p.Mount(mux)
	mux.Handle("GET /api/notes", p.Require("notes:read")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "[]")
	})))
	return h
}

// client is a registered confidential application.
type client struct {
	provider.Application
	secret string
	h      *host
}

func (h *host) client(n provider.ApplicationSettings) *client {
	n.Name, n.RedirectURIs = "Wiki", []string{callback}
	app, secret, err := h.CreateApplication(context.Background(), n)
	if err != nil {
		panic(err)
	}
	return &client{app, secret.Reveal(), h}
}

// authorize signs a user in and returns the code.
func (c *client) authorize(t require.TestingT, user, scope string) string {
	query := url.Values{"response_type": {"code"}, "client_id": {c.ClientID}, "redirect_uri": {callback}, "scope": {scope}, "state": {"x"}}
	r := c.h.do(t, "GET", "/oauth/authorize?"+query.Encode(), http.Header{"Test-User": {user}}, "")
	if r.StatusCode == http.StatusOK {
		form := fields(r.body)
		form.Set("decision", "allow")
		header := http.Header{"Test-User": {user}, "Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {c.h.url}}
		for _, cookie := range r.Cookies() {
			header.Add("Cookie", cookie.Name+"="+cookie.Value)
		}
		r = c.h.do(t, "POST", "/oauth/authorize", header, form.Encode())
	}
	location, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.NotEmpty(t, location.Query().Get("code"), "%d %s %s", r.StatusCode, location, r.body)
	return location.Query().Get("code")
}

// post sends a form with the client's credentials and returns the JSON answer.
func (c *client) post(path string, pairs ...string) (int, map[string]any) {
	form := url.Values{"client_id": {c.ClientID}, "client_secret": {c.secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := c.h.do(fatal{}, "POST", path, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	var answer map[string]any
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		panic(err)
	}
	return r.StatusCode, answer
}

type reply struct {
	*http.Response
	body string
}

func (h *host) do(t require.TestingT, method, target string, header http.Header, body string) reply {
	r, err := http.NewRequest(method, h.url+target, strings.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	response, err := h.http.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response, string(text)}
}

// fatal is for what cannot fail but by a broken test.
type fatal struct{}

func (fatal) Errorf(format string, args ...any) { panic(format) }
func (fatal) FailNow()                          { panic("failed") }

func splitScope(s string) []string { return strings.Fields(s) }
