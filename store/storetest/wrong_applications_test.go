package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

var wrongApplications = breaks{
	"an application comes back as it was stored": {
		"it loses its metadata": func(f *faulty) { f.apps(func(app *store.Application) { app.Metadata = nil }) },
		"its secrets change their order": func(f *faulty) {
			f.apps(func(app *store.Application) { slices.Reverse(app.Secrets) })
		},
		"its logo is missing by client ID": func(f *faulty) {
			f.findClient = func(ctx context.Context, clientID string) (store.Application, error) {
				app, err := f.right.FindClient(ctx, clientID)
				app.LogoURL = ""
				return app, err
			}
		},
		"its owner is missing in lists": func(f *faulty) {
			f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
				page, total, err := f.right.ListApplications(ctx, q)
				for i := range page {
					page[i].OwnerID = ""
				}
				return page, total, err
			}
		},
	},
	"a registration is stored whole, replaced, and cleared with its application": {
		"an empty one comes back as none": func(f *faulty) {
			f.apps(func(app *store.Application) {
				if r := app.Registration; r != nil && r.Type == "" && r.Token.IsZero() && len(r.GrantTypes)+len(r.Contacts) == 0 {
					app.Registration = nil
				}
			})
		},
		"none comes back as an empty one": func(f *faulty) {
			f.apps(func(app *store.Application) {
				if app.Registration == nil {
					app.Registration = &store.RegistrationRecord{}
				}
			})
		},
		"an update without one keeps the old one": func(f *faulty) {
			f.updateApplication = func(ctx context.Context, app store.Application) error {
				if old, err := f.right.FindApplication(ctx, app.ID); err == nil && app.Registration == nil {
					app.Registration = old.Registration
				}
				return f.right.UpdateApplication(ctx, app)
			}
		},
	},
	"the store sets the version of a new application": {
		"it keeps the version that was given": func(f *faulty) {
			versions := map[string]int64{}
			f.apps(func(app *store.Application) { app.Version = versions[app.ID] })
			f.createApplication = func(ctx context.Context, app store.Application) error {
				versions[app.ID] = app.Version
				return f.right.CreateApplication(ctx, app)
			}
		},
	},
	"a missing application is not found": {
		"it is the zero one": func(f *faulty) {
			f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
				app, _ := f.right.FindApplication(ctx, id)
				return app, nil
			}
		},
		"it is found by either ID": func(f *faulty) {
			f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
				app, err := f.right.FindApplication(ctx, id)
				if err != nil {
					return f.right.FindClient(ctx, id)
				}
				return app, err
			}
		},
	},
	"an ID and a client ID can be taken only once": {
		"creating overwrites": func(f *faulty) {
			f.createApplication = func(ctx context.Context, app store.Application) error {
				f.right.DeleteApplication(ctx, app.ID)
				return f.right.CreateApplication(ctx, app)
			}
		},
		"a client ID may be taken over": func(f *faulty) {
			f.createApplication = func(ctx context.Context, app store.Application) error {
				if old, err := f.right.FindClient(ctx, app.ClientID); err == nil && old.ID != app.ID {
					f.right.DeleteApplication(ctx, old.ID)
				}
				return f.right.CreateApplication(ctx, app)
			}
		},
	},
	"an update replaces an application, except for its fixed fields": {
		"it keeps the name": func(f *faulty) {
			f.updateApplication = func(ctx context.Context, app store.Application) error {
				if old, err := f.right.FindApplication(ctx, app.ID); err == nil {
					app.Name = old.Name
				}
				return f.right.UpdateApplication(ctx, app)
			}
		},
		"it changes the time when it was created": func(f *faulty) {
			f.apps(func(app *store.Application) {
				if app.Version > 1 {
					app.CreatedAt = app.UpdatedAt
				}
			})
		},
		"it does nothing": func(f *faulty) {
			f.updateApplication = func(context.Context, store.Application) error { return nil }
		},
	},
	"an update of another version is a conflict": {
		"the last writer wins": func(f *faulty) { f.updateApplication = f.forceUpdate },
		"only an older version is a conflict": func(f *faulty) {
			f.updateApplication = func(ctx context.Context, app store.Application) error {
				if old, err := f.right.FindApplication(ctx, app.ID); err == nil && app.Version > old.Version {
					app.Version = old.Version
				}
				return f.right.UpdateApplication(ctx, app)
			}
		},
	},
	"an update of a missing application is not found": {
		"it creates one": func(f *faulty) {
			f.updateApplication = func(ctx context.Context, app store.Application) error {
				if err := f.right.UpdateApplication(ctx, app); !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return f.right.CreateApplication(ctx, app)
			}
		},
		"it is a conflict": func(f *faulty) {
			f.updateApplication = func(ctx context.Context, app store.Application) error {
				err := f.right.UpdateApplication(ctx, app)
				if errors.Is(err, store.ErrNotFound) {
					return store.ErrConflict
				}
				return err
			}
		},
	},
	"a deleted application is gone and its IDs are free": {
		"deleting a missing one is an error": func(f *faulty) {
			f.deleteApplication = func(ctx context.Context, id string) error {
				if _, err := f.right.FindApplication(ctx, id); err != nil {
					return err
				}
				return f.right.DeleteApplication(ctx, id)
			}
		},
		"its IDs stay taken": func(f *faulty) {
			deleted := map[string]bool{}
			f.deleteApplication = func(ctx context.Context, id string) error {
				deleted[id] = true
				return f.right.DeleteApplication(ctx, id)
			}
			f.createApplication = func(ctx context.Context, app store.Application) error {
				if deleted[app.ID] {
					return store.ErrExists
				}
				return f.right.CreateApplication(ctx, app)
			}
		},
		"all are deleted": func(f *faulty) {
			f.deleteApplication = func(ctx context.Context, _ string) error {
				page, _, err := f.right.ListApplications(ctx, store.ApplicationQuery{Limit: 100})
				for _, app := range page {
					f.right.DeleteApplication(ctx, app.ID)
				}
				return err
			}
		},
	},
	"documents and applications are independent": {
		"a document needs its application": func(f *faulty) {
			create := f.create
			f.create = func(ctx context.Context, d store.Document) error {
				if _, err := f.right.FindApplication(ctx, d.ApplicationID); err != nil {
					return errors.New("foreign key")
				}
				return create(ctx, d)
			}
		},
		"deleting an application cuts it off": func(f *faulty) {
			f.deleteApplication = func(ctx context.Context, id string) error {
				f.right.CutOff(ctx, store.CutKey{ApplicationID: id}, 1)
				return f.right.DeleteApplication(ctx, id)
			}
		},
	},
}

// forceUpdate updates any version of an application.
func (f *faulty) forceUpdate(ctx context.Context, app store.Application) error {
	for {
		kept, err := f.right.FindApplication(ctx, app.ID)
		if err != nil {
			return err
		}
		app.Version = kept.Version
		if err := f.right.UpdateApplication(ctx, app); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

var wrongApplicationLists = breaks{
	"a list of applications has the documented order": {
		"it has one order": func(f *faulty) { f.appQuery(func(q *store.ApplicationQuery) { q.Order = store.OldestFirst }) },
		"names are compared as letters": func(f *faulty) {
			f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
				page, total, err := f.right.ListApplications(ctx, q)
				if q.Order == store.NameAscending {
					slices.SortStableFunc(page, func(a, b store.Application) int {
						return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
					})
				}
				return page, total, err
			}
		},
	},
	"a list of applications comes in pages and counts all that match": {
		"each page is the first": func(f *faulty) { f.appQuery(func(q *store.ApplicationQuery) { q.Offset = 0 }) },
		"it counts the page": func(f *faulty) {
			f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
				page, _, err := f.right.ListApplications(ctx, q)
				return page, len(page), err
			}
		},
	},
	"a list of applications without a limit has ten": {
		"it has all": func(f *faulty) {
			f.appQuery(func(q *store.ApplicationQuery) {
				if q.Limit == 0 {
					q.Limit = 1000
				}
			})
		},
	},
	"an invalid page of applications is an error": {
		"it is the first": func(f *faulty) {
			f.appQuery(func(q *store.ApplicationQuery) { q.Limit, q.Offset = max(q.Limit, 0), max(q.Offset, 0) })
		},
	},
	"the filters of a list of applications work together": {
		"an owner sees all":     func(f *faulty) { f.appQuery(func(q *store.ApplicationQuery) { q.OwnerID = "" }) },
		"the origin is ignored": func(f *faulty) { f.appQuery(func(q *store.ApplicationQuery) { q.Origin = "" }) },
		"before is also at a time": func(f *faulty) {
			f.appQuery(func(q *store.ApplicationQuery) { q.UpdatedBefore = q.UpdatedBefore.Add(tick) })
		},
		"with a name, other filters are ignored": func(f *faulty) {
			f.appQuery(func(q *store.ApplicationQuery) {
				if q.Name != "" {
					q.OwnerID = ""
				}
			})
		},
	},
	"a search matches part of an application's name, ignoring case": {
		"as it is written": func(f *faulty) {
			f.search(func(app store.Application, name string) bool { return strings.Contains(app.Name, name) })
		},
		"from its beginning": func(f *faulty) {
			f.search(func(app store.Application, name string) bool {
				return strings.HasPrefix(strings.ToLower(app.Name), strings.ToLower(name))
			})
		},
		"case is ignored only in ASCII": func(f *faulty) {
			f.search(func(app store.Application, name string) bool {
				return strings.Contains(asciiLower(app.Name), asciiLower(name))
			})
		},
	},
	"a search takes every character literally": {
		"a percent sign stands for anything": func(f *faulty) {
			f.search(func(app store.Application, name string) bool {
				return strings.Contains(strings.ToLower(app.Name), strings.Trim(strings.ToLower(name), "%"))
			})
		},
	},
	"a search matches a whole client ID": {
		"by names only": func(f *faulty) {
			f.search(func(app store.Application, name string) bool {
				return strings.Contains(strings.ToLower(app.Name), strings.ToLower(name))
			})
		},
		"by a part of it": func(f *faulty) {
			f.search(func(app store.Application, name string) bool {
				return strings.Contains(app.ClientID, name) || strings.Contains(strings.ToLower(app.Name), strings.ToLower(name))
			})
		},
	},
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
