package provider_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// requests returns endpoint and outcome of the requests since the last call.
func (h *host) requests(t *testing.T) [][2]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var got [][2]string
	for _, e := range h.events {
		if e.Kind == provider.EventRequest {
			require.Positive(t, e.Duration)
			require.Less(t, e.Duration, time.Minute)
			require.NotNil(t, e.Request)
			require.False(t, e.At.IsZero())
			got = append(got, [2]string{e.Endpoint, e.Outcome})
		}
	}
	h.events = nil
	return got
}

func TestEachRequestIsOneEventWithItsOutcome(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	got := app.tokens("user_ada")
	require.Equal(t, [][2]string{{"authorize", "ok"}, {"authorize", "ok"}, {"token", "ok"}}, h.requests(t))

	h.bearer("/oauth/userinfo", got.AccessToken)
	h.bearer("/oauth/userinfo", "nonsense")
	h.bearer("/api/notes", got.AccessToken)
	h.bearer("/api/notes", "nonsense")
	app.post("/oauth/token_info", "token", got.AccessToken)
	app.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "nonsense")
	app.post("/oauth/token", "client_secret", "wrong")
	app.post("/oauth/token/revoke", "token", got.AccessToken)
	h.send("GET", "/.well-known/oauth-authorization-server", nil, "")
	h.send("GET", "/oauth/token", nil, "")
	h.send("DELETE", "/oauth/authorize", nil, "")
	h.send("GET", "/oauth/authorize?client_id=unknown", nil, "")
	require.Equal(t, [][2]string{
		{"userinfo", "ok"}, {"userinfo", "invalid_token"}, {"guard", "ok"}, {"guard", "invalid_token"}, {"introspect", "ok"},
		{"token", "invalid_grant"}, {"token", "invalid_client"}, {"revoke", "ok"}, {"metadata", "ok"},
		{"token", "invalid_request"}, {"authorize", "invalid_request"}, {"authorize", "invalid_client"},
	}, h.requests(t))

	b := h.browser()
	b.signIn("user_grace")
	b.get(app.request("scope", "unknown"))
	require.Equal(t, [][2]string{{"authorize", "invalid_scope"}}, h.requests(t))
}

func TestRequestEventsNameTheApplication(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")
	other.post("/oauth/token_info", "token", got.AccessToken)
	other.post("/oauth/token/revoke", "token", got.AccessToken)
	h.bearer("/oauth/userinfo", got.AccessToken)
	h.bearer("/api/notes", got.AccessToken)
	h.bearer("/api/notes", "nonsense")
	app.post("/oauth/token", "client_secret", "wrong")
	app.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "nonsense")
	var named []string
	h.mu.Lock()
	for _, e := range h.events {
		if e.Kind == provider.EventRequest {
			named = append(named, e.ApplicationID)
		}
	}
	h.mu.Unlock()
	require.Equal(t, []string{app.ID, app.ID, app.ID, other.ID, other.ID, app.ID, app.ID, "", "", app.ID}, named,
		"what a client only claims to be is not named")
	require.Contains(t, h.log.String(), "endpoint=token error=invalid_grant")
	require.Regexp(t, "endpoint=token error=invalid_grant .* application="+app.ID, h.log.String())
	require.Regexp(t, "endpoint=token error=invalid_client .* application="+app.ID, h.log.String(), "whose secret is guessed")
	require.Regexp(t, "endpoint=guard error=insufficient_scope .* application="+app.ID, h.log.String())
}

func TestRateLimitIsASeparateOutcome(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Limit = func(context.Context, provider.LimitRequest) time.Duration { return time.Second }
	})
	app := h.application(provider.ApplicationSettings{})
	require.Equal(t, 429, app.post("/oauth/token").StatusCode)
	require.Equal(t, [][2]string{{"token", "rate_limited"}}, h.requests(t))
}

// A callback that panics ends its request, and is counted.
func TestPanicOfACallbackIsCounted(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.CurrentUser = func(*http.Request) (provider.Session, error) { panic(http.ErrAbortHandler) }
	})
	app := h.application(provider.ApplicationSettings{})
	_, err := h.server.Client().Get(app.request())
	require.Error(t, err)
	require.Equal(t, [][2]string{{"authorize", "server_error"}}, h.requests(t))
}
