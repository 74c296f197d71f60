package sqlstore

import (
	"context"
	"fmt"

	"github.com/latchkey-go/latchkey/store"
)

// postgres does each step in one statement. The parts of a statement see the
// same snapshot of all tables, but a row that it locks is as its last writer
// has left it: so whatever two steps may race for is decided by columns of the
// row that they lock.
//
// Parameters have explicit types, so that it does not matter whether a driver
// asks the server for them, guesses them, or writes values into the text.
type postgres struct{ *Store }

// row reads the one row of a statement.
func (p postgres) row(ctx context.Context, text string, args, into []any) error {
	return p.Store.row(ctx, p.db, text, args, into)
}

const createGrantSQL = `
with g as (
  insert into oauth_grants (id, user_id, application_id, scopes, resource, created_at, last_used_at, agreed_at, expires_at, revoked_at)
  values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::timestamptz, $7::timestamptz, $8::timestamptz, $9::timestamptz, $10::timestamptz)
  on conflict (id) do nothing
  returning id
), code as (
  insert into oauth_codes (grant_id, hash, redirect_uri, redirect_optional, challenge, expires_at)
  select g.id, $11::bytea, $12::text, $13::boolean, $14::text, $15::timestamptz
  from g where $11::bytea is not null
), token as (
  insert into oauth_tokens (grant_id, hash, kind, issued_at, expires_at)
  select g.id, $16::bytea, 2, $6::timestamptz, least($17::timestamptz, $9::timestamptz)
  from g where $16::bytea is not null
), consent as (
  insert into oauth_consents as c (user_id, application_id, scopes, agreed, resource, agreed_at, created_at, last_used_at)
  select $2::text, $3::text, $4::text,
    case when $8::timestamptz is null then '' else $4::text end,
    case when $8::timestamptz is null then '' else $5::text end,
    $8::timestamptz, $6::timestamptz, $6::timestamptz
  from g
  on conflict (user_id, application_id) do update set
    scopes = case when c.scopes = excluded.scopes then c.scopes else array_to_string(array(
      select name collate "C" from unnest(string_to_array(c.scopes, ' ') || string_to_array(excluded.scopes, ' ')) name group by 1 order by 1), ' ') end,
    agreed = case
      when excluded.agreed_at is null then c.agreed
      when c.agreed_at is null or c.resource <> excluded.resource then excluded.agreed
      else array_to_string(array(
        select name collate "C" from unnest(string_to_array(c.agreed, ' ') || string_to_array(excluded.agreed, ' ')) name group by 1 order by 1), ' ') end,
    resource = case when excluded.agreed_at is null then c.resource else excluded.resource end,
    agreed_at = coalesce(excluded.agreed_at, c.agreed_at),
    last_used_at = excluded.last_used_at,
    version = c.version + 1
)
select count(*) from g`

func (p postgres) createGrant(ctx context.Context, n store.NewGrant) error {
	g, code, access := n.Grant, n.Code, n.Access
	if code == nil {
		code = &store.Code{}
	}
	if access == nil {
		access = &store.NewToken{}
	}
	created := 0
	err := p.row(ctx, createGrantSQL, []any{
		p.dialect.id(g.ID), g.UserID, g.ApplicationID, joinSet(g.Scopes), g.Resource,
		p.dialect.time(g.CreatedAt), p.dialect.time(g.LastUsedAt),
		p.dialect.timeOrNull(g.AgreedAt), p.dialect.timeOrNull(g.ExpiresAt), p.dialect.timeOrNull(g.RevokedAt),
		hashOrNull(code.Hash), code.RedirectURI, code.RedirectOptional, code.Challenge, p.dialect.time(code.ExpiresAt),
		hashOrNull(access.Hash), p.dialect.time(access.ExpiresAt),
	}, []any{&created})
	if err == nil && created == 0 {
		return store.ErrExists
	}
	return err
}

// The outcomes of a redemption, rotation or decision, as the statements name
// them.
var refusals = map[string]error{
	"conflict": store.ErrConflict,
	"mismatch": store.ErrMismatch,
	"revoked":  store.ErrRevoked,
	"reused":   store.ErrReused,
	"expired":  store.ErrExpired,
	"scope":    store.ErrScope,
	"resource": store.ErrResource,
	"differs":  store.ErrDiffers,
}

const redeemCodeSQL = `
with found as materialized (
  select g.*, c.redirect_uri, c.redirect_optional, c.challenge, c.expires_at as code_expires_at
  from oauth_grants g join oauth_codes c on c.grant_id = g.id
  where g.id = $1::uuid and c.grant_id = $1::uuid and c.hash = $2::bytea
  for update of g
), g as materialized (
  select found.*, case
    when application_id <> $3::text or challenge <> $5::text
      or redirect_uri <> $4::text and not (redirect_optional and $4::text = '') then 'mismatch'
    when revoked_at is not null then 'revoked'
    when redeemed then 'reused'
    when code_expires_at <= $7::timestamptz then 'expired'
    when $6::text <> '' and $6::text <> resource then 'resource'
    else 'issued' end as outcome
  from found
), spend as (
  update oauth_grants t set redeemed = true, refresh_hash = $10::bytea
  from g where t.id = g.id and g.outcome = 'issued'
), revoke as (
  update oauth_grants t set revoked_at = $7::timestamptz, salt = null
  from g where t.id = g.id and g.outcome = 'reused'
), keep as (
  insert into oauth_tokens (grant_id, hash, kind, issued_at, expires_at)
  select g.id, v.hash, v.kind, $7::timestamptz, least(v.expires_at, g.expires_at)
  from g, (values
    ($8::bytea, 2, $9::timestamptz),
    ($10::bytea, 3, $11::timestamptz)
  ) v (hash, kind, expires_at)
  where g.outcome = 'issued' and v.hash is not null
)
select g.outcome, ` + grantColumns + ` from g`

func (p postgres) redeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
	refresh := r.Refresh
	if refresh == nil {
		refresh = &store.NewToken{}
	}
	var g store.Grant
	var outcome string
	err := p.row(ctx, redeemCodeSQL, []any{
		p.dialect.id(r.Key.GrantID), r.Key.Hash[:], r.ApplicationID, r.RedirectURI, r.Challenge, r.Resource, p.dialect.time(r.At),
		r.Access.Hash[:], p.dialect.time(r.Access.ExpiresAt), hashOrNull(refresh.Hash), p.dialect.time(refresh.ExpiresAt),
	}, append([]any{&outcome}, intoGrant(&g)...))
	if err != nil {
		return store.Issued{}, err
	}
	if refused := refusals[outcome]; refused != nil {
		return store.Issued{}, refused
	}
	return issued(g, r.Access, nil, r.At), nil
}

const rotateRefreshSQL = `
with found as materialized (
  select g.*, t.expires_at as presented_expires_at
  from oauth_grants g left join oauth_tokens t on t.grant_id = $1::uuid and t.hash = $2::bytea and t.kind = 3
  where g.id = $1::uuid and (t.hash is not null or g.previous_hash = $2::bytea)
  for update of g
), g as materialized (
  select found.*, case
    when application_id <> $3::text then 'mismatch'
    when revoked_at is not null then 'revoked'
    when refresh_hash = $2::bytea then case
      when presented_expires_at <= $4::timestamptz then 'expired'
      when not string_to_array($8::text, ' ') <@ string_to_array(scopes, ' ') then 'scope'
      when $9::text <> '' and $9::text <> resource then 'resource'
      else 'rotated' end
    when previous_hash = $2::bytea and salt is not null and rotated_at between $5::timestamptz and $6::timestamptz then case
      when coalesce($8::text, scopes) <> coalesce(pair_scopes, scopes) then 'differs'
      when $9::text <> '' and $9::text <> resource then 'resource'
      else 'retried' end
    else 'reused' end as outcome
  from found
), rotate as (
  update oauth_grants t set
    previous_hash = $2::bytea, refresh_hash = $12::bytea, salt = $7::bytea,
    rotated_at = $4::timestamptz, last_used_at = $4::timestamptz,
    pair_scopes = nullif($8::text, g.scopes), pair_expires_at = least($11::timestamptz, g.expires_at)
  from g where t.id = g.id and g.outcome = 'rotated'
), revoke as (
  update oauth_grants t set revoked_at = $4::timestamptz, salt = null
  from g where t.id = g.id and g.outcome = 'reused'
), keep as (
  insert into oauth_tokens (grant_id, hash, kind, scopes, issued_at, expires_at)
  select g.id, v.hash, v.kind, nullif(v.scopes, g.scopes), $4::timestamptz, least(v.expires_at, g.expires_at)
  from g, (values
    ($10::bytea, 2, $8::text, $11::timestamptz),
    ($12::bytea, 3, null, $13::timestamptz)
  ) v (hash, kind, scopes, expires_at)
  where g.outcome = 'rotated'
), remind as (
  insert into oauth_rotations (grant_id, rotated_at)
  select g.id, $4::timestamptz from g where g.outcome = 'rotated'
  on conflict (grant_id) do update set rotated_at = excluded.rotated_at
)
select g.outcome, case when g.outcome = 'retried' then g.salt end, g.rotated_at,
  g.pair_scopes, g.pair_expires_at, ` + grantColumns + ` from g`

func (p postgres) rotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
	var c chain
	var outcome string
	var salt store.Salt
	from, to := window(r)
	err := p.row(ctx, rotateRefreshSQL, []any{
		p.dialect.id(r.Key.GrantID), r.Key.Hash[:], r.ApplicationID, p.dialect.time(r.At), p.dialect.timeOrNull(from), p.dialect.timeOrNull(to), r.Salt[:],
		presentedSet(r.Scopes), r.Resource,
		r.Access.Hash[:], p.dialect.time(r.Access.ExpiresAt), r.Refresh.Hash[:], p.dialect.time(r.Refresh.ExpiresAt),
	}, append([]any{&outcome, bytesInto{salt[:]}, timeInto{&c.rotatedAt}, &c.pairScopes, timeInto{&c.pairExpiresAt}}, intoGrant(&c.grant)...))
	if err != nil {
		return store.Issued{}, err
	}
	if refused := refusals[outcome]; refused != nil {
		return store.Issued{}, refused
	}
	if outcome == "retried" {
		return c.retried(salt), nil
	}
	return c.rotated(r), nil
}

const revokeOneSQL = `
with g as materialized (
  select g.id, g.application_id, g.revoked_at, t.kind
  from oauth_grants g join oauth_tokens t on t.grant_id = g.id
  where g.id = $1::uuid and t.grant_id = $1::uuid and t.hash = $2::bytea and t.kind > 0
  for update of g
), revoke as (
  update oauth_grants t set revoked_at = $4::timestamptz, salt = null
  from g where t.id = g.id and g.application_id = $3::text and g.kind = 3 and g.revoked_at is null
), discard as (
  update oauth_tokens t set kind = 0, expires_at = to_timestamp(0)
  from g where t.grant_id = $1::uuid and t.hash = $2::bytea and g.application_id = $3::text and g.kind = 2
)
select g.application_id = $3::text from g`

func (p postgres) revokeToken(ctx context.Context, r store.TokenRevocation) error {
	var own bool
	err := p.row(ctx, revokeOneSQL, []any{p.dialect.id(r.Key.GrantID), r.Key.Hash[:], r.ApplicationID, p.dialect.time(r.At)}, []any{&own})
	if err == nil && !own {
		return store.ErrMismatch
	}
	return err
}

// revokeGrants revokes in one statement and says how many there were, and
// whether a consent that it deleted was not the one it began with: then a
// grant was made meanwhile, which the statement could not see.
func (p postgres) revokeGrants(ctx context.Context, r revocation) (int, error) {
	text := `
with revoked as (
  update oauth_grants g set revoked_at = $1::timestamptz, salt = null
  where ` + r.grants.text + ` and g.revoked_at is null
  returning 1
)
select (select count(*) from revoked), false`
	if r.consents {
		text = `
with revoked as (
  update oauth_grants g set revoked_at = $1::timestamptz, salt = null
  where ` + r.grants.text + ` and g.revoked_at is null
  returning 1
), seen as materialized (
  select g.user_id, g.application_id, g.version from oauth_consents g where ` + r.grants.text + `
), deleted as (
  delete from oauth_consents g where ` + r.grants.text + `
  returning g.user_id, g.application_id, g.version
)
select (select count(*) from revoked), exists (select user_id, application_id, version from deleted except select user_id, application_id, version from seen)`
	}
	total := 0
	for raced := true; raced; {
		revoked := 0
		if err := p.row(ctx, text, r.grants.args, []any{&revoked, &raced}); err != nil {
			return total, err
		}
		total += revoked
	}
	return total, nil
}

// deleteExpiredSQL looks for what is due on the indexes of time, locks the
// grants that it is on, passes over those that another step has locked or
// changed since, and judges and clears the others. What has lost its grant,
// because somebody has deleted grants by hand, goes too.
const deleteExpiredSQL = `
with due as materialized (
  (select grant_id from oauth_rotations where rotated_at < $2::timestamptz order by rotated_at limit %[1]d)
  union all (select id from oauth_grants where revoked_at <= $1::timestamptz order by revoked_at limit %[1]d)
  union all (select grant_id from oauth_codes where expires_at <= $1::timestamptz order by expires_at limit %[1]d)
  union all (select grant_id from oauth_tokens where expires_at <= $1::timestamptz order by expires_at limit %[1]d)
  limit %[1]d
), seen as materialized (
  select d.grant_id, g.id, g.redeemed, g.refresh_hash
  from (select distinct grant_id from due) d left join lateral (
    select g.id, g.redeemed, g.refresh_hash from oauth_grants g where g.id = d.grant_id offset 0
  ) g on true
), locked as materialized (
  select s.grant_id, g.redeemed, g.refresh_hash, g.revoked_at
  from seen s cross join lateral (
    select g.redeemed, g.refresh_hash, g.revoked_at from oauth_grants g where g.id = s.id for update skip locked
  ) g
  where g.redeemed = s.redeemed and g.refresh_hash is not distinct from s.refresh_hash
), judged as materialized (
  select l.grant_id, coalesce(l.revoked_at <= $1::timestamptz, false) or not (
    not l.redeemed and 1 = (select count(*) from oauth_codes c where c.grant_id = l.grant_id and c.expires_at > $1::timestamptz)
    or 0 < (select count(*) from oauth_tokens t where t.grant_id = l.grant_id and t.expires_at > $1::timestamptz
      and (t.kind = 2 or t.hash = l.refresh_hash))
  ) as dead
  from locked l
  union all select grant_id, true from seen where id is null
), tokens as (
  delete from oauth_tokens t using judged j where t.grant_id = j.grant_id and (j.dead or t.expires_at <= $1::timestamptz)
), codes as (
  delete from oauth_codes c using judged j where c.grant_id = j.grant_id and (j.dead or c.expires_at <= $1::timestamptz)
), rotations as (
  delete from oauth_rotations r using judged j where r.grant_id = j.grant_id and (j.dead or r.rotated_at < $2::timestamptz)
), salts as (
  update oauth_grants g set salt = null from judged j
  where g.id = j.grant_id and not j.dead and g.salt is not null and g.rotated_at < $2::timestamptz
), grants as (
  delete from oauth_grants g using judged j where g.id = j.grant_id and j.dead
)
select count(*) from due join judged using (grant_id)`

func (p postgres) deleteExpired(ctx context.Context, e store.Expiry) (int, error) {
	touched := 0
	err := p.row(ctx, fmt.Sprintf(deleteExpiredSQL, e.Limit), []any{p.dialect.time(e.Before), p.dialect.timeOrNull(e.RotatedBefore)}, []any{&touched})
	return touched, err
}

func (p postgres) insertOne(ctx context.Context, text string, row []any) (bool, error) {
	n, err := p.exec(ctx, p.db, text+" on conflict do nothing", row...)
	return n == 1, err
}

const postgresUpdateApplicationSQL = `
with updated as (` + updateApplicationSQL + ` returning 1)
select exists (select from updated), exists (select from oauth_applications where id = $1::text)`

func (p postgres) updateApplication(ctx context.Context, row []any) error {
	var updated, there bool
	err := p.row(ctx, postgresUpdateApplicationSQL, row, []any{&updated, &there})
	return updateOutcome(updated, there, err)
}
