package provider_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

var errFire = errors.New("dial tcp: the database is on fire")

// storeFaults lists how a step of the store can fail.
var storeFaults = map[string]func(s *storetest.Breakable, step string){
	"fails":         func(s *storetest.Breakable, step string) { s.Fail(errFire, step) },
	"never answers": func(s *storetest.Breakable, step string) { s.Hang(step) },
}

// A store that fails or hangs gives 503 everywhere, within StoreTimeout, and
// nothing is half done: when it is back, everything continues.
func TestStoreFaultsAre503AndLoseNothing(t *testing.T) {
	for name, fault := range storeFaults {
		t.Run(name, func(t *testing.T) {
			faulty := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store, c.StoreTimeout = faulty, 50*time.Millisecond })
			app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
			b := h.browser()
			b.signIn("user_ada")
			code, got := app.code("user_ada"), app.tokens("user_ada")
			page := b.get(app.request("prompt", "consent"))

			for _, tt := range []struct {
				step string
				send func() *reply
				page bool
			}{
				{"FindClient", func() *reply { return b.get(app.request()) }, true},
				{"FindConsent", func() *reply { return b.get(app.request()) }, true},
				{"Create", func() *reply { return b.answer(page, "allow") }, true},
				{"FindClient", func() *reply { return app.redeem(code) }, false},
				{"Find", func() *reply { return app.redeem(code) }, false},
				{"Replace", func() *reply { return app.redeem(code) }, false},
				{"Find", func() *reply { return app.refresh(got.RefreshToken) }, false},
				{"Replace", func() *reply { return app.refresh(got.RefreshToken) }, false},
				{"Find", func() *reply { return h.bearer("/oauth/userinfo", got.AccessToken) }, false},
				{"Find", func() *reply { return h.bearer("/api/notes", got.AccessToken) }, false},
				{"Find", func() *reply { return app.post("/oauth/token/revoke", "token", got.AccessToken) }, false},
				{"Replace", func() *reply { return app.post("/oauth/token/revoke", "token", got.AccessToken) }, false},
				{"Find", func() *reply { return app.post("/oauth/token_info", "token", got.AccessToken) }, false},
			} {
				fault(faulty, tt.step)
				started := time.Now()
				r := tt.send()
				require.Less(t, time.Since(started), 5*time.Second)
				if tt.page {
					r.errorPage(t, 503, "Try again")
				} else {
					r.refused(t, 503, "temporarily_unavailable")
				}
				require.Equal(t, "5", r.Header.Get("Retry-After"))
				require.NotContains(t, r.body, "fire")
				require.NotContains(t, r.body, "deadline")
			}
			require.Contains(t, h.log.String(), "level=ERROR")

			faulty.Heal()
			require.NotEmpty(t, b.answer(page, "allow").redirected(t).Get("code"))
			app.redeem(code).tokens(t)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			app.refresh(got.RefreshToken).tokens(t)
		})
	}
}

// A client that hangs up after sending its request, and tries again, gets the
// pair that it missed: its request was completed.
func TestHangingUpIsNotAReplay(t *testing.T) {
	faulty := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = faulty })
	app := h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")

	hangUp := make(chan struct{})
	rotated := make(chan error, 1)
	faulty.Before(func(ctx context.Context, step string) error {
		if step == "Replace" {
			close(hangUp)
			// The server has noticed the closed connection by now.
			time.Sleep(100 * time.Millisecond)
			rotated <- ctx.Err()
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	body := "grant_type=refresh_token&client_id=" + app.ClientID + "&client_secret=" + app.secret + "&refresh_token=" + got.RefreshToken
	r, err := http.NewRequestWithContext(ctx, "POST", h.url+"/oauth/token", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.eventKinds()
	failed := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(r)
		failed <- err
	}()
	<-hangUp
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.NoError(t, <-rotated, "the step must not be canceled with the request")

	faulty.Heal()
	require.Eventually(t, func() bool { return slices.Contains(h.eventKinds(), provider.EventTokenRefreshed) }, 5*time.Second, time.Millisecond)
	next := app.refresh(got.RefreshToken).tokens(t)
	require.Contains(t, h.eventKinds(), provider.EventTokenRetried)
	h.bearer("/oauth/userinfo", next.AccessToken).statusIs(t, 200)
	app.refresh(next.RefreshToken).tokens(t)
}

// How many calls of the store a request costs. Each is one round trip to a
// database.
func TestStoreStepsPerRequest(t *testing.T) {
	var steps []string
	counting := storetest.NewBreakable(memory.New())
	counting.Before(func(_ context.Context, step string) error {
		steps = append(steps, step)
		return nil
	})
	h := newHost(t, withKeys, withMachines, func(c *provider.Config) { c.Store = counting })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	signs, machine := h.keyed(), h.machine()
	b := h.browser()
	b.signIn("user_ada")
	require.NotEmpty(t, b.authorize(app.request()).Get("code"))
	code, got := app.code("user_ada"), app.tokens("user_ada")
	page := b.get(app.request("prompt", "consent"))
	first := h.browser()
	first.signIn("user_grace")
	firstPage := first.get(app.request())
	for _, tt := range []struct {
		name string
		send func() *reply
		want []string
	}{
		{"authorize", func() *reply { return b.get(app.request()) }, []string{"FindClient", "FindConsent", "Create"}},
		{"an answered page", func() *reply { return b.answer(page, "allow") }, []string{"FindClient", "FindConsent", "Replace", "Create"}},
		{"a first answered page", func() *reply { return first.answer(firstPage, "allow") }, []string{"FindClient", "FindConsent", "Create", "Create"}},
		{"token", func() *reply { return app.redeem(code) }, []string{"FindClient", "Find", "Replace"}},
		{"refresh", func() *reply { return app.refresh(got.RefreshToken) }, []string{"FindClient", "Find", "Replace"}},
		{"userinfo", func() *reply { return h.bearer("/oauth/userinfo", got.AccessToken) }, []string{"Find"}},
		{"guard", func() *reply { return h.bearer("/api/notes", got.AccessToken) }, []string{"Find"}},
		{"a machine's token", func() *reply { return machine.asMachine() }, []string{"FindClient", "FindConsent", "FindApplication", "Create"}},
		{"a mistyped token", func() *reply { return h.bearer("/api/notes", got.AccessToken+"x") }, nil},
		{"a key", func() *reply { return signs.asks(signs.assertion("1")) }, []string{"FindClient", "Create"}},
		{"a wrong assertion", func() *reply { return signs.asks(signs.assertion("1") + "x") }, []string{"FindClient"}},
		{"a mistyped code", func() *reply { return app.redeem(code + "x") }, []string{"FindClient"}},
	} {
		steps = nil
		r := tt.send()
		require.Less(t, r.StatusCode, 500)
		require.Equal(t, tt.want, steps, tt.name)
	}
}

// If a change between public and confidential can't revoke, nothing changes, so
// a retry revokes.
func TestSwitchThatCannotRevokeIsTriedAgain(t *testing.T) {
	faulty := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = faulty })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.tokens("user_ada")
	turn := func() error {
		_, err := h.UpdateApplication(context.Background(), app.ID, func(a *provider.ApplicationSettings) error {
			a.Public = true
			return nil
		})
		return err
	}
	down := errors.New("down")
	faulty.Fail(down, "CutOff")
	require.ErrorIs(t, turn(), down)
	kept, err := h.FindApplication(context.Background(), app.ID)
	require.NoError(t, err)
	require.False(t, kept.Public)
	faulty.Heal()
	require.NoError(t, turn())
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
}
