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

	// Scopes narrow the access token to those of them that the grant has; the
	// grant keeps what it has. The default is the grant's.
	Scopes   scopes.Set
	Resource string // as in [Redemption]

	Salt        Salt        // by which the successors are derived
	HostSecrets HostSecrets // which go into that; nil: none
	Attempt     Rotated     // what the last attempt of this request was about to write; zero: it is the first

	Grace  time.Duration // how long a token that was replaced still gets the current pair; 0 or less: never
	Public bool          // the application doesn't authenticate

	AccessExpiresAt, RefreshExpiresAt Instant
	Now                               Instant
}

// Rotated is the pair of tokens that answers a rotation.
type Rotated struct {
	Access, Refresh Secret
	Token           Access // what is kept of Access
	Retried         bool   // it is the current pair, which was issued before; nothing is written
	Evicted         bool   // a live access token had to end, because the grant had too many
}

// place is where in the chain of a grant a refresh token stands.
type place uint8

const (
	nowhere place = iota
	current       // it will rotate
	spent         // it was rotated before
)

// place finds a refresh token in the chain. One of the grant's family and of an
// older generation is spent. One of the family that is not older, and still
// unknown, was written to a database that has lost it since: that is nobody's
// fault, and not a reuse.
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

// Rotate replaces the current refresh token by its successor. It refuses in
// this order: ErrNotFound, ErrMismatch, ErrRevoked, ErrReused or ErrTooOld,
// ErrExpired, ErrScope, ErrResource.
//
// A token that was current at some time within the grace is a retry: it is
// answered with the current pair, and nothing is written. It is refused with
// ErrDiffers if it asks for other scopes than that pair has. If the access token
// of the current pair has expired, the chain goes on from there: there is one
// chain, whichever of its tokens is presented.
//
// A grant remembers its last rotations only. One that has had so many within the
// grace that it has forgotten some can't say whether a token from before them
// was current within the grace. Such a token is refused with ErrTooOld; if the
// application is public, it is a reuse, so that a thief can't hide by rotating
// until all is forgotten.
//
// The error wraps ErrHostSecret if a secret that is needed is unknown.
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

// written reports whether the last attempt of the request has happened: it was
// written, and the answer to that was lost.
func (q *Rotation) written(g *Grant) bool {
	return q.Attempt.Refresh != Secret{} && g.wrote(q.Attempt.Refresh.Hash(KindRefresh))
}

// hostKey returns the key of the host's secret with the ID, or of the one that is
// used now, and its ID. It is nil if there is none.
func (q *Rotation) hostKey(id uint32) (key []byte, secretID uint32) {
	if q.HostSecrets == nil {
		return nil, 0
	}
	return q.HostSecrets.DerivationKey(id)
}

// within reports whether a rotation was within the grace. The clocks of two
// instances differ, so it may seem to lie in the future as well.
func (q *Rotation) within(at Instant) bool {
	return q.Grace > 0 && max(q.Now.Sub(at), at.Sub(q.Now)) <= q.Grace
}

// follow derives the current pair from a token that it has replaced within the
// grace.
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

// isFor reports whether tokens of the grant may be asked for by naming the
// resource, or none (RFC 8707 section 2.2).
func (g *Grant) isFor(resource string) bool { return resource == "" || resource == g.Resource }

// narrow returns what an access token has for which the scopes are asked: those
// that were granted, in the order of the grant, and never more. If empty, all of
// them. Clients ask again for all that they asked for at first, whatever the
// user has left of it. If nothing is left of what they ask for, left is false.
// A grant without any scope is as good as it ever was.
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
