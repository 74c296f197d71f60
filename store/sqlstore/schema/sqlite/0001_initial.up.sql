-- +goose Up

-- Times are numbers of microseconds since 1970 in UTC. Texts are compared by
-- their bytes, which is what SQLite does unless told otherwise.

-- The registered applications. Lists are JSON.
create table if not exists oauth_applications (
  id            text not null primary key,
  client_id     text not null unique,
  name          text not null,
  folded_name   text not null, -- in lower case, for searching
  redirect_uris text not null,
  scopes        text not null,
  secrets       text not null,
  public        integer not null,
  pkce_required integer not null,
  skip_consent  integer not null,
  origin        text not null,
  owner_id      text not null,
  client_uri    text not null,
  logo_url      text not null,
  metadata      text not null,
  created_at    integer not null,
  updated_at    integer not null,
  version       integer not null
);

-- The grants: one sign-in of one user to one application on one device. The
-- ids grow with time, so the primary key grows at its right edge. Sets of
-- scopes are their sorted names, separated by single spaces. No column that a
-- redemption or a rotation changes is in any index.
create table if not exists oauth_grants (
  id              blob not null primary key,
  user_id         text not null,
  application_id  text not null,
  scopes          text not null,
  resource        text not null,
  created_at      integer not null,
  last_used_at    integer not null,
  agreed_at       integer,
  expires_at      integer,
  revoked_at      integer,
  redeemed        integer not null default 0, -- the code is spent
  refresh_hash    blob,                       -- the token that will rotate
  previous_hash   blob,                       -- the token that was rotated last,
  rotated_at      integer,                    -- when,
  salt            blob,                       -- and how its successors were derived; null: forgotten
  pair_scopes     text,                       -- of the access token issued then; null: the grant's
  pair_expires_at integer
);

create index if not exists oauth_grants_user on oauth_grants (user_id);
create index if not exists oauth_grants_application on oauth_grants (application_id);
create index if not exists oauth_grants_revoked on oauth_grants (revoked_at) where revoked_at is not null;

-- The authorization code of each grant, spent or not, until it expires.
create table if not exists oauth_codes (
  grant_id          blob not null primary key,
  hash              blob not null,
  redirect_uri      text not null,
  redirect_optional integer not null,
  challenge         text not null,
  expires_at        integer not null
) without rowid;

create index if not exists oauth_codes_expiry on oauth_codes (expires_at);

-- The access tokens and refresh tokens, spent ones too, until they expire. A
-- grant dies when the last of its codes and tokens does, so whoever deletes
-- what has expired looks at the grants it was on.
create table if not exists oauth_tokens (
  grant_id   blob not null,
  hash       blob not null,
  kind       integer not null, -- 2: access, 3: refresh, 0: an access token that was revoked
  scopes     text,             -- null: the grant's
  issued_at  integer not null,
  expires_at integer not null,
  primary key (grant_id, hash)
) without rowid;

create index if not exists oauth_tokens_expiry on oauth_tokens (expires_at);

-- The grants whose salt is to be forgotten, by the time of their rotation.
create table if not exists oauth_rotations (
  grant_id   blob not null primary key,
  rotated_at integer not null
) without rowid;

create index if not exists oauth_rotations_time on oauth_rotations (rotated_at);

-- What each user has agreed to give each application.
create table if not exists oauth_consents (
  user_id        text not null,
  application_id text not null,
  scopes         text not null,
  agreed         text not null,
  resource       text not null,
  agreed_at      integer,
  created_at     integer not null,
  last_used_at   integer not null,
  primary key (user_id, application_id)
) without rowid;

create index if not exists oauth_consents_application on oauth_consents (application_id);
