package drivertest_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// BenchmarkScale fills stores of several sizes with live grants and measures
// the steps of the hot paths on grants from the whole of each, in one
// goroutine. LATCHKEY_SCALE has the sizes, such as 10000,100000,1000000. Run it
// with -benchtime 1x, as it does a number of operations of its own.
//
// The sizes take turns, so that whatever else the machine does meanwhile slows
// all of them, and each step counts by its median.
func BenchmarkScale(b *testing.B) {
	for _, server := range []server{
		{"postgres", sqlstore.Postgres, func(t testing.TB) *sql.DB { return connect(t, "pgx", postgresURL()) }},
		{"sqlite", sqlstore.SQLite, func(t testing.TB) *sql.DB {
			return sqliteFile(t, "sqlite3", "?_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000")
		}},
	} {
		b.Run(server.name, func(b *testing.B) {
			at := time.Now().UTC().Truncate(time.Microsecond)
			var filled []*filledStore
			for size := range strings.SplitSeq(env("LATCHKEY_SCALE", "1000,10000"), ",") {
				n, err := strconv.Atoi(size)
				require.NoError(b, err)
				db := server.open(b)
				s, prefix := fresh(b, db, server.dialect)
				fill(b, db, server.dialect, prefix, 1, n+1, at)
				filled = append(filled, &filledStore{s, n, map[string][]time.Duration{}})
				b.ReportMetric(float64(sizeOf(b, db, server.dialect, prefix))/float64(n), "B/grant@"+size)
			}
			for range b.N {
				for range 20 {
					for _, s := range filled {
						s.measure(b, at)
					}
				}
			}
			for _, s := range filled {
				for name, took := range s.took {
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/"+name+"@"+strconv.Itoa(s.n))
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A filledStore has the grants 1 to n, and how long the steps on it took.
type filledStore struct {
	*sqlstore.Store
	n    int
	took map[string][]time.Duration
}

// measure does each step a number of times.
func (s *filledStore) measure(b *testing.B, at time.Time) {
	ctx := context.Background()
	for i := range 100 {
		n := newGrant(filledUser(rand.IntN(s.n)), filledApplication(i), at)
		s.time(b, "authorize", func() error { return s.CreateGrant(ctx, n) })
		r := redemption(n, at)
		s.time(b, "token", func() error { _, err := s.RedeemCode(ctx, r); return err })
		g := 1 + rand.IntN(s.n)
		refresh := rotation(refreshOf(g), filledApplication(g), at)
		s.time(b, "refresh", func() error {
			_, err := s.RotateRefresh(ctx, refresh)
			if errors.Is(err, store.ErrReused) || errors.Is(err, store.ErrRevoked) {
				err = nil // The grant has had its turn.
			}
			return err
		})
		key := accessOf(1 + rand.IntN(s.n))
		s.time(b, "userinfo", func() error { _, _, err := s.FindToken(ctx, key); return err })
	}
}

func (s *filledStore) time(b *testing.B, name string, step func() error) {
	began := time.Now()
	if err := step(); err != nil {
		b.Fatal(err)
	}
	s.took[name] = append(s.took[name], time.Since(began))
}

// sizeOf returns how many bytes the store takes.
func sizeOf(b *testing.B, db *sql.DB, d sqlstore.Dialect, prefix string) (bytes int64) {
	b.Helper()
	if d == sqlstore.SQLite {
		require.NoError(b, db.QueryRow("select page_count * page_size from pragma_page_count, pragma_page_size").Scan(&bytes))
		return bytes
	}
	for _, table := range tables {
		var size int64
		require.NoError(b, db.QueryRow("select pg_total_relation_size('"+prefix+table+"')").Scan(&size))
		bytes += size
	}
	return bytes
}
