package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var wrongDocuments = breaks{
	"a document comes back as it was stored": {
		"its last byte is lost": func(f *faulty) {
			f.docs(func(d *store.Document) { d.State = strings.TrimSuffix(d.State, "\xff") })
		},
		"it has seen nothing": func(f *faulty) { f.docs(func(d *store.Document) { d.Seen = store.Cuts{} }) },
		"it is created as ended": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				err := f.right.Create(ctx, d)
				if !d.EndedAt.IsZero() {
					f.right.End(ctx, d.ID, d.EndedAt, d.SweepAt)
				}
				return err
			}
		},
	},
	"a document of any kind is stored": {
		"only three are known": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				if d.Kind > store.KindDevice {
					return errors.New("an unknown kind")
				}
				return f.right.Create(ctx, d)
			}
		},
		"it is a signed byte": func(f *faulty) { f.docs(func(d *store.Document) { d.Kind &= 0x7f }) },
	},
	"a missing document is not found": {
		"it is the zero one": func(f *faulty) {
			f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
				d, numbers, _ := f.right.Find(ctx, id)
				return d, numbers, nil
			}
		},
		"one byte of the ID is ignored": func(f *faulty) {
			f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
				documents, numbers := f.all(ctx)
				for i, d := range documents {
					other := d.ID
					other[8] = id[8]
					if other == id {
						return d, numbers[i], nil
					}
				}
				return store.Document{}, store.Cuts{}, store.ErrNotFound
			}
		},
	},
	"an ID can be taken only once": {
		"by live ones only": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				err := f.right.Create(ctx, d)
				if kept, _, _ := f.right.Find(ctx, d.ID); errors.Is(err, store.ErrExists) && !kept.EndedAt.IsZero() {
					return nil
				}
				return err
			}
		},
		"once for each kind": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				err := f.right.Create(ctx, d)
				if kept, _, _ := f.right.Find(ctx, d.ID); errors.Is(err, store.ErrExists) && kept.Kind != d.Kind {
					return nil
				}
				return err
			}
		},
		"creating replaces": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				f.force(ctx, d)
				return f.right.Create(ctx, d)
			}
		},
	},
	"a document that can't be stored is refused": {
		"it is left out": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				if d.Check() != nil {
					return nil
				}
				return f.right.Create(ctx, d)
			}
		},
		"a mark is made up": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				if d.Mark == 0 {
					d.Mark = 1
				}
				return f.right.Create(ctx, d)
			}
		},
	},
	"a consent is found by its user, application, and workspace": {
		"an absent one is not found": func(f *faulty) {
			f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
				d, numbers, err := f.right.FindConsent(ctx, user, app, space)
				if d.ID.IsZero() {
					err = store.ErrNotFound
				}
				return d, numbers, err
			}
		},
		"the workspace is ignored": func(f *faulty) {
			f.findConsent = func(ctx context.Context, user, app, _ string) (store.Document, store.Cuts, error) {
				return f.right.FindConsent(ctx, user, app, "")
			}
		},
		"an ended one is absent": func(f *faulty) {
			f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
				d, numbers, err := f.right.FindConsent(ctx, user, app, space)
				if !d.EndedAt.IsZero() {
					d = store.Document{}
				}
				return d, numbers, err
			}
		},
	},
	"a document is replaced only if it still has the given mark": {
		"the last writer wins": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, _ int64) error { return f.force(ctx, d) }
		},
		"by half of the mark": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if kept, _, err := f.right.Find(ctx, d.ID); err == nil && int32(kept.Mark) == int32(mark) {
					mark = kept.Mark
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
		"not if it is cut off": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if kept, numbers, err := f.right.Find(ctx, d.ID); err == nil && numbers.Exceed(&kept.Seen) {
					return store.ErrConflict
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
	},
	"a document is replaced whole, except for its fixed fields": {
		"it keeps when it was created": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if kept, _, err := f.right.Find(ctx, d.ID); err == nil {
					d.CreatedAt = kept.CreatedAt
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
		"it keeps when it is swept": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if kept, _, err := f.right.Find(ctx, d.ID); err == nil {
					d.SweepAt = kept.SweepAt
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
		"its kind changes": func(f *faulty) {
			kinds := map[store.ID]store.Kind{}
			f.docs(func(d *store.Document) {
				if kind, ok := kinds[d.ID]; ok {
					d.Kind = kind
				}
			})
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				kinds[d.ID] = d.Kind
				return f.right.Replace(ctx, d, mark)
			}
		},
		"it may end": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				err := f.right.Replace(ctx, d, mark)
				if !d.EndedAt.IsZero() {
					f.right.End(ctx, d.ID, d.EndedAt, d.SweepAt)
				}
				return err
			}
		},
	},
	"a document that doesn't exist is not replaced": {
		"it is created": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				f.right.Create(ctx, d)
				return f.right.Replace(ctx, d, mark)
			}
		},
		"it is not found": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if _, _, err := f.right.Find(ctx, d.ID); err != nil {
					return err
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
	},
}

var wrongEnds = breaks{
	"a document with any mark ends": {
		"only with its first mark": func(f *faulty) {
			replaced := map[store.ID]bool{}
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				replaced[d.ID] = true
				return f.right.Replace(ctx, d, mark)
			}
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				if replaced[id] {
					return nil
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
		},
		"others of its user end too": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				documents, _ := f.all(ctx)
				for _, d := range documents {
					f.right.End(ctx, d.ID, at, sweepAt)
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
		},
		"not if it is cut off": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				if d, numbers, err := f.right.Find(ctx, id); err == nil && numbers.Exceed(&d.Seen) {
					return nil
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
		},
	},
	"an ended document keeps its content": {
		"its state is cleared": func(f *faulty) {
			f.docs(func(d *store.Document) {
				if !d.EndedAt.IsZero() {
					d.State = ""
				}
			})
		},
		"it is not found": func(f *faulty) {
			f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
				d, numbers, err := f.right.Find(ctx, id)
				if !d.EndedAt.IsZero() {
					err = store.ErrNotFound
				}
				return d, numbers, err
			}
		},
	},
	"an end moves the sweep only to an earlier time": {
		"always": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				if d, _, err := f.right.Find(ctx, id); err == nil && d.EndedAt.IsZero() {
					d.SweepAt = sweepAt
					f.force(ctx, d)
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
		},
		"not if it had none": func(f *faulty) {
			f.docs(func(d *store.Document) {
				if d.EndedAt.IsZero() == d.SweepAt.IsZero() {
					d.SweepAt = time.Time{}
				}
			})
		},
	},
	"a document ends once": {
		"the last end counts": func(f *faulty) {
			ends := map[store.ID]time.Time{}
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				ends[id] = at
				return f.right.End(ctx, id, at, sweepAt)
			}
			f.docs(func(d *store.Document) { d.EndedAt = ends[d.ID] })
		},
	},
	"ending a missing document returns nil": {
		"it is not found": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				if _, _, err := f.right.Find(ctx, id); err != nil {
					return err
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
		},
	},
	"no replacement undoes an end": {
		"it does nothing and returns nil": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if kept, _, err := f.right.Find(ctx, d.ID); err == nil && !kept.EndedAt.IsZero() {
					return nil
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
		"it lives again": func(f *faulty) {
			back := map[store.ID]bool{}
			f.docs(func(d *store.Document) {
				if back[d.ID] {
					d.EndedAt = time.Time{}
				}
			})
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if kept, _, err := f.right.Find(ctx, d.ID); err == nil && !kept.EndedAt.IsZero() {
					back[d.ID] = true
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
	},
}
