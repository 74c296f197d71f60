package drivertest_test

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// What follows are cases that the conformance suite meets by chance only, or
// that are about what a database does.

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// eachServer runs a test on one database of each dialect.
func eachServer(t *testing.T, test func(t *testing.T, s *sqlstore.Store, db *sql.DB, prefix string, server server)) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			s, prefix := fresh(t, db, server.dialect)
			test(t, s, db, prefix, server)
		})
	}
}

// A spent token that would have lived for longer than its successors does not
// keep its grant.
func TestSpentTokensKeepNothingAlive(t *testing.T) {
	eachServer(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB, prefix string, _ server) {
		at := now()
		n := newGrant("user_1", "app_1", at)
		require.NoError(t, s.CreateGrant(t.Context(), n))
		redeem := redemption(n, at)
		_, err := s.RedeemCode(t.Context(), redeem)
		require.NoError(t, err)
		r := rotation(store.Key{GrantID: n.Grant.ID, Hash: redeem.Refresh.Hash}, "app_1", at)
		r.Refresh.ExpiresAt = at.Add(2 * time.Hour)
		_, err = s.RotateRefresh(t.Context(), r)
		require.NoError(t, err)
		_, err = s.DeleteExpired(t.Context(), store.Expiry{Before: at.Add(3 * time.Hour), Limit: 100})
		require.NoError(t, err)
		isEmpty(t, db, prefix)
	})
}

// isEmpty checks that nothing is left of any grant.
func isEmpty(t *testing.T, db *sql.DB, prefix string) {
	t.Helper()
	for _, table := range []string{"grants", "codes", "tokens", "rotations"} {
		var n int
		require.NoError(t, db.QueryRow("select count(*) from "+prefix+table).Scan(&n))
		require.Zero(t, n, "rows left in %s", table)
	}
}

// Every way in which a grant can die leads to its removal.
func TestNothingIsLeftBehind(t *testing.T) {
	byHand := map[sqlstore.Dialect]string{
		sqlstore.Postgres: "delete from %sgrants where id = '%x'",
		sqlstore.MySQL:    "delete from %sgrants where id = x'%x'",
		sqlstore.SQLite:   "delete from %sgrants where id = x'%x'",
	}
	eachServer(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB, prefix string, server server) {
		ctx, at := t.Context(), now()
		create := func() store.NewGrant {
			n := newGrant("user_1", "app_1", at)
			require.NoError(t, s.CreateGrant(ctx, n))
			return n
		}
		signIn := func() (store.NewGrant, store.CodeRedemption) {
			n := create()
			r := redemption(n, at)
			_, err := s.RedeemCode(ctx, r)
			require.NoError(t, err)
			return n, r
		}
		revoke := func(n store.NewGrant, h store.Hash) {
			require.NoError(t, s.RevokeToken(ctx, store.TokenRevocation{Key: store.Key{GrantID: n.Grant.ID, Hash: h}, ApplicationID: "app_1", At: at}))
		}
		create() // and never redeemed

		n, r := signIn()
		revoke(n, r.Refresh.Hash)

		n, r = signIn()
		_, err := s.RotateRefresh(ctx, rotation(store.Key{GrantID: n.Grant.ID, Hash: r.Refresh.Hash}, "app_1", at))
		require.NoError(t, err)

		n = create()
		r = redemption(n, at)
		r.Refresh = nil
		_, err = s.RedeemCode(ctx, r)
		require.NoError(t, err)
		revoke(n, r.Access.Hash) // the last that lived on it

		n = newGrant("user_1", "app_1", at)
		n.Code, n.Access = nil, &store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(10_000 * time.Hour)}
		require.NoError(t, s.CreateGrant(ctx, n))
		revoke(n, n.Access.Hash)
		_, err = s.DeleteExpired(ctx, store.Expiry{Before: at, Limit: 100})
		require.NoError(t, err)
		_, total, err := s.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{ID: n.Grant.ID}})
		require.NoError(t, err)
		require.Zero(t, total, "a grant whose only token was revoked")

		// Somebody has deleted a grant by hand.
		n, _ = signIn()
		_, err = db.Exec(fmt.Sprintf(byHand[server.dialect], prefix, n.Grant.ID[:]))
		require.NoError(t, err)

		for {
			touched, err := s.DeleteExpired(ctx, store.Expiry{Before: at.Add(1000 * time.Hour), RotatedBefore: at.Add(1000 * time.Hour), Limit: 3})
			require.NoError(t, err)
			if touched < 3 {
				break
			}
		}
		isEmpty(t, db, prefix)
	})
}

// A rotation by a clock that is a little behind meets the cleanup that takes
// its token for expired: it fails, or what it issued stays.
func TestCleanupBesideALateRotation(t *testing.T) {
	eachServer(t, func(t *testing.T, s *sqlstore.Store, _ *sql.DB, _ string, _ server) {
		at := now()
		for round := range 150 {
			n := newGrant(fmt.Sprint("user_", round), "app_1", at)
			require.NoError(t, s.CreateGrant(t.Context(), n))
			redeem := redemption(n, at)
			_, err := s.RedeemCode(t.Context(), redeem)
			require.NoError(t, err)
			expiry := redeem.Refresh.ExpiresAt
			r := rotation(store.Key{GrantID: n.Grant.ID, Hash: redeem.Refresh.Hash}, "app_1", expiry.Add(-time.Microsecond))
			var rotated, cleaned error
			var wg sync.WaitGroup
			wg.Go(func() { _, rotated = s.RotateRefresh(t.Context(), r) })
			wg.Go(func() { _, cleaned = s.DeleteExpired(t.Context(), store.Expiry{Before: expiry, Limit: 100}) })
			wg.Wait()
			require.NoError(t, cleaned)
			if errors.Is(rotated, store.ErrNotFound) {
				continue
			}
			require.NoError(t, rotated)
			_, _, err = s.FindToken(t.Context(), store.Key{GrantID: n.Grant.ID, Hash: r.Refresh.Hash})
			require.NoError(t, err, "finding what the rotation issued")
		}
	})
}

// A grant that is made while the user's grants are revoked, at the moment at
// which it would be missed: either it is revoked or its consent stays.
func TestGrantBesideARevocation(t *testing.T) {
	for _, server := range servers()[:2] {
		for _, absent := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, without a consent: %v", server.name, absent), func(t *testing.T) {
				db := server.open(t)
				s, prefix := fresh(t, db, server.dialect)
				at := now()
				require.NoError(t, s.CreateGrant(t.Context(), newGrant("user_1", "app_1", at)))
				hold := "select * from " + prefix + "consents for update"
				if absent {
					// The revocation has looked for consents and waits for the
					// grant that is there.
					_, err := db.Exec("delete from " + prefix + "consents")
					require.NoError(t, err)
					hold = "select * from " + prefix + "grants for update"
				}
				holder, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted}) // locks no gaps
				require.NoError(t, err)
				_, err = holder.Exec(hold)
				require.NoError(t, err)

				n := newGrant("user_1", "app_1", at)
				var wg sync.WaitGroup
				create := func() { wg.Go(func() { require.NoError(t, s.CreateGrant(t.Context(), n)) }) }
				revoke := func() {
					wg.Go(func() {
						_, err := s.RevokeGrants(t.Context(), store.GrantFilter{UserID: "user_1"}, at)
						require.NoError(t, err)
					})
				}
				first, second := create, revoke
				if absent {
					first, second = revoke, create
				}
				first()
				time.Sleep(200 * time.Millisecond) // until it waits for the row
				second()
				time.Sleep(200 * time.Millisecond)
				require.NoError(t, holder.Commit())
				wg.Wait()

				_, live, err := s.ListGrants(t.Context(), store.GrantQuery{GrantFilter: store.GrantFilter{ID: n.Grant.ID}})
				require.NoError(t, err)
				_, err = s.FindConsent(t.Context(), "user_1", "app_1")
				require.Equal(t, live == 1, err == nil, "the grant lives: %d; its consent: %v", live, err)
			})
		}
	}
}

// Several processes share one file of SQLite, and the host has set no time to
// wait for its lock.
func TestSQLiteSharedByProcesses(t *testing.T) {
	for _, driver := range []string{"sqlite", "sqlite3"} {
		t.Run(driver, func(t *testing.T) {
			file := t.TempDir() + "/shared.db"
			var stores []*sqlstore.Store
			for range 3 {
				db, err := sql.Open(driver, "file:"+file)
				require.NoError(t, err)
				t.Cleanup(func() { db.Close() })
				s, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{})
				require.NoError(t, err)
				require.NoError(t, s.Migrate(t.Context()))
				stores = append(stores, s)
			}
			at := now()
			for round := range 10 {
				n := newGrant(fmt.Sprint("user_", round), "app_1", at)
				require.NoError(t, stores[0].CreateGrant(t.Context(), n))
				redeem := redemption(n, at)
				_, err := stores[1].RedeemCode(t.Context(), redeem)
				require.NoError(t, err)
				issued, errs := make([]store.Issued, 12), make([]error, 12)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() {
						r := rotation(store.Key{GrantID: n.Grant.ID, Hash: redeem.Refresh.Hash}, "app_1", at)
						issued[i], errs[i] = stores[i%len(stores)].RotateRefresh(t.Context(), r)
					})
				}
				wg.Wait()
				rotated := 0
				for i := range errs {
					require.NoError(t, errs[i])
					require.Equal(t, issued[0].Salt, issued[i].Salt)
					if !issued[i].Retried {
						rotated++
					}
				}
				require.Equal(t, 1, rotated)
			}
		})
	}
}

// Another step has a device in hand that has expired: the cleanup waits for it,
// as fewer than the limit means that none is left. If it was another cleanup,
// the next device goes instead.
func TestCleanupOfDevicesMissesNone(t *testing.T) {
	for _, server := range servers()[:2] {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			s, prefix := fresh(t, db, server.dialect)
			at := now()
			byUserCode := map[sqlstore.Dialect]string{sqlstore.Postgres: "user_code = $1", sqlstore.MySQL: "user_code = ?"}[server.dialect]
			for _, held := range []struct {
				by    string
				limit int // and how many are deleted
			}{
				{"select 1 from " + prefix + "devices where " + byUserCode + " for update", 2},
				{"delete from " + prefix + "devices where " + byUserCode, 1},
			} {
				first, second := newDevice(at), newDevice(at)
				second.ExpiresAt = first.ExpiresAt.Add(time.Second)
				require.NoError(t, s.CreateDevice(t.Context(), first))
				require.NoError(t, s.CreateDevice(t.Context(), second))
				holder, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
				require.NoError(t, err)
				_, err = holder.Exec(held.by, first.UserCode[:])
				require.NoError(t, err)

				var wg sync.WaitGroup
				wg.Go(func() {
					deleted, err := s.DeleteDevices(t.Context(), second.ExpiresAt, held.limit)
					assert.NoError(t, err)
					assert.Equal(t, held.limit, deleted, "how many went while somebody held a device by %q", held.by)
				})
				time.Sleep(200 * time.Millisecond) // until it waits for the row
				require.NoError(t, holder.Commit())
				wg.Wait()
				for _, d := range []store.Device{first, second} {
					_, err := s.FindDevice(t.Context(), d.UserCode)
					require.ErrorIs(t, err, store.ErrNotFound)
				}
			}
		})
	}
}
