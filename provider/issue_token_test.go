package provider_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

func TestIssueTokenMakesAPersonalAccessToken(t *testing.T) {
	h := newHost(t)
	tools := h.application(provider.ApplicationSettings{Name: "Personal access tokens", RedirectURIs: []string{}, Scopes: scopes.New("profile", "notes:read")})
	ctx := context.Background()
	token, secret, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: tools.ID, Scopes: scopes.New("notes:read"), Lifetime: 90 * 24 * time.Hour})
	require.NoError(t, err)
	require.Equal(t, scopes.New("notes:read"), token.Scopes)
	require.Equal(t, "user_ada", token.UserID)
	require.Equal(t, h.clock.Now().Add(90*24*time.Hour).UTC().Truncate(time.Microsecond), token.ExpiresAt)
	require.Equal(t, []provider.EventKind{provider.EventGrantCreated, provider.EventTokenIssued}, h.eventKinds())

	// It works like any other token until it expires.
	require.Equal(t, 200, h.bearer("/api/notes", secret.Reveal()).StatusCode)
	verified, err := h.Verify(ctx, secret.Reveal())
	require.NoError(t, err)
	require.Equal(t, token, verified)
	h.clock.Add(90*24*time.Hour - time.Second)
	require.Equal(t, 200, h.bearer("/api/notes", secret.Reveal()).StatusCode)
	h.clock.Add(time.Second)
	require.Equal(t, 401, h.bearer("/api/notes", secret.Reveal()).StatusCode)

	// Its grant has its ID, and can be revoked alone.
	all := provider.TokenSettings{UserID: "user_ada", ApplicationID: tools.ID, Scopes: tools.Scopes}
	first, firstSecret, err := h.IssueToken(ctx, all)
	require.NoError(t, err)
	require.Equal(t, tools.Scopes, first.Scopes)
	require.Equal(t, h.clock.Now().Add(2*time.Hour).UTC().Truncate(time.Microsecond), first.ExpiresAt)
	_, secondSecret, err := h.IssueToken(ctx, all)
	require.NoError(t, err)
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: first.GrantID}))
	require.Equal(t, 401, h.bearer("/api/notes", firstSecret.Reveal()).StatusCode)
	require.Equal(t, 200, h.bearer("/api/notes", secondSecret.Reveal()).StatusCode)

	// It keeps the user's label.
	label := strings.Repeat("é", 100)
	named, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: tools.ID, Label: label})
	require.NoError(t, err)
	page, _, err := h.ListGrants(ctx, provider.GrantFilter{ID: named.GrantID}, "", 0)
	require.NoError(t, err)
	require.Equal(t, label, page[0].Label)

	// Without chosen scopes, it gives no access.
	_, bare, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: tools.ID})
	require.NoError(t, err)
	require.Equal(t, 403, h.bearer("/api/notes", bare.Reveal()).StatusCode)
	require.NotContains(t, h.bearer("/oauth/userinfo", bare.Reveal()).body, "Lovelace")
}

// A token that was made without the consent page doesn't count as consent.
func TestIssueTokenIsNotConsent(t *testing.T) {
	h := newHost(t)
	wiki := h.application(provider.ApplicationSettings{})
	_, _, err := h.IssueToken(context.Background(), provider.TokenSettings{UserID: "user_ada", ApplicationID: wiki.ID})
	require.NoError(t, err)
	b := h.browser()
	b.signIn("user_ada")
	require.Equal(t, 200, b.get(wiki.request()).StatusCode, "the consent page")
}

// IssueToken can't give strangers scopes that they may not ask for, and gives
// them nothing once they are no longer allowed.
func TestIssueTokenKeepsStrangersToTheirScopes(t *testing.T) {
	kept := memory.New()
	open := func(r *provider.Registration) *host {
		return newHost(t, func(c *provider.Config) { c.Store, c.Registration = kept, r })
	}
	h := open(&provider.Registration{Scopes: []string{"profile"}})
	app, _ := h.clientOf(h.register(native))
	_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.Scopes = scopes.New("profile", "notes:read")
		return nil
	})
	require.NoError(t, err)
	issue := func(h *host, scope ...string) error {
		_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Scopes: scopes.New(scope...)})
		return err
	}
	require.NoError(t, issue(h, "profile"))
	require.ErrorContains(t, issue(h, "notes:read"), `the scope "notes:read" is not one that the application may ask for: those are "profile"`)
	require.NoError(t, issue(open(&provider.Registration{}), "notes:read"))
	for _, scope := range [][]string{nil, {"profile"}} {
		require.ErrorContains(t, issue(open(nil), scope...), "no longer accepts")
	}
}

func TestIssueTokenRefusesWhatItCannotMake(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	for name, tt := range map[string]struct {
		n    provider.TokenSettings
		says string
		is   error
	}{
		"no user":              {n: provider.TokenSettings{ApplicationID: app.ID}, says: "the UserID is empty"},
		"an unknown user":      {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_nobody"}, is: userinfo.ErrNotFound},
		"no application":       {n: provider.TokenSettings{ApplicationID: "oa_none", UserID: "user_ada"}, is: store.ErrNotFound},
		"a scope too many":     {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_ada", Scopes: scopes.New("profile", "email")}, says: `the scope "email" is not one that the application may ask for: those are "profile"`},
		"OpenID's scope":       {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_ada", Scopes: scopes.New("openid")}, says: `the scope "openid" is not one`},
		"a malformed scope":    {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_ada", Scopes: scopes.New("profile email")}, says: `the scope "profile email" is not one`},
		"a label too long":     {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_ada", Label: strings.Repeat("é", 101)}, says: "the Label has more than 100"},
		"a label of two lines": {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_ada", Label: "a\nb"}, says: "the Label has"},
		"a negative lifetime":  {n: provider.TokenSettings{ApplicationID: app.ID, UserID: "user_ada", Lifetime: -1}, says: "the Lifetime is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			token, secret, err := h.IssueToken(context.Background(), tt.n)
			require.ErrorContains(t, err, "provider: issue token: "+tt.says)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			require.Nil(t, token)
			require.True(t, secret.IsZero())
			require.Empty(t, h.eventKinds())
		})
	}
}
