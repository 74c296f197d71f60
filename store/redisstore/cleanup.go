package redisstore

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// DeleteExpired implements [store.Grants]. A grant counts as one record, with
// everything that hangs from it.
func (s *Store) DeleteExpired(ctx context.Context, e store.Expiry) (int, error) {
	return s.sweep(ctx, &s.nextSweep, e.Limit, sweepGrant, func(first uint32, n int) ([]call, error) {
		members, err := s.dueIn(ctx, first, n, func(pipe redis.Pipeliner, sh shard) {
			pipe.ZRangeByScore(ctx, s.keys.due(sh), &redis.ZRangeBy{Min: "-inf", Max: number(e.Before), Count: int64(n)})
			if !e.RotatedBefore.IsZero() {
				pipe.ZRangeByScore(ctx, s.keys.salts(sh), &redis.ZRangeBy{Min: "-inf", Max: "(" + number(e.RotatedBefore), Count: int64(n)})
			}
		})
		calls := make([]call, len(members))
		for i, m := range members {
			calls[i] = s.sweepCall(m, number(e.Before), timeText(e.RotatedBefore))
		}
		return calls, err
	})
}

// sweep asks the shards in turn what is due and runs a script on each of that,
// until the scripts have touched limit records. It begins where the last call
// ended, so that a shard in which much dies does not keep the others from
// their turn.
//
// The function due returns at most n runs of the script for shardsAtOnce shards
// from first on. What the script was run on is no longer due.
func (s *Store) sweep(
	ctx context.Context, next *atomic.Uint32, limit int, script *redis.Script, due func(first uint32, n int) ([]call, error),
) (touched int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, fmt.Errorf("redisstore: the limit of a cleanup must be positive, not %d", limit)
	}
	first := next.Load()
	for asked := uint32(0); asked < shardCount; {
		calls, err := due(first+asked, min(limit-touched, sweptAtOnce))
		if err != nil {
			return touched, err
		}
		if len(calls) == 0 {
			asked += shardsAtOnce
			continue
		}
		n, err := s.runAll(ctx, script, calls)
		touched += n
		if err != nil {
			return touched, err
		}
		if touched >= limit {
			next.Store((first + asked) % shardCount)
			break
		}
	}
	return touched, nil
}

// sweptAtOnce is how many records are looked at in one round trip, at most.
const sweptAtOnce = 200

// dueIn returns what a cleanup has to look at in shardsAtOnce shards, at most
// n, as ask asks each of them.
func (s *Store) dueIn(ctx context.Context, first uint32, n int, ask func(pipe redis.Pipeliner, sh shard)) ([]string, error) {
	answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
		for i := range uint32(shardsAtOnce) {
			ask(pipe, shard((first+i)%shardCount))
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
