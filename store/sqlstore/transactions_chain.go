package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

const lockCodeSQL = `
select ` + grantColumns + `, g.redeemed, c.redirect_uri, c.redirect_optional, c.challenge, c.expires_at
from oauth_grants g join oauth_codes c on c.grant_id = g.id
where g.id = $1 and c.grant_id = $1 and c.hash = $2`

// A lockedCode is a code and its grant, whose row is locked.
type lockedCode struct {
	grant    store.Grant
	code     store.Code
	redeemed bool
}

func (t transactions) redeemCode(ctx context.Context, r store.CodeRedemption) (out store.Issued, err error) {
	var refused error
	err = t.do(ctx, func(q querier) error {
		var c lockedCode
		into := append(intoGrant(&c.grant), &c.redeemed, &c.code.RedirectURI, &c.code.RedirectOptional, &c.code.Challenge, timeInto{&c.code.ExpiresAt})
		if err := t.row(ctx, q, lockCodeSQL+t.locking(), []any{t.dialect.id(r.Key.GrantID), r.Key.Hash[:]}, into); err != nil {
			return err
		}
		if refused = c.refuse(r); refused == nil {
			out = issued(c.grant, r.Access, nil, r.At)
			return t.redeem(ctx, q, r, out)
		}
		return t.revokeIfReused(ctx, q, refused, r.Key.GrantID, r.At)
	})
	if err == nil {
		err = refused
	}
	return out, err
}

// redeem spends a code and keeps what is issued for it.
func (t transactions) redeem(ctx context.Context, q querier, r store.CodeRedemption, out store.Issued) error {
	var refresh any
	if r.Refresh != nil {
		refresh = r.Refresh.Hash[:]
		if err := t.keepRefresh(ctx, q, out.Grant, *r.Refresh, r.At); err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, q, `update oauth_grants set redeemed = $1, refresh_hash = $2 where id = $3`,
		true, refresh, t.dialect.id(out.Grant.ID)); err != nil {
		return err
	}
	return t.keep(ctx, q, out)
}

// revokeIfReused revokes the grant if that is why a code or token was refused.
func (t transactions) revokeIfReused(ctx context.Context, q querier, refused error, id store.GrantID, at time.Time) (err error) {
	if errors.Is(refused, store.ErrReused) {
		_, err = t.exec(ctx, q, revokeSQL, t.dialect.time(at), t.dialect.id(id))
	}
	return err
}

// refuse returns why the code is not redeemed, or nil.
func (c lockedCode) refuse(r store.CodeRedemption) error {
	switch {
	case c.grant.ApplicationID != r.ApplicationID || c.code.Challenge != r.Challenge,
		c.code.RedirectURI != r.RedirectURI && (!c.code.RedirectOptional || r.RedirectURI != ""):
		return store.ErrMismatch
	case !c.grant.RevokedAt.IsZero():
		return store.ErrRevoked
	case c.redeemed:
		return store.ErrReused
	case !c.code.ExpiresAt.After(cut(r.At)):
		return store.ErrExpired
	case r.Resource != "" && r.Resource != c.grant.Resource:
		return store.ErrResource
	}
	return nil
}

const lockChainSQL = `
select ` + grantColumns + `, g.refresh_hash, g.previous_hash, g.rotated_at, g.salt,
  g.pair_scopes, g.pair_expires_at, t.expires_at
from oauth_grants g left join oauth_tokens t on t.grant_id = $1 and t.hash = $2 and t.kind = 3
where g.id = $1 and (t.hash is not null or g.previous_hash = $2)`

// A lockedChain is a chain of refresh tokens whose grant's row is locked.
type lockedChain struct {
	chain
	current, previous  store.Hash
	salt               store.Salt
	hasSalt            bool
	presentedExpiresAt time.Time
}

const rotateSQL = `
update oauth_grants set previous_hash = $1, refresh_hash = $2, salt = $3, rotated_at = $4, last_used_at = $4,
  pair_scopes = $5, pair_expires_at = $6
where id = $7`

func (t transactions) rotateRefresh(ctx context.Context, r store.RefreshRotation) (out store.Issued, err error) {
	var refused error
	err = t.do(ctx, func(q querier) error {
		c, err := t.lockChain(ctx, q, r.Key)
		if err != nil {
			return err
		}
		var retried bool
		retried, refused = c.judge(r)
		switch {
		case retried:
			out = c.retried(c.salt)
			return nil
		case refused == nil:
			out = c.rotated(r)
			return t.rotate(ctx, q, r, out)
		}
		return t.revokeIfReused(ctx, q, refused, c.grant.ID, r.At)
	})
	if err == nil {
		err = refused
	}
	return out, err
}

func (t transactions) lockChain(ctx context.Context, q querier, k store.Key) (c lockedChain, err error) {
	var salt []byte
	into := append(intoGrant(&c.grant), bytesInto{c.current[:]}, bytesInto{c.previous[:]}, timeInto{&c.rotatedAt}, &salt,
		&c.pairScopes, timeInto{&c.pairExpiresAt}, timeInto{&c.presentedExpiresAt})
	err = t.row(ctx, q, lockChainSQL+t.locking(), []any{t.dialect.id(k.GrantID), k.Hash[:]}, into)
	c.hasSalt = copy(c.salt[:], salt) == len(c.salt)
	return c, err
}

// judge returns whether r is a retry, and if not, why it is refused, or nil.
func (c lockedChain) judge(r store.RefreshRotation) (retried bool, refused error) {
	asked := presentedSet(r.Scopes)
	elsewhere := r.Resource != "" && r.Resource != c.grant.Resource
	from, to := window(r)
	switch {
	case c.grant.ApplicationID != r.ApplicationID:
		return false, store.ErrMismatch
	case !c.grant.RevokedAt.IsZero():
		return false, store.ErrRevoked
	case c.current.Equal(r.Key.Hash):
		switch {
		case !c.presentedExpiresAt.After(cut(r.At)):
			return false, store.ErrExpired
		case asked != nil && !c.grant.Scopes.Contains(splitSet(asked.(string))):
			return false, store.ErrScope
		case elsewhere:
			return false, store.ErrResource
		}
		return false, nil
	case c.previous.Equal(r.Key.Hash) && c.hasSalt && r.Grace > 0 && !c.rotatedAt.Before(from) && !c.rotatedAt.After(to):
		if asked == nil {
			asked = joinSet(c.grant.Scopes)
		}
		switch {
		case asked != either(c.pairScopes, joinSet(c.grant.Scopes)):
			return false, store.ErrDiffers
		case elsewhere:
			return false, store.ErrResource
		}
		return true, nil
	}
	return false, store.ErrReused
}

// either returns the text, or the other if it is NULL.
func either(text sql.NullString, other string) string {
	if text.Valid {
		return text.String
	}
	return other
}

// rotate keeps what a rotation has issued.
func (t transactions) rotate(ctx context.Context, q querier, r store.RefreshRotation, out store.Issued) error {
	g, at := out.Grant, t.dialect.time(r.At)
	var pairScopes any
	if set := joinSet(out.Access.Scopes); set != joinSet(g.Scopes) {
		pairScopes = set
	}
	if _, err := t.exec(ctx, q, rotateSQL, r.Key.Hash[:], r.Refresh.Hash[:], r.Salt[:], at,
		pairScopes, t.dialect.time(out.Access.ExpiresAt), t.dialect.id(g.ID)); err != nil {
		return err
	}
	if err := t.keep(ctx, q, out); err != nil {
		return err
	}
	if err := t.keepRefresh(ctx, q, g, r.Refresh, r.At); err != nil {
		return err
	}
	remind := `insert into oauth_rotations (grant_id, rotated_at) values ($1, $2) on conflict (grant_id) do update set rotated_at = excluded.rotated_at`
	if t.dialect == MySQL {
		remind = `insert into oauth_rotations (grant_id, rotated_at) values ($1, $2) on duplicate key update rotated_at = values(rotated_at)`
	}
	_, err := t.exec(ctx, q, remind, t.dialect.id(g.ID), at)
	return err
}

const lockOneSQL = `
select g.application_id, t.kind from oauth_grants g join oauth_tokens t on t.grant_id = g.id
where g.id = $1 and t.grant_id = $1 and t.hash = $2 and t.kind > 0`

func (t transactions) revokeToken(ctx context.Context, r store.TokenRevocation) error {
	return t.do(ctx, func(q querier) error {
		id := t.dialect.id(r.Key.GrantID)
		var applicationID string
		var kind store.Kind
		if err := t.row(ctx, q, lockOneSQL+t.locking(), []any{id, r.Key.Hash[:]}, []any{&applicationID, &kind}); err != nil {
			return err
		}
		if applicationID != r.ApplicationID {
			return store.ErrMismatch
		}
		var err error
		if kind == store.KindRefresh {
			_, err = t.exec(ctx, q, revokeSQL, t.dialect.time(r.At), id)
		} else {
			// It stays until the next cleanup, which then looks at the grant.
			_, err = t.exec(ctx, q, `update oauth_tokens set kind = 0, expires_at = 0 where grant_id = $1 and hash = $2`, id, r.Key.Hash[:])
		}
		return err
	})
}
