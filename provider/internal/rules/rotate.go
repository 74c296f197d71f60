package rules

import (
	"crypto/subtle"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
)

// Rotation is a request for the next tokens of a grant (RFC 6749 section 6).
type Rotation struct {
	Presented     Secret
	ApplicationID string

	// Scopes narrows the access token to these scopes of the grant; the grant
	// itself doesn't change. The default is the grant's scopes.
	Scopes   scopes.Set
	Resource string // as in [Redemption]

	Salt        Salt        // for the derivation of the successors
	HostSecrets HostSecrets // also for the derivation; may be nil
	Attempt     Rotated     // what the last attempt of this request was about to write; zero for the first attempt

	Grace  time.Duration // how long a replaced token still gets the current pair; 0 or less means never
	Public bool          // the application doesn't authenticate

	AccessExpiresAt, RefreshExpiresAt Instant
	Now                               Instant
}

// Rotated is the pair of tokens that answers a rotation.
type Rotated struct {
	Access, Refresh Secret
	Token           Access // the stored form of Access
	Retried         bool   // it is the current pair, which was issued before; nothing is written
	Evicted         bool   // a live access token ended because the grant had too many
}

// place is the position of a refresh token in the chain of a grant.
type place uint8

const (
	nowhere place = iota
	current       // it will rotate
	spent         // it was rotated before
)

// place finds a refresh token in the chain. A token of the grant's family and
// of an older generation is spent. A token of the family that is not older but
// unknown was written to a database that has lost it since. That is not a
// reuse.
func (g *Grant) place(s *Secret, h Hash) place {
	if g.generation == 0 {
		return nowhere
	}
	family := s.family()
	switch {
	case g.current.hash.Equal(h):
		return current
	case subtle.ConstantTimeCompare(family[:], g.family[:]) == 1 && s.generation() < g.generation:
		return spent
	}
	return nowhere
}

// Rotate replaces the current refresh token with its successor. It refuses in
// this order: ErrNotFound, ErrMismatch, ErrRevoked, ErrReused or ErrTooOld,
// ErrExpired, ErrScope, ErrResource.
//
// A token that was current at some time within the grace period is a retry:
// Rotate returns the current pair, and writes nothing. It refuses with
// ErrDiffers if the retry asks for other scopes than that pair has. If the
// access token of the current pair has expired, the chain continues from there:
// there is one chain, for all of its tokens.
//
// A grant remembers only its last rotations. If it has forgotten some of those
// within the grace period, it can't tell whether an older token was current
// within the grace period. Such a token is refused with ErrTooOld. If the
// application is public, it counts as a reuse, so that a thief can't hide by
// rotating until the grant has forgotten.
//
// The error wraps ErrHostSecret if a required secret is unknown.
func (g *Grant) Rotate(q *Rotation) (r Rotated, step Step, err error) {
	at := g.place(&q.Presented, q.Presented.Hash(KindRefresh))
	narrowed, left := g.narrow(q.Scopes)
	switch {
	case at == nowhere:
		return r, Keep, ErrNotFound
	case g.ApplicationID != q.ApplicationID:
		return r, Keep, ErrOtherApplication
	case g.revoked():
		return r, Keep, ErrRevoked
	case q.written(g):
		r = q.Attempt
		if a := g.FindAccess(r.Token.Hash); a != nil {
			r.Token = *a
		}
		return r, Keep, nil
	}
	from := q.Presented
	if at == spent {
		if r.Access, r.Refresh, err = g.follow(q); err != nil {
			return Rotated{}, Keep, err
		}
		if pair := g.newest(); pair.ExpiresAt > q.Now {
			switch {
			case !left:
				return Rotated{}, Keep, ErrScope
			case pair.Scopes != narrowed:
				return Rotated{}, Keep, ErrDiffers
			case !g.isFor(q.Resource):
				return Rotated{}, Keep, ErrResource
			}
			r.Token, r.Retried = *pair, true
			return r, Keep, nil
		}
		from, r = r.Refresh, Rotated{}
	}
	switch {
	case g.current.expiresAt <= q.Now:
		return r, Keep, ErrExpired
	case !left:
		return r, Keep, ErrScope
	case !g.isFor(q.Resource):
		return r, Keep, ErrResource
	}
	key, secretID := q.hostKey(0)
	r.Access, r.Refresh = from.Successors(g.ID, q.Salt, key)
	successor := r.Refresh.Hash(KindRefresh)
	g.tidy(q.Now, q.Grace)
	g.remember(rotation{q.Salt, secretID, q.Now})
	r.Evicted = g.give(NewToken{r.Access.Hash(KindAccess), q.AccessExpiresAt}, narrowed, q.Now)
	g.current = refreshToken{successor, q.Now, g.Until(q.RefreshExpiresAt)}
	g.generation = r.Refresh.generation()
	g.note(successor)
	g.LastUsedAt = max(g.LastUsedAt, q.Now)
	r.Token = *g.newest()
	return r, Write, nil
}

// written reports whether the last attempt of the request was written, and only
// the answer to that was lost.
func (q *Rotation) written(g *Grant) bool {
	return q.Attempt.Refresh != Secret{} && g.wrote(q.Attempt.Refresh.Hash(KindRefresh))
}

// hostKey returns the key of the host's secret with the ID, or of the current
// one, and its ID. It is nil if there is none.
func (q *Rotation) hostKey(id uint32) (key []byte, secretID uint32) {
	if q.HostSecrets == nil {
		return nil, 0
	}
	return q.HostSecrets.DerivationKey(id)
}

// within reports whether a rotation was within the grace period. The clocks of
// two instances differ, so it may also seem to be in the future.
func (q *Rotation) within(at Instant) bool {
	return q.Grace > 0 && max(q.Now.Sub(at), at.Sub(q.Now)) <= q.Grace
}

// follow derives the current pair from a token that it has replaced within the
// grace period.
func (g *Grant) follow(q *Rotation) (access, refresh Secret, err error) {
	steps := g.rotations[:g.rotationCount]
	behind := int64(g.generation) - int64(q.Presented.generation())
	switch {
	case behind > int64(len(steps)) && len(steps) == maxRotations && q.within(steps[0].at) && !q.Public:
		return access, refresh, ErrTooOld
	case behind > int64(len(steps)), !q.within(steps[len(steps)-int(behind)].at):
		return access, refresh, ErrReused
	}
	refresh = q.Presented
	for _, step := range steps[len(steps)-int(behind):] {
		var key []byte
		if step.secretID != 0 {
			if key, _ = q.hostKey(step.secretID); key == nil {
				return access, refresh, ErrHostSecret
			}
		}
		access, refresh = refresh.Successors(g.ID, step.salt, key)
	}
	if !g.current.hash.Equal(refresh.Hash(KindRefresh)) {
		return access, refresh, ErrReused
	}
	return access, refresh, nil
}

// isFor reports whether a request that names the resource, or none, may get
// tokens of the grant (RFC 8707 section 2.2).
func (g *Grant) isFor(resource string) bool { return resource == "" || resource == g.Resource }

// narrow returns the scopes of an access token for which the scopes are
// requested: the granted ones among them, in the order of the grant, or "" for
// all. Clients repeat their original request, even if the user has granted
// less. If none of the requested scopes was granted, left is false. A grant
// without scopes stays usable.
func (g *Grant) narrow(asked scopes.Set) (narrowed string, left bool) {
	if len(asked) == 0 || g.Scopes == "" {
		return "", true
	}
	granted := g.ScopeSet()
	kept := granted.Intersect(asked)
	if len(kept) == len(granted) {
		return "", true
	}
	return kept.String(), len(kept) > 0
}
