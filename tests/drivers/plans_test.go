//go:build !race

package drivers_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// Each call finds its rows with an index, among any number of others.
func TestPlans(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) { lookAtPlans(t, server, "counted", busy.documents) })
	}
}

// The same holds at real size, whether the database has current statistics,
// none, or those of an empty table.
func TestSizeOfPlans(t *testing.T) {
	for _, server := range servers() {
		for _, when := range []string{"counted", "never counted", "counted too early"} {
			t.Run(server.name+" "+when, func(t *testing.T) { lookAtPlans(t, server, when, size(t)) })
		}
	}
}

func lookAtPlans(t *testing.T, server server, when string, documents int) {
	dsn := server.dsn(t)
	db := connect(t, server.driver, dsn)
	_, prefix := fresh(t, db, server.dialect)
	if when != "counted" && server.dialect != sqlstore.SQLite {
		countNothing(t, db, server.dialect, prefix)
	}
	if when == "counted too early" {
		analyze(t, db, server.dialect, prefix)
	}
	filling, at := busy, now()
	filling.documents = documents
	fill(t, db, server.dialect, prefix, at, filling)
	if when == "counted" {
		analyze(t, db, server.dialect, prefix)
	}
	spy, log := spied(t, db, dsn)
	s := open(t, spy, server.dialect, prefix)
	look := func(name string) {
		for _, statement := range log.take() {
			plan := plans[server.dialect](t, db, statement)
			if readsAll[server.dialect].MatchString(plan) {
				t.Errorf("%s reads a whole table:\n%s\n%s", name, statement.text, plan)
			}
		}
	}
	for _, step := range steps(t.Context(), s, at, 3) {
		require.NoError(t, step.run(), step.name)
		if strings.HasPrefix(step.name, "ListApplications") {
			log.take() // it counts all that match
		}
		look(step.name)
	}
	// First due documents, and then cut-off ones.
	app, space := store.CutKey{ApplicationID: filledApplication(5)}, store.CutKey{WorkspaceID: "space_20"}
	require.NoError(t, s.CutOff(t.Context(), app, store.CutNumber(at.Add(-48*time.Hour))))
	require.NoError(t, s.CutOff(t.Context(), space, store.CutNumber(at.Add(-48*time.Hour))))
	log.take()
	for _, limit := range []int{10, busy.due, 100} {
		removed, err := s.Sweep(t.Context(), at, limit)
		require.NoError(t, err)
		require.Equal(t, limit, removed)
		look(fmt.Sprint("Sweep of ", limit))
	}
}

// countNothing turns off the database's automatic statistics.
func countNothing(t *testing.T, db *sql.DB, d sqlstore.Dialect, prefix string) {
	t.Helper()
	for _, table := range tables[:3] {
		text := "alter table %s set (autovacuum_enabled = off)"
		if d == sqlstore.MySQL {
			text = "alter table %s stats_auto_recalc = 0"
		}
		_, err := db.Exec(fmt.Sprintf(text, prefix+table))
		require.NoError(t, err)
	}
}

// plans returns how each dialect would run a statement.
var plans = map[sqlstore.Dialect]func(t *testing.T, db *sql.DB, s sent) string{
	sqlstore.Postgres: postgresPlans,
	sqlstore.MySQL: func(t *testing.T, db *sql.DB, s sent) string {
		return query(t, db, "explain "+s.text, s.args...)
	},
	sqlstore.SQLite: func(t *testing.T, db *sql.DB, s sent) string {
		return query(t, db, "explain query plan "+s.text, s.args...)
	},
}

// readsAll matches the parts of a plan that read a whole table or index. The
// tables d, c, and t... belong to the store; a statement creates others itself.
var readsAll = map[sqlstore.Dialect]*regexp.Regexp{
	sqlstore.Postgres: regexp.MustCompile(`Seq Scan`),
	sqlstore.MySQL:    regexp.MustCompile(`select_type=[^I]\w* table=(d|c|t\w+)\b.* type=(ALL|index)\b`), // not of an INSERT
	sqlstore.SQLite:   regexp.MustCompile(`SCAN (TABLE )?(d|c|t\w+)\b`),
}

// postgresPlans returns the plan for these arguments and the generic plan.
func postgresPlans(t *testing.T, db *sql.DB, s sent) string {
	return postgresPlan(t, db, s, "force_custom_plan", "explain") + postgresPlan(t, db, s, "force_generic_plan", "explain")
}

// postgresPlan returns PostgreSQL's explanation of a statement.
func postgresPlan(t *testing.T, db *sql.DB, s sent, mode, explain string) string {
	values := make([]string, len(s.args))
	for i, arg := range s.args {
		switch arg := arg.(type) {
		case nil:
			values[i] = "null"
		case []byte:
			values[i] = fmt.Sprintf(`'\x%x'`, arg)
		default:
			values[i] = fmt.Sprintf("'%v'", arg)
		}
	}
	execute := " execute looked_at"
	if len(values) > 0 {
		execute += "(" + strings.Join(values, ", ") + ")"
	}
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	exec := func(text string) {
		_, err := conn.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	exec("prepare looked_at as " + s.text)
	exec("set plan_cache_mode = " + mode)
	plan := query(t, conn, explain+execute)
	exec("reset plan_cache_mode")
	exec("deallocate looked_at")
	return plan
}

// query returns the rows of an answer as lines of column=value.
func query(t *testing.T, db interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}, text string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text, args...)
	require.NoError(t, err, text)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var b strings.Builder
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		for i, v := range values {
			fmt.Fprintf(&b, "%s=%s ", columns[i], v.String)
		}
		b.WriteByte('\n')
	}
	require.NoError(t, rows.Err())
	return b.String()
}
