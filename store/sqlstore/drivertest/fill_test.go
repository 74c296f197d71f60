package drivertest_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

func randomHash() (h store.Hash) {
	rand.Read(h[:])
	return h
}

// newGrant returns a grant with a code.
func newGrant(userID, applicationID string, at time.Time) store.NewGrant {
	return store.NewGrant{
		Grant: store.Grant{
			ID: store.NewGrantID(at, userID), UserID: userID, ApplicationID: applicationID,
			Scopes: scopes.New("email", "profile"), CreatedAt: at, LastUsedAt: at, AgreedAt: at,
		},
		Code: &store.Code{
			Hash: randomHash(), RedirectURI: "https://wiki.example.com/callback", Challenge: challenge, ExpiresAt: at.Add(10 * time.Minute),
		},
	}
}

// newDevice returns a device authorization.
func newDevice(at time.Time) store.Device {
	d := store.Device{
		Code: randomHash(), UserCode: randomHash(), GrantCode: randomHash(), ApplicationID: "app_1", Scopes: scopes.New("email", "profile"),
		CreatedAt: at, ExpiresAt: at.Add(10 * time.Minute), Interval: 5 * time.Second,
	}
	d.ID = store.NewDeviceID(at, d.UserCode)
	return d
}

// devicePoll returns how the device of d polls.
func devicePoll(d store.Device, at time.Time) store.DevicePoll {
	return store.DevicePoll{ID: d.ID, Code: d.Code, ApplicationID: d.ApplicationID, SlowDown: 5 * time.Second, At: at}
}

// redemption returns how the code of n is redeemed.
func redemption(n store.NewGrant, at time.Time) store.CodeRedemption {
	return store.CodeRedemption{
		Key: store.Key{GrantID: n.Grant.ID, Hash: n.Code.Hash}, ApplicationID: n.Grant.ApplicationID,
		RedirectURI: n.Code.RedirectURI, Challenge: n.Code.Challenge,
		Access:  store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(2 * time.Hour)},
		Refresh: &store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(72 * time.Hour)},
		At:      at,
	}
}

// rotation returns how a refresh token is rotated.
func rotation(k store.Key, applicationID string, at time.Time) store.RefreshRotation {
	r := store.RefreshRotation{
		Key: k, ApplicationID: applicationID,
		Access:  store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(2 * time.Hour)},
		Refresh: store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(72 * time.Hour)},
		Grace:   30 * time.Second, At: at,
	}
	rand.Read(r.Salt[:])
	return r
}

// The grants that fill makes are known by their number.

func filledID(i int) (id store.GrantID) {
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

func filledHash(i int64) store.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

func accessOf(i int) store.Key {
	return store.Key{GrantID: filledID(i), Hash: filledHash(int64(i))}
}

func refreshOf(i int) store.Key {
	return store.Key{GrantID: filledID(i), Hash: filledHash(-int64(i))}
}

func filledUser(i int) string { return fmt.Sprintf("user_%022d", i/2) }

func filledApplication(i int) string { return fmt.Sprintf("app_%022d", i%100) }

// fill makes live grants with the numbers from first up to last, each with two
// tokens, two for each user and application, as they are after a redemption.
func fill(t testing.TB, db *sql.DB, d sqlstore.Dialect, prefix string, first, last int, at time.Time) {
	t.Helper()
	if d == sqlstore.Postgres {
		fillPostgres(t, db, prefix, first, last, at)
		return
	}
	tx, err := db.BeginTx(context.Background(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	prepare := func(text string) *sql.Stmt {
		st, err := tx.Prepare(text)
		require.NoError(t, err)
		return st
	}
	grants := prepare("insert into " + prefix + "grants (id, user_id, application_id, scopes, resource, created_at, last_used_at, agreed_at, redeemed, refresh_hash) values (?, ?, ?, 'email profile', '', ?, ?, ?, 1, ?)")
	tokens := prepare("insert into " + prefix + "tokens (grant_id, hash, kind, issued_at, expires_at) values (?, ?, ?, ?, ?)")
	consents := prepare("insert into " + prefix + "consents (user_id, application_id, scopes, agreed, resource, agreed_at, created_at, last_used_at) values (?, ?, 'email profile', 'email profile', '', ?, ?, ?) on conflict do nothing")
	exec := func(st *sql.Stmt, args ...any) {
		_, err := st.Exec(args...)
		require.NoError(t, err)
	}
	now := at.UnixMicro()
	for i := first; i < last; i++ {
		id, access, refresh := filledID(i), accessOf(i).Hash, refreshOf(i).Hash
		exec(grants, id[:], filledUser(i), filledApplication(i), now, now, now, refresh[:])
		exec(tokens, id[:], access[:], 2, now, at.Add(2*time.Hour).UnixMicro())
		exec(tokens, id[:], refresh[:], 3, now, at.Add(72*time.Hour).UnixMicro())
		exec(consents, filledUser(i), filledApplication(i), now, now, now)
	}
	require.NoError(t, tx.Commit())
}

func fillPostgres(t testing.TB, db *sql.DB, prefix string, first, last int, at time.Time) {
	t.Helper()
	const id, user, app = "lpad(to_hex(i), 32, '0')::uuid", "'user_' || lpad((i / 2)::text, 22, '0')", "'app_' || lpad((i % 100)::text, 22, '0')"
	for _, text := range []string{
		"insert into " + prefix + "grants (id, user_id, application_id, scopes, resource, created_at, last_used_at, agreed_at, redeemed, refresh_hash) " +
			"select " + id + ", " + user + ", " + app + ", 'email profile', '', $3::timestamptz, $3, $3, true, sha256(int8send(-i::bigint))",
		"insert into " + prefix + "tokens (grant_id, hash, kind, issued_at, expires_at) " +
			"select " + id + ", sha256(int8send(i::bigint)), 2, $3::timestamptz, $3::timestamptz + interval '2 hours'",
		"insert into " + prefix + "tokens (grant_id, hash, kind, issued_at, expires_at) " +
			"select " + id + ", sha256(int8send(-i::bigint)), 3, $3::timestamptz, $3::timestamptz + interval '72 hours'",
		"insert into " + prefix + "consents (user_id, application_id, scopes, agreed, resource, agreed_at, created_at, last_used_at) " +
			"select " + user + ", " + app + ", 'email profile', 'email profile', '', $3::timestamptz, $3, $3",
	} {
		_, err := db.Exec(text+" from generate_series($1::integer, $2::integer - 1) i on conflict do nothing", first, last, at)
		require.NoError(t, err)
	}
	for _, table := range tables {
		_, err := db.Exec("vacuum analyze " + prefix + table)
		require.NoError(t, err)
	}
}
