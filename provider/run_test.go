package provider_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A runner is a provider whose background work a test observes, in a bubble of
// synctest, where hours pass at once.
type runner struct {
	*provider.Provider
	kept *storetest.Breakable
	log  *bytes.Buffer
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	r := &runner{kept: storetest.NewBreakable(memory.New()), log: &bytes.Buffer{}}
	c := goodConfig()
	c.Store, c.Logger = r.kept, slog.New(slog.NewTextHandler(r.log, nil))
	var err error
	r.Provider, err = provider.New(c)
	require.NoError(t, err)
	return r
}

// sweeps calls f with each sweep's number, from 0 on, and returns its error
// instead of the sweep's.
func (r *runner) sweeps(f func(n int) error) {
	n := 0
	r.kept.Before(func(_ context.Context, step string) error {
		if step != "Sweep" {
			return nil
		}
		n++
		return f(n - 1)
	})
}

// run runs Run in the background for the duration, and waits for its end.
func (r *runner) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	time.Sleep(d)
	stop()
	synctest.Wait()
	select {
	case <-ended:
	default:
		t.Fatal("Run continues although its context has ended")
	}
}

func TestRunCleansUpEveryFewMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t)
		var times []time.Time
		r.sweeps(func(int) error { times = append(times, time.Now()); return nil })
		start := time.Now()
		r.run(t, 10*time.Hour)
		require.InDelta(t, 120, len(times), 14)
		require.LessOrEqual(t, times[0].Sub(start), 5*time.Minute)
		gaps := map[time.Duration]bool{}
		for i := 1; i < len(times); i++ {
			gap := times[i].Sub(times[i-1])
			require.InDelta(t, 5, gap.Minutes(), 0.5)
			gaps[gap] = true
		}
		require.Greater(t, len(gaps), 100, "instances drift apart")
		n := len(times)
		time.Sleep(time.Hour)
		require.Len(t, times, n, "nothing is done after the end")
		require.Empty(t, r.log)
	})
}

// Instances that start together must not work at once, so the first round's
// time is random.
func TestRunBeginsAtARandomTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := map[time.Duration]bool{}
		for range 20 {
			r, start := newRunner(t), time.Now()
			r.sweeps(func(n int) error {
				if n == 0 {
					first[time.Since(start)] = true
				}
				return nil
			})
			r.run(t, 5*time.Minute)
		}
		require.Len(t, first, 20)
	})
}

func TestRunContinuesAfterErrorsAndPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done := newRunner(t), 0
		r.sweeps(func(n int) error {
			switch n {
			case 0:
				return errFire
			case 1:
				panic("a driver's mistake")
			}
			done++
			return nil
		})
		r.run(t, time.Hour)
		require.GreaterOrEqual(t, done, 8)
		require.Equal(t, 2, bytes.Count(r.log.Bytes(), []byte("level=ERROR")), "%s", r.log)
		require.Contains(t, r.log.String(), "cleanup failed; Run will try again")
		require.Contains(t, r.log.String(), "the database is on fire")
		require.Contains(t, r.log.String(), "a driver's mistake")
		require.Contains(t, r.log.String(), "run_test.go", "the stack tells where the panic came from")
	})
}

// A context that ends in the middle of a round ends the round and Run, without
// an error in the log.
func TestRunStopsInTheMiddleOfARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t)
		ctx, stop := context.WithCancel(t.Context())
		r.kept.Before(func(ctx context.Context, _ string) error {
			stop()
			<-ctx.Done()
			return ctx.Err()
		})
		r.Run(ctx)
		require.Error(t, ctx.Err())
		require.Empty(t, r.log)

		start := time.Now()
		r.Run(ctx)
		require.Zero(t, time.Since(start), "a context that has ended already")
	})
}

// Two instances with one store: both work, and neither fails.
func TestRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, n := newRunner(t), atomic.Int64{}
		r.kept.Before(func(_ context.Context, step string) error {
			if step == "Sweep" {
				n.Add(1)
				time.Sleep(time.Second)
			}
			return nil
		})
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		go r.Run(ctx)
		r.Run(ctx)
		synctest.Wait()
		require.InDelta(t, 24, n.Load(), 5)
		require.Empty(t, r.log)
	})
}
