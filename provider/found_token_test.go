package provider_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// lookUp looks up a token that exists.
func (h *host) lookUp(token string) provider.FoundToken {
	h.t.Helper()
	found, err := h.LookupToken(ctx, token)
	require.NoError(h.t, err)
	return found
}

func TestLookupTokenSaysWhoseATokenIs(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read", "profile")})
	issuedAt := h.clock.Now().UTC().Truncate(time.Microsecond)
	got := app.tokens("user_ada")

	access := h.lookUp(got.AccessToken)
	require.False(t, access.GrantID.IsZero())
	want := provider.FoundToken{IssuedAt: issuedAt, Live: true, Token: provider.Token{
		UserID: "user_ada", ApplicationID: app.ID, GrantID: access.GrantID, Scopes: scopes.New("profile", "notes:read"), ExpiresAt: issuedAt.Add(2 * time.Hour),
	}}
	require.Equal(t, want, access)
	want.Refresh, want.ExpiresAt = true, issuedAt.Add(72*time.Hour)
	require.Equal(t, want, h.lookUp(got.RefreshToken))
	bound := app.tokens("user_ada", "resource", h.url+"/mcp")
	require.Equal(t, h.url+"/mcp", h.lookUp(bound.AccessToken).Resource)
	require.Equal(t, h.url+"/mcp", h.lookUp(bound.RefreshToken).Resource)

	app.refresh(got.RefreshToken).tokens(t) // Looking has not spent it.
	for _, text := range []string{"", "x", "oat_x", app.code("user_ada"), got.AccessToken + "x", app.secret} {
		_, err := h.LookupToken(ctx, text)
		require.ErrorIs(t, err, store.ErrNotFound, text)
	}
	_, err := newHost(t).LookupToken(ctx, got.AccessToken)
	require.ErrorIs(t, err, store.ErrNotFound, "another provider's")
}

// Each reason for which a token doesn't work is reported, and no other.
func TestLookupTokenSaysWhyATokenIsDead(t *testing.T) {
	type state struct{ Live, Expired, Revoked, Spent, UserGone bool }
	live := state{Live: true}
	for _, tt := range []struct {
		name            string
		do              func(h *host, app *application, got tokens)
		access, refresh state
	}{
		{"nothing", func(*host, *application, tokens) {}, live, live},
		{"refreshed", func(h *host, app *application, got tokens) { app.refresh(got.RefreshToken).tokens(h.t) }, live, state{Spent: true}},
		{"the access token is too old", func(h *host, _ *application, _ tokens) { h.clock.Add(2 * time.Hour) }, state{Expired: true}, live},
		{"a little younger", func(h *host, _ *application, _ tokens) { h.clock.Add(2*time.Hour - time.Second) }, live, live},
		{"both are too old", func(h *host, _ *application, _ tokens) { h.clock.Add(72 * time.Hour) }, state{Expired: true}, state{Expired: true}},
		{"revoked", func(h *host, _ *application, _ tokens) {
			require.NoError(h.t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"}))
		}, state{Revoked: true}, state{Revoked: true}},
		{"revoked, and too old", func(h *host, _ *application, _ tokens) {
			require.NoError(h.t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"}))
			h.clock.Add(2 * time.Hour)
		}, state{Revoked: true, Expired: true}, state{Revoked: true}},
		{"the application was deleted", func(h *host, app *application, _ tokens) {
			require.NoError(h.t, h.DeleteApplication(ctx, app.ID))
		}, state{Revoked: true}, state{Revoked: true}},
		{"the user is gone", func(h *host, _ *application, _ tokens) { delete(h.users, "user_ada") }, state{UserGone: true}, state{UserGone: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			app := h.application(provider.ApplicationSettings{})
			got := app.tokens("user_ada")
			tt.do(h, app, got)
			for token, want := range map[string]state{got.AccessToken: tt.access, got.RefreshToken: tt.refresh} {
				found := h.lookUp(token)
				require.Equal(t, want, state{found.Live, found.Expired, found.Revoked, found.Spent, found.UserGone})
				require.Equal(t, "user_ada", found.UserID)
				require.Equal(t, app.ID, found.ApplicationID)
				timed := !found.Refresh || found.Live || found.UserGone
				require.Equal(t, timed, !found.IssuedAt.IsZero())
				require.Equal(t, timed, !found.ExpiresAt.IsZero())
			}
		})
	}
}

// During an outage, a token is neither live nor unknown.
func TestLookupTokenReportsOutages(t *testing.T) {
	broken := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = broken })
	got := h.application(provider.ApplicationSettings{}).tokens("user_ada")
	h.down = errors.New("the users are on fire")
	_, err := h.LookupToken(ctx, got.AccessToken)
	require.ErrorIs(t, err, h.down)
	require.ErrorContains(t, err, "Config.Users")
	h.down = nil
	broken.Fail(errFire, "Find")
	_, err = h.LookupToken(ctx, got.AccessToken)
	require.ErrorIs(t, err, errFire)
	require.NotErrorIs(t, err, store.ErrNotFound)
	broken.Hang()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = h.LookupToken(canceled, got.AccessToken)
	require.ErrorIs(t, err, context.Canceled)
}
