package keys_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store"
)

// instance is one of several. Its clock is off, and its store may be
// unreachable.
type instance struct {
	*keys.Keys
	off   time.Duration
	until time.Time // when its store is back
}

// world is several instances and a clock that advances by minutes.
type world struct {
	*deployment
	instances []*instance
	conflicts int
}

func (w *world) away(in *instance) bool { return w.clock.Now().Before(in.until) }

var errAway = errors.New("the store is away")

// reach connects an instance to the store in the worst way: other instances see
// a write as late as possible, and each write conflicts the first time.
type reach struct {
	store.Documents
	*world
	*instance
}

func (r reach) Find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	if r.away(r.instance) {
		return store.Document{}, store.Cuts{}, errAway
	}
	return r.Documents.Find(ctx, id)
}

func (r reach) Replace(ctx context.Context, d store.Document, mark int64) error {
	if r.away(r.instance) {
		return errAway
	}
	if r.conflicts++; r.conflicts%2 == 1 {
		kept := r.document()
		kept.Mark += 2
		return errors.Join(r.Documents.Replace(ctx, kept, mark), store.ErrConflict)
	}
	for _, other := range r.instances {
		if other != r.instance {
			other.until = r.clock.Now().Add(59 * time.Minute) // It has read within the minute before.
		}
	}
	return r.Documents.Replace(ctx, d, mark)
}

// relyingParty caches the set of one instance for exactly the allowed time, and
// doesn't read it earlier, even for an unknown key.
type relyingParty struct {
	set   map[string]jose.JSONWebKey
	until time.Time
}

// Three instances sign for relying parties that cache the set. One reads it
// from each instance in each minute. Clocks differ, writes conflict, and after
// each write the other instances keep their copy for an hour. No verification
// fails over two full rotations and more.
func TestRotationCostsNoVerification(t *testing.T) {
	const cacheFor, lifetime = 30 * time.Minute, 2 * time.Hour
	w := &world{deployment: deploy(t)}
	for i := range 3 {
		in := &instance{off: time.Duration(i-1) * 2 * time.Minute}
		o := w.options().WithTokenLifetime(lifetime)
		o.Store = reach{w.inner, w, in}
		o.Rotate, o.CacheFor = 6*time.Hour, cacheFor
		o.Now = func() time.Time { return w.clock.Now().Add(in.off) }
		k, err := keys.New(ctx, o)
		require.NoError(t, err)
		in.Keys = k
		w.instances = append(w.instances, in)
	}
	parties := make([]relyingParty, 3*cacheFor/time.Minute)
	live := map[string]time.Time{} // when the last token of a key expires
	sample := map[string]string{}  // a token of the key
	verified, failed, away := 0, 0, 0

	for minute := range 21 * 60 {
		now := w.clock.Now()
		for _, in := range w.instances {
			if err := in.Maintain(ctx); !w.away(in) {
				require.NoError(t, err)
			}
		}
		for i := range parties {
			party := &parties[i]
			if first := i / 3; minute >= first && !now.Before(party.until) {
				party.set, party.until = map[string]jose.JSONWebKey{}, now.Add(cacheFor)
				for _, key := range published(t, w.instances[i%3].Keys).Keys {
					party.set[key.KeyID] = key
				}
			}
		}
		for _, in := range w.instances {
			if w.away(in) {
				away++
			}
			token := sign(t, in.Keys, keys.ES256)
			id := kid(t, token)
			live[id], sample[id] = now.Add(lifetime), token
		}
		for id, until := range live {
			if !now.Before(until) {
				delete(live, id)
				continue
			}
			for i := range parties {
				if parties[i].set == nil {
					continue
				}
				if _, there := parties[i].set[id]; !there {
					failed++
				}
				verified++
			}
			// It need not be checked each time that the key with the kid
			// verifies.
			in := w.instances[minute%3]
			_, err := in.Verify(ctx, sample[id])
			require.NoError(t, err)
			require.True(t, verifies(t, published(t, in.Keys), sample[id]))
		}
		w.clock.pass(time.Minute)
	}
	require.Zero(t, failed, "of %d verifications", verified)
	require.Len(t, sample, 4, "keys that have signed")
	require.Positive(t, away)
	require.Less(t, len(published(t, w.instances[0].Keys).Keys), 4, "old keys go")
	t.Log(verified, "verified,", w.conflicts, "writes,", away, "minutes without a store")
}
