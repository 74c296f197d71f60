package provider_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A store that fails or hangs at any step of the device grant gives 503, and
// nothing is half done: the same request succeeds when it is back.
func TestDeviceFaultsAre503AndLoseNothing(t *testing.T) {
	for name, fault := range storeFaults {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newDeviceHost(t, func(c *provider.Config) { c.Store, c.StoreTimeout = kept, 50*time.Millisecond })
			tv, b := h.television(), h.signedIn("user_ada")
			d := tv.device()
			form := b.enter(d.CompleteURI).form(t, "allow")
			ask := func() *reply { return tv.post("/oauth/device_authorization") }
			post := func() *reply { return b.post(devicePath, form) }
			look := func() *reply { return b.enter(d.CompleteURI) }
			poll := func() *reply { return d.poll() }
			broken := func(page bool, steps []string, send func() *reply) {
				t.Helper()
				for _, step := range steps {
					fault(kept, step)
					r := send()
					if page {
						r.errorPage(t, 503, "Try again")
					} else {
						r.refused(t, 503, "temporarily_unavailable")
					}
					require.Equal(t, "5", r.Header.Get("Retry-After"))
					require.NotContains(t, r.body, "fire")
				}
				kept.Heal()
			}
			broken(false, []string{"FindClient", "Create"}, ask)
			broken(false, []string{"FindClient", "Find", "Replace"}, poll)
			poll().refused(t, 400, "authorization_pending")
			// More often than the limit on guesses, because a fault isn't a
			// wrong code.
			for range 12 {
				broken(true, []string{"Find"}, look)
			}
			broken(true, []string{"Find", "FindApplication"}, look)
			broken(true, []string{"Find", "FindApplication", "FindConsent", "Create", "Replace"}, post)
			h.clock.Add(5 * time.Second)
			poll().refused(t, 400, "authorization_pending")
			h.eventKinds()
			require.Equal(t, http.StatusSeeOther, post().StatusCode, "the very same form")
			require.Empty(t, h.eventKinds(), "the grant was there already")
			broken(false, []string{"Find", "Replace"}, poll)
			got := poll().tokens(t)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			require.Len(t, tv.liveGrants(), 1)
		})
	}
}

// If the user allowed a grant but the device was never told, no one can redeem
// the grant, and it is deleted.
func TestGrantOfAnUnansweredDeviceFormGoesAway(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	form := b.enter(d.CompleteURI).form(t, "allow")
	kept.Fail(errFire, "Replace")
	b.post(devicePath, form).errorPage(t, 503, "")
	kept.Heal()
	require.Len(t, tv.liveGrants(), 1)
	d.poll().refused(t, 400, "authorization_pending")
	// Another answer is still possible, and counts.
	form.Set("decision", "deny")
	require.Equal(t, http.StatusSeeOther, b.post(devicePath, form).StatusCode)
	d.poll().refused(t, 400, "access_denied")
	h.clock.Add(15 * time.Minute)
	_, err := h.Cleanup(ctx)
	require.NoError(t, err)
	require.Empty(t, tv.liveGrants())
}

// If a user decides too late, after another user or after the code expired, the
// resulting grant is revoked.
func TestGrantOfALateDecisionIsRevoked(t *testing.T) {
	for name, meanwhile := range map[string]func(h *host, d device){
		"another user has said no": func(h *host, d device) {
			b := h.signedIn("user_grace")
			b.post(devicePath, b.enter(d.CompleteURI).form(h.t, "deny")).statusIs(h.t, http.StatusSeeOther)
		},
		"the device is gone": func(h *host, _ device) {
			h.clock.Add(20 * time.Minute)
			_, err := h.Cleanup(ctx)
			require.NoError(h.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
			tv, b := h.television(), h.signedIn("user_ada")
			d := tv.device()
			form := b.enter(d.CompleteURI).form(t, "allow")
			kept.Once("Replace", func() { meanwhile(h, d) })
			h.eventKinds()
			b.post(devicePath, form).errorPage(t, 400, wrongCode)
			require.Empty(t, tv.liveGrants())
			require.Subset(t, h.eventKinds(), []provider.EventKind{provider.EventGrantCreated, provider.EventGrantRevoked})

			d = tv.device()
			form = b.enter(d.CompleteURI).form(t, "allow")
			kept.Once("Replace", func() {
				meanwhile(h, d)
				kept.Fail(errFire, "End")
			})
			b.post(devicePath, form).errorPage(t, 503, "")
		})
	}
}

// If a user code is taken, another one is generated, but only a few times.
func TestTakenUserCodeIsDrawnAgain(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv := h.television()
	taken := 3
	kept.Before(func(_ context.Context, step string) error {
		if step != "Create" {
			return nil
		}
		if taken--; taken >= 0 {
			return store.ErrExists
		}
		return nil
	})
	tv.device().poll().refused(t, 400, "authorization_pending")
	taken = 1000
	tv.post("/oauth/device_authorization").refused(t, 503, "temporarily_unavailable")
	require.Equal(t, 995, taken)
}

// How many calls of the store the grant costs.
func TestDeviceStoreSteps(t *testing.T) {
	var steps []string
	kept := storetest.NewBreakable(memory.New())
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv, b := h.television(), h.signedIn("user_ada")
	kept.Before(func(_ context.Context, step string) error {
		steps = append(steps, step)
		return nil
	})
	did := func(want ...string) {
		t.Helper()
		require.Equal(t, want, steps)
		steps = nil
	}
	d := tv.device()
	did("FindClient", "Create")
	d.poll()
	did("FindClient", "Find", "Replace")
	b.get(d.CompleteURI)
	require.Empty(t, steps, "a link looks nothing up")
	page := b.enter(d.CompleteURI)
	did("Find", "FindApplication", "FindConsent")
	b.post(devicePath, page.form(t, "allow"))
	did("Find", "FindApplication", "FindConsent", "Create", "Create", "Replace")
	d.poll()
	did("FindClient", "Find", "Find", "Replace")
	b.enter(h.url + devicePath + "?user_code=BBBB")
	require.Empty(t, steps, "what cannot be a code costs no lookup")
}
