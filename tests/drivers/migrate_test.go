package drivers_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// Instances of a program that is rolled out start at the same time.
func TestTenMigrateAtOnce(t *testing.T) {
	for _, server := range append(servers(),
		server{"postgres at serializable", sqlstore.Postgres, "pgx", func(testing.TB) string { return postgresURL("default_transaction_isolation=serializable") }},
		sqlite3,
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
				require.Equal(t, len(files), n, "the number of recorded migrations")
			}
		})
	}
}

// Migration tools split the files at semicolons that end a line, and send one
// statement after the other.
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
				require.True(t, strings.HasPrefix(string(text), "-- +goose Up\n"), "%s doesn't begin with the line that goose needs", name)
				for statement := range strings.SplitSeq(strings.ReplaceAll(string(text), "latchkey_", prefix), ";\n") {
					if strings.TrimSpace(statement) != "" {
						_, err := db.Exec(statement)
						require.NoError(t, err)
					}
				}
			}

			s, err := sqlstore.New(db, server.dialect, sqlstore.Options{TablePrefix: prefix})
			require.NoError(t, err)
			require.NoError(t, s.CheckSchema(t.Context()))
			require.NoError(t, s.CreateApplication(t.Context(), store.Application{ID: "app_1", ClientID: "client_1"}))

			// A host may change over to Migrate.
			require.NoError(t, s.Migrate(t.Context()))
			_, err = s.FindApplication(t.Context(), "app_1")
			require.NoError(t, err)
		})
	}
}

// Migrate needs no rights if nothing is to do, and CheckSchema never needs any.
func TestMigrateWithoutRights(t *testing.T) {
	role := "r" + strings.ToLower(rand.Text()[:10])
	restricted := map[sqlstore.Dialect]func(t *testing.T, db *sql.DB, dsn, prefix string) string{
		sqlstore.Postgres: func(t *testing.T, db *sql.DB, dsn, prefix string) string {
			execAll(t, db, "create role "+role+" login", "grant select, insert on "+prefix+"migrations, "+prefix+"applications, "+prefix+"documents, "+prefix+"cuts to "+role)
			t.Cleanup(func() { execAll(t, db, "drop owned by "+role, "drop role "+role) })
			u, err := url.Parse(dsn)
			require.NoError(t, err)
			u.User = url.User(role)
			return u.String()
		},
		sqlstore.MySQL: func(t *testing.T, db *sql.DB, dsn, prefix string) string {
			execAll(t, db, "create user "+role)
			t.Cleanup(func() { execAll(t, db, "drop user "+role) })
			for _, table := range tables {
				execAll(t, db, "grant select, insert on "+prefix+table+" to "+role)
			}
			_, rest, _ := strings.Cut(dsn, "@")
			return role + "@" + rest
		},
		sqlstore.SQLite: func(t *testing.T, _ *sql.DB, dsn, _ string) string {
			return dsn + "&mode=ro"
		},
	}
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			dsn := server.dsn(t)
			db := connect(t, server.driver, dsn)
			_, prefix := fresh(t, db, server.dialect)
			limited := connect(t, server.driver, restricted[server.dialect](t, db, dsn, prefix))
			s := open(t, limited, server.dialect, prefix)
			require.NoError(t, s.Migrate(t.Context()))
			require.NoError(t, s.CheckSchema(t.Context()))
			_, err := limited.Exec("create table " + prefix + "more (id integer)")
			require.Error(t, err, "the role without rights can create tables")
			require.Error(t, open(t, limited, server.dialect, "none_"+prefix).Migrate(t.Context()))
		})
	}
}

func execAll(t *testing.T, db *sql.DB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := db.Exec(text)
		require.NoError(t, err, text)
	}
}

// CheckSchema says what is missing and how to fix it.
func TestCheckSchema(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, prefix := fresh(t, db, server.dialect)
		require.NoError(t, s.CheckSchema(t.Context()))
		execAll(t, db, "drop table "+prefix+"cuts", "alter table "+prefix+"documents rename column seen to saw")
		err := s.CheckSchema(t.Context())
		require.ErrorContains(t, err, "run Migrate")
		require.ErrorContains(t, err, prefix+"cuts")
		require.ErrorContains(t, err, "seen")
		require.NotContains(t, err.Error(), "applications")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = s.CheckSchema(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.NotContains(t, err.Error(), "Migrate")
	})
}

// If the host forgot to migrate, the first error says so.
func TestWithoutTables(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, prefix := fresh(t, db, server.dialect)
		execAll(t, db, "drop table "+prefix+"cuts", "drop table "+prefix+"documents", "drop table "+prefix+"applications")
		_, find := s.FindApplication(t.Context(), "oa_1")
		_, _, read := s.Find(t.Context(), store.NewID(time.Now(), "user_ada"))
		_, _, list := s.ListApplications(t.Context(), store.ApplicationQuery{Limit: 1})
		for _, err := range []error{find, read, list, s.DeleteApplication(t.Context(), "oa_1"), s.CheckSchema(t.Context())} {
			require.Error(t, err)
			require.Equal(t, 1, strings.Count(err.Error(), "run Migrate"), err)
		}
	})
}

// A later version of this package has migrated the database, and another
// instance still runs this version.
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

// The tables are in the schema that search_path selects.
func TestPostgresSchema(t *testing.T) {
	admin := connect(t, "pgx", postgresURL())
	schema := "s" + strings.ToLower(rand.Text()[:10])
	_, err := admin.Exec("create schema " + schema)
	require.NoError(t, err)
	t.Cleanup(func() { admin.Exec("drop schema " + schema + " cascade") })

	db := connect(t, "pgx", postgresURL("search_path="+schema))
	s, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	require.NoError(t, s.Create(t.Context(), newGrant("user_1", "app_1", now())))
	var n int
	require.NoError(t, admin.QueryRow("select count(*) from "+schema+".latchkey_documents").Scan(&n))
	require.Equal(t, 1, n)
}
