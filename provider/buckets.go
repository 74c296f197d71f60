package provider

import (
	"sync"
	"time"
)

// maxBuckets bounds what a limiter remembers, at about 100 bytes each.
const maxBuckets = 20_000

// buckets limit how often something happens. A bucket holds what may be spent in
// a minute, all at once or spread, and each step takes its cost. They know when
// each bucket will be full again.
type buckets[K comparable] struct {
	mu   sync.Mutex
	full map[K]time.Time // one that isn't there is full
}

func newBuckets[K comparable]() *buckets[K] { return &buckets[K]{full: map[K]time.Time{}} }

// spend takes the costs from their buckets, none of which is over a minute, and
// returns zero, or how long to wait until all of them have so much. What has to
// wait costs nothing.
func (b *buckets[K]) spend(costs map[K]time.Duration, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, cost := range costs {
		wait = max(wait, max(0, b.full[k].Sub(now))+cost-time.Minute)
	}
	if wait > 0 {
		return wait
	}
	for k, cost := range costs {
		full, known := b.full[k]
		if !known && len(b.full) >= maxBuckets {
			b.forget(now)
		}
		if full.Before(now) {
			full = now
		}
		b.full[k] = full.Add(cost)
	}
	return 0
}

// forget makes room for another bucket: it drops those that are full again, and
// if there are none any others, so that a caller from very many addresses
// shuts no one out.
func (b *buckets[K]) forget(now time.Time) {
	for k, full := range b.full {
		if !full.After(now) {
			delete(b.full, k)
		}
	}
	for k := range b.full {
		if len(b.full) < maxBuckets*9/10 { // Not for each new bucket.
			break
		}
		delete(b.full, k)
	}
}
