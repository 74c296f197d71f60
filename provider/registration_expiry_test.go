package provider_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

const day = 24 * time.Hour

// cleanup runs a Cleanup and returns how many applications are left.
func (h *host) cleanup(t testing.TB) int {
	t.Helper()
	_, err := h.Cleanup(ctx)
	require.NoError(t, err)
	return h.applications(t)
}

func (h *host) lastUsed(t testing.TB, app *application) time.Time {
	t.Helper()
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	return kept.UpdatedAt
}

func TestUnusedSelfRegisteredApplicationsExpire(t *testing.T) {
	for name, tt := range map[string]struct{ set, after time.Duration }{"by default": {0, 90 * day}, "as configured": {10 * day, 10 * day}} {
		t.Run(name, func(t *testing.T) {
			h := newOpenHost(t, func(c *provider.Config) { c.Registration.ExpireAfter = tt.set })
			app, token := h.clientOf(h.register(native))
			h.application(provider.ApplicationSettings{})
			h.clock.Add(tt.after)
			require.Equal(t, 2, h.cleanup(t), "not before its time")
			h.clock.Add(time.Microsecond)
			h.eventKinds()
			n, err := h.Cleanup(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, 1, h.applications(t), "what the host made stays")
			require.Equal(t, []provider.EventKind{provider.EventApplicationDeleted}, h.eventKinds())
			h.manage("GET", app.ClientID, token, "").refused(t, 401, "invalid_token")
			h.browser().get(app.request()).errorPage(t, 400, "not registered")
		})
	}
}

func TestApplicationsStayWhileRegistrationIsOff(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	selfRegistered(t, h, app)
	h.clock.Add(1000 * day)
	require.Equal(t, 1, h.cleanup(t))
	_, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	h.signedIn("user_ada").get(app.request()).errorPage(t, 400, "no longer accepts")
}

// A popular application costs one write a day.
func TestUseIsNotedOnceADay(t *testing.T) {
	for name, tt := range map[string]struct{ after, every time.Duration }{"long": {90 * day, day}, "short": {5 * day, day / 2}} {
		t.Run(name, func(t *testing.T) {
			h := newOpenHost(t, func(c *provider.Config) { c.Registration.ExpireAfter = tt.after })
			app, _ := h.clientOf(h.register(native))
			h.clock.Add(tt.every)
			app.code("user_ada")
			require.Equal(t, app.UpdatedAt, h.lastUsed(t, app))
			h.clock.Add(time.Microsecond)
			app.code("user_ada")
			noted := h.lastUsed(t, app)
			require.Equal(t, app.UpdatedAt.Add(tt.every+time.Microsecond), noted)
			h.clock.Add(tt.every)
			app.code("user_ada")
			require.Equal(t, noted, h.lastUsed(t, app))
			manual := h.application(provider.ApplicationSettings{Public: true})
			h.clock.Add(tt.every + time.Second)
			manual.code("user_ada")
			require.Equal(t, manual.UpdatedAt, h.lastUsed(t, manual), "the host's own are not touched")
		})
	}
}

// An application that is used now and then is never deleted.
func TestUsedApplicationsStay(t *testing.T) {
	h := newOpenHost(t)
	app, token := h.clientOf(h.register(native))
	for range 5 {
		h.clock.Add(80 * day)
		app.tokens("user_ada")
		require.Equal(t, 1, h.cleanup(t))
	}
	h.clock.Add(80 * day)
	h.manage("PUT", app.ClientID, token, with(app, native)).registered(t, 200)
	h.clock.Add(80 * day)
	require.Equal(t, 1, h.cleanup(t), "a change is a use")
	h.clock.Add(11 * day)
	require.Zero(t, h.cleanup(t))
}

// A sign-in can be refreshed for longer than ExpireAfter.
func TestApplicationsWithAGrantStay(t *testing.T) {
	h := newOpenHost(t, func(c *provider.Config) { c.Registration.ExpireAfter = 10 * day })
	app, _ := h.clientOf(h.register(native))
	got := app.tokens("user_ada")
	for range 30 {
		h.clock.Add(2 * day)
		got = app.refresh(got.RefreshToken).tokens(t)
		require.Equal(t, 1, h.cleanup(t))
	}
	h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
	h.clock.Add(2 * day)
	require.Equal(t, 1, h.cleanup(t))
	h.clock.Add(10 * day)
	require.Zero(t, h.cleanup(t), "the grant has ended")
}

// Applications with a grant don't keep Cleanup from the others, and one call is
// bounded.
func TestCleanupOfManyApplicationsIsBounded(t *testing.T) {
	h := newOpenHost(t)
	for range 3 {
		app, _ := h.clientOf(h.register(native))
		_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Lifetime: 1000 * day})
		require.NoError(t, err)
	}
	h.clock.Add(time.Second)
	for range 1100 {
		h.register(native).statusIs(t, 201)
	}
	h.clock.Add(91 * day)
	require.Equal(t, 3+1100-997, h.cleanup(t))
	require.Equal(t, 3, h.cleanup(t))
}

func TestCleanupTellsWhatTheStoreSays(t *testing.T) {
	broken := errors.New("the store is down")
	h := newOpenHost(t, func(c *provider.Config) { c.Store = storetest.NewBreakable(c.Store) })
	s := h.store.(*storetest.Breakable)
	app, _ := h.clientOf(h.register(native))
	h.clock.Add(91 * day)
	for _, step := range []string{"ListApplications", "List", "UpdateApplication", "DeleteApplication"} {
		s.Fail(broken, step)
		_, err := h.Cleanup(ctx)
		require.ErrorIs(t, err, broken, step)
	}
	// Half deleted, it can't be used; the next call completes the deletion.
	s.Heal()
	b := h.browser()
	b.signIn("user_ada")
	b.answer(b.get(app.request()), "allow").errorPage(t, 400, "not registered")
	require.Zero(t, h.cleanup(t))

	app, _ = h.clientOf(h.register(native))
	h.clock.Add(2 * day)
	page := b.get(app.request())
	s.Fail(broken, "UpdateApplication")
	b.answer(page, "allow").errorPage(t, 503, "cannot answer")
}

// An application that was deleted between the page and its answer is refused.
func TestSignInToADeletedApplicationIsRefused(t *testing.T) {
	h := newOpenHost(t)
	app, token := h.clientOf(h.register(native))
	h.clock.Add(2 * day)
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request())
	h.manage("DELETE", app.ClientID, token, "").statusIs(t, 204)
	b.answer(page, "allow").errorPage(t, 400, "not registered")
	require.Empty(t, h.grantsOf("user_ada"))
}

// Of a concurrent sign-in and expiry only one succeeds: if a user gets a code,
// the application exists, and no one gets a code of a deleted application.
func TestExpiryRacesWithUse(t *testing.T) {
	h := newOpenHost(t)
	for i := range 60 {
		app, _ := h.clientOf(h.register(native))
		b := h.browser()
		h.clock.Add(91 * day)
		b.signIn("user_ada")
		page := b.get(app.request())
		var answer *reply
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if i%3 == 0 {
					time.Sleep(time.Duration(i) * 10 * time.Microsecond)
				}
				if _, err := h.Cleanup(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() { answer = b.answer(page, "allow") })
		wg.Wait()
		if answer.StatusCode != 303 {
			answer.errorPage(t, 400, "not registered")
			require.Zero(t, h.applications(t))
			continue
		}
		code := answer.redirected(t).Get("code")
		require.NotEmpty(t, code)
		app.redeem(code).tokens(t)
		require.NoError(t, h.DeleteApplication(ctx, app.ID))
	}
}

// Many parallel sign-ins to an idle application cost one write.
func TestUseIsNotedOnceByMany(t *testing.T) {
	const many = 32
	kept := storetest.NewBreakable(memory.New())
	h := newOpenHost(t, func(c *provider.Config) { c.Store = kept })
	app, _ := h.clientOf(h.register(native))
	h.clock.Add(2 * day)
	var browsers [many]*browser
	var pages [many]*reply
	for i := range many {
		browsers[i] = h.browser()
		browsers[i].signIn("user_ada")
		pages[i] = browsers[i].get(app.request())
	}
	// No one leaves FindClient until all have read.
	var gate sync.WaitGroup
	gate.Add(many)
	kept.After(func(_ context.Context, step string) error {
		if step == "FindClient" {
			gate.Done()
			gate.Wait()
		}
		return nil
	})
	var wg sync.WaitGroup
	for i := range many {
		form := pages[i].form(t, "allow")
		wg.Go(func() {
			if r := browsers[i].post("/oauth/authorize", form); r.StatusCode != 303 {
				t.Error(r.Status, r.body)
			}
		})
	}
	wg.Wait()
	noted, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2, noted.Version)
}
