//go:build !race

package drivers_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// An application with half of all documents is cut off, listed, and swept,
// while other users sign in and refresh. Sweeping the last documents takes
// little longer than sweeping the first, although deleted rows stay in
// PostgreSQL's indexes until a vacuum. If an old transaction keeps it from
// reclaiming them, each sweep reads over what the others removed. That is
// measured without a limit.
func TestSizeOfCrowd(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) { sweepCrowd(t, server, false) })
		if server.dialect == sqlstore.Postgres {
			t.Run(server.name+" during an old transaction", func(t *testing.T) { sweepCrowd(t, server, true) })
		}
	}
}

// maxSlowdown is how much longer the last sweeps may take than the first.
const maxSlowdown = 3

func sweepCrowd(t *testing.T, server server, old bool) {
	documents := size(t)
	db := server.open(t)
	s, prefix := fresh(t, db, server.dialect)
	at := now()
	fill(t, db, server.dialect, prefix, at, million(documents))
	analyze(t, db, server.dialect, prefix)
	report := func(when string) {
		t.Logf("%-24s %s", when, occupied(t, db, server.dialect, prefix))
	}
	report("filled")

	crowd := filledApplication(0)
	o := startOthers(t, s, at)
	time.Sleep(min(5*time.Second, time.Duration(documents)*50*time.Microsecond))
	if old {
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.Exec("select 1 from " + prefix + "documents limit 1")
		require.NoError(t, err)
	}

	o.enter("cut off and listed")
	began := time.Now()
	require.NoError(t, s.CutOff(t.Context(), store.CutKey{ApplicationID: crowd}, store.CutNumber(at.Add(-25*time.Hour))))
	t.Logf("cut off in %v", time.Since(began))
	pages := 0
	q := store.Query{Kind: store.KindGrant, ApplicationID: crowd, Limit: 1000}
	for began = time.Now(); pages == 0 || !q.After.IsZero(); pages++ {
		page, next, err := s.List(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, page, "documents listed after the cut-off")
		q.After = next
	}
	require.GreaterOrEqual(t, pages, documents/2/q.Limit)
	t.Logf("listed in %d pages and %v", pages, time.Since(began))

	o.enter("swept")
	var took []time.Duration
	began = time.Now()
	for n := 1000; n == 1000; {
		each := time.Now()
		var err error
		n, err = s.Sweep(t.Context(), at, 1000)
		require.NoError(t, err)
		took = append(took, time.Since(each))
	}
	all := time.Since(began)
	o.enter("afterwards")
	time.Sleep(200 * time.Millisecond)
	o.stop(t)
	report("swept")
	left := 0
	require.NoError(t, db.QueryRow(fmt.Sprintf("select count(*) from %sdocuments where application_id = '%s'", prefix, crowd)).Scan(&left))
	require.Zero(t, left, "remaining documents of the application")

	tenth := max(1, len(took)/10)
	first, last := median(took[:tenth]), median(took[len(took)-1-tenth:len(took)-1])
	t.Logf("swept in %v by %d calls: the first tenth took %v each, the last %v", all, len(took), first, last)
	if !old {
		require.LessOrEqual(t, last, maxSlowdown*first+20*time.Millisecond, "the last sweeps compared with the first")
	}
	for name, step := range map[string]func() error{
		"a page of the application": func() error {
			_, _, err := s.List(t.Context(), store.Query{Kind: store.KindGrant, ApplicationID: crowd, Limit: 20})
			return err
		},
		"a sweep of nothing": func() error { _, err := s.Sweep(t.Context(), at, 1000); return err },
	} {
		began := time.Now()
		require.NoError(t, step())
		first := time.Since(began)
		began = time.Now()
		require.NoError(t, step())
		t.Logf("%s afterwards: %v, and again %v", name, first, time.Since(began))
	}
}

// occupied returns how much space the documents take, and what a database knows
// about deleted ones.
func occupied(t *testing.T, db *sql.DB, d sqlstore.Dialect, prefix string) string {
	t.Helper()
	text := map[sqlstore.Dialect]string{
		sqlstore.Postgres: `select pg_table_size('%[1]sdocuments') / 1000000 as table_mb, pg_indexes_size('%[1]sdocuments') / 1000000 as indexes_mb,
			n_live_tup as living, n_dead_tup as dead, autovacuum_count as vacuums from pg_stat_user_tables where relname = '%[1]sdocuments'`,
		sqlstore.MySQL: `select data_length div 1000000 as table_mb, index_length div 1000000 as indexes_mb, data_free div 1000000 as free_mb
			from information_schema.tables where table_schema = database() and table_name = '%[1]sdocuments'`,
		sqlstore.SQLite: `select page_count * page_size / 1000000 as mb, freelist_count * page_size / 1000000 as free_mb
			from pragma_page_count, pragma_page_size, pragma_freelist_count`,
	}[d]
	return query(t, db, strings.ReplaceAll(text, "%[1]s", prefix))
}

// others are users who sign in, are found, and refresh, in a loop.
type others struct {
	mu    sync.Mutex
	phase string
	order []string
	took  map[string][]time.Duration
	done  atomic.Bool
	wait  sync.WaitGroup
	err   error
}

func startOthers(t *testing.T, s store.Store, at time.Time) *others {
	o := &others{took: map[string][]time.Duration{}}
	o.enter("before")
	for w := range 4 {
		o.wait.Go(func() {
			for i := 0; !o.done.Load(); i++ {
				o.note(o.signIn(t.Context(), s, newGrant(fmt.Sprintf("other_%d_%d", w, i), filledApplication(1+i%19), at)))
			}
		})
	}
	t.Cleanup(func() { o.done.Store(true); o.wait.Wait() })
	return o
}

// signIn creates a grant, finds it, and rotates it.
func (o *others) signIn(ctx context.Context, s store.Store, d store.Document) error {
	for _, step := range []func() error{
		func() error { return s.Create(ctx, d) },
		func() error { _, _, err := s.Find(ctx, d.ID); return err },
		func() error { return s.Replace(ctx, next(d), d.Mark) },
	} {
		began := time.Now()
		if err := step(); err != nil {
			return err
		}
		took := time.Since(began)
		o.mu.Lock()
		o.took[o.phase] = append(o.took[o.phase], took)
		o.mu.Unlock()
	}
	return nil
}

func (o *others) note(err error) {
	if err != nil && !o.done.Load() {
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
}

func (o *others) enter(phase string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase = phase
	o.order = append(o.order, phase)
}

// stop ends the load and returns how long its requests took.
func (o *others) stop(t *testing.T) {
	o.done.Store(true)
	o.wait.Wait()
	require.NoError(t, o.err)
	for _, phase := range o.order {
		if took := slices.Sorted(slices.Values(o.took[phase])); len(took) > 0 {
			t.Logf("others, %-20s %7d calls: p50 %v, p99 %v, max %v", phase, len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
		}
	}
}
