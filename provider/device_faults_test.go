package provider_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// faultyDevices is a faultyStore that has devices too.
type faultyDevices struct {
	*faultyStore
	devices store.Devices
}

func newFaultyDevices() *faultyDevices {
	kept := memory.New()
	return &faultyDevices{&faultyStore{Store: kept}, kept}
}

func (s *faultyDevices) FindApplication(ctx context.Context, id string) (store.Application, error) {
	if err := s.step(ctx, "FindApplication"); err != nil {
		return store.Application{}, err
	}
	return s.Store.FindApplication(ctx, id)
}

func (s *faultyDevices) CreateDevice(ctx context.Context, d store.Device) error {
	if err := s.step(ctx, "CreateDevice"); err != nil {
		return err
	}
	return s.devices.CreateDevice(ctx, d)
}

func (s *faultyDevices) FindDevice(ctx context.Context, userCode store.Hash) (store.Device, error) {
	if err := s.step(ctx, "FindDevice"); err != nil {
		return store.Device{}, err
	}
	return s.devices.FindDevice(ctx, userCode)
}

func (s *faultyDevices) DecideDevice(ctx context.Context, d store.DeviceDecision) error {
	if err := s.step(ctx, "DecideDevice"); err != nil {
		return err
	}
	return s.devices.DecideDevice(ctx, d)
}

func (s *faultyDevices) PollDevice(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
	if err := s.step(ctx, "PollDevice"); err != nil {
		return store.PolledDevice{}, err
	}
	return s.devices.PollDevice(ctx, p)
}

func (s *faultyDevices) DeleteDevices(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := s.step(ctx, "DeleteDevices"); err != nil {
		return 0, err
	}
	return s.devices.DeleteDevices(ctx, before, limit)
}

// fails makes one step fail, or none.
func (s *faultyDevices) fails(step string, fault func(context.Context) error) {
	s.before = func(ctx context.Context, name string) error {
		if name == step {
			return fault(ctx)
		}
		return nil
	}
}

// A store that fails, or never answers, at any step of the device grant gives
// 503, and nothing is half done: the same request goes through when it is back.
func TestDeviceFaultsAre503AndLoseNothing(t *testing.T) {
	for name, fault := range map[string]func(context.Context) error{
		"fails":         func(context.Context) error { return errors.New("dial tcp: the database is on fire") },
		"never answers": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			kept := newFaultyDevices()
			h := newDeviceHost(t, func(c *provider.Config) { c.Store, c.StoreTimeout = kept, 50*time.Millisecond })
			tv, b := h.television(), h.signedIn("user_ada")
			d := tv.device()
			form := b.get(d.CompleteURI).form(t, "allow")
			ask := func() *reply { return tv.post("/oauth/device_authorization") }
			post := func() *reply { return b.post(devicePath, form) }
			look := func() *reply { return b.get(d.CompleteURI) }
			poll := func() *reply { return d.poll() }
			broken := func(page bool, steps []string, send func() *reply) {
				t.Helper()
				for _, step := range steps {
					kept.fails(step, fault)
					r := send()
					if page {
						r.errorPage(t, 503, "Try again")
					} else {
						r.refused(t, 503, "temporarily_unavailable")
					}
					require.Equal(t, "5", r.Header.Get("Retry-After"))
					require.NotContains(t, r.body, "fire")
				}
				kept.fails("", fault)
			}
			broken(false, []string{"FindClient", "CreateDevice"}, ask)
			broken(false, []string{"FindClient", "PollDevice"}, poll)
			poll().refused(t, 400, "authorization_pending")
			// More often than a user may be wrong: a fault is no wrong code.
			for range 12 {
				broken(true, []string{"FindDevice"}, look)
			}
			broken(true, []string{"FindDevice", "FindApplication"}, look)
			broken(true, []string{"FindDevice", "FindApplication", "CreateGrant", "DecideDevice"}, post)
			h.clock.add(5 * time.Second)
			poll().refused(t, 400, "authorization_pending")
			h.eventKinds()
			require.Equal(t, http.StatusSeeOther, post().StatusCode, "the very same form")
			require.Empty(t, h.eventKinds(), "the grant was there already")
			broken(false, []string{"PollDevice", "RedeemCode"}, poll)
			got := poll().tokens(t)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			require.Len(t, tv.liveGrants(), 1)
		})
	}
}

// What the user has allowed and the device was never told of can be redeemed by
// nobody, and goes away.
func TestGrantOfAnUnansweredDeviceFormGoesAway(t *testing.T) {
	kept := newFaultyDevices()
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	form := b.get(d.CompleteURI).form(t, "allow")
	kept.fails("DecideDevice", func(context.Context) error { return errors.New("down") })
	b.post(devicePath, form).errorPage(t, 503, "")
	kept.before = nil
	require.Len(t, tv.liveGrants(), 1)
	d.poll().refused(t, 400, "authorization_pending")
	// Another answer is still possible, and is the one that counts.
	form.Set("decision", "deny")
	require.Equal(t, http.StatusSeeOther, b.post(devicePath, form).StatusCode)
	d.poll().refused(t, 400, "access_denied")
	h.clock.add(15 * time.Minute)
	_, err := h.Cleanup(ctx)
	require.NoError(t, err)
	require.Empty(t, tv.liveGrants())
}

// Who comes too late, after another user's decision or the expiry, has made a
// grant that is revoked again.
func TestGrantOfWhoComesTooLateIsRevoked(t *testing.T) {
	for _, refusal := range []error{store.ErrConflict, store.ErrExpired, store.ErrNotFound} {
		kept := newFaultyDevices()
		h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
		tv, b := h.television(), h.signedIn("user_ada")
		form := b.get(tv.device().CompleteURI).form(t, "allow")
		kept.fails("DecideDevice", func(context.Context) error { return refusal })
		h.eventKinds()
		b.post(devicePath, form).errorPage(t, 400, wrongCode)
		require.Empty(t, tv.liveGrants())
		require.Equal(t, []provider.EventKind{provider.EventGrantCreated, provider.EventGrantRevoked}, h.eventKinds())

		form = b.get(tv.device().CompleteURI).form(t, "allow")
		kept.before = func(_ context.Context, step string) error {
			switch step {
			case "DecideDevice":
				return refusal
			case "RevokeGrants":
				return errors.New("down")
			}
			return nil
		}
		b.post(devicePath, form).errorPage(t, 503, "")
	}
}

// A user code that is taken is drawn again, and not for ever.
func TestTakenUserCodeIsDrawnAgain(t *testing.T) {
	kept := newFaultyDevices()
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv := h.television()
	taken := 3
	kept.fails("CreateDevice", func(context.Context) error {
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

// What the grant costs in calls to the store.
func TestDeviceStoreSteps(t *testing.T) {
	var steps []string
	kept := newFaultyDevices()
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv, b := h.television(), h.signedIn("user_ada")
	kept.before = func(_ context.Context, step string) error {
		steps = append(steps, step)
		return nil
	}
	did := func(want ...string) {
		t.Helper()
		require.Equal(t, want, steps)
		steps = nil
	}
	d := tv.device()
	did("FindClient", "CreateDevice")
	d.poll()
	did("FindClient", "PollDevice")
	page := b.get(d.CompleteURI)
	did("FindDevice", "FindApplication")
	b.post(devicePath, page.form(t, "allow"))
	did("FindDevice", "FindApplication", "CreateGrant", "DecideDevice")
	d.poll()
	did("FindClient", "PollDevice", "RedeemCode")
	b.get(h.url + devicePath + "?user_code=BBBB")
	require.Empty(t, steps, "what cannot be a code costs no lookup")
}
