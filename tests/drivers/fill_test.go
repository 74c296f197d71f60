//go:build !race

package drivers_test

import (
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// A filling says what fill creates.
type filling struct {
	first, documents    int // the number of the first document, and the number of documents
	kinds               int // 1: only grants; 2: half of them are consents
	users, applications int // application 0 has half of the documents
	cuts                int // the cut-offs of users, one in twenty of which is old
	due                 int // how many documents are due
}

// busy is what a busy deployment has.
var busy = filling{documents: 100_000, kinds: 2, users: 50_000, applications: 100, cuts: 10_000, due: 1000}

// million is a filling of the requested size: that many documents, of a tenth
// as many users and of 20 applications, and a thousand cut-offs.
func million(documents int) filling {
	return filling{documents: documents, kinds: 1, users: max(1000, documents/10), applications: 20, cuts: 1000}
}

// size returns how many documents the size tests create: LATCHKEY_SIZE. Without
// it they are skipped, because they take minutes at a useful size.
func size(t testing.TB) int {
	t.Helper()
	text := os.Getenv("LATCHKEY_SIZE")
	if text == "" {
		t.Skip(`it takes minutes: "make size" runs it`)
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "LATCHKEY_SIZE")
	return n
}

// fillers are how each dialect computes values from a number i.
var fillers = map[sqlstore.Dialect]struct{ id, user, application, workspace, state string }{
	sqlstore.Postgres: {
		"lpad(i::text, 32, '0')::uuid", "'user_' || lpad((i / 2 %% %d)::text, 24, '0')", "'app_' || lpad((i %% 2 * (1 + i / 2 %% %d))::text, 26, '0')",
		"case when i %% 10 = 0 then 'space_' || i %% 1000 else '' end", "convert_to(repeat('s', 250), 'UTF8')",
	},
	sqlstore.MySQL: {
		"unhex(lpad(i, 32, '0'))", "concat('user_', lpad(i div 2 %% %d, 24, '0'))", "concat('app_', lpad(i %% 2 * (1 + i div 2 %% %d), 26, '0'))",
		"case when i %% 10 = 0 then concat('space_', i %% 1000) else '' end", "repeat('s', 250)",
	},
	sqlstore.SQLite: {
		"cast(printf('%%016d', i) as blob)", "printf('user_%%024d', i / 2 %% %d)", "printf('app_%%026d', i %% 2 * (1 + i / 2 %% %d))",
		"case when i %% 10 = 0 then printf('space_%%d', i %% 1000) else '' end", "zeroblob(250)",
	},
}

// fill creates documents and cut-offs.
func fill(t testing.TB, db *sql.DB, d sqlstore.Dialect, prefix string, at time.Time, f filling) {
	t.Helper()
	values, micros := fillers[d], at.UnixMicro()
	exec := func(format string, args ...any) {
		t.Helper()
		_, err := db.Exec(fmt.Sprintf(format, args...))
		require.NoError(t, err)
	}
	const batch = 100_000 // One statement creates only as much as fits into the buffers of any server.
	for first := f.first; first < f.first+f.documents; first += batch {
		exec("insert into %sdocuments (id, kind, user_id, application_id, workspace_id, created_at, last_used_at, sweep_at, mark, state) select "+
			values.id+", 1 + i %% %d, "+values.user+", "+values.application+", "+values.workspace+
			", %d - i, %d, %d + case when i < %d then 0 else 86400000000 + i end, i + 1, "+values.state+" from %s",
			prefix, f.kinds, f.users, f.applications-1, micros, micros, micros, f.first+f.due, numbers(first, min(batch, f.first+f.documents-first)))
	}
	if f.cuts > 0 {
		exec("insert into %scuts (user_id, application_id, workspace_id, number, sweep_at) select "+
			values.user+", '', '', %d, %d + i * 1000 from %s where i %% 2 = 0",
			prefix, f.users, micros-86_400_000_000-1000_000, micros-1000_000, numbers(0, 2*f.cuts))
	}
}

// numbers returns a query for n numbers i, at most 100,000.
func numbers(first, n int) string {
	const digits = "(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4 union all " +
		"select 5 union all select 6 union all select 7 union all select 8 union all select 9)"
	return fmt.Sprintf("(select %d + n as i from (select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as n from "+
		digits+" a, "+digits+" b, "+digits+" c, "+digits+" e, "+digits+" f) m where n < %d) n", first, n)
}

// analyze makes the database update its statistics, which it otherwise does
// sooner or later.
func analyze(t testing.TB, db *sql.DB, d sqlstore.Dialect, prefix string) {
	t.Helper()
	text := map[sqlstore.Dialect]string{
		sqlstore.Postgres: "vacuum analyze %[1]sdocuments, %[1]scuts",
		sqlstore.MySQL:    "analyze table %[1]sdocuments, %[1]scuts",
		sqlstore.SQLite:   "analyze",
	}[d]
	_, err := db.Exec(strings.ReplaceAll(text, "%[1]s", prefix))
	require.NoError(t, err)
}
