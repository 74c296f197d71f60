-- +goose Up

-- Times are numbers of microseconds since 1970 in UTC, which no time zone of a
-- server, session or driver changes. Texts are the bytes of their UTF-8, which
-- no character set of a connection changes, and which are compared as they
-- are: MySQL's collations take "user" and "user " for the same.

-- The registered applications. Lists are JSON.
create table if not exists oauth_applications (
  id            varbinary(512) not null primary key,
  client_id     varbinary(512) not null,
  name          mediumblob not null,
  folded_name   mediumblob not null, -- in lower case, for searching
  redirect_uris longblob not null,
  scopes        longblob not null,
  secrets       longblob not null,
  public        boolean not null,
  pkce_required boolean not null,
  skip_consent  boolean not null,
  origin        mediumblob not null,
  owner_id      varbinary(512) not null,
  client_uri    mediumblob not null,
  logo_url      mediumblob not null,
  metadata      longblob not null,
  created_at    bigint not null,
  updated_at    bigint not null,
  version       bigint not null,
  unique key oauth_applications_client_id (client_id)
) engine = InnoDB;

-- The grants: one sign-in of one user to one application on one device. The
-- ids grow with time, so the table grows at its right edge. Sets of scopes are
-- their sorted names, separated by single spaces. No column that a redemption
-- or a rotation changes is in any index.
create table if not exists oauth_grants (
  id              binary(16) not null primary key,
  user_id         varbinary(512) not null,
  application_id  varbinary(512) not null,
  scopes          mediumblob not null,
  resource        mediumblob not null,
  created_at      bigint not null,
  last_used_at    bigint not null,
  agreed_at       bigint,
  expires_at      bigint,
  revoked_at      bigint,
  redeemed        boolean not null default false, -- the code is spent
  refresh_hash    binary(32),                     -- the token that will rotate
  previous_hash   binary(32),                     -- the token that was rotated last,
  rotated_at      bigint,                         -- when,
  salt            binary(16),                     -- and how its successors were derived; null: forgotten
  pair_scopes     mediumblob,                     -- of the access token issued then; null: the grant's
  pair_expires_at bigint,
  key oauth_grants_user (user_id),
  key oauth_grants_application (application_id),
  key oauth_grants_revoked (revoked_at)
) engine = InnoDB;

-- The authorization code of each grant, spent or not, until it expires.
create table if not exists oauth_codes (
  grant_id          binary(16) not null primary key,
  hash              binary(32) not null,
  redirect_uri      mediumblob not null,
  redirect_optional boolean not null,
  challenge         mediumblob not null,
  expires_at        bigint not null,
  key oauth_codes_expiry (expires_at)
) engine = InnoDB;

-- The access tokens and refresh tokens, spent ones too, until they expire. A
-- grant dies when the last of its codes and tokens does, so whoever deletes
-- what has expired looks at the grants it was on.
create table if not exists oauth_tokens (
  grant_id   binary(16) not null,
  hash       binary(32) not null,
  kind       tinyint not null, -- 2: access, 3: refresh, 0: an access token that was revoked
  scopes     mediumblob,       -- null: the grant's
  issued_at  bigint not null,
  expires_at bigint not null,
  primary key (grant_id, hash),
  key oauth_tokens_expiry (expires_at)
) engine = InnoDB;

-- The grants whose salt is to be forgotten, by the time of their rotation.
create table if not exists oauth_rotations (
  grant_id   binary(16) not null primary key,
  rotated_at bigint not null,
  key oauth_rotations_time (rotated_at)
) engine = InnoDB;

-- What each user has agreed to give each application.
create table if not exists oauth_consents (
  user_id        varbinary(512) not null,
  application_id varbinary(512) not null,
  scopes         mediumblob not null,
  agreed         mediumblob not null,
  resource       mediumblob not null,
  agreed_at      bigint,
  created_at     bigint not null,
  last_used_at   bigint not null,
  primary key (user_id, application_id),
  key oauth_consents_application (application_id)
) engine = InnoDB;
