package rules

import "time"

// FindAccess returns the access token with the hash, expired or not, or nil if
// the grant has none or it was revoked.
func (g *Grant) FindAccess(h Hash) *Access {
	for i := g.accessCount - 1; i >= 0; i-- {
		if a := &g.access[i]; a.Hash.Equal(h) && !a.ended {
			return a
		}
	}
	return nil
}

// LiveAccess returns the access token with the hash if it works now. It refuses
// in this order: ErrNotFound, ErrRevoked, ErrExpired.
func (g *Grant) LiveAccess(h Hash, now Instant) (*Access, error) {
	a := g.FindAccess(h)
	switch {
	case a == nil:
		return nil, ErrNotFound
	case g.revoked():
		return nil, ErrRevoked
	case a.ExpiresAt <= now:
		return nil, ErrExpired
	}
	return a, nil
}

// LiveRefresh returns when the refresh token was issued and when it expires, if
// it works now. It refuses in this order: ErrNotFound, ErrRevoked, ErrReused,
// ErrExpired. Looking at a token doesn't use it, so the caller need not revoke
// anything.
func (g *Grant) LiveRefresh(s *Secret, now Instant) (issued, expires Instant, err error) {
	at := g.place(s, s.Hash(KindRefresh))
	switch {
	case at == nowhere:
		return 0, 0, ErrNotFound
	case g.revoked():
		return 0, 0, ErrRevoked
	case at != current:
		return 0, 0, ErrReused
	case g.current.expiresAt <= now:
		return 0, 0, ErrExpired
	}
	return g.current.issuedAt, g.current.expiresAt, nil
}

// RevokeAccess revokes one access token for its application (RFC 7009). The
// grant and its other tokens stay. It refuses with ErrNotFound, then with
// ErrMismatch. A token that no longer works needs no write.
func (g *Grant) RevokeAccess(h Hash, applicationID string, now Instant, grace time.Duration) (Step, error) {
	a := g.FindAccess(h)
	switch {
	case a == nil:
		return Keep, ErrNotFound
	case g.ApplicationID != applicationID:
		return Keep, ErrOtherApplication
	case g.revoked() || a.ExpiresAt <= now:
		return Keep, nil
	}
	a.ended = true // The next rotation drops it.
	g.tidy(now, grace)
	return Write, nil
}
