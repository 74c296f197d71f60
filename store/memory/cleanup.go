package memory

import (
	"context"
	"fmt"

	"github.com/latchkey-go/latchkey/store"
)

// DeleteExpired implements [store.Grants]. A grant counts as one record, with
// everything that hangs from it.
//
// It looks at every grant, one shard at a time, until it has touched as many as
// it may. It begins where the last call ended, so that a shard in which much
// dies does not keep the others from their turn.
func (s *Store) DeleteExpired(ctx context.Context, e store.Expiry) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if e.Limit <= 0 {
		return 0, fmt.Errorf("memory: the limit of a cleanup must be positive, not %d", e.Limit)
	}
	first, touched := s.nextSweep.Load(), 0
	for i := range uint32(shardCount) {
		if err := ctx.Err(); err != nil {
			return touched, err
		}
		sh := &s.shards[(first+i)%shardCount]
		touched += sh.sweep(instantOf(e.Before), instantOf(e.RotatedBefore), e.Limit-touched)
		if touched == e.Limit {
			s.nextSweep.Store(first + i + 1)
			break
		}
	}
	return touched, nil
}

// sweepStep is how many grants are looked at before whoever waits for the shard
// has a turn.
const sweepStep = 256

// sweep removes what is dead in the shard, until it has touched limit grants.
func (sh *shard) sweep(before, rotatedBefore instant, limit int) (touched int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	looked := 0
	for _, g := range sh.grants {
		switch {
		case g.revokedAt != 0 && g.revokedAt <= before, !g.lives(before):
			sh.remove(g)
			touched++
		case g.tidy(before, rotatedBefore):
			touched++
		}
		if touched == limit {
			break
		}
		if looked++; looked%sweepStep == 0 {
			// The next grant is found after that, so it is one that is there.
			sh.mu.Unlock()
			sh.mu.Lock()
		}
	}
	return touched
}

// tidy removes what is dead on a grant that lives, and reports whether there
// was anything.
func (g *grant) tidy(before, rotatedBefore instant) (changed bool) {
	if g.rotatedAt != 0 && g.rotatedAt < rotatedBefore {
		g.forgetSalt()
		changed = true
	}
	return g.prune(before) || changed
}
