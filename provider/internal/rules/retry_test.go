package rules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A token that was just rotated gets the same pair again, equal in every byte.
// Nothing is written.
func TestRetry(t *testing.T) {
	s := signedIn(t, forResource(someResource))
	for range 2 {
		q := s.rotation(time.Hour)
		first := s.rotates(q)
		for i := range 3 {
			s.retries(first, q.again(time.Duration(i)*time.Second), i)
		}
		named := q.again(time.Second)
		named.Scopes, named.Resource = set(someScopes), someResource
		s.retries(first, named, "one that names what the grant has")
		s.retries(first, q.again(grace-tick), "the window is that of the rotation")
	}
}

// Exactly the grace period is in time, with either clock; a microsecond more is
// a reuse.
func TestRetryGrace(t *testing.T) {
	for after, want := range map[time.Duration]bool{
		-grace: true, -tick: true, 0: true, tick: true, grace - tick: true, grace: true,
		-grace - tick: false, grace + tick: false, 24 * time.Hour: false, -30 * time.Minute: false,
	} {
		s := signedIn(t)
		q := s.rotation(time.Hour)
		first := s.rotates(q)
		if want {
			s.retries(first, q.again(after), after)
			s.noRotation(ErrReused, q.again(grace+tick), "the window is that of the rotation, not of a retry")
		} else {
			s.noRotation(ErrReused, q.again(after), after)
		}
	}
}

func TestRetryWithoutGrace(t *testing.T) {
	for _, none := range []time.Duration{0, -tick, -grace, -24 * time.Hour} {
		for _, after := range []time.Duration{0, time.Second, -time.Second} {
			s := signedIn(t)
			q := s.rotation(time.Hour, func(q *Rotation) { q.Grace = none })
			s.rotates(q)
			s.noRotation(ErrReused, q.again(after), none, after)
		}
	}
}

// Any token that was current within the grace period gets the current pair,
// because processes that share a credentials file hold different ones.
func TestRetryAfterTheSuccessorWasUsed(t *testing.T) {
	s := signedIn(t)
	requests := []*Rotation{s.rotation(time.Hour)}
	s.rotates(requests[0])
	for i := range 5 {
		q := s.rotation(time.Hour + time.Duration(i+1)*10*time.Second)
		current := s.rotates(q)
		requests = append(requests, q)
		for k, old := range requests {
			s.retries(current, old.again(q.Now.Sub(old.Now)), "token %d after %d more", k, i)
		}
	}
	last := requests[5].Now
	for k, old := range requests {
		end := old.Now.Add(grace)
		s.noRotation(ErrReused, old.again(end.Add(tick).Sub(old.Now)), "%d: each has its own end", k)
		s.retries(requests[5].Attempt, old.again(max(end, last).Sub(old.Now)), k)
	}
}

// When the access token of the current pair has expired there is nothing to
// repeat, so the chain continues from its end, and never from the old token.
func TestRetryOfAnExpiredPairRotatesOn(t *testing.T) {
	s := signedIn(t)
	q := s.rotation(time.Minute, func(q *Rotation) { q.Grace, q.Scopes = 2*accessLife, set("email") })
	s.rotates(q)
	later := s.rotation(2*time.Minute, func(q *Rotation) { q.Grace = 2 * accessLife })
	pair := s.rotates(later)
	s.retries(pair, q.withScopes("").again(time.Minute+accessLife-tick), "it works for a microsecond more")

	expired := q.withScopes("profile").again(time.Minute + accessLife)
	for want, spoil := range map[error]func(*Rotation){
		ErrScope:    func(q *Rotation) { q.Scopes = set("admin") },
		ErrResource: func(q *Rotation) { q.Resource = otherResource },
		ErrReused:   func(q *Rotation) { q.Grace = grace },
	} {
		other := expired.again(0)
		spoil(other)
		s.noRotation(want, other)
	}
	r, step, err := s.rotate(expired)
	require.NoError(t, err)
	require.Equal(t, Write, step)
	require.False(t, r.Retried)
	_, next := pair.Refresh.Successors(s.doc.ID, expired.Salt, nil)
	require.Equal(t, next, r.Refresh, "the one chain")
	require.Equal(t, "profile", r.Token.Scopes)
	require.Equal(t, uint32(4), s.read().generation)

	// All of them lead to the same pair now.
	for _, old := range []*Rotation{q, later} {
		s.retries(r, old.withScopes("profile").again(expired.Now.Sub(old.Now)))
	}
	s.refresh = r.Refresh
	s.rotates(s.rotation(3 * time.Hour))

	// A sign-in that has ended stays ended.
	s = signedIn(t)
	q = s.rotation(time.Minute, func(q *Rotation) { q.Grace, q.RefreshExpiresAt = 2*accessLife, q.Now.Add(accessLife) })
	s.rotates(q)
	s.noRotation(ErrExpired, q.again(accessLife))
}

// withScopes returns the request with other scopes.
func (q Rotation) withScopes(names string) *Rotation { q.Scopes = set(names); return &q }

// A grant remembers a limited number of rotations. It can't tell whether an
// older token was current within the grace period. Such a token is refused, and
// from a public application it is a reuse, so that a thief can't hide by making
// the grant forget. Once the oldest remembered one is past the grace period, so
// are all before it.
func TestRetryOfATokenThatIsForgotten(t *testing.T) {
	for _, public := range []bool{false, true} {
		s := signedIn(t)
		var requests []*Rotation
		for i := range maxRotations + 2 {
			q := s.rotation(time.Hour+time.Duration(i)*time.Second, func(q *Rotation) { q.Public = public })
			s.rotates(q)
			requests = append(requests, q)
		}
		require.Equal(t, maxRotations, s.read().rotationCount)
		last, forgotten := requests[len(requests)-1], ErrTooOld
		if public {
			forgotten = ErrReused
		}
		for i, q := range requests {
			now := q.again(last.Now.Sub(q.Now))
			if i < 2 {
				s.noRotation(forgotten, now, i)
				other := now.again(0)
				other.ApplicationID = "app_2"
				s.noRotation(ErrOtherApplication, other)
			} else {
				s.retries(last.Attempt, now, i)
			}
		}
		oldest := requests[2].Now.Add(grace)
		s.noRotation(forgotten, requests[1].again(oldest.Sub(requests[1].Now)))
		s.noRotation(ErrReused, requests[1].again(oldest.Add(tick).Sub(requests[1].Now)))

		forged := *requests[5]
		forged.Presented[0] ^= 1
		s.noRotation(ErrReused, forged.again(0), "one of the family that never was current")
	}
}

// A request with the oldest remembered token continues the chain, which makes
// the grant forget that token. The request's next attempt must not be taken for
// a reuse, even if many others have rotated since.
func TestRotatingOnFindsItsOwnWrite(t *testing.T) {
	s := signedIn(t)
	var requests []*Rotation
	for i := range maxRotations {
		q := s.rotation(time.Hour+time.Duration(i)*time.Second, func(q *Rotation) { q.Public, q.Grace = true, 2*accessLife })
		s.rotates(q)
		requests = append(requests, q)
	}
	q := requests[0].again(90 * time.Minute)
	s.rotates(q)
	for i := range maxRecent {
		r, step, err := s.rotate(q)
		require.NoError(t, err, i)
		require.Equal(t, Keep, step)
		require.Equal(t, q.Attempt, r)
		s.rotates(s.rotation(3*time.Hour+time.Duration(i)*time.Second, func(q *Rotation) { q.Grace = 2 * accessLife }))
	}
	s.noRotation(ErrReused, q, "after more writes than are remembered")
}

// hostSecrets are the secrets of a host, by ID. The first is the current one.
type hostSecrets []uint32

func (h hostSecrets) key(id uint32) []byte {
	return slices.Repeat([]byte{byte(id)}, 32)
}

func (h hostSecrets) DerivationKey(id uint32) (key []byte, secretID uint32) {
	if id == 0 && len(h) > 0 {
		id = h[0]
	}
	if !slices.Contains(h, id) {
		return nil, 0
	}
	return h.key(id), id
}

// If the host has a secret, a copy of the database and an old token yield
// nothing without it. Each rotation stores the ID of its secret, so that
// secrets can be changed while tokens are in use. If one is missing, that is a
// fault of the instance, not of the client.
func TestHostSecretsGoIntoTheSuccessors(t *testing.T) {
	s := signedIn(t)
	var requests []*Rotation
	var last Rotated
	for i, secrets := range []HostSecrets{nil, hostSecrets{}, hostSecrets{7}, hostSecrets{7, 8}, hostSecrets{8, 7}, nil} {
		q := s.rotation(time.Hour+time.Duration(i)*time.Second, func(q *Rotation) { q.HostSecrets = secrets })
		presented := q.Presented
		last = s.rotates(q)
		_, without := presented.Successors(s.doc.ID, q.Salt, nil)
		require.Equal(t, i == 2 || i == 3 || i == 4, without != last.Refresh, i)
		require.Equal(t, []uint32{0, 0, 7, 7, 8, 0}[i], s.read().rotations[i].secretID)
		requests = append(requests, q)
	}
	for i, q := range requests {
		for _, c := range []struct {
			secrets HostSecrets
			from    int // the first token that is derived without a secret that is missing
		}{{hostSecrets{9, 8, 7}, 0}, {hostSecrets{8}, 4}, {hostSecrets{7}, 5}, {hostSecrets{}, 5}, {nil, 5}} {
			again := q.again(10 * time.Second)
			again.HostSecrets = c.secrets
			if i >= c.from {
				s.retries(last, again, "%d %v", i, c)
				continue
			}
			s.noRotation(ErrHostSecret, again, "%d %v", i, c)
			again.Now = again.Now.Add(time.Hour)
			s.noRotation(ErrReused, again, "what is past the grace needs no secret")
		}
	}
}

func TestRetryRefusesInOrder(t *testing.T) {
	causes := []cause[*rotated]{
		{"another application", ErrOtherApplication, onRotation(func(q *Rotation) { q.ApplicationID = "app_2" })},
		{"ended", ErrRevoked, func(r *rotated) { r.end() }},
		{"cut off", ErrRevoked, func(r *rotated) { r.cutOff() }},
		{"other scopes", ErrScope, onRotation(func(q *Rotation) { q.Scopes = set("admin") })},
		{"less", ErrDiffers, onRotation(func(q *Rotation) { q.Scopes = set("email") })},
		{"another resource", ErrResource, onRotation(func(q *Rotation) { q.Resource = otherResource })},
		{"its token expired", nil, func(r *rotated) { r.change(func(g *Grant) { g.current.expiresAt = start }) }},
	}
	for _, resource := range []string{"", someResource} {
		testOrder(t, causes, func(t *testing.T) *rotated {
			r := newRotated(t, resource)
			r.rotates(r.Rotation)
			r.Rotation = r.again(time.Second)
			return r
		}, func(r *rotated) error {
			_, step, err := r.rotate(r.Rotation)
			require.Equal(r.t, Keep, step)
			return err
		})
	}
}

// A retry that asks for something else is refused, and changes nothing; the
// right one then succeeds.
func TestRetryOfNarrowed(t *testing.T) {
	for _, narrowed := range []string{"", "email", someScopes} {
		s := signedIn(t)
		q := s.rotation(time.Hour, func(q *Rotation) { q.Scopes = set(narrowed) })
		first := s.rotates(q)
		for asked, want := range map[string]error{"profile": ErrDiffers, "email profile": ErrDiffers, "profile admin": ErrDiffers, "admin": ErrScope} {
			other := q.again(time.Second)
			other.Scopes = set(asked)
			s.noRotation(want, other, asked)
		}
		if narrowed != "" {
			other := q.again(time.Second)
			other.Scopes = set(narrowed + " admin")
			s.retries(first, other)
		}
		s.retries(first, q.again(2*time.Second))
		s.rotates(s.rotation(2 * time.Hour))
	}
}

// The lost answer was given in time.
func TestRetryOfExpired(t *testing.T) {
	s := signedIn(t)
	_, expires, err := s.read().LiveRefresh(&s.refresh, start)
	require.NoError(t, err)
	q := s.rotation(0).again(expires.Sub(start) - time.Second)
	s.retries(s.rotates(q), q.again(5*time.Second))
}

// The client needs the refresh token. The access token stays revoked across a
// retry.
func TestRetryOfRevokedAccess(t *testing.T) {
	s := signedIn(t)
	q := s.rotation(time.Hour, func(q *Rotation) { q.Scopes = set("email") })
	first := s.rotates(q)
	s.revokes(first.Access.Hash(KindAccess), q.Now)

	r, step, err := s.rotate(q.again(time.Second))
	require.NoError(t, err)
	require.Equal(t, Keep, step)
	require.True(t, r.Retried)
	require.Equal(t, []Secret{first.Access, first.Refresh}, []Secret{r.Access, r.Refresh})
	_, err = s.live(first.Access.Hash(KindAccess), q.Now)
	require.Equal(t, ErrNotFound, err)

	other := q.again(time.Second)
	other.Scopes = set("profile")
	s.noRotation(ErrDiffers, other)
	s.rotates(s.rotation(2 * time.Hour))
	for _, a := range s.read().access {
		require.False(t, a.ended, "the next rotation drops it")
	}
}

// A thief with a copy of the database and an old token tries every part of the
// copy as a salt. Without a secret of the host they find the current pair, and
// with one they don't.
func TestACopyAndAnOldTokenGiveNothing(t *testing.T) {
	for _, secrets := range []HostSecrets{nil, hostSecrets{7}} {
		s := signedIn(t)
		old := s.refresh
		current := s.rotates(s.rotation(time.Hour, func(q *Rotation) { q.HostSecrets = secrets }))
		found := false
		for i := range len(s.doc.State) - len(Salt{}) + 1 {
			salt := Salt([]byte(s.doc.State[i : i+len(Salt{})]))
			access, refresh := old.Successors(s.doc.ID, salt, nil)
			found = found || access == current.Access || refresh == current.Refresh
		}
		require.Equal(t, secrets == nil, found)
	}
}

// The next write after the grace period erases a salt, so its successors can't
// be derived again. The token that it belongs to is still recognized.
func TestSaltsAreErased(t *testing.T) {
	for after, erased := range map[time.Duration]bool{
		0: false, grace: false, grace + slack: false, grace + slack + tick: true, -time.Hour: false,
	} {
		s := signedIn(t)
		access := s.read().newest().Hash
		q := s.rotation(0)
		s.rotates(q)
		require.Contains(t, s.doc.State, string(q.Salt[:]))
		step, err := s.revoke(access, q.Now.Add(after))
		require.NoError(t, err)
		require.Equal(t, Write, step)
		require.Equal(t, !erased, strings.Contains(s.doc.State, string(q.Salt[:])), after)
		if erased {
			s.noRotation(ErrReused, q.again(0), "nothing is left to derive the pair by")
		}
	}

	// A rotation also forgets every rotation past its grace period. A clock
	// that was ahead keeps none of those before it.
	s := signedIn(t)
	var salts []Salt
	for _, at := range []time.Duration{0, time.Minute, 2 * time.Minute, 62 * time.Second, 4 * time.Minute} {
		q := s.rotation(time.Hour + at)
		s.rotates(q)
		salts = append(salts, q.Salt)
	}
	for i, salt := range salts {
		require.Equal(t, i == 4, strings.Contains(s.doc.State, string(salt[:])), i)
	}
}
