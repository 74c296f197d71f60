package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed schema
var schema embed.FS

// Schema returns the migrations of the dialect for the host's own migration
// tool: files that are named like 0001_initial.up.sql, to be run in order.
//
// They are in the form that goose and golang-migrate read, and name the tables
// with the prefix "oauth_". A host with another prefix, or another tool,
// copies them and changes what it needs to.
func Schema(d Dialect) fs.FS {
	sub, err := fs.Sub(schema, "schema/"+d.String())
	if err != nil {
		panic(err) // The path is a constant for each dialect.
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

// Migrate brings the tables up to date. It may run in any number of processes
// at once: one does the work and the others wait for it. A database that a
// newer version of this package has migrated is left as it is, as each
// migration also works under the version before it.
func (s *Store) Migrate(ctx context.Context) error {
	list, err := s.migrations()
	if err == nil {
		err = s.try(ctx, "migrate", func(ctx context.Context) error { return s.migrate(ctx, list) })
	}
	return err
}

// migrate runs the migrations that have not been run, while no other process
// does.
func (s *Store) migrate(ctx context.Context, list []migration) error {
	switch s.dialect {
	case MySQL:
		return s.migrateMySQL(ctx, list)
	case SQLite:
		return newTransactions(s).immediately(ctx, func(q querier) error { return s.apply(ctx, q, list) })
	}
	// The lock ends with the transaction, so it holds behind a pooler of
	// transactions too. Whoever has waited for it must then see what was done
	// meanwhile, so the transaction is READ COMMITTED whatever the host's
	// default is.
	tx := transactions{Store: s}
	return tx.isolated(ctx, sql.LevelReadCommitted, func(q querier) error {
		if _, err := s.exec(ctx, q, `select pg_advisory_xact_lock(hashtext($1::text))`, s.prefix+"migrations"); err != nil {
			return err
		}
		return s.apply(ctx, q, list)
	})
}

// migrateMySQL takes a lock of the session, as MySQL ends a transaction with
// each change of a table. A migration that was interrupted is run again, so
// each of its statements may be.
func (s *Store) migrateMySQL(ctx context.Context, list []migration) (err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closed := conn.Close(); err == nil {
			err = closed
		}
	}()
	lock, got := "latchkey:"+s.prefix, sql.NullInt64{}
	if err := s.row(ctx, conn, `select get_lock($1, 3600)`, []any{lock}, []any{&got}); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errors.New("another process did not finish its migration")
	}
	defer func() {
		// If this fails, the lock ends with the connection.
		if _, released := s.exec(context.WithoutCancel(ctx), conn, `do release_lock($1)`, lock); released != nil && err == nil {
			err = released
		}
	}()
	return s.apply(ctx, conn, list)
}

// apply runs the migrations that the table of migrations does not name.
func (s *Store) apply(ctx context.Context, q querier, list []migration) error {
	if _, err := s.exec(ctx, q, `create table if not exists oauth_migrations (version integer primary key)`); err != nil {
		return err
	}
	done := 0
	if err := s.row(ctx, q, `select coalesce(max(version), 0) from oauth_migrations`, nil, []any{&done}); err != nil {
		return err
	}
	for _, m := range list {
		if m.version <= done {
			continue
		}
		for _, text := range m.statements {
			if _, err := q.ExecContext(ctx, text); err != nil && !s.dialect.hasColumn(err) {
				return fmt.Errorf("migration %d: %w", m.version, err)
			}
		}
		if _, err := s.exec(ctx, q, `insert into oauth_migrations (version) values ($1::integer)`, m.version); err != nil {
			return err
		}
	}
	return nil
}

// hasColumn reports whether a column could not be added because it is there
// already: a host has run the migration with a tool of its own before. SQLite
// alone has no way to say so in the file.
func (d Dialect) hasColumn(err error) bool {
	return d == SQLite && strings.Contains(err.Error(), "duplicate column name")
}
