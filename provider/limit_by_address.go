package provider

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxBuckets bounds what a limiter remembers, at about 150 bytes each.
	maxBuckets = 20_000

	// clientsPerAddress is how many clients may use their whole share at one
	// address. Client ids are only claimed, so who makes them up must come to an
	// end too.
	clientsPerAddress = 10

	// strangersShare is how much rarer a step must be that takes nobody's leave:
	// to register, to have a document fetched, or to look up a user code.
	strangersShare = 20
)

// LimitByAddress makes a Config.Limit. It lets each client at each address make
// so many requests a minute, all at once or spread, and all clients at an address
// together ten times as many; 600 is a good number to begin with. Whoever
// registers an application, has a client document fetched, or enters a user code
// does so a twentieth as often. An IPv6 address counts with its /64 network.
//
// It counts in this process and forgets when the process ends. If you run many
// instances, each counts for itself. Behind a proxy set Config.ClientIP, or
// everybody is one address. It panics if perMinute is less than 1.
func LimitByAddress(perMinute int) func(context.Context, LimitRequest) time.Duration {
	if perMinute < 1 {
		panic("provider: LimitByAddress: give at least 1 request a minute")
	}
	l := &addressLimiter{cost: time.Minute / time.Duration(perMinute), full: map[bucket]time.Time{}}
	return func(_ context.Context, r LimitRequest) time.Duration { return l.wait(r, time.Now()) }
}

// A bucket is what counts together. A client id counts with the address that
// claims it: else anybody could use up a client's share.
type bucket struct {
	address  netip.Prefix
	endpoint string // empty for those where clients authenticate
	clientID string
}

// An addressLimiter knows when each bucket will be full again. A bucket holds
// what may be spent in a minute, and each request takes its cost.
type addressLimiter struct {
	cost time.Duration

	mu   sync.Mutex
	full map[bucket]time.Time // one that isn't there is full
}

func (l *addressLimiter) wait(r LimitRequest, now time.Time) time.Duration {
	address := network(r.IP)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.Endpoint {
	case endpointRegister, endpointDocument, "device":
		b, cost := bucket{address: address, endpoint: r.Endpoint}, min(l.cost*strangersShare, time.Minute)
		wait := l.missing(b, cost, now)
		if wait == 0 {
			l.spend(b, cost, now)
		}
		return wait
	}
	one, all := bucket{address: address, clientID: r.ClientID}, bucket{address: address, endpoint: "*"}
	wait := max(l.missing(one, l.cost, now), l.missing(all, l.cost/clientsPerAddress, now))
	if wait == 0 { // What is refused costs nothing.
		l.spend(one, l.cost, now)
		l.spend(all, l.cost/clientsPerAddress, now)
	}
	return wait
}

// missing is how long to wait until the bucket has so much.
func (l *addressLimiter) missing(b bucket, cost time.Duration, now time.Time) time.Duration {
	return max(0, max(0, l.full[b].Sub(now))+cost-time.Minute)
}

func (l *addressLimiter) spend(b bucket, cost time.Duration, now time.Time) {
	full, known := l.full[b]
	if !known && len(l.full) >= maxBuckets {
		l.forget(now)
	}
	if full.Before(now) {
		full = now
	}
	l.full[b] = full.Add(cost)
}

// forget makes room for another bucket: it drops those that are full again, and
// if there are none any others, so that whoever comes from very many addresses
// shuts nobody out.
func (l *addressLimiter) forget(now time.Time) {
	for b, full := range l.full {
		if !full.After(now) {
			delete(l.full, b)
		}
	}
	for b := range l.full {
		if len(l.full) < maxBuckets*9/10 { // Not for each new bucket.
			break
		}
		delete(l.full, b)
	}
}

// network is what counts as one address. All that are not known are one.
func network(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip = ip.Unmap(); ip.Is6() {
		bits = 64 // Who has one address of it has as many.
	}
	prefix, _ := ip.Prefix(bits) // The zero Prefix for the zero Addr.
	return prefix
}
