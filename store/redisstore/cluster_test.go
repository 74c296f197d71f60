package redisstore_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// The suite runs on a cluster, which rejects a script that uses keys of several
// slots.
func TestStoreOnCluster(t *testing.T) {
	cluster := newCluster(t)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, cluster) })
}

// strayNotes returns the keys of the notes of strays.
func strayNotes(t *testing.T, client redis.UniversalClient, prefix string) (notes []string) {
	t.Helper()
	for _, key := range keysOf(t, client, prefix) {
		if strings.HasSuffix(key, ":strays") {
			notes = append(notes, key)
		}
	}
	return notes
}

// age makes the notes of strays older than a day.
func age(t *testing.T, client redis.UniversalClient, prefix string) {
	t.Helper()
	for _, key := range strayNotes(t, client, prefix) {
		for _, note := range client.ZRange(t.Context(), key, 0, -1).Val() {
			require.NoError(t, client.ZAdd(t.Context(), key, redis.Z{Score: 0, Member: note}).Err())
		}
	}
}

// An entry in another slot is written before its document. If the document
// doesn't follow, a sweep removes the entry a day later.
func TestStrays(t *testing.T) {
	cluster := newCluster(t)
	s, prefix := openWithPrefix(t, cluster)
	ctx, at := t.Context(), now()
	d := create(t, s, "user_1", at)
	other := d
	other.ApplicationID, other.WorkspaceID, other.CreatedAt = "another application", "another workspace", at.Add(time.Hour)
	require.ErrorIs(t, s.Create(ctx, other), store.ErrExists)
	moved := replaced(d, func(d *store.Document) { d.CreatedAt = at.Add(time.Minute) })
	require.NoError(t, s.Replace(ctx, moved, d.Mark))
	almost := moved
	almost.WorkspaceID = "another workspace"
	for _, again := range []store.Document{d, moved, almost} {
		require.ErrorIs(t, s.Create(ctx, again), store.ErrExists)
	}
	list := func(q store.Query) int {
		q.Kind, q.Limit = store.KindGrant, 10
		page, _, err := s.List(ctx, q)
		require.NoError(t, err)
		return len(page)
	}
	require.Zero(t, list(store.Query{ApplicationID: other.ApplicationID}))
	require.Equal(t, 1, list(store.Query{ApplicationID: application}))
	require.Equal(t, 1, list(store.Query{WorkspaceID: workspace}))

	require.Len(t, strayNotes(t, cluster, prefix), 2)
	require.Zero(t, sweepAll(t, s, at))
	require.Len(t, strayNotes(t, cluster, prefix), 2, "notes that are younger than a day")
	age(t, cluster, prefix)
	require.Zero(t, sweepAll(t, s, at))
	require.Empty(t, strayNotes(t, cluster, prefix))
	require.Equal(t, 1, checkKeys(t, cluster, prefix, s))
	found, _, err := s.Find(ctx, d.ID)
	require.NoError(t, err)
	require.Equal(t, moved, found)
}

// A saboteur fails each command that removes entries.
type saboteur struct{ on atomic.Bool }

func (*saboteur) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*saboteur) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (b *saboteur) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if b.on.Load() && commands[0].Name() == "zrem" {
			for _, command := range commands {
				command.SetErr(errors.New("sabotage"))
			}
			return errors.New("sabotage")
		}
		return next(ctx, commands)
	}
}

// If a sweep is interrupted, the next one finishes its work.
func TestSweepThatIsCutShort(t *testing.T) {
	cluster := newCluster(t)
	s, prefix := openWithPrefix(t, cluster)
	ctx, at := t.Context(), now()
	for range 5 {
		create(t, s, "user_1", at)
	}
	require.NoError(t, s.CutOff(ctx, store.CutKey{ApplicationID: application}, store.CutNumber(at.Add(-72*time.Hour))))
	sabotage := &saboteur{}
	cluster.AddHook(sabotage)
	sabotage.on.Store(true)
	_, err := s.Sweep(ctx, at.Add(72*time.Hour), 100)
	require.ErrorContains(t, err, "sabotage")
	sabotage.on.Store(false)
	require.NotEmpty(t, strayNotes(t, cluster, prefix))
	age(t, cluster, prefix)
	require.Equal(t, 1, sweepAll(t, s, at.Add(72*time.Hour)), "records removed, all but a cut-off")
	require.Empty(t, keysOf(t, cluster, prefix), "leftover keys")
}

// While a cluster moves a slot to another server, some of its keys are on one
// server and some on the other. A cut-off that has moved before its document
// must not look as if it didn't exist.
func TestSlotThatMoves(t *testing.T) {
	cluster := newCluster(t)
	s, prefix := openWithPrefix(t, cluster)
	ctx, at := t.Context(), now()
	d := create(t, s, "user_1", at)
	require.NoError(t, s.CutOff(ctx, store.CutKey{UserID: "user_1"}, store.CutNumber(at)))
	key := prefix + "{1e6}:c:6:user_10:0:"
	require.EqualValues(t, 1, cluster.Exists(ctx, key).Val())

	slot := cluster.ClusterKeySlot(ctx, key).Val()
	var from, to *redis.Client
	for _, node := range nodes(t, cluster) {
		if node.Exists(ctx, key).Err() == nil {
			from = node
		} else {
			to = node
		}
	}
	fromID, toID := from.Do(ctx, "cluster", "myid").Val(), to.Do(ctx, "cluster", "myid").Val()
	require.NoError(t, to.Do(ctx, "cluster", "setslot", slot, "importing", fromID).Err())
	require.NoError(t, from.Do(ctx, "cluster", "setslot", slot, "migrating", toID).Err())
	migrate := func(key string) {
		host, port, _ := net.SplitHostPort(to.Options().Addr)
		require.Equal(t, "OK", from.Do(ctx, "migrate", host, port, key, 0, 5000).Val())
	}
	migrate(key)
	_, cuts, err := s.Find(ctx, d.ID)
	require.True(t, err != nil || cuts.Exceed(&d.Seen), "a document that was cut off is found alive, with %v", cuts)
	t.Logf("finding a document while its slot moves: %v", err)
	_, cuts, err = s.FindConsent(ctx, "user_1", "", "")
	require.True(t, err != nil || cuts.Exceed(&d.Seen), "a user who was cut off has the numbers %v", cuts)

	for _, key := range from.Do(ctx, "cluster", "getkeysinslot", slot, 100).Val().([]any) {
		migrate(key.(string))
	}
	for _, node := range []*redis.Client{to, from} {
		require.NoError(t, node.Do(ctx, "cluster", "setslot", slot, "node", toID).Err())
	}
	_, cuts, err = s.Find(ctx, d.ID)
	require.NoError(t, err)
	require.True(t, cuts.Exceed(&d.Seen))
}
