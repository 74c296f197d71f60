package main

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/latchkey-go/latchkey/provider"
)

// strangers slows down whoever has Acme Notes keep a registration, or fetch the
// document of a client that it does not know: after twenty at once, an address
// may do so every ten seconds. It counts in this process alone.
type strangers struct {
	mu      sync.Mutex
	buckets map[netip.Prefix]*rate.Limiter
}

// wait is provider.Config.Limit: how long to wait, or 0.
func (s *strangers) wait(_ context.Context, r provider.LimitRequest) time.Duration {
	if r.Endpoint != "register" && r.Endpoint != "document" {
		return 0
	}
	bits := 32
	if r.IP.Is6() {
		bits = 64 // Who has one address of IPv6 has as many.
	}
	from, err := r.IP.Prefix(bits)
	if err != nil {
		from = netip.Prefix{} // It is not known, so all of those count together.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[from] == nil {
		if s.buckets == nil || len(s.buckets) >= 10_000 {
			s.buckets = map[netip.Prefix]*rate.Limiter{} // Forgetting is kinder than growing without end.
		}
		s.buckets[from] = rate.NewLimiter(rate.Every(10*time.Second), 20)
	}
	reservation := s.buckets[from].Reserve()
	delay := reservation.Delay()
	if delay > 0 {
		reservation.Cancel() // It is refused, so it is not counted.
	}
	return delay
}
