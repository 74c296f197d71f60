package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/redisserver"
)

// A Redis Cluster loses one of its nodes under load, three times, each time
// long enough to stop serving. Every answer holds when the node is back.
func TestLostNode(t *testing.T) {
	slow(t)
	servers := startCluster(t)
	l := redisLoad(t, "cluster", servers...)
	l.disturb(func(round int) {
		servers[round].Kill()
		time.Sleep([]time.Duration{0, time.Second, 2 * time.Second}[round])
		servers[round].Start(t)
		redisserver.AwaitCluster(t, servers)
	})
}

func redisLoad(t *testing.T, kind string, servers ...*redisserver.Server) *load {
	at := target{Kind: kind, Source: joined(servers), Prefix: "latchkey:"}
	return newLoad(t, at, startAll(t, instanceCount, hostConfig{At: at, StoreTimeout: 2 * time.Second}))
}

// disturb runs the load while something goes away and comes back, at random
// moments, and audits the answers.
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
	require.NotZero(l.t, l.unknown, "no request was interrupted")
}

// reach waits until every host reaches its whole store again: a Redis client
// that could not connect retries once a second.
func (l *load) reach() {
	l.t.Helper()
	for _, host := range l.hosts {
		for i := range 20 {
			require.Eventually(l.t, func() bool {
				r, err := l.first.do("GET", fmt.Sprintf("%s/test/grants?user=user_probe_%d", host.url, i), nil, nil)
				return err == nil && r.status == http.StatusOK
			}, 30*time.Second, 20*time.Millisecond, "the host doesn't recover")
		}
	}
}
