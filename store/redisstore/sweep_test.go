package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A sweep examines a bounded number of documents because of cut-offs, and the
// next one continues there. Once the cut-off documents are deleted, it examines
// few.
func TestLongWalk(t *testing.T) {
	client := single(t)
	c := &counter{}
	client.AddHook(c)
	s, ctx, at := open(t, client), t.Context(), now()
	const grants = 12_000
	all := fill(t, s, grants, "user_1", at)
	app := store.CutKey{UserID: "user_1", ApplicationID: "another application"}
	for range 5 {
		d := newDocument("user_1", at.Add(time.Hour)) // newer, so that the walk finds it last
		d.ApplicationID, d.SweepAt = app.ApplicationID, time.Time{}
		require.NoError(t, s.Create(ctx, d))
	}
	require.NoError(t, s.CutOff(ctx, app, store.CutNumber(at)))
	sweep := func(after time.Duration) int {
		n, err := s.Sweep(ctx, at.Add(after), 100)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, sweep(23*time.Hour), "records swept after less than a day")
	require.Zero(t, sweep(25*time.Hour), "records found by the first sweep")
	require.Equal(t, 6, sweep(25*time.Hour), "records found by the second sweep: five documents and the cut-off")

	user := store.CutKey{UserID: "user_1"}
	number := store.CutNumber(at.Add(-24 * time.Hour))
	require.NoError(t, s.CutOff(ctx, user, number))
	const live = 1_000
	for _, d := range all[:live] {
		seen := replaced(d, func(d *store.Document) { d.Seen[user.Index()] = number })
		require.NoError(t, s.Replace(ctx, seen, d.Mark))
	}
	removed := 0
	for range 150 {
		removed += sweep(0)
	}
	require.Equal(t, grants-live, removed)
	require.NoError(t, s.End(ctx, all[0].ID, at, at))
	require.Equal(t, 1, sweep(0))
	c.trips.Store(0)
	require.Zero(t, sweep(0))
	require.LessOrEqual(t, c.trips.Load(), int64(8), "round trips to find that a cut-off still covers a document")
	for _, d := range all[1:live] {
		require.NoError(t, s.End(ctx, d.ID, at, at))
	}
	removed = 0
	for range 15 {
		removed += sweep(0)
	}
	require.Equal(t, live-1+1, removed, "the documents and the cut-off, which no longer covers any")
}

// The number of a cut-off grows by one, at any size.
func TestCutOffCarries(t *testing.T) {
	s, ctx := open(t, single(t)), t.Context()
	for _, number := range []int64{9, 9_999_999_999, 1<<53 + 1, 4_999_999_999_999_999_999, 1<<62 | 1<<50} {
		key := store.CutKey{UserID: fmt.Sprint("user ", number)}
		require.NoError(t, s.CutOff(ctx, key, number))
		require.NoError(t, s.CutOff(ctx, key, number))
		_, cuts, err := s.FindConsent(ctx, key.UserID, "", "")
		require.NoError(t, err)
		require.Equal(t, number+1, cuts[key.Index()])
	}
}

// A user with very much due doesn't hold up others.
func TestSweepTakesTurns(t *testing.T) {
	s, ctx, at := open(t, single(t)), t.Context(), now()
	fill(t, s, 500, "user_1", at)
	d := create(t, s, "user_2", at)
	for range 2 {
		n, err := s.Sweep(ctx, at.Add(100*time.Hour), 10)
		require.NoError(t, err)
		require.Equal(t, 10, n)
	}
	_, _, err := s.Find(ctx, d.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
}
