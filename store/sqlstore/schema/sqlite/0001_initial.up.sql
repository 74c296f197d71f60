-- +goose Up

-- Times are microseconds since 1970 in UTC; to read one by hand, use
-- datetime(created_at / 1000000, 'unixepoch'). Texts are compared byte for byte,
-- which is SQLite's default.

-- The registered applications. details has, as JSON, the fields that no query
-- searches or sorts by.
create table if not exists latchkey_applications (
  id          text not null primary key,
  client_id   text not null unique,
  name        text not null,
  folded_name text not null, -- in lower case, for searching
  origin      text not null,
  owner_id    text not null,
  created_at  integer not null,
  updated_at  integer not null,
  version     integer not null,
  details     text not null
);

-- There can be many self-registered applications, and cleanup keeps looking for
-- unused ones.
create index if not exists latchkey_applications_changed on latchkey_applications (origin, updated_at);

-- The documents: grants, consents, devices, and others. Documents are found,
-- listed, and swept by their columns; only the provider reads state. A rotation
-- changes no indexed column except sweep_at, which rarely moves.
create table if not exists latchkey_documents (
  created_at     integer not null,
  last_used_at   integer not null,
  sweep_at       integer,          -- when it may be deleted; null: not before it is cut off
  ended_at       integer,          -- null if it has not ended
  mark           integer not null, -- the version: a new random number with each write
  id             blob not null primary key,
  kind           integer not null, -- 1: grant, 2: consent, 3: device, 4: signing keys, 5: something used once, 6: machine token
  user_id        text not null,
  application_id text not null,
  workspace_id   text not null,
  seen           blob,             -- the numbers of the cut-offs that it knows; null if all are zero
  state          blob not null
);

create index if not exists latchkey_documents_user on latchkey_documents (user_id, kind, created_at, id) where user_id <> '';
create index if not exists latchkey_documents_application on latchkey_documents (application_id, kind, created_at, id) where application_id <> '';
create index if not exists latchkey_documents_workspace on latchkey_documents (workspace_id, kind, created_at, id) where workspace_id <> '';
create index if not exists latchkey_documents_sweep on latchkey_documents (sweep_at) where sweep_at is not null;

-- The cut-offs. A cut-off covers the documents that match each of its texts that
-- isn't empty, and cuts off those that have not seen its number.
create table if not exists latchkey_cuts (
  user_id        text not null,
  application_id text not null,
  workspace_id   text not null,
  number         integer not null,
  sweep_at       integer not null, -- when a sweep should check whether it is still needed
  primary key (user_id, application_id, workspace_id)
) without rowid;

create index if not exists latchkey_cuts_sweep on latchkey_cuts (sweep_at);
