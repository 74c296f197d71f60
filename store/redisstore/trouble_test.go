package redisstore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
)

// A server that loses the scripts gets them again.
func TestScriptsThatAreFlushed(t *testing.T) {
	slow(t)
	server := newServer(t)
	client := server.client(t)
	s, prefix := openWithPrefix(t, client)
	l := &load{s: s, at: now()}
	flushed := 0
	l.during(func() {
		for range 100 {
			require.NoError(t, client.ScriptFlush(t.Context()).Err())
			flushed++
			l.reach(t, 5)
		}
	})
	require.Empty(t, l.errs)
	l.check(t)
	require.Equal(t, len(l.all), checkKeys(t, client, prefix, s))
	t.Logf("%d documents, flushed %d times", len(l.all), flushed)
}

// A server that accepts no more connections is an error, and never a missing
// record.
func TestServerThatTakesNoMoreConnections(t *testing.T) {
	slow(t)
	server := newServer(t, "maxclients 10")
	s, err := redisstore.New(server.client(t), redisstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Check(t.Context())) // It keeps its connection.
	var others []net.Conn
	for range 20 {
		conn, err := net.Dial("tcp", server.addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		others = append(others, conn)
	}
	client := redis.NewClient(&redis.Options{Addr: server.addr, MaxRetries: 1})
	t.Cleanup(func() { client.Close() })
	refused, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	for _, step := range steps(refused, "user_1") {
		err := step.run(t.Context())
		require.Error(t, err, step.name)
		for _, outcome := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict} {
			require.NotErrorIs(t, err, outcome, step.name)
		}
	}
	// An open connection keeps working.
	for _, step := range steps(s, "user_2") {
		require.NoError(t, step.run(t.Context()), step.name)
	}
	for _, conn := range others {
		conn.Close()
	}
	require.Eventually(t, func() bool { return refused.Check(t.Context()) == nil }, 10*time.Second, 20*time.Millisecond)
	for _, step := range steps(refused, "user_1") {
		require.NoError(t, step.run(t.Context()), step.name)
	}
}

// Callers that give up leave whole documents, and stray entries on a cluster
// that a sweep removes.
func TestContextsThatEnd(t *testing.T) {
	slow(t)
	t.Run("alone", func(t *testing.T) { testContextsThatEnd(t, newServer(t).client(t)) })
	t.Run("cluster", func(t *testing.T) {
		slow(t)
		testContextsThatEnd(t, newCluster(t))
	})
}

func testContextsThatEnd(t *testing.T, client redis.UniversalClient) {
	s, prefix := openWithPrefix(t, client)
	l := &load{s: s, at: now(), timeout: func() time.Duration { return rand.N(4 * time.Millisecond) }}
	l.during(func() { l.reach(t, 500) })
	l.check(t)
	for reason := range l.errs {
		require.Contains(t, reason, context.DeadlineExceeded.Error())
	}
	require.NotZero(t, l.unknown())
	notes := func() int { return len(strayNotes(t, client, prefix)) }
	// An abandoned call may still be on its way.
	require.Eventually(t, func() bool {
		before := notes()
		time.Sleep(100 * time.Millisecond)
		return notes() == before
	}, 10*time.Second, time.Millisecond)
	noted := notes()
	age(t, client, prefix)
	require.Zero(t, sweepAll(t, s, l.at))
	require.Zero(t, notes())
	t.Logf("%d documents, %d steps with an unknown outcome, notes of strays in %d shards; %d documents exist",
		len(l.all), l.unknown(), noted, checkKeys(t, client, prefix, s))
}

// A server that hangs for a while doesn't hold up callers with a deadline, and
// loses nothing.
func TestServerThatIsSilent(t *testing.T) {
	slow(t)
	server := newServer(t)
	client := server.client(t)
	s, prefix := openWithPrefix(t, client)
	l := &load{s: s, at: now(), timeout: func() time.Duration { return 200 * time.Millisecond }}
	var longest time.Duration
	l.during(func() {
		l.reach(t, 200)
		server.Pause()
		for _, step := range steps(s, "somebody") {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			began := time.Now()
			require.ErrorIs(t, step.run(ctx), context.DeadlineExceeded, step.name)
			longest = max(longest, time.Since(began))
			cancel()
		}
		server.Resume()
		l.reach(t, 200)
	})
	require.Less(t, longest, time.Second)
	l.check(t)
	checkKeys(t, client, prefix, s)
	t.Logf("%d documents, %d steps with an unknown outcome; a call with 50 ms took %v at most", len(l.all), l.unknown(), longest)
}

// A network that loses every tenth answer goes unnoticed: the client sends the
// command again, and the server recognizes it.
func TestNetworkThatLosesAnswers(t *testing.T) {
	slow(t)
	t.Run("alone", func(t *testing.T) {
		network := &lossy{}
		client := redis.NewClient(&redis.Options{Addr: newServer(t).addr, Dialer: network.dial, MaxRetries: 20, MinRetryBackoff: -1})
		t.Cleanup(func() { client.Close() })
		testNetworkThatLosesAnswers(t, client, network)
	})
	t.Run("cluster", func(t *testing.T) {
		slow(t)
		network := &lossy{}
		cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: newCluster(t).Options().Addrs, Dialer: network.dial})
		t.Cleanup(func() { cluster.Close() })
		testNetworkThatLosesAnswers(t, cluster, network)
	})
}

func testNetworkThatLosesAnswers(t *testing.T, client redis.UniversalClient, network *lossy) {
	s, prefix := openWithPrefix(t, client)
	l := &load{s: s, at: now(), timeout: func() time.Duration { return 5 * time.Second }}
	l.during(func() {
		l.reach(t, 50) // so that the scripts are loaded
		network.each.Store(10)
		time.Sleep(2 * time.Second)
		network.each.Store(0)
		l.reach(t, 50)
	})
	l.check(t)
	require.Greater(t, network.lost.Load(), int64(50))
	t.Logf("%d documents, %d answers lost, %d steps with an unknown outcome", len(l.all), network.lost.Load(), l.unknown())
	if _, cluster := client.(*redis.ClusterClient); !cluster {
		require.Empty(t, l.errs, "a client that may try twenty times gave up")
		require.Equal(t, len(l.all), checkKeys(t, client, prefix, s))
	}
}

// Four sweepers, running during traffic, remove exactly what is due.
func TestFourSweepers(t *testing.T) {
	slow(t)
	t.Run("alone", func(t *testing.T) { testFourSweepers(t, newServer(t).client(t)) })
	t.Run("cluster", func(t *testing.T) {
		slow(t)
		testFourSweepers(t, newCluster(t))
	})
}

func testFourSweepers(t *testing.T, client redis.UniversalClient) {
	const due, sweepers = 300, 4
	s, prefix := openWithPrefix(t, client)
	at := now()
	old := fill(t, s, due, "user with much that is due", at.Add(-100*time.Hour))
	l := &load{s: s, at: at}
	var counted atomic.Int64
	l.during(func() {
		l.reach(t, 100)
		var all sync.WaitGroup
		for range sweepers {
			all.Go(func() {
				own, err := redisstore.New(client, redisstore.Options{Prefix: prefix})
				for n := 1; err == nil && n > 0; {
					n, err = own.Sweep(context.Background(), at, 50)
					counted.Add(int64(n))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		l.reach(t, 100)
	})
	require.Empty(t, l.errs)
	l.check(t)
	for _, d := range old {
		_, _, err := s.Find(t.Context(), d.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	require.Equal(t, len(l.all), checkKeys(t, client, prefix, s))
	require.GreaterOrEqual(t, counted.Load(), int64(due))
	t.Logf("%d documents were due, and the sweepers counted %d; none of %d others was deleted", due, counted.Load(), len(l.all))
}

// A cluster that loses a server without a replica serves the other slots, if so
// configured, and nothing is lost when the server comes back.
func TestClusterThatLosesAServer(t *testing.T) {
	slow(t)
	servers, cluster := newServers(t, 0, "cluster-node-timeout 1000", "cluster-require-full-coverage no", "appendonly yes", "appendfsync always")
	s, prefix := openWithPrefix(t, cluster)
	l := &load{s: s, at: now(), timeout: func() time.Duration { return 500 * time.Millisecond }}
	down := int64(0)
	l.during(func() {
		l.reach(t, 200)
		servers[1].kill()
		before := l.done.Load()
		time.Sleep(2 * time.Second)
		down = l.done.Load() - before
		servers[1].start(t)
		l.reach(t, 200)
	})
	require.Empty(t, l.wrong)
	calm(t, cluster)
	l.check(t)
	age(t, cluster, prefix)
	sweepAll(t, s, l.at)
	checkKeys(t, cluster, prefix, s)
	t.Logf("%d documents, %d acknowledged while the server was down, %d steps with an unknown outcome", len(l.all), down, l.unknown())
}

// calm waits until the cluster is healthy, and from then on makes its servers
// wait longer for each other, because a busy machine isn't a lost server.
func calm(t *testing.T, cluster *redis.ClusterClient) {
	t.Helper()
	require.Eventually(t, func() bool {
		return cluster.ForEachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error {
			if info, err := c.ClusterInfo(ctx).Result(); err != nil || !strings.Contains(info, "cluster_state:ok") {
				return errors.New("it is down")
			}
			return c.ConfigSet(ctx, "cluster-node-timeout", "15000").Err()
		}) == nil
	}, 30*time.Second, 100*time.Millisecond)
}

// A server that evicts keys undoes cut-offs. Check rejects each policy but
// noeviction. The volatile policies evict none of these keys, because none has
// an expiry.
func TestEviction(t *testing.T) {
	slow(t)
	for _, policy := range []string{
		"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	} {
		t.Run(policy, func(t *testing.T) {
			if !slices.Contains([]string{"noeviction", "allkeys-random", "volatile-lru"}, policy) {
				slow(t)
			}
			testEviction(t, policy)
		})
	}
}

func testEviction(t *testing.T, policy string) {
	server := newServer(t, "maxmemory-policy "+policy)
	client := server.client(t)
	s, ctx, at := open(t, client), t.Context(), now()
	if policy == "noeviction" {
		require.NoError(t, s.Check(ctx))
	} else {
		require.ErrorContains(t, s.Check(ctx), "maxmemory-policy is "+policy)
	}
	const cut = 100
	var all []store.Document
	for i := range cut {
		all = append(all, create(t, s, "cut "+strconv.Itoa(i), at))
		require.NoError(t, s.CutOff(ctx, all[i].Key(), store.CutNumber(at)))
	}
	used := usedMemory(t, client)
	require.NoError(t, client.ConfigSet(ctx, "maxmemory", strconv.FormatInt(used+128<<10, 10)).Err())
	full := 0
	for i := range 1_000 {
		if err := s.Create(ctx, newDocument("another "+strconv.Itoa(i), at)); err != nil {
			require.ErrorContains(t, err, "OOM")
			full++
		}
	}
	alive, gone := 0, 0
	for _, d := range all {
		_, cuts, err := s.Find(ctx, d.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			gone++
		case err != nil:
			require.NoError(t, err)
		case !cuts.Exceed(&d.Seen):
			alive++
		}
	}
	t.Logf("%s: of %d documents that were cut off, %d work again and %d are lost; %d new ones were rejected", policy, cut, alive, gone, full)
	if policy[:3] == "all" {
		require.Positive(t, alive+gone, "nothing was evicted, so this shows nothing")
		return
	}
	require.Zero(t, alive+gone)
	require.Positive(t, full)
	require.NoError(t, s.End(ctx, all[0].ID, at, at))
	require.NoError(t, s.CutOff(ctx, store.CutKey{UserID: "another"}, store.CutNumber(at)))
}
