package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

// A pair is this store and package plain's, which must return the same.
type pair struct {
	*testing.T
	*rand.Rand
	memory, plain store.Store
	start         time.Time
	ids           []store.ID
}

// TestAgreesWithPlain runs thousands of random steps on both stores. Each user
// and application has more documents than fit in a chunk of an index.
func TestAgreesWithPlain(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := &pair{t, rand.New(rand.NewPCG(seed, 0)), memory.New(), plain.New(), time.Now().UTC().Truncate(time.Microsecond), nil}
			for i := range 6_000 {
				p.step()
				if i%300 == 299 {
					p.compare(i)
				}
			}
			p.sweep(1000 * 24 * time.Hour)
			p.compare(6_000)
		})
	}
}

// both runs a step on both stores, which must return the same error.
func (p *pair) both(do func(s store.Store) error) {
	p.Helper()
	require.Equal(p, do(p.plain), do(p.memory))
}

func (p *pair) some(n int) string { return fmt.Sprint(p.IntN(n)) }

// hours returns a random time between the given numbers of hours after the
// start.
func (p *pair) hours(least, most int) time.Time {
	return p.start.Add(time.Duration(least+p.IntN(most-least)) * time.Hour)
}

// key returns a key that has each of its texts with a probability of n in ten.
func (p *pair) key(often int) store.CutKey {
	key := store.CutKey{UserID: p.some(3), ApplicationID: p.some(3), WorkspaceID: p.some(2)}
	for _, text := range []*string{&key.UserID, &key.ApplicationID, &key.WorkspaceID} {
		if p.IntN(10) >= often {
			*text = ""
		}
	}
	return key
}

// edit changes the fields of a document that may change.
func (p *pair) edit(d *store.Document) {
	d.Mark, d.State, d.LastUsedAt = p.Int64()|1, p.some(1000), p.hours(-100, 0)
	if p.IntN(3) == 0 {
		d.CreatedAt = p.hours(-200, 0)
	}
	if p.IntN(3) == 0 {
		d.SweepAt = []time.Time{{}, p.hours(-50, 500)}[p.IntN(2)]
	}
	if p.IntN(3) > 0 {
		_, d.Seen, _ = p.plain.FindConsent(context.Background(), d.UserID, d.ApplicationID, d.WorkspaceID)
	}
}

func (p *pair) step() {
	ctx := context.Background()
	switch n := p.IntN(1000); {
	case n < 500 || len(p.ids) == 0:
		key := p.key(9)
		d := store.Document{
			ID: store.NewID(p.start, key.UserID), Kind: store.Kind(1 + p.IntN(3)), CreatedAt: p.hours(-200, 0),
			UserID: key.UserID, ApplicationID: key.ApplicationID, WorkspaceID: key.WorkspaceID,
		}
		p.edit(&d)
		p.ids = append(p.ids, d.ID)
		p.both(func(s store.Store) error { return s.Create(ctx, d) })
	case n < 900:
		d, _, err := p.plain.Find(ctx, p.ids[p.IntN(len(p.ids))])
		if err != nil {
			return
		}
		mark := d.Mark
		p.edit(&d)
		p.both(func(s store.Store) error { return s.Replace(ctx, d, mark) })
		p.both(func(s store.Store) error { return s.Replace(ctx, d, mark) })
	case n < 985:
		id, at, sweepAt := p.ids[p.IntN(len(p.ids))], p.hours(-10, 0), []time.Time{{}, p.hours(-50, 500), p.hours(-50, 500)}[p.IntN(3)]
		p.both(func(s store.Store) error { return s.End(ctx, id, at, sweepAt) })
	case n < 993:
		key, number := p.key(8), store.CutNumber(p.hours(-60, 0))
		p.both(func(s store.Store) error { return s.CutOff(ctx, key, number) })
	default:
		p.sweep(time.Duration(p.IntN(60)-50) * time.Hour)
	}
}

// sweep sweeps until nothing is due, in small steps in the store under test.
func (p *pair) sweep(after time.Duration) {
	const most = 1_000_000
	want, err := p.plain.Sweep(context.Background(), p.start.Add(after), most)
	require.NoError(p, err)
	limit, got := 1+p.IntN(500), 0
	for {
		n, err := p.memory.Sweep(context.Background(), p.start.Add(after), limit)
		require.NoError(p, err)
		require.LessOrEqual(p, n, limit)
		if got += n; n < limit {
			break
		}
	}
	require.Equal(p, want, got, "removed by a sweep")
}

// compare compares all documents, the numbers of all keys, and some lists.
func (p *pair) compare(step int) {
	ctx := context.Background()
	for _, id := range p.ids {
		want, numbers, wantErr := p.plain.Find(ctx, id)
		got, gotNumbers, err := p.memory.Find(ctx, id)
		if want != got || numbers != gotNumbers || !errors.Is(err, wantErr) {
			require.Equal(p, []any{want, numbers, wantErr}, []any{got, gotNumbers, err}, "after %d steps", step)
		}
	}
	for range 100 {
		key := p.key(6)
		_, want, _ := p.plain.FindConsent(ctx, key.UserID, key.ApplicationID, key.WorkspaceID)
		_, got, _ := p.memory.FindConsent(ctx, key.UserID, key.ApplicationID, key.WorkspaceID)
		require.Equal(p, want, got, "after %d steps", step)
	}
	for range 10 {
		key := p.key(5)
		if key == (store.CutKey{}) {
			continue
		}
		q := store.Query{Kind: store.Kind(1 + p.IntN(3)), UserID: key.UserID, ApplicationID: key.ApplicationID, WorkspaceID: key.WorkspaceID}
		require.Equal(p, p.list(p.plain, q, 100_000), p.list(p.memory, q, 1+p.IntN(300)), "after %d steps, the list of %+v", step, q)
	}
}

// list returns a whole list, page by page.
func (p *pair) list(s store.Store, q store.Query, limit int) (all []store.Document) {
	q.Limit = limit
	for {
		page, next, err := s.List(context.Background(), q)
		require.NoError(p, err)
		all = append(all, page...)
		if q.After = next; next.IsZero() {
			return all
		}
	}
}
