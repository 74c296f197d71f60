package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// grantKey returns the key of a grant, which is the only one of its kind.
func grantKey(prefix string, id store.GrantID) string {
	return fmt.Sprintf("%s{%03x}:g:%s", prefix, id.Tag()>>6, string(id[:]))
}

// Redis lets a grant go by its own clock, so how long it keeps it must depend
// on nothing but the times that the steps bring.
func TestRedisKeepsWhatLives(t *testing.T) {
	const day = 24 * time.Hour
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	for _, at := range []time.Time{
		time.Now().UTC(), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		left := func(id store.GrantID) time.Duration { return client.PTTL(t.Context(), grantKey(prefix, id)).Val() }
		about := func(want time.Duration, id store.GrantID, format string, args ...any) {
			t.Helper()
			require.InDelta(t, want.Seconds(), left(id).Seconds(), 60, fmt.Sprintf(format, args...))
		}
		n := newGrant("user_1", at)
		require.NoError(t, s.CreateGrant(t.Context(), n))
		about(codeLifetime+day, n.Grant.ID, "a code made at %v", at)

		d := signIn(t, s, "user_2", at)
		about(refreshLifetime+day, d.refresh.GrantID, "tokens issued at %v", at)
		d.rotate(t, s, at.Add(refreshLifetime-time.Hour))
		about(refreshLifetime+day, d.refresh.GrantID, "tokens rotated long after %v", at)

		// A rotation to short-lived tokens leaves an older one alive.
		r := rotation(d.refresh, at.Add(refreshLifetime))
		r.Access.ExpiresAt, r.Refresh.ExpiresAt = r.At.Add(time.Minute), r.At.Add(time.Minute)
		_, err := s.RotateRefresh(t.Context(), r)
		require.NoError(t, err)
		require.Greater(t, left(d.refresh.GrantID), refreshLifetime)

		n = newGrant("user_3", at)
		n.Code.ExpiresAt = at.Add(-time.Hour)
		require.NoError(t, s.CreateGrant(t.Context(), n))
		about(day, n.Grant.ID, "a code that had expired at %v", at)
	}
}

// Redis keeps a grant for a day longer than it lives. Where no cleanup runs in
// that time the indexes outlive it, and whoever comes upon what is left of it
// clears it away.
func TestIndexesOutliveGrants(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	let := func(d device) {
		require.EqualValues(t, 1, client.Del(ctx, grantKey(prefix, d.code.GrantID)).Val())
	}
	var devices []device
	for i := range 20 {
		d := signIn(t, s, fmt.Sprint("user_", i), at.Add(time.Duration(i)*time.Second))
		d.rotate(t, s, at.Add(time.Hour))
		devices = append(devices, d)
	}

	for i := range 5 {
		let(devices[2*i])
	}
	_, _, err := s.FindToken(ctx, devices[0].access)
	require.ErrorIs(t, err, store.ErrNotFound)
	page, total, err := s.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{ApplicationID: application}, Limit: 100})
	require.NoError(t, err)
	require.Equal(t, 15, total)
	require.Len(t, page, 15)
	checkKeys(t, client, prefix)

	for i := range 3 {
		let(devices[2*i+1])
	}
	touched, err := s.DeleteExpired(ctx, store.Expiry{Before: at.Add(1000 * time.Hour), Limit: 100})
	require.NoError(t, err)
	require.Equal(t, 15, touched)
	checkKeys(t, client, prefix)
	n, err := s.RevokeGrants(ctx, store.GrantFilter{ApplicationID: application}, at)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Empty(t, client.Keys(ctx, prefix+"*").Val(), "keys that are left of nothing")
}

// A step by application does not let others wait while it ends thousands of
// grants: it goes in batches, however many there are in one shard.
func TestRevokeInBatches(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	const grants = 1_234
	for i := range grants {
		n := newGrant("user_1", at)
		if i%2 == 0 {
			n.Grant.ApplicationID = "another"
		}
		require.NoError(t, s.CreateGrant(ctx, n))
	}
	n, err := s.RevokeGrants(ctx, store.GrantFilter{ApplicationID: "another"}, at)
	require.NoError(t, err)
	require.Equal(t, grants/2, n)
	checkKeys(t, client, prefix)
	n, err = s.RevokeGrants(ctx, store.GrantFilter{UserID: "user_1"}, at)
	require.NoError(t, err)
	require.Equal(t, grants/2, n)
	checkKeys(t, client, prefix)
	for deleted := 0; deleted < grants; {
		n, err = s.DeleteExpired(ctx, store.Expiry{Before: at, Limit: 500})
		require.NoError(t, err)
		require.Positive(t, n)
		deleted += n
	}
	require.Empty(t, client.Keys(ctx, prefix+"*").Val(), "keys that are left of nothing")
}

// A grant that is refreshed for ever does not grow, even without cleanups.
func TestChainDoesNotGrow(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	at := time.Now().UTC()
	d := signIn(t, s, "user_1", at)
	var sizes []int64
	for range 200 {
		at = at.Add(2 * time.Hour)
		d.rotate(t, s, at)
		sizes = append(sizes, client.HLen(t.Context(), grantKey(prefix, d.code.GrantID)).Val())
	}
	require.Equal(t, sizes[60], sizes[199], "fields of a grant after 60 and after 200 rotations")
}

// A cleanup finds a token that expires before everything that was on its grant
// when it came.
func TestShortLivedTokensAreDue(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	n := newGrant("user_1", at)
	n.Code.ExpiresAt = at.Add(1000 * time.Hour)
	require.NoError(t, s.CreateGrant(ctx, n))
	cleanup := func(after time.Duration) int {
		touched, err := s.DeleteExpired(ctx, store.Expiry{Before: at.Add(after), Limit: 10})
		require.NoError(t, err)
		return touched
	}
	r := redemption(n, at)
	_, err := s.RedeemCode(ctx, r)
	require.NoError(t, err)
	require.Equal(t, 1, cleanup(accessLifetime))
	require.Zero(t, cleanup(accessLifetime))

	rotated := rotation(store.Key{GrantID: n.Grant.ID, Hash: r.Refresh.Hash}, at)
	rotated.Access.ExpiresAt = at.Add(2 * accessLifetime)
	rotated.Refresh.ExpiresAt = at.Add(3 * accessLifetime)
	_, err = s.RotateRefresh(ctx, rotated)
	require.NoError(t, err)
	for i := range 2 {
		require.Equal(t, 1, cleanup(time.Duration(i+2)*accessLifetime))
		require.Zero(t, cleanup(time.Duration(i+2)*accessLifetime))
	}
	checkKeys(t, client, prefix)
}

// Spent tokens are remembered for the sake of a grant that lives, and do not
// keep it alive. A revoked one has no use for its salt.
func TestSpentTokensKeepNothing(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	d := signIn(t, s, "user_1", at)
	for range 2 {
		r := rotation(d.refresh, at)
		r.Access.ExpiresAt, r.Refresh.ExpiresAt = at.Add(time.Hour), at.Add(time.Hour)
		_, err := s.RotateRefresh(ctx, r)
		require.NoError(t, err)
		d.refresh.Hash = r.Refresh.Hash
	}
	revoked := signIn(t, s, "user_2", at)
	revoked.rotate(t, s, at)
	require.NoError(t, s.RevokeToken(ctx, store.TokenRevocation{Key: revoked.refresh, ApplicationID: application, At: at.Add(5 * time.Hour)}))
	checkKeys(t, client, prefix)

	_, err := s.DeleteExpired(ctx, store.Expiry{Before: at.Add(3 * time.Hour), Limit: 10})
	require.NoError(t, err)
	require.Zero(t, client.Exists(ctx, grantKey(prefix, d.refresh.GrantID)).Val(), "a grant on which only spent tokens are left")
	checkKeys(t, client, prefix)
}

// A grant of which the only token was revoked is dead at once.
func TestGrantWithoutTokensIsDue(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	n := newGrant("user_1", at)
	n.Code, n.Access = nil, &store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(accessLifetime)}
	require.NoError(t, s.CreateGrant(ctx, n))
	require.NoError(t, s.RevokeToken(ctx, store.TokenRevocation{
		Key: store.Key{GrantID: n.Grant.ID, Hash: n.Access.Hash}, ApplicationID: application, At: at.Add(time.Minute),
	}))
	touched, err := s.DeleteExpired(ctx, store.Expiry{Before: at, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, touched)
	checkKeys(t, client, prefix)
}

// A crash in the middle of a step by application leaves no live grant without
// its consent, not even one that came in between.
func TestRevocationThatIsCutShort(t *testing.T) {
	client := single(t)
	s, _ := openWithPrefix(t, client)
	at := time.Now().UTC()
	signIn(t, s, "user_1", at)
	n := newGrant("user_1", at)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client.AddHook(&interloper{
		afterLook:   func() { require.NoError(t, s.CreateGrant(context.Background(), n)) },
		afterScript: cancel,
	})
	_, err := s.RevokeGrants(ctx, store.GrantFilter{ApplicationID: application}, at)
	require.ErrorIs(t, err, context.Canceled)

	_, total, err := s.ListGrants(t.Context(), store.GrantQuery{GrantFilter: store.GrantFilter{UserID: "user_1"}})
	require.NoError(t, err)
	require.Equal(t, 1, total, "live grants, of which one came in between")
	_, err = s.FindConsent(t.Context(), "user_1", application)
	require.NoError(t, err)

	revoked, err := s.RevokeGrants(t.Context(), store.GrantFilter{ApplicationID: application}, at)
	require.NoError(t, err)
	require.Equal(t, 1, revoked)
	_, err = s.FindConsent(t.Context(), "user_1", application)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// An interloper does something once a step has looked at an index, and
// something else once the script that follows has run.
type interloper struct {
	afterLook, afterScript func()
	looked, done           bool
}

func (*interloper) DialHook(next redis.DialHook) redis.DialHook { return next }

func (i *interloper) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if i.done && strings.HasPrefix(cmd.Name(), "eval") && err == nil {
			i.afterScript()
		}
		return err
	}
}

func (i *interloper) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if !i.looked && cmds[0].Name() == "zrange" {
			i.looked = true
			i.afterLook()
			i.done = true
		}
		return err
	}
}

// What one release keeps another must be able to read, so the names by which an
// application is kept never change.
func TestNamesOfWhatIsKept(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	secret := store.HashSecret("a secret")
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	app := store.Application{
		ID: "app_1", ClientID: "client_1", Name: "Wiki", RedirectURIs: []string{redirectURI}, Scopes: scopes.New("email"),
		Secrets: []store.Secret{{ID: "secret_1", Hash: secret, CreatedAt: at, ExpiresAt: at}}, Public: true, PKCERequired: true, SkipConsent: true,
		Origin: store.OriginRegistration, OwnerID: "user_1", ClientURI: "https://wiki.example.com", LogoURL: "https://wiki.example.com/logo.png",
		Metadata: map[string]string{"team": "docs"}, CreatedAt: at, UpdatedAt: at, Version: 1,
		Registration: &store.Registration{
			Token: secret, Type: "native", AuthMethod: "none", GrantTypes: []string{"authorization_code"}, Contacts: []string{"wiki@example.com"},
			TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/policy", SoftwareID: "wiki", SoftwareVersion: "2.1",
		},
	}
	require.NoError(t, s.CreateApplication(t.Context(), app))
	kept, err := client.HGet(t.Context(), prefix+"{apps}:records", "app_1").Result()
	require.NoError(t, err)
	parts := strings.SplitN(kept, "\xff", 5)
	require.Equal(t, []string{"1", "client_1", "1700000000000000"}, parts[1:4])
	hash := secret.String()
	require.JSONEq(t, `{
		"name": "Wiki", "redirect_uris": ["`+redirectURI+`"], "scopes": ["email"],
		"secrets": [{"id": "secret_1", "hash": "`+hash+`", "created_at": "1700000000000000", "expires_at": "1700000000000000"}],
		"public": true, "pkce_required": true, "skip_consent": true, "origin": "registration",
		"registration": {
			"token": "`+hash+`", "type": "native", "auth_method": "none", "grant_types": ["authorization_code"], "contacts": ["wiki@example.com"],
			"terms_uri": "https://wiki.example.com/terms", "policy_uri": "https://wiki.example.com/policy", "software_id": "wiki", "software_version": "2.1"
		},
		"owner_id": "user_1", "client_uri": "https://wiki.example.com", "logo_url": "https://wiki.example.com/logo.png",
		"metadata": {"team": "docs"}, "updated_at": "1700000000000000"
	}`, parts[4])
	found, err := s.FindApplication(t.Context(), "app_1")
	require.NoError(t, err)
	require.Equal(t, app, found)
}

// A host plans its memory by the number of signed-in devices.
func TestBytesPerGrant(t *testing.T) {
	const grants = 10_000
	client := newServer(t).client(t)
	s, prefix := openWithPrefix(t, client)
	at := time.Now().UTC()
	before := usedMemory(t, client)
	devices := make([]device, grants)
	for i := range devices {
		devices[i] = signIn(t, s, fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", i), at)
	}
	report := func(when string, most int64) {
		t.Helper()
		each := (usedMemory(t, client) - before) / grants
		usage := client.MemoryUsage(t.Context(), grantKey(prefix, devices[0].code.GrantID), 0).Val()
		encoding := client.ObjectEncoding(t.Context(), grantKey(prefix, devices[0].code.GrantID)).Val()
		t.Logf("%d bytes per grant %s, with its consent and all indexes; the grant alone: %d, kept as %s", each, when, usage, encoding)
		require.LessOrEqual(t, each, most, "bytes per grant %s", when)
	}
	report("with a code and two tokens", 1_800)
	for i := range 36 {
		for j := range 200 {
			devices[j].rotate(t, s, at.Add(time.Duration(i+1)*2*time.Hour))
		}
	}
	usage := client.MemoryUsage(t.Context(), grantKey(prefix, devices[0].code.GrantID), 0).Val()
	t.Logf("%d bytes for a grant alone after 36 rotations", usage)
	require.LessOrEqual(t, usage, int64(2_000))
}

func usedMemory(t *testing.T, client *redis.Client) (bytes int64) {
	t.Helper()
	info, err := client.Info(context.Background(), "memory").Result()
	require.NoError(t, err)
	_, info, _ = strings.Cut(info, "used_memory:")
	_, err = fmt.Sscan(info, &bytes)
	require.NoError(t, err)
	return bytes
}
