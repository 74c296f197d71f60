package provider

import (
	"sync"
	"time"
)

// maxBuckets bounds how many buckets a limiter remembers, at about 100 bytes
// each.
const maxBuckets = 20_000

// buckets limit how often something happens. A bucket holds one minute of
// budget, which can be spent at once or spread out, and each step takes its
// cost. The map has the time at which each bucket will be full again.
type buckets[K comparable] struct {
	mu   sync.Mutex
	full map[K]time.Time // a missing bucket is full
}

func newBuckets[K comparable]() *buckets[K] { return &buckets[K]{full: map[K]time.Time{}} }

// spend takes the costs from their buckets and returns zero, or takes nothing
// and returns how long to wait until every bucket has enough. No cost may
// exceed one minute.
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

// forget makes room for another bucket. It drops full buckets, or arbitrary
// ones if none are full, so a caller with very many addresses can't lock others
// out.
func (b *buckets[K]) forget(now time.Time) {
	for k, full := range b.full {
		if !full.After(now) {
			delete(b.full, k)
		}
	}
	for k := range b.full {
		if len(b.full) < maxBuckets*9/10 { // not for each new bucket
			break
		}
		delete(b.full, k)
	}
}
