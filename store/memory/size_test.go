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

// No step grows with the store: it is compared in one of a thousand grants and in
// one of as many as LATCHKEY_SIZE says. "make size" says a million. The two take
// turns, and each works on a thousand grants. What may grow is the depth of an
// index, each level of which is likely to be in no cache of the processor.
func TestSizeOfStore(t *testing.T) {
	const few, maxRatio, slack = 1000, 7, 250 * time.Nanosecond
	if os.Getenv("LATCHKEY_SIZE") == "" {
		t.Skip(`it takes minutes: "make size" runs it`)
	}
	many, err := strconv.Atoi(os.Getenv("LATCHKEY_SIZE"))
	require.NoError(t, err, "LATCHKEY_SIZE")
	sides := []*grown{grow(t, few), grow(t, many)}
	var slow []string
	for range 3 {
		slow = nil
		took := map[string]*[2][]time.Duration{}
		for round := range 600 {
			for turn := range sides {
				k := (turn + round) % 2 // Neither always comes first.
				for _, step := range sides[k].steps(t.Context()) {
					began := time.Now()
					err := step.run()
					now := time.Since(began)
					require.NoError(t, err, step.name)
					if took[step.name] == nil {
						took[step.name] = &[2][]time.Duration{}
					}
					took[step.name][k] = append(took[step.name][k], now)
				}
			}
		}
		for name, of := range took {
			of[0], of[1] = slices.Sorted(slices.Values(of[0])), slices.Sorted(slices.Values(of[1]))
			fast, fastMany := of[0][len(of[0])/10], of[1][len(of[1])/10]
			t.Logf("%-28s %8v and %8v: %.2f", name, fast, fastMany, float64(fastMany)/float64(fast))
			if float64(fastMany) > maxRatio*float64(fast)+float64(slack) {
				slow = append(slow, fmt.Sprintf("%s: %v and %v", name, fast, fastMany))
			}
		}
		if slow == nil {
			return
		}
	}
	require.Empty(t, slow, "the steps that take over %v × what they take with %d grants", maxRatio, few)
}

// grown is a store with many grants, or with few. Half of them are of one
// application.
type grown struct {
	*memory.Store
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
	return g
}

// grant returns grant i: one of a user's ten, the older the greater i is.
func (g *grown) grant(i int) store.Document {
	d := newGrant(fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", i/10*7919%1_000_000), g.at.Add(-time.Duration(i)*time.Millisecond))
	if i%2 == 0 {
		d.ApplicationID = fmt.Sprint("app_", 1+i/2%19)
	}
	return d
}

type sizeStep struct {
	name string
	run  func() error
}

// steps returns what is measured. Each call works on other grants.
func (g *grown) steps(ctx context.Context) []sizeStep {
	g.calls++
	hot := &g.hot[g.calls*37%len(g.hot)]
	made := newGrant(hot.UserID, g.at.Add(-time.Duration(g.calls)*time.Second))
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
