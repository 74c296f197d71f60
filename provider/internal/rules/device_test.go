package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

const (
	deviceLife = 15 * time.Minute
	interval   = 5 * time.Second
	slowDown   = 5 * time.Second
)

// A waiting is a device as a store has it.
type waiting struct {
	t    *testing.T
	doc  store.Document
	code Hash
}

func newWaiting(t *testing.T, edits ...func(*Device)) *waiting {
	t.Helper()
	code, grant, user := NewSecret(), NewSecret(), NewSecret()
	v := Device{
		ID: DeviceID(user.Hash(KindUserCode)), ApplicationID: someKey.ApplicationID, Scopes: someScopes, Resource: someResource,
		Code: code.Hash(KindDevice), GrantCode: grant.Hash(KindCode),
		CreatedAt: start, ExpiresAt: start.Add(deviceLife), Interval: interval,
	}
	for _, edit := range edits {
		edit(&v)
	}
	w := &waiting{t: t, doc: v.Document(1), code: v.Code}
	require.NoError(t, w.doc.Check())
	v.mark = 1
	require.Equal(t, v, *w.read())
	return w
}

func (w *waiting) read() *Device {
	w.t.Helper()
	v, err := ReadDevice(&w.doc)
	require.NoError(w.t, err)
	require.Equal(w.t, w.doc.Mark, v.Mark())
	return &v
}

func (w *waiting) settle(v *Device, step Step) {
	w.t.Helper()
	if step == Write {
		w.doc = v.Document(w.doc.Mark + 1)
	} else {
		require.Equal(w.t, *w.read(), *v)
	}
}

func (w *waiting) poll(after time.Duration) (tooSoon bool, step Step) {
	w.t.Helper()
	v := w.read()
	tooSoon, step, err := v.Poll(w.code, someKey.ApplicationID, slowDown, start.Add(after))
	require.NoError(w.t, err)
	w.settle(v, step)
	return tooSoon, step
}

// polls checks that a poll is recorded.
func (w *waiting) polls(after time.Duration, want bool, what ...any) {
	w.t.Helper()
	before := w.read().Interval
	tooSoon, step := w.poll(after)
	require.Equal(w.t, Write, step, what...)
	require.Equal(w.t, want, tooSoon, what...)
	require.Equal(w.t, start.Add(after), w.read().PolledAt)
	if want {
		before += slowDown
	}
	require.Equal(w.t, before, w.read().Interval)
}

func (w *waiting) decide(grant store.ID, after time.Duration) (Step, error) {
	w.t.Helper()
	v := w.read()
	step, err := v.Decide(grant, start.Add(after))
	w.settle(v, step)
	return step, err
}

func TestDevice(t *testing.T) {
	w := newWaiting(t)
	require.True(t, w.read().Waits(start))
	require.Equal(t, set(someScopes), w.read().ScopeSet())
	require.Empty(t, w.doc.UserID+w.doc.ApplicationID, "no cut-off covers it but that of everything")
	require.Equal(t, start.Add(deviceLife+deviceMargin).Time(), w.doc.SweepAt)
	newWaiting(t, func(v *Device) { v.Scopes, v.Resource, v.Interval = "", "", 0 })
	named := newWaiting(t, func(v *Device) { v.Workspace = "w" })
	require.Equal(t, "w", named.read().Workspace)
	odd := newWaiting(t, func(v *Device) { v.Interval = time.Second + tick })
	odd.polls(0, false)
	odd.polls(time.Second+tick, false, "an interval is kept to the microsecond")

	s := signedIn(t)
	_, err := ReadDevice(&s.doc)
	require.Equal(t, ErrNotFound, err)
	var g Grant
	require.Equal(t, ErrNotFound, ReadGrant(&g, &w.doc, &store.Cuts{}))
}

func TestPollFirst(t *testing.T) {
	for _, after := range []time.Duration{0, tick, time.Second, -time.Hour, deviceLife - tick} {
		newWaiting(t).polls(after, false, after)
	}
}

func TestPollTooSoon(t *testing.T) {
	w := newWaiting(t)
	after := time.Second
	w.polls(after, false)
	for range 5 {
		after += interval
		w.polls(after, false, "just an interval after the one before")
	}
	w.polls(after, true, "at the time of the one before")
	for i := range 5 {
		after += w.read().Interval - tick
		w.polls(after, true, "a microsecond too soon", i)
	}
	require.Equal(t, interval+6*slowDown, w.read().Interval)
	after += w.read().Interval
	w.polls(after, false, "after the interval that has grown")
	w.polls(after+interval, true, "after the interval as it was at first")
}

// A clock that is behind doesn't allow polling without a pause.
func TestPollBackwards(t *testing.T) {
	for _, back := range []time.Duration{tick, time.Second, interval, 1000 * time.Hour} {
		w := newWaiting(t)
		w.polls(time.Minute, false)
		w.polls(time.Minute-back, true, back)
		w.polls(time.Minute-back+w.read().Interval, false, back)
		eager := newWaiting(t, func(v *Device) { v.Interval = 0 })
		eager.polls(time.Minute, false)
		eager.polls(time.Minute, false, "there is no interval to keep to")
		eager.polls(time.Minute-back, true, back)
	}
}

func TestPollRefusesInOrder(t *testing.T) {
	type poll struct {
		*waiting
		app   string
		after time.Duration
	}
	causes := []cause[*poll]{
		{"another code", ErrNotFound, func(p *poll) { p.code[31] ^= 1 }},
		{"another application", ErrOtherApplication, func(p *poll) { p.app = "app_2" }},
		{"decided", nil, func(p *poll) { _, _ = p.decide(form(0), 0) }},
		{"expired", nil, func(p *poll) { p.after = deviceLife }},
	}
	testOrder(t, causes, func(t *testing.T) *poll {
		w := newWaiting(t)
		w.polls(0, false)
		return &poll{w, someKey.ApplicationID, 0}
	}, func(p *poll) error {
		v := p.read()
		tooSoon, step, err := v.Poll(p.code, p.app, slowDown, start.Add(p.after))
		require.Equal(p.t, Keep, step)
		require.False(p.t, tooSoon, "what is over needs no slowing down")
		p.settle(v, step)
		return err
	})
	for name, code := range map[string]Hash{"the zero hash": {}, "its grant's code": newWaiting(t).read().GrantCode} {
		w := newWaiting(t)
		_, _, err := w.read().Poll(code, someKey.ApplicationID, slowDown, start)
		require.Equal(t, ErrNotFound, err, name)
	}
}

// The same decision again changes nothing, at any time. Another one is a
// conflict, which takes precedence over expiry.
func TestDecide(t *testing.T) {
	near := form(1)
	near[15] ^= 1
	for _, decided := range []store.ID{form(1), {}} {
		w := newWaiting(t)
		w.polls(time.Second, false)
		step, err := w.decide(decided, time.Minute)
		require.NoError(t, err)
		require.Equal(t, Write, step)
		require.Equal(t, []any{start.Add(time.Minute), decided, false}, []any{w.read().DecidedAt, w.read().GrantID, w.read().Waits(start)})
		for _, after := range []time.Duration{0, time.Minute, deviceLife, deviceLife + time.Hour} {
			for _, again := range []store.ID{form(1), {}, form(2), near} {
				step, err := w.decide(again, after)
				require.Equal(t, Keep, step)
				if again == decided {
					require.NoError(t, err)
				} else {
					require.Equal(t, ErrDecided, err)
				}
			}
		}
	}
}

func TestDecideExpiry(t *testing.T) {
	w := newWaiting(t)
	for _, late := range []time.Duration{0, tick, 1000 * time.Hour} {
		for _, decision := range []store.ID{form(1), {}} {
			_, err := w.decide(decision, deviceLife+late)
			require.Equal(t, ErrExpired, err)
			require.False(t, w.read().Waits(start.Add(deviceLife+late)))
		}
	}
	step, err := w.decide(form(1), deviceLife-tick)
	require.NoError(t, err)
	require.Equal(t, Write, step)
}
