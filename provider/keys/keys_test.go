package keys_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

const (
	secret  = "a secret of at least thirty-two characters"
	secret2 = "another secret that has at least 32 of them"
)

var ctx = context.Background()

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// instances of one deployment share a store and a clock.
type deployment struct {
	t     testing.TB
	inner store.Store // what store is of
	store *storetest.Breakable
	clock *clock
}

func deploy(t testing.TB) *deployment {
	inner := memory.New()
	return &deployment{t, inner, storetest.NewBreakable(inner), newClock()}
}

// options returns the options of an instance. ES256 keys are quick to generate.
func (d *deployment) options() keys.Options {
	return keys.Options{Store: d.store, Secrets: []string{secret}, Algorithms: []string{keys.ES256}, Now: d.clock.Now}
}

func (d *deployment) start() *keys.Keys {
	d.t.Helper()
	k, err := keys.New(ctx, d.options())
	require.NoError(d.t, err)
	return k
}

// document returns the document of the keys, the only one.
func (d *deployment) document() store.Document {
	d.t.Helper()
	kept, _, err := d.store.Find(ctx, keys.DocumentID)
	require.NoError(d.t, err)
	return kept
}

// damage writes another State.
func (d *deployment) damage(change func(state []byte) []byte) {
	d.t.Helper()
	kept := d.document()
	mark := kept.Mark
	kept.State, kept.Mark = string(change([]byte(kept.State))), mark+2
	require.NoError(d.t, d.store.Replace(ctx, kept, mark))
}

// remove lets the document be swept.
func (d *deployment) remove() {
	d.t.Helper()
	kept := d.document()
	mark := kept.Mark
	kept.SweepAt, kept.Mark = d.clock.Now(), mark+2
	require.NoError(d.t, d.store.Replace(ctx, kept, mark))
	n, err := d.store.Sweep(ctx, d.clock.Now(), 10)
	require.NoError(d.t, err)
	require.Equal(d.t, 1, n)
}

func sign(t testing.TB, k *keys.Keys, alg string) string {
	t.Helper()
	token, err := k.Sign(ctx, alg, []byte(`{"sub":"user_1"}`))
	require.NoError(t, err)
	return token
}

// published returns the set as a relying party reads it.
func published(t testing.TB, k *keys.Keys) jose.JSONWebKeySet {
	t.Helper()
	raw, maxAge, err := k.PublicKeys(ctx)
	require.NoError(t, err)
	require.Positive(t, maxAge)
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(raw, &set))
	for _, key := range set.Keys {
		require.True(t, key.Valid() && key.IsPublic())
		require.Equal(t, "sig", key.Use)
	}
	return set
}

// verifies reports whether a relying party with the set accepts the token.
func verifies(t testing.TB, set jose.JSONWebKeySet, token string) bool {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	require.NoError(t, err)
	require.Equal(t, "JWT", jws.Signatures[0].Header.ExtraHeaders["typ"])
	_, err = jws.Verify(set)
	return err == nil
}

func kid(t testing.TB, token string) string {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	require.NoError(t, err)
	return jws.Signatures[0].Header.KeyID
}

func TestEachAlgorithmSignsAndVerifies(t *testing.T) {
	d := deploy(t)
	o := d.options()
	o.Algorithms = []string{keys.EdDSA, keys.RS256, keys.ES256}
	k, err := keys.New(ctx, o)
	require.NoError(t, err)
	require.Equal(t, o.Algorithms, k.Algorithms())
	set := published(t, k)
	require.Len(t, set.Keys, 3)
	for i, alg := range o.Algorithms {
		require.Equal(t, alg, set.Keys[i].Algorithm)
		times := 3
		if alg == keys.ES256 {
			times = 1000 // One in 128 has a number with zeros in front.
		}
		for range times {
			token := sign(t, k, alg)
			require.True(t, verifies(t, set, token))
			require.Equal(t, set.Keys[i].KeyID, kid(t, token))
			claims, err := k.Verify(ctx, token)
			require.NoError(t, err)
			require.Equal(t, `{"sub":"user_1"}`, string(claims))
		}
	}
	again, err := keys.New(ctx, o)
	require.NoError(t, err)
	require.Equal(t, set, published(t, again))
	_, maxAge, err := k.PublicKeys(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Hour, maxAge)
}

func TestSignRefuses(t *testing.T) {
	k := deploy(t).start()
	for name, tt := range map[string]struct{ alg, claims, want string }{
		"an algorithm without keys": {keys.RS256, `{}`, "no key signs"},
		"none":                      {"none", `{}`, "no key signs"},
		"no claims":                 {keys.ES256, ``, "not a JSON object"},
		"a list":                    {keys.ES256, `[]`, "not a JSON object"},
		"half an object":            {keys.ES256, `{"a":`, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k.Sign(ctx, tt.alg, []byte(tt.claims))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestVerifyRefusesWhatOthersHaveSigned(t *testing.T) {
	k, other := deploy(t).start(), deploy(t).start()
	_, err := k.Verify(ctx, sign(t, other, keys.ES256))
	require.ErrorContains(t, err, "is unknown here or was removed")
	token := sign(t, k, keys.ES256)
	forged := token[:strings.LastIndex(token, ".")] + sign(t, other, keys.ES256)[strings.LastIndex(token, "."):]
	_, err = k.Verify(ctx, forged)
	require.ErrorContains(t, err, "signature")
	_, err = k.Verify(ctx, "")
	require.Error(t, err)
}

func TestDefaults(t *testing.T) {
	k, err := keys.New(ctx, keys.Options{Store: memory.New(), Secrets: []string{secret}})
	require.NoError(t, err)
	require.Equal(t, []string{keys.RS256, keys.ES256}, k.Algorithms())
	list, err := k.List(ctx)
	require.NoError(t, err)
	for _, key := range list {
		require.Equal(t, keys.Signing, key.State)
		require.WithinDuration(t, time.Now(), key.SignsAt, time.Minute)
		require.Zero(t, key.RemovedAt)
	}
}

func TestWrongOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*keys.Options)
		want   string
	}{
		"no store":                  {func(o *keys.Options) { o.Store = nil }, "Options.Store is required"},
		"no secret":                 {func(o *keys.Options) { o.Secrets = nil }, "at least one secret"},
		"a short secret":            {func(o *keys.Options) { o.Secrets = []string{secret, strings.Repeat("ü", 31)} }, "Secrets[1] has 31 characters"},
		"a secret twice":            {func(o *keys.Options) { o.Secrets = []string{secret, secret} }, "Secrets[1] occurs twice"},
		"an unknown algorithm":      {func(o *keys.Options) { o.Algorithms = []string{"HS256"} }, `Algorithms[0] is "HS256"`},
		"an algorithm twice":        {func(o *keys.Options) { o.Algorithms = []string{"ES256", "ES256"} }, `has "ES256" twice`},
		"no caching":                {func(o *keys.Options) { o.CacheFor = time.Second }, "CacheFor is 1s"},
		"endless caching":           {func(o *keys.Options) { o.CacheFor = 25 * time.Hour }, "CacheFor is 25h"},
		"negative caching":          {func(o *keys.Options) { o.CacheFor = -time.Hour }, "CacheFor is -1h"},
		"negative rotation":         {func(o *keys.Options) { o.Rotate = -1 }, "Rotate is -1ns"},
		"too quick for caches":      {func(o *keys.Options) { o.Rotate = 4 * time.Hour }, "Rotate is 4h0m0s; with this CacheFor it must be at least 6h0m0s"},
		"too quick for long caches": {func(o *keys.Options) { o.Rotate, o.CacheFor = 24*time.Hour, 24*time.Hour }, "at least 50h10m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			o := deploy(t).options()
			tt.change(&o)
			_, err := keys.New(ctx, o)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// If many instances start at once, one makes the keys for all.
func TestInstancesThatStartAtOnceHaveTheSameKeys(t *testing.T) {
	for round := range 20 {
		d := deploy(t)
		const n = 10
		started := make([]*keys.Keys, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				k, err := keys.New(ctx, d.options())
				if err == nil {
					_, err = k.Sign(ctx, keys.ES256, []byte("{}"))
				}
				if err == nil {
					err = k.Maintain(ctx)
				}
				if err != nil {
					panic(fmt.Sprint(round, i, err))
				}
				started[i] = k
			})
		}
		all.Wait()
		set := published(t, started[0])
		require.Len(t, set.Keys, 1)
		for _, k := range started {
			require.Equal(t, set, published(t, k))
			require.True(t, verifies(t, set, sign(t, k, keys.ES256)))
		}
	}
}

// Many instances rotate and retire at once, and sign meanwhile.
func TestInstancesThatWriteAtOnce(t *testing.T) {
	d := deploy(t)
	var all sync.WaitGroup
	started := make([]*keys.Keys, 10)
	for i := range started {
		started[i] = d.start()
	}
	for range 5 {
		old := published(t, started[0]).Keys
		d.clock.pass(90 * 24 * time.Hour)
		for i, k := range started {
			all.Go(func() {
				if err := k.Maintain(ctx); err != nil {
					panic(err)
				}
				sign(t, k, keys.ES256)
				if i == 0 {
					if err := k.Retire(ctx, old[0].KeyID); err != nil {
						panic(err)
					}
				}
				if _, _, err := k.PublicKeys(ctx); err != nil {
					panic(err)
				}
			})
		}
		all.Wait()
		d.clock.pass(time.Minute)
		set := published(t, started[0])
		for _, k := range started {
			require.Equal(t, set, published(t, k))
			require.NotEqual(t, old[0].KeyID, kid(t, sign(t, k, keys.ES256)))
		}
	}
}
