package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/redisserver"
)

// slow skips the test unless an engine is named.
func slow(t testing.TB) {
	t.Helper()
	if os.Getenv("LATCHKEY_REDIS_SERVER") == "" {
		t.Skip(`it takes minutes: "make engines" runs it, or LATCHKEY_REDIS_SERVER=redis-server`)
	}
}

// A server is a Redis server for one test.
type server struct {
	*redisserver.Server
	addr string
}

// newServer starts a Redis with the settings, each like "appendonly yes". It
// stops with the test.
func newServer(t testing.TB, settings ...string) *server {
	t.Helper()
	s, err := redisserver.Start(t, settings...)
	if err != nil {
		missing(t, "no %s in the path", redisserver.Program())
	}
	return &server{s, s.Addr}
}

func (s *server) start(t testing.TB) { s.Start(t) }

// kill ends the server at once, as a crash would.
func (s *server) kill() { s.Kill() }

// patience is how long a client waits for an answer, because a machine that is
// busy with other tests isn't a server that is down.
const patience = 30 * time.Second

func (s *server) client(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr, ReadTimeout: patience})
	t.Cleanup(func() { client.Close() })
	return client
}

// newCluster starts a Redis Cluster of three servers.
func newCluster(t testing.TB) *redis.ClusterClient {
	t.Helper()
	_, cluster := newServers(t, 0, "cluster-node-timeout 15000")
	return cluster
}

// clusterServers is the number of servers of a cluster that have slots.
const clusterServers = 3

// newServers starts a Redis Cluster of three servers, and of the given number
// of replicas, the first of which follow the first server.
func newServers(t testing.TB, replicas int, settings ...string) ([]*server, *redis.ClusterClient) {
	t.Helper()
	const slots = 16384
	ctx := t.Context()
	var servers []*server
	var addrs []string
	var clients []*redis.Client
	for i := range clusterServers + replicas {
		s := newServer(t, append([]string{"cluster-enabled yes", "cluster-config-file nodes.conf"}, settings...)...)
		servers, addrs, clients = append(servers, s), append(addrs, s.addr), append(clients, s.client(t))
		if i < clusterServers {
			require.NoError(t, clients[i].ClusterAddSlotsRange(ctx, i*slots/clusterServers, (i+1)*slots/clusterServers-1).Err())
		}
		require.NoError(t, clients[i].Do(ctx, "cluster", "set-config-epoch", i+1).Err())
	}
	for _, addr := range addrs[1:] {
		host, port, _ := net.SplitHostPort(addr)
		require.NoError(t, clients[0].ClusterMeet(ctx, host, port).Err())
	}
	known := fmt.Sprintf("cluster_known_nodes:%d", len(servers))
	for _, client := range clients {
		require.Eventually(t, func() bool {
			info := client.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384") && strings.Contains(info, known)
		}, 30*time.Second, 50*time.Millisecond, "the cluster doesn't form")
	}
	for i, replica := range clients[clusterServers:] {
		primary := clients[i].Do(ctx, "cluster", "myid").Val()
		require.NoError(t, replica.Do(ctx, "cluster", "replicate", primary).Err())
		isInStep(t, replica)
	}
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs[:clusterServers], ReadTimeout: patience})
	t.Cleanup(func() { cluster.Close() })
	return servers, cluster
}

// isInStep waits until a replica has everything that its primary has.
func isInStep(t testing.TB, replica *redis.Client) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(replica.Info(context.Background(), "replication").Val(), "master_link_status:up")
	}, 30*time.Second, 20*time.Millisecond, "the replica doesn't catch up")
}

// nodes returns a client of each server of a cluster.
func nodes(t testing.TB, cluster *redis.ClusterClient) (all []*redis.Client) {
	t.Helper()
	for _, addr := range cluster.Options().Addrs {
		client := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { client.Close() })
		all = append(all, client)
	}
	return all
}

// usedMemory returns how much memory a server uses.
func usedMemory(t testing.TB, client *redis.Client) int64 {
	t.Helper()
	return memory(t, client, "used_memory")
}

// memory returns a field of what a server reports about its memory.
func memory(t testing.TB, client *redis.Client, field string) (bytes int64) {
	t.Helper()
	info, err := client.Info(context.Background(), "memory").Result()
	require.NoError(t, err)
	_, info, _ = strings.Cut(info, "\n"+field+":")
	_, err = fmt.Sscan(info, &bytes)
	require.NoError(t, err)
	return bytes
}
