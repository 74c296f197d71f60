package provider_test

import (
	"context"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// A record that can't be read is a fault of the host, not a missing record: no
// one is signed out by it, it can still be revoked, and once it is repaired,
// its tokens work again.
func TestDamagedGrantSignsNoOneOut(t *testing.T) {
	for name, damage := range map[string]string{
		"empty":           "",
		"a later version": "\xff\x01\x02\x03",
		"noise":           "what is this?",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			ctx := context.Background()
			app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
			got := app.tokens("user_ada")
			other := app.tokens("user_grace")
			id := h.grantsOf("user_ada")[0].ID
			whole, _, err := h.store.Find(ctx, id)
			require.NoError(t, err)
			mark := whole.Mark
			write := func(state string) {
				d := whole
				d.State, d.Mark = state, mark+2
				require.NoError(t, h.store.Replace(ctx, d, mark))
				mark = d.Mark
			}

			write(damage)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 503)
			h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 503)
			app.refresh(got.RefreshToken).refused(t, 503, "temporarily_unavailable")
			h.bearer("/api/notes", other.AccessToken).statusIs(t, 200)
			_, _, err = h.ListGrants(ctx, provider.GrantFilter{UserID: "user_ada"}, "", 0)
			require.Error(t, err, "a list with a gap would look complete")

			write(whole.State)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			next := app.refresh(got.RefreshToken).tokens(t)

			whole, _, err = h.store.Find(ctx, id)
			require.NoError(t, err)
			mark = whole.Mark
			write(damage)
			require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"}))
			write(whole.State)
			h.bearer("/api/notes", next.AccessToken).statusIs(t, 401)
			h.bearer("/api/notes", other.AccessToken).statusIs(t, 200)

			// It can also be revoked by its ID, but not with another user's ID.
			last := app.tokens("user_ada")
			whole, _, err = h.store.Find(ctx, h.grantsOf("user_ada")[0].ID)
			require.NoError(t, err)
			mark = whole.Mark
			write(damage)
			require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: whole.ID, UserID: "user_grace"}))
			write(whole.State)
			h.bearer("/api/notes", last.AccessToken).statusIs(t, 200)
			write(damage)
			require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: whole.ID}))
			ended, _, err := h.store.Find(ctx, whole.ID)
			require.NoError(t, err)
			require.False(t, ended.EndedAt.IsZero())
		})
	}
}

// An attacker who has seen a token knows its grant, but not the other secrets:
// forged tokens end nothing.
func TestForgedTokensEndNoGrant(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	got := app.tokens("user_ada")
	for _, token := range []string{got.AccessToken, got.RefreshToken} {
		for i := range token {
			forged := token[:i] + string(token[i]^1) + token[i+1:]
			app.refresh(forged).refused(t, 400, "invalid_grant")
			h.bearer("/api/notes", forged).statusIs(t, 401)
		}
	}
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	app.refresh(got.RefreshToken).tokens(t)
	require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
}

// A forged cursor is refused or finds nothing; it never shows what the filter
// excludes.
func TestForgedCursorsShowNothingElse(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	app.tokens("user_ada")
	app.tokens("user_grace")
	list := func(after string, limit int) ([]provider.Grant, error) {
		page, _, err := h.ListGrants(context.Background(), provider.GrantFilter{UserID: "user_ada"}, after, limit)
		return page, err
	}
	for _, after := range []string{"x", "====", "AAAA", string(make([]byte, 9000))} {
		_, err := list(after, 0)
		require.ErrorContains(t, err, "the cursor after")
	}
	_, err := list("", -1)
	require.ErrorContains(t, err, "negative")
	for _, fill := range []byte{0, 0x7f, 0x80, 0xff} {
		raw := make([]byte, 8+len(store.ID{}))
		for i := range raw {
			raw[i] = fill
		}
		page, _ := list(base64.RawURLEncoding.EncodeToString(raw), 1<<40)
		for _, g := range page {
			require.Equal(t, "user_ada", g.UserID)
		}
	}
	page, err := list("", 1<<40)
	require.NoError(t, err)
	require.Len(t, page, 1)
}
