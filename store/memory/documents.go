package memory

import (
	"context"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Create implements [store.Documents].
func (s *Store) Create(ctx context.Context, d store.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return err
	}
	r, sh := newRecord(&d), s.shard(d.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.documents[r.id] != nil {
		return store.ErrExists
	}
	r.user = s.sharedUser(r)
	sh.mu.Lock()
	sh.documents[r.id] = r
	sh.mu.Unlock()
	s.index(r)
	return nil
}

// sharedUser returns the user of a new record. If another document of the user
// is next to it in the index, the two share one text.
func (s *Store) sharedUser(r *record) string {
	if next := s.byUser.next(r); next != nil && next.user == r.user {
		return next.user
	}
	return strings.Clone(r.user) // The text may be part of a longer one, which it would keep in memory.
}

// index adds a record to the indexes, and unindex removes it. s.mu must be
// locked.
func (s *Store) index(r *record) {
	s.byUser.add(r)
	if r.application.Value() != "" {
		s.byApplication.add(r)
	}
	if r.workspace.Value() != "" {
		s.byWorkspace.add(r)
	}
	if r.sweepAt != 0 {
		s.bySweepAt.add(r)
	}
	s.checkSeen(r)
}

func (s *Store) unindex(r *record) {
	s.byUser.remove(r)
	s.byApplication.remove(r)
	s.byWorkspace.remove(r)
	s.bySweepAt.remove(r)
}

// Find implements [store.Documents].
func (s *Store) Find(ctx context.Context, id store.ID) (d store.Document, numbers store.Cuts, err error) {
	if err := ctx.Err(); err != nil {
		return d, numbers, err
	}
	sh := s.shard(id)
	sh.mu.RLock()
	r := sh.documents[id]
	if r == nil {
		sh.mu.RUnlock()
		return d, numbers, store.ErrNotFound
	}
	d = r.document()
	sh.cuts.read(d.Key(), &numbers)
	sh.mu.RUnlock()
	s.readCommon(d.Key(), &numbers)
	return d, numbers, nil
}

// FindConsent implements [store.Documents].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (d store.Document, numbers store.Cuts, err error) {
	if err := ctx.Err(); err != nil {
		return d, numbers, err
	}
	id := store.ConsentID(userID, applicationID, workspaceID)
	key := store.CutKey{UserID: userID, ApplicationID: applicationID, WorkspaceID: workspaceID}
	sh := s.shard(id)
	sh.mu.RLock()
	if r := sh.documents[id]; r != nil {
		d = r.document()
	}
	sh.cuts.read(key, &numbers)
	sh.mu.RUnlock()
	s.readCommon(key, &numbers)
	return d, numbers, nil
}

// Replace implements [store.Documents].
func (s *Store) Replace(ctx context.Context, d store.Document, mark int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return err
	}
	sh := s.shard(d.ID)
	sh.mu.Lock()
	r := sh.unchanged(d.ID, mark)
	if r == nil {
		sh.mu.Unlock()
		return store.ErrConflict
	}
	if r.moves(&d) {
		sh.mu.Unlock()
		return s.move(&d, mark)
	}
	r.write(&d)
	sh.mu.Unlock()
	return nil
}

// unchanged returns the record if Replace may change it, or nil.
func (sh *shard) unchanged(id store.ID, mark int64) *record {
	r := sh.documents[id]
	if r == nil || r.mark != mark || r.endedAt() != 0 {
		return nil
	}
	return r
}

// move is Replace for a document that changes its place in the indexes.
func (s *Store) move(d *store.Document, mark int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard(d.ID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.unchanged(d.ID, mark)
	if r == nil {
		return store.ErrConflict
	}
	s.unindex(r)
	r.move(d)
	r.write(d)
	s.index(r)
	return nil
}

// End implements [store.Documents].
func (s *Store) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.documents[id]
	if r == nil || r.endedAt() != 0 {
		return nil
	}
	r.fate = &fate{endedAt: instantOf(at), seen: r.seen()}
	if sweep := instantOf(sweepAt); r.sweepAt == 0 || sweep < r.sweepAt {
		s.bySweepAt.remove(r)
		if r.sweepAt = sweep; sweep != 0 {
			s.bySweepAt.add(r)
		}
	}
	return nil
}
