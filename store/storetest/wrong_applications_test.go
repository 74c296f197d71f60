package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// edited makes every application that is returned pass through edit.
func edited(f *faulty, edit func(*store.Application)) {
	f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
		app, err := f.Store.FindApplication(ctx, id)
		edit(&app)
		return app, err
	}
	f.findClient = func(ctx context.Context, clientID string) (store.Application, error) {
		app, err := f.Store.FindClient(ctx, clientID)
		edit(&app)
		return app, err
	}
}

// asked makes every list of applications be asked for in another way.
func asked(f *faulty, edit func(*store.ApplicationQuery)) {
	f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
		edit(&q)
		return f.Store.ListApplications(ctx, q)
	}
}

// forceUpdate updates whatever version is kept.
func (f *faulty) forceUpdate(ctx context.Context, app store.Application) error {
	for {
		kept, err := f.Store.FindApplication(ctx, app.ID)
		if err != nil {
			return err
		}
		app.Version = kept.Version
		if err := f.Store.UpdateApplication(ctx, app); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

var wrongApplications = []wrong{
	{"an application loses its metadata", []string{"applications/an application comes back as it was kept"}, func(f *faulty) {
		edited(f, func(app *store.Application) { app.Metadata = nil })
	}},
	{"a find by client id forgets the logo", []string{"applications/an application comes back as it was kept"}, func(f *faulty) {
		edited(f, func(*store.Application) {})
		f.findClient = func(ctx context.Context, clientID string) (store.Application, error) {
			app, err := f.Store.FindClient(ctx, clientID)
			app.LogoURL = ""
			return app, err
		}
	}},
	{"secrets come back in another order", []string{"applications/an application comes back as it was kept"}, func(f *faulty) {
		edited(f, func(app *store.Application) { slices.Reverse(app.Secrets) })
	}},
	{"a registration loses its contacts", []string{
		"applications/an application comes back as it was kept", "applications/a registration is kept whole, replaced and cleared with its application",
	}, func(f *faulty) {
		edited(f, func(app *store.Application) {
			if app.Registration != nil {
				app.Registration.Contacts = nil
			}
		})
	}},
	{"no registration comes back as an empty one", []string{
		"applications/an application comes back as it was kept", "applications/a registration is kept whole, replaced and cleared with its application",
	}, func(f *faulty) {
		edited(f, func(app *store.Application) {
			if app.Registration == nil {
				app.Registration = &store.Registration{}
			}
		})
	}},
	{"an empty registration comes back as none", []string{"applications/a registration is kept whole, replaced and cleared with its application"}, func(f *faulty) {
		edited(f, func(app *store.Application) {
			if r := app.Registration; r != nil && r.Type == "" && r.Token == (store.SecretHash{}) && len(r.GrantTypes)+len(r.Contacts) == 0 {
				app.Registration = nil
			}
		})
	}},
	{"a list leaves registrations out", []string{"applications/a registration is kept whole, replaced and cleared with its application"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, total, err := f.Store.ListApplications(ctx, q)
			for i := range page {
				page[i].Registration = nil
			}
			return page, total, err
		}
	}},
	{"an update without a registration keeps the old one", []string{
		"applications/a registration is kept whole, replaced and cleared with its application",
		"applications/an update replaces the application but for what never changes",
	}, func(f *faulty) {
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			if old, err := f.Store.FindApplication(ctx, app.ID); err == nil && app.Registration == nil {
				app.Registration = old.Registration
			}
			return f.Store.UpdateApplication(ctx, app)
		}
	}},
	{"a new application keeps the version it brings", []string{"applications/the store sets the version of a new application"}, func(f *faulty) {
		versions := map[string]int64{}
		f.createApplication = func(ctx context.Context, app store.Application) error {
			versions[app.ID] = app.Version
			return f.Store.CreateApplication(ctx, app)
		}
		edited(f, func(app *store.Application) { app.Version = versions[app.ID] })
	}},
	{"an absent application is the zero one", []string{"applications/an absent application is not found"}, func(f *faulty) {
		f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
			app, err := f.Store.FindApplication(ctx, id)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return app, err
		}
	}},
	{"applications are found by either id", []string{"applications/an absent application is not found"}, func(f *faulty) {
		f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
			app, err := f.Store.FindApplication(ctx, id)
			if errors.Is(err, store.ErrNotFound) {
				return f.Store.FindClient(ctx, id)
			}
			return app, err
		}
	}},
	{"creating overwrites", []string{"applications/an id and a client id are taken once"}, func(f *faulty) {
		f.createApplication = func(ctx context.Context, app store.Application) error {
			f.Store.DeleteApplication(ctx, app.ID)
			return f.Store.CreateApplication(ctx, app)
		}
	}},
	{"a client id may be taken twice", []string{"applications/an id and a client id are taken once"}, func(f *faulty) {
		f.createApplication = func(ctx context.Context, app store.Application) error {
			if old, err := f.Store.FindClient(ctx, app.ClientID); err == nil && old.ID != app.ID {
				f.Store.DeleteApplication(ctx, old.ID)
			}
			return f.Store.CreateApplication(ctx, app)
		}
	}},
	{"an update moves the creation", []string{"applications/an update replaces the application but for what never changes"}, func(f *faulty) {
		edited(f, func(app *store.Application) {
			if app.Version == 2 {
				app.CreatedAt = app.UpdatedAt.Add(-time.Hour)
			}
		})
	}},
	{"an update keeps the name", []string{"applications/an update replaces the application but for what never changes"}, func(f *faulty) {
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			if old, err := f.Store.FindApplication(ctx, app.ID); err == nil {
				app.Name = old.Name
			}
			return f.Store.UpdateApplication(ctx, app)
		}
	}},
	{"the last writer wins", []string{"applications/an update of another version is a conflict", "races/of many that update one version exactly one succeeds"}, func(f *faulty) {
		f.updateApplication = f.forceUpdate
	}},
	{"an update by an older version only is a conflict", []string{"applications/an update of another version is a conflict"}, func(f *faulty) {
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			if old, err := f.Store.FindApplication(ctx, app.ID); err == nil && app.Version > old.Version {
				app.Version = old.Version
			}
			return f.Store.UpdateApplication(ctx, app)
		}
	}},
	{"an update creates what is absent", []string{"applications/an update of an absent application is not found"}, func(f *faulty) {
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			err := f.Store.UpdateApplication(ctx, app)
			if errors.Is(err, store.ErrNotFound) {
				return f.Store.CreateApplication(ctx, app)
			}
			return err
		}
	}},
	{"deleting what is absent is an error", []string{"applications/a deleted application is gone and its ids are free"}, func(f *faulty) {
		f.deleteApplication = func(ctx context.Context, id string) error {
			if _, err := f.Store.FindApplication(ctx, id); err != nil {
				return err
			}
			return f.Store.DeleteApplication(ctx, id)
		}
	}},
	{"a deleted application keeps its ids", []string{"applications/a deleted application is gone and its ids are free"}, func(f *faulty) {
		deleted := map[string]bool{}
		f.deleteApplication = func(ctx context.Context, id string) error {
			deleted[id] = true
			return f.Store.DeleteApplication(ctx, id)
		}
		f.createApplication = func(ctx context.Context, app store.Application) error {
			if deleted[app.ID] {
				return store.ErrExists
			}
			return f.Store.CreateApplication(ctx, app)
		}
	}},
	{"deleting an application deletes its grants", []string{"applications/grants and applications are not connected"}, func(f *faulty) {
		f.deleteApplication = func(ctx context.Context, id string) error {
			f.Store.RevokeGrants(ctx, store.GrantFilter{ApplicationID: id}, time.Now())
			return f.Store.DeleteApplication(ctx, id)
		}
	}},
	{"a grant needs a kept application", []string{"applications/grants and applications are not connected"}, func(f *faulty) {
		f.createGrant = func(ctx context.Context, n store.NewGrant) error {
			if _, err := f.Store.FindApplication(ctx, n.Grant.ApplicationID); err != nil {
				return err
			}
			return f.Store.CreateGrant(ctx, n)
		}
	}},
	{"a list has the opposite order", []string{"lists/a list has the documented order"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.Order ^= 1 })
	}},
	{"ties go by the id the other way", []string{"lists/a list has the documented order"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, total, err := f.Store.ListApplications(ctx, q)
			if q.Order == store.NewestFirst {
				slices.SortStableFunc(page, func(a, b store.Application) int { return b.CreatedAt.Compare(a.CreatedAt) })
				for i := 1; i < len(page); i++ {
					if page[i].CreatedAt.Equal(page[i-1].CreatedAt) {
						page[i], page[i-1] = page[i-1], page[i]
					}
				}
			}
			return page, total, err
		}
	}},
	{"names are ordered without regard to case", []string{"lists/a list has the documented order"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, total, err := f.Store.ListApplications(ctx, q)
			if q.Order == store.NameAscending {
				slices.SortStableFunc(page, func(a, b store.Application) int {
					return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
				})
			}
			return page, total, err
		}
	}},
	{"the total is the length of the page", []string{"lists/a list comes in pages and counts all that match", "lists/a list without a limit has ten"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, _, err := f.Store.ListApplications(ctx, q)
			return page, len(page), err
		}
	}},
	{"the offset is ignored", []string{"lists/a list comes in pages and counts all that match"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.Offset = min(q.Offset, 0) })
	}},
	{"an empty page is an error", []string{"lists/a list comes in pages and counts all that match"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, total, err := f.Store.ListApplications(ctx, q)
			if err == nil && len(page) == 0 {
				err = store.ErrNotFound
			}
			return page, total, err
		}
	}},
	{"a list without a limit has no end", []string{"lists/a list without a limit has ten"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) {
			if q.Limit == 0 {
				q.Limit = 1 << 30
			}
		})
	}},
	{"a negative limit is none", []string{"lists/a page that cannot be is an error"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.Limit = max(q.Limit, 0) })
	}},
	{"the owner is ignored", []string{"lists/a list is of one owner"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.OwnerID = "" })
	}},
	{"the origin is ignored", []string{"lists/a list is of one origin", "lists/filters of a list go together"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.Origin = "" })
	}},
	{"origins are compared without regard to case", []string{"lists/a list is of one origin"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.Origin = store.Origin(strings.ToLower(string(q.Origin))) })
	}},
	{"the total is of all origins", []string{"lists/a list is of one origin", "lists/filters of a list go together"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, _, err := f.Store.ListApplications(ctx, q)
			q.Origin = ""
			_, total, _ := f.Store.ListApplications(ctx, q)
			return page, total, err
		}
	}},
	{"the time of the last change is ignored", []string{
		"lists/a list is of what was changed before a time", "lists/filters of a list go together",
	}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.UpdatedBefore = time.Time{} })
	}},
	{"a change at the time itself was before it", []string{"lists/a list is of what was changed before a time"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) {
			if !q.UpdatedBefore.IsZero() {
				q.UpdatedBefore = q.UpdatedBefore.Add(tick)
			}
		})
	}},
	{"the creation is taken for the last change", []string{"lists/a list is of what was changed before a time"}, func(f *faulty) {
		created := map[string]time.Time{}
		f.createApplication = func(ctx context.Context, app store.Application) error {
			created[app.ID] = app.UpdatedAt
			return f.Store.CreateApplication(ctx, app)
		}
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			app.UpdatedAt = created[app.ID]
			return f.Store.UpdateApplication(ctx, app)
		}
	}},
	{"no time is the first one", []string{"lists/a list is of what was changed before a time"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) {
			if q.UpdatedBefore.IsZero() {
				q.UpdatedBefore = time.Unix(0, 0)
			}
		})
	}},
	{"one filter stands for all", []string{"lists/filters of a list go together"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) {
			if q.Origin != "" {
				q.UpdatedBefore = time.Time{}
			}
		})
	}},
	{"a page is cut before it is filtered by time", []string{"lists/filters of a list go together"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			_, total, err := f.Store.ListApplications(ctx, q)
			before := q.UpdatedBefore
			q.UpdatedBefore = time.Time{}
			page, _, _ := f.Store.ListApplications(ctx, q)
			page = slices.DeleteFunc(page, func(app store.Application) bool { return !before.IsZero() && !app.UpdatedAt.Before(before) })
			return page, total, err
		}
	}},
	{"a search takes case as it is", []string{"lists/a list is searched by part of the name, upper and lower case alike"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, _, err := f.Store.ListApplications(ctx, q)
			page = slices.DeleteFunc(page, func(app store.Application) bool { return !strings.Contains(app.Name, q.Name) })
			return page, len(page), err
		}
	}},
	{"a search folds the case of ASCII only", []string{"lists/a list is searched by part of the name, upper and lower case alike"}, func(f *faulty) {
		lower := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					r += 'a' - 'A'
				}
				return r
			}, s)
		}
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, _, err := f.Store.ListApplications(ctx, q)
			page = slices.DeleteFunc(page, func(app store.Application) bool { return !strings.Contains(lower(app.Name), lower(q.Name)) })
			return page, len(page), err
		}
	}},
	{"a percent sign stands for anything", []string{"lists/a search takes every character literally"}, func(f *faulty) {
		asked(f, func(q *store.ApplicationQuery) { q.Name = strings.Trim(q.Name, "%") })
	}},
	{"a search does not find the client id", []string{"lists/a list is searched by the whole client id"}, func(f *faulty) {
		f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
			page, _, err := f.Store.ListApplications(ctx, q)
			page = slices.DeleteFunc(page, func(app store.Application) bool {
				return !strings.Contains(strings.ToLower(app.Name), strings.ToLower(q.Name))
			})
			return page, len(page), err
		}
	}},
}
