package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// DeleteExpired implements [store.Grants]. A grant counts as one record, with
// everything that hangs from it.
//
// It asks the shards in turn which grants are due and looks at those. It
// begins where the last call ended, so that a shard in which much dies does
// not keep the others from their turn.
func (s *Store) DeleteExpired(ctx context.Context, e store.Expiry) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if e.Limit <= 0 {
		return 0, fmt.Errorf("redisstore: the limit of a cleanup must be positive, not %d", e.Limit)
	}
	first, touched := s.nextSweep.Load(), 0
	for asked := uint32(0); asked < shardCount; asked += shardsAtOnce {
		n, err := s.sweepShards(ctx, first+asked, e, e.Limit-touched)
		touched += n
		if err != nil {
			return touched, err
		}
		if touched >= e.Limit {
			s.nextSweep.Store((first + asked) % shardCount)
			break
		}
	}
	return touched, nil
}

// sweptAtOnce is how many grants are looked at in one round trip, at most.
const sweptAtOnce = 200

// sweepShards removes what is dead in shardsAtOnce shards, until it has touched
// limit grants.
func (s *Store) sweepShards(ctx context.Context, first uint32, e store.Expiry, limit int) (touched int, err error) {
	for touched < limit {
		members, err := s.dueIn(ctx, first, e, min(limit-touched, sweptAtOnce))
		if err != nil || len(members) == 0 {
			return touched, err
		}
		calls := make([]call, len(members))
		for i, m := range members {
			calls[i] = s.sweepCall(m, number(e.Before), timeText(e.RotatedBefore))
		}
		n, err := s.runAll(ctx, sweepGrant, calls)
		touched += n
		if err != nil {
			return touched, err
		}
	}
	return touched, nil
}

// dueIn returns which grants in shardsAtOnce shards a cleanup has to look at,
// at most n. All are scheduled for later once it has.
func (s *Store) dueIn(ctx context.Context, first uint32, e store.Expiry, n int) ([]string, error) {
	answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
		for i := range uint32(shardsAtOnce) {
			sh := shard((first + i) % shardCount)
			pipe.ZRangeByScore(ctx, s.keys.due(sh), &redis.ZRangeBy{Min: "-inf", Max: number(e.Before), Count: int64(n)})
			if !e.RotatedBefore.IsZero() {
				pipe.ZRangeByScore(ctx, s.keys.salts(sh), &redis.ZRangeBy{Min: "-inf", Max: "(" + number(e.RotatedBefore), Count: int64(n)})
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var members []string
	seen := map[string]bool{}
	for _, answer := range answers {
		list, err := answer.(*redis.StringSliceCmd).Result()
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		for _, m := range list {
			if len(members) < n && !seen[m] {
				seen[m] = true
				members = append(members, m)
			}
		}
	}
	return members, nil
}

// sweepCall is a run of the script that removes a grant, or what is dead on it.
func (s *Store) sweepCall(m, before, rotatedBefore string) call {
	id, applicationID := splitMember(m)
	sh := shardOf(id.Tag())
	return call{
		keys: []string{s.keys.grant(id), s.keys.tag(id.Tag()), s.keys.application(sh, applicationID), s.keys.due(sh), s.keys.salts(sh)},
		args: []any{m, before, rotatedBefore},
	}
}
