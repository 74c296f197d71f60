package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// occupy fills the file system of a folder with a file, and returns a function
// that removes it.
func occupy(t *testing.T, folder string) (free func()) {
	t.Helper()
	path := filepath.Join(folder, "junk")
	for _, piece := range []int{1 << 20, 4 << 10} {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		require.NoError(t, err)
		for err == nil {
			_, err = file.Write(make([]byte, piece))
		}
		require.NoError(t, file.Close())
	}
	return func() { require.NoError(t, os.Remove(path)) }
}

// signIns are sign-ins that a test ends.
func (h *local) signIns(t *testing.T, n int) (grants []provider.Grant) {
	t.Helper()
	for range n {
		user := person()
		h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user))
		found, _, err := h.ListGrants(t.Context(), provider.GrantFilter{UserID: user}, "", 0)
		require.NoError(t, err)
		grants = append(grants, found...)
	}
	return grants
}

// ends tries to end the grants, half of them by their IDs and half by their
// users, and returns how many of each it ended. A grant must be dead exactly if
// the call returned no error.
func (h *local) ends(t *testing.T, grants []provider.Grant) (ended, cut int) {
	t.Helper()
	for i, g := range grants {
		filter := provider.GrantFilter{ID: g.ID}
		if i%2 == 0 {
			filter = provider.GrantFilter{UserID: g.UserID}
		}
		failed := h.RevokeGrants(t.Context(), filter)
		d, cuts, err := h.kept.Find(t.Context(), g.ID)
		require.NoError(t, err)
		require.Equal(t, failed == nil, !d.EndedAt.IsZero() || cuts.Exceed(&d.Seen), "%v: %v", filter, failed)
		switch {
		case failed != nil:
		case i%2 == 0:
			cut++
		default:
			ended++
		}
	}
	return ended, cut
}

// full runs load until nothing can be created, and checks what the host answers
// meanwhile and what is stored once space is free again.
func (h *local) full(t *testing.T, at target, fill func(), room func() *local) {
	t.Helper()
	grants := h.signIns(t, 20)
	chains := h.load(t, h.process(), true, fill)
	undo(chains)
	answered := h.reads(t, chains)
	refused := 0
	for range 20 {
		code, r, err := h.authorize(h.url, person())
		require.NoError(t, err)
		if code == "" {
			mustStatus(t, http.StatusServiceUnavailable, r, nil)
			require.NotEmpty(t, r.header.Get("Retry-After"))
			refused++
		}
	}
	require.NotZero(t, refused, "the store isn't full")
	ended, cut := h.ends(t, grants)
	again := room()
	if n, c := again.ends(t, grants); n != len(grants)/2 || c != len(grants)/2 {
		t.Errorf("with free space, %d grants could be ended and %d users cut off", n, c)
	}
	audit(t, again.client, again.kept, at, again.process(), chains)
	t.Logf("while full, %d reading requests were answered, %d of 20 sign-ins were refused, %d of 10 grants could be ended, and %d of 10 users cut off",
		answered, refused, ended, cut)
}

// reopened is the same host with another connection to the same store.
func (h *local) reopened(t *testing.T, at target) *local {
	t.Helper()
	kept, err := at.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(kept.close)
	return serveFor(t, h.client, kept, 5*time.Second)
}

// A database becomes full under load, and gets space again.
func TestFullSQLite(t *testing.T) {
	slow(t)
	at := newTarget(t, "sqlite")
	limited := at
	limited.Source += "&_pragma=max_page_count(70)&_pragma=synchronous(off)"
	h := serve(t, limited, 5*time.Second)
	h.full(t, limited, func() {}, func() *local { return h.reopened(t, at) })
}

// The same on a full file system.
func TestFullDiskSQLite(t *testing.T) {
	slow(t)
	folder := small(t, nil, 8)
	at := target{Kind: "sqlite", Prefix: "latchkey_", Source: "file:" + filepath.Join(folder, "latchkey.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"}
	h := serve(t, at, 5*time.Second)
	var free func()
	h.full(t, at, func() { free = occupy(t, folder) }, func() *local {
		free()
		return h
	})
}

// The tables are on a full file system, but the log isn't.
func TestFullTablespace(t *testing.T) {
	slow(t)
	folder := small(t, unprivileged(t), 16)
	s := newServer(t, "postgres")
	at := s.forHost(t)
	s.do(t, "create tablespace small owner host location '"+folder+"'", "alter database host set default_tablespace = small")
	h := serve(t, at, 5*time.Second)
	var free func()
	h.full(t, at, func() { free = occupy(t, folder) }, func() *local {
		free()
		return h
	})
}

// Everything is on a full file system. PostgreSQL stops if it can't write its
// log, so nothing is answered until space is free and it is started again.
func TestFullLog(t *testing.T) {
	slow(t)
	folder := small(t, unprivileged(t), 160)
	s := newServerIn(t, folder, "postgres", "max_wal_size=32MB", "min_wal_size=32MB")
	at := s.forHost(t)
	h := serve(t, at, 5*time.Second)
	chains := h.load(t, h.process(), true, func() {
		free := occupy(t, folder)
		s.fillLog(t)
		free()
	})
	s.kill()
	s.start(t)
	h.reach(t, h.process())
	audit(t, h.client, h.kept, at, h.process(), chains)
}

// fillLog writes until the server stops or rejects writes.
func (s *server) fillLog(t *testing.T) {
	t.Helper()
	db, err := s.at().connect()
	require.NoError(t, err)
	defer db.Close()
	for err == nil {
		_, err = db.ExecContext(t.Context(), "select pg_logical_emit_message(true, 'junk', repeat('x', 1000000))")
	}
	t.Logf("the server with a full log says: %v", err)
	time.Sleep(time.Second)
}

// MariaDB reports that a table is full if the files of InnoDB can't grow.
func TestFullMariaDB(t *testing.T) {
	slow(t)
	s := newServer(t, "mysql", "innodb-file-per-table=0", "innodb-data-file-path=ibdata1:12M:autoextend:max:16M")
	at := s.forHost(t)
	h := serve(t, at, 5*time.Second)
	s.do(t, "create table host.junk (text longblob)")
	fill := func() {
		db, err := s.at().connect()
		require.NoError(t, err)
		defer db.Close()
		// Use small rows: InnoDB may abort if it finds no space for a large one.
		for _, piece := range []int{4_000, 400} {
			for err = nil; err == nil; {
				_, err = db.ExecContext(t.Context(), "insert into host.junk values (repeat('x', ?))", piece)
			}
		}
	}
	h.full(t, at, fill, func() *local {
		s.kill() // MariaDB has no space to drop a table either.
		s.options[1] = strings.Replace(s.options[1], "16M", "64M", 1)
		s.start(t)
		h.reach(t, h.process())
		return h
	})
}

// A full disk may end MariaDB. It has every acknowledged write once space is
// free and it is started again.
func TestFullDiskMariaDB(t *testing.T) {
	slow(t)
	folder := small(t, nil, 320)
	s := newServerIn(t, folder, "mysql")
	at := s.forHost(t)
	h := serve(t, at, 5*time.Second)
	chains := h.load(t, h.process(), true, func() {
		free := occupy(t, folder)
		time.Sleep(3 * time.Second)
		t.Logf("with a full disk a connection says: %v", at.ping(t.Context()))
		s.kill()
		free()
	})
	s.start(t)
	h.reach(t, h.process())
	audit(t, h.client, h.kept, at, h.process(), chains)
}
