// Package memory keeps a provider's records in the memory of its process: the
// smallest complete [store.Store], with [store.Devices].
//
// It is for tests, for development, and for programs of a single process that
// can live with what a restart costs: everything is gone then. Applications
// have to be registered again, which a program can do as it starts; users sign
// in and agree again, because their codes, tokens and consents are lost, and a
// device that waits for its user has to begin again. Two processes never see
// each other's records, so behind a load balancer use a store that they share.
//
//	p, err := provider.New(provider.Config{
//		Store: memory.New(),
//		// ...
//	})
//
// It implements [store.Volatile], so that the provider's Check says that it forgets.
//
// # Memory
//
// A grant with its code, two tokens and its user's consent takes about 750
// bytes, and each rotation of its refresh token adds 16 until the rotated-away
// token would have expired: about 1,300 bytes in all for a grant that is
// refreshed every two hours with refresh tokens that last three days. Ids and
// redirect URIs of applications, sets of scopes and resources are kept once
// for all grants that name them.
//
// Nothing is removed by itself: call DeleteExpired and DeleteDevices (or the
// provider's Cleanup) from time to time. There is no goroutine that would do it
// behind the program's back.
package memory

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/latchkey-go/latchkey/store"
)

// Store keeps everything in memory. [New] makes one. It is safe for concurrent
// use.
type Store struct {
	applications applications
	shards       [shardCount]shard
	devices      devices
	nextSweep    atomic.Uint32 // the shard at which DeleteExpired begins
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Volatile = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	s := &Store{applications: applications{
		byID:     map[string]*store.Application{},
		byClient: map[string]*store.Application{},
	}}
	s.devices.byID, s.devices.byCode = map[store.DeviceID]*store.Device{}, map[store.Hash]*store.Device{}
	for i := range s.shards {
		s.shards[i].grants = map[store.GrantID]*grant{}
		s.shards[i].users = map[string]*user{}
	}
	return s
}

// Forgets implements [store.Volatile]: everything is gone when the process
// ends.
func (s *Store) Forgets() bool { return true }

// shardCount is how many shards the grants and consents are spread over, so
// that requests for different users seldom wait for one lock.
const shardCount = 256

// A shard holds all grants and all consents of some users. A user is in one
// shard only, which the grant's id names too, so that every step about one
// grant or one user takes one lock.
type shard struct {
	mu     sync.RWMutex
	grants map[store.GrantID]*grant
	users  map[string]*user

	_ [24]byte // fills a cache line, so that the locks of two shards do not slow each other
}

// shardOf returns the shard of all users and grants with the tag.
func (s *Store) shardOf(tag uint16) *shard { return &s.shards[tag%shardCount] }

// A user is somebody who has a grant or a consent.
type user struct {
	id       string
	grants   []*grant
	consents []consent
}

// user returns the user with the id, new if need be.
func (sh *shard) user(id string) *user {
	u := sh.users[id]
	if u == nil {
		u = &user{id: strings.Clone(id)}
		sh.users[u.id] = u
	}
	return u
}

// forgetIfEmpty drops a user of whom nothing is kept any more.
func (sh *shard) forgetIfEmpty(u *user) {
	if len(u.grants) == 0 && len(u.consents) == 0 {
		delete(sh.users, u.id)
	}
}

// add keeps a new grant.
func (sh *shard) add(g *grant) {
	sh.grants[g.id] = g
	g.index = int32(len(g.user.grants))
	g.user.grants = append(g.user.grants, g)
}

// remove drops a grant and everything that hangs from it.
func (sh *shard) remove(g *grant) {
	delete(sh.grants, g.id)
	u, last := g.user, len(g.user.grants)-1
	u.grants[g.index] = u.grants[last]
	u.grants[g.index].index = g.index
	u.grants[last] = nil
	u.grants = u.grants[:last]
	sh.forgetIfEmpty(u)
}

// page cuts the page out of everything that matched.
func page[T any](all []T, limit, offset int) []T {
	all = all[min(offset, len(all)):]
	return all[:min(limit, len(all))]
}
