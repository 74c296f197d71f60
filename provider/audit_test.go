package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// Each change of an application is an event that says who made it; a failed one
// is not.
func TestChangesOfApplicationsAreAnAuditTrail(t *testing.T) {
	h := newHost(t)
	ctx := provider.WithActor(ctx, "user_root")
	app, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, OwnerID: "user_ada"})
	require.NoError(t, err)
	rename := func(s *provider.ApplicationSettings) error { s.Name = "Board"; return nil }
	_, err = h.UpdateApplication(ctx, app.ID, rename)
	require.NoError(t, err)
	_, err = h.UpdateApplication(ctx, app.ID, rename, 1)
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = h.AddSecret(ctx, app.ID, time.Now().Add(time.Hour))
	require.NoError(t, err)
	_, err = h.ReviewApplication(ctx, app.ID, true)
	require.NoError(t, err)
	_, err = h.ReviewApplication(ctx, app.ID, false)
	require.NoError(t, err)
	_, err = h.DisableApplication(ctx, app.ID, true)
	require.NoError(t, err)
	_, err = h.DisableApplication(ctx, app.ID, false)
	require.NoError(t, err)
	require.NoError(t, h.DeleteApplication(ctx, app.ID))

	want := []provider.EventKind{
		provider.EventApplicationCreated, provider.EventApplicationUpdated, provider.EventApplicationSecretAdded,
		provider.EventApplicationReviewed, provider.EventApplicationUnreviewed,
		provider.EventGrantRevoked, provider.EventApplicationDisabled, provider.EventGrantRevoked, provider.EventApplicationEnabled,
		provider.EventGrantRevoked, provider.EventApplicationDeleted,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.events, len(want))
	for i, e := range h.events {
		require.Equal(t, want[i], e.Kind)
		require.Equal(t, "user_root", e.Actor)
		require.Equal(t, app.ID, e.ApplicationID)
	}
}

// The host's calls at startup are events too, once for each change.
func TestEnsuredApplicationsAreAnAuditTrail(t *testing.T) {
	h := newHost(t)
	for _, name := range []string{"Wiki", "Wiki", "Board"} {
		h.ensure(provider.ApplicationSettings{Name: name}, firstSecret)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.events, 2)
	require.Equal(t, provider.EventApplicationCreated, h.events[0].Kind)
	require.Equal(t, provider.EventApplicationUpdated, h.events[1].Kind)
	require.Empty(t, h.events[0].Actor)
}

// A host that restarts, even with other settings, doesn't enable what was
// disabled.
func TestEnsuringDoesNotLetADisabledApplicationIn(t *testing.T) {
	h := newHost(t)
	s := provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}}
	app := h.ensure(s, firstSecret)
	_, err := h.DisableApplication(ctx, app.ID, true)
	require.NoError(t, err)
	s.Name = "Board"
	require.True(t, h.ensure(s, firstSecret).Disabled)
}
