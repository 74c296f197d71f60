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

func TestRefreshRotates(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	first := app.tokens("user_ada")
	h.eventKinds()
	h.clock.Add(time.Hour)
	second := app.refresh(first.RefreshToken).tokens(t)
	require.NotEqual(t, first.AccessToken, second.AccessToken)
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.EqualValues(t, 7200, second.ExpiresIn)
	require.Equal(t, "email profile", second.Scope)
	require.Equal(t, []provider.EventKind{provider.EventTokenRefreshed}, h.eventKinds())
	// Access tokens live until their own end.
	require.Equal(t, 200, h.bearer("/oauth/userinfo", first.AccessToken).StatusCode)
	require.Equal(t, 200, h.bearer("/oauth/userinfo", second.AccessToken).StatusCode)
}

// A refresh needs the client's own authentication and is bound to it (RFC 6749
// section 6).
func TestRefreshIsBoundToItsClient(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})
	got := app.tokens("user_ada")
	other.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	public.refresh(got.RefreshToken, "client_secret", "").refused(t, 400, "invalid_grant")
	app.refresh(got.RefreshToken, "client_secret", "wrong").refused(t, 401, "invalid_client")
	app.refresh(got.RefreshToken, "client_secret", "").refused(t, 401, "invalid_client")
	app.refresh(got.AccessToken).refused(t, 400, "invalid_grant")
	app.refresh("nonsense").refused(t, 400, "invalid_grant")
	app.refresh("").refused(t, 400, "invalid_request")
	require.Equal(t, 200, h.bearer("/oauth/userinfo", got.AccessToken).StatusCode)
	app.refresh(got.RefreshToken).tokens(t)
}

func TestRefreshNeverWidensScope(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
	got := app.tokens("user_ada", "scope", "profile email")

	app.refresh(got.RefreshToken, "scope", "profile notes:read").refused(t, 400, "invalid_scope")
	app.refresh(got.RefreshToken, "scope", "profile  email").refused(t, 400, "invalid_scope")

	narrow := app.refresh(got.RefreshToken, "scope", "profile offline_access").tokens(t)
	require.Equal(t, "profile", narrow.Scope)
	require.NotContains(t, h.bearer("/oauth/userinfo", narrow.AccessToken).body, "ada@example.com")
	// The refresh token keeps what was granted (RFC 6749 section 6).
	wide := app.refresh(narrow.RefreshToken).tokens(t)
	require.Equal(t, "email profile", wide.Scope)
}

// RFC 9700 section 4.14.2: rotation, that no honest client trips over.
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

	// Asking for something else is refused, and ends nothing.
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, 200, h.bearer("/oauth/userinfo", second.AccessToken).StatusCode)
}

// RFC 9700 section 4.14.2.
func TestReplayAfterTheGraceRevokesTheGrant(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	first := app.tokens("user_ada")
	second := app.refresh(first.RefreshToken).tokens(t)
	h.clock.Add(30*time.Second + time.Microsecond)
	h.eventKinds()
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())
	h.bearer("/oauth/userinfo", second.AccessToken).refused(t, 401, "invalid_token")
	app.refresh(second.RefreshToken).refused(t, 400, "invalid_grant")
}

// RFC 9700 section 4.14.2.
func TestReplayAfterTheSuccessorWasUsedRevokesTheGrant(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	first := app.tokens("user_ada")
	second := app.refresh(first.RefreshToken).tokens(t)
	third := app.refresh(second.RefreshToken).tokens(t)
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
	app.refresh(third.RefreshToken).refused(t, 400, "invalid_grant")
}

func TestTheShortestGraceGivesOneSuccess(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Lifetimes.Grace = time.Nanosecond })
	app := h.application(provider.ApplicationSettings{})
	first := app.tokens("user_ada")
	second := app.refresh(first.RefreshToken).tokens(t)
	h.clock.Add(time.Microsecond)
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
	app.refresh(second.RefreshToken).refused(t, 400, "invalid_grant")
}

func TestRefreshTokenExpiresAfter72HoursOfRest(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")
	for range 3 {
		h.clock.Add(72*time.Hour - time.Microsecond)
		got = app.refresh(got.RefreshToken).tokens(t)
	}
	h.clock.Add(72 * time.Hour)
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
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

	// What could not be answered is not lost.
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
