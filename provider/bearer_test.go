package provider_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// RFC 6750 sections 2 and 3, at the userinfo endpoint and at the host's own API.
func TestBearerTokenUsage(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	got := app.tokens("user_ada")
	mistyped := []byte(got.AccessToken)
	mistyped[30] ^= 1
	never := h.application(provider.ApplicationSettings{})
	revoked := never.tokens("user_grace")
	err := h.RevokeGrants(context.Background(), provider.GrantFilter{UserID: "user_grace"})
	require.NoError(t, err)
	realm := `Bearer realm="` + h.url + `"`
	for _, tt := range []struct {
		name      string
		header    http.Header
		query     string
		status    int
		code      string
		challenge string
	}{
		{"good", http.Header{"Authorization": {"Bearer " + got.AccessToken}}, "", 200, "", ""},
		{"scheme in lower case", http.Header{"Authorization": {"bearer " + got.AccessToken}}, "", 200, "", ""},
		{"none", nil, "", 401, "", realm},
		{"another scheme", http.Header{"Authorization": {"Basic eDp4"}}, "", 401, "", realm},
		{"empty", http.Header{"Authorization": {"Bearer "}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"only the scheme", http.Header{"Authorization": {"Bearer"}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"malformed", http.Header{"Authorization": {`Bearer "x"`}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"unknown", http.Header{"Authorization": {"Bearer x"}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"mistyped", http.Header{"Authorization": {"Bearer " + string(mistyped)}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"a refresh token", http.Header{"Authorization": {"Bearer " + got.RefreshToken}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"a refresh token dressed up", http.Header{"Authorization": {"Bearer " + strings.Replace(got.RefreshToken, "ort_", "oat_", 1)}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"revoked", http.Header{"Authorization": {"Bearer " + revoked.AccessToken}}, "", 401, "invalid_token", realm + `, error="invalid_token"`},
		{"two headers", http.Header{"Authorization": {"Bearer " + got.AccessToken, "Bearer " + got.AccessToken}}, "", 400, "invalid_request", realm + `, error="invalid_request"`},
		{"in the query", nil, "?access_token=" + got.AccessToken, 400, "invalid_request", realm + `, error="invalid_request"`},
		{"in the query and the header", http.Header{"Authorization": {"Bearer " + got.AccessToken}}, "?access_token=" + got.AccessToken, 400, "invalid_request", realm + `, error="invalid_request"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/oauth/userinfo", "/api/notes"} {
				r := h.send("GET", path+tt.query, tt.header.Clone(), "")
				if tt.status == 200 {
					r.statusIs(t, 200)
					continue
				}
				if tt.code == "" {
					// Section 3.1: no error where there was no token.
					r.statusIs(t, tt.status)
					require.Equal(t, "{}\n", r.body)
				} else {
					r.refused(t, tt.status, tt.code)
				}
				if strings.Contains(tt.challenge, "error=") {
					require.True(t, strings.HasPrefix(r.Header.Get("WWW-Authenticate"), tt.challenge), r.Header.Get("WWW-Authenticate"))
				} else {
					require.Equal(t, tt.challenge, r.Header.Get("WWW-Authenticate"))
				}
				require.NotContains(t, r.body, got.AccessToken)
			}
		})
	}
	h.clock.Add(2*time.Hour - time.Microsecond)
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	h.clock.Add(time.Microsecond)
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
}

// RFC 6750 section 2: one way at a time.
func TestUserInfoMethods(t *testing.T) {
	h := newHost(t)
	got := h.application(provider.ApplicationSettings{}).tokens("user_ada")
	header := func() http.Header { return http.Header{"Authorization": {"Bearer " + got.AccessToken}} }

	require.Contains(t, h.send("GET", "/oauth/userinfo", header(), "").body, `"email":"ada@example.com"`)
	require.Contains(t, h.send("POST", "/oauth/userinfo", header(), "").body, `"sub":"user_ada"`)
	head := h.send("HEAD", "/oauth/userinfo", header(), "")
	head.statusIs(t, 200)
	require.Empty(t, head.body)
	h.send("HEAD", "/oauth/userinfo", nil, "").statusIs(t, 401)

	// RFC 6750 section 2.2.
	require.Contains(t, h.post("/oauth/userinfo", "access_token", got.AccessToken).body, `"sub":"user_ada"`)
	h.post("/oauth/userinfo", "access_token", got.AccessToken, "Header:Authorization", "Bearer "+got.AccessToken).refused(t, 400, "invalid_request")
	h.send("POST", "/oauth/userinfo", http.Header{"Content-Type": {"application/json"}, "Authorization": header()["Authorization"]}, "{}").statusIs(t, 200)

	// The host's own API takes the header only: its bodies are its own.
	h.post("/api/notes", "access_token", got.AccessToken).statusIs(t, 405)
}

func TestUserInfoOfAUserWhoIsGone(t *testing.T) {
	h := newHost(t)
	got := h.application(provider.ApplicationSettings{}).tokens("user_ada")
	h.mu.Lock()
	h.down = context.DeadlineExceeded
	h.mu.Unlock()
	r := h.bearer("/oauth/userinfo", got.AccessToken)
	r.refused(t, 503, "temporarily_unavailable")
	require.Empty(t, r.Header.Get("WWW-Authenticate"), "a client must not throw its token away")
	require.NotContains(t, r.body, "deadline")
	h.mu.Lock()
	h.down = nil
	delete(h.users, "user_ada")
	h.mu.Unlock()
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
}

// RFC 6750 section 3.1.
func TestInsufficientScope(t *testing.T) {
	h := newHost(t)
	got := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")}).tokens("user_ada")
	r := h.bearer("/api/notes", got.AccessToken)
	r.refused(t, 403, "insufficient_scope")
	require.Contains(t, r.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	require.Contains(t, r.Header.Get("WWW-Authenticate"), `scope="notes:read"`)

	_, err := h.Verify(context.Background(), got.AccessToken, "profile", "notes:read")
	require.ErrorIs(t, err, provider.ErrInsufficientScope)
	token, err := h.Verify(context.Background(), got.AccessToken, "profile")
	require.NoError(t, err)
	require.Equal(t, "user_ada", token.UserID)
	_, err = h.Verify(context.Background(), "nonsense")
	require.ErrorIs(t, err, provider.ErrInvalidToken)

	require.PanicsWithValue(t, `provider: Require: the scope "notes:raed" is not in Config.Scopes`, func() { h.Require("notes:raed") })
	_, ok := provider.TokenFromContext(context.Background())
	require.False(t, ok)
}

func TestTokenPrefixIsInFrontOfEveryToken(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.TokenPrefix = "acme_" })
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	require.Regexp(t, `^acme_oac_[0-9A-Za-z]{72}$`, code)
	got := app.redeem(code).tokens(t)
	require.Regexp(t, `^acme_oat_[0-9A-Za-z]{72}$`, got.AccessToken)
	require.Regexp(t, `^acme_ort_[0-9A-Za-z]{72}$`, got.RefreshToken)
	h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
	h.bearer("/oauth/userinfo", strings.TrimPrefix(got.AccessToken, "acme_")).refused(t, 401, "invalid_token")
}
