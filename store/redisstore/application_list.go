package redisstore

import (
	"context"
	"iter"
	"math"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// ListApplications implements [store.Applications]. It reads applications with
// an index, 100 in one command, and stops at the end of the page if the index
// also has the total. So a query by owner, or by origin and the time of the
// last change, costs as much as it returns. A search by name reads all
// applications, or all of the owner, and so does an order by name. They keep
// only one page in memory.
func (s *Store) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	source, err := s.sourceOf(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	need := q.Offset + limit
	if need < 0 {
		need = math.MaxInt
	}
	var first []store.Application // the first matches in the order, and a few more
	matched := 0
	for app, err := range s.read(ctx, source) {
		if err != nil {
			return nil, 0, err
		}
		if !q.Matches(&app) {
			continue
		}
		matched++
		first = append(first, app)
		if source.inOrder && source.total >= 0 && matched >= need {
			break
		}
		if len(first)/2 > max(need, atOnce) {
			first = sorted(first, q.Order)[:need]
		}
	}
	if source.total >= 0 {
		matched = source.total
	}
	first = sorted(first, q.Order)
	first = first[:min(need, len(first))]
	return slices.Clone(first[min(q.Offset, len(first)):]), matched, nil
}

func sorted(apps []store.Application, order store.ApplicationOrder) []store.Application {
	slices.SortFunc(apps, func(a, b store.Application) int { return order.Compare(&a, &b) })
	return apps
}

// A source is the part of an index that has every application that a query
// selects.
type source struct {
	index, until string
	reverse      bool
	total        int  // how many match, or -1 if the index can't tell
	inOrder      bool // whether the index is in the order of the query
}

// maxUnsorted is the most applications that are read unsorted to find the first
// ones. If there are more, they are read in order, which may pass over many
// that don't match.
const maxUnsorted = 1000

// sourceOf finds the index with the fewest applications to read.
func (s *Store) sourceOf(ctx context.Context, q store.ApplicationQuery) (source, error) {
	byTime := source{index: s.keys.inApplications("created"), until: "+", reverse: q.Order == store.NewestFirst, total: -1}
	byTime.inOrder = q.Order == store.NewestFirst || q.Order == store.OldestFirst
	if q.OwnerID != "" {
		byTime.index = s.keys.inApplications("owner:" + q.OwnerID)
	}
	byOrigin := source{index: s.keys.inApplications("origin:" + string(q.Origin)), until: "+"}
	if !q.UpdatedBefore.IsZero() {
		// Cutting the time to the microsecond would miss an application that was
		// changed within it.
		byOrigin.until = "(" + hexTime(q.UpdatedBefore.Add(999))
	}
	commands, err := s.exec(ctx, func(p pipe) {
		p.ZCard(ctx, byTime.index)
		p.ZLexCount(ctx, byOrigin.index, "-", byOrigin.until)
	})
	if err != nil {
		return source{}, err
	}
	all, ofOrigin := int(commands[0].(*redis.IntCmd).Val()), int(commands[1].(*redis.IntCmd).Val())
	switch {
	case q.Name != "" || q.Origin == "" && !q.UpdatedBefore.IsZero():
	case q.Origin == "":
		byTime.total = all
	case q.OwnerID == "":
		byTime.total = ofOrigin
	}
	if q.Origin != "" && ofOrigin <= min(maxUnsorted, all) {
		byOrigin.total = byTime.total
		return byOrigin, nil
	}
	return byTime, nil
}

// read reads the applications of a source, a batch in each round trip.
func (s *Store) read(ctx context.Context, from source) iter.Seq2[store.Application, error] {
	return func(yield func(store.Application, error) bool) {
		for after := ""; ; {
			entries, err := s.applicationEntries(ctx, from, after)
			if err != nil {
				yield(store.Application{}, err)
				return
			}
			apps, err := s.applications(ctx, entries)
			if err != nil {
				yield(store.Application{}, err)
				return
			}
			for _, app := range apps {
				if !yield(app, nil) {
					return
				}
			}
			if len(entries) < atOnce {
				return
			}
			after = entries[len(entries)-1]
		}
	}
}

func (s *Store) applicationEntries(ctx context.Context, from source, after string) ([]string, error) {
	commands, err := s.exec(ctx, func(p pipe) {
		switch by := (&redis.ZRangeBy{Min: "-", Max: from.until, Count: atOnce}); {
		case from.reverse:
			if after != "" {
				by.Max = "(" + after
			}
			p.ZRevRangeByLex(ctx, from.index, by)
		default:
			if after != "" {
				by.Min = "(" + after
			}
			p.ZRangeByLex(ctx, from.index, by)
		}
	})
	if err != nil {
		return nil, err
	}
	return commands[0].(*redis.StringSliceCmd).Val(), nil
}

// applications finds the applications of entries.
func (s *Store) applications(ctx context.Context, entries []string) ([]store.Application, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	ids := make([]string, len(entries))
	for i, entry := range entries {
		ids[i] = entry[min(len(entry), hexTimeSize):]
	}
	commands, err := s.exec(ctx, func(p pipe) { p.HMGet(ctx, s.keys.inApplications("records"), ids...) })
	if err != nil {
		return nil, err
	}
	apps := make([]store.Application, 0, len(ids))
	for i, kept := range commands[0].(*redis.SliceCmd).Val() {
		text, ok := kept.(string)
		if !ok {
			continue // deleted meanwhile
		}
		app, err := parseApplication(ids[i], text)
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}
