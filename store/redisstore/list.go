package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// atOnce is the most documents that one round trip reads or removes. Other
// clients get their turn in between.
const atOnce = 100

// List implements [store.Documents]. A page examines at most 100 documents,
// and takes two round trips, or three on a cluster.
func (s *Store) List(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
	if err := q.Check(); err != nil {
		return nil, store.Cursor{}, err
	}
	limit := min(q.Limit, atOnce)
	entries, err := s.entriesOf(ctx, q, limit)
	if err != nil || len(entries) == 0 {
		return nil, store.Cursor{}, err
	}
	more := len(entries) > limit
	entries = entries[:min(limit, len(entries))]
	all, err := s.findEntries(ctx, entries)
	if err != nil {
		return nil, store.Cursor{}, err
	}
	for i := range all {
		d := &all[i].document
		if isAt(d, entries[i]) && q.Matches(d) && d.EndedAt.IsZero() && !all[i].cuts.Exceed(&d.Seen) {
			page = append(page, *d)
		}
	}
	if last := entries[len(entries)-1]; more {
		next = store.Cursor{CreatedAt: (&reader{left: last[1:]}).time(), ID: entryID(last)}
	}
	return page, next, nil
}

// entriesOf returns the entries of the page in an index that has all its
// documents, and the next entry if it exists.
func (s *Store) entriesOf(ctx context.Context, q store.Query, limit int) ([]string, error) {
	var index string
	switch {
	case q.UserID != "":
		index = s.keys.user(q.UserID)
	case q.ApplicationID != "":
		index = s.keys.application(q.ApplicationID)
	default:
		index = s.keys.workspace(q.WorkspaceID)
	}
	// no entry of this kind is longer
	kind := string([]byte{byte(q.Kind)})
	from := "(" + kind + "\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	if !q.After.IsZero() {
		from = "(" + entry(q.Kind, lexTime(q.After.CreatedAt), q.After.ID)
	}
	commands, err := s.exec(ctx, func(p pipe) {
		p.ZRevRangeByLex(ctx, index, &redis.ZRangeBy{Min: "[" + kind, Max: from, Count: int64(limit) + 1})
	})
	if err != nil {
		return nil, err
	}
	return commands[0].(*redis.StringSliceCmd).Val(), nil
}

// findEntries finds the documents of entries.
func (s *Store) findEntries(ctx context.Context, entries []string) ([]found, error) {
	ids := make([]store.ID, len(entries))
	for i, entry := range entries {
		ids[i] = entryID(entry)
	}
	return s.find(ctx, ids)
}

// isAt reports whether the document exists and the entry is its current one. If
// not, the entry is a stray.
func isAt(d *store.Document, entry string) bool {
	return !d.ID.IsZero() && subjectOf(d).entry(d.ID) == entry
}
