package memory

import (
	"context"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// sweepStep is how many documents a sweep examines before it lets other calls
// in.
const sweepStep = 128

// Sweep implements [store.Documents].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	if err := store.CheckSweep(limit); err != nil {
		return 0, err
	}
	for more := true; more && removed < limit; {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		var step int
		step, more = s.sweep(before, min(limit-removed, sweepStep))
		removed += step
	}
	return removed, nil
}

// sweep removes at most limit due records, and reports whether more may be due.
func (s *Store) sweep(before time.Time, limit int) (removed int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := instantOf(before)
	for range limit {
		r := s.bySweepAt.first()
		if r == nil || r.sweepAt > now {
			break
		}
		s.remove(r)
		removed++
	}
	if removed > 0 {
		return removed, true
	}
	cut := s.unswept.first()
	if cut == nil || store.CutTime(cut.number).After(before.Add(-24*time.Hour)) {
		return 0, false
	}
	return s.sweepCutOff(cut, limit), true
}

// remove removes a document. The cut-offs that cover it may then be unneeded,
// so a sweep must check them. s.mu must be locked.
func (s *Store) remove(r *record) {
	s.unindex(r)
	sh := s.shard(r.id)
	sh.mu.Lock()
	delete(sh.documents, r.id)
	sh.mu.Unlock()
	s.covering(r, func(_ int, cut *cutOff) { s.unswept.add(cut) })
}

// sweepCutOff removes some of the documents that the cut-off has ended, or the
// cut-off itself if it covers none. s.mu must be locked.
func (s *Store) sweepCutOff(cut *cutOff, limit int) (removed int) {
	records, more := s.walk(cut.key, 0, cut.after, sweepStep)
	for i, r := range records {
		if !cut.covers(r) {
			continue
		}
		if cut.walked {
			s.unswept.remove(cut) // until a document of its key is removed
			return 0
		}
		if cut.number > r.seen()[cut.key.Index()] {
			s.remove(r)
			if removed++; removed == limit {
				records, more = records[:i+1], true
				break
			}
		}
	}
	switch {
	case more:
		cut.after = records[len(records)-1].place()
	case !cut.walked:
		cut.walked, cut.after = true, &beginning
	default:
		s.unswept.remove(cut)
		sh := s.shardOfKey(cut.key)
		sh.mu.Lock()
		sh.cuts.remove(cut)
		sh.mu.Unlock()
		removed++
	}
	return removed
}
