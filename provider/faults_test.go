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
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// faultyStore runs before in front of every step that a request can cause, and
// fails the step with what it returns.
type faultyStore struct {
	store.Store
	before func(ctx context.Context, step string) error
}

func (s *faultyStore) step(ctx context.Context, name string) error {
	if s.before == nil {
		return nil
	}
	return s.before(ctx, name)
}

func (s *faultyStore) FindClient(ctx context.Context, id string) (store.Application, error) {
	if err := s.step(ctx, "FindClient"); err != nil {
		return store.Application{}, err
	}
	return s.Store.FindClient(ctx, id)
}

func (s *faultyStore) CreateGrant(ctx context.Context, n store.NewGrant) error {
	if err := s.step(ctx, "CreateGrant"); err != nil {
		return err
	}
	return s.Store.CreateGrant(ctx, n)
}

func (s *faultyStore) RedeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
	if err := s.step(ctx, "RedeemCode"); err != nil {
		return store.Issued{}, err
	}
	return s.Store.RedeemCode(ctx, r)
}

func (s *faultyStore) RotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
	if err := s.step(ctx, "RotateRefresh"); err != nil {
		return store.Issued{}, err
	}
	return s.Store.RotateRefresh(ctx, r)
}

func (s *faultyStore) RevokeGrants(ctx context.Context, f store.GrantFilter, at time.Time) (int, error) {
	if err := s.step(ctx, "RevokeGrants"); err != nil {
		return 0, err
	}
	return s.Store.RevokeGrants(ctx, f, at)
}

func (s *faultyStore) FindToken(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
	if err := s.step(ctx, "FindToken"); err != nil {
		return store.Token{}, store.Grant{}, err
	}
	return s.Store.FindToken(ctx, k)
}

func (s *faultyStore) FindConsent(ctx context.Context, userID, applicationID string) (store.Consent, error) {
	if err := s.step(ctx, "FindConsent"); err != nil {
		return store.Consent{}, err
	}
	return s.Store.FindConsent(ctx, userID, applicationID)
}

func (s *faultyStore) RevokeToken(ctx context.Context, r store.TokenRevocation) error {
	if err := s.step(ctx, "RevokeToken"); err != nil {
		return err
	}
	return s.Store.RevokeToken(ctx, r)
}

// A store that fails, and one that never answers, gives 503 everywhere, within
// StoreTimeout, and nothing is half done: when it is back, all goes on.
func TestStoreFaultsAre503AndLoseNothing(t *testing.T) {
	for name, fault := range map[string]func(context.Context) error{
		"fails":         func(context.Context) error { return errors.New("dial tcp: the database is on fire") },
		"never answers": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			faulty := &faultyStore{Store: memory.New()}
			h := newHost(t, func(c *provider.Config) { c.Store, c.StoreTimeout = faulty, 50*time.Millisecond })
			app := h.application(provider.NewApplication{Scopes: "profile email notes:read"})
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
				{"CreateGrant", func() *reply { return b.answer(page, "allow") }, true},
				{"FindClient", func() *reply { return app.redeem(code) }, false},
				{"RedeemCode", func() *reply { return app.redeem(code) }, false},
				{"RotateRefresh", func() *reply { return app.refresh(got.RefreshToken) }, false},
				{"FindToken", func() *reply { return h.bearer("/oauth/userinfo", got.AccessToken) }, false},
				{"FindToken", func() *reply { return h.bearer("/api/notes", got.AccessToken) }, false},
				{"FindToken", func() *reply { return app.post("/oauth/token/revoke", "token", got.AccessToken) }, false},
				{"RevokeToken", func() *reply { return app.post("/oauth/token/revoke", "token", got.AccessToken) }, false},
				{"FindToken", func() *reply { return app.post("/oauth/token_info", "token", got.AccessToken) }, false},
			} {
				faulty.before = func(ctx context.Context, step string) error {
					if step == tt.step {
						return fault(ctx)
					}
					return nil
				}
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

			faulty.before = nil
			require.NotEmpty(t, b.answer(page, "allow").redirected(t).Get("code"))
			app.redeem(code).tokens(t)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			app.refresh(got.RefreshToken).tokens(t)
		})
	}
}

// A client that hangs up after its request was sent, and asks again, gets the
// pair that it missed: its request is not given up half way.
func TestHangingUpIsNotAReplay(t *testing.T) {
	faulty := &faultyStore{Store: memory.New()}
	h := newHost(t, func(c *provider.Config) { c.Store = faulty })
	app := h.application(provider.NewApplication{})
	got := app.tokens("user_ada")

	hangUp := make(chan struct{})
	rotated := make(chan error, 1)
	faulty.before = func(ctx context.Context, step string) error {
		if step == "RotateRefresh" {
			close(hangUp)
			// The server notices the closed connection by now.
			time.Sleep(100 * time.Millisecond)
			rotated <- ctx.Err()
		}
		return nil
	}
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
	require.NoError(t, <-rotated, "the step must not be cancelled with the request")

	faulty.before = nil
	require.Eventually(t, func() bool { return slices.Contains(h.eventKinds(), provider.EventTokenRefreshed) }, 5*time.Second, time.Millisecond)
	next := app.refresh(got.RefreshToken).tokens(t)
	require.Contains(t, h.eventKinds(), provider.EventTokenRetried)
	h.bearer("/oauth/userinfo", next.AccessToken).statusIs(t, 200)
	app.refresh(next.RefreshToken).tokens(t)
}

// What a request costs in calls to the store, each of which is one round trip
// where the store is a database.
func TestStoreStepsPerRequest(t *testing.T) {
	var steps []string
	counting := &faultyStore{Store: memory.New()}
	counting.before = func(_ context.Context, step string) error {
		steps = append(steps, step)
		return nil
	}
	h := newHost(t, func(c *provider.Config) { c.Store = counting })
	app := h.application(provider.NewApplication{Scopes: "profile notes:read"})
	b := h.browser()
	b.signIn("user_ada")
	require.NotEmpty(t, b.authorize(app.request()).Get("code"))
	code, got := app.code("user_ada"), app.tokens("user_ada")
	for _, tt := range []struct {
		name string
		send func() *reply
		want []string
	}{
		{"authorize", func() *reply { return b.get(app.request()) }, []string{"FindClient", "FindConsent", "CreateGrant"}},
		{"token", func() *reply { return app.redeem(code) }, []string{"FindClient", "RedeemCode"}},
		{"refresh", func() *reply { return app.refresh(got.RefreshToken) }, []string{"FindClient", "RotateRefresh"}},
		{"userinfo", func() *reply { return h.bearer("/oauth/userinfo", got.AccessToken) }, []string{"FindToken"}},
		{"guard", func() *reply { return h.bearer("/api/notes", got.AccessToken) }, []string{"FindToken"}},
		{"a mistyped token", func() *reply { return h.bearer("/api/notes", got.AccessToken+"x") }, nil},
		{"a mistyped code", func() *reply { return app.redeem(code + "x") }, []string{"FindClient"}},
	} {
		steps = nil
		r := tt.send()
		require.Less(t, r.StatusCode, 500)
		require.Equal(t, tt.want, steps, tt.name)
	}
}

// A switch between public and confidential that could not revoke has not
// happened, so that trying again revokes.
func TestSwitchThatCannotRevokeIsTriedAgain(t *testing.T) {
	faulty := &faultyStore{Store: memory.New()}
	h := newHost(t, func(c *provider.Config) { c.Store = faulty })
	app := h.application(provider.NewApplication{Scopes: "notes:read"})
	got := app.tokens("user_ada")
	turn := func() error {
		_, err := h.UpdateApplication(context.Background(), app.ID, func(a *store.Application) error {
			a.Public = true
			return nil
		})
		return err
	}
	down := errors.New("down")
	faulty.before = func(_ context.Context, step string) error {
		if step == "RevokeGrants" {
			return down
		}
		return nil
	}
	require.ErrorIs(t, turn(), down)
	kept, err := h.FindApplication(context.Background(), app.ID)
	require.NoError(t, err)
	require.False(t, kept.Public)
	faulty.before = nil
	require.NoError(t, turn())
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
}
