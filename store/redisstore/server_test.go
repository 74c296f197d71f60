package redisstore_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/internal/redisserver"
)

// A server is a Redis that a test has for itself.
type server struct{ *redisserver.Server }

// newServer starts a Redis with the settings, each like "appendonly yes". It
// ends with the test.
func newServer(t testing.TB, settings ...string) server {
	t.Helper()
	s, err := redisserver.Start(t, settings...)
	if err != nil {
		missing(t, "no redis-server: %v", err)
	}
	return server{s}
}

func (s server) client(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { client.Close() })
	return client
}

// newCluster starts a Redis Cluster of three servers.
func newCluster(t testing.TB) *redis.ClusterClient {
	t.Helper()
	servers, err := redisserver.StartCluster(t)
	if err != nil {
		missing(t, "no redis-server: %v", err)
	}
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { cluster.Close() })
	return cluster
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
