package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

//go:embed schema
var schema embed.FS

// Schema returns the migrations of the dialect as files, for your own migration
// tool. Run them in the order of their names, such as 0001_initial.up.sql. Each
// of their statements may be run again.
//
// The files have the format of goose and golang-migrate, and their table names
// begin with "latchkey_". For another prefix or another tool, copy the files
// and change them. Schema panics if d is not a dialect.
func Schema(d Dialect) fs.FS {
	sub, err := fs.Sub(schema, "schema/"+d.String())
	if err != nil {
		panic(err) // The path is a constant of each dialect.
	}
	return sub
}

// A migration is one file of the schema.
type migration struct {
	version    int
	statements []string
}

// migrations returns the migrations with the prefix, in order.
func (s *Store) migrations() ([]migration, error) {
	files, err := fs.Glob(Schema(s.dialect), "*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	var list []migration
	for _, name := range files {
		var m migration
		if _, err := fmt.Sscanf(name, "%d_", &m.version); err != nil {
			return nil, fmt.Errorf("%s has no number", name)
		}
		text, err := fs.ReadFile(Schema(s.dialect), name)
		if err != nil {
			return nil, err
		}
		m.statements = split(strings.ReplaceAll(string(text), defaultPrefix, s.prefix))
		list = append(list, m)
	}
	return list, nil
}

// split returns the statements of a file: each ends with a semicolon at the
// end of a line.
func split(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(part) != "" {
			list = append(list, part)
		}
	}
	return list
}

// Migrate brings the tables up to date. It is safe to call from any number of
// processes at once: one migrates, and the others wait. It needs the right to
// create tables only if there is something to create. It leaves tables alone
// that a newer version of this package has migrated, because each migration
// also works with the version before it.
//
// Migrate waits for transactions that use its tables, so give ctx a deadline.
func (s *Store) Migrate(ctx context.Context) error {
	list, err := s.migrations()
	if err != nil {
		return err
	}
	// An error may only mean that the table doesn't exist yet.
	if done, err := s.migrated(ctx); err == nil && done >= list[len(list)-1].version {
		return nil
	}
	return s.try(ctx, "migrate", func(ctx context.Context) error {
		if s.dialect == Postgres {
			return s.migrateLocked(ctx, list)
		}
		return s.apply(ctx, list)
	})
}

// migrateLocked migrates while holding a lock, because in PostgreSQL concurrent
// CREATE IF NOT EXISTS statements may fail. The lock ends with the transaction,
// so it works behind a pooler of transactions. A process that waited for the
// lock must see what was done meanwhile, so the transaction is always READ
// COMMITTED.
func (s *Store) migrateLocked(ctx context.Context, list []migration) error {
	tx, err := s.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // After Commit there is nothing to undo.
	t := s.In(tx)
	if _, err := t.exec(ctx, "lock", `select pg_advisory_xact_lock(hashtext($1::text))`, s.prefix+"migrations"); err != nil {
		return err
	}
	if err := t.apply(ctx, list); err != nil {
		return err
	}
	return tx.Commit()
}

// migrated returns the number of the last migration that was run.
func (c *core) migrated(ctx context.Context) (version int, err error) {
	err = c.row(ctx, `select coalesce(max(version), 0) from latchkey_migrations`, nil, &version)
	return version, err
}

// apply runs the migrations that aren't recorded as done. MySQL and SQLite take
// no lock. Each statement may be run again, so concurrent processes and
// interrupted ones do no harm.
func (c *core) apply(ctx context.Context, list []migration) error {
	if _, err := c.db.ExecContext(ctx, c.statement(`create table if not exists latchkey_migrations (version integer primary key)`).text); err != nil {
		return err
	}
	done, err := c.migrated(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.version <= done {
			continue
		}
		for _, text := range m.statements {
			if _, err := c.db.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("migration %d: %w", m.version, err)
			}
		}
		err := c.insert(ctx, "note a migration", `insert into latchkey_migrations (version) values ($1::integer)`, m.version)
		if err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return nil
}

// CheckSchema returns an error that names what is missing if a table or a
// column doesn't exist, no matter which tool made the tables. It changes
// nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	return s.try(ctx, "check schema", func(ctx context.Context) error {
		if err := s.pool.PingContext(ctx); err != nil {
			return err
		}
		var missing []error
		for _, text := range []string{
			`select id, client_id, name, folded_name, origin, owner_id, created_at, updated_at, version, details from latchkey_applications where 1 = 0`,
			`select id, kind, user_id, application_id, workspace_id, created_at, last_used_at, sweep_at, ended_at, mark, seen, state from latchkey_documents where 1 = 0`,
			`select user_id, application_id, workspace_id, number, sweep_at from latchkey_cuts where 1 = 0`,
		} {
			missing = append(missing, s.rows(ctx, text, nil, func(func(...any) error) error { return nil }))
		}
		if err := errors.Join(missing...); err != nil {
			return fmt.Errorf("the tables with the prefix %q are missing or out of date: %s: %w", s.prefix, runMigrate, err)
		}
		return nil
	})
}
