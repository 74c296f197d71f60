package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A rotation replaces the refresh token, and the application's access tokens
// keep working (RFC 6749 section 6).
func TestRotate(t *testing.T) {
	s := newSignIn(t, forResource(someResource))
	q := s.redemption()
	s.redeems(q)
	old := s.refresh
	rotation := s.rotation(30 * time.Minute)
	r := s.rotates(rotation)

	require.False(t, r.Evicted)
	require.Equal(t, Access{
		Hash: r.Access.Hash(KindAccess), IssuedAt: rotation.Now, ExpiresAt: rotation.AccessExpiresAt,
	}, r.Token)
	found, err := s.live(r.Access.Hash(KindAccess), rotation.Now)
	require.NoError(t, err)
	require.Equal(t, r.Token, *found)
	_, err = s.live(q.Access.Hash, rotation.Now)
	require.NoError(t, err, "the access token from before")
	issued, expires, err := s.read().LiveRefresh(&r.Refresh, rotation.Now)
	require.NoError(t, err)
	require.Equal(t, []Instant{rotation.Now, rotation.RefreshExpiresAt}, []Instant{issued, expires})
	_, _, err = s.read().LiveRefresh(&old, rotation.Now)
	require.Equal(t, ErrReused, err)
	require.Equal(t, rotation.Now, s.read().LastUsedAt)

	s.rotates(s.rotation(20 * time.Minute))
	require.Equal(t, rotation.Now, s.read().LastUsedAt, "a clock that runs behind doesn't turn time back")
}

// A rotated is the input for the order of refusals: a sign-in with three
// refresh tokens and a request with the last one.
type rotated struct {
	*signIn
	*Rotation
	spent []Secret
}

func newRotated(t testing.TB, resource string) *rotated {
	s := signedIn(t, forResource(resource))
	r := &rotated{signIn: s}
	for i := range 2 {
		r.spent = append(r.spent, s.refresh)
		s.rotates(s.rotation(time.Duration(i+1) * 10 * time.Minute))
	}
	r.Rotation = s.rotation(30 * time.Minute)
	return r
}

func onRotation(change func(*Rotation)) func(*rotated) {
	return func(r *rotated) { change(r.Rotation) }
}

func TestRotateRefusesInOrder(t *testing.T) {
	causes := []cause[*rotated]{
		{"a token that the grant never had", ErrNotFound, onRotation(func(q *Rotation) { q.Presented = NewRefresh() })},
		{"another application", ErrOtherApplication, onRotation(func(q *Rotation) { q.ApplicationID = "app_2" })},
		{"ended", ErrRevoked, func(r *rotated) { r.end() }},
		{"cut off", ErrRevoked, func(r *rotated) { r.cutOff() }},
		{"its own write", nil, func(r *rotated) {
			r.Attempt.Refresh = NewRefresh()
			r.change(func(g *Grant) { g.note(r.Attempt.Refresh.Hash(KindRefresh)) })
		}},
		{"spent long ago", ErrReused, func(r *rotated) { r.Presented = r.spent[0] }},
		{"spent last", ErrReused, func(r *rotated) { r.Presented = r.spent[1] }},
		{"expired", ErrExpired, onRotation(func(q *Rotation) { q.Now = start.Add(20*time.Minute + refreshLife) })},
		{"other scopes", ErrScope, onRotation(func(q *Rotation) { q.Scopes = set("admin root") })},
		{"another resource", ErrResource, onRotation(func(q *Rotation) { q.Resource = otherResource })},
	}
	for _, resource := range []string{"", someResource} {
		testOrder(t, causes, func(t *testing.T) *rotated { return newRotated(t, resource) }, func(r *rotated) error {
			_, step, err := r.rotate(r.Rotation)
			require.Equal(r.t, Keep, step)
			return err
		})
	}
}

func TestRotateUnknownToken(t *testing.T) {
	s := signedIn(t)
	other := signedIn(t)
	first, last, family, older, newer := s.refresh, s.refresh, s.refresh, s.refresh, s.refresh
	first[0] ^= 0x80
	last[familyAt-1] ^= 1
	family[familyAt] ^= 1
	older[0], older[31] = older[0]^1, 0
	newer[0], newer[31] = newer[0]^1, 99
	for name, presented := range map[string]Secret{
		"the zero secret": {}, "a code": s.code, "another grant's token": other.refresh,
		"a first bit": first, "a last random bit": last, "a bit of the family": family, "a newer one of the family": newer,
	} {
		s.noRotation(ErrNotFound, s.rotation(time.Hour, func(q *Rotation) { q.Presented = presented }), name)
		_, _, err := s.read().LiveRefresh(&presented, start)
		require.Equal(t, ErrNotFound, err, name)
	}
	s.noRotation(ErrReused, s.rotation(time.Hour, func(q *Rotation) { q.Presented = older }), "an older one of the family")

	q := s.rotation(time.Hour)
	s.rotates(q)
	late := q.again(time.Second)
	late.Presented = NewRefresh()
	s.noRotation(ErrNotFound, late, "within the grace of a rotation")
}

// If a failover loses a commit, the client has tokens that the database doesn't
// know. That is not theft: they are not found, and the token before them works.
func TestRotateAfterALostCommit(t *testing.T) {
	s := signedIn(t)
	before, held := s.doc, s.refresh
	s.rotates(s.rotation(time.Minute))
	s.doc = before
	s.noRotation(ErrNotFound, s.rotation(2*time.Minute))
	s.refresh = held
	s.rotates(s.rotation(3 * time.Minute))
}

// Every earlier refresh token is recognized, however old, but only for its own
// application.
func TestRotateEveryEarlierTokenIsReuse(t *testing.T) {
	s := signedIn(t)
	var spent []Secret
	for i := range 40 {
		spent = append(spent, s.refresh)
		s.rotates(s.rotation(time.Duration(i+1) * 2 * time.Hour))
	}
	late := s.rotation(81 * time.Hour)
	for i, old := range spent {
		late.Presented, late.ApplicationID = old, "app_2"
		s.noRotation(ErrOtherApplication, late, i)
		late.ApplicationID = someKey.ApplicationID
		s.noRotation(ErrReused, late, i)
		_, _, err := s.read().LiveRefresh(&old, late.Now)
		require.Equal(t, ErrReused, err, i)
	}
	s.rotates(s.rotation(82 * time.Hour))
}

func TestRotateExpiry(t *testing.T) {
	s := signedIn(t)
	_, expires, err := s.read().LiveRefresh(&s.refresh, start)
	require.NoError(t, err)
	for _, late := range []time.Duration{0, tick, day} {
		s.noRotation(ErrExpired, s.rotation(0, func(q *Rotation) { q.Now = expires.Add(late) }))
		_, _, err := s.read().LiveRefresh(&s.refresh, expires.Add(late))
		require.Equal(t, ErrExpired, err)
	}
	s.rotates(s.rotation(0, func(q *Rotation) { q.Now = expires.Add(-tick) }))
}

// The requested scopes are reduced to the granted ones, for this access token
// and not for the next. If none is left, the request is refused unspent.
func TestRotateScopes(t *testing.T) {
	s := signedIn(t)
	for _, asked := range []string{"admin", "Email", "emai", "notes", "notes:read\x00", "x y z"} {
		s.noRotation(ErrScope, s.rotation(time.Hour, func(q *Rotation) { q.Scopes = set(asked) }), asked)
	}
	for i, c := range []struct{ asked, want string }{
		{"email", "email"}, {"", someScopes}, {"notes:read profile", "notes:read profile"}, {someScopes, someScopes}, {"profile", "profile"},
		{"profile email", "email profile"}, {"admin " + someScopes, someScopes}, {"email notes", "email"}, {"x profile y notes:read", "notes:read profile"},
	} {
		r := s.rotates(s.rotation(time.Duration(i+1)*time.Hour, func(q *Rotation) { q.Scopes = set(c.asked) }))
		want := c.want
		require.Equal(t, want, s.read().ScopeSetOf(&r.Token).String())
		a, err := s.live(r.Access.Hash(KindAccess), r.Token.IssuedAt)
		require.NoError(t, err)
		require.Equal(t, want, s.read().ScopeSetOf(a).String())
		require.Equal(t, someScopes, s.read().Scopes)
	}

	none := signedIn(t, func(g *Grant, _ *NewCode) { g.Scopes = "" })
	for i, asked := range []string{"", "email", "email profile"} {
		r := none.rotates(none.rotation(time.Duration(i+1)*time.Hour, func(q *Rotation) { q.Scopes = set(asked) }))
		require.Empty(t, none.read().ScopeSetOf(&r.Token), "a grant of nothing has lost nothing")
	}
}

func TestRotateResource(t *testing.T) {
	for _, bound := range []string{someResource, ""} {
		s := signedIn(t, forResource(bound))
		for _, asked := range []string{otherResource, someResource + "/", strings.ToUpper(someResource), "/", " "} {
			s.noRotation(ErrResource, s.rotation(time.Hour, func(q *Rotation) { q.Resource = asked }), asked)
		}
		for i, asked := range []string{bound, "", bound} {
			s.rotates(s.rotation(time.Duration(i+1)*time.Hour, func(q *Rotation) { q.Resource = asked }))
		}
	}
}

// A request that finds its own write succeeds, even with other writes after it,
// and without a grace period.
func TestRotateFindsItsOwnWrite(t *testing.T) {
	s := signedIn(t)
	q := s.rotation(time.Minute, func(q *Rotation) { q.Grace, q.Scopes = 0, set("email") })
	first := s.rotates(q)
	for i := range maxRecent {
		r, step, err := s.rotate(q)
		require.NoError(t, err, i)
		require.Equal(t, Keep, step)
		require.Equal(t, first, r, "just as if the answer had not been lost")
		s.rotates(s.rotation(time.Minute + time.Duration(i)*time.Second))
	}
	s.noRotation(ErrReused, q, "after more writes than are remembered")

	// Even if the access token was dropped or revoked.
	s = signedIn(t)
	q = s.rotation(time.Minute)
	first = s.rotates(q)
	s.change(func(g *Grant) { g.FindAccess(first.Token.Hash).ended = true })
	r, step, err := s.rotate(q)
	require.NoError(t, err)
	require.Equal(t, Keep, step)
	require.Equal(t, first, r)
}

// The successors depend on the presented token, the salt, the grant, and the
// host's secret, and keep the family.
func TestSuccessors(t *testing.T) {
	s := NewRefresh()
	id, salt := newSignIn(t).doc.ID, NewSalt()
	secrets := hostSecrets{7, 8}
	derive := func(s Secret, id store.ID, salt Salt, key []byte) []Secret {
		access, refresh := s.Successors(id, salt, key)
		pair := []Secret{access, refresh}
		access, refresh = s.Successors(id, salt, key)
		require.Equal(t, pair, []Secret{access, refresh})
		require.Equal(t, s.family(), pair[1].family())
		require.Equal(t, s.generation()+1, pair[1].generation())
		require.NotEqual(t, s.family(), pair[0].family())
		return pair
	}
	seen := map[string]bool{string(s[:familyAt]): true}
	for _, pair := range [][]Secret{
		derive(s, id, salt, nil),
		derive(s, id, salt, secrets.key(7)),
		derive(s, id, salt, secrets.key(8)),
		derive(s, id, salt, make([]byte, 32)),
		derive(s, id, NewSalt(), nil),
		derive(s, newSignIn(t).doc.ID, salt, nil),
		derive(NewRefresh(), id, salt, nil),
		derive(derive(s, id, salt, nil)[1], id, salt, nil),
	} {
		for _, secret := range pair {
			require.False(t, seen[string(secret[:familyAt])])
			seen[string(secret[:familyAt])] = true
		}
	}
}

func TestHashDependsOnTheKind(t *testing.T) {
	s := NewSecret()
	seen := map[Hash]bool{}
	for _, kind := range []Kind{KindCode, KindAccess, KindRefresh, KindDevice, KindUserCode} {
		h := s.Hash(kind)
		require.False(t, seen[h], "%s hashes like another kind", kind)
		require.True(t, h.Equal(s.Hash(kind)))
		require.False(t, h.IsZero())
		seen[h] = true
	}
	require.True(t, Hash{}.IsZero())
	require.Equal(t, []string{"refresh", "user code", "Kind(0)", "Kind(9)"},
		[]string{KindRefresh.String(), KindUserCode.String(), Kind(0).String(), Kind(9).String()})
}
