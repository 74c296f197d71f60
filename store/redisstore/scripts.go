package redisstore

import (
	"context"
	_ "embed" // for the digests of scripts
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/document.lua
	documentLua string
	//go:embed lua/write.lua
	writeLua string
	//go:embed lua/create.lua
	createLua string
	//go:embed lua/find_fast.lua
	findFastLua string
	//go:embed lua/find.lua
	findLua string
	//go:embed lua/replace.lua
	replaceLua string
	//go:embed lua/end.lua
	endLua string
	//go:embed lua/remove.lua
	removeLua string
	//go:embed lua/cut_off.lua
	cutOffLua string
	//go:embed lua/settle_cut.lua
	settleCutLua string
	//go:embed lua/wake.lua
	wakeLua string

	//go:embed lua/application.lua
	applicationLua string
	//go:embed lua/create_application.lua
	createApplicationLua string
	//go:embed lua/find_client.lua
	findClientLua string
	//go:embed lua/update_application.lua
	updateApplicationLua string
	//go:embed lua/delete_application.lua
	deleteApplicationLua string
)

// scripts are the steps that take more than one command. Redis runs nothing
// else during a script, so each is atomic. A script touches a bounded number of
// records.
//
// The caller passes the keys that it knows. The script finds the names of the
// others, of cut-offs and indexes, in the document that it reads.
type scripts struct {
	create, find, replace, end, remove, cutOff, settleCut, wake         *redis.Script
	createApplication, findClient, updateApplication, deleteApplication *redis.Script
}

var aloneScripts, clusterScripts = newScripts(true), newScripts(false)

// newScripts returns the scripts for a single server, or for a server of a
// cluster.
func newScripts(alone bool) *scripts {
	script := func(flags string, parts ...string) *redis.Script {
		return redis.NewScript(fmt.Sprintf("#!lua flags=%s\nlocal ALONE = %t\n", flags, alone) + strings.Join(parts, ""))
	}
	// A server whose memory is full rejects a script unless it has this flag.
	const refused, reads, always = "", "no-writes", "allow-oom"
	return &scripts{
		create:    script(refused, documentLua, writeLua, createLua),
		find:      script(reads, findFastLua, documentLua, findLua),
		replace:   script(refused, documentLua, writeLua, replaceLua),
		end:       script(always, documentLua, writeLua, endLua),
		remove:    script(always, documentLua, writeLua, removeLua),
		cutOff:    script(always, cutOffLua),
		settleCut: script(always, settleCutLua),
		wake:      script(always, wakeLua),

		createApplication: script(refused, applicationLua, createApplicationLua),
		findClient:        script(reads, findClientLua),
		updateApplication: script(refused, applicationLua, updateApplicationLua),
		deleteApplication: script(always, applicationLua, deleteApplicationLua),
	}
}

// A pipe collects commands for one round trip.
type pipe struct {
	redis.Pipeliner
	ctx   context.Context
	whole bool // whether to send the text of scripts instead of its digest
}

// run adds a run of a script.
func (p pipe) run(script *redis.Script, keys []string, args ...any) {
	if p.whole {
		script.Eval(p.ctx, p, keys, args...)
	} else {
		script.EvalSha(p.ctx, p, keys, args...)
	}
}

// exec sends the commands that fill collects, in one round trip to each server,
// and returns them with their answers. On a cluster, commands to different
// servers run in any order. A nil answer is not an error.
//
// If a server doesn't know a script, exec sends all commands again, with the
// text of the scripts.
func (s *Store) exec(ctx context.Context, fill func(p pipe)) ([]redis.Cmder, error) {
	return await(ctx, func() ([]redis.Cmder, error) {
		for whole := false; ; whole = true {
			p := pipe{s.client.Pipeline(), ctx, whole}
			fill(p)
			if p.Len() == 0 {
				return nil, nil
			}
			commands, failed := p.Exec(ctx)
			err := firstError(commands)
			if err == nil && failed != nil && !errors.Is(failed, redis.Nil) {
				err = fmt.Errorf("redisstore: %w", failed) // The commands may not report it.
			}
			if whole || !redis.HasErrorPrefix(err, "NOSCRIPT") {
				return commands, err
			}
		}
	})
}

func firstError(commands []redis.Cmder) error {
	for _, command := range commands {
		if err := command.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("redisstore: %w", err)
		}
	}
	return nil
}

// run runs one script and returns its answer.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	commands, err := s.exec(ctx, func(p pipe) { p.run(script, keys, args...) })
	if err != nil {
		return nil, err
	}
	return answer(commands[0]), nil
}

// answer returns the answer to a script or to another command that is run by
// Do.
func answer(command redis.Cmder) any { return command.(*redis.Cmd).Val() }

// await calls f and returns what it returns, or gives up when the context ends,
// because the client library doesn't watch the context while it waits for an
// answer. If the step writes, it may still take effect.
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
