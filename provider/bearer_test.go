package provider_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

func TestUserInfoOfADeletedUser(t *testing.T) {
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

func TestVerify(t *testing.T) {
	h := newHost(t)
	got := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")}).tokens("user_ada")
	_, err := h.Verify(context.Background(), got.AccessToken, "profile", "notes:read")
	require.ErrorIs(t, err, provider.ErrInsufficientScope)
	token, err := h.Verify(context.Background(), got.AccessToken, "profile")
	require.NoError(t, err)
	require.Equal(t, "user_ada", token.UserID)
	_, err = h.Verify(context.Background(), "nonsense")
	require.ErrorIs(t, err, provider.ErrInvalidToken)

	require.PanicsWithValue(t, `provider: Require: the scope "notes:raed" is not in Config.Scopes: add it there`, func() { h.Require("notes:raed") })
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
