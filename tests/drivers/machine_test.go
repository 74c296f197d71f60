//go:build !race

package drivers_test

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/userinfo"
)

// A machine asks for 10,000 tokens: what they take, and what is left minutes
// after they have expired.
func TestTenThousandTokensOfAMachine(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		machineTokens(t, memory.New(), 400, func() int {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		db := connect(t, "pgx", postgresURL())
		s, prefix := fresh(t, db, sqlstore.Postgres)
		machineTokens(t, s, 600, func() int { return relationSize(t, db, prefix+"documents") })
	})
}

// relationSize is the size of a table of PostgreSQL in bytes, with its indexes,
// after reclaiming deleted rows.
func relationSize(t *testing.T, db *sql.DB, table string) (size int) {
	_, err := db.Exec("vacuum full " + table)
	require.NoError(t, err)
	require.NoError(t, db.QueryRow("select pg_total_relation_size($1)", table).Scan(&size))
	return size
}

func machineTokens(t *testing.T, s store.Store, most int, size func() int) {
	const n, runs = 10_000, 100
	clock := hosttest.NewClock(time.Now())
	p, err := provider.New(provider.Config{
		Issuer: "http://localhost:8080", Store: s, Now: clock.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/login", "next"), Users: func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
		Scopes:   []scopes.Scope{{Name: "reports:read", Title: "Read reports"}},
		Machines: &provider.Machines{PerMinute: 2 * n},
	})
	require.NoError(t, err)
	app, secret, err := p.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Reports", MachineScopes: scopes.New("reports:read")})
	require.NoError(t, err)
	handler := p.TokenHandler()
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {secret.Reveal()}}.Encode()
	ask := func() {
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	}
	allocations := testing.AllocsPerRun(runs, ask)
	listed := func() (documents, state int) {
		q := store.Query{Kind: store.KindMachine, ApplicationID: app.ID, Limit: 1000}
		for {
			page, next, err := s.List(t.Context(), q)
			require.NoError(t, err)
			for _, d := range page {
				documents, state = documents+1, state+len(d.State)
			}
			if q.After = next; next.IsZero() {
				return documents, state
			}
		}
	}
	before := size()
	started := time.Now()
	for range n {
		ask()
	}
	took := time.Since(started)
	documents, state := listed()
	require.Equal(t, n+runs+1, documents)
	each := (size() - before) / n
	t.Logf("a token: %d bytes stored, %d of them its state; %.0f allocations with the request's own, %v", each, state/documents, allocations, took/n)
	require.Less(t, each, most, "bytes of a token")

	clock.Add(2*time.Hour + 7*time.Minute)
	removed, err := p.Cleanup(t.Context())
	require.NoError(t, err)
	require.Equal(t, documents, removed)
	after, _ := listed()
	require.Zero(t, after)
	t.Logf("after a sweep: %d documents, %d bytes more than before the first", after, size()-before)
	runtime.KeepAlive(s)
}
