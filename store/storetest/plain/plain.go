// Package plain is the plainest complete store: maps behind one lock. Copy it
// to start a backend for another database. It is written to be read; for
// production, or for tests with many users, use package memory.
package plain

import (
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

// begin takes the lock, unless the context has ended. Each method is atomic
// because it holds the lock from its beginning to its end. A database does the
// same by one statement or a transaction.
func (s *Store) begin(ctx context.Context) error {
	s.mu.Lock()
	if err := ctx.Err(); err != nil {
		s.mu.Unlock()
		return err
	}
	return nil
}

// CreateApplication implements [store.Applications].
func (s *Store) CreateApplication(ctx context.Context, app store.Application) error {
	if err := app.Check(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, kept := range s.applications {
		if kept.ID == app.ID || kept.ClientID == app.ClientID {
			return store.ErrExists
		}
	}
	app.Version = 1
	s.applications[app.ID] = app.Micro()
	return nil
}

// FindApplication implements [store.Applications].
func (s *Store) FindApplication(ctx context.Context, id string) (store.Application, error) {
	return s.findApplication(ctx, func(app store.Application) bool { return app.ID == id })
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return s.findApplication(ctx, func(app store.Application) bool { return app.ClientID == clientID })
}

func (s *Store) findApplication(ctx context.Context, is func(store.Application) bool) (store.Application, error) {
	if err := s.begin(ctx); err != nil {
		return store.Application{}, err
	}
	defer s.mu.Unlock()
	for _, app := range s.applications {
		if is(app) {
			return app.Clone(), nil
		}
	}
	return store.Application{}, store.ErrNotFound
}

// ListApplications implements [store.Applications].
func (s *Store) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, 0, err
	}
	defer s.mu.Unlock()
	var matched []store.Application
	for _, app := range s.applications {
		if q.Matches(&app) {
			matched = append(matched, app.Clone())
		}
	}
	slices.SortFunc(matched, func(a, b store.Application) int { return q.Order.Compare(&a, &b) })
	from := min(q.Offset, len(matched))
	to := min(from+limit, len(matched))
	return matched[from:to], len(matched), nil
}

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	if err := app.Check(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	kept, ok := s.applications[app.ID]
	switch {
	case !ok:
		return store.ErrNotFound
	case kept.Version != app.Version:
		return store.ErrConflict
	}
	app = app.Micro()
	app.ClientID, app.CreatedAt, app.Version = kept.ClientID, kept.CreatedAt, kept.Version+1
	s.applications[app.ID] = app
	return nil
}

// DeleteApplication implements [store.Applications].
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	delete(s.applications, id)
	return nil
}

// micro returns the document with its times as they are kept.
func micro(d store.Document) store.Document {
	d.CreatedAt, d.LastUsedAt, d.SweepAt = store.Micro(d.CreatedAt), store.Micro(d.LastUsedAt), store.Micro(d.SweepAt)
	return d
}

// Create implements [store.Documents].
func (s *Store) Create(ctx context.Context, d store.Document) error {
	if err := d.Check(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.documents[d.ID]; ok {
		return store.ErrExists
	}
	d.EndedAt = time.Time{}
	s.documents[d.ID] = micro(d)
	return nil
}

// numbers returns the numbers of the keys that cover a document with the key.
func (s *Store) numbers(key store.CutKey) (c store.Cuts) {
	for i, covering := range key.Covering() {
		c[i] = s.cuts[covering]
	}
	return c
}

// isCutOff reports whether the document is cut off.
func (s *Store) isCutOff(d store.Document) bool {
	now := s.numbers(d.Key())
	return now.Exceed(&d.Seen)
}

// Find implements [store.Documents].
func (s *Store) Find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	if err := s.begin(ctx); err != nil {
		return store.Document{}, store.Cuts{}, err
	}
	defer s.mu.Unlock()
	d, ok := s.documents[id]
	if !ok {
		return store.Document{}, store.Cuts{}, store.ErrNotFound
	}
	return d, s.numbers(d.Key()), nil
}

// FindConsent implements [store.Documents].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (store.Document, store.Cuts, error) {
	if err := s.begin(ctx); err != nil {
		return store.Document{}, store.Cuts{}, err
	}
	defer s.mu.Unlock()
	d := s.documents[store.ConsentID(userID, applicationID, workspaceID)]
	return d, s.numbers(store.CutKey{UserID: userID, ApplicationID: applicationID, WorkspaceID: workspaceID}), nil
}

// Replace implements [store.Documents].
func (s *Store) Replace(ctx context.Context, d store.Document, mark int64) error {
	if err := d.Check(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	kept, ok := s.documents[d.ID]
	if !ok || kept.Mark != mark || !kept.EndedAt.IsZero() {
		return store.ErrConflict
	}
	d.Kind, d.UserID, d.ApplicationID, d.WorkspaceID = kept.Kind, kept.UserID, kept.ApplicationID, kept.WorkspaceID
	d.EndedAt = time.Time{}
	s.documents[d.ID] = micro(d)
	return nil
}

// End implements [store.Documents].
func (s *Store) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
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
}

// CutOff implements [store.Documents].
func (s *Store) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	if err := key.Check(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.cuts[key] = max(number, s.cuts[key]+1)
	return nil
}

// List implements [store.Documents]. A database finds the page by an index and
// examines no more than q.Limit documents; this one examines all.
func (s *Store) List(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
	if err := q.Check(); err != nil {
		return nil, store.Cursor{}, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, store.Cursor{}, err
	}
	defer s.mu.Unlock()
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
	page = slices.DeleteFunc(page, func(d store.Document) bool { return !d.EndedAt.IsZero() || s.isCutOff(d) })
	return page, next, nil
}

// Sweep implements [store.Documents].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	if err := store.CheckSweep(limit); err != nil {
		return 0, err
	}
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	dayAgo := before.Add(-24 * time.Hour)
	covered := map[store.CutKey]bool{} // by a document that stays
	for id, d := range s.documents {
		due := !d.SweepAt.IsZero() && !d.SweepAt.After(before)
		for i, key := range d.Key().Covering() {
			number := s.cuts[key]
			due = due || number > d.Seen[i] && !store.CutTime(number).After(dayAgo)
		}
		if due && removed < limit {
			delete(s.documents, id)
			removed++
			continue
		}
		for _, key := range d.Key().Covering() {
			covered[key] = true
		}
	}
	for key, number := range s.cuts {
		if removed < limit && !covered[key] && !store.CutTime(number).After(dayAgo) {
			delete(s.cuts, key)
			removed++
		}
	}
	return removed, nil
}
