package drivertest_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// What follows is about databases that an earlier version of the package has
// made and still uses.

// statementsOf returns the statements of the migration with the number.
func statementsOf(t *testing.T, d sqlstore.Dialect, number int, prefix string) []string {
	t.Helper()
	names, err := fs.Glob(sqlstore.Schema(d), fmt.Sprintf("%04d_*.up.sql", number))
	require.NoError(t, err)
	require.Len(t, names, 1)
	text, err := fs.ReadFile(sqlstore.Schema(d), names[0])
	require.NoError(t, err)
	var list []string
	for statement := range strings.SplitSeq(strings.ReplaceAll(string(text), "oauth_", prefix), ";\n") {
		if strings.TrimSpace(statement) != "" {
			list = append(list, statement)
		}
	}
	return list
}

// firstVersion makes the tables as the first version of the package made them.
func firstVersion(t *testing.T, db *sql.DB, d sqlstore.Dialect) (prefix string) {
	t.Helper()
	prefix = "v" + strings.ToLower(rand.Text()[:10]) + "_"
	t.Cleanup(func() { dropAll(t, db, prefix) })
	for _, text := range append(statementsOf(t, d, 1, prefix),
		"create table "+prefix+"migrations (version integer primary key)", "insert into "+prefix+"migrations (version) values (1)") {
		_, err := db.Exec(text)
		require.NoError(t, err, "%s", text)
	}
	return prefix
}

// An oldInstance sends the statements of the first version over a connection
// that it keeps, on which it may have prepared them.
type oldInstance struct {
	t       *testing.T
	conn    *sql.Conn
	dialect sqlstore.Dialect
	prefix  string
}

func (o oldInstance) text(text string) string {
	text = strings.ReplaceAll(text, "oauth_", o.prefix)
	if o.dialect == sqlstore.Postgres {
		return text
	}
	return regexp.MustCompile(`\$\d+::\w+`).ReplaceAllString(text, "?")
}

func (o oldInstance) time(at time.Time) any {
	if o.dialect == sqlstore.Postgres {
		return at
	}
	return at.UnixMicro()
}

func (o oldInstance) exec(text string, args ...any) {
	o.t.Helper()
	result, err := o.conn.ExecContext(o.t.Context(), o.text(text), args...)
	require.NoError(o.t, err)
	n, err := result.RowsAffected()
	require.NoError(o.t, err)
	require.EqualValues(o.t, 1, n)
}

func (o oldInstance) create(id string, at time.Time) {
	o.t.Helper()
	o.exec(`
insert into oauth_applications (id, version, name, folded_name, redirect_uris, scopes, secrets, metadata,
  public, pkce_required, skip_consent, origin, owner_id, client_uri, logo_url, updated_at, client_id, created_at)
values ($1::text, $2::bigint, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text,
  $9::boolean, $10::boolean, $11::boolean, $12::text, $13::text, $14::text, $15::text, $16::timestamptz, $17::text, $18::timestamptz)`,
		id, 1, "Wiki", "wiki", `["https://wiki.example.com/callback"]`, `["email"]`, `[]`, `{}`,
		true, false, false, "manual", "user_1", "", "", o.time(at), "client_of_"+id, o.time(at))
}

func (o oldInstance) rename(id string, version int64, name string) {
	o.t.Helper()
	o.exec(`
update oauth_applications set version = version + 1, name = $1::text, folded_name = $2::text
where id = $3::text and version = $4::bigint`, name, strings.ToLower(name), id, version)
}

// list returns the names of all applications.
func (o oldInstance) list() (names []string) {
	o.t.Helper()
	rows, err := o.conn.QueryContext(o.t.Context(), o.text(`
select c.total, a.id, a.name, a.version from (select count(*) as total from oauth_applications a where 1 = 1) c
left join (select * from oauth_applications a where 1 = 1 order by a.id limit $1::bigint offset $2::bigint) a on 1 = 1
order by a.id`), 10, 0)
	require.NoError(o.t, err)
	defer rows.Close()
	for rows.Next() {
		var total, version int
		var id, name string
		require.NoError(o.t, rows.Scan(&total, &id, &name, &version))
		names = append(names, name)
	}
	require.NoError(o.t, rows.Err())
	return names
}

// Ten new instances start at once beside an old one, which goes on.
func TestUpgradeBesideTheVersionBefore(t *testing.T) {
	for _, server := range append(servers(),
		server{"postgres at serializable", sqlstore.Postgres, func(t testing.TB) *sql.DB {
			return connect(t, "pgx", postgresURL()+"&default_transaction_isolation=serializable")
		}},
		server{"sqlite in C", sqlstore.SQLite, func(t testing.TB) *sql.DB { return sqliteFile(t, "sqlite3", "") }},
	) {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			ctx, at := t.Context(), now()
			prefix := firstVersion(t, db, server.dialect)
			conn, err := db.Conn(ctx)
			require.NoError(t, err)
			defer conn.Close()
			old := oldInstance{t, conn, server.dialect, prefix}
			old.create("app_1", at)
			old.rename("app_1", 1, "Old Wiki")
			require.Equal(t, []string{"Old Wiki"}, old.list())

			stores, errs := make([]*sqlstore.Store, 10), make([]error, 10)
			var wg sync.WaitGroup
			for i := range stores {
				wg.Go(func() {
					stores[i], errs[i] = sqlstore.New(db, server.dialect, sqlstore.Options{TablePrefix: prefix})
					if errs[i] == nil {
						errs[i] = stores[i].Migrate(ctx)
					}
				})
			}
			wg.Wait()
			for i, err := range errs {
				require.NoError(t, err, "instance %d", i)
			}
			s := stores[0]

			app, err := s.FindApplication(ctx, "app_1")
			require.NoError(t, err)
			require.Nil(t, app.Registration)
			require.Equal(t, store.Application{
				ID: "app_1", ClientID: "client_of_app_1", Name: "Old Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"},
				Scopes: app.Scopes, Secrets: app.Secrets, Metadata: app.Metadata, Public: true, Origin: store.OriginManual, OwnerID: "user_1",
				CreatedAt: at, UpdatedAt: at, Version: 2,
			}, app)
			app.Registration = &store.Registration{Type: "native", Contacts: []string{"wiki@example.com"}}
			require.NoError(t, s.UpdateApplication(ctx, app))

			// The old one changes an application whose registration it does not
			// know of, and makes another.
			old.rename("app_1", 3, "Newer Wiki")
			old.create("app_2", at)
			require.Equal(t, []string{"Newer Wiki", "Wiki"}, old.list())
			changed, err := s.FindApplication(ctx, "app_1")
			require.NoError(t, err)
			require.Equal(t, "Newer Wiki", changed.Name)
			require.Equal(t, app.Registration, changed.Registration)
			made, err := s.FindApplication(ctx, "app_2")
			require.NoError(t, err)
			require.Nil(t, made.Registration)
		})
	}
}

// A migration that was interrupted after any of its statements, or that the
// host's own tool has run, is run again.
func TestUpgradeAfterAnInterruption(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			ctx, at := t.Context(), now()
			statements := statementsOf(t, server.dialect, 2, "")
			for done := range len(statements) + 1 {
				prefix := firstVersion(t, db, server.dialect)
				inOneSession(t, db, statementsOf(t, server.dialect, 2, prefix)[:done])

				s, err := sqlstore.New(db, server.dialect, sqlstore.Options{TablePrefix: prefix})
				require.NoError(t, err)
				require.NoError(t, s.Migrate(ctx), "after %d of %d statements", done, len(statements))
				app := store.Application{ID: "app_1", ClientID: "client_1", Registration: &store.Registration{Type: "web"}, CreatedAt: at, UpdatedAt: at}
				require.NoError(t, s.CreateApplication(ctx, app))
				d := newDevice(at)
				require.NoError(t, s.CreateDevice(ctx, d))
				_, err = s.FindDevice(ctx, d.UserCode)
				require.NoError(t, err)
			}
		})
	}
}

// inOneSession sends statements as a migration tool does: one after the other
// over one connection, which then is gone.
func inOneSession(t *testing.T, db *sql.DB, statements []string) {
	t.Helper()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	for _, statement := range statements {
		_, err := conn.ExecContext(ctx, statement)
		require.NoError(t, err, "%s", statement)
	}
}
