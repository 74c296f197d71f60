package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

const (
	application = "oauth_app_2ZyXwVuTsRqPoNmLkJiHgFeDcBa"
	workspace   = "org_1"
)

func newMark() int64 { return int64(rand.Uint64() | 1) }

// newDocument returns a document of a user, an application, and a workspace.
func newDocument(userID string, at time.Time) store.Document {
	return store.Document{
		ID: store.NewID(at, userID), Kind: store.KindGrant, UserID: userID, ApplicationID: application, WorkspaceID: workspace,
		CreatedAt: at, LastUsedAt: at, SweepAt: at.Add(72 * time.Hour), Mark: newMark(), State: string(make([]byte, 250)),
	}
}

// create keeps a new document.
func create(t testing.TB, s store.Documents, userID string, at time.Time) store.Document {
	t.Helper()
	d := newDocument(userID, at)
	require.NoError(t, s.Create(t.Context(), d))
	return d
}

// replaced returns the document with a new mark and the edit.
func replaced(d store.Document, edit func(*store.Document)) store.Document {
	d.Mark = newMark()
	edit(&d)
	return d
}

// now returns the current time, rounded as a store keeps it.
func now() time.Time { return store.Micro(time.Now()) }

// sweepAll sweeps until nothing is due.
func sweepAll(t testing.TB, s store.Documents, before time.Time) (removed int) {
	t.Helper()
	for {
		n, err := s.Sweep(t.Context(), before, 500)
		require.NoError(t, err)
		removed += n
		if n == 0 {
			return removed
		}
	}
}

// fill creates documents of one user.
func fill(t testing.TB, s store.Documents, n int, userID string, at time.Time) []store.Document {
	t.Helper()
	all := make([]store.Document, n)
	for i := range all {
		all[i] = newDocument(userID, at.Add(time.Duration(i)*time.Microsecond))
	}
	const workers = 16
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < n; i += workers {
				if err := s.Create(t.Context(), all[i]); err != nil {
					errs <- fmt.Errorf("creating a document: %w", err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range workers {
		require.NoError(t, <-errs)
	}
	return all
}
