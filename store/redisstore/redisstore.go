package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// Options are the settings of a [Store]. The zero value works.
type Options struct {
	// Prefix begins each key, so that several stores, or other programs, can share
	// one Redis. It must not contain braces, which Redis Cluster gives a meaning.
	// The default is "latchkey:".
	Prefix string
}

// Store keeps everything in Redis. Create one with [New]. It is safe for
// concurrent use, and any number of processes may use one Redis.
type Store struct {
	client  redis.UniversalClient
	keys    keys
	cluster bool // whether the slots are spread over several servers
	scripts *scripts

	next  atomic.Uint32 // the shard at which the next sweep begins
	mu    sync.Mutex
	walks map[store.CutKey]walk // the walks that a sweep didn't finish
}

var _ store.Store = (*Store)(nil)

// New returns a store that keeps its records in the client's Redis. It doesn't
// connect; [Store.Check] does. You configure and close the client.
//
// New returns an error for a client that reads from replicas: they lag behind,
// so a revoked token would still work for a while. It also returns one for a
// [redis.Ring], which loses what was on a server that fails.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "latchkey:"
	}
	if err := errors.Join(checkClient(client), checkPrefix(o.Prefix)); err != nil {
		return nil, err
	}
	s := &Store{client: client, keys: keys{o.Prefix}, scripts: aloneScripts, walks: map[store.CutKey]walk{}}
	if _, s.cluster = client.(*redis.ClusterClient); s.cluster {
		s.scripts = clusterScripts
	}
	return s, nil
}

func checkClient(client redis.UniversalClient) error {
	switch client := client.(type) {
	case nil:
		return errors.New("redisstore: the client is nil: pass that of redis.NewClient")
	case *redis.ClusterClient:
		if o := client.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("redisstore: the client reads from replicas, which lag behind: unset ReadOnly, RouteByLatency, and RouteRandomly")
		}
	case *redis.Ring:
		return errors.New("redisstore: a redis.Ring loses what was on a server that fails: use redis.NewClusterClient")
	}
	return nil
}

func checkPrefix(prefix string) error {
	if strings.ContainsAny(prefix, "{}") {
		return fmt.Errorf("redisstore: the prefix %q contains braces, which Redis Cluster gives a meaning: leave them out", prefix)
	}
	return nil
}

// Check asks each server whether it can keep the records safely. Call it when
// your program starts. It returns an error that says what to change if the
// server
//
//   - is older than Redis 7.0 or Valkey 7.2
//   - is part of a cluster, but the client isn't a [redis.ClusterClient]
//   - is a replica, which lags behind
//   - evicts keys when its memory is full, because that could undo cut-offs
//
// Check can't see settings that a managed service hides, and doesn't check
// appendonly and appendfsync.
func (s *Store) Check(ctx context.Context) error {
	_, err := await(ctx, func() (struct{}, error) {
		cluster, ok := s.client.(*redis.ClusterClient)
		if !ok {
			return struct{}{}, checkServer(ctx, s.client, false)
		}
		return struct{}{}, cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			return checkServer(ctx, c, true)
		})
	})
	return err
}

func checkServer(ctx context.Context, client redis.UniversalClient, cluster bool) error {
	info, err := client.Info(ctx).Result()
	if err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	facts := map[string]string{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		facts[name] = value
	}
	major, _, _ := strings.Cut(facts["redis_version"], ".")
	if n, err := strconv.Atoi(major); err == nil && n < 7 {
		return fmt.Errorf("redisstore: the server's version is %s: use Redis 7.0, Valkey 7.2, or later", facts["redis_version"])
	}
	if facts["cluster_enabled"] == "1" && !cluster {
		return errors.New("redisstore: the server is part of a cluster: use redis.NewClusterClient")
	}
	if facts["role"] == "slave" {
		return errors.New("redisstore: the server is a replica, so a revoked token would still work for a while: connect to its primary")
	}
	if policy := facts["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		return fmt.Errorf("redisstore: the server's maxmemory-policy is %s, so it forgets what was revoked once its memory is full: set maxmemory-policy to noeviction", policy)
	}
	return nil
}
