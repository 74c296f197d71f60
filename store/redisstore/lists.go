package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// shardsAtOnce is how many shards a step by application asks in one round
// trip.
const shardsAtOnce = 256

// ListGrants implements [store.Grants]. By application it asks every shard for
// its newest grants, as many as the page could need.
func (s *Store) ListGrants(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return nil, 0, err
	}
	if q.ID.IsZero() && q.UserID == "" && q.ApplicationID != "" {
		return s.listByApplication(ctx, q.ApplicationID, limit, q.Offset)
	}
	grants, _, err := s.grantsOf(ctx, q.GrantFilter)
	if err != nil {
		return nil, 0, err
	}
	sortGrants(grants)
	return slices.Clone(page(grants, limit, q.Offset)), len(grants), nil
}

// sortGrants sorts the newest to the front.
func sortGrants(grants []store.Grant) {
	slices.SortFunc(grants, func(a, b store.Grant) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(b.ID[:], a.ID[:]))
	})
}

// grantsOf returns the grants that match a filter with an ID or a user and are
// not revoked. The ids are those among which it looked.
func (s *Store) grantsOf(ctx context.Context, f store.GrantFilter) (matched []store.Grant, ids []store.GrantID, err error) {
	switch {
	case !f.ID.IsZero():
		ids = []store.GrantID{f.ID}
	case f.UserID != "":
		members, err := await(ctx, func() ([]string, error) {
			return s.client.ZRange(ctx, s.keys.tag(store.UserTag(f.UserID)), 0, -1).Result()
		})
		if err != nil {
			return nil, nil, fmt.Errorf("redisstore: %w", err)
		}
		for _, text := range members {
			id, _ := splitMember(text)
			ids = append(ids, id)
		}
	}
	grants, err := s.grants(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range grants {
		if g.RevokedAt.IsZero() && (f.UserID == "" || f.UserID == g.UserID) && (f.ApplicationID == "" || f.ApplicationID == g.ApplicationID) {
			matched = append(matched, g)
		}
	}
	return matched, ids, nil
}

// grants returns those of the grants that are there.
func (s *Store) grants(ctx context.Context, ids []store.GrantID) ([]store.Grant, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
		for _, id := range ids {
			pipe.HMGet(ctx, s.keys.grant(id), grantFields...)
		}
	})
	if err != nil {
		return nil, err
	}
	var r reader
	grants := make([]store.Grant, 0, len(ids))
	for i, answer := range answers {
		values, err := answer.(*redis.SliceCmd).Result()
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		if g, ok := r.grant(ids[i], values); ok {
			grants = append(grants, g)
		}
	}
	return grants, r.err
}

// A listed grant is what the index of an application has of it.
type listed struct {
	id      store.GrantID
	created float64
}

func (s *Store) listByApplication(ctx context.Context, applicationID string, limit, offset int) ([]store.Grant, int, error) {
	// Redis may have let a grant go that the index still has. It is then
	// removed from there, and the page is made anew.
	for range 10 {
		all, total, err := s.newestOf(ctx, applicationID, limit+offset)
		if err != nil {
			return nil, 0, err
		}
		slices.SortFunc(all, func(a, b listed) int {
			return cmp.Or(cmp.Compare(b.created, a.created), bytes.Compare(b.id[:], a.id[:]))
		})
		var ids []store.GrantID
		for _, l := range page(all, limit, offset) {
			ids = append(ids, l.id)
		}
		grants, err := s.grants(ctx, ids)
		if err != nil {
			return nil, 0, err
		}
		if len(grants) == len(ids) {
			grants = slices.DeleteFunc(grants, func(g store.Grant) bool { return !g.RevokedAt.IsZero() })
			sortGrants(grants)
			return grants, total, nil
		}
		var calls []call
		for _, id := range ids {
			calls = append(calls, s.sweepCall(member(id, applicationID), "-inf", ""))
		}
		if _, err := s.runAll(ctx, sweepGrant, calls); err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, errors.New("redisstore: grants vanish while they are listed")
}

// newestOf returns the newest grants to the application of every shard, at
// most n of each, and the number of all.
func (s *Store) newestOf(ctx context.Context, applicationID string, n int) (newest []listed, total int, err error) {
	for first := shard(0); first < shardCount; first += shardsAtOnce {
		answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
			for sh := first; sh < first+shardsAtOnce; sh++ {
				key := s.keys.application(sh, applicationID)
				pipe.ZCard(ctx, key)
				pipe.ZRevRangeWithScores(ctx, key, 0, int64(n-1))
			}
		})
		if err != nil {
			return nil, 0, err
		}
		for _, answer := range answers {
			if err := answer.Err(); err != nil {
				return nil, 0, fmt.Errorf("redisstore: %w", err)
			}
			switch answer := answer.(type) {
			case *redis.IntCmd:
				total += int(answer.Val())
			case *redis.ZSliceCmd:
				for _, z := range answer.Val() {
					id, _ := splitMember(z.Member.(string))
					newest = append(newest, listed{id, z.Score})
				}
			}
		}
	}
	return newest, total, nil
}
