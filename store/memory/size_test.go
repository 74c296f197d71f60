//go:build !race

package memory_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// No step may get slower as the store grows. The test compares a store with a
// thousand grants and one with as many as LATCHKEY_SIZE says; "make size" says
// a million. The two take turns, and each works on a thousand grants. Only the
// depth of an index may cost more, because each level is likely a cache miss. A
// plain map with the same grants shows how much of it is cache misses.
func TestSizeOfStore(t *testing.T) {
	const few, maxRatio, slack = 1000, 7, 250 * time.Nanosecond
	if os.Getenv("LATCHKEY_SIZE") == "" {
		t.Skip(`it takes minutes: "make size" runs it`)
	}
	many, err := strconv.Atoi(os.Getenv("LATCHKEY_SIZE"))
	require.NoError(t, err, "LATCHKEY_SIZE")
	sides := [2]*grown{grow(t, few), grow(t, many)}
	var slow []string
	for range 3 {
		slow = nil
		took := compare(t, [2]steps{sides[0].steps, sides[1].steps})
		compare(t, [2]steps{sides[0].bareSteps, sides[1].bareSteps})
		for name, of := range took {
			if float64(of[1]) > maxRatio*float64(of[0])+float64(slack) {
				slow = append(slow, fmt.Sprintf("%s: %v and %v", name, of[0], of[1]))
			}
		}
		if slow == nil {
			return
		}
	}
	require.Empty(t, slow, "the steps that take over %v × what they take with %d grants", maxRatio, few)
}

// compare runs the steps of two sides and returns the 10th percentile of the
// time of one call, by step.
func compare(t *testing.T, sides [2]steps) map[string][2]time.Duration {
	all, quick := map[string]*[2][]time.Duration{}, map[string][2]time.Duration{}
	var names []string
	for round := range 600 {
		names = nil
		for turn := range sides {
			k := (turn + round) % 2 // Alternate which side comes first.
			for _, step := range sides[k](t.Context()) {
				began := time.Now()
				err := step.run()
				now := time.Since(began)
				require.NoError(t, err, step.name)
				if all[step.name] == nil {
					all[step.name] = &[2][]time.Duration{}
				}
				all[step.name][k] = append(all[step.name][k], now)
				if turn == 0 {
					names = append(names, step.name)
				}
			}
		}
	}
	for _, name := range names {
		var fast, mid [2]time.Duration
		for k, of := range all[name] {
			slices.Sort(of)
			fast[k], mid[k] = of[len(of)/10], of[len(of)/2]
		}
		quick[name] = fast
		t.Logf("%-28s %8v and %8v: %.2f; median %8v and %8v: %.2f", name, fast[0], fast[1], float64(fast[1])/float64(fast[0]), mid[0], mid[1], float64(mid[1])/float64(mid[0]))
	}
	return quick
}

// grown is a store with many grants, or with few. Half of them belong to one
// application.
type grown struct {
	*memory.Store
	bare  map[store.ID]*store.Document
	at    time.Time
	hot   []store.Document
	calls int
}

func grow(t *testing.T, n int) *grown {
	g := &grown{Store: memory.New(), at: time.Now().UTC()}
	before := heap()
	for i := range n {
		d := g.grant(i)
		if i%(n/1000) == 0 {
			g.hot = append(g.hot, d)
		}
		require.NoError(t, g.Create(t.Context(), d))
	}
	t.Logf("%d grants: %d bytes each", n, (heap()-before)/uint64(n))
	runtime.KeepAlive(g)
	g.bare = map[store.ID]*store.Document{}
	for i := range n {
		d := g.grant(i)
		if i%(n/1000) == 0 {
			d = g.hot[i/(n/1000)]
		}
		g.bare[d.ID] = &d
	}
	return g
}

// grant returns grant i: one of a user's ten, older the greater i is.
func (g *grown) grant(i int) store.Document {
	d := newGrant(fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", i/10*7919%1_000_000), g.at.Add(-time.Duration(i)*time.Millisecond))
	if i%2 == 0 {
		d.ApplicationID = fmt.Sprint("app_", 1+i/2%19)
	}
	return d
}

type steps func(context.Context) []sizeStep

type sizeStep struct {
	name string
	run  func() error
}

// bareSteps are the steps of a map, for comparison.
func (g *grown) bareSteps(context.Context) []sizeStep {
	g.calls++
	hot := &g.hot[g.calls*37%len(g.hot)]
	made := newGrant(hot.UserID, g.at.Add(time.Duration(g.calls)*time.Millisecond))
	return []sizeStep{
		{"Bare map: set", func() error { g.bare[made.ID] = &made; return nil }},
		{"Bare map: get", func() error { found = *g.bare[hot.ID]; return nil }},
	}
}

var found store.Document

// steps returns what is measured. Each call works on other grants.
func (g *grown) steps(ctx context.Context) []sizeStep {
	g.calls++
	hot := &g.hot[g.calls*37%len(g.hot)]
	made := newGrant(hot.UserID, g.at.Add(time.Duration(g.calls)*time.Millisecond))
	list := func(name string, q store.Query) sizeStep {
		q.Kind, q.Limit = store.KindGrant, 10
		return sizeStep{"List " + name, func() error { _, _, err := g.List(ctx, q); return err }}
	}
	return []sizeStep{
		{"Create", func() error { return g.Create(ctx, made) }},
		{"Find", func() error { _, _, err := g.Find(ctx, hot.ID); return err }},
		{"FindConsent", func() error { _, _, err := g.FindConsent(ctx, hot.UserID, "app_1", ""); return err }},
		{"Replace, a rotation", func() error { mark := write(hot, refreshed); return g.Replace(ctx, *hot, mark) }},
		{"End", func() error { return g.End(ctx, made.ID, g.at, g.at.Add(-time.Hour)) }},
		{"CutOff of a user", func() error { return g.CutOff(ctx, store.CutKey{UserID: "gone"}, store.CutNumber(g.at)) }},
		{"CutOff of an application", func() error { return g.CutOff(ctx, store.CutKey{ApplicationID: "gone"}, store.CutNumber(g.at)) }},
		list("of a user", store.Query{UserID: hot.UserID}),
		list("of an application", store.Query{ApplicationID: made.ApplicationID}),
		list("of it, from the middle", store.Query{ApplicationID: made.ApplicationID, After: store.Cursor{CreatedAt: hot.CreatedAt, ID: hot.ID}}),
		{"Sweep with nothing due", func() error { _, err := g.Sweep(ctx, g.at.Add(-2*time.Hour), 1000); return err }},
		{"Sweep of one", func() error { _, err := g.Sweep(ctx, g.at, 1); return err }},
	}
}
