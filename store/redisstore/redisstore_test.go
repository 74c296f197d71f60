package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// missing skips the test because something isn't installed, or fails it in CI.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// single returns a client of the Redis at REDIS_ADDR or at the default address,
// or of a new one if an engine is named.
func single(t testing.TB) *redis.Client {
	t.Helper()
	if os.Getenv("LATCHKEY_REDIS_SERVER") != "" {
		return newServer(t).client(t)
	}
	addr := os.Getenv("REDIS_ADDR")
	if addr == "" {
		addr = "127.0.0.1:6379"
	}
	client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: patience})
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		missing(t, "no Redis at %s; set REDIS_ADDR: %v", addr, err)
	}
	return client
}

var opened atomic.Int64

// open returns a new, empty store.
func open(t testing.TB, client redis.UniversalClient) *redisstore.Store {
	t.Helper()
	s, _ := openWithPrefix(t, client)
	return s
}

// openWithPrefix returns a new, empty store and the prefix of its keys.
func openWithPrefix(t testing.TB, client redis.UniversalClient) (*redisstore.Store, string) {
	t.Helper()
	prefix := fmt.Sprintf("latchkey-test:%d:%d:%d:", os.Getpid(), time.Now().UnixNano(), opened.Add(1))
	t.Cleanup(func() {
		forEach(t, client, func(ctx context.Context, c *redis.Client) { deleteAll(ctx, t, c, prefix) })
	})
	s, err := redisstore.New(client, redisstore.Options{Prefix: prefix})
	require.NoError(t, err)
	return s, prefix
}

// forEach calls f with a client of each server.
func forEach(t testing.TB, client redis.UniversalClient, f func(ctx context.Context, c *redis.Client)) {
	t.Helper()
	ctx := context.Background() // The test's context has ended during cleanup.
	if cluster, ok := client.(*redis.ClusterClient); ok {
		var mu sync.Mutex // The client library calls f for all servers concurrently.
		require.NoError(t, cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			f(ctx, c)
			return nil
		}))
		return
	}
	f(ctx, client.(*redis.Client))
}

func deleteAll(ctx context.Context, t testing.TB, c *redis.Client, prefix string) {
	t.Helper()
	keys := c.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		require.NoError(t, c.Unlink(ctx, keys.Val()).Err())
	}
	require.NoError(t, keys.Err())
}

func TestStore(t *testing.T) {
	client := single(t)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, client) })
}

// A server that can't be reached is an error, and never a missing record. The
// client library gives up on some commands without an error in their answers.
func TestServerThatIsGoneIsAnError(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: 1, DialerRetries: 1})
	t.Cleanup(func() { client.Close() })
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	for _, step := range steps(s, "ann") {
		err := step.run(t.Context())
		require.Error(t, err, step.name)
		for _, outcome := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict} {
			require.NotErrorIs(t, err, outcome, step.name)
		}
	}
}
