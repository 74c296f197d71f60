package faults

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// backup is how a database is copied and restored. Load runs during copy, but
// not during restore.
type backup struct {
	copy    func(t *testing.T)
	restore func(t *testing.T)
}

// backupOf returns how a target is copied, and where the copy is used.
func backupOf(t *testing.T, at target, h *local) (b backup, restored target) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup")
	drop := func(t *testing.T) {
		for _, table := range []string{"documents", "cuts", "applications", "migrations"} {
			_, err := h.kept.db.ExecContext(t.Context(), "drop table "+at.Prefix+table)
			require.NoError(t, err)
		}
	}
	shell := func(program, text string) func(*testing.T) {
		return func(t *testing.T) { run(t, exec.Command("sh", "-c", text, program, at.Source, at.Prefix, file)) }
	}
	switch at.Kind {
	case "postgres":
		load := shell(program(t, "psql"), `exec "$0" -q -v ON_ERROR_STOP=1 -d "$1" -f "$3"`)
		return backup{
			copy:    shell(program(t, "pg_dump"), `exec "$0" -d "$1" -t "$2*" -f "$3"`),
			restore: func(t *testing.T) { drop(t); load(t) },
		}, at
	case "mysql":
		c, err := mysql.ParseDSN(at.Source)
		require.NoError(t, err)
		host, port, err := net.SplitHostPort(c.Addr)
		require.NoError(t, err)
		args := " -h " + host + " -P " + port + " -u " + c.User + " " + c.DBName
		load := shell(program(t, "mariadb", "mysql"), `exec "$0"`+args+` < "$3"`)
		return backup{
			copy: shell(program(t, "mariadb-dump", "mysqldump"), `exec "$0" --single-transaction --hex-blob`+args+
				" "+strings.Join([]string{at.Prefix + "documents", at.Prefix + "cuts", at.Prefix + "applications", at.Prefix + "migrations"}, " ")+` > "$3"`),
			restore: func(t *testing.T) { drop(t); load(t) },
		}, at
	}
	restored = at
	restored.Source = "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"
	return backup{
		copy: func(t *testing.T) {
			_, err := h.kept.db.ExecContext(t.Context(), "vacuum into '"+file+"'")
			require.NoError(t, err)
		},
		restore: func(*testing.T) {},
	}, restored
}

// A backup that was made under load is restored. After RevokeAllGrants, nothing
// works that was given before, whether the backup has it or not, and every user
// can sign in again.
func TestBackupRestored(t *testing.T) {
	slow(t)
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			h := serve(t, at, 20*time.Second)
			b, restored := backupOf(t, at, h)
			approved, user := h.mustAskForDevice(t, h.url), person()
			page, err := h.page(h.url, user, approved)
			mustStatus(t, http.StatusOK, page, err)
			r, err := h.decide(h.url+"/oauth/device", user, page, "allow")
			mustStatus(t, http.StatusSeeOther, r, err)
			early := h.chains(t, 24)
			copied := make(chan struct{})
			go func() {
				defer close(copied)
				b.copy(t)
			}()
			chains := append(early, h.chains(t, 40)...)
			<-copied
			revoked := 0
			for _, next := range early {
				if n := len(next.pairs); n > 0 {
					r, err := h.post(h.url, "/oauth/token/revoke", "token", next.pairs[n-1].Refresh)
					mustStatus(t, http.StatusOK, r, err)
					revoked++
				}
			}
			b.restore(t)
			if kind == "sqlite" {
				h = h.reopened(t, restored)
			}

			revived, _ := h.alive(t, chains)
			require.NoError(t, h.RevokeAllGrants(t.Context()))
			alive, asked := h.alive(t, chains)
			require.Zero(t, alive, "tokens that work")
			for _, next := range chains {
				if len(next.pairs) > 0 {
					r, err := h.refresh(h.url, next.pairs[len(next.pairs)-1].Refresh)
					mustRefuse(t, r, err)
				}
				r, err := h.redeem(h.url, next.code)
				mustRefuse(t, r, err)
				asked += 2
			}
			r, err = h.poll(h.url, approved)
			require.NoError(t, err)
			require.Equal(t, http.StatusBadRequest, r.status, "%s", r)
			for _, next := range chains {
				r, err := h.notes(h.url, h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, next.user)).Access)
				mustStatus(t, http.StatusOK, r, err)
			}
			t.Logf("%d sign-ins, %d of them revoked after the backup: %d tokens worked again, and none of %d tokens and codes after RevokeAllGrants; %d sign-ins since",
				len(chains), revoked, revived, asked, len(chains))
		})
	}
}

// alive returns how many access tokens of the chains work, and the total.
func (h *local) alive(t *testing.T, chains []*chain) (alive, all int) {
	t.Helper()
	for _, next := range chains {
		for _, p := range next.pairs {
			r, err := h.notes(h.url, p.Access)
			require.NoError(t, err)
			if r.status == http.StatusOK {
				alive++
			}
			all++
		}
	}
	return alive, all
}
