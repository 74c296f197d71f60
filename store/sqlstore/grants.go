package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// CreateGrant implements [store.Grants].
func (s *Store) CreateGrant(ctx context.Context, n store.NewGrant) error {
	if err := checkNewGrant(n); err != nil {
		return err
	}
	return s.try(ctx, "create grant", func(ctx context.Context) error { return s.steps.createGrant(ctx, n) })
}

// RedeemCode implements [store.Grants].
func (s *Store) RedeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
	if err := r.Check(); err != nil {
		return store.Issued{}, err
	}
	r.ApplicationID, r.RedirectURI, r.Challenge = presented(r.ApplicationID), presented(r.RedirectURI), presented(r.Challenge)
	r.Resource = presented(r.Resource)

	var out store.Issued
	err := s.try(ctx, "redeem code", func(ctx context.Context) (err error) {
		out, err = s.steps.redeemCode(ctx, r)
		return err
	})
	if err != nil {
		return store.Issued{}, err
	}
	return out, nil
}

// RotateRefresh implements [store.Grants].
func (s *Store) RotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
	if err := r.Check(); err != nil {
		return store.Issued{}, err
	}
	r.ApplicationID, r.Resource = presented(r.ApplicationID), presented(r.Resource)

	var out store.Issued
	err := s.try(ctx, "rotate refresh token", func(ctx context.Context) (err error) {
		out, err = s.steps.rotateRefresh(ctx, r)
		return err
	})
	if err != nil {
		return store.Issued{}, err
	}
	return out, nil
}

const findTokenSQL = `
select ` + grantColumns + `, t.kind, t.scopes, t.issued_at, t.expires_at,
  case when t.kind = 3 and (g.refresh_hash is null or g.refresh_hash <> t.hash) then 1 else 0 end
from oauth_grants g join oauth_tokens t on t.grant_id = g.id
where g.id = $1::uuid and t.grant_id = $1::uuid and t.hash = $2::bytea and t.kind > 0`

// FindToken implements [store.Grants].
func (s *Store) FindToken(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
	var g store.Grant
	token := store.Token{Hash: k.Hash}
	var narrowed sql.NullString
	into := append(intoGrant(&g), &token.Kind, &narrowed, timeInto{&token.IssuedAt}, timeInto{&token.ExpiresAt}, &token.Spent)
	err := s.try(ctx, "find token", func(ctx context.Context) error {
		return s.row(ctx, s.db, findTokenSQL, []any{s.dialect.id(k.GrantID), k.Hash[:]}, into)
	})
	if err != nil {
		return store.Token{}, store.Grant{}, err
	}
	if narrowed.Valid {
		token.Scopes = splitSet(narrowed.String)
	} else {
		token.Scopes = append(token.Scopes, g.Scopes...)
	}
	return token, g, nil
}

// RevokeToken implements [store.Grants].
func (s *Store) RevokeToken(ctx context.Context, r store.TokenRevocation) error {
	if err := r.Check(); err != nil {
		return err
	}
	r.ApplicationID = presented(r.ApplicationID)
	err := s.try(ctx, "revoke token", func(ctx context.Context) error { return s.steps.revokeToken(ctx, r) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// A condition is what a filter says, as SQL.
type condition struct {
	text string // with the parameters from $2 on
	args []any  // with room for $1
}

// where returns the condition that a row matches the
// filter. Every filter has a text of its own, so that each finds its index.
func (s *Store) where(f store.GrantFilter, first any) condition {
	c := condition{args: []any{first}}
	var parts []string
	add := func(column, kind string, value any) {
		c.args = append(c.args, value)
		parts = append(parts, fmt.Sprintf("%s = $%d%s", column, len(c.args), kind))
	}
	if !f.ID.IsZero() {
		add("id", "::uuid", s.dialect.id(f.ID))
	}
	if f.UserID != "" {
		add("user_id", "::text", presented(f.UserID))
	}
	if f.ApplicationID != "" {
		add("application_id", "::text", presented(f.ApplicationID))
	}
	c.text = strings.Join(parts, " and ")
	return c
}

// ListGrants implements [store.Grants].
func (s *Store) ListGrants(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	if q.IsZero() {
		return nil, 0, ctx.Err()
	}
	c := s.where(q.GrantFilter, limit)
	args := append(c.args, q.Offset)
	// The total comes with every row, and with a row of its own if the page is
	// empty.
	text := fmt.Sprintf(`
select c.total, %[1]s
from (select count(*) as total from oauth_grants g where %[2]s and g.revoked_at is null) c
left join (
  select * from oauth_grants g where %[2]s and g.revoked_at is null
  order by g.created_at desc, g.id desc limit $1::bigint offset $%[3]d::bigint
) g on 1 = 1
order by g.created_at desc, g.id desc`, grantColumns, c.text, len(args))

	var page []store.Grant
	total := 0
	err = s.try(ctx, "list grants", func(ctx context.Context) error {
		page = nil
		return s.rows(ctx, s.db, text, args, func(scan func(into ...any) error) error {
			var g store.Grant
			into := []any{&total}
			for _, column := range intoGrant(&g) {
				into = append(into, orAbsent{column})
			}
			if err := scan(into...); err != nil {
				return err
			}
			if !g.ID.IsZero() {
				page = append(page, g)
			}
			return nil
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return page, total, nil
}

// A revocation is the input of RevokeGrants, ready for use.
type revocation struct {
	grants   condition // with the time as its first argument
	consents bool      // the consents that the filter names go too
}

// RevokeGrants implements [store.Grants].
func (s *Store) RevokeGrants(ctx context.Context, f store.GrantFilter, at time.Time) (int, error) {
	if err := store.CheckTime(at); err != nil {
		return 0, err
	}
	if f.IsZero() {
		return 0, ctx.Err()
	}
	r := revocation{grants: s.where(f, s.dialect.time(at)), consents: f.ID.IsZero()}
	revoked := 0
	err := s.try(ctx, "revoke grants", func(ctx context.Context) error {
		n, err := s.steps.revokeGrants(ctx, r)
		revoked += n
		return err
	})
	return revoked, err
}

// DeleteExpired implements [store.Grants]. Every code, token, rotation and
// revocation that it deals with counts as one record; a grant that goes takes
// along whatever else is on it.
func (s *Store) DeleteExpired(ctx context.Context, e store.Expiry) (int, error) {
	if e.Limit <= 0 {
		return 0, fmt.Errorf("sqlstore: the limit of a cleanup must be positive, not %d", e.Limit)
	}
	touched := 0
	err := s.try(ctx, "delete expired", func(ctx context.Context) (err error) {
		touched, err = s.steps.deleteExpired(ctx, e)
		return err
	})
	return touched, err
}
