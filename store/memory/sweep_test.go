package memory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// A betweenSteps is a context whose Err a sweep calls between two of its steps.
// At that moment it must hold no lock.
type betweenSteps struct {
	context.Context
	steps   int
	request func()
}

func (c *betweenSteps) Err() error {
	c.steps++
	c.request()
	return c.Context.Err()
}

// A request must not wait until a sweep has removed everything due. These
// grants all belong to one user, so they share a shard.
func TestSweepLetsRequestsIn(t *testing.T) {
	const grants = 5_000
	at := time.Now().UTC()
	user := store.CutKey{UserID: "user_1"}
	for name, tt := range map[string]struct {
		sweepAt time.Time
		seen    int64
		removed int
	}{
		"with everything due":          {at, 0, grants},
		"with everything cut off":      {time.Time{}, 0, grants},
		"with nothing due to look for": {time.Time{}, store.CutNumber(at), 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory.New()
			create := func(sweepAt time.Time, seen int64) store.Document {
				d := newGrant(user.UserID, at)
				d.SweepAt, d.Seen[user.Index()] = sweepAt, seen
				require.NoError(t, s.Create(t.Context(), d))
				return d
			}
			for range grants {
				create(tt.sweepAt, tt.seen)
			}
			live := create(time.Time{}, store.CutNumber(at))
			require.NoError(t, s.CutOff(t.Context(), user, store.CutNumber(at)))

			ctx := &betweenSteps{Context: t.Context(), request: func() {
				_, _, err := s.Find(t.Context(), live.ID)
				require.NoError(t, err)
				require.NoError(t, s.End(t.Context(), create(time.Time{}, store.CutNumber(at)).ID, at, at.Add(1000*time.Hour)))
			}}
			n, err := s.Sweep(ctx, at.Add(24*time.Hour), 2*grants)
			require.NoError(t, err)
			require.Equal(t, tt.removed, n)
			require.Greater(t, ctx.steps, grants/200, "the times that a sweep lets others in")
		})
	}
}

// A cut-off stays if a document of its key is created while a sweep looks for
// one, in a place that it has passed.
func TestSweepSeesWhatIsCreatedMeanwhile(t *testing.T) {
	s, at := memory.New(), time.Now().UTC()
	for range 1_000 {
		require.NoError(t, s.Create(t.Context(), newGrant("user_1", at)))
	}
	key := store.CutKey{UserID: "user_1", ApplicationID: "app_1"}
	number := store.CutNumber(at)
	require.NoError(t, s.CutOff(t.Context(), key, number))
	d := newGrant(key.UserID, at.Add(24*time.Hour)) // newer, so it goes in front
	d.ApplicationID, d.Seen[key.Index()] = key.ApplicationID, number

	ctx := &betweenSteps{Context: t.Context()}
	ctx.request = func() {
		if ctx.steps == 12 { // The sweep has examined the 1,000 once, and some of them twice.
			require.NoError(t, s.Create(t.Context(), d))
		}
	}
	n, err := s.Sweep(ctx, at.Add(24*time.Hour), 10)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Greater(t, ctx.steps, 12)
	_, numbers, err := s.Find(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, d.Seen, numbers)
}

// A sweep ends with its context, and returns what it has removed.
func TestSweepEndsWithItsContext(t *testing.T) {
	s, _ := filled(t, 1_000)
	ctx, cancel := context.WithCancel(t.Context())
	between := &betweenSteps{Context: ctx}
	between.request = func() {
		if between.steps == 3 {
			cancel()
		}
	}
	n, err := s.Sweep(between, time.Now().Add(1000*time.Hour), 1_000)
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, n)
	rest, err := s.Sweep(t.Context(), time.Now().Add(1000*time.Hour), 1_000)
	require.NoError(t, err)
	require.Equal(t, 1_000, n+rest)
}

// BenchmarkSweep measures a sweep that finds nothing due, in a large store
// where each user was cut off before.
func BenchmarkSweep(b *testing.B) {
	for _, size := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("kept=%d", size), func(b *testing.B) {
			s, grants := filled(b, size)
			for _, d := range grants {
				mark := d.Mark
				d.Seen[store.CutKey{UserID: d.UserID}.Index()] = 1
				require.NoError(b, s.CutOff(b.Context(), store.CutKey{UserID: d.UserID}, 1))
				require.NoError(b, s.Replace(b.Context(), d, mark))
			}
			for b.Loop() {
				n, err := s.Sweep(b.Context(), grants[0].CreatedAt, 1000)
				require.NoError(b, err)
				require.Zero(b, n)
			}
		})
	}
}
