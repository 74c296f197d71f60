package memory

import (
	"context"
	"math"
	"unique"

	"github.com/latchkey-go/latchkey/store"
)

// List implements [store.Documents].
func (s *Store) List(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, next, err
	}
	if err := q.Check(); err != nil {
		return nil, next, err
	}
	if q.Kind == 0 {
		return nil, next, nil // Every document has a kind.
	}
	after := &record{kind: q.Kind, createdAt: math.MaxInt64}
	if !q.After.IsZero() {
		after.createdAt, after.id = instantOf(q.After.CreatedAt), q.After.ID
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	examined, more := s.walk(store.CutKey{UserID: q.UserID, ApplicationID: q.ApplicationID, WorkspaceID: q.WorkspaceID}, q.Kind, after, q.Limit)
	for _, r := range examined {
		sh := s.shard(r.id)
		sh.mu.RLock()
		d := r.document()
		sh.mu.RUnlock()
		if q.Matches(&d) && d.EndedAt.IsZero() && !s.isCutOff(r) {
			page = append(page, d)
		}
		next = store.Cursor{CreatedAt: d.CreatedAt, ID: d.ID}
	}
	if !more {
		next = store.Cursor{}
	}
	return page, next, nil
}

// walk returns at most limit records after the place in the index of one text
// of the key, and whether more follow. The records have the kind, or any kind
// if it is zero, but needn't match the other texts. s.mu must be locked.
func (s *Store) walk(key store.CutKey, kind store.Kind, after *record, limit int) (found []*record, more bool) {
	start := *after
	index, in := &s.byUser, func(*record) bool { return true }
	switch {
	case key.UserID != "":
		start.user = key.UserID
		in = func(r *record) bool { return r.user == start.user }
	case key.WorkspaceID != "":
		index, start.workspace = &s.byWorkspace, unique.Make(key.WorkspaceID)
		in = func(r *record) bool { return r.workspace == start.workspace }
	case key.ApplicationID != "":
		index, start.application = &s.byApplication, unique.Make(key.ApplicationID)
		in = func(r *record) bool { return r.application == start.application }
	}
	for r := range index.from(&start) {
		switch {
		case !in(r) || kind != 0 && r.kind != kind:
			return found, false
		case r.id == start.id:
			// Skip the start itself.
		case len(found) == limit:
			return found, true
		default:
			found = append(found, r)
		}
	}
	return found, false
}
