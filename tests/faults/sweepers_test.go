package faults

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// Four sweepers run without a pause during load. They remove everything dead
// and nothing live, and no request gets a wrong answer.
func TestSweepersUnderLoad(t *testing.T) {
	slow(t)
	const sweepers, dead, cutUsers = 4, 1000, 25
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			h := serve(t, at, 20*time.Second)
			long := time.Now().Add(-72 * time.Hour)
			for i := range dead {
				user := fmt.Sprintf("user_dead_%d", i%cutUsers)
				d := store.Document{
					ID: store.NewID(long, user), Kind: store.KindGrant, UserID: user, ApplicationID: h.ID,
					CreatedAt: long, LastUsedAt: long, Mark: 1,
				}
				if i%2 == 0 {
					d.SweepAt = long.Add(time.Hour)
				}
				require.NoError(t, h.kept.Create(t.Context(), d))
			}
			for i := range cutUsers {
				key := store.CutKey{UserID: fmt.Sprintf("user_dead_%d", i)}
				require.NoError(t, h.kept.CutOff(t.Context(), key, store.CutNumber(long.Add(time.Minute))))
			}

			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			var removed, calls atomic.Int64
			for range sweepers {
				all.Go(func() {
					for ctx.Err() == nil {
						n, err := h.Cleanup(t.Context())
						if err != nil {
							t.Errorf("cleanup: %v", err)
							return
						}
						removed.Add(int64(n))
						calls.Add(1)
						time.Sleep(time.Millisecond)
					}
				})
			}
			chains := h.chains(t, 80)
			stop()
			all.Wait()
			for range 3 { // for cut-offs that were examined a moment before they were due
				n, err := h.Cleanup(t.Context())
				require.NoError(t, err)
				removed.Add(int64(n))
			}
			grants := 0
			for _, next := range chains {
				if next.code != "" {
					grants++
				}
			}
			require.Zero(t, count(t, h.kept, at, "select count(*) from p_documents where created_at < "+fmt.Sprint(long.Add(time.Hour).UnixMicro())), "dead documents that are left")
			require.Zero(t, count(t, h.kept, at, "select count(*) from p_cuts"), "cut-offs are left")
			require.Equal(t, grants, count(t, h.kept, at, "select count(*) from p_documents where kind = 1"), "live grants")
			require.Equal(t, grants, count(t, h.kept, at, "select count(*) from p_documents where kind = 2"), "live consents")
			t.Logf("%d calls removed %d of %d dead records; all %d live sign-ins are left", calls.Load(), removed.Load(), dead+cutUsers, grants)
			require.GreaterOrEqual(t, removed.Load(), int64(dead+cutUsers))
			audited(t, h.client, h.kept, at, h.process(), chains)
		})
	}
}

// chains runs n chains, several at a time, none of which may fail.
func (h *local) chains(t *testing.T, n int) []*chain {
	t.Helper()
	list := make([]*chain, n)
	work := make(chan int)
	var all sync.WaitGroup
	for range killWorkers {
		all.Go(func() {
			for i := range work {
				list[i] = &chain{user: person()}
				if r, err := h.run(h.url, list[i]); list[i].pending != "" {
					t.Errorf("%s: %s %v", list[i].pending, r, err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	all.Wait()
	return list
}
