package drivertest_test

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
	_ "github.com/mattn/go-sqlite3"
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

// postgresURL returns where PostgreSQL is. Waiting for its disk at each commit
// would only make the tests slower.
func postgresURL() string {
	url := env("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
	if !strings.Contains(url, "?") {
		url += "?"
	}
	return url + "&synchronous_commit=off"
}

// connect opens a database that a service on the network has, and skips the
// test if there is none. In CI it fails.
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
var tables = []string{"applications", "grants", "codes", "tokens", "rotations", "consents", "devices", "migrations"}

// fresh returns an empty store on tables of its own, which go after the test.
func fresh(t testing.TB, db *sql.DB, d sqlstore.Dialect) (s *sqlstore.Store, prefix string) {
	t.Helper()
	prefix = "t" + strings.ToLower(rand.Text()[:10]) + "_"
	s, err := sqlstore.New(db, d, sqlstore.Options{TablePrefix: prefix})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	t.Cleanup(func() { dropAll(t, db, prefix) })
	return s, prefix
}

// suite runs the conformance suite. Emptying the tables before each of its
// tests is faster than making them.
func suite(t *testing.T, db *sql.DB, d sqlstore.Dialect) {
	t.Helper()
	t.Parallel()
	s, prefix := fresh(t, db, d)
	empty := func(t *testing.T) *sqlstore.Store {
		for _, table := range tables[:len(tables)-1] {
			_, err := db.Exec("delete from " + prefix + table)
			require.NoError(t, err)
		}
		return s
	}
	storetest.Run(t, func(t *testing.T) store.Store { return empty(t) })
	storetest.RunDevices(t, func(t *testing.T) store.Devices { return empty(t) })
}

func TestPgx(t *testing.T) { suite(t, connect(t, "pgx", postgresURL()), sqlstore.Postgres) }

func TestPq(t *testing.T) { suite(t, connect(t, "postgres", postgresURL()), sqlstore.Postgres) }

// The host decides at which isolation level its connections work.
func TestPgxSerializable(t *testing.T) {
	suite(t, connect(t, "pgx", postgresURL()+"&default_transaction_isolation=serializable"), sqlstore.Postgres)
}

func TestPqRepeatableRead(t *testing.T) {
	suite(t, connect(t, "postgres", postgresURL()+"&default_transaction_isolation=repeatable%20read"), sqlstore.Postgres)
}

func TestMariaDB(t *testing.T) { suite(t, connect(t, "mysql", mysqlDSN()), sqlstore.MySQL) }

// Waiting for the disk would only make the tests slower. The two have different
// journals.

func TestModernc(t *testing.T) {
	suite(t, sqliteFile(t, "sqlite", "?_pragma=synchronous(off)&_pragma=journal_mode(wal)"), sqlstore.SQLite)
}

func TestMattn(t *testing.T) {
	suite(t, sqliteFile(t, "sqlite3", "?_synchronous=off"), sqlstore.SQLite)
}

func mysqlDSN() string { return env("MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test") }

// sqliteFile opens a new database file.
func sqliteFile(t testing.TB, driver, options string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, "file:"+filepath.Join(t.TempDir(), "test.db")+options)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	return db
}
