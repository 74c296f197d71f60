package provider

import (
	"context"
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// clientsPerAddress is how many clients can use their whole share at one
	// address. Client IDs are only claimed, so invented ones must reach a limit
	// too.
	clientsPerAddress = 10

	// strangersShare is the divisor for a step that anyone can take: to
	// register, to have a document fetched, or to look up a user code.
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
		panic("provider: LimitByAddress: allow at least 1 request per minute")
	}
	l := newAddressLimiter(time.Minute / time.Duration(perMinute))
	return func(_ context.Context, r LimitRequest) time.Duration { return l.wait(r, time.Now()) }
}

// A bucket identifies what is counted together. A client counts per address
// that claims its ID; otherwise anyone could use up its share. The ID may be as
// long as a header, so the bucket has its hash.
type bucket struct {
	address  netip.Prefix
	endpoint string // of a step that anyone can take; empty for requests of clients
	client   uint64 // zero for all at the address
}

// An addressLimiter takes the cost of each request from its buckets.
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
		return 0 // Config.Introspection checks its key before any store access.
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

// network returns what counts as one address. All unknown addresses count as
// one.
func network(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip = ip.Unmap(); ip.Is6() {
		bits = 64 // One subscriber usually has the whole network.
	}
	prefix, _ := ip.Prefix(bits) // The zero Prefix for the zero Addr.
	return prefix
}
