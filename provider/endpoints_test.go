package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// RFC 7009 sections 2.1 and 2.2.
func TestRevocation(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})
	works := func(token string) bool { return h.bearer("/oauth/userinfo", token).StatusCode == 200 }
	done := func(r *reply) {
		t.Helper()
		r.statusIs(t, 200)
		require.Equal(t, "{}\n", r.body)
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	}
	const path = "/oauth/token/revoke"

	got := app.tokens("user_ada")
	h.eventKinds()
	done(app.post(path, "token", "unknown"))
	done(other.post(path, "token", got.AccessToken))
	done(other.post(path, "token", got.RefreshToken))
	done(public.post(path, "token", got.RefreshToken, "client_secret", ""))
	require.True(t, works(got.AccessToken), "another client must not revoke")
	app.post(path, "token", got.AccessToken, "client_secret", "wrong").refused(t, 401, "invalid_client")
	app.post(path).refused(t, 400, "invalid_request")
	require.True(t, works(got.AccessToken))
	h.eventKinds()

	done(app.post(path, "token", got.AccessToken, "token_type_hint", "refresh_token"))
	require.False(t, works(got.AccessToken))
	require.Equal(t, []provider.EventKind{provider.EventTokenRevoked}, h.eventKinds())
	next := app.refresh(got.RefreshToken).tokens(t)
	require.True(t, works(next.AccessToken), "an access token ends alone")

	h.eventKinds()
	done(app.post(path, "token", next.RefreshToken, "token_type_hint", "nonsense"))
	require.False(t, works(next.AccessToken), "a refresh token takes its grant along")
	app.refresh(next.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, []provider.EventKind{provider.EventGrantRevoked}, h.eventKinds())
	done(app.post(path, "token", next.RefreshToken))

	// A client that signs out with a token it has rotated away means it too.
	first := public.tokens("user_ada")
	second := public.refresh(first.RefreshToken).tokens(t)
	done(public.post(path, "token", first.RefreshToken, "client_secret", ""))
	require.False(t, works(second.AccessToken))
	h.send("GET", path, nil, "").refused(t, 405, "invalid_request")
}

// RFC 7662 sections 2.1 and 2.2.
func TestIntrospection(t *testing.T) {
	const key = "a-key-for-the-resource-servers-of-this-host"
	h := newHost(t, func(c *provider.Config) { c.Introspection = provider.BearerKey("an older key", key) })
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})
	const path = "/oauth/token_info"
	ask := func(r *reply) map[string]any {
		t.Helper()
		r.statusIs(t, 200)
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		var answer map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.body), &answer))
		return answer
	}
	issued := h.clock.Now().Unix()
	got := app.tokens("user_ada")
	h.clock.Add(time.Minute)
	want := map[string]any{
		"active": true, "scope": "email profile", "client_id": app.ClientID, "token_type": "Bearer", "sub": "user_ada", "iss": h.url,
		"iat": float64(issued), "exp": float64(issued + 7200),
	}
	inactive := map[string]any{"active": false}
	require.Equal(t, want, ask(app.post(path, "token", got.AccessToken)))
	require.Equal(t, want, ask(h.post(path, "token", got.AccessToken, "Header:Authorization", "Bearer "+key)))
	refresh := ask(app.post(path, "token", got.RefreshToken))
	require.Equal(t, true, refresh["active"])
	require.NotContains(t, refresh, "token_type")
	require.EqualValues(t, issued+72*3600, refresh["exp"])

	require.Equal(t, inactive, ask(other.post(path, "token", got.AccessToken)), "another client's token must look unknown")
	require.Equal(t, inactive, ask(app.post(path, "token", "unknown")))
	require.Equal(t, inactive, ask(app.post(path, "token", app.code("user_ada"))))
	app.post(path, "token", got.AccessToken, "client_secret", "wrong").refused(t, 401, "invalid_client")
	h.post(path, "token", got.AccessToken).refused(t, 401, "invalid_client")
	h.post(path, "token", got.AccessToken, "Header:Authorization", "Bearer wrong").refused(t, 401, "invalid_client")
	h.post(path, "token", got.AccessToken, "Header:Authorization", "Basic "+key).refused(t, 401, "invalid_client")
	public.post(path, "token", got.AccessToken, "client_secret", "").refused(t, 401, "invalid_client")
	app.post(path).refused(t, 400, "invalid_request")
	h.send("GET", path, nil, "").refused(t, 405, "invalid_request")

	next := app.refresh(got.RefreshToken).tokens(t)
	require.Equal(t, inactive, ask(app.post(path, "token", got.RefreshToken)), "a rotated-away token is spent")
	h.mu.Lock()
	delete(h.users, "user_ada")
	h.mu.Unlock()
	require.Equal(t, inactive, ask(app.post(path, "token", next.AccessToken)), "its user is gone")

	grace := app.tokens("user_grace")
	h.clock.Add(2 * time.Hour)
	require.Equal(t, inactive, ask(app.post(path, "token", grace.AccessToken)), "expired")
	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	require.Equal(t, inactive, ask(h.post(path, "token", grace.RefreshToken, "Header:Authorization", "Bearer "+key)))

	require.Panics(t, func() { provider.BearerKey() })
	require.Panics(t, func() { provider.BearerKey("") })
}

// RFC 8414 sections 2 and 3.
func TestMetadata(t *testing.T) {
	h := newHost(t)
	const path = "/.well-known/oauth-authorization-server"
	r := h.send("GET", path, http.Header{"Host": {"evil.example.com"}}, "")
	r.statusIs(t, 200)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.JSONEq(t, strings.ReplaceAll(`{
		"issuer": "ISSUER",
		"authorization_endpoint": "ISSUER/oauth/authorize",
		"token_endpoint": "ISSUER/oauth/token",
		"userinfo_endpoint": "ISSUER/oauth/userinfo",
		"revocation_endpoint": "ISSUER/oauth/token/revoke",
		"introspection_endpoint": "ISSUER/oauth/token_info",
		"scopes_supported": ["email", "notes:read", "private_metadata", "profile", "public_metadata"],
		"response_types_supported": ["code"],
		"response_modes_supported": ["query", "form_post"],
		"grant_types_supported": ["authorization_code", "refresh_token"],
		"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
		"revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
		"introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
		"code_challenge_methods_supported": ["S256"],
		"authorization_response_iss_parameter_supported": true
	}`, "ISSUER", h.url), r.body)
	head := h.send("HEAD", path, nil, "")
	head.statusIs(t, 200)
	require.Empty(t, head.body)
	h.send("POST", path, nil, "").statusIs(t, 405)

	// With a path, the document comes before it (section 3.1), and what is off
	// is not in it.
	h = newHost(t, func(c *provider.Config) {
		c.Issuer += "/a/b"
		c.Paths = provider.Paths{Introspect: "-", Revoke: "-", UserInfo: "-"}
	})
	r = h.send("GET", path+"/a/b", nil, "")
	require.Contains(t, r.body, `"token_endpoint":"`+h.url+`/a/b/oauth/token"`)
	for _, off := range []string{"introspection", "revocation", "userinfo"} {
		require.NotContains(t, r.body, off)
	}
	require.Equal(t, provider.Endpoints{
		Issuer:      h.url + "/a/b",
		Authorize:   h.url + "/a/b/oauth/authorize",
		Token:       h.url + "/a/b/oauth/token",
		Connections: h.url + "/a/b/oauth/connections",
		Metadata:    h.url + path + "/a/b",
	}, h.Endpoints())
}

// RFC 6749 section 2.3.1 wants guessing made hard.
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
