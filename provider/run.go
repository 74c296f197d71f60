package provider

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// runEvery is roughly how often Run does its work.
const runEvery = 5 * time.Minute

// Run does the provider's background work until ctx ends: it calls
// [Provider.Cleanup] every few minutes. Start it once in each instance;
// instances share the work:
//
//	go p.Run(ctx)
//
// The first round starts after a random part of the interval, so that instances
// that start together don't all work at once. If a round fails, or panics in
// the store, Run logs that and tries again in the next round.
//
// If you have a scheduler for such work, call Cleanup instead.
func (p *Provider) Run(ctx context.Context) {
	timer := time.NewTimer(rand.N(runEvery)) //nolint:gosec // It only spreads the load.
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := p.runOnce(ctx); err != nil && ctx.Err() == nil {
			p.cfg.Logger.ErrorContext(ctx, "latchkey: cleanup failed; Run will try again", "error", err)
		}
		timer.Reset(runEvery*9/10 + rand.N(runEvery/5)) //nolint:gosec // It only spreads the load.
	}
}

// runOnce turns a panic into an error, as net/http does for requests: a store
// that panics must not end the host's whole process.
func (p *Provider) runOnce(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	_, err = p.Cleanup(ctx)
	return err
}

// Cleanup deletes expired records, in small steps, until none are left, and
// returns the number of deleted records. It also makes Config.Keys rotate its
// keys, and deletes unused applications that registered themselves or are known
// by a document, at most a thousand in one call. [Provider.Run] calls it every
// few minutes. If ctx ends, Cleanup stops; what it has deleted stays deleted.
// It is safe to call from many instances.
func (p *Provider) Cleanup(ctx context.Context) (int, error) {
	var keys error
	if p.cfg.Keys != nil {
		if keys = p.cfg.Keys.Maintain(ctx); keys != nil {
			keys = fmt.Errorf("provider: cleanup: Config.Keys: %w", keys)
		}
	}
	total, err := p.deleteExpired(ctx)
	return total, errors.Join(keys, err)
}

func (p *Provider) deleteExpired(ctx context.Context) (int, error) {
	total, err := 0, error(nil)
	for n := cleanupBatch; err == nil && n == cleanupBatch; total += n {
		n, err = p.records.sweep(ctx)
	}
	if err != nil {
		return total, fmt.Errorf("provider: cleanup: %w", err)
	}
	// Last, because ended grants are gone by now.
	for _, origin := range []store.Origin{store.OriginRegistration, store.OriginDocument} {
		if err == nil {
			var n int
			n, err = p.deleteUnused(ctx, origin, p.cfg.expireAfter(origin))
			total += n
		}
	}
	return total, err
}
