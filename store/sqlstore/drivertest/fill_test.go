package drivertest_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

func now() time.Time { return store.Micro(time.Now()) }

func newMark() int64 { return rand.Int64() + 1 }

// newGrant returns a grant that is not kept yet.
func newGrant(userID, applicationID string, at time.Time) store.Document {
	return store.Document{
		ID: store.NewID(at, userID), Kind: store.KindGrant, UserID: userID, ApplicationID: applicationID,
		CreatedAt: at, LastUsedAt: at, SweepAt: at.Add(90 * 24 * time.Hour), Mark: newMark(), State: strings.Repeat("s", 250),
	}
}

// newConsent returns a consent that is not kept yet.
func newConsent(userID, applicationID string, at time.Time) store.Document {
	d := newGrant(userID, applicationID, at)
	d.ID, d.Kind, d.SweepAt = store.ConsentID(userID, applicationID, ""), store.KindConsent, time.Time{}
	return d
}

// next returns the document with another mark.
func next(d store.Document) store.Document {
	d.Mark = newMark()
	return d
}

// The users and applications of the documents that fill makes, whose IDs have
// the usual lengths.
func filledUser(i int) string        { return fmt.Sprintf("user_%024d", i) }
func filledApplication(i int) string { return fmt.Sprintf("app_%026d", i) }

// filler is how a dialect makes values out of a number i.
var fillers = map[sqlstore.Dialect]struct{ id, user, application, workspace, state string }{
	sqlstore.Postgres: {
		"lpad(i::text, 32, '0')::uuid", "'user_' || lpad((i / 2 %% %d)::text, 24, '0')", "'app_' || lpad((i %% %d)::text, 26, '0')",
		"case when i %% 10 = 0 then 'space_' || i %% 1000 else '' end", "convert_to(repeat('s', 250), 'UTF8')",
	},
	sqlstore.MySQL: {
		"unhex(lpad(i, 32, '0'))", "concat('user_', lpad(i div 2 %% %d, 24, '0'))", "concat('app_', lpad(i %% %d, 26, '0'))",
		"case when i %% 10 = 0 then concat('space_', i %% 1000) else '' end", "repeat('s', 250)",
	},
	sqlstore.SQLite: {
		"cast(printf('%%016d', i) as blob)", "printf('user_%%024d', i / 2 %% %d)", "printf('app_%%026d', i %% %d)",
		"case when i %% 10 = 0 then printf('space_%%d', i %% 1000) else '' end", "zeroblob(250)",
	},
}

const (
	filledDocuments    = 100_000
	filledUsers        = filledDocuments / 2
	filledApplications = 100
	filledCuts         = 10_000
	filledDue          = 1000
)

// fill makes documents and cut-offs, as many as a busy deployment has. Of the
// documents, half are grants and half are consents, two for each user. The
// cut-offs are of users, and one in twenty is old.
func fill(t testing.TB, db *sql.DB, d sqlstore.Dialect, prefix string, at time.Time) {
	t.Helper()
	const digits = "(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4 union all " +
		"select 5 union all select 6 union all select 7 union all select 8 union all select 9)"
	numbers := "(select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as i from " +
		digits + " a, " + digits + " b, " + digits + " c, " + digits + " e, " + digits + " f) n"
	f, micros := fillers[d], at.UnixMicro()
	exec := func(format string, args ...any) {
		t.Helper()
		_, err := db.Exec(fmt.Sprintf(format, args...))
		require.NoError(t, err)
	}
	exec("insert into %sdocuments (id, kind, user_id, application_id, workspace_id, created_at, last_used_at, sweep_at, mark, state) select "+
		f.id+", 1 + i %% 2, "+f.user+", "+f.application+", "+f.workspace+", %d - i, %d, %d + case when i < %d then 0 else 86400000000 + i end, i + 1, "+f.state+" from "+numbers,
		prefix, filledUsers, filledApplications, micros, micros, micros, filledDue)
	exec("insert into %scuts (user_id, application_id, workspace_id, number, sweep_at) select "+
		f.user+", '', '', %d, %d + i * 1000 from "+numbers+" where i %% 2 = 0 and i < %d",
		prefix, filledUsers, micros-86_400_000_000-1000_000, micros-1000_000, 2*filledCuts)
	switch d {
	case sqlstore.Postgres:
		exec("vacuum analyze %sdocuments, %scuts", prefix, prefix)
	case sqlstore.MySQL:
		exec("analyze table %sdocuments, %scuts", prefix, prefix)
	case sqlstore.SQLite:
		exec("analyze")
	}
}
