-- +goose Up

-- What an application said when it registered itself, as JSON; null: nothing.
-- The version before this one neither writes nor reads it.
alter table oauth_applications add column registration text;

-- Applications that registered themselves can be many, and those among them
-- that nobody has used for long are looked for again and again.
create index if not exists oauth_applications_changed on oauth_applications (origin, updated_at);

-- The device authorizations, until they expire. The ids grow with time, so the
-- table grows at its right edge. No column that a poll or a decision changes is
-- in any index.
create table if not exists oauth_devices (
  id             blob not null primary key,
  code           blob not null,
  user_code      blob not null unique,
  grant_code     blob not null,    -- the code of the grant that will follow
  application_id text not null,
  scopes         text not null,
  resource       text not null,
  created_at     integer not null,
  expires_at     integer not null,
  poll_interval  integer not null, -- the least time between two polls, in microseconds
  polled_at      integer,          -- the last poll; null: none
  decided_at     integer,          -- null: nobody has decided
  grant_id       blob              -- what was allowed; null: nothing, or not yet
) without rowid;

create index if not exists oauth_devices_expiry on oauth_devices (expires_at);
