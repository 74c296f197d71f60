package provider

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

// records reads and writes the store, with a timeout for each call.
//
// Grants, consents, and devices are documents. This file is the only way to
// them: read, decide with a rule, and replace the document if no other request
// has changed it.
type records struct {
	store   store.Store
	timeout time.Duration // of one call
	clock   func() time.Time
}

// now returns the time to the microsecond, the precision of every store.
func (k records) now() time.Time { return store.Micro(k.clock()) }

// bounded sets the timeout of a call of the store. The caller must call stop.
func (k records) bounded(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	return withTimeout(ctx, k.timeout)
}

// detached returns the context of a write. It doesn't end with the request: if
// a client hangs up, its code must still be either spent or not.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// maxRounds bounds how often a document is read again because another request
// changed it. One of them makes progress in each round, so more than a few
// rounds mean that something is wrong.
const maxRounds = 8

// errContended means that other requests changed the record in every round.
var errContended = errors.New("other requests changed the record each time that it was about to be written")

// newMark generates the mark of a write: a random number that is not zero.
func newMark() int64 {
	var b [8]byte
	rand.Read(b[:]) // It never fails; it would end the program.
	return int64(binary.BigEndian.Uint64(b[:]) | 1)
}

// find reads a document and the numbers of its cut-offs.
func (k records) find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	d, now, err := k.store.Find(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = rules.ErrNotFound
	}
	return d, now, err
}

// create saves a new document.
func (k records) create(ctx context.Context, d store.Document) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	return k.store.Create(ctx, d)
}

// once records something that may happen only once until a time, identified by
// its ID. It reports whether this was the first time.
func (k records) once(ctx context.Context, id store.ID, until time.Time) (first bool, err error) {
	now := k.now()
	d := store.Document{ID: id, Kind: store.KindOnce, CreatedAt: now, LastUsedAt: now, SweepAt: store.Micro(until), Mark: newMark()}
	if err = k.create(ctx, d); err == nil {
		return true, nil
	}
	// If the answer to the write was lost, or a driver repeated it, the
	// document is the write's own.
	kept, _, failed := k.find(detached(ctx), id)
	switch {
	case failed == nil:
		return kept.Mark == d.Mark, nil
	case errors.Is(err, store.ErrExists) && errors.Is(failed, rules.ErrNotFound):
		return false, nil // It is being deleted.
	}
	return false, err
}

// replace replaces a document that still has the mark.
func (k records) replace(ctx context.Context, d store.Document, mark int64) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	return k.store.Replace(ctx, d, mark)
}

// findGrant reads a grant into g, which must be zero. The error is
// rules.ErrNotFound if there is none.
func (k records) findGrant(ctx context.Context, id store.ID, g *rules.Grant) error {
	d, now, err := k.find(ctx, id)
	if err != nil {
		return err
	}
	return rules.ReadGrant(g, &d, &now)
}

// changeGrant lets a rule decide on a grant, and saves the result. If others
// change the grant at the same time, it reads the grant and applies the rule
// again. It does the same if the outcome of a write is unknown, because a rule
// recognizes its own write. If the rule detects a reuse, the grant is revoked.
// All writes share one timeout, so a store that keeps failing delays a request
// no longer than one that never answers.
//
// The change doesn't end with the request: if a client hangs up, its code must
// still be either spent or not.
func (k records) changeGrant(ctx context.Context, id store.ID, rule func(*rules.Grant) (rules.Step, error)) error {
	ctx = detached(ctx)
	writing, stop := k.bounded(ctx)
	defer stop()
	mark, failed := newMark(), error(nil)
	for range maxRounds {
		var g rules.Grant
		if err := k.findGrant(ctx, id, &g); err != nil {
			if failed != nil && errors.Is(err, rules.ErrNotFound) {
				return failed // It existed a moment ago, so the store has a problem.
			}
			return err
		}
		step, err := rule(&g)
		if errors.Is(err, rules.ErrReused) {
			if failed := k.endGrant(ctx, id); failed != nil {
				return failed
			}
		}
		if err != nil || step == rules.Keep {
			return err
		}
		if failed != nil && writing.Err() != nil {
			return failed
		}
		err = k.store.Replace(writing, g.Document(mark), g.Mark())
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			failed = err
		}
	}
	if failed != nil {
		return failed
	}
	return errContended
}

// endGrant revokes a grant, even if others change it at the same time.
func (k records) endGrant(ctx context.Context, id store.ID) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	now := k.now()
	return k.store.End(ctx, id, now, rules.Tombstone(rules.At(now)).Time())
}

// cutOff invalidates all documents that the key covers.
func (k records) cutOff(ctx context.Context, key store.CutKey, number func(time.Time) int64) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	return k.store.CutOff(ctx, key, number(k.now()))
}

// findConsent reads what a user has agreed to give an application, and the
// current cut-off numbers for a new grant.
func (k records) findConsent(ctx context.Context, key store.CutKey) (rules.Consent, error) {
	if key.UserID == "" {
		return rules.Consent{}, errors.New("the user ID is empty, and only a user can agree") // Otherwise the grant would belong to a machine.
	}
	ctx, stop := k.bounded(ctx)
	defer stop()
	d, now, err := k.store.FindConsent(ctx, key.UserID, key.ApplicationID, key.WorkspaceID)
	if err != nil {
		return rules.Consent{}, err
	}
	return rules.ReadConsent(&d, now)
}

// seenBy reads the current cut-off numbers for a new grant of a machine.
func (k records) seenBy(ctx context.Context, applicationID string) (store.Cuts, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	_, seen, err := k.store.FindConsent(ctx, "", applicationID, "")
	return seen, err
}

// keepConsent saves a consent that a rule has changed. The error is
// store.ErrConflict if another request has changed it.
func (k records) keepConsent(ctx context.Context, c *rules.Consent) error {
	d := c.Document(newMark())
	if c.Mark() != 0 {
		return k.replace(ctx, d, c.Mark())
	}
	err := k.create(ctx, d)
	if errors.Is(err, store.ErrExists) {
		err = store.ErrConflict
	}
	return err
}

// list reads one page of documents.
func (k records) list(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	return k.store.List(ctx, q)
}

const (
	cleanupBatch = 1000

	// cleanupMargin is how long dead documents are kept, because the clocks of
	// two machines may differ.
	cleanupMargin = time.Minute
)

// sweep deletes one batch of documents.
func (k records) sweep(ctx context.Context) (int, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	return k.store.Sweep(ctx, k.now().Add(-cleanupMargin), cleanupBatch)
}
