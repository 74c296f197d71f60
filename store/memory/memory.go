// Package memory keeps a provider's records in the memory of its process: a
// fast [store.Store] for tests, for development, and for programs that run as
// a single process.
//
//	p, err := provider.New(provider.Config{
//		Store: memory.New(),
//		// ...
//	})
//
// Everything is gone when the process ends. The program must register its
// applications again when it starts, users must sign in and agree again, and a
// device that waits for its user must begin again. The store implements
// [store.Volatile], so the provider's Check says so. Two processes never see
// each other's records: behind a load balancer, use a store that they share.
//
// # Memory
//
// A grant takes about 480 bytes with its first two tokens, and 570 after many
// rotations of its refresh token. A consent takes about 300. The ID of an
// application or a workspace is kept once for all documents that name it.
//
// Nothing is removed by itself, because the store starts no goroutine. Call
// Sweep, or the provider's Cleanup, from time to time, for example once an
// hour. It looks only at what is due, and requests are answered while it runs.
package memory

import (
	"sync"

	"github.com/latchkey-go/latchkey/store"
)

// Store keeps everything in memory. [New] makes one. It is safe for concurrent
// use.
//
// Documents are spread over shards. The indexes that put them in order are
// common to all, and have a separate lock, which must be taken before that of a
// shard. [Store.Find] and most calls of [Store.Replace] need only their shard,
// so they never wait for a list or a sweep.
type Store struct {
	shards [shardCount]shard

	// common has the cut-offs of the keys without a user, and no documents.
	common shard

	applications applications

	// mu guards the indexes. Where a document stands in them, and which
	// documents and cut-offs exist, changes only under mu and the lock of the
	// shard together, so either is enough to read it.
	mu            sync.RWMutex
	byUser        ordered[*record] // every document
	byApplication ordered[*record] // those with an application
	byWorkspace   ordered[*record] // those with a workspace
	bySweepAt     ordered[*record] // those with a SweepAt
	unswept       ordered[*cutOff] // the cut-offs that a sweep must look at, the oldest first
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
	for i := range s.shards {
		s.shards[i].documents = map[store.ID]*record{}
	}
	s.byUser.compare, s.byApplication.compare, s.byWorkspace.compare = compareUsers, compareApplications, compareWorkspaces
	s.bySweepAt.compare, s.unswept.compare = compareSweeps, compareCutOffs
	return s
}

// Forgets implements [store.Volatile]. It returns true: everything is gone when
// the process ends.
func (s *Store) Forgets() bool { return true }

// shardCount is how many shards the documents are spread over, so that requests
// for different users seldom wait for each other.
const shardCount = 256

// A shard has the documents of some users and the cut-offs that name one of
// these users. The ID of a document says which shard has it.
type shard struct {
	mu        sync.RWMutex
	documents map[store.ID]*record
	cuts      cutOffs

	_ [16]byte // fills a cache line, so that the locks of two shards don't share one
}

// shard returns the shard of the document with the ID.
func (s *Store) shard(id store.ID) *shard { return &s.shards[id.Tag()%shardCount] }
