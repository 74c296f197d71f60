-- +goose Up

-- Times are numbers of microseconds since 1970 in UTC: to read one by hand,
-- datetime(created_at / 1000000, 'unixepoch'). Texts are compared byte for byte,
-- which is what SQLite does unless told otherwise.

-- The registered applications. What nothing searches or sorts by is in details,
-- as JSON.
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

-- Applications that registered themselves can be many, and those that nobody
-- has used for long are looked for again and again.
create index if not exists latchkey_applications_changed on latchkey_applications (origin, updated_at);

-- The documents: grants, consents, and devices. The columns are what they are
-- found, listed, and swept by; state is the provider's own. A rotation changes
-- no column that is in an index, except sweep_at, which rarely moves.
create table if not exists latchkey_documents (
  created_at     integer not null,
  last_used_at   integer not null,
  sweep_at       integer,          -- null: not before it is cut off
  ended_at       integer,          -- null: not ended
  mark           integer not null, -- the version: another random number with each write
  id             blob not null primary key,
  kind           integer not null, -- 1: grant, 2: consent, 3: device, 4: signing keys, 5: what may happen once
  user_id        text not null,
  application_id text not null,
  workspace_id   text not null,
  seen           blob,             -- the cut-offs that it knew; null: none
  state          blob not null
);

create index if not exists latchkey_documents_user on latchkey_documents (user_id, kind, created_at, id) where user_id <> '';
create index if not exists latchkey_documents_application on latchkey_documents (application_id, kind, created_at, id) where application_id <> '';
create index if not exists latchkey_documents_workspace on latchkey_documents (workspace_id, kind, created_at, id) where workspace_id <> '';
create index if not exists latchkey_documents_sweep on latchkey_documents (sweep_at) where sweep_at is not null;

-- The cut-offs. One covers the documents that match each of its texts that
-- isn't empty, and cuts off those that have not seen its number.
create table if not exists latchkey_cuts (
  user_id        text not null,
  application_id text not null,
  workspace_id   text not null,
  number         integer not null,
  sweep_at       integer not null, -- when to look whether it is still needed
  primary key (user_id, application_id, workspace_id)
) without rowid;

create index if not exists latchkey_cuts_sweep on latchkey_cuts (sweep_at);
