package provider

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// It must differ from context.WithTimeout only in its cost, so each case runs
// on both.
func TestDeadlineIsAContext(t *testing.T) {
	type key struct{}
	type make func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	for name, timeout := range map[string]make{
		"context.WithTimeout": context.WithTimeout,
		"withTimeout": func(c context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			ctx, stop := withTimeout(c, d)
			return ctx, stop
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cancelParent := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
			defer cancelParent()

			ctx, stop := timeout(parent, time.Hour)
			require.NoError(t, ctx.Err())
			require.Equal(t, "kept", ctx.Value(key{}))
			at, ok := ctx.Deadline()
			require.True(t, ok)
			require.WithinDuration(t, time.Now().Add(time.Hour), at, time.Minute)
			stop()
			require.ErrorIs(t, ctx.Err(), context.Canceled)
			<-ctx.Done()
			stop()

			ctx, stop = timeout(parent, time.Hour)
			done := ctx.Done()
			require.Equal(t, done, ctx.Done())
			stop()
			<-done
			require.ErrorIs(t, ctx.Err(), context.Canceled)

			ctx, stop = timeout(parent, time.Millisecond)
			defer stop()
			<-ctx.Done()
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)

			ctx, stop = timeout(parent, -time.Second)
			defer stop()
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded, "although there was no wait")

			ctx, stop = timeout(parent, 10*time.Millisecond)
			defer stop()
			at, _ = ctx.Deadline()
			require.Eventually(t, func() bool { return ctx.Err() != nil }, time.Minute, time.Millisecond, "because of a check")
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			again, _ := ctx.Deadline()
			require.Equal(t, at, again)

			sooner, stopSooner := context.WithTimeout(parent, time.Minute)
			defer stopSooner()
			ctx, stop = timeout(sooner, time.Hour)
			defer stop()
			want, _ := sooner.Deadline()
			at, _ = ctx.Deadline()
			require.Equal(t, want, at)

			waited, stop := timeout(parent, time.Hour)
			defer stop()
			unwaited, stop := timeout(parent, time.Hour)
			defer stop()
			end := waited.Done()
			cancelParent()
			<-end
			require.ErrorIs(t, waited.Err(), context.Canceled)
			require.ErrorIs(t, unwaited.Err(), context.Canceled)
		})
	}
}

// A database driver derives a context from it. That must not cost a goroutine
// each.
func TestContextsHangOnADeadlineWithoutAGoroutine(t *testing.T) {
	ctx, stop := withTimeout(t.Context(), time.Hour)
	defer stop()
	before := runtime.NumGoroutine()
	for range 100 {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		require.NoError(t, child.Err())
	}
	require.Less(t, runtime.NumGoroutine(), before+50)
}

func TestDeadlineIsSafeForConcurrentUse(t *testing.T) {
	for range 200 {
		ctx, stop := withTimeout(t.Context(), time.Hour)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { <-ctx.Done() })
			wg.Go(func() {
				for ctx.Err() == nil {
					runtime.Gosched()
				}
			})
			wg.Go(stop)
		}
		wg.Wait()
		require.ErrorIs(t, ctx.Err(), context.Canceled)
	}
}
