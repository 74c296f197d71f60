package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

const (
	// shardsAtOnce is the number of shards that a sweep asks in one round trip.
	shardsAtOnce = 256

	// cutsKeptFor is how long a cut-off stays at least, and how long the documents
	// that it cut off may stay.
	cutsKeptFor = 24 * time.Hour

	// cutsBudget is how many cut-offs, and documents that they may cover, one
	// sweep examines. The next one continues.
	cutsBudget = 10_000
)

// A sweep is one call of [Store.Sweep].
type sweep struct {
	*Store
	before         time.Time
	limit, removed int
	budget         int   // the rest of cutsBudget
	at             shard // where it last removed or examined something
}

// Sweep implements [store.Documents]. It takes four round trips if nothing is
// due. It begins after the shard where the previous call stopped, so that one
// shard with many due records doesn't hold up the others.
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := store.CheckSweep(limit); err != nil {
		return 0, err
	}
	w := &sweep{Store: s, before: store.Micro(before), limit: limit, budget: cutsBudget}
	first := s.next.Load()
	examining := true
	for asked := uint32(0); asked < shardCount && w.removed < limit; {
		more, err := w.group(ctx, (first+asked)%shardCount)
		if err != nil {
			return w.removed, err
		}
		if w.removed >= limit || examining && w.budget <= 0 {
			s.next.Store(uint32(w.at+1) % shardCount)
		}
		examining = w.budget > 0
		if !more {
			asked += shardsAtOnce
		}
	}
	return w.removed, nil
}

// group sweeps shardsAtOnce shards from the first one. It reports whether more
// is due than one round trip returned.
func (w *sweep) group(ctx context.Context, first uint32) (more bool, err error) {
	found, err := w.look(ctx, first)
	if err != nil {
		return false, err
	}
	for strays := range slices.Chunk(found.strays, atOnce) {
		if err := w.settle(ctx, strays); err != nil {
			return false, err
		}
	}
	for due := found.due; len(due) > 0 && w.removed < w.limit; {
		n := min(len(due), w.limit-w.removed, atOnce)
		removed, err := w.remove(ctx, due[:n])
		w.removed += removed
		w.at = shardOfID(due[n-1].id)
		if err != nil {
			return false, err
		}
		due = due[n:]
	}
	for _, member := range found.cuts {
		if w.removed >= w.limit || w.budget <= 0 {
			return found.more, nil // Due documents can't wait for another sweep.
		}
		w.budget--
		if err := w.cutOff(ctx, member); err != nil {
			return false, err
		}
	}
	return found.more || found.moreCuts, nil
}

// looked is what is due in some shards.
type looked struct {
	due            []doomed
	cuts           []string
	strays         []stray
	more, moreCuts bool // whether a shard may have more
}

func (w *sweep) look(ctx context.Context, first uint32) (found looked, err error) {
	until := "(" + lexMicros(w.before.UnixMicro()+1)
	count := int64(min(w.limit-w.removed, atOnce))
	commands, err := w.exec(ctx, func(p pipe) {
		for i := range uint32(shardsAtOnce) {
			sh := shard((first + i) % shardCount)
			p.ZRangeByLex(ctx, w.keys.due(sh), &redis.ZRangeBy{Min: "-", Max: until, Count: count})
			p.ZRangeByScore(ctx, w.keys.cuts(sh), &redis.ZRangeBy{Min: "-inf", Max: score(w.before), Count: count})
			if w.cluster {
				p.ZRangeByScore(ctx, w.keys.strays(sh), &redis.ZRangeBy{Min: "-inf", Max: score(time.Now().Add(-strayAge)), Count: count})
			}
		}
	})
	if err != nil {
		return looked{}, err
	}
	each := len(commands) / shardsAtOnce
	for i, command := range commands {
		members := command.(*redis.StringSliceCmd).Val()
		full := int64(len(members)) == count
		switch i % each {
		case 0:
			found.more = found.more || full
			for _, entry := range members {
				sweepAt := entry[:min(len(entry), 8)]
				found.due = append(found.due, doomed{id: entryID(entry), offset: sweepOffset, expected: sweepAt, due: entry})
			}
		case 1:
			found.moreCuts = found.moreCuts || full
			found.cuts = append(found.cuts, members...)
		case 2:
			found.more = found.more || full
			for _, kept := range members {
				y, err := parseStray(shard((first+uint32(i/each))%shardCount), kept)
				if err != nil {
					return looked{}, err
				}
				found.strays = append(found.strays, y)
			}
		}
	}
	return found, nil
}

// A doomed document is removed if its eight bytes at the offset haven't
// changed.
type doomed struct {
	id       store.ID
	offset   int
	expected string
	due      string // the entry that said that it is due, or ""
}

// remove removes documents and returns how many. Those that another sweep has
// removed count too.
func (s *Store) remove(ctx context.Context, all []doomed) (removed int, err error) {
	now := nowScore()
	commands, err := s.exec(ctx, func(p pipe) {
		for _, d := range all {
			p.run(s.scripts.remove, s.documentKeys(d.id), d.offset, d.expected, d.id[:], d.due, now)
		}
	})
	if err != nil {
		return 0, err
	}
	var strays []stray
	for i, command := range commands {
		kept, ok := answer(command).(string)
		if !ok {
			continue // The document has changed.
		}
		removed++
		if id := all[i].id; kept != "" {
			strays = append(strays, stray{shardOfID(id), id, (&reader{left: kept}).subject()})
		}
	}
	return removed, s.clear(ctx, strays, nil)
}
