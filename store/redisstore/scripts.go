package redisstore

import (
	"context"
	_ "embed" // for the scripts
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// The scripts, each of which is one step. Redis runs a script alone, so that a
// step is atomic. All keys that a script touches are handed to it, and they
// lie in one slot, as Redis Cluster demands.
var (
	//go:embed lua/common.lua
	commonLua string
	//go:embed lua/create_grant.lua
	createGrantLua string
	//go:embed lua/redeem_code.lua
	redeemCodeLua string
	//go:embed lua/rotate_refresh.lua
	rotateRefreshLua string
	//go:embed lua/revoke_token.lua
	revokeTokenLua string
	//go:embed lua/revoke_grant.lua
	revokeGrantLua string
	//go:embed lua/revoke_user.lua
	revokeUserLua string
	//go:embed lua/revoke_application.lua
	revokeApplicationLua string
	//go:embed lua/sweep_grant.lua
	sweepGrantLua string
	//go:embed lua/create_device.lua
	createDeviceLua string
	//go:embed lua/decide_device.lua
	decideDeviceLua string
	//go:embed lua/poll_device.lua
	pollDeviceLua string
	//go:embed lua/sweep_device.lua
	sweepDeviceLua string
	//go:embed lua/create_application.lua
	createApplicationLua string
	//go:embed lua/find_client.lua
	findClientLua string
	//go:embed lua/update_application.lua
	updateApplicationLua string
	//go:embed lua/delete_application.lua
	deleteApplicationLua string
)

var (
	createGrant       = redis.NewScript(commonLua + createGrantLua)
	redeemCode        = redis.NewScript(commonLua + redeemCodeLua)
	rotateRefresh     = redis.NewScript(commonLua + rotateRefreshLua)
	revokeToken       = redis.NewScript(commonLua + revokeTokenLua)
	revokeGrant       = redis.NewScript(commonLua + revokeGrantLua)
	revokeUser        = redis.NewScript(commonLua + revokeUserLua)
	revokeApplication = redis.NewScript(commonLua + revokeApplicationLua)
	sweepGrant        = redis.NewScript(commonLua + sweepGrantLua)
	createDevice      = redis.NewScript(commonLua + createDeviceLua)
	decideDevice      = redis.NewScript(decideDeviceLua)
	pollDevice        = redis.NewScript(pollDeviceLua)
	sweepDevice       = redis.NewScript(sweepDeviceLua)
	createApplication = redis.NewScript(createApplicationLua)
	findClient        = redis.NewScript(findClientLua)
	updateApplication = redis.NewScript(updateApplicationLua)
	deleteApplication = redis.NewScript(deleteApplicationLua)
)

// run runs a script and returns its answer. The first use on a server loads
// the script there; after that only its digest is sent.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	answer, err := await(ctx, func() (any, error) { return script.Run(ctx, s.client, keys, args...).Result() })
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	return answer, nil
}

// A call is what one run of a script is given.
type call struct {
	keys []string
	args []any
}

// runAll runs a script once for each call, all of them in one round trip for
// each server, and returns the sum of the numbers that they answer.
func (s *Store) runAll(ctx context.Context, script *redis.Script, calls []call) (int, error) {
	answers, err := s.pipelined(ctx, func(pipe redis.Pipeliner) {
		for _, c := range calls {
			script.EvalSha(ctx, pipe, c.keys, c.args...)
		}
	})
	if err != nil {
		return 0, err
	}
	sum := 0
	for i, answer := range answers {
		number, err := answer.(*redis.Cmd).Int()
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			var again any
			if again, err = s.run(ctx, script, calls[i].keys, calls[i].args...); err == nil {
				number = int(again.(int64))
			}
		}
		if err != nil {
			return sum, fmt.Errorf("redisstore: %w", err)
		}
		sum += number
	}
	return sum, nil
}

// pipelined sends many commands in one round trip for each server. The caller
// looks for errors of single commands; the error that is returned is that the
// context has ended.
func (s *Store) pipelined(ctx context.Context, fill func(redis.Pipeliner)) ([]redis.Cmder, error) {
	return await(ctx, func() ([]redis.Cmder, error) {
		pipe := s.client.Pipeline()
		fill(pipe)
		answers, _ := pipe.Exec(ctx)
		return answers, ctx.Err()
	})
}

// await calls f and returns what it returns, or gives up on it when the
// context ends: the client library does not look up from waiting for an answer
// then. Giving up on a step that writes leaves open whether it was done.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	if ctx.Done() == nil {
		return f()
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
