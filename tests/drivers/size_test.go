//go:build !race

package drivers_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// The limits for a grant in PostgreSQL, indexes included: with two live tokens,
// and after 36 rotations in three days.
const (
	maxBytes        = 1050
	maxBytesRotated = 1400
	minHOT          = 0.85 // the share of updates that touch no index
)

// Grants stay small after any number of refreshes. A transaction that stays
// open elsewhere on the server can spoil the measurement, but not every time.
func TestPostgresSize(t *testing.T) {
	var small bool
	for range 3 {
		fresh, rotated, hot := measureGrants(t)
		t.Logf("%d bytes for each grant, %d after %d rotations; %.1f %% of updates touched no index", fresh, rotated, rotations, 100*hot)
		if small = fresh <= maxBytes && rotated <= maxBytesRotated && hot >= minHOT; small {
			break
		}
	}
	require.True(t, small, "a grant must take at most %d bytes, and %d later, and %.0f %% of updates must touch no index", maxBytes, maxBytesRotated, 100*minHOT)
}

const rotations = 36

// measureGrants creates grants and rotates them as in three days. It takes them
// in turns, never two in a row on the same page, because that is how often a
// page is written in production.
func measureGrants(t *testing.T) (created, rotated int, hot float64) {
	t.Helper()
	const grants = 1000
	db := ownDatabase(t)
	s, prefix := fresh(t, db, sqlstore.Postgres)
	at := now().Truncate(day)
	kept := make([]store.Document, grants)
	each := func(do func(i int) error) {
		for i := range grants {
			require.NoError(t, do(i*7919%grants))
		}
	}
	each(func(i int) error {
		kept[i] = newGrant(filledUser(i), filledApplication(i%20), at.Add(time.Duration(i)*time.Second))
		return s.Create(t.Context(), kept[i])
	})
	created = bytesPerGrant(t, db, prefix, grants)

	for n := range rotations {
		each(func(i int) error {
			before := kept[i]
			after := next(before)
			after.LastUsedAt = before.LastUsedAt.Add(2 * time.Hour)
			after.State = strings.Repeat("s", 250+min(80, 20*n))
			after.SweepAt = after.LastUsedAt.Truncate(day).Add(92 * day) // moves once a day
			kept[i] = after
			return s.Replace(t.Context(), after, before.Mark)
		})
	}
	return created, bytesPerGrant(t, db, prefix, grants), hotShare(t, db, prefix, grants*rotations)
}

// ownDatabase creates a new database of PostgreSQL. In a shared one, other
// transactions keep old versions of rows alive.
func ownDatabase(t *testing.T) *sql.DB {
	t.Helper()
	admin := connect(t, "pgx", postgresURL())
	name := "d" + strings.ToLower(rand.Text()[:10])
	_, err := admin.Exec("create database " + name + " template template0")
	require.NoError(t, err)
	t.Cleanup(func() { admin.Exec("drop database " + name + " with (force)") })
	u, err := url.Parse(postgresURL())
	require.NoError(t, err)
	u.Path = "/" + name
	return connect(t, "pgx", u.String())
}

func bytesPerGrant(t *testing.T, db *sql.DB, prefix string, grants int) int {
	t.Helper()
	var bytes int
	require.NoError(t, db.QueryRow(fmt.Sprintf("select pg_total_relation_size('%sdocuments')", prefix)).Scan(&bytes))
	return bytes / grants
}

// hotShare returns the share of updates that changed only a page of the table.
// The server counts them with a delay.
func hotShare(t *testing.T, db *sql.DB, prefix string, updates int) float64 {
	t.Helper()
	db.SetMaxIdleConns(0) // A session reports its counts when it ends.
	var all, hot int
	for deadline := time.Now().Add(30 * time.Second); all < updates; time.Sleep(100 * time.Millisecond) {
		require.NoError(t, db.QueryRow("select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = $1", prefix+"documents").Scan(&all, &hot))
		require.True(t, time.Now().Before(deadline), "the server has counted %d of %d updates", all, updates)
	}
	return float64(hot) / float64(all)
}
