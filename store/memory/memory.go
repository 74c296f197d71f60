// Package memory is a [store.Store] that keeps a provider's records in memory.
// Use it for tests, for development, and for a program that runs as a single
// process and may lose its data.
//
//	p, err := provider.New(provider.Config{
//		Store: memory.New(),
//		// ...
//	})
//
// # What a restart loses
//
// Everything is lost when the process ends. The program must register its
// applications again, users must sign in and agree again, and waiting devices
// must start again. The store implements [store.Volatile], so the provider's
// Check reports it. Processes don't share records, so instances behind a load
// balancer need another store. To move to a database, see packages sqlstore and
// redisstore.
//
// # Size and speed
//
// A grant takes about 480 bytes when it is new, and about 560 after many
// rotations of its refresh token. A consent takes about 300. A million sign-ins
// take about half a gigabyte. Finding a document never waits for a list or a
// sweep. With a million grants stored, it took about 0.6 microseconds in our test,
// and creating one took 6.
//
// # Cleanup
//
// The store starts no goroutine, so it deletes nothing by itself. Start the
// provider's Run, or call its Cleanup regularly, such as every hour. A sweep
// examines only what is due, in small steps, and requests are served while it
// runs.
package memory

import (
	"sync"

	"github.com/latchkey-go/latchkey/store"
)

// Store keeps everything in memory. Create one with [New]. It is safe for
// concurrent use.
type Store struct {
	// Documents are spread over shards. The indexes have a separate lock, mu,
	// which must be taken before that of a shard. Find and most calls of Replace
	// need only their shard, so they never wait for a list or a sweep.
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

// Forgets implements [store.Volatile]. It returns true, because everything is
// lost when the process ends.
func (s *Store) Forgets() bool { return true }

// shardCount is the number of shards. Documents are spread over them so that
// requests for different users rarely wait for each other.
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
