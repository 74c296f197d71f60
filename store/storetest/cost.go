package storetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// RunCost tests that no step gets slower as the store fills up. It compares a
// store that has 200 documents, nearly all of one user and one application,
// with the same store when it has 20,000. It calls open once, and takes
// minutes.
//
// It ignores the time that Sweep takes for cut-offs older than a day, because
// the contract lets Sweep search for what they cover.
func RunCost(t *testing.T, open func(t *testing.T) store.Store) {
	p := costPromise(fewDocuments, manyDocuments, 200*time.Millisecond)
	t.Run(p.name, func(t *testing.T) { p.test(t, open(t)) })
}

const fewDocuments, manyDocuments = 200, 20_000

// How much longer a step may take than with few documents: enough for a deeper
// index, and too little to read everything. If all steps take longer, up to
// costNoise, the machine is busy with something else.
const (
	costFactor = 6
	costSlack  = 25 * time.Microsecond
	costNoise  = 4
)

func costPromise(few, many int, pause time.Duration) promise {
	return promise{"no step gets slower as the store fills up",
		"If each request reads all records, a growing host will notice only in production.",
		func(t *trial) {
			c := newCosts(t)
			c.fill(few)
			before := c.measure(nil)
			c.fill(many)
			after := c.measure(nil)
			for range 5 {
				if len(slower(before, after)) > 0 {
					time.Sleep(pause) // for a quieter moment
					after = c.measure(after)
				}
			}
			for _, step := range slower(before, after) {
				t.errorf("%s: took %v with %d documents and %v with %d", step, before[step], few, after[step], many)
			}
		}}
}

// slower returns the names of the steps that take too long.
func slower(before, after map[string]time.Duration) (names []string) {
	noise := float64(costNoise)
	for name := range before {
		noise = min(noise, float64(after[name])/float64(before[name]))
	}
	for name := range before {
		limit := time.Duration(costFactor*max(1, noise)*float64(before[name])) + costSlack
		if after[name] > limit {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// costs measures what steps take on a store that it fills.
type costs struct {
	*trial
	kept  []store.Document
	ended int            // how many of the newest were ended
	worn  store.Document // was replaced many times
	apps  int
}

// The user and the application of nearly all documents, and those with few.
var (
	manyKey = store.CutKey{UserID: "many", ApplicationID: "many", WorkspaceID: "live"}
	deadKey = store.CutKey{UserID: "many", ApplicationID: "many", WorkspaceID: "dead"} // cut off by its workspace
	fewKey  = store.CutKey{UserID: "few", ApplicationID: "few", WorkspaceID: "live"}
)

func newCosts(t *trial) *costs {
	c := &costs{trial: t}
	t.cuts(store.CutKey{WorkspaceID: deadKey.WorkspaceID}, store.CutNumber(t.start))
	for range 3 {
		t.create(store.CutKey{UserID: manyKey.UserID, ApplicationID: fewKey.ApplicationID})
		t.create(store.CutKey{UserID: fewKey.UserID, ApplicationID: manyKey.ApplicationID})
		t.create(manyKey, func(d *store.Document) { d.Kind = store.KindDevice })
	}
	c.worn = t.create(manyKey)
	return c
}

// document returns document i: half of them are cut off, and half are due.
func (c *costs) document(i int) store.Document {
	key := manyKey
	if i%2 == 0 {
		key = deadKey
	}
	return c.trial.document(key, func(d *store.Document) {
		d.CreatedAt, d.SweepAt = c.after(time.Duration(i)*time.Second), c.after(-time.Hour)
		if i%4 < 2 {
			d.SweepAt = c.after(1000 * time.Hour)
		}
		for j := range d.Seen {
			d.Seen[j] = 1 << 62 // No cut-off of the steps ends it.
		}
		if key == deadKey {
			d.Seen[store.CutKey{WorkspaceID: deadKey.WorkspaceID}.Index()] = 0
		}
	})
}

// fill creates documents and applications until there are n and n/10, and
// replaces one document n/10 times.
func (c *costs) fill(n int) {
	first := len(c.kept)
	for i := first; i < n; i++ {
		c.kept = append(c.kept, c.document(i))
	}
	c.ended = 0
	const workers = 8
	errs := make([]error, workers)
	race(workers, func(w int) {
		for i := first + w; i < n && errs[w] == nil; i += workers {
			errs[w] = c.Create(c.Context(), c.kept[i])
		}
	})
	for _, err := range errs {
		c.must(err, "creating documents")
	}
	for ; c.apps < n/10; c.apps++ {
		c.creates(store.Application{ID: fmt.Sprint("app ", c.apps), ClientID: fmt.Sprint("client ", c.apps), Name: "An application"})
		c.worn = c.replaces(c.worn)
	}
}

type costStep struct {
	name string
	do   func() error
}

func (c *costs) steps() []costStep {
	ctx := c.Context()
	created := 0
	steps := []costStep{
		{"FindApplication", func() error { _, err := c.FindApplication(ctx, "app 7"); return err }},
		{"FindClient", func() error { _, err := c.FindClient(ctx, "client 7"); return err }},
		{"Create", func() error { created++; return c.Create(ctx, c.document(created)) }},
		{"Find", func() error { _, _, err := c.Find(ctx, c.kept[5].ID); return err }},
		{"Find of a document that was replaced many times", func() error { _, _, err := c.Find(ctx, c.worn.ID); return err }},
		{"FindConsent", func() error { _, _, err := c.FindConsent(ctx, "many", "many", "live"); return err }},
		{"Replace", func() error {
			mark := c.worn.Mark
			c.worn.Mark = newMark()
			return c.Replace(ctx, c.worn, mark)
		}},
		{"End", func() error {
			c.ended++
			return c.End(ctx, c.kept[len(c.kept)-c.ended].ID, c.start, c.after(2000*time.Hour))
		}},
		{"Sweep with nothing due", func() error { _, err := c.Sweep(ctx, c.after(-2*time.Hour), 100); return err }},
		{"Sweep with much due", func() error { _, err := c.Sweep(ctx, c.start, 1); return err }},
	}
	list := func(name string, q store.Query) {
		q.Limit = 10
		steps = append(steps, costStep{"List of " + name, func() error { _, _, err := c.List(ctx, q); return err }})
	}
	list("a user", store.Query{Kind: store.KindGrant, UserID: "many"})
	list("an application", store.Query{Kind: store.KindGrant, ApplicationID: "many"})
	list("a workspace", store.Query{Kind: store.KindGrant, WorkspaceID: "live"})
	list("a workspace that is cut off", store.Query{Kind: store.KindGrant, WorkspaceID: "dead"})
	list("a user and an application", store.Query{Kind: store.KindGrant, UserID: "many", ApplicationID: "many"})
	list("a user with much else", store.Query{Kind: store.KindGrant, UserID: "many", ApplicationID: "few"})
	list("an application with much else", store.Query{Kind: store.KindGrant, UserID: "few", ApplicationID: "many"})
	list("a user with many of another kind", store.Query{Kind: store.KindDevice, UserID: "many"})
	middle := c.kept[len(c.kept)/2]
	list("a user from the middle", store.Query{
		Kind: store.KindGrant, UserID: "many", After: store.Cursor{CreatedAt: middle.CreatedAt, ID: middle.ID},
	})
	for _, cut := range everyForm(manyKey) {
		steps = append(steps, costStep{fmt.Sprintf("CutOff of %+v", cut), func() error { return c.CutOff(ctx, cut, store.CutNumber(c.start)) }})
	}
	return steps
}

// measure returns the least time that each step takes, or took before. It runs
// the steps in turn, many times, so that no step alone has a bad moment.
func (c *costs) measure(took map[string]time.Duration) map[string]time.Duration {
	c.Helper()
	least := maps.Clone(took)
	if least == nil {
		least = map[string]time.Duration{}
	}
	steps := c.steps()
	for range 25 {
		for _, step := range steps {
			began := time.Now()
			err := step.do()
			now := max(1, time.Since(began))
			c.must(err, "%s", step.name)
			if kept, ok := least[step.name]; !ok || now < kept {
				least[step.name] = now
			}
		}
	}
	return least
}
