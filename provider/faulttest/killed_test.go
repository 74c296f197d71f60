package faulttest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/redisserver"
)

// killRounds is how often something is killed in each test.
const killRounds = 3

// Hosts are killed in the middle of load, one after the other. Whatever they had
// answered is true for the others.
func TestKilledHost(t *testing.T) {
	for _, kind := range []string{"postgres", "redis", "sqlite", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			config := hostConfig{at, 20 * time.Second}
			l := newLoad(t, at, startAll(t, instanceCount, config))
			l.disturb(func(round int) { l.restart(round, config) })
		})
	}
}

// A Redis that writes everything to its disk before it answers loses nothing
// either when it is killed, be it alone or together with the hosts. Nor does a
// Redis Cluster that loses one of its nodes for so long that it stops serving.
func TestKilledRedis(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		server := startRedis(t)
		l := redisLoad(t, "redis", server)
		l.disturb(func(int) {
			server.Kill()
			server.Start(t)
		})
	})
	t.Run("with the hosts", func(t *testing.T) {
		server := startRedis(t)
		l := redisLoad(t, "redis", server)
		l.disturb(func(int) {
			server.Kill()
			for i := range l.hosts {
				l.hosts[i].kill()
			}
			server.Start(t)
			for i := range l.hosts {
				l.restart(i, hostConfig{l.at, 2 * time.Second})
			}
		})
	})
	t.Run("node of a cluster", func(t *testing.T) {
		servers := startCluster(t)
		l := redisLoad(t, "cluster", servers...)
		l.disturb(func(round int) {
			servers[round].Kill()
			time.Sleep([]time.Duration{0, time.Second, 2 * time.Second}[round])
			servers[round].Start(t)
			redisserver.AwaitCluster(t, servers)
		})
	})
}

func redisLoad(t *testing.T, kind string, servers ...*redisserver.Server) *load {
	at := target{Kind: kind, Source: joined(servers), Prefix: "latchkey:"}
	return newLoad(t, at, startAll(t, instanceCount, hostConfig{at, 2 * time.Second}))
}

// restart kills a host and starts another one in its place.
func (l *load) restart(i int, config hostConfig) {
	l.hosts[i].kill()
	host := start(l.t, config)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[i] = host
}

// disturb lets the load run while something goes away and comes back, at random
// moments, and audits what it was answered.
func (l *load) disturb(kill func(round int)) {
	l.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.runUntil(func() bool { return l.rounds.Load() == killRounds })
	}()
	for round := range killRounds {
		time.Sleep(loadTime(l.t)/killRounds/2 + rand.N(300*time.Millisecond))
		back := l.goAway()
		kill(round)
		l.reach()
		back()
		l.rounds.Add(1)
	}
	<-done
	l.audit()
	require.NotZero(l.t, l.unknown, "nothing came in the middle of anything")
}

// reach waits until every host reaches all of its store again: a client of Redis
// that could not connect tries again once a second.
func (l *load) reach() {
	l.t.Helper()
	for _, host := range l.hosts {
		for i := range 20 {
			require.Eventually(l.t, func() bool {
				r, err := l.first.do("GET", fmt.Sprintf("%s/test/grants?user=user_probe_%d", host.url, i), nil, nil)
				return err == nil && r.status == http.StatusOK
			}, 30*time.Second, 20*time.Millisecond, "the host does not recover")
		}
	}
}
