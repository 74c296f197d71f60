package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// Create implements [store.Documents]. It takes one round trip, or two on a
// cluster if the document has an application or a workspace.
func (s *Store) Create(ctx context.Context, d store.Document) error {
	j := subjectOf(&d)
	if err := check(&d, j); err != nil {
		return err
	}
	record := recordOf(&d)
	return s.announced(ctx, d.ID, j, func() error {
		created, err := s.run(ctx, s.scripts.create, s.documentKeys(d.ID), record, d.ID[:])
		if err == nil && created != int64(1) {
			err = store.ErrExists
		}
		return err
	})
}

func check(d *store.Document, j subject) error {
	if err := d.Check(); err != nil {
		return err
	}
	return j.check()
}

// documentKeys are the keys that each script on a document gets.
func (s *Store) documentKeys(id store.ID) []string {
	sh := shardOfID(id)
	return []string{s.keys.document(id), s.keys.due(sh), s.keys.strays(sh)}
}

// Find implements [store.Documents]. It takes one round trip, or two on a
// cluster.
func (s *Store) Find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	found, err := s.find(ctx, []store.ID{id})
	if err != nil {
		return store.Document{}, store.Cuts{}, err
	}
	if found[0].document.ID.IsZero() {
		return store.Document{}, store.Cuts{}, store.ErrNotFound
	}
	return found[0].document, found[0].cuts, nil
}

// A found is a document and the numbers of its cut-offs. The document is zero
// if it doesn't exist.
type found struct {
	document store.Document
	cuts     store.Cuts
}

// find finds documents, with the numbers of their cut-offs.
func (s *Store) find(ctx context.Context, ids []store.ID) ([]found, error) {
	commands, err := s.exec(ctx, func(p pipe) {
		for _, id := range ids {
			p.run(s.scripts.find, []string{s.keys.document(id)})
		}
	})
	if err != nil {
		return nil, err
	}
	all := make([]found, len(ids))
	for i, command := range commands {
		if answer, ok := answer(command).([]any); ok {
			if all[i], err = s.parseFound(ids[i], answer); err != nil {
				return nil, err
			}
		}
	}
	return all, s.addNumbers(ctx, all)
}

// parseFound reads the answer of lua/find.lua.
func (s *Store) parseFound(id store.ID, answer []any) (f found, err error) {
	kept, _ := answer[0].(string)
	if f.document, err = parseDocument(id, kept); err != nil {
		return f, err
	}
	numbers := answer[1:]
	for i, key := range f.document.Key().Covering() {
		if s.cluster && key.UserID == "" {
			continue
		}
		if len(numbers) == 0 {
			return f, errDamaged
		}
		if f.cuts[i], err = parseNumber(numbers[0]); err != nil {
			return f, err
		}
		numbers = numbers[1:]
	}
	return f, nil
}

// addNumbers reads the numbers that are in other slots than the documents. On a
// cluster these are the numbers of keys without a user. They are read after the
// documents, because a document must never be newer than its numbers.
func (s *Store) addNumbers(ctx context.Context, all []found) error {
	if !s.cluster {
		return nil
	}
	var keys []store.CutKey // each once
	places := map[store.CutKey][]*int64{}
	for n := range all {
		if all[n].document.ID.IsZero() {
			continue
		}
		for i, key := range all[n].document.Key().Covering() {
			if key.UserID != "" {
				continue
			}
			if places[key] == nil {
				keys = append(keys, key)
			}
			places[key] = append(places[key], &all[n].cuts[i])
		}
	}
	numbers, err := s.numbers(ctx, keys)
	for i, key := range keys {
		for _, place := range places[key] {
			*place = numbers[i]
		}
	}
	return err
}

// numbers reads the numbers of keys in any slot.
func (s *Store) numbers(ctx context.Context, keys []store.CutKey) ([]int64, error) {
	numbers := make([]int64, len(keys))
	commands, err := s.exec(ctx, func(p pipe) {
		for _, key := range keys {
			p.Do(ctx, "get", s.keys.cutOff(key))
		}
	})
	if err != nil {
		return numbers, err
	}
	for i, command := range commands {
		if numbers[i], err = parseNumber(answer(command)); err != nil {
			return numbers, err
		}
	}
	return numbers, nil
}

// FindConsent implements [store.Documents]. It takes one round trip, or two on
// a cluster.
func (s *Store) FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (store.Document, store.Cuts, error) {
	var f found
	id := store.ConsentID(userID, applicationID, workspaceID)
	names, places, rest := []string{s.keys.document(id)}, []int{}, []store.CutKey{}
	for i, key := range (store.CutKey{UserID: userID, ApplicationID: applicationID, WorkspaceID: workspaceID}).Covering() {
		if s.cluster && key.UserID == "" {
			rest = append(rest, key)
			continue
		}
		names, places = append(names, s.keys.cutOff(key)), append(places, i)
	}
	commands, err := s.exec(ctx, func(p pipe) { p.MGet(ctx, names...) })
	if err != nil {
		return store.Document{}, store.Cuts{}, err
	}
	values := commands[0].(*redis.SliceCmd).Val()
	if kept, ok := values[0].(string); ok {
		if f.document, err = parseDocument(id, kept); err != nil {
			return store.Document{}, store.Cuts{}, err
		}
	}
	for n, i := range places {
		if f.cuts[i], err = parseNumber(values[n+1]); err != nil {
			return store.Document{}, store.Cuts{}, err
		}
	}
	numbers, err := s.numbers(ctx, rest)
	if err != nil {
		return store.Document{}, store.Cuts{}, err
	}
	for n, key := range rest {
		f.cuts[key.Index()] = numbers[n]
	}
	return f.document, f.cuts, nil
}

// Replace implements [store.Documents]. It takes one round trip, or five on
// a cluster if CreatedAt changes.
func (s *Store) Replace(ctx context.Context, d store.Document, mark int64) error {
	j := subjectOf(&d)
	if err := check(&d, j); err != nil {
		return err
	}
	head, tail := headOf(&d), tailOf(&d)
	replace := func(now string) (any, error) {
		return s.run(ctx, s.scripts.replace, s.documentKeys(d.ID), markText(mark), head, tail, d.ID[:], now)
	}
	replaced, err := replace("")
	if kept, ok := replaced.(string); ok {
		return s.move(ctx, d.ID, kept, j.created, replace)
	}
	if err == nil && replaced != int64(1) {
		err = store.ErrConflict
	}
	return err
}

// move replaces a document whose creation time changes, on a cluster, where its
// entries in other slots must change before and after it.
func (s *Store) move(ctx context.Context, id store.ID, kept, created string, replace func(now string) (any, error)) error {
	old := (&reader{left: kept}).subject()
	moved := old
	moved.created = created
	err := s.announced(ctx, id, moved, func() error {
		replaced, err := replace(nowScore())
		if err == nil && replaced != int64(1) {
			err = store.ErrConflict
		}
		return err
	})
	if err == nil {
		// If this fails, a sweep does it, because the script has noted a stray.
		_ = s.clear(ctx, []stray{{shardOfID(id), id, old}}, nil)
	}
	return err
}

// End implements [store.Documents]. It takes one round trip.
func (s *Store) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	_, err := s.run(ctx, s.scripts.end, s.documentKeys(id), lexTime(at), lexTime(sweepAt), id[:])
	return err
}

// CutOff implements [store.Documents]. It takes one round trip.
func (s *Store) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	if err := key.Check(); err != nil {
		return err
	}
	if err := (subject{CutKey: key}).check(); err != nil {
		return err
	}
	number = max(number, 1)
	look := store.CutTime(number).Add(cutsKeptFor)
	_, err := s.run(ctx, s.scripts.cutOff, []string{s.keys.cutOff(key), s.keys.cuts(shardOfCut(key))},
		fmt.Sprintf("%0*d", numberDigits, number), newAttempt(), cutMember(key), score(look))
	return err
}

// score returns the time as a score of a sorted set.
func score(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
