//go:build engines

// These tests take minutes for each server. .ci/engines runs them, and says
// where the server is and which isolation level its sessions have.

package drivers_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A way is a driver with options that hosts use.
type way struct {
	name, driver string
	dsn          func(t *testing.T) string
}

func run(t *testing.T, d sqlstore.Dialect, ways []way) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			dsn := w.dsn(t)
			require.Equal(t, os.Getenv("ISOLATION"), isolation(t, connect(t, w.driver, dsn), d))
			suite(t, w.driver, dsn, d)
		})
	}
}

// isolation returns the isolation level of a statement outside a transaction.
func isolation(t *testing.T, db *sql.DB, d sqlstore.Dialect) (level string) {
	t.Helper()
	text := "show transaction_isolation"
	if d == sqlstore.MySQL {
		text = "select @@" + mysqlIsolation(t, db)
	}
	require.NoError(t, db.QueryRow(text).Scan(&level))
	return strings.ToLower(strings.ReplaceAll(level, "-", " "))
}

// mysqlIsolation returns the name of the variable, which depends on the server.
func mysqlIsolation(t *testing.T, db *sql.DB) string {
	t.Helper()
	var version string
	require.NoError(t, db.QueryRow("select version()").Scan(&version))
	if strings.Contains(version, "MariaDB") {
		return "tx_isolation"
	}
	return "transaction_isolation"
}

func TestWaysToPostgres(t *testing.T) {
	direct := func(options ...string) func(*testing.T) string {
		return func(*testing.T) string { return postgresURL(options...) }
	}
	pooled := func(option string) func(*testing.T) string {
		return func(t *testing.T) string { return with(pgbouncer(t), option) }
	}
	run(t, sqlstore.Postgres, []way{
		{"pgx", "pgx", direct()},
		{"pgx, simple_protocol", "pgx", direct("default_query_exec_mode=simple_protocol")},
		{"pgx, exec", "pgx", direct("default_query_exec_mode=exec")},
		{"pq", "postgres", direct()},
		{"pq, binary_parameters", "postgres", direct("binary_parameters=yes")},
		{"pgbouncer, pgx, simple_protocol", "pgx", pooled("default_query_exec_mode=simple_protocol")},
		{"pgbouncer, pgx, exec", "pgx", pooled("default_query_exec_mode=exec")},
		{"pgbouncer, pq, binary_parameters", "postgres", pooled("binary_parameters=yes")},
	})
}

func TestWaysToMySQL(t *testing.T) {
	direct := func(options ...string) func(*testing.T) string {
		return func(*testing.T) string { return mysqlDSN(options...) }
	}
	run(t, sqlstore.MySQL, []way{
		{"go-sql-driver", "mysql", direct()},
		{"go-sql-driver, interpolateParams", "mysql", direct("interpolateParams=true", "clientFoundRows=true", "parseTime=true")},
	})
}

// The host's tool has created the tables, so nothing is left to do, and they
// work.
func TestTablesOfATool(t *testing.T) {
	var s server
	for _, known := range servers() {
		if known.name == os.Getenv("MIGRATED") {
			s = known
		}
	}
	require.NotEmpty(t, s.name, "MIGRATED doesn't name a dialect")
	dsn := s.dsn(t)
	if s.dialect == sqlstore.SQLite {
		dsn = "file:" + os.Getenv("SQLITE_FILE") + "?_pragma=synchronous(off)"
	}
	db := connect(t, s.driver, dsn)
	kept, err := sqlstore.New(db, s.dialect, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, kept.CheckSchema(t.Context()))
	storetest.Run(t, func(t *testing.T) store.Store {
		for _, table := range tables[:3] {
			execAll(t, db, "delete from latchkey_"+table)
		}
		return kept
	})
}
