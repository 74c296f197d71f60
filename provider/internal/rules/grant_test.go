package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// Nothing of a grant works at or after its end: neither its code, nor a token
// of any rotation or retry.
func TestNothingOutlivesTheGrant(t *testing.T) {
	end := start.Add(5 * time.Minute)
	s := newSignIn(t, func(g *Grant, _ *NewCode) { g.ExpiresAt = end })
	require.Equal(t, end, s.read().Until(end.Add(time.Hour)))
	require.Equal(t, end.Add(-tick), s.read().Until(end.Add(-tick)))
	s.refuses(ErrExpired, s.redemption(func(q *Redemption) { q.Now = end }))
	require.False(t, s.read().Redeemable(s.code.Hash(KindCode), end))
	require.False(t, s.read().Lives(end))
	require.True(t, s.read().Lives(end.Add(-tick)))

	s.redeems(s.redemption())
	require.Equal(t, end, s.read().newest().ExpiresAt)
	_, expires, err := s.read().LiveRefresh(&s.refresh, end.Add(-tick))
	require.NoError(t, err)
	require.Equal(t, end, expires)
	q := s.rotation(4*time.Minute, func(q *Rotation) { q.AccessExpiresAt = end.Add(-tick) })
	require.Equal(t, end.Add(-tick), s.rotates(q).Token.ExpiresAt, "one that ends before the grant keeps its time")
	q = s.rotation(5*time.Minute - time.Second)
	first := s.rotates(q)
	require.Equal(t, end, first.Token.ExpiresAt)
	s.retries(first, q.again(time.Second-tick))
	s.noRotation(ErrExpired, q.again(time.Second), "a retry")
	s.noRotation(ErrExpired, s.rotation(5*time.Minute))
	_, err = s.live(first.Token.Hash, end)
	require.Equal(t, ErrExpired, err)
	require.False(t, s.read().Lives(end))

	for _, never := range []Instant{0, start.Add(1000 * day)} {
		s := signedIn(t, func(g *Grant, _ *NewCode) { g.ExpiresAt = never })
		require.Equal(t, start.Add(time.Second+accessLife), s.read().newest().ExpiresAt)
	}
}

// The host issues access tokens without a code, for example personal ones.
func TestGrantWithAccess(t *testing.T) {
	s := &signIn{t: t, access: NewSecret()}
	g := NewGrant(store.NewID(start.Time(), someKey.UserID), someKey, s.cuts, start)
	g.Scopes, g.ExpiresAt = someScopes, start.Add(time.Minute)
	g.WithAccess(NewToken{s.access.Hash(KindAccess), start.Add(time.Hour)})
	s.keep(&g)
	a, err := s.live(s.access.Hash(KindAccess), start)
	require.NoError(t, err)
	require.Equal(t, Access{Hash: a.Hash, IssuedAt: start, ExpiresAt: g.ExpiresAt}, *a)
	require.True(t, s.read().Lives(start))
	require.False(t, s.read().Lives(g.ExpiresAt))
	s.noRotation(ErrNotFound, s.rotation(0), "the zero secret")
	s.noRotation(ErrNotFound, s.rotation(0, func(q *Rotation) { q.Presented = s.access }))
	s.revokes(a.Hash, start)
	require.False(t, s.read().Lives(start))

	s = newSignIn(t)
	s.redeems(s.redemption(func(q *Redemption) { q.Refresh, q.Secret = NewToken{}, Secret{} }))
	require.True(t, s.read().Lives(start))
	s.revokes(s.read().newest().Hash, start)
	require.False(t, s.read().Lives(start), "a code that was spent")
}

// A grant is dead if it was revoked, or if any of its keys has a higher number
// than it has seen. Another key's number doesn't matter, nor does a lower one.
func TestGrantIsCutOffByNumbers(t *testing.T) {
	s := signedIn(t)
	require.False(t, s.read().revoked())
	for i := range s.cuts {
		old := s.cuts[i]
		for number, cut := range map[int64]bool{old + 1: true, store.CutForever(start.Time()): true, old: false, old - 1: false} {
			s.cuts[i] = number
			require.Equal(t, cut, s.read().CutOff)
			require.Equal(t, !cut, s.read().Lives(start))
			require.Equal(t, cut, s.read().revoked())
		}
		s.cuts[i] = old
	}
	// A grant that a rule writes after the cut-off is still cut off.
	g := s.read()
	_, step, err := g.Rotate(s.rotation(time.Minute))
	require.NoError(t, err)
	require.Equal(t, Write, step)
	s.cutOff()
	s.keep(g)
	require.True(t, s.read().revoked())

	s = signedIn(t)
	s.end()
	require.True(t, s.read().revoked())
	require.False(t, s.read().Lives(start))
}

// A grant is kept for a day or two after its last code or token has stopped
// working, and until a form that could make it again has expired.
func TestGrantSweepAt(t *testing.T) {
	between := func(last Instant, sweep time.Time, what ...any) {
		t.Helper()
		require.GreaterOrEqual(t, At(sweep), last.Add(day), what...)
		require.LessOrEqual(t, At(sweep), last.Add(2*day), what...)
		require.Equal(t, sweep.Truncate(day), sweep, what...)
	}
	between(start.Add(formLife), newSignIn(t).doc.SweepAt, "a code")
	long := newSignIn(t, func(_ *Grant, n *NewCode) { n.ExpiresAt = start.Add(100 * day) })
	between(start.Add(100*day), long.doc.SweepAt, "a long code")
	s := signedIn(t)
	between(start.Add(time.Second+refreshLife), s.doc.SweepAt, "a refresh token")
	s.rotates(s.rotation(40 * time.Minute))
	between(start.Add(40*time.Minute+refreshLife), s.doc.SweepAt, "its successor")
	s = newSignIn(t)
	s.redeems(s.redemption(func(q *Redemption) {
		q.Access.ExpiresAt, q.Refresh, q.Secret = start.Add(50*day), NewToken{}, Secret{}
	}))
	between(start.Add(50*day), s.doc.SweepAt, "an access token")
	s = signedIn(t, func(g *Grant, _ *NewCode) { g.ExpiresAt = start.Add(time.Minute) })
	between(start.Add(formLife), s.doc.SweepAt, "a grant that ends at once")

	for after := time.Duration(0); after < 2*day; after += 41 * time.Minute {
		now := start.Add(after)
		between(now.Add(formLife), Tombstone(now).Time(), after)
		g := NewGrant(s.doc.ID, someKey, s.cuts, now)
		between(now.Add(formLife), g.Document(1).SweepAt, after)
	}
}

// A chain of 36 rotations two hours apart moves the time once a day.
func TestSweepAtIsCoarse(t *testing.T) {
	s := signedIn(t)
	moved := 0
	for i := range 36 {
		before := s.doc.SweepAt
		s.rotates(s.rotation(time.Duration(i+1) * 2 * time.Hour))
		if !s.doc.SweepAt.Equal(before) {
			moved++
		}
	}
	require.Equal(t, 3, moved)
}

// The cost of a step doesn't depend on the number of rotations.
func TestRotationsCostTheSame(t *testing.T) {
	const rotations = 5_000
	s := signedIn(t)
	step := func(i int) {
		q := s.rotation(time.Duration(i+1) * time.Minute)
		var g Grant
		if err := ReadGrant(&g, &s.doc, &s.cuts); err != nil {
			t.Fatal(err)
		}
		r, step, err := g.Rotate(q)
		if err != nil || step != Write {
			t.Fatal(step, err)
		}
		s.doc = g.Document(int64(i + 2))
		s.refresh = r.Refresh
	}
	var size int
	cost := func(from, to int) (allocations float64, took time.Duration) {
		i := from
		took = time.Hour
		allocations = testing.AllocsPerRun(to-from-1, func() {
			began := time.Now()
			step(i)
			i++
			took = min(took, time.Since(began)) // The least is not disturbed by others.
		})
		return allocations, took
	}
	firstAllocations, first := cost(0, 100)
	for i := 100; i < rotations-1000; i++ {
		step(i)
		size = max(size, len(s.doc.State))
	}
	lastAllocations, last := cost(rotations-1000, rotations)
	t.Logf("first %v allocations in %v, last %v in %v; %d bytes", firstAllocations, first, lastAllocations, last, size)
	require.LessOrEqual(t, lastAllocations, 1.2*firstAllocations)
	require.LessOrEqual(t, float64(last), 1.2*float64(first))
	require.Less(t, size, 1100, "with 16 live access tokens")
	require.Equal(t, maxAccess, s.read().accessCount)
}
