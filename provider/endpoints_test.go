package provider_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// A successful revocation is an event, and a failed one isn't.
func TestRevocationIsAnEvent(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	const path = "/oauth/token/revoke"
	got := app.tokens("user_ada")
	for _, tt := range []struct {
		by    *application
		token string
		want  provider.EventKind
	}{
		{app, "unknown", ""},
		{other, got.AccessToken, ""},
		{other, got.RefreshToken, ""},
		{app, got.AccessToken, provider.EventTokenRevoked},
		{app, got.RefreshToken, provider.EventGrantRevoked},
		{app, got.RefreshToken, ""},
	} {
		h.eventKinds()
		tt.by.post(path, "token", tt.token).statusIs(t, 200)
		var want []provider.EventKind
		if tt.want != "" {
			want = append(want, tt.want)
		}
		require.Equal(t, want, h.eventKinds())
	}
}

// A resource server has a key of the host, and two during a rotation.
func TestIntrospectionByAKey(t *testing.T) {
	const key = "a-key-for-the-resource-servers-of-this-host"
	h := newHost(t, func(c *provider.Config) { c.Introspection = provider.BearerKey("an older key", key) })
	app := h.application(provider.ApplicationSettings{})
	active := func(token, key string) any {
		r := h.post("/oauth/token_info", "token", token, "Header:Authorization", "Bearer "+key)
		r.statusIs(t, 200)
		var answer map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.body), &answer))
		return answer["active"]
	}
	ada, grace := app.tokens("user_ada"), app.tokens("user_grace")
	require.Equal(t, true, active(ada.AccessToken, key))
	require.Equal(t, true, active(ada.RefreshToken, "an older key"))
	h.mu.Lock()
	delete(h.users, "user_ada")
	h.mu.Unlock()
	require.Equal(t, false, active(ada.AccessToken, key), "its user is gone")
	require.Equal(t, true, active(grace.RefreshToken, key))
	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	require.Equal(t, false, active(grace.RefreshToken, key), "its application is gone")

	h.read = len(h.log.String())
	h.post("/oauth/token_info", "token", grace.AccessToken, "Header:Authorization", "Bearer "+key+"x").refused(t, 401, "invalid_client")
	require.Contains(t, h.logged(), "Config.Introspection: provider: invalid token: wrong bearer key")

	require.Panics(t, func() { provider.BearerKey() })
	require.Panics(t, func() { provider.BearerKey("") })
}

func TestEndpointsOfAnIssuerWithAPath(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Issuer += "/a/b"
		c.Paths = provider.Paths{Introspect: "-", Revoke: "-", UserInfo: "-"}
	})
	require.Equal(t, provider.Endpoints{
		Issuer:      h.url + "/a/b",
		Authorize:   h.url + "/a/b/oauth/authorize",
		Token:       h.url + "/a/b/oauth/token",
		Connections: h.url + "/a/b/oauth/connections",
		Metadata:    h.url + "/.well-known/oauth-authorization-server/a/b",
	}, h.Endpoints())
}

// RFC 6749 section 2.3.1 requires protection against guessing.
func TestLimitIsAskedBeforeAnythingCosts(t *testing.T) {
	var asked []provider.LimitRequest
	wait := time.Duration(0)
	h := newHost(t, func(c *provider.Config) {
		c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
			asked = append(asked, l)
			return wait
		}
	})
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	wait = 1500 * time.Millisecond
	for endpoint, path := range map[string]string{"token": "/oauth/token", "revoke": "/oauth/token/revoke", "introspect": "/oauth/token_info"} {
		asked = nil
		r := app.post(path, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "token", "x")
		r.refused(t, 429, "temporarily_unavailable")
		require.Equal(t, "2", r.Header.Get("Retry-After"))
		require.Equal(t, []provider.LimitRequest{{Endpoint: endpoint, ClientID: app.ClientID, IP: netip.MustParseAddr("127.0.0.1")}}, asked)
	}
	h.post("/oauth/token").refused(t, 429, "temporarily_unavailable")
	wait = 0
	app.redeem(code).tokens(t)
}
