package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store"
)

var errDown = errors.New("the store is down")

func TestRetireTakesAKeyAwayAtOnce(t *testing.T) {
	d := deploy(t)
	here, there := d.start(), d.start()
	stolen := sign(t, here, keys.ES256)
	require.NoError(t, here.Retire(ctx, kid(t, stolen)))

	after := sign(t, here, keys.ES256)
	require.NotEqual(t, kid(t, stolen), kid(t, after))
	set := published(t, here)
	require.Len(t, set.Keys, 1)
	require.True(t, verifies(t, set, after))
	require.False(t, verifies(t, set, stolen))
	_, err := here.Verify(ctx, stolen)
	require.ErrorContains(t, err, "is unknown here or was removed")
	require.ErrorContains(t, here.Retire(ctx, kid(t, stolen)), "there is no key")

	// The other instance publishes and accepts the new key after seconds, and
	// signs with it within a minute.
	d.clock.pass(6 * time.Second)
	_, err = there.Verify(ctx, after)
	require.NoError(t, err)
	require.Equal(t, set, published(t, there))
	d.clock.pass(55 * time.Second)
	require.Equal(t, kid(t, after), kid(t, sign(t, there, keys.ES256)))
}

// An instance that was idle for long is just as fast.
func TestRetireReachesAnIdleInstance(t *testing.T) {
	d := deploy(t)
	here, there := d.start(), d.start()
	stolen := kid(t, sign(t, here, keys.ES256))
	d.clock.pass(50 * time.Minute)
	require.NoError(t, here.Retire(ctx, stolen))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if token, err := there.Sign(ctx, keys.ES256, []byte("{}")); err != nil || kid(t, token) == stolen {
				t.Error("it still signs", err)
			}
		})
	}
	all.Wait()
}

func TestChangeOfTheSealingSecret(t *testing.T) {
	d := deploy(t)
	old := d.start()
	token := sign(t, old, keys.ES256)
	begin := func(secrets ...string) (*keys.Keys, error) {
		o := d.options()
		o.Secrets = secrets
		return keys.New(ctx, o)
	}
	// The new secret first opens, then seals.
	sealed := d.document().State
	_, err := begin(secret, secret2)
	require.NoError(t, err)
	require.Equal(t, sealed, d.document().State)
	both, err := begin(secret2, secret)
	require.NoError(t, err)
	require.NotEqual(t, sealed, d.document().State)
	sealed = d.document().State
	require.NoError(t, both.Maintain(ctx))
	require.Equal(t, sealed, d.document().State, "once is enough")
	fresh, err := begin(secret2)
	require.NoError(t, err)
	require.Equal(t, kid(t, token), kid(t, sign(t, fresh, keys.ES256)))
	_, err = fresh.Verify(ctx, token)
	require.NoError(t, err)

	// An instance with the old secret reports that, and keeps working for an
	// hour.
	require.ErrorIs(t, old.Maintain(ctx), keys.ErrWrongSecret)
	d.clock.pass(59 * time.Minute)
	require.Equal(t, kid(t, token), kid(t, sign(t, old, keys.ES256)))
	d.clock.pass(time.Minute)
	_, err = old.Sign(ctx, keys.ES256, []byte("{}"))
	require.ErrorIs(t, err, keys.ErrWrongSecret)
	_, err = begin(secret)
	require.ErrorIs(t, err, keys.ErrWrongSecret)
}

// A wrong secret or damage never leads to new keys silently.
func TestWhatCannotBeReadIsKept(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(state []byte) []byte {
			state[(at+len(state))%len(state)] ^= 1
			return state
		}
	}
	for name, tt := range map[string]struct {
		change func([]byte) []byte
		want   error
		text   string
	}{
		"another secret":          {nil, keys.ErrWrongSecret, "Add the secret that sealed them"},
		"nothing":                 {func([]byte) []byte { return nil }, keys.ErrDamaged, "Restore the document"},
		"an old version":          {flip(0), keys.ErrDamaged, ""},
		"a newer version":         {func(s []byte) []byte { s[0] = 9; return s }, nil, "update this instance"},
		"the salt":                {flip(5), keys.ErrWrongSecret, ""},
		"the ID of the secret":    {flip(20), keys.ErrWrongSecret, ""},
		"the nonce":               {flip(30), keys.ErrDamaged, ""},
		"what is sealed":          {flip(60), keys.ErrDamaged, ""},
		"the tag":                 {flip(-1), keys.ErrDamaged, ""},
		"cut short":               {func(s []byte) []byte { return s[:len(s)-1] }, keys.ErrDamaged, ""},
		"cut very short":          {func(s []byte) []byte { return s[:3] }, keys.ErrDamaged, ""},
		"more than there was":     {func(s []byte) []byte { return append(s, 0) }, keys.ErrDamaged, ""},
		"something else entirely": {func([]byte) []byte { return []byte("hello") }, nil, "newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			running := d.start()
			token := sign(t, running, keys.ES256)
			o := d.options()
			if tt.change == nil {
				o.Secrets = []string{secret2}
			} else {
				d.damage(tt.change)
			}
			before := d.document()
			k, err := keys.New(ctx, o)
			require.Nil(t, k)
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			require.ErrorContains(t, err, tt.text)
			require.ErrorContains(t, err, keys.DocumentID.String(), "it names the document")
			if errors.Is(err, keys.ErrWrongSecret) || errors.Is(err, keys.ErrDamaged) {
				require.ErrorContains(t, err, fmt.Sprintf("where kind = %d)", store.KindKeys), "it says how to delete it")
			}
			require.NotContains(t, err.Error(), secret)
			require.Equal(t, before, d.document())
			if tt.change != nil {
				require.Error(t, running.Maintain(ctx))
				require.Error(t, running.Retire(ctx, kid(t, token)))
				d.clock.pass(30 * time.Minute)
				require.Equal(t, kid(t, token), kid(t, sign(t, running, keys.ES256)))
			}
		})
	}
}

func TestDocumentThatIsGone(t *testing.T) {
	d := deploy(t)
	running := d.start()
	token := sign(t, running, keys.ES256)
	d.remove()
	d.clock.pass(10 * time.Minute)
	require.ErrorIs(t, running.Maintain(ctx), keys.ErrLost)
	require.ErrorIs(t, running.Retire(ctx, kid(t, token)), keys.ErrLost)
	require.Equal(t, kid(t, token), kid(t, sign(t, running, keys.ES256)))
	d.clock.pass(50 * time.Minute)
	_, err := running.Sign(ctx, keys.ES256, []byte("{}"))
	require.ErrorIs(t, err, keys.ErrLost)

	// A new instance finds a store without keys and makes new ones. The others
	// follow.
	fresh := d.start()
	require.Equal(t, kid(t, sign(t, fresh, keys.ES256)), kid(t, sign(t, running, keys.ES256)))
	require.NoError(t, running.Maintain(ctx))
}

func TestDocumentThatWasEnded(t *testing.T) {
	d := deploy(t)
	running := d.start()
	require.NoError(t, d.store.End(ctx, keys.DocumentID, d.clock.Now(), d.clock.Now().Add(time.Hour)))
	require.ErrorContains(t, running.Maintain(ctx), "was ended")
	_, err := keys.New(ctx, d.options())
	require.ErrorContains(t, err, "was ended")
	require.ErrorContains(t, err, fmt.Sprintf("where kind = %d)", store.KindKeys))
}

// docs/reference/errors.md has it, and also the name of its key in Redis.
func TestDocumentIDNeverChanges(t *testing.T) {
	require.Equal(t, "6c617463-686b-8579-a073-69676e69e3b0", keys.DocumentID.String())
}

func TestIDThatIsTaken(t *testing.T) {
	d := deploy(t)
	require.NoError(t, d.store.Create(ctx, store.Document{ID: keys.DocumentID, Kind: store.KindGrant, CreatedAt: d.clock.Now(), Mark: 1}))
	_, err := keys.New(ctx, d.options())
	require.ErrorContains(t, err, "is of the kind grant")
}

// Cutting everything off revokes what users have granted, but not the keys,
// which would be deleted a day later.
func TestKeysOutliveACutOffOfEverything(t *testing.T) {
	for name, before := range map[string]bool{"that came first": true, "that came later": false} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			cut := func() { require.NoError(t, d.store.CutOff(ctx, store.CutKey{}, store.CutNumber(d.clock.Now()))) }
			if before {
				// A document that is cut off keeps the cut-off in the store.
				require.NoError(t, d.store.Create(ctx, store.Document{ID: store.NewID(d.clock.Now(), ""), Kind: store.KindDevice,
					CreatedAt: d.clock.Now(), SweepAt: d.clock.Now().Add(time.Hour * 1000), Mark: 1}))
				cut()
			}
			k := d.start()
			token := sign(t, k, keys.ES256)
			if !before {
				cut()
				d.clock.pass(23 * time.Hour)
				require.NoError(t, k.Maintain(ctx))
			}
			kept, cuts, err := d.store.Find(ctx, keys.DocumentID)
			require.NoError(t, err)
			require.False(t, cuts.Exceed(&kept.Seen))
			for range 5 {
				d.clock.pass(24 * time.Hour)
				_, err := d.store.Sweep(ctx, d.clock.Now(), 100)
				require.NoError(t, err)
			}
			_, err = k.Verify(ctx, token)
			require.NoError(t, err)
			require.NoError(t, k.Maintain(ctx))
		})
	}
}

func TestInstancesWithOtherAlgorithms(t *testing.T) {
	d := deploy(t)
	old := d.start()
	token := sign(t, old, keys.ES256)
	o := d.options()
	o.Algorithms = []string{keys.EdDSA}
	fresh, err := keys.New(ctx, o)
	require.NoError(t, err)
	added := sign(t, fresh, keys.EdDSA)
	_, err = fresh.Sign(ctx, keys.ES256, []byte("{}"))
	require.ErrorContains(t, err, "the algorithms are [EdDSA]")
	d.clock.pass(time.Minute)
	for _, k := range []*keys.Keys{old, fresh} {
		set := published(t, k)
		require.Equal(t, k.Algorithms()[0], set.Keys[0].Algorithm, "what signs comes first")
		for _, one := range []string{token, added} {
			require.True(t, verifies(t, set, one))
			_, err := k.Verify(ctx, one)
			require.NoError(t, err)
		}
	}
	// Only keys of the algorithm that is no longer in use are removed.
	for range 100 {
		d.clock.pass(24 * time.Hour)
		require.NoError(t, fresh.Maintain(ctx))
	}
	for _, key := range published(t, fresh).Keys {
		require.Equal(t, keys.EdDSA, key.Algorithm)
	}
	_, err = old.Sign(ctx, keys.ES256, []byte("{}"))
	require.ErrorContains(t, err, "no key for ES256 yet")
	require.NoError(t, old.Maintain(ctx))
	sign(t, old, keys.ES256)
}

func TestListShowsTheLifeOfAKey(t *testing.T) {
	d := deploy(t)
	k := d.start()
	began := d.clock.Now()
	list := func() (states []keys.State) {
		t.Helper()
		require.NoError(t, k.Maintain(ctx))
		all, err := k.List(ctx)
		require.NoError(t, err)
		for _, key := range all {
			states = append(states, key.State)
		}
		return states
	}
	require.Equal(t, []keys.State{keys.Signing}, list())
	const lead, keep, rotate = 125 * time.Minute, 24*time.Hour + 65*time.Minute, 90 * 24 * time.Hour
	d.clock.pass(rotate - lead)
	require.Equal(t, []keys.State{keys.Signing, keys.Next}, list())
	all, err := k.List(ctx)
	require.NoError(t, err)
	require.Equal(t, began.Add(rotate), all[1].SignsAt)
	require.Equal(t, began.Add(rotate-lead), all[1].PublishedAt)
	require.Equal(t, began.Add(rotate+keep), all[0].RemovedAt)
	require.Zero(t, all[1].RemovedAt)
	d.clock.pass(lead)
	require.Equal(t, []keys.State{keys.Past, keys.Signing}, list())
	d.clock.pass(keep)
	require.Equal(t, []keys.State{keys.Signing}, list())
}

// Without the secret, the stored content reveals nothing.
func TestWhatIsKeptIsSealed(t *testing.T) {
	d := deploy(t)
	k := d.start()
	set, _, err := k.PublicKeys(ctx)
	require.NoError(t, err)
	require.Contains(t, string(set), `"kid"`)
	kept := d.document()
	require.Equal(t, store.KindKeys, kept.Kind)
	for _, text := range []string{"kid", "ES256", "private", secret, kid(t, sign(t, k, keys.ES256))} {
		require.False(t, bytes.Contains([]byte(kept.State), []byte(text)))
	}
	require.Zero(t, kept.SweepAt)
	require.Empty(t, kept.UserID+kept.ApplicationID+kept.WorkspaceID)
}
