package faults

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store"
)

// Erasing a user is one call on every backend, and so is exporting everything
// stored about one. A day after the erasure, nothing is left.
func TestErasedUser(t *testing.T) {
	for _, kind := range []string{"postgres", "mysql", "sqlite", "redis"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			at := newTarget(t, kind)
			kept, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			now := time.Now()
			h := providertest.New(t, func(c *provider.Config) {
				c.Store = kept
				c.Now = func() time.Time { return now }
			})
			app, _, err := h.Provider.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", OwnerID: "user_ada"})
			require.NoError(t, err)
			const signIns = 120 // more than one page
			var token provider.Secret
			for range signIns {
				_, token, err = h.Provider.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Scopes: []string{"email"}})
				require.NoError(t, err)
			}
			var b bytes.Buffer
			require.NoError(t, h.Provider.ExportUser(t.Context(), "user_ada", &b))
			require.Equal(t, 1+signIns, bytes.Count(b.Bytes(), []byte(app.ID)), "sign-ins and the application")

			require.NoError(t, h.Provider.EraseUser(t.Context(), "user_ada"))
			_, err = h.Provider.Verify(t.Context(), token.Reveal())
			require.ErrorIs(t, err, provider.ErrInvalidToken)
			removed := 0
			for range 3 {
				now = now.Add(26 * time.Hour)
				n, err := h.Provider.Cleanup(t.Context())
				require.NoError(t, err)
				removed += n
			}
			require.Equal(t, signIns+1, removed, "the sign-ins and the cut-off")
			_, cuts, err := kept.FindConsent(t.Context(), "user_ada", app.ID, "")
			require.NoError(t, err)
			require.Zero(t, cuts)
			left, err := kept.FindApplication(t.Context(), app.ID)
			require.NoError(t, err)
			require.Empty(t, left.OwnerID)
			page, _, err := kept.List(t.Context(), store.Query{Kind: store.KindGrant, UserID: "user_ada", Limit: 10})
			require.NoError(t, err)
			require.Empty(t, page)
		})
	}
}
