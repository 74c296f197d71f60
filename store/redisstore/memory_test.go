package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A server whose memory is full rejects new documents, and still ends, cuts
// off, finds, lists, and sweeps existing ones.
func TestFullServer(t *testing.T) {
	client := newServer(t).client(t)
	testFull(t, client, []*redis.Client{client})
}

func TestFullCluster(t *testing.T) {
	cluster := newCluster(t)
	testFull(t, cluster, nodes(t, cluster))
}

func testFull(t *testing.T, client redis.UniversalClient, servers []*redis.Client) {
	s, ctx, at := open(t, client), t.Context(), now()
	all := fill(t, s, 200, "user_1", at)
	app := store.Application{ID: "app_1", ClientID: "client_1"}
	require.NoError(t, s.CreateApplication(ctx, app))
	for _, server := range servers {
		require.NoError(t, server.ConfigSet(ctx, "maxmemory", "1").Err())
	}

	require.ErrorContains(t, s.Create(ctx, newDocument("user_1", at)), "OOM")
	d := all[0]
	require.ErrorContains(t, s.Replace(ctx, replaced(d, func(d *store.Document) { d.State = "new" }), d.Mark), "OOM")
	require.ErrorContains(t, s.CreateApplication(ctx, store.Application{ID: "app_2", ClientID: "client_2"}), "OOM")

	require.NoError(t, s.End(ctx, d.ID, at, at))
	found, _, err := s.Find(ctx, d.ID)
	require.NoError(t, err)
	require.Equal(t, at, found.EndedAt)
	keys := []store.CutKey{
		{UserID: "user_1", ApplicationID: "another"}, {UserID: "user_1", ApplicationID: application}, {UserID: "user_1"},
		{ApplicationID: application}, {WorkspaceID: workspace}, {},
	}
	for _, key := range keys {
		require.NoError(t, s.CutOff(ctx, key, store.CutNumber(at)), "%+v", key)
	}
	_, cuts, err := s.Find(ctx, all[1].ID)
	require.NoError(t, err)
	require.True(t, cuts.Exceed(&all[1].Seen))
	page, _, err := s.List(ctx, store.Query{Kind: store.KindGrant, UserID: "user_1", Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page)
	require.NoError(t, s.DeleteApplication(ctx, "app_1"))
	require.Equal(t, len(all)+len(keys), sweepAll(t, s, at.Add(25*time.Hour)))
	for _, server := range servers {
		require.Empty(t, server.Keys(ctx, "*").Val(), "leftover keys")
	}
}

// Check rejects settings with which a cut-off may be forgotten.
func TestCheck(t *testing.T) {
	client := newServer(t).client(t)
	s, ctx := open(t, client), t.Context()
	require.NoError(t, s.Check(ctx))
	require.NoError(t, client.ConfigSet(ctx, "maxmemory-policy", "volatile-lru").Err())
	require.ErrorContains(t, s.Check(ctx), "volatile-lru")
	require.ErrorContains(t, s.Check(ctx), "set maxmemory-policy to noeviction")

	require.NoError(t, client.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
	require.NoError(t, s.Check(ctx))
}

func TestCheckOnCluster(t *testing.T) {
	cluster := newCluster(t)
	s, ctx := open(t, cluster), t.Context()
	require.NoError(t, s.Check(ctx))
	last := nodes(t, cluster)[2]
	require.ErrorContains(t, open(t, last).Check(ctx), "redis.NewClusterClient")
	require.NoError(t, last.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err())
	require.ErrorContains(t, s.Check(ctx), "allkeys-lru")
}
