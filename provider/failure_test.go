package provider_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// A developer sees why requests of their application failed, equal causes
// counted together, and those first that came from the application itself.
func TestFailuresSayWhy(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	require.Empty(t, h.Failures(app.ID))
	b := h.browser()
	b.signIn("user_ada")
	first := h.clock.Now().UTC().Truncate(time.Microsecond)
	b.get(app.request("redirect_uri", "https://wiki.example.com/calback"))
	h.clock.Add(time.Minute)
	b.get(app.request("redirect_uri", "https://wiki.example.com/callback/"))
	h.post("/oauth/token", "client_id", app.ClientID, "client_secret", "nonsense", "grant_type", "refresh_token", "refresh_token", "x")
	code := app.code("user_ada")
	app.redeem(code, "redirect_uri", "https://wiki.example.com/other").refused(t, 400, "invalid_grant")
	got := app.tokens("user_ada")
	h.clock.Add(3 * time.Hour)
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")

	found := h.Failures(app.ID)
	require.Len(t, found, 4)
	require.Equal(t, "guard", found[0].Endpoint)
	require.Equal(t, "provider: invalid token: expired", found[0].Cause)
	require.Equal(t, "token", found[1].Endpoint)
	require.Equal(t, "not as it was issued: the redirect_uri is not that of the authorization request", found[1].Cause)
	require.Equal(t, []string{"redirect_uri=https://wiki.example.com/other"}, found[1].Sent)
	require.Equal(t, "wrong client secret", found[2].Cause)
	require.Equal(t, "authorize", found[3].Endpoint)
	require.Contains(t, found[3].Description, "redirect_uri that is not registered")
	require.Equal(t, 2, found[3].Count)
	require.Equal(t, first, found[3].First)
	require.Equal(t, first.Add(time.Minute), found[3].Last)
	require.Equal(t, []string{"redirect_uri=https://wiki.example.com/callback/", "redirect_uri=https://wiki.example.com/calback"}, found[3].Sent)
	for i, f := range found {
		require.Equal(t, i < 2, f.Proved, "%+v", f)
	}

	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	require.Empty(t, h.Failures(app.ID))
}

// Anyone who knows a client_id can add to the counts of causes. They don't
// replace causes that the application itself ran into, and use no more memory.
func TestStrangersFlushNoFailuresOfTheApplication(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	app.refresh("x").refused(t, 400, "invalid_grant")
	for i := range 300 {
		h.send("GET", "/oauth/authorize?"+url.Values{"client_id": {app.ClientID}, "redirect_uri": {fmt.Sprintf("https://evil.example/%d", i)}}.Encode(), nil, "")
		h.post("/oauth/token", "client_id", app.ClientID, "client_secret", fmt.Sprint(i), "grant_type", "refresh_token")
	}
	found := h.Failures(app.ID)
	require.True(t, found[0].Proved)
	require.Equal(t, "unknown code or token", found[0].Cause)
	require.Len(t, found, 3, "each cause is there once, for all values")
	for _, f := range found[1:] {
		require.False(t, f.Proved)
		require.Equal(t, 300, f.Count)
		require.LessOrEqual(t, len(f.Sent), 3)
	}
}

// Failures contain no secret, token, code, address, or text of the host, and
// nothing long.
func TestFailuresHoldNoSecret(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	b := h.browser()
	b.signIn("user_ada")
	long := "https://evil.example/" + strings.Repeat("<b>\u202e", 500)
	b.get(app.request("redirect_uri", long))
	b.get(app.request("scope", "Bearer "+app.secret))
	b.get(app.request("response_type", "token", "state", "s3cr3t-state"))
	got := app.tokens("user_ada")
	code := app.code("user_ada")
	app.redeem(code, "redirect_uri", "https://a.example/?token="+got.RefreshToken)
	app.redeem(code, "code_verifier", "not-the-verifier")
	h.post("/oauth/token", "client_id", app.ClientID, "client_secret", "wr0ng-secret", "grant_type", "refresh_token", "refresh_token", got.RefreshToken)
	h.mu.Lock()
	h.down = fmt.Errorf("ada@example.com: connection refused")
	h.mu.Unlock()
	app.refresh(got.RefreshToken)
	text := fmt.Sprintf("%+v", h.Failures(app.ID))
	for _, secret := range []string{app.secret, got.AccessToken, got.RefreshToken, code, "s3cr3t-state", "not-the-verifier", "wr0ng-secret", "ada@example.com", "user_ada", "\u202e"} {
		require.NotContains(t, text, secret)
	}
	for _, f := range h.Failures(app.ID) {
		for _, sent := range f.Sent {
			require.LessOrEqual(t, len(sent), 203)
		}
		require.LessOrEqual(t, len(f.Description)+len(f.Cause), 606)
	}
}

// Requests that only name an application prove nothing: those with the
// client_id of a public one, or with a forged token of a grant whose ID is
// known.
func TestUnprovedFailuresCountAsStrangers(t *testing.T) {
	h := newHost(t)
	public := h.application(provider.ApplicationSettings{Public: true, Scopes: scopes.New("notes:read")})
	public.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "x").refused(t, 400, "invalid_grant")
	h.bearer("/api/notes", provider.AnotherTokenOf(h.Provider, public.tokens("user_ada").AccessToken)).refused(t, 401, "invalid_token")
	found := h.Failures(public.ID)
	require.Len(t, found, 2)
	for _, f := range found {
		require.False(t, f.Proved, "%+v", f)
	}
}
