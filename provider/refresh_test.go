package provider_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// Of many parallel refreshes one rotates and the others are retries, according
// to the events, and all get the pair of the one chain.
func TestParallelRefreshesGetEqualPairsAndOneChain(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Public: true})
	first := app.tokens("user_ada")
	h.eventKinds()
	pairs := make([]tokens, 64)
	var wg sync.WaitGroup
	for i := range pairs {
		wg.Go(func() {
			r := app.refresh(first.RefreshToken)
			if r.StatusCode != 200 {
				t.Errorf("status %d: %s", r.StatusCode, r.body)
				return
			}
			pairs[i] = r.tokens(t)
		})
	}
	wg.Wait()
	for _, pair := range pairs {
		require.Equal(t, pairs[0].AccessToken, pair.AccessToken)
		require.Equal(t, pairs[0].RefreshToken, pair.RefreshToken)
	}
	counts := map[provider.EventKind]int{}
	for _, kind := range h.eventKinds() {
		counts[kind]++
	}
	require.Equal(t, map[provider.EventKind]int{provider.EventTokenRefreshed: 1, provider.EventTokenRetried: 63}, counts)
	app.refresh(pairs[0].RefreshToken).tokens(t)
}

func TestLostAnswerCanBeAskedForAgain(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	first := app.tokens("user_ada")
	second := app.refresh(first.RefreshToken, "scope", "email").tokens(t)
	h.clock.Add(30 * time.Second)
	again := app.refresh(first.RefreshToken, "scope", "email").tokens(t)
	require.Equal(t, second.AccessToken, again.AccessToken)
	require.Equal(t, second.RefreshToken, again.RefreshToken)
	require.Equal(t, "email", again.Scope)
	require.EqualValues(t, 7170, again.ExpiresIn, "what remains")

	// A retry with another scope is refused, and revokes nothing.
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, 200, h.bearer("/oauth/userinfo", second.AccessToken).StatusCode)
}

func TestGrantLifetimeEndsTheSignIn(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Lifetimes.Grant = 3 * time.Hour })
	app := h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")
	h.clock.Add(2 * time.Hour)
	got = app.refresh(got.RefreshToken).tokens(t)
	require.EqualValues(t, 3600, got.ExpiresIn)
	h.clock.Add(time.Hour)
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
}

func TestRefreshEndsWhenTheUserIsGone(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")

	h.mu.Lock()
	h.down = context.DeadlineExceeded
	h.mu.Unlock()
	r := app.refresh(got.RefreshToken)
	r.refused(t, 503, "temporarily_unavailable")
	require.Equal(t, "5", r.Header.Get("Retry-After"))

	// A lost answer can be requested again.
	h.mu.Lock()
	h.down = nil
	h.mu.Unlock()
	got = app.refresh(got.RefreshToken).tokens(t)

	h.mu.Lock()
	delete(h.users, "user_ada")
	h.mu.Unlock()
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
}
