-- +goose Up

-- What an application said when it registered itself, as JSON; null: nothing.
-- The version before this one neither writes nor reads it. Applications that
-- registered themselves can be many, and those among them that nobody has used
-- for long are looked for again and again, so there is an index for them.
--
-- MySQL cannot add what is not there yet, as MariaDB can. So that this file can
-- be run again, whether to do it is asked first. Column and index come in one
-- step. All four statements have to be sent over one connection.
set @oauth_change = (
  select if(count(*) > 0, 'do 0',
    'alter table oauth_applications add column registration longblob, add key oauth_applications_changed (origin(32), updated_at)')
  from information_schema.columns
  where table_schema = database() and table_name = 'oauth_applications' and column_name = 'registration'
);
prepare oauth_change from @oauth_change;
execute oauth_change;
deallocate prepare oauth_change;

-- The device authorizations, until they expire. The ids grow with time, so the
-- table grows at its right edge. No column that a poll or a decision changes is
-- in any index.
create table if not exists oauth_devices (
  id             binary(16) not null primary key,
  code           binary(32) not null,
  user_code      binary(32) not null,
  grant_code     binary(32) not null, -- the code of the grant that will follow
  application_id varbinary(512) not null,
  scopes         mediumblob not null,
  resource       mediumblob not null,
  created_at     bigint not null,
  expires_at     bigint not null,
  poll_interval  bigint not null,     -- the least time between two polls, in microseconds
  polled_at      bigint,              -- the last poll; null: none
  decided_at     bigint,              -- null: nobody has decided
  grant_id       binary(16),          -- what was allowed; null: nothing, or not yet
  unique key oauth_devices_user_code (user_code),
  key oauth_devices_expiry (expires_at)
) engine = InnoDB;
