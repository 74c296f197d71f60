package drivertest_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// A server is one kind of database, opened by one driver.
type server struct {
	name    string
	dialect sqlstore.Dialect
	open    func(t testing.TB) *sql.DB
}

// servers are one of each dialect.
func servers() []server {
	return []server{
		{"postgres", sqlstore.Postgres, func(t testing.TB) *sql.DB { return connect(t, "pgx", postgresURL()) }},
		{"mysql", sqlstore.MySQL, func(t testing.TB) *sql.DB { return connect(t, "mysql", mysqlDSN()) }},
		{"sqlite", sqlstore.SQLite, func(t testing.TB) *sql.DB { return sqliteFile(t, "sqlite", "") }},
	}
}

// Instances of a program that is rolled out start at once.
func TestTenMigrateAtOnce(t *testing.T) {
	for _, server := range append(servers(),
		server{"postgres at serializable", sqlstore.Postgres, func(t testing.TB) *sql.DB {
			return connect(t, "pgx", postgresURL()+"&default_transaction_isolation=serializable")
		}},
		server{"sqlite in C", sqlstore.SQLite, func(t testing.TB) *sql.DB { return sqliteFile(t, "sqlite3", "") }},
	) {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			_, prefix := fresh(t, db, server.dialect)
			for range 3 {
				dropAll(t, db, prefix)
				errs := make([]error, 10)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() {
						s, err := sqlstore.New(db, server.dialect, sqlstore.Options{TablePrefix: prefix})
						if err == nil {
							err = s.Migrate(t.Context())
						}
						errs[i] = err
					})
				}
				wg.Wait()
				for i, err := range errs {
					require.NoError(t, err, "instance %d", i)
				}
				var n int
				require.NoError(t, db.QueryRow("select count(*) from "+prefix+"migrations").Scan(&n))
				files, err := fs.Glob(sqlstore.Schema(server.dialect), "*.up.sql")
				require.NoError(t, err)
				require.Equal(t, len(files), n, "the number of migrations that are recorded")
			}
		})
	}
}

func dropAll(t testing.TB, db *sql.DB, prefix string) {
	t.Helper()
	for _, table := range tables {
		_, err := db.Exec("drop table if exists " + prefix + table)
		require.NoError(t, err)
	}
}

// A host's own tool splits the files at the semicolons that end a line, and
// sends one statement after the other.
func TestSchemaForTheHostsOwnTool(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			prefix := "h" + strings.ToLower(rand.Text()[:10]) + "_"
			t.Cleanup(func() { dropAll(t, db, prefix) })
			files := sqlstore.Schema(server.dialect)
			names, err := fs.Glob(files, "*")
			require.NoError(t, err)
			require.NotEmpty(t, names)
			for i, name := range names {
				require.Regexp(t, fmt.Sprintf(`^%04d_[a-z_]+\.up\.sql$`, i+1), name)
				text, err := fs.ReadFile(files, name)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(text), "-- +goose Up\n"), "%s does not begin as goose wants it", name)
				inOneSession(t, db, statementsOf(t, server.dialect, i+1, prefix))
			}

			s, err := sqlstore.New(db, server.dialect, sqlstore.Options{TablePrefix: prefix})
			require.NoError(t, err)
			require.NoError(t, s.CreateApplication(t.Context(), store.Application{ID: "app_1", ClientID: "client_1"}))

			// A host may change over to Migrate.
			require.NoError(t, s.Migrate(t.Context()))
			_, err = s.FindApplication(t.Context(), "app_1")
			require.NoError(t, err)
		})
	}
}

// A later version of this package has migrated the database, and this one
// still runs on another instance.
func TestMigrateLeavesANewerDatabase(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			s, prefix := fresh(t, db, server.dialect)
			_, err := db.Exec("insert into " + prefix + "migrations (version) values (9999)")
			require.NoError(t, err)
			require.NoError(t, s.Migrate(t.Context()))
		})
	}
}

// The tables are where the search path leads to.
func TestPostgresSchema(t *testing.T) {
	admin := connect(t, "pgx", postgresURL())
	schema := "s" + strings.ToLower(rand.Text()[:10])
	_, err := admin.Exec("create schema " + schema)
	require.NoError(t, err)
	t.Cleanup(func() { admin.Exec("drop schema " + schema + " cascade") })

	db := connect(t, "pgx", postgresURL()+"&search_path="+schema)
	s, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	require.NoError(t, s.CreateGrant(t.Context(), newGrant("user_1", "app_1", time.Now())))
	var n int
	require.NoError(t, admin.QueryRow("select count(*) from "+schema+".oauth_grants").Scan(&n))
	require.Equal(t, 1, n)
}
