package storetest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A recorder stands in for a *testing.T in a trial that must fail. It ends the
// trial with the first failure.
type recorder struct {
	ctx     context.Context
	failure string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) { r.Fatalf(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure returns the first failure of the promise with a new, empty store.
func failure(ctx context.Context, p promise, s store.Store) string {
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() { // Fatalf ends it.
		defer close(done)
		p.test(r, s)
	}()
	<-done
	return r.failure
}

// promises returns all promises by name.
func promises(t *testing.T) map[string]promise {
	t.Helper()
	all := map[string]promise{}
	for _, c := range chapters {
		for _, p := range c.promises {
			require.NotContains(t, all, p.name, "two promises have the same name")
			all[p.name] = p
		}
	}
	return all
}

func TestEveryPromiseIsExplained(t *testing.T) {
	all := promises(t)
	all["cost"] = costPromise(fewDocuments, manyDocuments, 0)
	for _, p := range all {
		require.NotContains(t, p.name, "/", "a slash in a name makes a subtest of a subtest")
		require.True(t, strings.HasSuffix(p.why, "."), "the explanation of %q doesn't end with a period", p.name)
	}
}

// A wrong store must fail, by the promise that it breaks. A promise that no
// wrong store breaks may be impossible to break.
func TestWrongStoresFail(t *testing.T) {
	all := promises(t)
	broken := map[string]bool{}
	for _, breaks := range []breaks{
		wrongApplications, wrongApplicationLists, wrongDocuments, wrongEnds, wrongCuts, wrongLists, wrongSweeps, wrongValues, wrongTexts, wrongRaces, wrongTogether,
	} {
		for name, wrongs := range breaks {
			p, ok := all[name]
			require.True(t, ok, "unknown promise %q", name)
			require.NotEmpty(t, wrongs)
			broken[name] = true
			for wrong, fault := range wrongs {
				t.Run(name+"/"+wrong, func(t *testing.T) {
					t.Parallel()
					f := newFaulty()
					fault(f)
					failed := failure(t.Context(), p, f)
					require.NotEmpty(t, failed, "the promise holds for a store that breaks it")
					require.Contains(t, failed, p.why, "the failure does not explain the promise")
				})
			}
		}
	}
	for name := range all {
		require.True(t, broken[name], "no wrong store breaks %q", name)
	}
}

// The failures above mean something only if a right store has none. The faults
// are added to this one.
func TestRightStorePasses(t *testing.T) {
	Run(t, func(*testing.T) store.Store { return newFaulty() })
}
