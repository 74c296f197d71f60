-- +goose Up

-- Times are numbers of microseconds since 1970 in UTC: to read one by hand,
-- to_timestamp(created_at / 1e6). Texts are compared byte for byte.

-- The registered applications. What nothing searches or sorts by is in details,
-- as JSON.
create table if not exists latchkey_applications (
  id          text collate "C" primary key,
  client_id   text collate "C" not null constraint latchkey_applications_client_id unique,
  name        text collate "C" not null,
  folded_name text collate "C" not null, -- in lower case, for searching
  origin      text collate "C" not null,
  owner_id    text collate "C" not null,
  created_at  bigint not null,
  updated_at  bigint not null,
  version     bigint not null,
  details     text not null
);

-- Applications that registered themselves can be many, and those that nobody
-- has used for long are looked for again and again.
create index if not exists latchkey_applications_changed on latchkey_applications (origin, updated_at);

-- The documents: grants, consents, and devices. The columns are what they are
-- found, listed, and swept by; state is the provider's own.
--
-- A rotation changes no column that is in an index, except sweep_at, which
-- rarely moves. It stays in the row's page, which has room left for it, and
-- touches no index. For that the state stays in the row, too.
--
-- What was swept stays in the indexes until a vacuum, and lists and sweeps walk
-- over it. So a vacuum comes after a twentieth of the documents has gone.
create table if not exists latchkey_documents (
  created_at     bigint not null,
  last_used_at   bigint not null,
  sweep_at       bigint,          -- null: not before it is cut off
  ended_at       bigint,          -- null: not ended
  mark           bigint not null, -- the version: another random number with each write
  id             uuid primary key,
  kind           smallint not null, -- 1: grant, 2: consent, 3: device, 4: signing keys, 5: what may happen once
  user_id        text collate "C" not null,
  application_id text collate "C" not null,
  workspace_id   text collate "C" not null,
  seen           bytea,           -- the cut-offs that it knew; null: none
  state          bytea not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

alter table latchkey_documents alter column state set storage main;

create index if not exists latchkey_documents_user on latchkey_documents (user_id, kind, created_at, id) where user_id <> '';
create index if not exists latchkey_documents_application on latchkey_documents (application_id, kind, created_at, id) where application_id <> '';
create index if not exists latchkey_documents_workspace on latchkey_documents (workspace_id, kind, created_at, id) where workspace_id <> '';
create index if not exists latchkey_documents_sweep on latchkey_documents (sweep_at) where sweep_at is not null;

-- The cut-offs. One covers the documents that match each of its texts that
-- isn't empty, and cuts off those that have not seen its number.
--
-- A page holds few of them, because every lookup of a document looks here, too:
-- the planner counts pages, and would read all of a small table each time, long
-- after that takes longer than to look into the index.
create table if not exists latchkey_cuts (
  user_id        text collate "C" not null,
  application_id text collate "C" not null,
  workspace_id   text collate "C" not null,
  number         bigint not null,
  sweep_at       bigint not null, -- when to look whether it is still needed
  primary key (user_id, application_id, workspace_id)
) with (fillfactor = 10);

create index if not exists latchkey_cuts_sweep on latchkey_cuts (sweep_at);
