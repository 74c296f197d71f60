package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// With appendonly and appendfsync always, each acknowledged write survives a
// crash.
func TestCrash(t *testing.T) {
	server := newServer(t, "appendonly yes", "appendfsync always")
	client := redis.NewClient(&redis.Options{Addr: server.addr, MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { client.Close() })
	s, prefix := openWithPrefix(t, client)
	l := &load{s: s, at: now()}
	for range 3 {
		l.during(func() {
			l.reach(t, 200)
			server.kill()
			l.stop.Store(true)
		})
		server.start(t)
	}
	l.check(t)
	t.Logf("%d documents, killed 3 times, %d steps with an unknown outcome", len(l.all), l.unknown())
	require.GreaterOrEqual(t, len(l.all), checkKeys(t, client, prefix, s))
	require.NotZero(t, l.unknown(), "no step was interrupted by the crash")
}
