package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/redisserver"
)

const sentinelName = "latchkey"

// startSentinel starts a sentinel for a Redis server with one replica, and
// returns its address.
func startSentinel(t *testing.T, addr string) string {
	t.Helper()
	s := redisserver.StartSentinel(t, sentinelName, addr)
	client := redis.NewSentinelClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { client.Close() })
	require.Eventually(t, func() bool {
		replicas, _ := client.Replicas(t.Context(), sentinelName).Result()
		return len(replicas) == 1
	}, 30*time.Second, 20*time.Millisecond, "the sentinel doesn't find the replica")
	return s.Addr
}

// A failover loses writes that the replica hadn't received. A client whose
// rotation is lost is told that its token is unknown. Its sign-in isn't ended,
// so the previous token keeps working; and revoked tokens work again.
func TestFailover(t *testing.T) {
	slow(t)
	primary := startRedis(t)
	replica := startRedis(t, "replicaof "+strings.Replace(primary.Addr, ":", " ", 1))
	direct, follower := redis.NewClient(&redis.Options{Addr: primary.Addr}), redis.NewClient(&redis.Options{Addr: replica.Addr})
	t.Cleanup(func() { direct.Close(); follower.Close() })
	is := func(what string) {
		require.Eventually(t, func() bool { return strings.Contains(follower.Info(t.Context(), "replication").Val(), what) },
			30*time.Second, 20*time.Millisecond, what)
	}
	is("master_link_status:up")
	var sentinels []string
	for range 3 {
		sentinels = append(sentinels, startSentinel(t, primary.Addr))
	}
	at := target{Kind: "sentinel", Source: strings.Join(sentinels, ","), Prefix: "latchkey:"}
	kept, err := at.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(kept.close)
	c, app := newClient(t, kept), start(t, hostConfig{At: at, StoreTimeout: 5 * time.Second})

	const signIns = 5
	var before, after [signIns]pair
	for i := range before {
		before[i] = c.mustRedeem(t, app.url, c.mustAuthorize(t, app.url, fmt.Sprint("user_", i)))
	}
	replicas, err := direct.Wait(t.Context(), 1, 5*time.Second).Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, replicas)
	replica.Pause()
	require.NoError(t, direct.Do(t.Context(), "client", "kill", "type", "replica").Err())
	for i := range after {
		after[i] = c.mustRefresh(t, app.url, before[i].Refresh)
	}
	_, err = c.post(app.url, "/oauth/token/revoke", "token", after[0].Refresh)
	require.NoError(t, err)
	primary.Kill()
	replica.Resume()
	is("role:master")
	c.reach(t, app)

	for i := range after {
		r, err := c.refresh(app.url, after[i].Refresh)
		mustRefuse(t, r, err)
		r, err = c.notes(app.url, after[i].Access)
		mustStatus(t, http.StatusUnauthorized, r, err)
		r, err = c.notes(app.url, before[i].Access)
		mustStatus(t, http.StatusOK, r, err)
		last := c.mustRefresh(t, app.url, before[i].Refresh)
		r, err = c.notes(app.url, last.Access)
		mustStatus(t, http.StatusOK, r, err)
	}
}
