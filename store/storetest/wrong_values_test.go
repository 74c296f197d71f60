package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var wrongValues = breaks{
	"times come back in UTC, cut to the microsecond": {
		"they are rounded": func(f *faulty) {
			f.given(func(d *store.Document) { d.LastUsedAt = d.LastUsedAt.Round(tick) })
		},
		"they are local": func(f *faulty) {
			f.docs(func(d *store.Document) { d.SweepAt = d.SweepAt.In(time.FixedZone("one hour ahead", 3600)) })
		},
		"they are cut to the millisecond": func(f *faulty) {
			f.docs(func(d *store.Document) { d.CreatedAt = d.CreatedAt.Truncate(time.Millisecond) })
		},
		"those of applications are rounded": func(f *faulty) {
			f.givenApps(func(app *store.Application) { app.UpdatedAt = app.UpdatedAt.Round(tick) })
		},
		"those of ends are rounded": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				return f.right.End(ctx, id, at.Round(tick), sweepAt)
			}
		},
	},
	"a zero time stays zero": {
		"it is 1970": func(f *faulty) {
			f.docs(func(d *store.Document) {
				if d.LastUsedAt.IsZero() {
					d.LastUsedAt = time.Unix(0, 0).UTC()
				}
			})
		},
		"a secret expires": func(f *faulty) {
			f.apps(func(app *store.Application) {
				for i := range app.Secrets {
					if app.Secrets[i].ExpiresAt.IsZero() {
						app.Secrets[i].ExpiresAt = time.Unix(0, 0).UTC()
					}
				}
			})
		},
	},
	"a State may have any bytes, and at least 64 KiB of them": {
		"it is text":          func(f *faulty) { f.given(func(d *store.Document) { d.State = strings.ToValidUTF8(d.State, "\ufffd") }) },
		"it ends at a zero":   func(f *faulty) { f.given(func(d *store.Document) { d.State, _, _ = strings.Cut(d.State, "\x00") }) },
		"it has a last space": func(f *faulty) { f.docs(func(d *store.Document) { d.State = strings.TrimRight(d.State, " ") }) },
		"it has 65,535 bytes": func(f *faulty) { f.given(func(d *store.Document) { d.State = d.State[:min(len(d.State), 65_535)] }) },
	},
	"numbers of any size come back": {
		"a mark is a floating-point number": func(f *faulty) { f.docs(func(d *store.Document) { d.Mark = int64(float64(d.Mark)) }) },
		"Seen can't be negative":            func(f *faulty) { f.docs(func(d *store.Document) { d.Seen[3] = max(d.Seen[3], 0) }) },
	},
	"a caller may change what it passed in": {
		"it is kept as it is": func(f *faulty) {
			f.createApplication = func(ctx context.Context, app store.Application) error {
				f.apps(func(found *store.Application) { found.Scopes = app.Scopes })
				return f.right.CreateApplication(ctx, app)
			}
		},
		"an update is kept as it is": func(f *faulty) {
			f.updateApplication = func(ctx context.Context, app store.Application) error {
				f.apps(func(found *store.Application) { found.Registration = app.Registration })
				return f.right.UpdateApplication(ctx, app)
			}
		},
	},
	"a caller may change what was returned": {
		"it shares memory with the stored record": func(f *faulty) {
			f.createApplication = func(ctx context.Context, app store.Application) error {
				kept := app.Clone()
				f.apps(func(found *store.Application) { found.Metadata = kept.Metadata })
				return f.right.CreateApplication(ctx, app)
			}
		},
	},
	"empty collections come back empty": {
		"no scopes are one": func(f *faulty) {
			f.apps(func(app *store.Application) {
				if len(app.Scopes) == 0 {
					app.Scopes = scopes.Set{""}
				}
			})
		},
	},
	"nothing happens once the context has ended": {
		"documents are created": func(f *faulty) {
			f.create = func(ctx context.Context, d store.Document) error {
				return f.right.Create(context.WithoutCancel(ctx), d)
			}
		},
		"it is done, and then it says so": func(f *faulty) {
			f.end = func(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
				return errors.Join(f.right.End(context.WithoutCancel(ctx), id, at, sweepAt), ctx.Err())
			}
		},
		"documents are found": func(f *faulty) {
			f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
				return f.right.Find(context.WithoutCancel(ctx), id)
			}
		},
		"it is a conflict": func(f *faulty) {
			f.replace = func(ctx context.Context, d store.Document, mark int64) error {
				if ctx.Err() != nil {
					return store.ErrConflict
				}
				return f.right.Replace(ctx, d, mark)
			}
		},
		"the list is empty": func(f *faulty) {
			f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
				if ctx.Err() != nil {
					return nil, 0, nil
				}
				return f.right.ListApplications(ctx, q)
			}
		},
	},
}

var wrongTexts = breaks{
	"texts come back byte for byte": {
		"spaces around names are cut": func(f *faulty) {
			f.givenApps(func(app *store.Application) { app.Name = strings.TrimSpace(app.Name) })
		},
		"accents are composed": func(f *faulty) {
			f.docs(func(d *store.Document) { d.WorkspaceID = strings.ReplaceAll(d.WorkspaceID, "e\u0301", "é") })
		},
		"runes have at most three bytes": func(f *faulty) {
			f.givenApps(func(app *store.Application) { app.Metadata = map[string]string{"lost": "all"} })
		},
		"a byte order mark is dropped": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string { return strings.TrimPrefix(exactly(key), "\ufeff") }, rightly)
			f.docs(func(d *store.Document) { d.UserID = strings.TrimPrefix(d.UserID, "\ufeff") })
		},
	},
	"IDs are compared byte for byte": {
		"upper and lower case are one": func(f *faulty) {
			f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
				app, err := f.right.FindApplication(ctx, id)
				if errors.Is(err, store.ErrNotFound) {
					return f.right.FindApplication(ctx, strings.ToUpper(id))
				}
				return app, err
			}
		},
		"lists of owners take them as one": func(f *faulty) {
			f.appQuery(func(q *store.ApplicationQuery) { q.OwnerID = strings.TrimSpace(q.OwnerID) })
		},
		"lists of documents take them as one": func(f *faulty) {
			f.lists(listing{matches: func(q store.Query, d store.Document) bool {
				d.UserID, q.UserID = strings.ToLower(d.UserID), strings.ToLower(q.UserID)
				return q.Matches(&d)
			}})
		},
	},
	"long texts are stored whole": {
		"they are cut": func(f *faulty) {
			f.givenApps(func(app *store.Application) { app.Name = app.Name[:min(len(app.Name), 255)] })
		},
		"keys are cut": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string {
				return joined("\x00")(keyOf([3]string{key.UserID[:min(len(key.UserID), 511)], key.ApplicationID, key.WorkspaceID}))
			}, rightly)
		},
	},
	"texts that are too long are stored whole or refused": {
		"they are cut": func(f *faulty) {
			f.givenApps(func(app *store.Application) { app.OwnerID = app.OwnerID[:min(len(app.OwnerID), 65_535)] })
		},
		"keys are cut": func(f *faulty) {
			f.ownCuts(func(key store.CutKey) string {
				return exactly(keyOf([3]string{key.UserID[:min(len(key.UserID), 767)], key.ApplicationID}))
			}, rightly)
		},
	},
	"an application with NUL or invalid UTF-8 is refused": {
		"it is fixed": func(f *faulty) {
			f.givenApps(func(app *store.Application) {
				app.Name = strings.ReplaceAll(strings.ToValidUTF8(app.Name, "?"), "\x00", "")
			})
		},
	},
	"a text that can't be stored is not found": {
		"it is an error for applications": func(f *faulty) {
			f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
				if !store.IsText(id) {
					return store.Application{}, errors.New("invalid byte sequence")
				}
				return f.right.FindApplication(ctx, id)
			}
		},
		"it is an error for lists": func(f *faulty) {
			f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
				if !store.IsText(q.UserID) {
					return nil, store.Cursor{}, errors.New("invalid byte sequence")
				}
				return f.right.List(ctx, q)
			}
		},
		"it ends at a NUL": func(f *faulty) {
			f.deleteApplication = func(ctx context.Context, id string) error {
				id, _, _ = strings.Cut(id, "\x00")
				return f.right.DeleteApplication(ctx, id)
			}
		},
	},
	"every scope name of RFC 6749 is stored": {
		"a comma parts two": func(f *faulty) {
			f.apps(func(app *store.Application) {
				app.Scopes = scopes.New(strings.Split(strings.Join(app.Scopes, ","), ",")...)
			})
		},
	},
}
