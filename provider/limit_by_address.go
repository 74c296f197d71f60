package provider

import (
	"context"
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// clientsPerAddress is how many clients may use their whole share at one
	// address. Client ids are only claimed, so who makes them up must come to an
	// end too.
	clientsPerAddress = 10

	// strangersShare is how much rarer a step must be that anyone can take:
	// to register, to have a document fetched, or to look up a user code.
	strangersShare = 20
)

// LimitByAddress returns a Config.Limit that allows each client at each address
// perMinute requests a minute, at once or spread out, and all clients at an
// address together ten times as many. Start with 600; a server that signs in
// many thousands of users needs more.
//
// Registering an application, fetching a client's document, and entering a user
// code are limited to a twentieth of that. An IPv6 address counts as its /64
// network. A resource server that introspects with a key of the host is not
// limited.
//
// Each instance counts for itself, in memory. Behind a proxy, set
// Config.ClientIP, or all clients share one address. LimitByAddress panics if
// perMinute is less than 1.
func LimitByAddress(perMinute int) func(context.Context, LimitRequest) time.Duration {
	if perMinute < 1 {
		panic("provider: LimitByAddress: give at least 1 request a minute")
	}
	l := newAddressLimiter(time.Minute / time.Duration(perMinute))
	return func(_ context.Context, r LimitRequest) time.Duration { return l.wait(r, time.Now()) }
}

// A bucket is what counts together. A client counts with the address that claims
// its id: otherwise anyone could use up its share. The id may be as long as a header,
// so that its hash stands for it.
type bucket struct {
	address  netip.Prefix
	endpoint string // of a step by a stranger; empty: those of clients
	client   uint64 // zero: all at the address
}

// An addressLimiter takes the cost of each request from the buckets that it counts
// in.
type addressLimiter struct {
	*buckets[bucket]
	cost time.Duration
	seed maphash.Seed
}

func newAddressLimiter(cost time.Duration) *addressLimiter {
	return &addressLimiter{buckets: newBuckets[bucket](), cost: cost, seed: maphash.MakeSeed()}
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
	return l.spend(costs, now)
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
