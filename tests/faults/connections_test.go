package faults

import (
	"context"
	"database/sql"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exhausted checks that a host that gets no connection answers so in time, and
// recovers by itself once it gets one.
func (h *local) exhausted(t *testing.T, got pair, code string, cause string, release func()) {
	t.Helper()
	requests := []request{
		{"refresh", func() (reply, error) { return h.refresh(h.url, got.Refresh) }},
		{"redeem", func() (reply, error) { return h.redeem(h.url, code) }},
		{"guarded API", func() (reply, error) { return h.notes(h.url, got.Access) }},
		{"introspect", func() (reply, error) { return h.post(h.url, "/oauth/token_info", "token", got.Access) }},
		{"authorize", func() (reply, error) { return h.visit(h.url, person()) }},
	}
	s := &stopped{client: h.client}
	slowest := s.unavailable(t, requests)
	require.True(t, h.log.says(cause), "the log doesn't name the cause: %s", h.log)
	release()
	h.reach(t, h.process())
	r, err := h.notes(h.url, h.mustRefresh(t, h.url, got.Refresh).Access)
	mustStatus(t, http.StatusOK, r, err)
	r, err = h.notes(h.url, h.mustRedeem(t, h.url, code).Access)
	mustStatus(t, http.StatusOK, r, err)
	require.Eventually(t, func() bool { return h.kept.db.Stats().InUse == 0 }, 5*time.Second, 10*time.Millisecond, "a connection leaks")
	t.Logf("%d requests were refused, the slowest after %v", 4*len(requests), slowest.Round(time.Millisecond))
}

// Other clients have taken every connection that the server allows.
func TestTooManyConnections(t *testing.T) {
	slow(t)
	for _, c := range []struct{ kind, option, cause string }{
		{"postgres", "max_connections=12", "53300"},
		{"mysql", "max-connections=10", "1040"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			options := []string{c.option}
			if c.kind == "postgres" {
				options = append(options, "superuser_reserved_connections=3", "max_wal_senders=0")
			}
			at := newServer(t, c.kind, options...).forHost(t)
			h := serve(t, at, storeTimeout)
			got := h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, "user_ada"))
			code := h.mustAuthorize(t, h.url, "user_ada")
			h.kept.db.SetMaxIdleConns(0) // The host must connect again.
			others, err := at.connect()
			require.NoError(t, err)
			defer others.Close()
			var held []*sql.Conn
			for {
				conn, err := others.Conn(t.Context())
				if err != nil {
					break
				}
				held = append(held, conn)
			}
			h.exhausted(t, got, code, c.cause, func() {
				for _, conn := range held {
					conn.Close()
				}
				others.Close()
				h.kept.db.SetMaxIdleConns(poolSize)
			})
		})
	}
}

// The host's own pool has one connection, which is in use.
func TestPoolExhausted(t *testing.T) {
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := serve(t, newTarget(t, kind), storeTimeout)
			got := h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, "user_ada"))
			code := h.mustAuthorize(t, h.url, "user_ada")
			h.kept.db.SetMaxOpenConns(1)
			conn, err := h.kept.db.Conn(context.Background())
			require.NoError(t, err)
			h.exhausted(t, got, code, "deadline exceeded", func() { conn.Close() })
		})
	}
}
