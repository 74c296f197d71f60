package faults

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Another transaction holds the rows, or the file, for longer than the host's
// connections or its Config allow. Requests that read keep working. Those that
// write are refused without effect, and work once the lock is released.
func TestLockTimeouts(t *testing.T) {
	slow(t)
	for _, c := range []struct{ name, kind, options, cause string }{
		{"postgres statement_timeout", "postgres", "&statement_timeout=300", "57014"},
		{"postgres lock_timeout", "postgres", "&lock_timeout=300", "55P03"},
		{"postgres alone", "postgres", "", "deadline exceeded"},
		{"mysql innodb_lock_wait_timeout", "mysql", "?innodb_lock_wait_timeout=1", "deadline exceeded"},
		{"sqlite", "sqlite", "", "deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := newTarget(t, c.kind)
			limited := at
			limited.Source += c.options
			patient := serve(t, at, 20*time.Second)
			got := patient.mustRedeem(t, patient.url, patient.mustAuthorize(t, patient.url, "user_ada"))
			code := patient.mustAuthorize(t, patient.url, "user_ada")
			kept, err := limited.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			h := serveFor(t, patient.client, kept, storeTimeout)
			chains := []*chain{
				{user: "user_ada", code: "redeemed", pairs: []pair{got}},
			}

			release := hold(t, at)
			answered := h.reads(t, chains)
			s := &stopped{client: h.client}
			writes := []request{
				{"refresh", func() (reply, error) { return h.refresh(h.url, got.Refresh) }},
				{"redeem", func() (reply, error) { return h.redeem(h.url, code) }},
				{"revoke", func() (reply, error) { return h.post(h.url, "/oauth/token/revoke", "token", got.Access) }},
			}
			slowest := s.unavailable(t, writes)
			require.True(t, h.log.says(c.cause), "the log doesn't name the cause: %s", h.log)
			// A server continues for a moment with a statement that its client has
			// abandoned. If it got the lock then, the code would be spent and its answer
			// lost.
			time.Sleep(1200 * time.Millisecond)
			release()
			h.reach(t, h.process())

			r, err := patient.notes(patient.url, got.Access)
			mustStatus(t, http.StatusOK, r, err)
			r, err = patient.notes(patient.url, patient.mustRefresh(t, patient.url, got.Refresh).Access)
			mustStatus(t, http.StatusOK, r, err)
			patient.mustRedeem(t, patient.url, code)
			require.Eventually(t, func() bool { return h.kept.db.Stats().InUse == 0 }, 5*time.Second, 10*time.Millisecond, "a connection leaks")
			t.Logf("%d requests that read were answered, %d that write refused, the slowest after %v", answered, 4*len(writes), slowest.Round(time.Millisecond))
		})
	}
}

// hold locks every document against writers until release.
func hold(t *testing.T, at target) (release func()) {
	t.Helper()
	db, err := at.connect()
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	text := "select count(*) from (select 1 from " + at.Prefix + "documents for update) d"
	switch at.Kind {
	case "sqlite":
		text = "update " + at.Prefix + "documents set mark = mark"
	case "mysql":
		text = "update " + at.Prefix + "documents set last_used_at = last_used_at"
	}
	_, err = tx.ExecContext(t.Context(), text)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback()) }
}
