// Package plain is the plainest complete store: maps behind one lock. Copy it
// to start a backend for another database. It is written to be read; for
// production, or for tests with many users, use package memory.
package plain

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Store keeps everything in maps. [New] makes one.
type Store struct {
	mu           sync.Mutex
	applications map[string]store.Application
	documents    map[store.ID]store.Document
	cuts         map[store.CutKey]int64
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		applications: map[string]store.Application{},
		documents:    map[store.ID]store.Document{},
		cuts:         map[store.CutKey]int64{},
	}
}

// Forgets implements [store.Volatile].
func (s *Store) Forgets() bool { return true }

// step runs the step of one method, unless check is an error or the context has
// ended. A step is atomic because it holds the lock. A database does the same
// with one statement or a transaction.
func (s *Store) step(ctx context.Context, check error, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmp.Or(check, ctx.Err()); err != nil {
		return err
	}
	return do()
}

// CreateApplication implements [store.Applications].
func (s *Store) CreateApplication(ctx context.Context, app store.Application) error {
	return s.step(ctx, app.Check(), func() error {
		for _, kept := range s.applications {
			if kept.ID == app.ID || kept.ClientID == app.ClientID {
				return store.ErrExists
			}
		}
		app.Version = 1
		s.applications[app.ID] = app.Micro()
		return nil
	})
}

// FindApplication implements [store.Applications].
func (s *Store) FindApplication(ctx context.Context, id string) (store.Application, error) {
	return s.findApplication(ctx, func(app store.Application) bool { return app.ID == id })
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return s.findApplication(ctx, func(app store.Application) bool { return app.ClientID == clientID })
}

func (s *Store) findApplication(ctx context.Context, is func(store.Application) bool) (found store.Application, err error) {
	err = s.step(ctx, nil, func() error {
		for _, app := range s.applications {
			if is(app) {
				found = app.Clone()
				return nil
			}
		}
		return store.ErrNotFound
	})
	return found, err
}

// ListApplications implements [store.Applications].
func (s *Store) ListApplications(ctx context.Context, q store.ApplicationQuery) (page []store.Application, total int, err error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	err = s.step(ctx, err, func() error {
		for _, app := range s.applications {
			if q.Matches(&app) {
				page = append(page, app.Clone())
			}
		}
		slices.SortFunc(page, func(a, b store.Application) int { return q.Order.Compare(&a, &b) })
		total = len(page)
		page = page[min(q.Offset, total):]
		page = page[:min(limit, len(page))]
		return nil
	})
	return page, total, err
}

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	return s.step(ctx, app.Check(), func() error {
		kept, ok := s.applications[app.ID]
		switch {
		case !ok:
			return store.ErrNotFound
		case kept.Version != app.Version:
			return store.ErrConflict
		}
		app.ClientID, app.CreatedAt, app.Version = kept.ClientID, kept.CreatedAt, kept.Version+1
		s.applications[app.ID] = app.Micro()
		return nil
	})
}

// DeleteApplication implements [store.Applications].
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	return s.step(ctx, nil, func() error {
		delete(s.applications, id)
		return nil
	})
}

// keep stores a document that has not ended.
func (s *Store) keep(d store.Document) {
	d.CreatedAt, d.LastUsedAt, d.SweepAt = store.Micro(d.CreatedAt), store.Micro(d.LastUsedAt), store.Micro(d.SweepAt)
	d.EndedAt = time.Time{}
	s.documents[d.ID] = d
}

// numbers returns the numbers of all keys that cover a document with the key.
func (s *Store) numbers(key store.CutKey) (c store.Cuts) {
	for i, covering := range key.Covering() {
		c[i] = s.cuts[covering]
	}
	return c
}

// Create implements [store.Documents].
func (s *Store) Create(ctx context.Context, d store.Document) error {
	return s.step(ctx, d.Check(), func() error {
		if _, ok := s.documents[d.ID]; ok {
			return store.ErrExists
		}
		s.keep(d)
		return nil
	})
}

// Find implements [store.Documents].
func (s *Store) Find(ctx context.Context, id store.ID) (d store.Document, numbers store.Cuts, err error) {
	err = s.step(ctx, nil, func() error {
		var ok bool
		if d, ok = s.documents[id]; !ok {
			return store.ErrNotFound
		}
		numbers = s.numbers(d.Key())
		return nil
	})
	return d, numbers, err
}

// FindConsent implements [store.Documents].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (d store.Document, numbers store.Cuts, err error) {
	err = s.step(ctx, nil, func() error {
		d = s.documents[store.ConsentID(userID, applicationID, workspaceID)]
		numbers = s.numbers(store.CutKey{UserID: userID, ApplicationID: applicationID, WorkspaceID: workspaceID})
		return nil
	})
	return d, numbers, err
}

// Replace implements [store.Documents].
func (s *Store) Replace(ctx context.Context, d store.Document, mark int64) error {
	return s.step(ctx, d.Check(), func() error {
		kept, ok := s.documents[d.ID]
		if !ok || kept.Mark != mark || !kept.EndedAt.IsZero() {
			return store.ErrConflict
		}
		d.Kind, d.UserID, d.ApplicationID, d.WorkspaceID = kept.Kind, kept.UserID, kept.ApplicationID, kept.WorkspaceID
		s.keep(d)
		return nil
	})
}

// End implements [store.Documents].
func (s *Store) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	return s.step(ctx, nil, func() error {
		d, ok := s.documents[id]
		if !ok || !d.EndedAt.IsZero() {
			return nil
		}
		d.EndedAt = store.Micro(at)
		if d.SweepAt.IsZero() || sweepAt.Before(d.SweepAt) {
			d.SweepAt = store.Micro(sweepAt)
		}
		s.documents[id] = d
		return nil
	})
}

// CutOff implements [store.Documents].
func (s *Store) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	return s.step(ctx, key.Check(), func() error {
		s.cuts[key] = max(number, s.cuts[key]+1)
		return nil
	})
}

// List implements [store.Documents]. A database finds the page with an index
// and examines no more than q.Limit documents; this one examines all.
func (s *Store) List(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
	err = s.step(ctx, q.Check(), func() error {
		for _, d := range s.documents {
			if q.Matches(&d) && q.After.Before(&d) {
				page = append(page, d)
			}
		}
		slices.SortFunc(page, store.Newer)
		if len(page) > q.Limit {
			page = page[:q.Limit]
			last := page[q.Limit-1]
			next = store.Cursor{CreatedAt: last.CreatedAt, ID: last.ID}
		}
		page = slices.DeleteFunc(page, func(d store.Document) bool {
			now := s.numbers(d.Key())
			return !d.EndedAt.IsZero() || now.Exceed(&d.Seen)
		})
		return nil
	})
	return page, next, err
}

// Sweep implements [store.Documents].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	err = s.step(ctx, store.CheckSweep(limit), func() error {
		isOld := func(number int64) bool { return !store.CutTime(number).After(before.Add(-24 * time.Hour)) }
		covers := map[store.CutKey]bool{} // a document that stays
		for id, d := range s.documents {
			due := !d.SweepAt.IsZero() && !d.SweepAt.After(before)
			for i, key := range d.Key().Covering() {
				due = due || s.cuts[key] > d.Seen[i] && isOld(s.cuts[key])
			}
			if due && removed < limit {
				delete(s.documents, id)
				removed++
				continue
			}
			for _, key := range d.Key().Covering() {
				covers[key] = true
			}
		}
		for key, number := range s.cuts {
			if removed < limit && isOld(number) && !covers[key] {
				delete(s.cuts, key)
				removed++
			}
		}
		return nil
	})
	return removed, err
}
