package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// applications are the registered applications. A kept one is never changed:
// an update puts another in its place, so a reader holds the lock only to find
// it.
type applications struct {
	mu       sync.RWMutex
	byID     map[string]*store.Application
	byClient map[string]*store.Application
}

func (a *applications) put(app *store.Application) {
	a.byID[app.ID] = app
	a.byClient[app.ClientID] = app
}

// CreateApplication implements [store.Applications].
func (s *Store) CreateApplication(ctx context.Context, app store.Application) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	app, err := kept(app)
	if err != nil {
		return err
	}
	app.Version = 1

	a := &s.applications
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byID[app.ID] != nil || a.byClient[app.ClientID] != nil {
		return store.ErrExists
	}
	a.put(&app)
	return nil
}

// FindApplication implements [store.Applications].
func (s *Store) FindApplication(ctx context.Context, id string) (store.Application, error) {
	if err := ctx.Err(); err != nil {
		return store.Application{}, err
	}
	a := &s.applications
	a.mu.RLock()
	app := a.byID[id]
	a.mu.RUnlock()
	if app == nil {
		return store.Application{}, store.ErrNotFound
	}
	return app.Clone(), nil
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	if err := ctx.Err(); err != nil {
		return store.Application{}, err
	}
	a := &s.applications
	a.mu.RLock()
	app := a.byClient[clientID]
	a.mu.RUnlock()
	if app == nil {
		return store.Application{}, store.ErrNotFound
	}
	return app.Clone(), nil
}

// ListApplications implements [store.Applications].
func (s *Store) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	matched := s.applications.matching(q)
	slices.SortFunc(matched, comparison(q.Order))
	apps := make([]store.Application, 0, min(limit, len(matched)))
	for _, app := range page(matched, limit, q.Offset) {
		apps = append(apps, app.Clone())
	}
	return apps, len(matched), nil
}

// matching returns the applications that q selects, in no order.
func (a *applications) matching(q store.ApplicationQuery) []*store.Application {
	part := strings.ToLower(q.Name)
	a.mu.RLock()
	defer a.mu.RUnlock()
	var matched []*store.Application
	for _, app := range a.byID {
		if q.OwnerID != "" && app.OwnerID != q.OwnerID {
			continue
		}
		if q.Name != "" && app.ClientID != q.Name && !strings.Contains(strings.ToLower(app.Name), part) {
			continue
		}
		if q.Origin != "" && app.Origin != q.Origin || !q.UpdatedBefore.IsZero() && !app.UpdatedAt.Before(q.UpdatedBefore) {
			continue
		}
		matched = append(matched, app)
	}
	return matched
}

// comparison returns the order as a function for sorting. It never finds two
// applications equal, as no two have the same ID.
func comparison(order store.ApplicationOrder) func(a, b *store.Application) int {
	byTime := func(a, b *store.Application) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}
	byName := func(a, b *store.Application) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	}
	switch order {
	case store.OldestFirst:
		return byTime
	case store.NameAscending:
		return byName
	case store.NameDescending:
		return func(a, b *store.Application) int { return byName(b, a) }
	default:
		return func(a, b *store.Application) int { return byTime(b, a) }
	}
}

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	app, err := kept(app)
	if err != nil {
		return err
	}

	a := &s.applications
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.byID[app.ID]
	if old == nil {
		return store.ErrNotFound
	}
	if old.Version != app.Version {
		return store.ErrConflict
	}
	app.ClientID, app.CreatedAt, app.Version = old.ClientID, old.CreatedAt, old.Version+1
	a.put(&app)
	return nil
}

// DeleteApplication implements [store.Applications].
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := &s.applications
	a.mu.Lock()
	defer a.mu.Unlock()
	if app := a.byID[id]; app != nil {
		delete(a.byID, app.ID)
		delete(a.byClient, app.ClientID)
	}
	return nil
}

// kept returns app as it is kept: a copy, with its times in UTC and cut to the
// microsecond, and with texts that a store has to accept.
func kept(app store.Application) (store.Application, error) {
	if err := app.Check(); err != nil {
		return store.Application{}, err
	}
	app = app.Clone()
	app.CreatedAt, app.UpdatedAt = cut(app.CreatedAt), cut(app.UpdatedAt)
	for i, secret := range app.Secrets {
		app.Secrets[i].CreatedAt, app.Secrets[i].ExpiresAt = cut(secret.CreatedAt), cut(secret.ExpiresAt)
	}
	return app, nil
}

// cut returns t in UTC and without what is finer than a microsecond.
func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
