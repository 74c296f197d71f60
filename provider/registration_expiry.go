package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Many applications register themselves, some at each start of a program, and
// no one deletes them. So noteUse records the use of an application in its
// UpdatedAt, and one that isn't used is deleted. Both start with a
// compare-and-swap update, so that only one of a concurrent use and deletion
// succeeds.

const (
	unusedBatch   = 100
	unusedBatches = 10 // in one call, so that it ends soon
)

// deleteUnused deletes the applications of an origin that were not used for the
// given time and have no grants, and returns how many.
func (p *Provider) deleteUnused(ctx context.Context, origin store.Origin, after time.Duration) (deleted int, err error) {
	if after <= 0 {
		return 0, nil
	}
	before := p.now().Add(-after)
	for range unusedBatches {
		page, _, err := p.records.listApplications(ctx, store.ApplicationQuery{
			Origin: origin, UpdatedBefore: before, Order: store.OldestFirst, Limit: unusedBatch,
		})
		if err != nil {
			return deleted, fmt.Errorf("provider: cleanup: %w", err)
		}
		// None of them is on the next page: each is deleted or changed.
		for _, app := range page {
			unused, err := p.deleteIfUnused(ctx, app)
			if err != nil {
				return deleted, fmt.Errorf("provider: cleanup: %w", err)
			}
			if unused {
				deleted++
			}
		}
		if len(page) < unusedBatch {
			break
		}
	}
	return deleted, nil
}

// deleteIfUnused deletes an application without grants. One that has a grant is
// in use even if no one signed in. Its use is recorded, so that it doesn't come
// first in the next call. A disabled application stays, because one with a
// document could come back enabled.
func (p *Provider) deleteIfUnused(ctx context.Context, app store.Application) (bool, error) {
	grants, next, err := p.ListGrants(ctx, GrantFilter{ApplicationID: app.ID}, "", 1)
	if err != nil {
		return false, err
	}
	unused := len(grants) == 0 && next == "" && !app.Disabled
	if unused {
		app.Registration = nil // From here on noteUse refuses it.
	} else {
		app.UpdatedAt = p.now()
	}
	wctx, stop := p.records.bounded(detached(ctx))
	defer stop()
	err = p.records.store.UpdateApplication(wctx, app)
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
		return false, nil // It is in use, or another cleanup deletes it.
	case err != nil || !unused:
		return false, err
	}
	if err := p.records.deleteApplication(ctx, app.ID); err != nil {
		return false, err
	}
	p.emit(ctx, Event{Kind: EventApplicationDeleted, ApplicationID: app.ID})
	return true, nil
}
