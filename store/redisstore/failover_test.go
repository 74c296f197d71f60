package redisstore_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
)

// A waiter makes the server report with each write whether a replica has it
// too. It costs no extra round trip, because WAIT is sent along.
type waiter struct{}

var errNoReplica = errors.New("no replica has the write")

func (waiter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (waiter) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (waiter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		wait := redis.NewIntCmd(ctx, "wait", 1, 500)
		err := next(ctx, append(commands[:len(commands):len(commands)], wait))
		if strings.HasPrefix(commands[0].Name(), "eval") && err == nil && wait.Val() < 1 {
			err = errNoReplica
			for _, command := range commands {
				command.SetErr(err)
			}
		}
		return err
	}
}

// failover kills the primary of a store under load. If behind, the replica has
// lost it some time before. The primary comes back as a replica. failover
// returns how many acknowledged writes the replica hadn't received, and how
// many acknowledged writes are lost.
func failover(t *testing.T, s store.Store, primary, replica *server, behind bool) (acknowledged int64, lost map[string]int) {
	t.Helper()
	l := &load{s: s, at: now(), timeout: func() time.Duration { return 2 * time.Second }}
	l.during(func() {
		l.reach(t, 200)
		before := l.done.Load()
		if behind {
			replica.Pause()
			require.NoError(t, primary.client(t).Do(t.Context(), "client", "kill", "type", "replica").Err())
			before = l.done.Load()
			time.Sleep(300 * time.Millisecond)
		}
		acknowledged = l.done.Load() - before
		primary.kill()
		l.stop.Store(true)
		replica.Resume()
	})
	client := replica.client(t)
	require.Eventually(t, func() bool { return strings.Contains(client.Info(t.Context(), "replication").Val(), "role:master") },
		30*time.Second, 20*time.Millisecond, "the replica isn't promoted")
	// The primary comes back only now, and empty, so no one takes it for the old
	// primary.
	answers(t, s)
	primary.start(t)
	recovers(t, s)
	require.Empty(t, l.wrong)
	lost = l.lost(t, s)
	t.Logf("%d documents were acknowledged while the replica was behind; of %d in all, these are lost: %v; %d steps have an unknown outcome, because of %v",
		acknowledged, l.done.Load(), lost, l.unknown(), slices.Sorted(maps.Keys(l.errs)))
	return acknowledged, lost
}

// A failover loses acknowledged writes that the replica hasn't received, unless
// the host waits for the replica.
func TestFailover(t *testing.T) {
	slow(t)
	for _, on := range []struct {
		name string
		open func(t *testing.T, wait bool, settings ...string) (s store.Store, primary, replica *server)
	}{
		{"Sentinel", openOnSentinel},
		{"cluster", openOnCluster},
	} {
		t.Run(on.name, func(t *testing.T) {
			if on.name == "cluster" {
				slow(t)
			}
			t.Run("by default", func(t *testing.T) {
				s, primary, replica := on.open(t, false)
				acknowledged, lost := failover(t, s, primary, replica, true)
				require.NotZero(t, acknowledged)
				require.NotEmpty(t, lost, "nothing was lost, so this shows nothing")
			})
			t.Run("with WAIT", func(t *testing.T) {
				slow(t)
				s, primary, replica := on.open(t, true)
				_, lost := failover(t, s, primary, replica, true)
				require.Empty(t, lost)
			})
			t.Run("with an up-to-date replica", func(t *testing.T) {
				slow(t)
				s, primary, replica := on.open(t, false)
				failover(t, s, primary, replica, false)
			})
			t.Run("with min-replicas-to-write", func(t *testing.T) {
				slow(t)
				s, primary, replica := on.open(t, false, "min-replicas-to-write 1", "min-replicas-max-lag 1")
				_, lost := failover(t, s, primary, replica, true)
				n := 0
				for _, gone := range lost {
					n += gone
				}
				require.LessOrEqual(t, n, loadWorkers, "only writes on their way to the replica may be lost")
			})
		})
	}
}

func openOnSentinel(t *testing.T, wait bool, settings ...string) (s store.Store, primary, replica *server) {
	w := newWatched(t)
	if wait {
		w.client.AddHook(waiter{})
	}
	configure(t, w.primary, settings)
	s, err := redisstore.New(w.client, redisstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.(*redisstore.Store).Check(t.Context()))
	return s, w.primary, w.replica
}

func openOnCluster(t *testing.T, wait bool, settings ...string) (s store.Store, primary, replica *server) {
	servers, cluster := newServers(t, 1, "cluster-node-timeout 2000")
	if wait {
		// Only the first server has a replica.
		cluster.OnNewNode(func(node *redis.Client) {
			if node.Options().Addr == servers[0].addr || node.Options().Addr == servers[clusterServers].addr {
				node.AddHook(waiter{})
			}
		})
	}
	configure(t, servers[0], settings)
	s, err := redisstore.New(cluster, redisstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.(*redisstore.Store).Check(t.Context()))
	return s, servers[0], servers[clusterServers]
}

// configure removes settings that keep a server from starting alone.
func configure(t *testing.T, s *server, settings []string) {
	t.Helper()
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, " ")
		require.NoError(t, s.client(t).ConfigSet(t.Context(), name, value).Err())
	}
}
