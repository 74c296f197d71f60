package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/redisserver"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A watched server has a replica, and three sentinels that promote it on
// failure.
type watched struct {
	primary, replica *server
	client           *redis.Client
}

const sentinelName = "latchkey"

// newWatched starts the servers, with the settings, and the sentinels.
func newWatched(t testing.TB, settings ...string) *watched {
	t.Helper()
	w := &watched{primary: newServer(t, settings...)}
	w.replica = newServer(t, append([]string{"replicaof " + strings.Replace(w.primary.addr, ":", " ", 1)}, settings...)...)
	isInStep(t, w.replica.client(t))
	var sentinels []string
	for range 3 {
		sentinels = append(sentinels, redisserver.StartSentinel(t, sentinelName, w.primary.addr).Addr)
	}
	for _, addr := range sentinels {
		sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { sentinel.Close() })
		require.Eventually(t, func() bool {
			others, _ := sentinel.Sentinels(context.Background(), sentinelName).Result()
			replicas, _ := sentinel.Replicas(context.Background(), sentinelName).Result()
			return len(others) == 2 && len(replicas) == 1
		}, 30*time.Second, 20*time.Millisecond, "the sentinels don't find each other")
	}
	w.client = redis.NewFailoverClient(&redis.FailoverOptions{MasterName: sentinelName, SentinelAddrs: sentinels})
	t.Cleanup(func() { w.client.Close() })
	return w
}

// recovers waits until a store can be written to again.
func recovers(t testing.TB, s store.Store) {
	t.Helper()
	comes(t, func(ctx context.Context, d store.Document) error { return s.Create(ctx, d) })
}

// answers waits until a store can be read again, maybe without a replica.
func answers(t testing.TB, s store.Store) {
	t.Helper()
	comes(t, func(ctx context.Context, d store.Document) error {
		_, _, err := s.Find(ctx, d.ID)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, errNoReplica) {
			return nil
		}
		return err
	})
}

// comes waits until a step succeeds with documents on all servers.
func comes(t testing.TB, step func(context.Context, store.Document) error) {
	t.Helper()
	require.Eventually(t, func() bool {
		for i := range 20 { // Their users are on different servers.
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			err := step(ctx, newDocument(fmt.Sprintf("somebody_%d", i), now()))
			cancel()
			if err != nil {
				return false
			}
		}
		return true
	}, 30*time.Second, 20*time.Millisecond, "no replica is promoted for the server that failed")
}

func TestStoreOnSentinel(t *testing.T) {
	slow(t)
	client := newWatched(t).client
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, client) })
}

func TestStoreOnClusterWithReplicas(t *testing.T) {
	slow(t)
	_, cluster := newServers(t, clusterServers, "cluster-node-timeout 5000")
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, cluster) })
}

// A replica that is configured by mistake accepts no writes, and Check says
// why.
func TestReplicaByMistake(t *testing.T) {
	primary := newServer(t)
	s, prefix := openWithPrefix(t, primary.client(t))
	ctx, at := t.Context(), now()
	d := create(t, s, "user_1", at)
	host, port, _ := net.SplitHostPort(primary.addr)
	replica := newServer(t, "replicaof "+host+" "+port)
	client := redis.NewClient(&redis.Options{Addr: replica.addr, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	isInStep(t, client)

	mistaken, err := redisstore.New(client, redisstore.Options{Prefix: prefix})
	require.NoError(t, err)
	require.ErrorContains(t, mistaken.Check(ctx), "connect to its primary")
	for name, write := range map[string]func() error{
		"Create":  func() error { return mistaken.Create(ctx, newDocument("user_2", at)) },
		"Replace": func() error { return mistaken.Replace(ctx, replaced(d, func(*store.Document) {}), d.Mark) },
		"End":     func() error { return mistaken.End(ctx, d.ID, at, at) },
		"CutOff":  func() error { return mistaken.CutOff(ctx, d.Key(), store.CutNumber(at)) },
		"CreateApplication": func() error {
			return mistaken.CreateApplication(ctx, store.Application{ID: "app_1", ClientID: "client_1"})
		},
		"DeleteApplication": func() error { return mistaken.DeleteApplication(ctx, "app_1") },
	} {
		require.ErrorContains(t, write(), "READONLY", name)
	}
}
