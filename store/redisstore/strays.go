package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// On a cluster, a document's entries in the indexes of its application and its
// workspace are in other slots, so no script can write them together with the
// document. They are added before the document, and removed after it.
//
// A document without its entries must never exist: a sweep could find that its
// cut-off covers no document and remove the cut-off, and the document would
// work again.
//
// An entry without its document is a stray. It does no harm, because readers
// skip it. When a stray is made, or may have been, the store keeps a note of it
// until a sweep has removed it.

// A stray names a document in its present or a former form, and the shard that
// has the note.
type stray struct {
	in shard
	id store.ID
	subject
}

// text returns the stored form of the stray.
func (y stray) text() string { return string(y.appendTo(y.id[:])) }

func parseStray(in shard, kept string) (stray, error) {
	r := &reader{left: kept}
	y := stray{in: in, id: store.ID([]byte(r.take(len(store.ID{}))))}
	y.subject = r.subject()
	if r.damaged {
		return stray{}, errDamaged
	}
	return y, nil
}

// elsewhere returns the indexes in other slots that have a document about the
// subject.
func (s *Store) elsewhere(j subject) (indexes []string) {
	if s.cluster && j.ApplicationID != "" {
		indexes = append(indexes, s.keys.application(j.ApplicationID))
	}
	if s.cluster && j.WorkspaceID != "" {
		indexes = append(indexes, s.keys.workspace(j.WorkspaceID))
	}
	return indexes
}

// nowScore is when a stray was noted, by this instance's clock.
func nowScore() string { return score(time.Now()) }

// strayAge is how old a note must be before a sweep looks at it: longer than
// any call takes, plus any difference between clocks.
const strayAge = 24 * time.Hour

// announced writes the entries of a document in other slots before write writes
// the document. If that fails, the entries may be strays, so announced notes
// that. It does so even if the caller's context has ended, and the caller,
// which has its answer, doesn't wait.
func (s *Store) announced(ctx context.Context, id store.ID, j subject, write func() error) error {
	indexes := s.elsewhere(j)
	if len(indexes) == 0 {
		return write()
	}
	_, err := await(ctx, func() (struct{}, error) {
		_, err := s.exec(ctx, func(p pipe) {
			for _, index := range indexes {
				p.ZAdd(ctx, index, redis.Z{Member: j.entry(id)})
			}
		})
		if err == nil {
			err = write()
		}
		if err != nil {
			s.note(ctx, id, j)
		}
		return struct{}{}, err
	})
	return err
}

// noteTimeout is how much longer a failing call may take to note a stray.
const noteTimeout = 5 * time.Second

// note keeps a note of a stray in a slot that has an entry of it, because the
// slot of the document may be unavailable.
func (s *Store) note(ctx context.Context, id store.ID, j subject) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	y := stray{shardOfCut(store.CutKey{ApplicationID: j.ApplicationID, WorkspaceID: j.WorkspaceID}), id, j}
	// If this fails too, a few bytes are wasted.
	_, _ = s.exec(ctx, func(p pipe) { p.Do(ctx, "zadd", s.keys.strays(y.in), nowScore(), y.text()) })
}

// clear removes the entries of strays, except those of existing documents, and
// then the notes. The next sweep checks whether the cut-offs that covered the
// strays cover any document.
func (s *Store) clear(ctx context.Context, strays []stray, there map[store.ID]*store.Document) error {
	_, err := s.exec(ctx, func(p pipe) {
		for _, y := range strays {
			var has []string
			if d := there[y.id]; d != nil && isAt(d, y.entry(y.id)) {
				has = s.elsewhere(subjectOf(d))
			}
			for _, index := range s.elsewhere(y.subject) {
				if !slices.Contains(has, index) {
					p.ZRem(ctx, index, y.entry(y.id))
				}
			}
			for _, key := range (store.CutKey{ApplicationID: y.ApplicationID, WorkspaceID: y.WorkspaceID}).Covering() {
				p.run(s.scripts.wake, []string{s.keys.cuts(shardOfCut(key))}, cutMember(key))
			}
		}
	})
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, func(p pipe) {
		for _, y := range strays {
			p.ZRem(ctx, s.keys.strays(y.in), y.text())
		}
	})
	return err
}

// settle clears strays that may have documents.
func (s *Store) settle(ctx context.Context, strays []stray) error {
	ids := make([]store.ID, len(strays))
	for i, y := range strays {
		ids[i] = y.id
	}
	all, err := s.find(ctx, ids)
	if err != nil {
		return err
	}
	there := map[store.ID]*store.Document{}
	for i := range all {
		there[ids[i]] = &all[i].document
	}
	return s.clear(ctx, strays, there)
}
