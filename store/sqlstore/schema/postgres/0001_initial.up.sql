-- +goose Up

-- The registered applications. Lists are JSON.
create table if not exists oauth_applications (
  id            text collate "C" primary key,
  client_id     text collate "C" not null constraint oauth_applications_client_id unique,
  name          text collate "C" not null,
  folded_name   text collate "C" not null, -- in lower case, for searching
  redirect_uris text not null,
  scopes        text not null,
  secrets       text not null,
  public        boolean not null,
  pkce_required boolean not null,
  skip_consent  boolean not null,
  origin        text not null,
  owner_id      text collate "C" not null,
  client_uri    text not null,
  logo_url      text not null,
  metadata      text not null,
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  version       bigint not null
);

-- The grants: one sign-in of one user to one application on one device. The
-- ids grow with time, so the primary key grows at its right edge. Sets of
-- scopes are their sorted names, separated by single spaces.
--
-- The state of the chain of refresh tokens is here rather than with the
-- tokens, because a statement that has waited for the lock of a row sees what
-- that row has become, but not what was inserted elsewhere meanwhile. No
-- column that a redemption or a rotation changes is in any index, and the
-- pages have room left, so that such an update touches no index at all.
create table if not exists oauth_grants (
  id              uuid primary key,
  user_id         text collate "C" not null,
  application_id  text collate "C" not null,
  scopes          text collate "C" not null,
  resource        text collate "C" not null,
  created_at      timestamptz not null,
  last_used_at    timestamptz not null,
  agreed_at       timestamptz,
  expires_at      timestamptz,
  revoked_at      timestamptz,
  redeemed        boolean not null default false, -- the code is spent
  refresh_hash    bytea,                          -- the token that will rotate
  previous_hash   bytea,                          -- the token that was rotated last,
  rotated_at      timestamptz,                    -- when,
  salt            bytea,                          -- and how its successors were derived; null: forgotten
  pair_scopes     text collate "C",               -- of the access token issued then; null: the grant's
  pair_expires_at timestamptz
) with (fillfactor = 70);

create index if not exists oauth_grants_user on oauth_grants (user_id);
create index if not exists oauth_grants_application on oauth_grants (application_id);
create index if not exists oauth_grants_revoked on oauth_grants (revoked_at) where revoked_at is not null;

-- The authorization code of each grant, spent or not, until it expires.
create table if not exists oauth_codes (
  grant_id          uuid primary key,
  hash              bytea not null,
  redirect_uri      text collate "C" not null,
  redirect_optional boolean not null,
  challenge         text collate "C" not null,
  expires_at        timestamptz not null
);

create index if not exists oauth_codes_expiry on oauth_codes (expires_at);

-- The access tokens and refresh tokens, spent ones too, until they expire.
-- Rows are inserted and deleted and hardly ever updated.
--
-- A grant has no column that says when it dies, which every rotation would
-- have to change in an index. It dies when the last of its codes and tokens
-- does, so whoever deletes what has expired looks at the grants it was on.
create table if not exists oauth_tokens (
  grant_id   uuid not null,
  hash       bytea not null,
  kind       smallint not null, -- 2: access, 3: refresh, 0: an access token that was revoked
  scopes     text collate "C",  -- null: the grant's
  issued_at  timestamptz not null,
  expires_at timestamptz not null,
  primary key (grant_id, hash)
);

create index if not exists oauth_tokens_expiry on oauth_tokens (expires_at);

-- The grants whose salt is to be forgotten, by the time of their rotation. An
-- index on oauth_grants (rotated_at) would have to change, and every other
-- index with it, at each rotation.
create table if not exists oauth_rotations (
  grant_id   uuid primary key,
  rotated_at timestamptz not null
);

create index if not exists oauth_rotations_time on oauth_rotations (rotated_at);

-- What each user has agreed to give each application. The version is one more
-- with each grant, by which a revocation notices a grant made beside it.
create table if not exists oauth_consents (
  user_id        text collate "C" not null,
  application_id text collate "C" not null,
  scopes         text collate "C" not null,
  agreed         text collate "C" not null,
  resource       text collate "C" not null,
  agreed_at      timestamptz,
  created_at     timestamptz not null,
  last_used_at   timestamptz not null,
  version        bigint not null default 1,
  primary key (user_id, application_id)
) with (fillfactor = 80);

create index if not exists oauth_consents_application on oauth_consents (application_id);
