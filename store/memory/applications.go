package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/latchkey-go/latchkey/store"
)

// applications are the registered applications. A stored one is never changed:
// an update replaces it, so a reader needs the lock only to find it.
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
	if err := app.Check(); err != nil {
		return err
	}
	app = app.Micro()
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
	return s.applications.find(ctx, s.applications.byID, id)
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return s.applications.find(ctx, s.applications.byClient, clientID)
}

func (a *applications) find(ctx context.Context, in map[string]*store.Application, id string) (store.Application, error) {
	if err := ctx.Err(); err != nil {
		return store.Application{}, err
	}
	a.mu.RLock()
	app := in[id]
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
	slices.SortFunc(matched, q.Order.Compare)
	page := matched[min(q.Offset, len(matched)):]
	page = page[:min(limit, len(page))]
	apps := make([]store.Application, len(page))
	for i, app := range page {
		apps[i] = app.Clone()
	}
	return apps, len(matched), nil
}

// matching returns the applications that q selects, in no order.
func (a *applications) matching(q store.ApplicationQuery) (matched []*store.Application) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, app := range a.byID {
		if q.Matches(app) {
			matched = append(matched, app)
		}
	}
	return matched
}

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := app.Check(); err != nil {
		return err
	}
	app = app.Micro()
	a := &s.applications
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.byID[app.ID]
	if kept == nil {
		return store.ErrNotFound
	}
	if kept.Version != app.Version {
		return store.ErrConflict
	}
	app.ClientID, app.CreatedAt, app.Version = kept.ClientID, kept.CreatedAt, kept.Version+1
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
