package storetest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// In turn, each step takes longer with each document that was created, like one
// that reads them all.
func TestGrowingStepsFail(t *testing.T) {
	for _, growing := range []string{
		"FindApplication", "FindClient", "Create", "Find", "FindConsent", "Replace", "End", "CutOff", "List", "Sweep",
	} {
		t.Run(growing, func(t *testing.T) {
			var created atomic.Int64
			var filled atomic.Bool // Filling takes no longer.
			s := Intercept(memory.New(), func(_ context.Context, step string, do func() error) error {
				switch step {
				case "FindApplication": // the first step that is measured
					filled.Store(true)
				case "CreateApplication":
					filled.Store(false)
				case "Create":
					created.Add(1)
				}
				if step == growing && filled.Load() {
					for began := time.Now(); time.Since(began) < time.Duration(created.Load())*500*time.Nanosecond; {
						continue // A sleep is too coarse.
					}
				}
				return do()
			})
			p := costPromise(80, 1_200, 0)
			failed := failure(t.Context(), p, s)
			require.True(t, strings.HasPrefix(failed, growing+" ") || strings.HasPrefix(failed, growing+":"), "the first failure: %q", failed)
			require.Contains(t, failed, p.why)
		})
	}
}

func TestRightStoreCosts(t *testing.T) {
	RunCost(t, func(*testing.T) store.Store { return memory.New() })
}
