package memory_test

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// A request must not wait for a cleanup to look at all there is. These grants
// are all behind one lock, as they are of one user.
func TestCleanupLetsRequestsIn(t *testing.T) {
	const grants = 50_000
	s, now := memory.New(), time.Now()
	var key store.Key
	for i := range grants {
		var id [8]byte
		binary.BigEndian.PutUint64(id[:], uint64(i))
		key = store.Key{GrantID: store.NewGrantID(now, "user_ada"), Hash: sha256.Sum256(id[:])}
		require.NoError(t, s.CreateGrant(t.Context(), store.NewGrant{
			Grant:  store.Grant{ID: key.GrantID, UserID: "user_ada", ApplicationID: "oa_wiki", CreatedAt: now, LastUsedAt: now},
			Access: &store.NewToken{Hash: key.Hash, ExpiresAt: now.Add(time.Hour)},
		}))
	}
	var found atomic.Int64
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		close(started)
		// There is nothing to delete, so it looks at every grant, several times.
		for range 20 {
			_, err := s.DeleteExpired(t.Context(), store.Expiry{Before: now, RotatedBefore: now, Limit: grants})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	<-started
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			_, _, err := s.FindToken(t.Context(), key)
			require.NoError(t, err)
			found.Add(1)
		}
	}
	t.Logf("%d requests were answered meanwhile", found.Load())
	require.Greater(t, found.Load(), int64(20*20), "each cleanup has 195 steps")
}
