package memory

import (
	"context"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// slack is how long what has expired is left on a grant that is written: the
// times that two callers bring may be out of order by as much.
const slack = instant(time.Minute / time.Microsecond)

// RedeemCode implements [store.Grants].
func (s *Store) RedeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
	if err := ctx.Err(); err != nil {
		return store.Issued{}, err
	}
	if err := r.Check(); err != nil {
		return store.Issued{}, err
	}

	sh := s.shardOf(r.Key.GrantID.Tag())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.grants[r.Key.GrantID]
	if g == nil {
		return store.Issued{}, store.ErrNotFound
	}
	return g.redeem(r)
}

func (g *grant) redeem(r store.CodeRedemption) (store.Issued, error) {
	at := instantOf(r.At)
	switch {
	case g.code == nil || !g.code.hash.Equal(r.Key.Hash):
		return store.Issued{}, store.ErrNotFound
	case g.application.Value() != r.ApplicationID || !g.code.matches(r):
		return store.Issued{}, store.ErrMismatch
	case g.revokedAt != 0:
		return store.Issued{}, store.ErrRevoked
	case g.code.spent:
		g.revoke(at)
		return store.Issued{}, store.ErrReused
	case g.code.expiresAt <= at:
		return store.Issued{}, store.ErrExpired
	}
	if !g.isFor(r.Resource) {
		return store.Issued{}, store.ErrResource
	}

	g.code.spent = true
	g.giveAccess(r.Access, g.scopes, at)
	if r.Refresh != nil {
		g.giveRefresh(*r.Refresh, at)
	}
	return g.issued(), nil
}

// matches reports whether the code is presented by whom it was sent to.
func (c *code) matches(r store.CodeRedemption) bool {
	if c.challenge != r.Challenge {
		return false
	}
	return c.redirectURI.Value() == r.RedirectURI || c.redirectOptional && r.RedirectURI == ""
}

// isFor reports whether tokens of the grant may be asked for by naming the
// resource, or none (RFC 8707 section 2.2).
func (g *grant) isFor(resource string) bool {
	return resource == "" || resource == g.resource.Value()
}

// RotateRefresh implements [store.Grants].
func (s *Store) RotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
	if err := ctx.Err(); err != nil {
		return store.Issued{}, err
	}
	if err := r.Check(); err != nil {
		return store.Issued{}, err
	}

	sh := s.shardOf(r.Key.GrantID.Tag())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.grants[r.Key.GrantID]
	if g == nil {
		return store.Issued{}, store.ErrNotFound
	}
	return g.rotate(r)
}

func (g *grant) rotate(r store.RefreshRotation) (store.Issued, error) {
	at := instantOf(r.At)
	presented, place := g.findRefresh(r.Key.Hash)
	switch {
	case place == nowhere:
		return store.Issued{}, store.ErrNotFound
	case g.application.Value() != r.ApplicationID:
		return store.Issued{}, store.ErrMismatch
	case g.revokedAt != 0:
		return store.Issued{}, store.ErrRevoked
	case place == previous && g.retryable(at, r.Grace):
		return g.retry(r)
	case place != current:
		g.revoke(at)
		return store.Issued{}, store.ErrReused
	case presented.expiresAt <= at:
		return store.Issued{}, store.ErrExpired
	}
	narrowed := g.scopes
	if len(r.Scopes) > 0 {
		if !g.scopes.set().Contains(r.Scopes) {
			return store.Issued{}, store.ErrScope
		}
		narrowed = scopeSetOf(r.Scopes)
	}
	if !g.isFor(r.Resource) {
		return store.Issued{}, store.ErrResource
	}

	g.forgetSalt()
	g.prune(at - slack)
	if g.previous != (refreshToken{}) {
		g.remember(g.previous)
	}
	g.previous, g.salt, g.rotatedAt = presented, r.Salt, at
	g.giveRefresh(r.Refresh, at)
	g.giveAccess(r.Access, narrowed, at)
	g.lastUsedAt = at
	return g.issued(), nil
}

// retryable reports whether the previous token, presented at the time, is a
// retry. The clocks of two callers differ, so its rotation may seem to lie in
// the future as well.
func (g *grant) retryable(at instant, grace time.Duration) bool {
	if g.rotatedAt == 0 || grace <= 0 {
		return false
	}
	return max(at-g.rotatedAt, g.rotatedAt-at) <= instant(grace/time.Microsecond)
}

// retry answers a repeated rotation as the first one was answered.
func (g *grant) retry(r store.RefreshRotation) (store.Issued, error) {
	pair := g.newestAccess()
	asked := g.scopes.set()
	if len(r.Scopes) > 0 {
		asked = r.Scopes
	}
	if !pair.scopes.set().Equal(asked) {
		return store.Issued{}, store.ErrDiffers
	}
	if !g.isFor(r.Resource) {
		return store.Issued{}, store.ErrResource
	}
	issued := g.issued()
	issued.Retried = true
	return issued, nil
}

// issued returns the grant as it is now, and what was issued on it last.
func (g *grant) issued() store.Issued {
	newest := g.newestAccess()
	access, out := g.withToken(newest.out(), newest.scopes)
	return store.Issued{Grant: out, Access: access, Salt: g.salt}
}

// newestAccess returns the access token of the last redemption or rotation.
func (g *grant) newestAccess() *accessToken { return &g.access[len(g.access)-1] }
