package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A token that was just rotated, presented again, gets the pair that was issued
// then, equal in every byte. Nothing is written.
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

// Exactly the grace is in time, by either clock; a microsecond more is a reuse.
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

// Who uses the successor has received it, so the other one is a thief, or was
// robbed.
func TestRetryAfterTheSuccessorWasUsed(t *testing.T) {
	s := signedIn(t)
	q := s.rotation(time.Hour)
	s.rotates(q)
	s.rotates(s.rotation(time.Hour + time.Second))
	s.noRotation(ErrReused, q.again(2*time.Second))
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

// A retry that asks for something else is refused, changes nothing, and the
// right one is answered afterwards.
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

// The answer that was lost was given in time.
func TestRetryOfExpired(t *testing.T) {
	s := signedIn(t)
	_, expires, err := s.read().LiveRefresh(&s.refresh, start)
	require.NoError(t, err)
	q := s.rotation(0).again(expires.Sub(start) - time.Second)
	s.retries(s.rotates(q), q.again(5*time.Second))
}

// What the client needs is the refresh token. The access token stays ended
// across a retry.
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

// A salt is erased by the next write after its grace, so that what was derived
// by it can't be derived again. The token that it belongs to stays known.
func TestSaltsAreErased(t *testing.T) {
	for after, erased := range map[time.Duration]bool{
		0: false, grace: false, grace + slack: false, grace + slack + tick: true, -time.Hour: false,
	} {
		s := signedIn(t)
		access := s.read().newest().Hash
		q := s.rotation(0)
		s.rotates(q)
		require.NotZero(t, s.read().salt)
		step, err := s.revoke(access, q.Now.Add(after))
		require.NoError(t, err)
		require.Equal(t, Write, step)
		require.Equal(t, erased, s.read().salt == Salt{}, after)
		if erased {
			s.noRotation(ErrReused, q.again(0), "nothing is left to derive the pair by")
		}
	}
}
