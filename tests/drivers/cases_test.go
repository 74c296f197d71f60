package drivers_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// The following cases occur in the conformance suite only by chance, or concern
// a database.

const day = 24 * time.Hour

// A due document is swept even if another transaction holds it: a count below
// the limit means that nothing is left. If another sweep held it, the next
// document is removed instead.
func TestSweepMissesNone(t *testing.T) {
	for _, server := range servers()[:2] {
		t.Run(server.name, func(t *testing.T) {
			db := server.open(t)
			s, prefix := fresh(t, db, server.dialect)
			at := now()
			for _, held := range []struct {
				by     string
				limit  int
				swept  int
				remain int
			}{
				{"select 1 from %sdocuments where mark = %d for update", 2, 2, 0},
				{"delete from %sdocuments where mark = %d", 2, 1, 0},
				{"update %sdocuments set sweep_at = null where mark = %d", 2, 1, 1},
			} {
				first, second := newGrant("user_1", "app_1", at), newGrant("user_1", "app_1", at)
				first.SweepAt, second.SweepAt = at.Add(-time.Second), at
				require.NoError(t, s.Create(t.Context(), first))
				require.NoError(t, s.Create(t.Context(), second))
				holder, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
				require.NoError(t, err)
				_, err = holder.Exec(fmt.Sprintf(held.by, prefix, first.Mark))
				require.NoError(t, err)

				var wg sync.WaitGroup
				wg.Go(func() {
					n, err := s.Sweep(t.Context(), at, held.limit)
					assert.NoError(t, err)
					assert.Equal(t, held.swept, n, "how many were swept while %q held one", held.by)
				})
				time.Sleep(200 * time.Millisecond) // until the sweep waits for the row
				require.NoError(t, holder.Commit())
				wg.Wait()
				var left int
				require.NoError(t, db.QueryRow("select count(*) from "+prefix+"documents").Scan(&left))
				require.Equal(t, held.remain, left, "how many are left after %q held one", held.by)
			}
		})
	}
}

// The user allows a consent again that was cut off, while a sweep removes it:
// it is either removed, or live with its new content.
func TestSweepDuringADecision(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, _ := fresh(t, db, server.dialect)
		at := now()
		replaced := 0
		for round := range 100 {
			key := store.CutKey{UserID: fmt.Sprint("user_", round)}
			dead := newConsent(key.UserID, "app_1", at)
			require.NoError(t, s.Create(t.Context(), dead))
			require.NoError(t, s.CutOff(t.Context(), key, store.CutNumber(at)))
			given := next(dead)
			given.Seen[key.Index()] = store.CutNumber(at)

			var err error
			var wg sync.WaitGroup
			wg.Go(func() {
				time.Sleep(rand.N(3 * time.Millisecond)) // about as long as the sweep needs to get there
				err = s.Replace(t.Context(), given, dead.Mark)
			})
			wg.Go(func() {
				_, err := s.Sweep(t.Context(), at.Add(25*time.Hour), 100)
				assert.NoError(t, err)
			})
			wg.Wait()
			_, _, found := s.Find(t.Context(), dead.ID)
			if errors.Is(err, store.ErrConflict) {
				require.ErrorIs(t, found, store.ErrNotFound)
				continue
			}
			require.NoError(t, err)
			require.NoError(t, found, "finding the consent that was given again")
			replaced++
		}
		t.Logf("%d of 100 were given again", replaced)
	})
}

// Many live documents under a cut-off hide no dead ones from a sweep, and many
// cut-offs that must stay hide none that can go.
func TestSweepBehindTheLiving(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, _ := fresh(t, db, server.dialect)
		at := now()
		app := store.CutKey{ApplicationID: "app_1"}
		number := store.CutNumber(at)
		create := func(userID string, created time.Time, seen int64) store.Document {
			d := newConsent(userID, "app_1", created)
			d.Seen[app.Index()] = seen
			require.NoError(t, s.Create(t.Context(), d))
			return d
		}
		for i := range 250 {
			create(fmt.Sprint("early_", i), at.Add(-time.Hour), number)
			create(fmt.Sprint("late_", i), at.Add(time.Hour), number)
		}
		dead := create("user_1", at.Add(-time.Minute), 0)
		require.NoError(t, s.CutOff(t.Context(), app, number))
		n, err := s.Sweep(t.Context(), at.Add(day), 100)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, _, err = s.Find(t.Context(), dead.ID)
		require.ErrorIs(t, err, store.ErrNotFound)

		for i := range 100 {
			key := store.CutKey{UserID: fmt.Sprint("early_", i)}
			require.NoError(t, s.CutOff(t.Context(), key, number))
			d, _, err := s.FindConsent(t.Context(), key.UserID, "app_1", "")
			require.NoError(t, err)
			given := next(d)
			given.Seen[key.Index()] = number
			require.NoError(t, s.Replace(t.Context(), given, d.Mark))
		}
		require.NoError(t, s.CutOff(t.Context(), store.CutKey{UserID: "nobody"}, number))
		swept := 0
		for i := range 10 {
			n, err := s.Sweep(t.Context(), at.Add(day+time.Duration(i)*time.Minute), 100)
			require.NoError(t, err)
			swept += n
		}
		require.Equal(t, 1, swept)
	})
}

// Nothing keeps a document from ending, at any isolation level.
func TestEndDuringReplacements(t *testing.T) {
	for _, server := range append(servers(),
		server{"postgres at serializable", sqlstore.Postgres, "pgx", func(testing.TB) string { return postgresURL("default_transaction_isolation=serializable") }},
	) {
		t.Run(server.name, func(t *testing.T) {
			s, _ := fresh(t, server.open(t), server.dialect)
			at := now()
			for range 5 {
				d := newGrant("user_1", "app_1", at)
				require.NoError(t, s.Create(t.Context(), d))
				ended := atomic.Bool{}
				var wg sync.WaitGroup
				for range 6 {
					wg.Go(func() {
						for {
							kept, _, err := s.Find(t.Context(), d.ID)
							if err == nil {
								err = s.Replace(t.Context(), next(kept), kept.Mark)
							}
							if errors.Is(err, store.ErrConflict) && ended.Load() {
								return
							}
							if err != nil && !errors.Is(err, store.ErrConflict) {
								t.Error(err)
								return
							}
						}
					})
				}
				time.Sleep(20 * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				err := s.End(ctx, d.ID, at, at.Add(time.Hour))
				cancel()
				ended.Store(true)
				wg.Wait()
				require.NoError(t, err)
				kept, _, err := s.Find(t.Context(), d.ID)
				require.NoError(t, err)
				require.Equal(t, at, kept.EndedAt)
			}
		})
	}
}

// MySQL gives up a statement that waits too long for a row. It had no effect,
// so the store tries again.
func TestMySQLWaitsOn(t *testing.T) {
	db := connect(t, "mysql", mysqlDSN("innodb_lock_wait_timeout=1"))
	s, prefix := fresh(t, db, sqlstore.MySQL)
	d := newGrant("user_1", "app_1", now())
	require.NoError(t, s.Create(t.Context(), d))
	holder, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = holder.Exec("select 1 from " + prefix + "documents for update")
	require.NoError(t, err)
	time.AfterFunc(1500*time.Millisecond, func() { holder.Rollback() })
	require.NoError(t, s.Replace(t.Context(), next(d), d.Mark))
}

// Several instances of a program share a database. With SQLite these are
// processes that share a file, and the host has set no busy timeout.
func TestInstances(t *testing.T) {
	for _, server := range append(servers(),
		sqlite3,
	) {
		t.Run(server.name, func(t *testing.T) {
			dsn := server.dsn(t)
			first, prefix := fresh(t, connect(t, server.driver, dsn), server.dialect)
			instances := []*sqlstore.Store{first}
			for range 2 {
				instances = append(instances, open(t, connect(t, server.driver, dsn), server.dialect, prefix))
			}
			d := newGrant("user_1", "app_1", now())
			require.NoError(t, instances[0].Create(t.Context(), d))
			for range 10 {
				d, _, err := instances[1].Find(t.Context(), d.ID)
				require.NoError(t, err)
				marks := make(chan int64, 12)
				var wg sync.WaitGroup
				for i := range cap(marks) {
					wg.Go(func() {
						mine := next(d)
						switch err := instances[i%3].Replace(t.Context(), mine, d.Mark); {
						case err == nil:
							marks <- mine.Mark
						case !errors.Is(err, store.ErrConflict):
							t.Error(err)
						}
					})
				}
				wg.Wait()
				require.Len(t, marks, 1, "how many racers succeeded")
				kept, _, err := instances[2].Find(t.Context(), d.ID)
				require.NoError(t, err)
				require.Equal(t, <-marks, kept.Mark)
			}
			for i, s := range instances {
				require.NoError(t, s.CutOff(t.Context(), store.CutKey{}, 5))
				for _, other := range instances {
					_, cuts, err := other.Find(t.Context(), d.ID)
					require.NoError(t, err)
					require.EqualValues(t, 5+i, cuts[0])
				}
			}
		})
	}
}

// A host deletes a user, the user's sign-ins, and an application in one commit,
// or none of them.
func TestInTransaction(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, prefix := fresh(t, db, server.dialect)
		users := prefix + "users"
		_, err := db.Exec("create table " + users + " (id integer primary key)")
		require.NoError(t, err)
		defer db.Exec("drop table " + users)
		_, err = db.Exec("insert into " + users + " values (1)")
		require.NoError(t, err)
		app := store.Application{ID: "app_1", ClientID: "client_1", OwnerID: "1"}
		require.NoError(t, s.CreateApplication(t.Context(), app))
		grant := newGrant("1", "app_1", now())
		require.NoError(t, s.Create(t.Context(), grant))

		state := func() (left int, cut bool, err error) {
			require.NoError(t, db.QueryRow("select count(*) from "+users).Scan(&left))
			_, cuts, found := s.Find(t.Context(), grant.ID)
			require.NoError(t, found)
			_, err = s.FindApplication(t.Context(), app.ID)
			return left, cuts.Exceed(&grant.Seen), err
		}
		for _, commits := range []bool{false, true} {
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.Exec("delete from " + users)
			require.NoError(t, err)
			in := s.In(tx)
			require.NoError(t, in.CutOff(t.Context(), store.CutKey{UserID: "1"}, store.CutForever(now())))
			require.ErrorIs(t, in.CreateApplication(t.Context(), app), store.ErrExists) // and the transaction can continue
			require.NoError(t, in.DeleteApplication(t.Context(), app.ID))
			_, err = in.FindApplication(t.Context(), app.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			if commits {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
			}
			left, cut, err := state()
			require.Equal(t, commits, left == 0)
			require.Equal(t, commits, cut)
			require.Equal(t, commits, errors.Is(err, store.ErrNotFound), "got error %v", err)
		}
	})
}
