package memory_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return memory.New() })
}

func TestDevices(t *testing.T) {
	storetest.RunDevices(t, func(t *testing.T) store.Devices { return memory.New() })
}

// A device is one sign-in, as a host with many users has them.
type device struct {
	grant                 store.Grant
	code, access, refresh store.Key
}

const (
	application     = "oauth_app_2ZyXwVuTsRqPoNmLkJiHgFeDcBa"
	redirectURI     = "https://wiki.example.com/oauth/callback"
	challenge       = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	accessLifetime  = 2 * time.Hour
	refreshLifetime = 72 * time.Hour
)

func randomHash() (h store.Hash) {
	rand.Read(h[:])
	return h
}

// signIn makes a grant of the user and redeems its code.
func signIn(tb testing.TB, s store.Store, userID string, at time.Time) device {
	tb.Helper()
	var d device
	d.grant = store.Grant{
		ID: store.NewGrantID(at, userID), UserID: userID, ApplicationID: application,
		Scopes: scopes.New("profile", "email"), CreatedAt: at, LastUsedAt: at, AgreedAt: at,
	}
	d.code = store.Key{GrantID: d.grant.ID, Hash: randomHash()}
	d.access = store.Key{GrantID: d.grant.ID, Hash: randomHash()}
	d.refresh = store.Key{GrantID: d.grant.ID, Hash: randomHash()}
	require.NoError(tb, s.CreateGrant(context.Background(), store.NewGrant{Grant: d.grant, Code: &store.Code{
		Hash: d.code.Hash, RedirectURI: redirectURI, Challenge: challenge, ExpiresAt: at.Add(10 * time.Minute),
	}}))
	_, err := s.RedeemCode(context.Background(), store.CodeRedemption{
		Key: d.code, ApplicationID: application, RedirectURI: redirectURI, Challenge: challenge, At: at,
		Access:  store.NewToken{Hash: d.access.Hash, ExpiresAt: at.Add(accessLifetime)},
		Refresh: &store.NewToken{Hash: d.refresh.Hash, ExpiresAt: at.Add(refreshLifetime)},
	})
	require.NoError(tb, err)
	return d
}

// rotate rotates the refresh token of the device.
func (d *device) rotate(tb testing.TB, s store.Store, at time.Time) {
	tb.Helper()
	presented := d.refresh
	d.access.Hash, d.refresh.Hash = randomHash(), randomHash()
	_, err := s.RotateRefresh(context.Background(), store.RefreshRotation{
		Key: presented, ApplicationID: application, At: at, Grace: 30 * time.Second, Salt: store.Salt{1},
		Access:  store.NewToken{Hash: d.access.Hash, ExpiresAt: at.Add(accessLifetime)},
		Refresh: store.NewToken{Hash: d.refresh.Hash, ExpiresAt: at.Add(refreshLifetime)},
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// A host plans its memory by the number of signed-in devices. Here every one
// is another user's, which takes the most, as a user and a consent come with
// each grant.
func TestBytesPerGrant(t *testing.T) {
	const grants, most = 5_000, 1_400
	at := time.Now().UTC()
	keys := make([]device, grants)
	for i := range keys {
		keys[i].grant.UserID = fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", i)
	}
	before := heap()

	s := memory.New()
	for i := range keys {
		keys[i] = signIn(t, s, keys[i].grant.UserID, at)
		keys[i].grant.Scopes = nil
	}
	check := func(when string) {
		t.Helper()
		perGrant := (heap() - before) / grants
		t.Logf("%d bytes per grant %s", perGrant, when)
		require.LessOrEqual(t, perGrant, uint64(most), "bytes per grant %s", when)
	}
	check("with a code, two tokens and a consent")

	for range 36 {
		at = at.Add(2 * time.Hour)
		for i := range keys {
			keys[i].rotate(t, s, at)
		}
	}
	check("after 36 rotations two hours apart")

	for _, d := range keys[:100] {
		_, _, err := s.FindToken(context.Background(), d.access)
		require.NoError(t, err)
	}
	runtime.KeepAlive(s)
}

// A grant in another shard than its user's would escape everything that is
// done by user.
func TestGrantWithAnotherUsersIDIsRefused(t *testing.T) {
	s, ctx := memory.New(), context.Background()
	at := time.Now()
	n := store.NewGrant{
		Grant: store.Grant{ID: store.NewGrantID(at, "user_2"), UserID: "user_1", ApplicationID: application, CreatedAt: at},
		Code:  &store.Code{Hash: randomHash(), ExpiresAt: at.Add(time.Minute)},
	}
	require.ErrorContains(t, s.CreateGrant(ctx, n), "NewGrantID")
	_, err := s.FindConsent(ctx, "user_1", application)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// Mistakes that would leave something half alive are refused.
func TestSenselessStepsAreRefused(t *testing.T) {
	s, ctx := memory.New(), context.Background()
	at := time.Now().UTC()
	d := signIn(t, s, "user_1", at)
	token := store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(time.Hour)}
	code := store.Code{Hash: randomHash(), ExpiresAt: at.Add(time.Minute)}
	grant := d.grant
	grant.ID = store.NewGrantID(at, "user_1")

	for name, step := range map[string]func() error{
		"a grant with neither code nor token": func() error { return s.CreateGrant(ctx, store.NewGrant{Grant: grant}) },
		"a grant with both": func() error {
			return s.CreateGrant(ctx, store.NewGrant{Grant: grant, Code: &code, Access: &token})
		},
		"a code without a hash": func() error {
			return s.CreateGrant(ctx, store.NewGrant{Grant: grant, Code: &store.Code{}})
		},
		"a redemption at no time": func() error {
			_, err := s.RedeemCode(ctx, store.CodeRedemption{Key: d.code, ApplicationID: application, Access: token})
			return err
		},
		"a redemption for a token without a hash": func() error {
			_, err := s.RedeemCode(ctx, store.CodeRedemption{Key: d.code, ApplicationID: application, At: at})
			return err
		},
		"a redemption for a refresh token without a hash": func() error {
			_, err := s.RedeemCode(ctx, store.CodeRedemption{Key: d.code, ApplicationID: application, Access: token, Refresh: &store.NewToken{}, At: at})
			return err
		},
		"a rotation at no time": func() error {
			_, err := s.RotateRefresh(ctx, store.RefreshRotation{Key: d.refresh, ApplicationID: application, Access: token, Refresh: token})
			return err
		},
		"a rotation to a token without a hash": func() error {
			_, err := s.RotateRefresh(ctx, store.RefreshRotation{Key: d.refresh, ApplicationID: application, Access: token, At: at})
			return err
		},
		"a revocation at no time": func() error {
			_, err := s.RevokeGrants(ctx, store.GrantFilter{UserID: "user_1"}, time.Time{})
			return err
		},
		"a token's revocation at no time": func() error {
			return s.RevokeToken(ctx, store.TokenRevocation{Key: d.refresh, ApplicationID: application})
		},
	} {
		require.ErrorContains(t, step(), "store: ", name)
	}
	_, kept, err := s.FindToken(ctx, d.access)
	require.NoError(t, err)
	require.True(t, kept.RevokedAt.IsZero())
}

func TestTimesAreCutToTheMicrosecond(t *testing.T) {
	s := memory.New()
	at := time.Date(2026, 11, 22, 12, 0, 0, 123_456_789, time.UTC)
	_, grant, err := s.FindToken(context.Background(), signIn(t, s, "user_1", at).access)
	require.NoError(t, err)
	require.Equal(t, at.Truncate(time.Microsecond), grant.CreatedAt)
}

// What every request to the host's API costs.
func BenchmarkFindToken(b *testing.B) {
	s, ctx := memory.New(), context.Background()
	at := time.Now().UTC()
	keys := make([]store.Key, 10_000)
	for i := range keys {
		keys[i] = signIn(b, s, fmt.Sprintf("user_%d", i), at).access
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := s.FindToken(ctx, keys[i%len(keys)]); err != nil {
			b.Fatal(err)
		}
	}
}

// What a refresh costs, with everything that has to be remembered on the
// grant.
func BenchmarkRotateRefresh(b *testing.B) {
	s := memory.New()
	at := time.Now().UTC()
	d := signIn(b, s, "user_1", at)
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(2 * time.Hour)
		d.rotate(b, s, at)
	}
}

// heap returns how many bytes are in use once garbage has gone.
func heap() uint64 {
	for range 3 { // What was interned goes one collection later.
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
