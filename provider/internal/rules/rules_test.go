package rules

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

const (
	tick  = time.Microsecond
	grace = time.Minute

	codeLife    = 10 * time.Minute
	accessLife  = time.Hour
	refreshLife = 30 * day

	someScopes    = "email notes:read profile"
	someResource  = "https://api.example.com/"
	otherResource = "https://other.example.com/"
	someRedirect  = "https://wiki.example.com/callback"
	someChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var (
	start   = At(time.Date(2026, 11, 28, 12, 34, 56, 123_456_000, time.UTC))
	someKey = store.CutKey{UserID: "user_1", ApplicationID: "app_1"}
)

// A signIn is a grant as a store has it, with the credentials of its client.
// Each step reads the document, lets a rule decide, and saves the result. So
// all tests cover the codec too.
type signIn struct {
	t    testing.TB
	doc  store.Document
	cuts store.Cuts // as they are now

	code    Secret
	access  Secret // the newest
	refresh Secret // the current
}

// newSignIn returns a grant whose code can be redeemed.
func newSignIn(t testing.TB, edits ...func(*Grant, *NewCode)) *signIn {
	t.Helper()
	s := &signIn{t: t, code: NewSecret()}
	s.cuts[someKey.Index()] = 7
	g := NewGrant(store.NewID(start.Time(), someKey.UserID), someKey, s.cuts, start)
	g.Scopes = someScopes
	code := NewCode{Hash: s.code.Hash(KindCode), RedirectURI: someRedirect, Challenge: someChallenge, ExpiresAt: start.Add(codeLife)}
	for _, edit := range edits {
		edit(&g, &code)
	}
	g.WithCode(code)
	s.keep(&g)
	return s
}

// signedIn returns a grant whose code was redeemed.
func signedIn(t testing.TB, edits ...func(*Grant, *NewCode)) *signIn {
	t.Helper()
	s := newSignIn(t, edits...)
	s.redeems(s.redemption())
	return s
}

// forResource binds a grant to a resource.
func forResource(resource string) func(*Grant, *NewCode) {
	return func(g *Grant, _ *NewCode) { g.Resource = resource }
}

func (s *signIn) keep(g *Grant) {
	ended := s.doc.EndedAt // which no replacement touches
	s.doc = g.Document(s.doc.Mark + 1)
	s.doc.EndedAt = ended
	require.NoError(s.t, s.doc.Check())
}

// change changes the stored grant, bypassing all rules.
func (s *signIn) change(edit func(*Grant)) {
	g := s.read()
	edit(g)
	s.keep(g)
}

func (s *signIn) read() *Grant {
	s.t.Helper()
	var g Grant
	require.NoError(s.t, ReadGrant(&g, &s.doc, &s.cuts))
	return &g
}

// settle saves the result of a rule. A rule without a write must have changed
// nothing.
func (s *signIn) settle(g *Grant, step Step, err error) {
	s.t.Helper()
	switch {
	case step == Write:
		require.NoError(s.t, err)
		s.keep(g)
	case err == nil || !errors.Is(err, ErrState):
		same(s.t, *s.read(), *g, "nothing is written, so nothing has changed")
	}
}

func (s *signIn) end()    { s.doc.EndedAt = start.Time() }
func (s *signIn) cutOff() { s.cuts[someKey.Index()]++ }

// redemption returns the right request for the first tokens, a second after the
// start.
func (s *signIn) redemption(edits ...func(*Redemption)) *Redemption {
	access, refresh, now := NewSecret(), NewRefresh(), start.Add(time.Second)
	q := &Redemption{
		Code: s.code.Hash(KindCode), ApplicationID: someKey.ApplicationID, RedirectURI: someRedirect, Challenge: someChallenge,
		Access:  NewToken{access.Hash(KindAccess), now.Add(accessLife)},
		Refresh: NewToken{refresh.Hash(KindRefresh), now.Add(refreshLife)}, Secret: refresh, Now: now,
	}
	for _, edit := range edits {
		edit(q)
	}
	return q
}

func (s *signIn) redeem(q *Redemption) (Step, error) {
	s.t.Helper()
	g := s.read()
	step, err := g.Redeem(q)
	s.settle(g, step, err)
	return step, err
}

func (s *signIn) redeems(q *Redemption) {
	s.t.Helper()
	step, err := s.redeem(q)
	require.NoError(s.t, err)
	require.Equal(s.t, Write, step)
	s.refresh = q.Secret
}

func (s *signIn) refuses(want error, q *Redemption, what ...any) {
	s.t.Helper()
	step, err := s.redeem(q)
	require.Equal(s.t, want, err, what...)
	require.Equal(s.t, Keep, step)
}

// rotation returns the right request for the next tokens, at the given time
// after the start.
func (s *signIn) rotation(after time.Duration, edits ...func(*Rotation)) *Rotation {
	now := start.Add(after)
	q := &Rotation{
		Presented: s.refresh, ApplicationID: someKey.ApplicationID, Salt: NewSalt(), Grace: grace,
		AccessExpiresAt: now.Add(accessLife), RefreshExpiresAt: now.Add(refreshLife), Now: now,
	}
	for _, edit := range edits {
		edit(q)
	}
	return q
}

// again returns a request with the same token, at the given time after the
// first, with new random values.
func (q Rotation) again(after time.Duration) *Rotation {
	q.Now, q.Salt, q.Attempt = q.Now.Add(after), NewSalt(), Rotated{}
	q.AccessExpiresAt, q.RefreshExpiresAt = q.Now.Add(accessLife), q.Now.Add(refreshLife)
	return &q
}

// rotate lets the rule decide, and records in the request what it was about to
// write, as the provider does.
func (s *signIn) rotate(q *Rotation) (Rotated, Step, error) {
	s.t.Helper()
	g := s.read()
	r, step, err := g.Rotate(q)
	s.settle(g, step, err)
	if step == Write {
		q.Attempt = r
	} else if err != nil {
		require.Equal(s.t, Rotated{}, r, "who is refused gets nothing")
	}
	return r, step, err
}

func (s *signIn) rotates(q *Rotation) Rotated {
	s.t.Helper()
	r, step, err := s.rotate(q)
	require.NoError(s.t, err)
	require.Equal(s.t, Write, step)
	require.False(s.t, r.Retried)
	s.access, s.refresh = r.Access, r.Refresh
	return r
}

func (s *signIn) noRotation(want error, q *Rotation, what ...any) {
	s.t.Helper()
	_, step, err := s.rotate(q)
	require.Equal(s.t, want, err, what...)
	require.Equal(s.t, Keep, step)
}

// retries checks that a repeated request gets the pair of the first.
func (s *signIn) retries(first Rotated, q *Rotation, what ...any) {
	s.t.Helper()
	r, step, err := s.rotate(q)
	require.NoError(s.t, err, what...)
	require.Equal(s.t, Keep, step)
	first.Retried, first.Evicted = true, false
	require.Equal(s.t, first, r, what...)
}

// live is LiveAccess of the stored grant.
func (s *signIn) live(h Hash, now Instant) (*Access, error) {
	s.t.Helper()
	return s.read().LiveAccess(h, now)
}

// A cause makes a rule refuse with the error.
type cause[T any] struct {
	name string
	err  error
	is   func(T)
}

// testOrder checks that of any two causes at once the earlier one is named. A
// cause that doesn't refuse has a nil error.
func testOrder[T any](t *testing.T, causes []cause[T], begin func(t *testing.T) T, decide func(T) error) {
	for i, first := range causes {
		t.Run(first.name, func(t *testing.T) {
			x := begin(t)
			first.is(x)
			require.Equal(t, first.err, decide(x))
		})
		for _, second := range causes[i+1:] {
			if errors.Is(first.err, second.err) {
				continue // Two forms of one cause.
			}
			t.Run(fmt.Sprintf("%s, and %s", first.name, second.name), func(t *testing.T) {
				x := begin(t)
				second.is(x)
				first.is(x)
				require.Equal(t, first.err, decide(x))
			})
		}
	}
}

func TestInstants(t *testing.T) {
	at := time.Date(2026, 11, 28, 13, 0, 0, 123_456_789, time.FixedZone("", 3600))
	require.Equal(t, time.Date(2026, 11, 28, 12, 0, 0, 123_456_000, time.UTC), At(at).Time())
	require.Zero(t, At(time.Time{}))
	require.True(t, Instant(0).Time().IsZero())
	require.Equal(t, At(at.Add(-time.Second)), At(at).Add(-time.Second))
	require.Equal(t, -time.Second, At(at).Sub(At(at.Add(time.Second))))
}

func TestRefused(t *testing.T) {
	for _, err := range []error{ErrNotFound, ErrMismatch, ErrRevoked, ErrReused, ErrExpired, ErrScope, ErrResource, ErrDiffers, ErrTooOld, ErrDecided} {
		require.True(t, Refused(fmt.Errorf("wrapped: %w", err)))
	}
	for _, err := range []error{nil, ErrState, ErrHostSecret, store.ErrNotFound, store.ErrConflict} {
		require.False(t, Refused(err))
	}
}
