package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A promised is what a worker was told about one grant before the crash. Of a
// step that was given up nobody knows whether it was done.
type promised struct {
	n                store.NewGrant
	created          bool
	redeem           store.CodeRedemption
	redeemed         bool
	chain            []store.RefreshRotation // all rotations that were begun
	rotated          int                     // how many of them were done
	revoked, unknown bool                    // unknown: whether the last step was done
}

// work uses the store until a step fails.
func work(s store.Store, worker, round int, at time.Time, done *atomic.Int64) (all []*promised) {
	ctx := context.Background()
	for i := 0; ; i++ {
		p := &promised{n: newGrant(fmt.Sprintf("user_%d_%d_%d", round, worker, i), at), unknown: true}
		p.redeem = redemption(p.n, at)
		all = append(all, p)
		if s.CreateGrant(ctx, p.n) != nil {
			return all
		}
		p.created = true
		if _, err := s.RedeemCode(ctx, p.redeem); err != nil {
			return all
		}
		p.redeemed = true
		refresh := p.redeem.Refresh.Hash
		for range i % 4 {
			r := rotation(store.Key{GrantID: p.n.Grant.ID, Hash: refresh}, at)
			p.chain = append(p.chain, r)
			if _, err := s.RotateRefresh(ctx, r); err != nil {
				return all
			}
			p.rotated++
			refresh = r.Refresh.Hash
		}
		if i%5 == 4 {
			if _, err := s.RevokeGrants(ctx, store.GrantFilter{UserID: p.n.Grant.UserID}, at); err != nil {
				return all
			}
			p.revoked = true
		}
		p.unknown = false
		done.Add(1)
	}
}

// With appendonly and appendfsync always, what was answered survives a crash.
func TestCrash(t *testing.T) {
	server := newServer(t, "appendonly yes", "appendfsync always")
	client := redis.NewClient(&redis.Options{Addr: server.addr, MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { client.Close() })
	s, prefix := openWithPrefix(t, client)
	at := time.Now().UTC()

	var all []*promised
	var devices []*promisedDevice
	for round := range 3 {
		var mu sync.Mutex
		var workers sync.WaitGroup
		var done, doneDevices atomic.Int64
		for range 4 {
			workers.Go(func() {
				mine := workOnDevices(s, at, &doneDevices)
				mu.Lock()
				defer mu.Unlock()
				devices = append(devices, mine...)
			})
		}
		for worker := range 8 {
			workers.Go(func() {
				mine := work(s, worker, round, at, &done)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, mine...)
			})
		}
		require.Eventually(t, func() bool { return done.Load() > 100 && doneDevices.Load() > 100 }, 30*time.Second, time.Millisecond)
		server.kill()
		workers.Wait()
		server.start(t)
	}
	t.Logf("%d grants, killed 3 times, %d steps of which nobody knows", len(all), count(all, func(p *promised) bool { return p.unknown }))

	t.Logf("%d device authorizations", len(devices))

	checkKeys(t, client, prefix)
	for _, p := range all {
		p.check(t, s, at)
	}
	for _, p := range devices {
		p.check(t, s)
	}
	checkKeys(t, client, prefix)
}

func count[T any](all []T, is func(T) bool) (n int) {
	for _, v := range all {
		if is(v) {
			n++
		}
	}
	return n
}

// check checks that everything is there that the worker was told.
func (p *promised) check(t *testing.T, s store.Store, at time.Time) {
	t.Helper()
	ctx := t.Context()
	find := func(h store.Hash) (store.Token, store.Grant, error) {
		return s.FindToken(ctx, store.Key{GrantID: p.n.Grant.ID, Hash: h})
	}
	again := p.redeem
	again.Access.Hash, again.Refresh = randomHash(), nil
	_, err := s.RedeemCode(ctx, again)
	_, grant, findErr := find(p.redeem.Access.Hash)
	switch {
	case p.revoked:
		require.ErrorIs(t, err, store.ErrRevoked)
	case p.redeemed || findErr == nil:
		if p.unknown && errors.Is(err, store.ErrRevoked) {
			break // It was revoked by the step of which nobody knows.
		}
		require.ErrorIs(t, err, store.ErrReused, "redeeming again what was redeemed before the crash")
		require.False(t, grant.RevokedAt.IsZero(), "a code redeemed twice leaves its grant alive")
	case p.created:
		require.NoError(t, err, "redeeming a code whose redemption the crash prevented")
		_, _, err = find(p.redeem.Refresh.Hash)
		require.ErrorIs(t, err, store.ErrNotFound, "a refresh token without its access token")
		return
	default: // The creation itself is what nobody knows of.
		require.True(t, err == nil || errors.Is(err, store.ErrNotFound), "redeeming a code: %v", err)
		return
	}

	// The chain is whole: of each pair both or neither, and all that were
	// acknowledged.
	for i, r := range p.chain {
		_, _, access := find(r.Access.Hash)
		_, _, refresh := find(r.Refresh.Hash)
		require.Equal(t, access == nil, refresh == nil, "half a pair of tokens")
		if i < p.rotated {
			require.NoError(t, access, "a token that was acknowledged")
			spent, _, err := find(r.Key.Hash)
			require.NoError(t, err)
			require.True(t, spent.Spent, "a refresh token that was rotated away is not spent")
		}
	}
}

// checkKeys checks that the keys of a store fit together: each grant is in all
// indexes that name it, and each index names what is there.
func checkKeys(t testing.TB, client *redis.Client, prefix string) {
	t.Helper()
	ctx := context.Background()
	keys, err := client.Keys(ctx, prefix+"*").Result()
	require.NoError(t, err)
	seen := map[string]int{}
	for _, key := range keys {
		shard, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), ":")
		sibling := func(name string) string { return prefix + shard + ":" + name }
		kind, rest, _ := strings.Cut(name, ":")
		seen[kind]++
		switch kind {
		case "g":
			g, err := client.HGetAll(ctx, key).Result()
			require.NoError(t, err)
			member := rest + g["a"]
			require.NotEmpty(t, g["u"])
			require.Positive(t, client.PTTL(ctx, key).Val(), "a grant without an expiry")
			require.NoError(t, client.ZScore(ctx, sibling("t:"+fmt.Sprintf("%x", rest[14:])), rest).Err(), "a grant that is not in the index of its tag")
			require.NoError(t, client.ZScore(ctx, sibling("due"), member).Err(), "a grant that no cleanup looks at")
			require.Equal(t, g["v"] == "", client.ZScore(ctx, sibling("a:"+g["a"]), rest).Err() == nil, "a grant in the index of its application")
			require.Equal(t, g["w"] != "", client.ZScore(ctx, sibling("salts"), member).Err() == nil, "a grant in the index of salts")
			require.False(t, g["v"] != "" && g["z"] != "", "a revoked grant that keeps a salt")
			if g["v"] == "" {
				require.True(t, client.HExists(ctx, sibling("c:"+g["u"]), g["a"]).Val(), "a live grant without a consent")
			}
		case "t", "a", "due", "salts":
			members, err := client.ZRange(ctx, key, 0, -1).Result()
			require.NoError(t, err)
			for _, m := range members {
				require.EqualValues(t, 1, client.Exists(ctx, sibling("g:"+m[:16])).Val(), "an index %s that names a grant that is gone", kind)
			}
		case "c":
			for app := range client.HGetAll(ctx, key).Val() {
				require.True(t, client.SIsMember(ctx, sibling("k:"+app), rest).Val(), "a consent that is not in the index of its application")
			}
		case "k":
			for _, user := range client.SMembers(ctx, key).Val() {
				require.True(t, client.HExists(ctx, sibling("c:"+user), rest).Val(), "an index that names a consent that is gone")
			}
		case "d":
			d, err := client.HGetAll(ctx, key).Result()
			require.NoError(t, err)
			require.Positive(t, client.PTTL(ctx, key).Val(), "a device authorization without an expiry")
			require.Equal(t, rest, client.Get(ctx, sibling("u:"+d["u"])).Val(), "a device authorization that its user code does not lead to")
			ends := client.ZScore(ctx, sibling("ends"), rest+d["u"])
			require.NoError(t, ends.Err(), "a device authorization that no cleanup looks at")
			require.Equal(t, d["e"], fmt.Sprintf("%.0f", ends.Val()), "when a device authorization expires")
			require.True(t, d["g"] == "" || d["d"] != "", "half a decision")
		case "u":
			require.Positive(t, client.PTTL(ctx, key).Val(), "a user code without an expiry")
			require.Equal(t, rest, client.HGet(ctx, sibling("d:"+client.Get(ctx, key).Val()), "u").Val(), "a user code of no device authorization")
		case "ends":
			for _, m := range client.ZRange(ctx, key, 0, -1).Val() {
				require.EqualValues(t, 1, client.Exists(ctx, sibling("d:"+m[:16])).Val(), "an index that names a device authorization that is gone")
			}
		default:
			t.Fatalf("a key of no known kind: %q", key)
		}
	}
	t.Logf("keys: %v", seen)
}
