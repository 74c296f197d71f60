package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// Options says how a [Store] uses its Redis. The zero value works.
type Options struct {
	// Prefix begins each key, so that several stores, or other programs, can
	// share one Redis. It has no braces, which mean something to Redis
	// Cluster. Empty: "latchkey:".
	Prefix string
}

// Store keeps everything in Redis. [New] makes one. It is safe for concurrent
// use, and any number of processes may use one Redis.
type Store struct {
	client     redis.UniversalClient
	keys       keys
	nextSweep  atomic.Uint32 // the shard at which DeleteExpired begins
	nextDevice atomic.Uint32 // the shard at which DeleteDevices begins
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Devices = (*Store)(nil)
)

// New returns a store that keeps its records where the client leads. It does
// not send anything yet. The client stays the caller's, to configure and to
// close.
//
// A client that reads from replicas is refused, as they lag behind: a revoked
// token would still work for a while. So is a [redis.Ring], which forgets what
// was on a server that fails.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "latchkey:"
	}
	err := errors.Join(checkClient(client), checkPrefix(o.Prefix))
	if err != nil {
		return nil, err
	}
	return &Store{client: client, keys: keys{o.Prefix}}, nil
}

func checkClient(client redis.UniversalClient) error {
	switch client := client.(type) {
	case nil:
		return errors.New("redisstore: no client")
	case *redis.ClusterClient:
		if o := client.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("redisstore: the client reads from replicas, which lag behind: unset ReadOnly, RouteByLatency and RouteRandomly")
		}
	case *redis.Ring:
		return errors.New("redisstore: a ring forgets what was on a server that fails: use a cluster")
	}
	return nil
}

func checkPrefix(prefix string) error {
	if strings.ContainsAny(prefix, "{}") {
		return fmt.Errorf("redisstore: the prefix %q has braces, which mean something to Redis Cluster", prefix)
	}
	return nil
}

// page cuts the page out of everything that matched.
func page[T any](all []T, limit, offset int) []T {
	all = all[min(offset, len(all)):]
	return all[:min(limit, len(all))]
}
