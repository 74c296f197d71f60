package main

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/latchkey-go/latchkey/provider"
)

// A client may call the token endpoint and its like ten times a second for
// long, and forty times at once.
const (
	perSecond = 10
	burst     = 40
)

// limiter keeps one client, or one address, from taking the server from
// everybody else (provider.Config.Limit). It counts in this process alone; an
// app with many instances counts where they all can see it.
type limiter struct {
	off bool // for load tests; set before the first request

	mu      sync.Mutex
	buckets map[bucket]*rate.Limiter
}

// bucket is what is counted together. A client id is only claimed, so it counts
// with the address that claims it: else anybody could use up a client's share.
type bucket struct{ client, address string }

func newLimiter() *limiter { return &limiter{buckets: map[bucket]*rate.Limiter{}} }

// wait returns how long the client has to wait, or 0 if it may go on.
func (l *limiter) wait(_ context.Context, r provider.LimitRequest) time.Duration {
	if l.off {
		return 0
	}
	of := bucket{r.ClientID, r.IP.String()}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[of]
	if b == nil {
		if len(l.buckets) >= 10_000 {
			clear(l.buckets) // Forgetting is kinder than growing without end.
		}
		b = rate.NewLimiter(perSecond, burst)
		l.buckets[of] = b
	}
	reservation := b.Reserve()
	delay := reservation.Delay()
	if delay > 0 {
		reservation.Cancel() // It is refused, so it is not counted.
	}
	return delay
}
