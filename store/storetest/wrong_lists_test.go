package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// listQuery edits each query of documents.
func (f *faulty) listQuery(edit func(*store.Query)) {
	f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
		edit(&q)
		return f.right.List(ctx, q)
	}
}

var wrongLists = breaks{
	"a list has what the query selects, and nothing else": {
		"the workspace is ignored": func(f *faulty) {
			f.listQuery(func(q *store.Query) {
				if q.UserID != "" {
					q.WorkspaceID = ""
				}
			})
		},
		"kinds are mixed": func(f *faulty) {
			f.lists(listing{matches: func(q store.Query, d store.Document) bool { q.Kind = d.Kind; return q.Matches(&d) }})
		},
		"no workspace means without one": func(f *faulty) {
			f.lists(listing{matches: func(q store.Query, d store.Document) bool { return q.Matches(&d) && q.WorkspaceID == d.WorkspaceID }})
		},
		"users with one tag are one": func(f *faulty) {
			f.lists(listing{matches: func(q store.Query, d store.Document) bool {
				if q.UserID != "" && store.UserTag(q.UserID) == store.UserTag(d.UserID) {
					d.UserID = q.UserID
				}
				return q.Matches(&d)
			}})
		},
	},
	"a list goes from newest to oldest, and then from greater to smaller IDs": {
		"from the oldest": func(f *faulty) {
			f.lists(listing{compare: func(a, b store.Document) int { return store.Newer(b, a) }})
		},
		"by the smaller ID between": func(f *faulty) {
			f.lists(listing{compare: func(a, b store.Document) int {
				if order := b.CreatedAt.Compare(a.CreatedAt); order != 0 {
					return order
				}
				return bytes.Compare(a.ID[:], b.ID[:])
			}})
		},
		"by the ID": func(f *faulty) {
			f.lists(listing{compare: func(a, b store.Document) int { return bytes.Compare(b.ID[:], a.ID[:]) }})
		},
		"a replacement keeps its place": func(f *faulty) {
			places := map[store.ID]time.Time{}
			create := f.create
			f.create = func(ctx context.Context, d store.Document) error {
				places[d.ID] = d.CreatedAt
				return create(ctx, d)
			}
			f.lists(listing{compare: func(a, b store.Document) int {
				a.CreatedAt, b.CreatedAt = places[a.ID], places[b.ID]
				return store.Newer(a, b)
			}})
		},
	},
	"a list leaves out documents that have ended or are cut off": {
		"ended documents stay": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool { return !numbers.Exceed(&d.Seen) }})
		},
		"cut-off documents stay": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, _ store.Cuts) bool { return d.EndedAt.IsZero() }})
		},
		"documents cut off with everything stay": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool {
				numbers[0] = 0
				return d.EndedAt.IsZero() && !numbers.Exceed(&d.Seen)
			}})
		},
		"documents that were ever cut off are missing": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool { return d.EndedAt.IsZero() && numbers == store.Cuts{} }})
		},
	},
	"a list has each document as it is stored": {
		"without its state": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				page, next, err := f.right.List(ctx, q)
				for i := range page {
					page[i].State = ""
				}
				return page, next, err
			}
		},
	},
	"pages have each document once, and come to an end": {
		"a short page is the last": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				page, next, err := f.right.List(ctx, q)
				if len(page) < q.Limit {
					next = store.Cursor{}
				}
				return page, next, err
			}
		},
		"there is always a next one": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				page, next, err := f.right.List(ctx, q)
				if next.IsZero() {
					next = store.Cursor{CreatedAt: time.Unix(1, 0), ID: store.ID{1}}
				}
				return page, next, err
			}
		},
		"the first one is also the last of the page before": func(f *faulty) {
			f.lists(listing{begins: func(after store.Cursor, d store.Document) bool {
				return after.Before(&d) || after.CreatedAt.Equal(d.CreatedAt)
			}})
		},
		"those of one time are skipped": func(f *faulty) {
			f.lists(listing{begins: func(after store.Cursor, d store.Document) bool { return d.CreatedAt.Before(after.CreatedAt) }})
		},
		"it is longer than its limit": func(f *faulty) { f.listQuery(func(q *store.Query) { q.Limit++ }) },
	},
	"pages fit together while documents come and go": {
		"by their number": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
				skip := int(binary.BigEndian.Uint32(q.After.ID[:]))
				limit := q.Limit
				q.After, q.Limit = store.Cursor{}, 1000
				page, _, err = f.right.List(ctx, q)
				page = page[min(skip, len(page)):]
				if len(page) > limit {
					page = page[:limit]
					binary.BigEndian.PutUint32(next.ID[:], uint32(skip+limit))
				}
				return page, next, err
			}
		},
	},
	"a page may begin at any place": {
		"only after a document that is kept": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				if _, _, err := f.right.Find(ctx, q.After.ID); err != nil {
					q.After = store.Cursor{}
				}
				return f.right.List(ctx, q)
			}
		},
	},
	"an invalid page is an error": {
		"no limit is ten": func(f *faulty) {
			f.listQuery(func(q *store.Query) {
				if q.Limit <= 0 {
					q.Limit = 10
				}
			})
		},
		"without any text it is empty": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				if (store.CutKey{UserID: q.UserID, ApplicationID: q.ApplicationID, WorkspaceID: q.WorkspaceID} == store.CutKey{}) {
					return nil, store.Cursor{}, nil
				}
				return f.right.List(ctx, q)
			}
		},
	},
}

// sweepAlso removes more than is due.
func (f *faulty) sweepAlso(due func(d store.Document, numbers store.Cuts, before time.Time) bool) {
	f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
		documents, numbers := f.all(ctx)
		for i, d := range documents {
			if due(d, numbers[i], before) {
				f.remove(ctx, d)
			}
		}
		return f.right.Sweep(ctx, before, limit)
	}
}

var wrongSweeps = breaks{
	"a sweep removes what is due, and nothing else": {
		"a moment late": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return f.right.Sweep(ctx, before.Add(-tick), limit)
			}
		},
		"a moment early": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return f.right.Sweep(ctx, before.Add(tick), limit)
			}
		},
		"never is always": func(f *faulty) {
			f.sweepAlso(func(d store.Document, _ store.Cuts, _ time.Time) bool { return d.SweepAt.IsZero() })
		},
		"ended documents stay": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, _ time.Time) error {
				return f.right.End(ctx, id, at, at.Add(1000*day))
			}
		},
	},
	"a swept document is gone, and its ID is free": {
		"its ID stays taken": func(f *faulty) {
			taken := map[store.ID]bool{}
			f.create = func(ctx context.Context, d store.Document) error {
				if taken[d.ID] {
					return store.ErrExists
				}
				taken[d.ID] = true
				return f.right.Create(ctx, d)
			}
		},
		"it stays on lists": func(f *faulty) {
			ever := map[store.ID]store.Document{}
			f.create = func(ctx context.Context, d store.Document) error {
				ever[d.ID] = d
				return f.right.Create(ctx, d)
			}
			f.list = func(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
				for _, d := range ever {
					if q.Matches(&d) {
						page = append(page, d)
					}
				}
				return page, next, ctx.Err()
			}
		},
	},
	"a sweep removes at most its limit, and says how many": {
		"it removes more": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := f.right.Sweep(ctx, before, limit+1)
				return min(n, limit), err
			}
		},
		"it returns zero": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				_, err := f.right.Sweep(ctx, before, limit)
				return 0, err
			}
		},
		"it removes less": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return f.right.Sweep(ctx, before, (limit+1)/2)
			}
		},
	},
	"a sweep without a positive limit is an error": {
		"it does nothing": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				if limit <= 0 {
					return 0, nil
				}
				return f.right.Sweep(ctx, before, limit)
			}
		},
		"it removes all": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				f.right.Sweep(ctx, before, 1000)
				return f.right.Sweep(ctx, before, limit)
			}
		},
	},
	"a replacement moves SweepAt": {
		"the first one counts": func(f *faulty) {
			first, now := map[store.ID]time.Time{}, map[store.ID]time.Time{}
			create := f.create
			f.create = func(ctx context.Context, d store.Document) error {
				first[d.ID], now[d.ID] = d.SweepAt, d.SweepAt
				return create(ctx, d)
			}
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				now[d.ID] = d.SweepAt
				d.SweepAt = first[d.ID]
				return f.right.Replace(ctx, d, mark)
			}
			f.docs(func(d *store.Document) { d.SweepAt = now[d.ID] })
		},
	},
	"a document that was cut off is swept a day later, and not before": {
		"it is never swept": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				f.sweep = func(context.Context, time.Time, int) (int, error) { return 0, nil }
				return f.right.CutOff(ctx, key, number)
			}
		},
		"it is swept at once": func(f *faulty) {
			f.sweepAlso(func(d store.Document, numbers store.Cuts, _ time.Time) bool { return numbers.Exceed(&d.Seen) })
		},
		"a number that says forever is not a time": func(f *faulty) {
			f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				_, numbers := f.all(ctx)
				for _, c := range numbers {
					if c.Forever() {
						return 0, nil
					}
				}
				return f.right.Sweep(ctx, before, limit)
			}
		},
		"an old cut-off that was seen counts": func(f *faulty) {
			f.sweepAlso(func(d store.Document, numbers store.Cuts, before time.Time) bool {
				return numbers.Exceed(&d.Seen) && anyOld(numbers, before)
			})
		},
	},
	"a live document stays, even if its cut-offs are old": {
		"Seen is ignored": func(f *faulty) {
			f.sweepAlso(func(_ store.Document, numbers store.Cuts, before time.Time) bool { return anyOld(numbers, before) })
		},
		"numbers must be the same": func(f *faulty) {
			f.sweepAlso(func(d store.Document, numbers store.Cuts, before time.Time) bool {
				return anyOld(numbers, before) && numbers != d.Seen
			})
		},
	},
	"a cut-off stays while it is young or covers a document": {
		"not if it covers one": func(f *faulty) {
			f.forget(func(number int64, before time.Time) bool { return !store.CutTime(number).After(before.Add(-day)) })
		},
		"not if it is young": func(f *faulty) {
			f.forget(func(number int64, before time.Time) bool { return !store.CutTime(number).After(before.Add(-time.Hour)) })
		},
	},
	"an old cut-off that covers nothing is swept": {
		"it stays": func(f *faulty) { f.ownCuts(exactly, rightly) },
		"it goes while it covers one": func(f *faulty) {
			f.forget(func(number int64, before time.Time) bool { return !store.CutTime(number).After(before.Add(-day)) })
		},
	},
}

// anyOld reports whether any number is more than a day old.
func anyOld(numbers store.Cuts, before time.Time) bool {
	for _, number := range numbers {
		if number != 0 && !store.CutTime(number).After(before.Add(-day)) {
			return true
		}
	}
	return false
}

// forget makes sweeps remove numbers.
func (f *faulty) forget(due func(number int64, before time.Time) bool) {
	var last time.Time
	f.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
		last = before
		return f.right.Sweep(ctx, before, limit)
	}
	f.numbers(func(_ store.Document, numbers *store.Cuts) {
		for i, number := range numbers {
			if !last.IsZero() && due(number, last) {
				numbers[i] = 0
			}
		}
	})
}
