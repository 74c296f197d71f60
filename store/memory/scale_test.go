package memory_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// BenchmarkScale fills stores of several sizes with live grants, two for each
// user, and measures them side by side. LATCHKEY_SCALE has the sizes, such as
// 1000,1000000. Run it with -benchtime 1x, as it does a number of operations of
// its own: the sizes take turns, and each figure is a median.
func BenchmarkScale(b *testing.B) {
	sizes := os.Getenv("LATCHKEY_SCALE")
	if sizes == "" {
		sizes = "1000,10000"
	}
	at := time.Now().UTC()
	var filled []*filledStore
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		require.NoError(b, err)
		s := &filledStore{Store: memory.New(), devices: make([]device, n), took: map[string][]float64{}}
		before := heap()
		for i := range s.devices {
			s.devices[i] = signIn(b, s, fmt.Sprintf("user_%022d", i/2), at)
		}
		b.ReportMetric(float64(heap()-before)/float64(n)-keptByBenchmark, "B/grant@"+size)
		filled = append(filled, s)
	}
	for range b.N {
		for range 9 {
			for _, s := range filled {
				s.measure(b, at)
			}
		}
	}
	for _, s := range filled {
		for name, took := range s.took {
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "ns/"+name+"@"+strconv.Itoa(len(s.devices)))
		}
		b.ReportMetric(float64(s.longest.Microseconds()), "µs-longest-wait-in-cleanup@"+strconv.Itoa(len(s.devices)))
	}
	b.ReportMetric(0, "ns/op")
}

// keptByBenchmark is what the benchmark itself keeps for each grant, beside its
// slice of devices: the set of scopes.
const keptByBenchmark = 32

// A filledStore is a store with its devices, how long the steps on it took, and
// how long a reader had to wait at most while a cleanup went on.
type filledStore struct {
	*memory.Store
	devices []device
	took    map[string][]float64
	longest time.Duration
}

func (s *filledStore) measure(b *testing.B, at time.Time) {
	const operations = 20_000
	find := func() {
		if _, _, err := s.FindToken(b.Context(), s.devices[rand.IntN(len(s.devices))].access); err != nil {
			b.Error(err)
		}
	}
	for _, goroutines := range []int{1, 8, 64} {
		s.time(fmt.Sprintf("find/%d", goroutines), goroutines, operations, func(int) { find() })
	}
	// Each goroutine has devices of its own, as two that rotate one token are
	// two that use a stolen one.
	for _, goroutines := range []int{1, 64} {
		share := len(s.devices) / goroutines
		s.time(fmt.Sprintf("find+rotate/%d", goroutines), goroutines, operations, func(g int) {
			find()
			d := s.devices[g*share+rand.IntN(share)]
			r := store.RefreshRotation{
				Key: d.refresh, ApplicationID: application, At: at, Grace: time.Hour,
				Access:  store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(accessLifetime)},
				Refresh: store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(refreshLifetime)},
			}
			// A device that has had its turn is answered as one that retries.
			if _, err := s.RotateRefresh(b.Context(), r); err != nil {
				b.Error(err)
			}
		})
	}
	// Nothing is dead, so a cleanup looks at everything.
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		began := time.Now()
		if _, err := s.DeleteExpired(b.Context(), store.Expiry{Before: at, RotatedBefore: at.Add(-time.Hour), Limit: 1000}); err != nil {
			b.Error(err)
		}
		s.took["cleanup"] = append(s.took["cleanup"], float64(time.Since(began)))
	})
	for !done.Load() {
		began := time.Now()
		find()
		s.longest = max(s.longest, time.Since(began))
		runtime.Gosched()
	}
	wg.Wait()
}

// time measures an operation that so many goroutines do at once.
func (s *filledStore) time(name string, goroutines, operations int, do func(goroutine int)) {
	var wg sync.WaitGroup
	began := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			for range operations / goroutines {
				do(g)
			}
		})
	}
	wg.Wait()
	s.took[name] = append(s.took[name], float64(time.Since(began))/float64(operations))
}
