package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var wrongRaces = breaks{
	"of many concurrent creates of one ID, exactly one succeeds": {
		"it looks first": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				if _, _, err := f.right.Find(ctx, d.ID); err == nil {
					return store.ErrExists
				}
				pause()
				f.right.Create(ctx, d)
				return nil
			}
		},
		"the last one is kept": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				err := f.right.Create(ctx, d)
				if err != nil {
					f.force(ctx, d)
				}
				return err
			}
		},
	},
	"a document created during a cut-off is cut off, or has seen it": {
		"documents without a user have no numbers": func(f *faulty) {
			f.numbers(func(d store.Document, c *store.Cuts) {
				if d.UserID == "" {
					*c = store.Cuts{}
				}
			})
		},
		"a number is known late": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				time.AfterFunc(100*time.Millisecond, func() { f.right.CutOff(context.WithoutCancel(ctx), key, number) })
				return nil
			}
		},
	},
	"of many concurrent replacements of one mark, exactly one succeeds": {
		"it looks first": func(f *faulty) { f.replace = f.lookAndReplace },
	},
	"no replacement is lost when many retry": {
		"it looks first": func(f *faulty) { f.replace = f.lookAndReplace },
	},
	"a document ends even while it is being replaced": {
		"it tries once": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				d, _, err := f.right.Find(ctx, id)
				if err != nil {
					return nil
				}
				pause()
				mark := d.Mark
				d.Mark = newMark()
				if err := f.right.Replace(ctx, d, mark); err != nil {
					return err
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
		},
		"a replacement looks first": func(f *faulty) {
			back := map[store.ID]bool{}
			f.docs(func(d *store.Document) {
				f.mu.Lock()
				defer f.mu.Unlock()
				if back[d.ID] {
					d.EndedAt = time.Time{}
				}
			})
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				kept, _, err := f.right.Find(ctx, d.ID)
				if err != nil || kept.Mark != mark || !kept.EndedAt.IsZero() {
					return store.ErrConflict
				}
				pause()
				if f.right.Replace(ctx, d, mark) != nil {
					f.mu.Lock()
					defer f.mu.Unlock()
					back[d.ID] = true
				}
				return nil
			}
		},
	},
	"of many concurrent ends, one decides the times": {
		"the earliest sweep counts": func(f *faulty) {
			earliest := map[store.ID]time.Time{}
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if kept, ok := earliest[id]; !ok || sweepAt.Before(kept) {
					earliest[id] = sweepAt
				}
				return f.right.End(ctx, id, at, sweepAt)
			}
			f.docs(func(d *store.Document) {
				if !d.EndedAt.IsZero() {
					d.SweepAt = earliest[d.ID]
				}
			})
		},
	},
	"each of many concurrent cut-offs makes the number grow": {
		"it looks first": func(f *faulty) {
			f.ownCuts(exactly, func(old, number int64) int64 { pause(); return rightly(old, number) })
		},
	},
	"every read that starts after a write sees it": {
		"documents are remembered for a moment": func(f *faulty) {
			f.find = remembered(f, func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
				return f.right.Find(ctx, id)
			})
		},
		"consents are remembered for a moment": func(f *faulty) {
			find := remembered(f, func(ctx context.Context, key store.CutKey) (store.Document, store.Cuts, error) {
				return f.right.FindConsent(ctx, key.UserID, key.ApplicationID, key.WorkspaceID)
			})
			f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
				return find(ctx, keyOf([3]string{user, app, space}))
			}
		},
		"lists are remembered for a moment": func(f *faulty) {
			f.list = remembered(f, func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				return f.right.List(ctx, q)
			})
		},
		"a cut-off is done later": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				time.AfterFunc(10*time.Millisecond, func() { f.right.CutOff(context.WithoutCancel(ctx), key, number) })
				return nil
			}
		},
	},
	"numbers are never older than their document": {
		"they are read first": func(f *faulty) {
			f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
				_, numbers, _ := f.right.Find(ctx, id)
				pause()
				d, _, err := f.right.Find(ctx, id)
				return d, numbers, err
			}
		},
		"they are read before a consent": func(f *faulty) {
			f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
				_, numbers, _ := f.right.FindConsent(ctx, user, app, space)
				pause()
				d, _, err := f.right.FindConsent(ctx, user, app, space)
				return d, numbers, err
			}
		},
	},
	"sweeps during traffic remove nothing live": {
		"they look first": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, _ int) (removed int, err error) {
				documents, numbers := f.all(ctx)
				pause()
				for i, d := range documents {
					if !d.SweepAt.IsZero() && !d.SweepAt.After(before) || numbers[i].Exceed(&d.Seen) {
						f.remove(ctx, d)
						removed++
					}
				}
				return min(removed, 2), ctx.Err()
			}
		},
		"they say less than they do": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := f.right.Sweep(ctx, before, limit)
				return max(0, n-1), err
			}
		},
	},
	"no cut-off is lost during sweeps": {
		"they look first": func(f *faulty) {
			kept := f.ownCuts(exactly, rightly)
			f.sweep = func(ctx context.Context, before time.Time, _ int) (int, error) {
				var old []string
				f.mu.Lock()
				for key, number := range kept {
					if !store.CutTime(number).After(before.Add(-day)) {
						old = append(old, key)
					}
				}
				f.mu.Unlock()
				pause()
				f.mu.Lock()
				for _, key := range old {
					delete(kept, key)
				}
				f.mu.Unlock()
				return 0, ctx.Err()
			}
		},
	},
	"a document created after its cut-off was swept lives": {
		"a sweep remembers the numbers": func(f *faulty) {
			numbers := map[store.CutKey]int64{}
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				numbers[key] = number
				return f.right.CutOff(ctx, key, number)
			}
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := f.right.Sweep(ctx, before, limit)
				documents, _ := f.all(ctx)
				f.mu.Lock()
				defer f.mu.Unlock()
				for _, d := range documents {
					if numbers[store.CutKey{UserID: d.UserID}] > d.Seen[1] {
						f.remove(ctx, d)
					}
				}
				return n, err
			}
		},
	},
	"of many concurrent creates of one client ID, exactly one succeeds": {
		"it looks first": func(f *faulty) {
			f.createApplication = func(ctx context.Context, app store.Application) error {
				if _, err := f.right.FindClient(ctx, app.ClientID); err == nil {
					return store.ErrExists
				}
				pause()
				f.right.CreateApplication(ctx, app)
				return nil
			}
		},
	},
	"of many concurrent updates of one version, exactly one succeeds": {
		"it looks first": func(f *faulty) { f.updateApplication = f.lookAndUpdate },
	},
	"no update is lost when many retry": {
		"it looks first": func(f *faulty) { f.updateApplication = f.lookAndUpdate },
		"it is always a conflict": func(f *faulty) {
			f.updateApplication = func(context.Context, store.Application) error { return store.ErrConflict }
		},
	},
}

// lookAndReplace replaces a document if its mark was right a moment ago.
func (f *faulty) lookAndReplace(ctx context.Context, d store.Document, mark int64) error {
	kept, _, err := f.right.Find(ctx, d.ID)
	if err != nil || kept.Mark != mark {
		return store.ErrConflict
	}
	pause()
	for {
		if err := f.force(ctx, d); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// lookAndUpdate updates an application if its version was right a moment ago.
func (f *faulty) lookAndUpdate(ctx context.Context, app store.Application) error {
	kept, err := f.right.FindApplication(ctx, app.ID)
	if err == nil && kept.Version != app.Version {
		err = store.ErrConflict
	}
	if err != nil {
		return err
	}
	pause()
	return f.forceUpdate(ctx, app)
}

// remembered returns a read that may answer with what it read a moment ago.
func remembered[Q comparable, A, B any](f *faulty, read func(context.Context, Q) (A, B, error)) func(context.Context, Q) (A, B, error) {
	type answer struct {
		a   A
		b   B
		err error
		at  time.Time
	}
	answers := map[Q]answer{}
	return func(ctx context.Context, q Q) (A, B, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		kept, ok := answers[q]
		if !ok || time.Since(kept.at) > 50*time.Millisecond {
			a, b, err := read(ctx, q)
			kept = answer{a, b, err, time.Now()}
			answers[q] = kept
		}
		return kept.a, kept.b, kept.err
	}
}
