package redisstore_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// keysOf returns the keys of a store on all servers.
func keysOf(t testing.TB, client redis.UniversalClient, prefix string) (all []string) {
	t.Helper()
	forEach(t, client, func(ctx context.Context, c *redis.Client) {
		keys, err := c.Keys(ctx, prefix+"*").Result()
		require.NoError(t, err)
		all = append(all, keys...)
	})
	return all
}

func bytesOf(at time.Time) string {
	if at.IsZero() {
		return strings.Repeat("\x00", 8)
	}
	return string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro())^1<<63))
}

// checkKeys checks that the keys of a store are consistent: each document is in
// each of its indexes, and each index names existing documents. It returns the
// number of documents.
func checkKeys(t testing.TB, client redis.UniversalClient, prefix string, s store.Documents) (documents int) {
	t.Helper()
	ctx := context.Background()
	entries := map[string]bool{} // those that should be in an index
	all := keysOf(t, client, prefix)
	for _, key := range all {
		_, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), ":")
		id, ok := strings.CutPrefix(name, "d:")
		if !ok {
			continue
		}
		documents++
		d, _, err := s.Find(ctx, store.ID([]byte(id)))
		require.NoError(t, err)
		entry := string([]byte{byte(d.Kind)}) + bytesOf(d.CreatedAt) + id
		sweep := bytesOf(d.SweepAt)
		if d.SweepAt.IsZero() {
			sweep = strings.Repeat("\xff", 8)
		}
		entries["due/"+sweep+id] = true
		for index, owner := range map[string]string{"u:": d.UserID, "a:": d.ApplicationID, "w:": d.WorkspaceID} {
			if owner != "" {
				entries[index+owner+"/"+entry] = true
			}
		}
	}
	for _, key := range all {
		_, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), ":")
		if name != "due" && !strings.HasPrefix(name, "u:") && !strings.HasPrefix(name, "a:") && !strings.HasPrefix(name, "w:") {
			continue
		}
		members, err := client.ZRange(ctx, key, 0, -1).Result()
		require.NoError(t, err)
		for _, member := range members {
			require.True(t, entries[name+"/"+member], "the index %q names a missing document: %q", name, member)
			delete(entries, name+"/"+member)
		}
	}
	require.Empty(t, entries, "documents that aren't in an index")
	return documents
}
