package faults

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A database turns read-only under load, because it was demoted or for
// maintenance. Requests that only read keep working, every write is refused in
// a way that can be retried, and nothing is lost.
func TestReadOnly(t *testing.T) {
	slow(t)
	for _, c := range []struct{ kind, on, off, cause string }{
		{"postgres", "alter system set default_transaction_read_only = on", "alter system reset default_transaction_read_only", "read-only transaction"},
		{"mysql", "set global read_only = 1", "set global read_only = 0", "--read-only option"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newServer(t, c.kind)
			at := s.forHost(t)
			h := serve(t, at, 5*time.Second)
			turn := func(text string) {
				s.do(t, text)
				if c.kind == "postgres" {
					s.do(t, "select pg_reload_conf()")
				}
			}
			chains := h.load(t, h.process(), true, func() { turn(c.on) })
			undo(chains)
			answered, refused := h.reads(t, chains), h.refuses(t, chains, c.cause)
			turn(c.off)
			audit(t, h.client, h.kept, at, h.process(), chains)
			t.Logf("while read-only, %d requests were answered and %d refused", answered, refused)
		})
	}
}

// One instance has opened the SQLite file read-only.
func TestReadOnlyFile(t *testing.T) {
	at := newTarget(t, "sqlite")
	h := serve(t, at, 5*time.Second)
	chains := h.chains(t, 40)
	at.Source = strings.Replace(at.Source, "?_pragma=", "?mode=ro&_pragma=", 1)
	kept, err := at.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(kept.close)
	reader := serveFor(t, h.client, kept, 5*time.Second)
	answered, refused := reader.reads(t, chains), reader.refuses(t, chains, "readonly database")
	for _, next := range chains {
		next.pending, next.undone = "refresh", true
		if len(next.pairs) == 0 {
			next.pending = "redeem"
		}
	}
	audit(t, h.client, h.kept, at, h.process(), chains)
	t.Logf("while read-only, %d requests were answered and %d refused", answered, refused)
	r, err := h.register(h.url)
	mustStatus(t, http.StatusCreated, r, err)
}
