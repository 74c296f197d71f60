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
	// grant keeps what it has. Empty: the grant's.
	Scopes   scopes.Set
	Resource string // as in [Redemption]

	Salt                              Salt          // by which the successors are derived
	Grace                             time.Duration // how long the same request may be repeated; 0 or less: never
	AccessExpiresAt, RefreshExpiresAt Instant
	Now                               Instant
}

// Rotated is the pair of tokens that answers a rotation.
type Rotated struct {
	Access, Refresh Secret
	Token           Access // what is kept of Access
	Retried         bool   // it was issued before; nothing is written
	Evicted         bool   // a live access token had to end, because the grant had too many
}

// place is where in the chain of a grant a refresh token stands.
type place uint8

const (
	nowhere  place = iota
	current        // it will rotate
	previous       // it was rotated last
	spent          // it was rotated before that
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
	case g.previous.Equal(h):
		return previous
	case subtle.ConstantTimeCompare(family[:], g.family[:]) == 1 && s.generation() < g.generation:
		return spent
	}
	return nowhere
}

// Rotate replaces the current refresh token by its successor. It refuses in
// this order: ErrNotFound, ErrMismatch, ErrRevoked, ErrReused, ErrExpired,
// ErrScope, ErrResource.
//
// The token that was rotated last, presented again within the grace, is a
// retry: it is answered with the pair that was issued then. It is refused with
// ErrDiffers if it asks for other scopes than the first time.
func (g *Grant) Rotate(q *Rotation) (r Rotated, step Step, err error) {
	hash := q.Presented.Hash(KindRefresh)
	at := g.place(&q.Presented, hash)
	if at == nowhere {
		return r, Keep, ErrNotFound
	}
	narrowed, left := g.narrow(q.Scopes)
	r.Access, r.Refresh = q.Presented.Successors(g.ID, q.Salt)
	successor := r.Refresh.Hash(KindRefresh)
	switch {
	case g.ApplicationID != q.ApplicationID:
		return r, Keep, ErrOtherApplication
	case g.revoked():
		return r, Keep, ErrRevoked
	case g.wrote(successor):
		r.Token = g.rewritten(q, r.Access.Hash(KindAccess), narrowed)
		return r, Keep, nil
	case at == previous && g.inGrace(q):
		r, err = g.retry(q, narrowed, left)
		return r, Keep, err
	case at != current:
		return r, Keep, ErrReused
	case g.current.expiresAt <= q.Now:
		return r, Keep, ErrExpired
	case !left:
		return r, Keep, ErrScope
	case !g.isFor(q.Resource):
		return r, Keep, ErrResource
	}
	g.tidy(q.Now, 0)
	r.Evicted = g.give(NewToken{r.Access.Hash(KindAccess), q.AccessExpiresAt}, narrowed, q.Now)
	g.previous, g.salt, g.rotatedAt = g.current.hash, q.Salt, q.Now
	g.current = refreshToken{successor, q.Now, g.Until(q.RefreshExpiresAt)}
	g.generation = r.Refresh.generation()
	g.note(successor)
	g.LastUsedAt = max(g.LastUsedAt, q.Now)
	r.Token = *g.newest()
	return r, Write, nil
}

// rewritten returns the access token of a rotation that finds that it has
// happened: its first attempt was written and the answer to that was lost.
func (g *Grant) rewritten(q *Rotation, access Hash, narrowed string) Access {
	if a := g.FindAccess(access); a != nil {
		return *a
	}
	// Others have rotated on so often that the access token made room.
	return Access{Hash: access, Scopes: narrowed, IssuedAt: q.Now, ExpiresAt: g.Until(q.AccessExpiresAt)}
}

// inGrace reports whether a rotation may be repeated. The clocks of two
// instances differ, so it may seem to lie in the future as well.
func (g *Grant) inGrace(q *Rotation) bool {
	return g.rotatedAt != 0 && q.Grace > 0 && max(q.Now.Sub(g.rotatedAt), g.rotatedAt.Sub(q.Now)) <= q.Grace
}

// retry answers a repeated rotation as the first one was answered.
func (g *Grant) retry(q *Rotation, narrowed string, left bool) (r Rotated, err error) {
	pair := g.newest()
	switch {
	case !left:
		return r, ErrScope
	case pair.Scopes != narrowed:
		return r, ErrDiffers
	case !g.isFor(q.Resource):
		return r, ErrResource
	}
	r.Access, r.Refresh = q.Presented.Successors(g.ID, g.salt)
	r.Token, r.Retried = *pair, true
	return r, nil
}

// isFor reports whether tokens of the grant may be asked for by naming the
// resource, or none (RFC 8707 section 2.2).
func (g *Grant) isFor(resource string) bool { return resource == "" || resource == g.Resource }

// narrow returns what an access token has for which the scopes are asked: those
// that were granted, in the order of the grant, and never more. Empty: all of
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
