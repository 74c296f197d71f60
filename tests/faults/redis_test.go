package faults

import (
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/internal/redisserver"
)

// startRedis starts a Redis server for the test, which may be killed and loses
// no acknowledged write.
func startRedis(t testing.TB, settings ...string) *redisserver.Server {
	t.Helper()
	s, err := redisserver.Start(t, append(settings, redisserver.Durable...)...)
	if err != nil {
		missing(t, "no redis-server: %v", err)
	}
	return s
}

// startCluster starts a Redis Cluster of three servers. It takes half a second
// to notice that one is down.
func startCluster(t testing.TB) []*redisserver.Server {
	t.Helper()
	all, err := redisserver.StartCluster(t, append([]string{"cluster-node-timeout 500"}, redisserver.Durable...)...)
	if err != nil {
		missing(t, "no redis-server: %v", err)
	}
	return all
}

// joined returns the addresses of the servers in the form of a target.
func joined(servers []*redisserver.Server) string {
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.Addr)
	}
	return strings.Join(addresses, ",")
}
