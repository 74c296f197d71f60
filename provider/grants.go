package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// ListGrants returns one page of the grants that match q and are not revoked,
// newest first, and the number of all that match.
func (p *Provider) ListGrants(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
	ctx, until := p.reading(ctx)
	defer until.stop()
	page, total, err := p.cfg.Store.ListGrants(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("provider: list grants: %w", err)
	}
	return page, total, nil
}

// RevokeGrants revokes every grant that matches f, and with it all its tokens,
// and returns how many there were. When it returns, none of them works
// anywhere. By user it logs a user out of every application, by user and
// application out of that one, by application it cuts an application off; each
// of these also forgets what the users had agreed to. By ID it ends a single
// sign-in. The empty filter matches nothing.
func (p *Provider) RevokeGrants(ctx context.Context, f store.GrantFilter) (int, error) {
	wctx, until := p.writing(ctx)
	defer until.stop()
	n, err := p.cfg.Store.RevokeGrants(wctx, f, p.now())
	if err != nil {
		return n, fmt.Errorf("provider: revoke grants: %w", err)
	}
	if n > 0 {
		p.emit(ctx, Event{Kind: EventGrantRevoked, ApplicationID: f.ApplicationID, UserID: f.UserID, GrantID: f.ID, Count: n})
	}
	return n, nil
}

const (
	cleanupBatch = 1000

	// cleanupMargin is how long what is dead is left lying, so that the clocks
	// of two machines may differ.
	cleanupMargin = time.Minute
)

// Cleanup deletes what has expired, in small steps, until nothing is left, and
// returns how many records that were. Device authorizations are among them if
// the store has them, and so are applications that registered themselves and
// are no longer used, at most a thousand in one call. Call it every few minutes;
// it may run beside traffic and on every instance at once. It stops when ctx
// ends, and what it did until then stays done.
func (p *Provider) Cleanup(ctx context.Context) (int, error) {
	total, err := p.inBatches(ctx, func(ctx context.Context, now time.Time) (int, error) {
		return p.cfg.Store.DeleteExpired(ctx, store.Expiry{
			Before:        now.Add(-cleanupMargin),
			RotatedBefore: now.Add(-cleanupMargin - max(0, p.cfg.RefreshGrace)),
			Limit:         cleanupBatch,
		})
	})
	if err == nil && p.devices != nil {
		var n int
		n, err = p.inBatches(ctx, func(ctx context.Context, now time.Time) (int, error) {
			return p.devices.DeleteDevices(ctx, now.Add(-cleanupMargin-deviceGrace), cleanupBatch)
		})
		total += n
	}
	// Last, as the grants that have ended are gone by now.
	for _, origin := range []store.Origin{store.OriginRegistration, store.OriginDocument} {
		if err == nil {
			var n int
			n, err = p.deleteUnused(ctx, origin, p.expireAfter(origin))
			total += n
		}
	}
	return total, err
}

// inBatches deletes until a batch is not full, and returns how many records
// that were.
func (p *Provider) inBatches(ctx context.Context, batch func(ctx context.Context, now time.Time) (int, error)) (int, error) {
	total := 0
	for {
		bctx, until := p.reading(ctx)
		n, err := batch(bctx, p.now())
		until.stop()
		total += n
		if err != nil {
			return total, fmt.Errorf("provider: cleanup: %w", err)
		}
		if n < cleanupBatch {
			return total, nil
		}
	}
}
