//go:build !race

package drivers_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// The limit for a step with many documents, as a multiple of its time with a
// thousand.
const (
	maxRatio = 1.25

	// A sweep deletes a thousand records, each from the leaves of deeper indexes,
	// which no other record shares.
	maxSweepRatio = 1.5
	fewerKept     = 1000
)

// Each step costs the same in a store of a thousand documents and in one of a
// million. The two take turns, and each works on a thousand documents, so that
// the caches hold as much of one as of the other.
func TestSizeOfStore(t *testing.T) {
	documents := size(t)
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) { compareSides(t, server, server.dsn(t), documents) })
	}
}

func compareSides(t *testing.T, server server, dsn string, documents int) {
	few := newSide(t, server, dsn, fewerKept)
	many := newSide(t, server, dsn, documents)
	took := map[string]*[2][]time.Duration{}
	var names []string
	for try := range 3 {
		names = measureSides(t, took, few, many)
		if try == 2 || len(slowerSteps(took)) == 0 {
			break
		}
	}
	for _, name := range names {
		t.Logf("%-32s %6d and %6d µs: %.2f", name, quick(took[name][0]).Microseconds(), quick(took[name][1]).Microseconds(), ratio(took[name]))
	}
	compareReads(t, few, many)
	require.Empty(t, slowerSteps(took), "the steps that take over %v × what they take with %d documents", maxRatio, fewerKept)
}

// slowerSteps returns the names of the steps that take too long.
func slowerSteps(took map[string]*[2][]time.Duration) (names []string) {
	for name, of := range took {
		most := maxRatio
		if strings.HasPrefix(name, "Sweep of") {
			most = maxSweepRatio
		}
		if ratio(of) > most {
			names = append(names, fmt.Sprintf("%s: %.2f", name, ratio(of)))
		}
	}
	return names
}

// quick returns the 10th percentile: the calls that nothing else on the machine
// disturbed.
func quick(of []time.Duration) time.Duration {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/10]
}

func median(of []time.Duration) time.Duration {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

func ratio(of *[2][]time.Duration) float64 { return float64(quick(of[1])) / float64(quick(of[0])) }

// A side is a store with many documents, or with few.
type side struct {
	*sqlstore.Store
	db        *sql.DB
	dialect   sqlstore.Dialect
	prefix    string
	log       *log
	documents int
	at        time.Time
	hot       []store.Document // the documents that steps work on
	calls     int
}

func newSide(t *testing.T, server server, dsn string, documents int) *side {
	t.Helper()
	db := connect(t, server.driver, dsn)
	_, prefix := fresh(t, db, server.dialect)
	began, at := time.Now(), now()
	fill(t, db, server.dialect, prefix, at, million(documents))
	analyze(t, db, server.dialect, prefix)
	t.Logf("%d documents in %v", documents, time.Since(began).Round(time.Millisecond))
	spy, log := spied(t, db, dsn)
	spy.SetMaxOpenConns(1)
	s := &side{Store: open(t, spy, server.dialect, prefix), db: spy, dialect: server.dialect, prefix: prefix, log: log, documents: documents, at: at}
	for i := range fewerKept {
		s.hot = append(s.hot, newGrant(s.user(i), filledApplication(i%20), at.Add(-time.Duration(i)*time.Hour)))
		if i%2 == 0 {
			s.hot[i].WorkspaceID = "hot"
		}
		require.NoError(t, s.Create(t.Context(), s.hot[i]))
	}
	return s
}

// user returns one of 50 users, who are far apart in the index. Both sides have
// the same number of documents of each.
func (s *side) user(i int) string {
	return filledUser(i%50*million(s.documents).users/50) + "_hot"
}

// steps returns what is measured. Each call works on other documents.
func (s *side) steps(ctx context.Context) []step {
	s.calls++
	i := s.calls * 37 % len(s.hot)
	hot, made := &s.hot[i], newGrant(s.user(s.calls), filledApplication(s.calls%20), s.at)
	list := func(name string, q store.Query) step {
		q.Kind, q.Limit = store.KindGrant, 20
		return step{"List " + name, 1, func() error { _, _, err := s.List(ctx, q); return err }}
	}
	middle := store.Cursor{CreatedAt: s.at.Add(-time.Duration(s.documents/2) * time.Microsecond), ID: store.NewID(s.at, "")}
	crowd := filledApplication(0)
	return []step{
		{"Create", 1, func() error { return s.Create(ctx, made) }},
		{"Find", 1, func() error { _, _, err := s.Find(ctx, hot.ID); return err }},
		{"FindConsent", 1, func() error { _, _, err := s.FindConsent(ctx, hot.UserID, crowd, ""); return err }},
		{"Replace, a rotation", 1, func() error {
			after := next(*hot)
			after.LastUsedAt = after.LastUsedAt.Add(time.Minute)
			err := s.Replace(ctx, after, hot.Mark)
			*hot = after
			return err
		}},
		{"End", 1, func() error { return s.End(ctx, made.ID, s.at, s.at.Add(time.Hour)) }},
		{"CutOff of a user", 1, func() error {
			return s.CutOff(ctx, store.CutKey{UserID: fmt.Sprint("gone ", s.calls)}, store.CutNumber(s.at))
		}},
		{"CutOff of an application", 1, func() error { return s.CutOff(ctx, store.CutKey{ApplicationID: "gone"}, store.CutNumber(s.at)) }},
		list("of a user", store.Query{UserID: made.UserID}),
		list("of the crowd's application", store.Query{ApplicationID: crowd}),
		list("of it, from the middle", store.Query{ApplicationID: crowd, After: middle}),
		list("of it and a user", store.Query{ApplicationID: crowd, UserID: made.UserID}),
		list("of a workspace", store.Query{WorkspaceID: "hot"}),
		{"Sweep with nothing due", 25, func() error { _, err := s.Sweep(ctx, s.at.Add(-time.Hour), 1000); return err }},
	}
}

// measureSides adds the time of the steps on each side, by name, and returns
// the names in order.
func measureSides(t *testing.T, took map[string]*[2][]time.Duration, sides ...*side) (names []string) {
	const rounds, sweeps = 80, 3
	note := func(round int, of func(s *side) []step) {
		names = nil
		both := [2][]step{of(sides[0]), of(sides[1])}
		for n := range both[0] {
			for turn := range both {
				k := (turn + round) % 2 // Alternate which side comes first.
				step := both[k][n]
				began := time.Now()
				require.NoError(t, step.run(), step.name)
				if took[step.name] == nil {
					took[step.name] = &[2][]time.Duration{}
				}
				took[step.name][k] = append(took[step.name][k], time.Since(began))
			}
			names = append(names, both[0][n].name)
		}
	}
	clear(took)
	for round := range rounds {
		note(round, func(s *side) []step { return s.steps(t.Context()) })
	}
	named := names
	for round := range sweeps {
		for _, s := range sides {
			s.makeDue(t, 1000)
		}
		note(round, func(s *side) []step {
			return []step{s.sweepDue(t)}
		})
	}
	return append(named, names...)
}

// sweepDue sweeps what makeDue created.
func (s *side) sweepDue(t *testing.T) step {
	return step{"Sweep of 1000", 1, func() error {
		n, err := s.Sweep(t.Context(), s.at.Add(time.Minute), 1000)
		if err == nil {
			require.Equal(t, 1000, n)
		}
		return err
	}}
}

// makeDue adds due documents, of all users in turn.
func (s *side) makeDue(t *testing.T, n int) {
	t.Helper()
	f := million(s.documents)
	f.first, f.documents, f.due, f.cuts = 10_000_000, n, n, 0
	fill(t, s.db, s.dialect, s.prefix, s.at, f)
	s.log.take()
}

// compareReads checks that each step sends as many statements on both sides,
// and reads as much.
func compareReads(t *testing.T, few, many *side) {
	sides := []*side{few, many}
	both := [2][]step{}
	for k, s := range sides {
		s.makeDue(t, 1000)
		both[k] = append(s.steps(t.Context()), s.sweepDue(t))
	}
	for n, step := range both[0] {
		var read, statements [2]int
		for k, s := range sides {
			read[k], statements[k] = s.reads(t, both[k][n])
		}
		t.Logf("%-32s %d and %d statements, reads %5d and %5d", step.name, statements[0], statements[1], read[0], read[1])
		require.LessOrEqual(t, statements[1], step.statements, "the statements of %s", step.name)
		require.LessOrEqual(t, float64(read[1]), float64(read[0])*maxRatio+deeper, "what %s reads", step.name)
	}
}

// deeper is how many more pages a step may read because indexes are deeper. A
// step uses at most six, and looks up to 20 times into one of them.
const deeper = 20

var (
	buffers  = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)
	handlers = regexp.MustCompile(`Value=(\d+)`)
)

// reads runs a step and returns how many pages PostgreSQL reads for it, or how
// many rows MariaDB reads, and how many statements were sent. SQLite doesn't
// tell.
func (s *side) reads(t *testing.T, step step) (read, statements int) {
	t.Helper()
	if s.dialect == sqlstore.Postgres {
		s.log.hold(true)
		err := step.run()
		s.log.hold(false)
		if err != nil {
			require.ErrorIs(t, err, errHeld, step.name)
		}
		sent := s.log.take()
		for _, one := range sent {
			plan := postgresPlan(t, s.db, one, "force_generic_plan", "explain (analyze, buffers)")
			found := buffers.FindStringSubmatch(plan)
			require.NotNil(t, found, plan)
			read += number(found[1]) + number(found[2])
		}
		s.log.take()
		return read, len(sent)
	}
	count := func() (n int) {
		if s.dialect != sqlstore.MySQL {
			return 0
		}
		for _, found := range handlers.FindAllStringSubmatch(query(t, s.db, "show session status like 'Handler_read%'"), -1) {
			n += number(found[1])
		}
		s.log.take()
		return n
	}
	before := count()
	s.log.take()
	require.NoError(t, step.run(), step.name)
	statements = len(s.log.take())
	return count() - before, statements
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func (l *log) hold(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
}
