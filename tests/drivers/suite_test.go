package drivers_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// postgresURL returns the URL of PostgreSQL, with more options. Syncing to disk
// at each commit would only make the tests slower.
func postgresURL(options ...string) string {
	url := env("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
	return with(with(url, "synchronous_commit=off"), options...)
}

func mysqlDSN(options ...string) string {
	return with(env("MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test"), options...)
}

// with adds options to a connection string.
func with(dsn string, options ...string) string {
	for _, option := range options {
		separator := "?"
		if strings.Contains(dsn, "?") {
			separator = "&"
		}
		dsn += separator + option
	}
	return dsn
}

// sqliteFile returns the name of a new database file.
func sqliteFile(t testing.TB, options string) string {
	return "file:" + filepath.Join(t.TempDir(), "test.db") + options
}

// connect opens a database, and skips the test if it can't. In CI it fails.
func connect(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no database for driver %s: %v", driver, err)
		}
		t.Skipf("no database for driver %s: %v", driver, err)
	}
	return db
}

// tables are the tables of a store, without their prefix.
var tables = []string{"applications", "documents", "cuts", "migrations"}

// fresh returns an empty store with its own tables, which are dropped after the
// test.
func fresh(t testing.TB, db *sql.DB, d sqlstore.Dialect) (s *sqlstore.Store, prefix string) {
	t.Helper()
	prefix = "t" + strings.ToLower(rand.Text()[:10]) + "_"
	s = open(t, db, d, prefix)
	t.Cleanup(func() { dropAll(t, db, prefix) })
	require.NoError(t, s.Migrate(t.Context()))
	return s, prefix
}

// open returns a store on the tables with the prefix.
func open(t testing.TB, db *sql.DB, d sqlstore.Dialect, prefix string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(db, d, sqlstore.Options{TablePrefix: prefix})
	require.NoError(t, err)
	return s
}

func dropAll(t testing.TB, db *sql.DB, prefix string) {
	t.Helper()
	for _, table := range tables {
		_, err := db.Exec("drop table if exists " + prefix + table)
		require.NoError(t, err)
	}
}

// A server is one kind of database, opened with one driver.
type server struct {
	name    string
	dialect sqlstore.Dialect
	driver  string
	dsn     func(t testing.TB) string
}

func (s server) open(t testing.TB) *sql.DB { return connect(t, s.driver, s.dsn(t)) }

// servers are one of each dialect. With SQLite, only the store waits for its
// lock.
func servers() []server {
	return []server{
		{"postgres", sqlstore.Postgres, "pgx", func(testing.TB) string { return postgresURL() }},
		{"mysql", sqlstore.MySQL, "mysql", func(testing.TB) string { return mysqlDSN() }},
		{"sqlite", sqlstore.SQLite, "sqlite", func(t testing.TB) string { return sqliteFile(t, "?_pragma=synchronous(off)") }},
	}
}

// sqlite3 is the driver with that name. Two have it, so the build tag ncruces
// selects one.
var sqlite3 = server{"sqlite3", sqlstore.SQLite, "sqlite3", func(t testing.TB) string { return sqliteFile(t, sqlite3Options) }}

// eachServer runs a test on one database of each dialect.
func eachServer(t *testing.T, test func(t *testing.T, server server, db *sql.DB)) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) { test(t, server, server.open(t)) })
	}
}

// suite runs the conformance suite. Emptying the tables before each test is
// faster than creating them.
func suite(t *testing.T, driver, dsn string, d sqlstore.Dialect) {
	t.Helper()
	t.Parallel()
	db := connect(t, driver, dsn)
	s, prefix := fresh(t, db, d)
	storetest.Run(t, func(t *testing.T) store.Store {
		for _, table := range tables[:3] {
			_, err := db.Exec("delete from " + prefix + table)
			require.NoError(t, err)
		}
		return s
	})
}

func TestPgx(t *testing.T) { suite(t, "pgx", postgresURL(), sqlstore.Postgres) }

func TestPq(t *testing.T) { suite(t, "postgres", postgresURL(), sqlstore.Postgres) }

func TestMariaDB(t *testing.T) { suite(t, "mysql", mysqlDSN(), sqlstore.MySQL) }
