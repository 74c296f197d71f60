package sqlstore

import (
	"database/sql"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// A chain is what is read of a grant and its chain of refresh tokens.
type chain struct {
	grant store.Grant

	// The last rotation and what is particular about the access token that it
	// issued.
	rotatedAt     time.Time
	pairScopes    sql.NullString
	pairExpiresAt time.Time
}

// retried returns the answer to a repeated rotation: that of the first one.
func (c chain) retried(salt store.Salt) store.Issued {
	n := store.NewToken{ExpiresAt: c.pairExpiresAt}
	out := issued(c.grant, n, splitSet(c.pairScopes.String), c.rotatedAt)
	out.Retried, out.Salt = true, salt
	return out
}

// rotated returns the answer to a rotation that has been done.
func (c chain) rotated(r store.RefreshRotation) store.Issued {
	c.grant.LastUsedAt = cut(r.At)
	out := issued(c.grant, r.Access, r.Scopes, r.At)
	out.Salt = r.Salt
	return out
}

// window returns the first and last time of a rotation of which r can be a
// retry, or zero times if there is none: the clocks of two callers differ, so
// the rotation may seem to lie in the future as well.
func window(r store.RefreshRotation) (from, to time.Time) {
	if r.Grace <= 0 {
		return time.Time{}, time.Time{}
	}
	grace := r.Grace.Truncate(time.Microsecond)
	return cut(r.At).Add(-grace), cut(r.At).Add(grace)
}
