package storetest

import (
	"context"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

func joined(separator string) func(store.CutKey) string {
	return func(key store.CutKey) string {
		return key.UserID + separator + key.ApplicationID + separator + key.WorkspaceID
	}
}

var wrongCuts = breaks{
	"a cut-off covers the documents of its texts, and no others": {
		"everything covers nothing": func(f *faulty) { f.numbers(func(_ store.Document, c *store.Cuts) { c[0] = 0 }) },
		"those with a workspace are left out": func(f *faulty) {
			user := store.CutKey{UserID: someUser}.Index()
			f.numbers(func(d store.Document, c *store.Cuts) {
				if d.WorkspaceID != "" {
					c[user] = 0
				}
			})
		},
		"a user without an ID is a user": func(f *faulty) {
			f.numbers(func(d store.Document, c *store.Cuts) {
				if d.UserID == "" && !d.ID.IsZero() {
					c[store.CutKey{UserID: someUser}.Index()] = c[0]
				}
			})
		},
		"users with one tag are one": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string {
				if key.UserID != "" {
					key.UserID = string(rune(store.UserTag(key.UserID)))
				}
				return exactly(key)
			}, rightly)
		},
		"a consent has the numbers of no workspace": func(f *faulty) {
			f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
				d, _, err := f.right.FindConsent(ctx, user, app, space)
				_, numbers, _ := f.right.FindConsent(ctx, user, app, "")
				return d, numbers, err
			}
		},
	},
	"no two keys share a number, even with similar texts": {
		"they are joined":              func(f *faulty) { f.ownCuts(joined(""), rightly) },
		"they are joined by a bar":     func(f *faulty) { f.ownCuts(joined("|"), rightly) },
		"they are joined by a control": func(f *faulty) { f.ownCuts(joined("\x1f"), rightly) },
		"upper and lower case are one": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string { return strings.ToLower(exactly(key)) }, rightly)
		},
		"spaces at the end are cut": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string {
				return exactly(keyOf([3]string{strings.TrimRight(key.UserID, " "), key.ApplicationID, key.WorkspaceID}))
			}, rightly)
		},
		"the kinds of texts are one": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string {
				texts := []string{key.UserID, key.ApplicationID, key.WorkspaceID}
				slices.Sort(texts)
				return strings.Join(texts, "\x00")
			}, rightly)
		},
	},
	"the number of a key only grows": {
		"the last one counts":    func(f *faulty) { f.ownCuts(exactly, func(_, number int64) int64 { return number }) },
		"the greater one counts": func(f *faulty) { f.ownCuts(exactly, func(old, number int64) int64 { return max(old, number) }) },
		"it grows by one":        func(f *faulty) { f.ownCuts(exactly, func(old, _ int64) int64 { return old + 1 }) },
	},
	"a number is stored exactly": {
		"as a floating-point number": func(f *faulty) {
			f.ownCuts(exactly, func(old, number int64) int64 { return int64(max(float64(number), float64(old)+1)) })
		},
	},
	"the numbers of a consent are found before it exists": {
		"only with a consent": func(f *faulty) {
			f.numbers(func(d store.Document, c *store.Cuts) {
				if d.ID.IsZero() {
					*c = store.Cuts{}
				}
			})
		},
	},
	"a cut-off changes no document": {
		"it ends them": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				documents, _ := f.all(ctx)
				for _, d := range documents {
					f.right.End(ctx, d.ID, store.CutTime(number), d.CreatedAt)
				}
				return f.right.CutOff(ctx, key, number)
			}
		},
		"it marks them": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				documents, _ := f.all(ctx)
				for _, d := range documents {
					d.Mark = newMark()
					f.force(ctx, d)
				}
				return f.right.CutOff(ctx, key, number)
			}
		},
	},
	"a document is cut off by each number that has grown since, and by no other": {
		"by the greatest of all": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool {
				return d.EndedAt.IsZero() && slices.Max(numbers[:]) <= slices.Max(d.Seen[:])
			}})
		},
		"by the same number": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool {
				for i, number := range numbers {
					if number != 0 && number >= d.Seen[i] {
						return false
					}
				}
				return d.EndedAt.IsZero()
			}})
		},
		"by another number": func(f *faulty) {
			f.lists(listing{lives: func(d store.Document, numbers store.Cuts) bool { return d.EndedAt.IsZero() && numbers == d.Seen }})
		},
	},
	"a key that can't be stored is refused": {
		"nothing is cut off": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				if key.Check() != nil {
					return nil
				}
				return f.right.CutOff(ctx, key, number)
			}
		},
		"it ends at a NUL": func(f *faulty) {
			f.cutOff = func(ctx context.Context, key store.CutKey, number int64) error {
				for _, text := range []*string{&key.UserID, &key.ApplicationID, &key.WorkspaceID} {
					*text, _, _ = strings.Cut(*text, "\x00")
				}
				return f.right.CutOff(ctx, key, number)
			}
		},
	},
}
