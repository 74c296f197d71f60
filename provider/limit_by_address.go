package provider

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxBuckets bounds what a limiter remembers, at about 100 bytes each.
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
// together ten times as many; 600 is a good number to begin with, and an
// application whose one server signs in many thousands of users needs more.
// Whoever registers an application, has a client document fetched, or enters a user code
// does so a twentieth as often. An IPv6 address counts with its /64 network. A
// resource server that introspects by a key of the host's is not counted.
//
// It counts in this process and forgets when the process ends. If you run many
// instances, each counts for itself. Behind a proxy set Config.ClientIP, or
// everybody is one address. It panics if perMinute is less than 1.
func LimitByAddress(perMinute int) func(context.Context, LimitRequest) time.Duration {
	if perMinute < 1 {
		panic("provider: LimitByAddress: give at least 1 request a minute")
	}
	l := newAddressLimiter(time.Minute / time.Duration(perMinute))
	return func(_ context.Context, r LimitRequest) time.Duration { return l.wait(r, time.Now()) }
}

// A bucket is what counts together. A client counts with the address that claims
// its id: else anybody could use up its share. The id may be as long as a header,
// so that its hash stands for it.
type bucket struct {
	address  netip.Prefix
	endpoint string // of a step by a stranger; empty: those of clients
	client   uint64 // zero: all at the address
}

// An addressLimiter knows when each bucket will be full again. A bucket holds
// what may be spent in a minute, and each request takes its cost.
type addressLimiter struct {
	cost time.Duration
	seed maphash.Seed

	mu   sync.Mutex
	full map[bucket]time.Time // one that isn't there is full
}

func newAddressLimiter(cost time.Duration) *addressLimiter {
	return &addressLimiter{cost: cost, seed: maphash.MakeSeed(), full: map[bucket]time.Time{}}
}

func (l *addressLimiter) wait(r LimitRequest, now time.Time) time.Duration {
	if r.Endpoint == endpointIntrospect && r.ClientID == "" {
		return 0 // The key has opened it, or it is refused without asking the store.
	}
	all := bucket{address: network(r.IP)}
	costs := map[bucket]time.Duration{}
	switch r.Endpoint {
	case endpointRegister, endpointDocument, endpointDevice:
		all.endpoint = r.Endpoint
		costs[all] = min(l.cost*strangersShare, time.Minute) // One is always possible.
	default:
		costs[all] = l.cost / clientsPerAddress
		one := all
		one.client = maphash.String(l.seed, r.ClientID) | 1
		costs[one] = l.cost
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var wait time.Duration
	for b, cost := range costs {
		wait = max(wait, l.missing(b, cost, now))
	}
	if wait > 0 {
		return wait // What is refused costs nothing.
	}
	for b, cost := range costs {
		l.spend(b, cost, now)
	}
	return 0
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
