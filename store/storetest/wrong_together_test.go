package storetest

import (
	"context"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var wrongTogether = breaks{
	"random steps give the same results as package plain": {
		"the last writer wins": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, _ int64) error { return f.force(ctx, d) }
		},
		"a swept document that is created again is on no list": func(f *faulty) {
			created := map[store.ID]int{}
			create := f.create
			f.create = func(ctx context.Context, d store.Document) error {
				err := create(ctx, d)
				if err == nil {
					created[d.ID]++
				}
				return err
			}
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool {
				return d.EndedAt.IsZero() && !numbers.Exceed(&d.Seen) && created[d.ID] == 1
			}})
		},
		"an end is forgotten by a cut-off": func(f *faulty) {
			ended := map[store.ID]bool{}
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				if d, numbers, err := f.right.Find(ctx, id); err == nil && numbers.Exceed(&d.Seen) {
					ended[id] = true
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
			f.docs(func(d *store.Document) {
				if ended[d.ID] {
					d.EndedAt = time.Time{}
				}
			})
		},
	},
}
