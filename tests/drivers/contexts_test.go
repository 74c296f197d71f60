package drivers_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A context may end at any moment of a call. Then the write has happened or it
// hasn't, a nil error is true, the next call works, and the connection is back
// in the pool.
func TestContextsThatEnd(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, _ := fresh(t, db, server.dialect)
		app := store.Application{ID: "app_1", ClientID: "client_1", Name: "0", CreatedAt: now(), UpdatedAt: now()}
		require.NoError(t, s.CreateApplication(t.Context(), app))
		var cut, ended int
		for range 50 {
			d := newGrant("user_1", "app_1", now())
			kept, err := interrupt(t, func(ctx context.Context) error { return s.Create(ctx, d) }, func() bool {
				_, _, err := s.Find(t.Context(), d.ID)
				return err == nil
			})
			ended += count(err)
			if !kept {
				if err := s.Create(t.Context(), d); err != nil {
					require.ErrorIs(t, err, store.ErrExists, "created again")
				}
			}
			changed := next(d)
			kept, err = interrupt(t, func(ctx context.Context) error { return s.Replace(ctx, changed, d.Mark) }, func() bool {
				found, _, err := s.Find(t.Context(), d.ID)
				require.NoError(t, err)
				require.Contains(t, []store.Document{d, changed}, found, "one or the other")
				return found.Mark == changed.Mark
			})
			ended += count(err)
			if !kept {
				if err := s.Replace(t.Context(), changed, d.Mark); err != nil {
					require.ErrorIs(t, err, store.ErrConflict, "replaced again")
				}
				found, _, err := s.Find(t.Context(), d.ID)
				require.NoError(t, err)
				require.Equal(t, changed, found)
			}
			_, err = interrupt(t, func(ctx context.Context) error { return s.End(ctx, d.ID, now(), now()) }, func() bool {
				found, _, err := s.Find(t.Context(), d.ID)
				require.NoError(t, err)
				return !found.EndedAt.IsZero()
			})
			ended += count(err)
			key := store.CutKey{UserID: "user_1"}
			number := func() int64 {
				_, cuts, err := s.Find(t.Context(), d.ID)
				require.NoError(t, err)
				return cuts[key.Index()]
			}
			before := number()
			kept, err = interrupt(t, func(ctx context.Context) error { return s.CutOff(ctx, key, 1) }, func() bool { return number() > before })
			ended += count(err)
			cut += map[bool]int{true: 1}[kept]
			_, err = interrupt(t, func(ctx context.Context) error {
				_, _, err := s.Find(ctx, d.ID)
				return err
			}, func() bool { return true })
			ended += count(err)
		}
		require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 5*time.Second, 5*time.Millisecond, "a connection leaks")
		require.NotZero(t, ended, "no context ended in time")
		t.Logf("250 calls, of which %d ended with their context; %d of 50 cut-offs happened; %d connections are open", ended, cut, db.Stats().OpenConnections)
	})
}

// interrupt makes a call whose context ends at a random moment, and reports
// whether the call took effect. If the call returned nil, it must have.
func interrupt(t *testing.T, call func(ctx context.Context) error, happened func() bool) (done bool, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*time.Millisecond))
	defer cancel()
	err = call(ctx)
	for _, outcome := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict} {
		require.NotErrorIs(t, err, outcome)
	}
	done = happened()
	if err == nil { // Otherwise a sent statement may still take effect.
		require.True(t, done, "the call returned nil but had no effect")
	}
	return done, err
}

// count is 1 for an error.
func count(err error) int {
	if err != nil {
		return 1
	}
	return 0
}
