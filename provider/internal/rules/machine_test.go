package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

var machineKey = store.CutKey{ApplicationID: someKey.ApplicationID}

// newMachineGrant returns a machine's grant with its access token.
func newMachineGrant(t testing.TB) *signIn {
	s := &signIn{t: t, access: NewSecret()}
	g := NewGrant(store.NewID(start.Time(), ""), machineKey, s.cuts, start)
	g.Scopes, g.ExpiresAt = someScopes, start.Add(accessLife)
	g.WithAccess(NewToken{s.access.Hash(KindAccess), g.ExpiresAt})
	s.keep(&g)
	return s
}

// A machine's grant has one access token, no code, and no refresh token, and is
// deleted minutes after the token has expired.
func TestMachineGrant(t *testing.T) {
	s := newMachineGrant(t)
	require.Equal(t, store.KindMachine, s.doc.Kind)
	require.NoError(t, s.doc.Check())
	require.True(t, s.read().Machine())
	require.Equal(t, start.Add(accessLife+5*time.Minute).Time(), s.doc.SweepAt)
	require.Less(t, len(s.doc.State), 90)
	a, err := s.live(s.access.Hash(KindAccess), start.Add(accessLife-tick))
	require.NoError(t, err)
	require.Equal(t, someScopes, s.read().ScopesOf(a))
	_, err = s.live(s.access.Hash(KindAccess), start.Add(accessLife))
	require.Equal(t, ErrExpired, err)

	s.noRotation(ErrNotFound, s.rotation(0), "the zero secret")
	s.noRotation(ErrNotFound, s.rotation(0, func(q *Rotation) { q.Presented = s.access }))
	s.refuses(ErrNotFound, s.redemption())
	s.refuses(ErrNotFound, s.redemption(func(q *Redemption) { q.Code = s.access.Hash(KindCode) }))
	s.revokes(s.access.Hash(KindAccess), start)
	_, err = s.live(s.access.Hash(KindAccess), start)
	require.Equal(t, ErrNotFound, err)
	require.Equal(t, start.Add(accessLife+5*time.Minute).Time(), s.doc.SweepAt)
}

// A document without a user is never read as a user's sign-in, and one with a
// user, a code, or a refresh token never as a machine's.
func TestMachineAndPersonAreNotConfused(t *testing.T) {
	reads := func(d store.Document) error {
		var g Grant
		return ReadGrant(&g, &d, &d.Seen)
	}
	machine, person, fresh := newMachineGrant(t).doc, signedIn(t).doc, newSignIn(t).doc
	for _, good := range []store.Document{machine, person, fresh} {
		require.NoError(t, reads(good))
	}
	for name, d := range map[string]store.Document{"a sign-in": person, "a sign-in with a code": fresh} {
		require.False(t, d.UserID == "")
		d.UserID = ""
		require.ErrorIs(t, reads(d), ErrState, "%s that has lost its user", name)
		d.Kind = store.KindMachine
		require.ErrorIs(t, reads(d), ErrState, "%s that became a machine's", name)
		d.UserID = someKey.UserID
		require.ErrorIs(t, reads(d), ErrState, "%s that is kept as a machine's", name)
	}
	machine.Kind = store.KindGrant
	require.ErrorIs(t, reads(machine), ErrState, "a machine's that is kept as a sign-in")
	machine.UserID = someKey.UserID
	require.NoError(t, reads(machine), "with both it is what IssueToken makes")
}

// A cut-off of a user doesn't cover a machine; one of its application does.
func TestMachineGrantIsCutOffWithItsApplication(t *testing.T) {
	s := newMachineGrant(t)
	s.cuts[machineKey.Index()] = 1
	_, err := s.live(s.access.Hash(KindAccess), start)
	require.Equal(t, ErrRevoked, err)
	require.False(t, s.read().Lives(start))
}
