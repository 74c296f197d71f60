-- +goose Up

-- Times are microseconds since 1970 in UTC; to read one by hand, use
-- to_timestamp(created_at / 1e6). Texts are compared byte for byte.

-- The registered applications. details has, as JSON, the fields that no query
-- searches or sorts by.
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

-- There can be many self-registered applications, and cleanup keeps looking for
-- unused ones.
create index if not exists latchkey_applications_changed on latchkey_applications (origin, updated_at);

-- The documents: grants, consents, devices, and others. Documents are found,
-- listed, and swept by their columns; only the provider reads state.
--
-- A rotation changes no indexed column except sweep_at, which rarely moves. The
-- new row fits into the old one's page, which has room for it, so no index
-- changes. For that, state is stored in the row too.
--
-- Deleted rows stay in the indexes until a vacuum, and slow down lists and
-- sweeps. So a vacuum runs once a twentieth of the documents was deleted.
create table if not exists latchkey_documents (
  created_at     bigint not null,
  last_used_at   bigint not null,
  sweep_at       bigint,          -- when it may be deleted; null: not before it is cut off
  ended_at       bigint,          -- null if it has not ended
  mark           bigint not null, -- the version: a new random number with each write
  id             uuid primary key,
  kind           smallint not null, -- 1: grant, 2: consent, 3: device, 4: signing keys, 5: something used once, 6: machine token
  user_id        text collate "C" not null,
  application_id text collate "C" not null,
  workspace_id   text collate "C" not null,
  seen           bytea,           -- the numbers of the cut-offs that it knows; null if all are zero
  state          bytea not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

alter table latchkey_documents alter column state set storage main;

create index if not exists latchkey_documents_user on latchkey_documents (user_id, kind, created_at, id) where user_id <> '';
create index if not exists latchkey_documents_application on latchkey_documents (application_id, kind, created_at, id) where application_id <> '';
create index if not exists latchkey_documents_workspace on latchkey_documents (workspace_id, kind, created_at, id) where workspace_id <> '';
create index if not exists latchkey_documents_sweep on latchkey_documents (sweep_at) where sweep_at is not null;

-- The cut-offs. A cut-off covers the documents that match each of its texts that
-- isn't empty, and cuts off those that have not seen its number.
--
-- A page holds few rows, because every lookup of a document reads this table
-- too. The planner counts pages, and would keep scanning a table of few pages
-- when the index is already faster.
create table if not exists latchkey_cuts (
  user_id        text collate "C" not null,
  application_id text collate "C" not null,
  workspace_id   text collate "C" not null,
  number         bigint not null,
  sweep_at       bigint not null, -- when a sweep should check whether it is still needed
  primary key (user_id, application_id, workspace_id)
) with (fillfactor = 10);

create index if not exists latchkey_cuts_sweep on latchkey_cuts (sweep_at);
