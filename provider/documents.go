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

// records are what the store keeps, read and written within a time each.
//
// Grants, consents, and devices are documents. This file is the one way to
// them: read, decide by a rule, and replace what no other request has changed.
type records struct {
	store   store.Store
	timeout time.Duration // of one call
	clock   func() time.Time
}

// now is the time to the microsecond, which is what every store keeps.
func (k records) now() time.Time { return store.Micro(k.clock()) }

// bounded gives a call of the store its time. The caller must call stop.
func (k records) bounded(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	return withTimeout(ctx, k.timeout)
}

// detached is the context of a write. It doesn't end with the request: a client
// that hangs up must not leave it unknown whether its code was spent.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// maxRounds bounds how often a document is read again because another request has
// changed it. Each time one of them has made progress, so more than a few rounds
// mean that something is wrong.
const maxRounds = 8

// errContended ends a change that was overtaken in every round.
var errContended = errors.New("other requests changed the record each time that it was about to be written")

// newMark draws the mark of a write: a random number that is not zero.
func newMark() int64 {
	var b [8]byte
	rand.Read(b[:]) // Never fails: it would end the program.
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

// create keeps a new document.
func (k records) create(ctx context.Context, d store.Document) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	return k.store.Create(ctx, d)
}

// once notes that something has happened that may happen once until that time,
// and reports whether it had not happened before. What comes again is remembered
// for as long; it is known again by its ID.
func (k records) once(ctx context.Context, id store.ID, until time.Time) (first bool, err error) {
	now := k.now()
	d := store.Document{ID: id, Kind: store.KindOnce, CreatedAt: now, LastUsedAt: now, SweepAt: store.Micro(until), Mark: newMark()}
	if err = k.create(ctx, d); err == nil {
		return true, nil
	}
	// If the answer to the write was lost, or a driver has sent it again, it is
	// its own write that is there.
	kept, _, failed := k.find(detached(ctx), id)
	switch {
	case failed == nil:
		return kept.Mark == d.Mark, nil
	case errors.Is(err, store.ErrExists) && errors.Is(failed, rules.ErrNotFound):
		return false, nil // It is being swept.
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

// changeGrant lets a rule decide on a grant, and keeps what it has decided. It
// reads the grant again, and the rule decides again, while others change it.
// A write whose outcome is unknown is looked at in the same way: a rule knows
// its own write again. If the rule finds a reuse, the grant is ended. All writes
// together have the time of one, so that a store that keeps failing holds a
// request up no longer than one that never answers.
//
// The change doesn't end with the request: if a client hangs up, it must not
// stay unknown whether its code was spent.
func (k records) changeGrant(ctx context.Context, id store.ID, rule func(*rules.Grant) (rules.Step, error)) error {
	ctx = detached(ctx)
	writing, stop := k.bounded(ctx)
	defer stop()
	mark, failed := newMark(), error(nil)
	for range maxRounds {
		var g rules.Grant
		if err := k.findGrant(ctx, id, &g); err != nil {
			if failed != nil && errors.Is(err, rules.ErrNotFound) {
				return failed // It was there a moment ago: the store is in trouble.
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

// endGrant ends a grant, whatever else happens to it.
func (k records) endGrant(ctx context.Context, id store.ID) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	now := k.now()
	return k.store.End(ctx, id, now, rules.Tombstone(rules.At(now)).Time())
}

// cutOff makes all documents that the key covers worthless.
func (k records) cutOff(ctx context.Context, key store.CutKey, number func(time.Time) int64) error {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	return k.store.CutOff(ctx, key, number(k.now()))
}

// findConsent reads what a user has agreed to give an application, and the
// numbers of the cut-offs that a grant made now has seen.
func (k records) findConsent(ctx context.Context, key store.CutKey) (rules.Consent, error) {
	if key.UserID == "" {
		return rules.Consent{}, errors.New("the user ID is empty, and only a user can agree") // Else the grant would be a machine's.
	}
	ctx, stop := k.bounded(ctx)
	defer stop()
	d, now, err := k.store.FindConsent(ctx, key.UserID, key.ApplicationID, key.WorkspaceID)
	if err != nil {
		return rules.Consent{}, err
	}
	return rules.ReadConsent(&d, now)
}

// seenBy reads the numbers of the cut-offs that a machine's grant made now has
// seen.
func (k records) seenBy(ctx context.Context, applicationID string) (store.Cuts, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	_, seen, err := k.store.FindConsent(ctx, "", applicationID, "")
	return seen, err
}

// keepConsent writes a consent that a rule has changed. The error is
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

	// cleanupMargin is how long what is dead is left lying, so that the clocks
	// of two machines may differ.
	cleanupMargin = time.Minute
)

// sweep deletes one batch of documents.
func (k records) sweep(ctx context.Context) (int, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	return k.store.Sweep(ctx, k.now().Add(-cleanupMargin), cleanupBatch)
}
