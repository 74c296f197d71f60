package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// revoke revokes an access token for its own application.
func (s *signIn) revoke(h Hash, now Instant) (Step, error) {
	s.t.Helper()
	g := s.read()
	step, err := g.RevokeAccess(h, someKey.ApplicationID, now, grace)
	s.settle(g, step, err)
	return step, err
}

func (s *signIn) revokes(h Hash, now Instant) {
	s.t.Helper()
	step, err := s.revoke(h, now)
	require.NoError(s.t, err)
	require.Equal(s.t, Write, step)
}

func TestLiveAccessRefusesInOrder(t *testing.T) {
	type question struct {
		*signIn
		hash Hash
		now  Instant
	}
	causes := []cause[*question]{
		{"a token that the grant never had", ErrNotFound, func(q *question) { q.hash[31] ^= 1 }},
		{"ended", ErrRevoked, func(q *question) { q.end() }},
		{"cut off", ErrRevoked, func(q *question) { q.cutOff() }},
		{"expired", ErrExpired, func(q *question) { q.now = start.Add(time.Second + accessLife) }},
		{"just in time", nil, func(q *question) { q.now = start.Add(time.Second + accessLife - tick) }},
	}
	testOrder(t, causes[:4], func(t *testing.T) *question {
		s := signedIn(t)
		return &question{s, s.read().newest().Hash, start}
	}, func(q *question) error { _, err := q.live(q.hash, q.now); return err })
	s := signedIn(t)
	q := &question{s, s.read().newest().Hash, start}
	causes[4].is(q)
	_, err := q.live(q.hash, q.now)
	require.NoError(t, err)
}

func TestLiveRefreshRefusesInOrder(t *testing.T) {
	causes := []cause[*rotated]{
		{"a token that the grant never had", ErrNotFound, onRotation(func(q *Rotation) { q.Presented = NewRefresh() })},
		{"ended", ErrRevoked, func(r *rotated) { r.end() }},
		{"cut off", ErrRevoked, func(r *rotated) { r.cutOff() }},
		{"spent long ago", ErrReused, func(r *rotated) { r.Presented = r.spent[0] }},
		{"spent last", ErrReused, func(r *rotated) { r.Presented = r.spent[1] }},
		{"expired", ErrExpired, onRotation(func(q *Rotation) { q.Now = start.Add(20*time.Minute + refreshLife) })},
	}
	testOrder(t, causes, func(t *testing.T) *rotated { return newRotated(t, "") }, func(r *rotated) error {
		issued, expires, err := r.read().LiveRefresh(&r.Presented, r.Now)
		require.Zero(r.t, issued+expires)
		return err
	})
}

// A token is found only by its hash, in its grant, and as its kind.
func TestFindAccess(t *testing.T) {
	s := signedIn(t)
	s.rotates(s.rotation(time.Minute))
	other := signedIn(t)
	for name, h := range map[string]Hash{
		"the zero hash": {}, "the refresh token": s.refresh.Hash(KindRefresh), "it as an access token": s.refresh.Hash(KindAccess),
		"the access token as a refresh token": s.access.Hash(KindRefresh), "the code": s.code.Hash(KindCode), "another grant's": other.read().newest().Hash,
	} {
		require.Nil(t, s.read().FindAccess(h), name)
	}
	require.NotNil(t, s.read().FindAccess(s.access.Hash(KindAccess)))
	s.noRotation(ErrNotFound, s.rotation(time.Hour, func(q *Rotation) { q.Presented = s.access }), "an access token")
}

// An access token is revoked alone (RFC 7009 section 2.1), by its application.
// A second time, there is nothing to do.
func TestRevokeAccess(t *testing.T) {
	s := signedIn(t)
	old := s.read().newest().Hash
	s.rotates(s.rotation(time.Minute))
	newest, now := s.access.Hash(KindAccess), start.Add(2*time.Minute)

	for _, h := range []Hash{old, newest} {
		s.revokes(h, now)
		_, err := s.live(h, now)
		require.Equal(t, ErrNotFound, err)
		step, err := s.revoke(h, now)
		require.Equal(t, ErrNotFound, err)
		require.Equal(t, Keep, step)
		_, _, err = s.read().LiveRefresh(&s.refresh, now)
		require.NoError(t, err)
	}
	s.rotates(s.rotation(3 * time.Minute))
	require.Equal(t, 1, s.read().accessCount, "the rotation has dropped both")
}

func TestRevokeAccessRefusesInOrder(t *testing.T) {
	type request struct {
		*signIn
		hash Hash
		app  string
		now  Instant
	}
	causes := []cause[*request]{
		{"a token that the grant never had", ErrNotFound, func(r *request) { r.hash[0] ^= 1 }},
		{"another application", ErrOtherApplication, func(r *request) { r.app = "app_2" }},
		{"ended", nil, func(r *request) { r.end() }},
		{"cut off", nil, func(r *request) { r.cutOff() }},
		{"expired", nil, func(r *request) { r.now = start.Add(time.Second + accessLife) }},
	}
	testOrder(t, causes, func(t *testing.T) *request {
		s := signedIn(t)
		return &request{s, s.read().newest().Hash, someKey.ApplicationID, start}
	}, func(r *request) error {
		g := r.read()
		step, err := g.RevokeAccess(r.hash, r.app, r.now, grace)
		require.Equal(r.t, Keep, step)
		require.Equal(r.t, *r.read(), *g)
		return err
	})
}

// At most 16 access tokens of a grant are live. With one more, the oldest ends,
// and the answer says so.
func TestAccessTokensAreBounded(t *testing.T) {
	s := signedIn(t)
	live := []Hash{s.read().newest().Hash}
	now := start.Add(time.Second)
	for i := range 3 * maxAccess {
		r := s.rotates(s.rotation(time.Duration(i+2) * time.Second))
		now = now.Add(time.Second)
		live = append(live, r.Token.Hash)
		require.Equal(t, len(live) > maxAccess, r.Evicted, i)
		if r.Evicted {
			_, err := s.live(live[0], now)
			require.Equal(t, ErrNotFound, err)
			live = live[1:]
		}
		for _, h := range live {
			_, err := s.live(h, now)
			require.NoError(t, err)
		}
	}

	// A request whose access token was dropped meanwhile still gets its pair.
	q := s.rotation(time.Minute)
	first := s.rotates(q)
	s.change(func(g *Grant) { g.access[g.accessCount-1].Hash[0] ^= 1 })
	r, _, err := s.rotate(q)
	require.NoError(t, err)
	require.Equal(t, first.Token, r.Token)

	// Expired and revoked ones are dropped first.
	s.revokes(live[5], now)
	r = s.rotates(s.rotation(61 * time.Second))
	require.False(t, r.Evicted)
	r = s.rotates(s.rotation(accessLife + 2*time.Minute))
	require.False(t, r.Evicted)
	require.Less(t, s.read().accessCount, 4)

	// Dropping one that has just expired is not reported.
	s = signedIn(t)
	for i := range maxAccess {
		r = s.rotates(s.rotation(time.Duration(i)*time.Second, func(q *Rotation) {
			if i < maxAccess-1 {
				q.AccessExpiresAt = q.Now.Add(2 * accessLife)
			} else {
				q.Now = start.Add(time.Second + accessLife)
			}
		}))
		require.False(t, r.Evicted)
	}
}

// Expired tokens are kept as long as the clocks of two instances may differ.
func TestExpiredAccessIsDropped(t *testing.T) {
	for after, dropped := range map[time.Duration]bool{0: false, slack - tick: false, slack: true} {
		s := signedIn(t)
		old := s.read().newest()
		r := s.rotates(s.rotation(0, func(q *Rotation) { q.Now = old.ExpiresAt.Add(after) }))
		require.Equal(t, dropped, s.read().FindAccess(old.Hash) == nil, after)
		require.NotNil(t, s.read().FindAccess(r.Token.Hash))
	}
}
