package clerk

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

const (
	secretKey = "sk_test_latchkey"
	callback  = "https://wiki.example.com/callback"
)

// host is an app with the provider and its Backend API in it, on a real server.
// The header Test-User says who is signed in.
type host struct {
	*provider.Provider
	t    *testing.T
	url  string
	log  *hosttest.Log
	http *http.Client
}

func newHost(t *testing.T) *host {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h := &host{t: t, url: server.URL, log: &hosttest.Log{}, http: server.Client()}
	h.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p, err := provider.New(provider.Config{
		Issuer: server.URL,
		Store:  memory.New(),
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			return provider.Session{UserID: r.Header.Get("Test-User"), SignedInAt: time.Now()}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users: func(_ context.Context, id string) (userinfo.User, error) {
			return userinfo.User{ID: id, Name: "Ada"}, nil
		},
		InstanceID: "ins_test",
		Logger:     slog.New(slog.NewTextHandler(h.log, nil)),
	})
	require.NoError(t, err)
	h.Provider = p
	p.Mount(mux)
	api := clerkapi.Handler(p, provider.BearerKey(secretKey), clerkapi.Options{})
	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
		mux.Handle(method+" /v1/", api)
	}
	mux.Handle("POST /oauth_applications/access_tokens/verify", api)
	return h
}

// tokens is the answer of the token endpoint.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// application registers an application and signs a user in to it.
func (h *host) application() (provider.Application, tokens) {
	h.t.Helper()
	app, secret, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{callback}, SkipConsent: true,
	})
	require.NoError(h.t, err)
	query := url.Values{"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {callback}, "state": {"x"}}
	r := h.do("GET", "/oauth/authorize?"+query.Encode(), http.Header{"Test-User": {"user_ada"}}, "")
	location, err := url.Parse(r.Header.Get("Location"))
	require.NoError(h.t, err)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {callback},
		"client_id": {app.ClientID}, "client_secret": {secret.Reveal()},
	}
	r = h.do("POST", "/oauth/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	var got tokens
	require.NoError(h.t, json.Unmarshal([]byte(r.body), &got))
	require.Equal(h.t, 200, r.StatusCode, r.body)
	return app, got
}

// userinfo returns the status of asking for the userinfo document.
func (h *host) userinfo(accessToken string) int {
	h.t.Helper()
	return h.do("GET", "/oauth/userinfo", http.Header{"Authorization": {"Bearer " + accessToken}}, "").StatusCode
}

// authenticates reports whether a client's secret is good.
func (h *host) authenticates(clientID, secret string) bool {
	h.t.Helper()
	form := url.Values{"client_id": {clientID}, "client_secret": {secret}, "token": {"x"}}
	return h.do("POST", "/oauth/token/revoke", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode()).StatusCode == 200
}

type reply struct {
	*http.Response
	body string
}

func (h *host) do(method, path string, header http.Header, body string) *reply {
	h.t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	require.NoError(h.t, err)
	r.Header = header
	response, err := h.http.Do(r)
	require.NoError(h.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return &reply{response, string(answer)}
}

var traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)
