package storetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A recorder takes the place of a *testing.T where a trial is to fail.
type recorder struct {
	ctx      context.Context
	failures []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failures returns what the promise says about what the trial has.
func failures(ctx context.Context, p promise, t trial) []string {
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() { // Fatalf ends it.
		defer close(done)
		p.test(r, t)
	}()
	<-done
	return r.failures
}

// promises returns all promises by "chapter/name".
func promises() map[string]promise {
	all := map[string]promise{}
	for _, c := range slices.Concat(chapters(), deviceChapters()) {
		for _, p := range c.promises {
			all[c.name+"/"+p.name] = p
		}
	}
	return all
}

func TestEveryPromiseIsExplained(t *testing.T) {
	count := 0
	for _, c := range slices.Concat(chapters(), deviceChapters()) {
		count += len(c.promises)
	}
	require.Len(t, promises(), count, "two promises have the same name")
	for name, p := range promises() {
		require.NotContains(t, p.name, "/", "a slash in a name makes a subtest of a subtest")
		require.True(t, strings.HasSuffix(p.why, "."), "the explanation of %q is no sentence", name)
	}
}

// A wrong store must fail, and the promise that it breaks must be what fails.
func TestWrongStoresFail(t *testing.T) {
	all := promises()
	for _, w := range wrongs() {
		t.Run(w.name, func(t *testing.T) {
			for _, name := range w.breaks {
				p, ok := all[name]
				require.True(t, ok, "there is no promise %q", name)
				f := newFaulty()
				w.fault(f)
				failed := failures(t.Context(), p, trial{Store: f, Devices: f})
				require.NotEmpty(t, failed, "%q holds for a store that breaks it", name)
				require.Contains(t, failed[0], p.why, "the failure does not explain the promise")
			}
		})
	}
}

// A promise that no wrong store fails may be one that no store can fail.
func TestEveryPromiseCanFail(t *testing.T) {
	broken := map[string]bool{}
	for _, w := range wrongs() {
		require.NotEmpty(t, w.breaks, "%q breaks nothing", w.name)
		for _, name := range w.breaks {
			broken[name] = true
		}
	}
	for name := range promises() {
		require.True(t, broken[name], "no wrong store breaks %q", name)
	}
}

// The failures above mean something only if a right store has none. The faults
// wrap this one.
func TestRightStorePasses(t *testing.T) {
	Run(t, func(t *testing.T) store.Store { return newFaulty() })
	RunDevices(t, func(t *testing.T) store.Devices { return newFaulty() })
}
