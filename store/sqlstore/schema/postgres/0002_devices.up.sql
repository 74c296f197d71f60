-- +goose Up

-- What an application said when it registered itself, as JSON; null: nothing.
-- The version before this one neither writes nor reads it.
alter table oauth_applications add column if not exists registration text;

-- Applications that registered themselves can be many, and those among them
-- that nobody has used for long are looked for again and again.
create index if not exists oauth_applications_changed on oauth_applications (origin, updated_at);

-- The device authorizations, until they expire. The ids grow with time, so the
-- primary key grows at its right edge. No column that a poll or a decision
-- changes is in any index, and the pages have room left, so that such an
-- update touches no index at all.
create table if not exists oauth_devices (
  id             uuid primary key,
  code           bytea not null,
  user_code      bytea not null constraint oauth_devices_user_code unique,
  grant_code     bytea not null,            -- the code of the grant that will follow
  application_id text collate "C" not null,
  scopes         text collate "C" not null,
  resource       text collate "C" not null,
  created_at     timestamptz not null,
  expires_at     timestamptz not null,
  poll_interval  bigint not null,           -- the least time between two polls, in microseconds
  polled_at      timestamptz,               -- the last poll; null: none
  decided_at     timestamptz,               -- null: nobody has decided
  grant_id       uuid                       -- what was allowed; null: nothing, or not yet
) with (fillfactor = 70);

create index if not exists oauth_devices_expiry on oauth_devices (expires_at);
