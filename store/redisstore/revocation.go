package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// RevokeGrants implements [store.Grants]. By user it is one step. By
// application it is one step for each shard of the users, or several where a
// shard has many grants to the application.
func (s *Store) RevokeGrants(ctx context.Context, f store.GrantFilter, at time.Time) (int, error) {
	if err := cmp.Or(ctx.Err(), store.CheckTime(at)); err != nil {
		return 0, err
	}
	switch {
	case f.IsZero():
		return 0, nil
	case !f.ID.IsZero():
		return s.revokeOne(ctx, f, at)
	case f.UserID != "":
		return s.revokeByUser(ctx, f, at)
	default:
		return s.revokeByApplication(ctx, f.ApplicationID, at)
	}
}

func (s *Store) revokeOne(ctx context.Context, f store.GrantFilter, at time.Time) (int, error) {
	matched, _, err := s.grantsOf(ctx, f)
	if err != nil || len(matched) == 0 {
		return 0, err
	}
	app := matched[0].ApplicationID
	return s.runAll(ctx, revokeGrant, []call{{s.chainKeys(f.ID, app), []any{member(f.ID, app), number(at)}}})
}

// revokeByUser looks which grants and consents there are and hands them to a
// script. The script does nothing if others have come in between.
func (s *Store) revokeByUser(ctx context.Context, f store.GrantFilter, at time.Time) (int, error) {
	for {
		matched, ids, err := s.grantsOf(ctx, f)
		if err != nil {
			return 0, err
		}
		apps, whole := []string{f.ApplicationID}, ""
		if f.ApplicationID == "" {
			whole = "1"
			apps, err = await(ctx, func() ([]string, error) { return s.client.HKeys(ctx, s.keys.consents(f.UserID)).Result() })
			if err != nil {
				return 0, fmt.Errorf("redisstore: %w", err)
			}
		}

		sh := shardOf(store.UserTag(f.UserID))
		names := []string{s.keys.due(sh), s.keys.salts(sh), s.keys.tag(store.UserTag(f.UserID)), s.keys.consents(f.UserID)}
		args := []any{number(at), f.UserID, len(ids), len(matched), len(apps), whole}
		for _, id := range ids {
			args = append(args, string(id[:]))
		}
		for _, g := range matched {
			names = append(names, s.keys.grant(g.ID), s.keys.application(sh, g.ApplicationID))
			args = append(args, member(g.ID, g.ApplicationID))
		}
		for _, app := range apps {
			names = append(names, s.keys.consenters(sh, app))
			args = append(args, app)
		}
		revoked, err := s.runAll(ctx, revokeUser, []call{{names, args}})
		if err != nil || revoked >= 0 {
			return revoked, err
		}
	}
}

// revokedAtOnce is how many grants, and how many consents, a step by
// application ends in one script, so that other requests do not wait for long.
const revokedAtOnce = 500

func (s *Store) revokeByApplication(ctx context.Context, applicationID string, at time.Time) (revoked int, err error) {
	for first := shard(0); first < shardCount; first += shardsAtOnce {
		var todo []shard
		answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
			for sh := first; sh < first+shardsAtOnce; sh++ {
				pipe.Exists(ctx, s.keys.application(sh, applicationID))
				pipe.Exists(ctx, s.keys.consenters(sh, applicationID))
			}
		})
		if err != nil {
			return revoked, err
		}
		for i, answer := range answers {
			there, err := answer.(*redis.IntCmd).Result()
			if err != nil {
				return revoked, fmt.Errorf("redisstore: %w", err)
			}
			if sh := first + shard(i/2); there > 0 && !slices.Contains(todo, sh) {
				todo = append(todo, sh)
			}
		}
		for _, sh := range todo {
			n, err := s.revokeInShard(ctx, sh, applicationID, at)
			revoked += n
			if err != nil {
				return revoked, err
			}
		}
	}
	return revoked, nil
}

// revokeInShard revokes the shard's grants to the application and deletes the
// consents to it.
func (s *Store) revokeInShard(ctx context.Context, sh shard, applicationID string, at time.Time) (revoked int, err error) {
	application, consenters := s.keys.application(sh, applicationID), s.keys.consenters(sh, applicationID)
	for {
		answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
			pipe.ZRange(ctx, application, 0, revokedAtOnce-1)
			pipe.SRandMemberN(ctx, consenters, revokedAtOnce)
		})
		if err != nil {
			return revoked, err
		}
		grants, err := answers[0].(*redis.StringSliceCmd).Result()
		if err != nil {
			return revoked, fmt.Errorf("redisstore: %w", err)
		}
		users, err := answers[1].(*redis.StringSliceCmd).Result()
		if err != nil {
			return revoked, fmt.Errorf("redisstore: %w", err)
		}

		names := []string{s.keys.due(sh), s.keys.salts(sh), application, consenters}
		args := []any{applicationID, number(at), len(grants), len(users)}
		for _, text := range grants {
			id, _ := splitMember(text)
			names = append(names, s.keys.grant(id))
			args = append(args, member(id, applicationID))
		}
		for _, user := range users {
			names = append(names, s.keys.consents(user))
			args = append(args, user)
		}
		answer, err := s.run(ctx, revokeApplication, names, args...)
		if err != nil {
			return revoked, err
		}
		counts, ok := answer.([]any)
		if !ok || len(counts) != 2 {
			return revoked, errCorrupt
		}
		n, _ := counts[0].(int64)
		revoked += int(n)
		if counts[1] == int64(0) {
			return revoked, nil
		}
	}
}
