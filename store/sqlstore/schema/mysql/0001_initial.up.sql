-- +goose Up

-- Times are microseconds since 1970 in UTC, so that no time zone of a server,
-- session, or driver changes them. Texts are UTF-8 bytes, so that no character
-- set of a connection changes them, and no collation compares them: some take
-- "user" and "user " for the same. To read them by hand, use
-- from_unixtime(created_at / 1000000) and convert(name using utf8mb4).

-- The registered applications. details has, as JSON, the fields that no query
-- searches or sorts by.
create table if not exists latchkey_applications (
  id          varbinary(512) not null primary key,
  client_id   varbinary(512) not null,
  name        mediumblob not null,
  folded_name mediumblob not null, -- in lower case, for searching
  origin      mediumblob not null,
  owner_id    varbinary(512) not null,
  created_at  bigint not null,
  updated_at  bigint not null,
  version     bigint not null,
  details     longblob not null,
  unique key latchkey_applications_client_id (client_id),
  key latchkey_applications_changed (origin(32), updated_at)
) engine = InnoDB;

-- The documents: grants, consents, devices, and others. Documents are found,
-- listed, and swept by their columns; only the provider reads state. A rotation
-- changes no indexed column except sweep_at, which rarely moves.
create table if not exists latchkey_documents (
  created_at     bigint not null,
  last_used_at   bigint not null,
  sweep_at       bigint,          -- when it may be deleted; null: not before it is cut off
  ended_at       bigint,          -- null if it has not ended
  mark           bigint not null, -- the version: a new random number with each write
  id             binary(16) not null primary key,
  kind           smallint not null, -- 1: grant, 2: consent, 3: device, 4: signing keys, 5: something used once, 6: machine token
  user_id        varbinary(512) not null,
  application_id varbinary(512) not null,
  workspace_id   varbinary(512) not null,
  seen           varbinary(255),  -- the numbers of the cut-offs that it knows; null if all are zero
  state          mediumblob not null,
  key latchkey_documents_user (user_id, kind, created_at, id),
  key latchkey_documents_application (application_id, kind, created_at, id),
  key latchkey_documents_workspace (workspace_id, kind, created_at, id),
  key latchkey_documents_sweep (sweep_at)
) engine = InnoDB;

-- The cut-offs. A cut-off covers the documents that match each of its texts that
-- isn't empty, and cuts off those that have not seen its number.
create table if not exists latchkey_cuts (
  user_id        varbinary(512) not null,
  application_id varbinary(512) not null,
  workspace_id   varbinary(512) not null,
  number         bigint not null,
  sweep_at       bigint not null, -- when a sweep should check whether it is still needed
  primary key (user_id, application_id, workspace_id),
  key latchkey_cuts_sweep (sweep_at)
) engine = InnoDB;
