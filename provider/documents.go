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

// Grants, consents, and devices are documents. This file is the one way to
// them: read, decide by a rule, and replace what nobody else has changed.

// maxRounds bounds how often a document is read again because somebody else has
// changed it. Each time somebody has made progress, so more than a few rounds
// mean that something is wrong.
const maxRounds = 8

// errContended ends a change that was overtaken in every round.
var errContended = errors.New("the document is changed all the time")

// newMark draws the mark of a write: a random number that is not zero.
func newMark() int64 {
	var b [8]byte
	rand.Read(b[:]) // Never fails: it would end the program.
	return int64(binary.BigEndian.Uint64(b[:]) | 1)
}

// find reads a document and the numbers of its cut-offs.
func (p *Provider) find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	ctx, until := p.reading(ctx)
	defer until.stop()
	d, now, err := p.cfg.Store.Find(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = rules.ErrNotFound
	}
	return d, now, err
}

// create keeps a new document.
func (p *Provider) create(ctx context.Context, d store.Document) error {
	ctx, until := p.writing(ctx)
	defer until.stop()
	return p.cfg.Store.Create(ctx, d)
}

// replace replaces a document that still has the mark.
func (p *Provider) replace(ctx context.Context, d store.Document, mark int64) error {
	ctx, until := p.writing(ctx)
	defer until.stop()
	return p.cfg.Store.Replace(ctx, d, mark)
}

// findGrant reads a grant into g, which must be zero. The error is
// rules.ErrNotFound if there is none.
func (p *Provider) findGrant(ctx context.Context, id store.ID, g *rules.Grant) error {
	d, now, err := p.find(ctx, id)
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
func (p *Provider) changeGrant(ctx context.Context, id store.ID, rule func(*rules.Grant) (rules.Step, error)) error {
	ctx = context.WithoutCancel(ctx)
	writing, until := p.writing(ctx)
	defer until.stop()
	mark, failed := newMark(), error(nil)
	for range maxRounds {
		var g rules.Grant
		if err := p.findGrant(ctx, id, &g); err != nil {
			if failed != nil && errors.Is(err, rules.ErrNotFound) {
				return failed // It was there a moment ago: the store is in trouble.
			}
			return err
		}
		step, err := rule(&g)
		if errors.Is(err, rules.ErrReused) {
			if failed := p.endGrant(ctx, id); failed != nil {
				return failed
			}
		}
		if err != nil || step == rules.Keep {
			return err
		}
		if failed != nil && writing.Err() != nil {
			return failed
		}
		err = p.cfg.Store.Replace(writing, g.Document(mark), g.Mark())
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
func (p *Provider) endGrant(ctx context.Context, id store.ID) error {
	ctx, until := p.writing(ctx)
	defer until.stop()
	now := p.now()
	return p.cfg.Store.End(ctx, id, now, rules.Tombstone(rules.At(now)).Time())
}

// cutOff makes all documents that the key covers worthless.
func (p *Provider) cutOff(ctx context.Context, key store.CutKey, number func(time.Time) int64) error {
	ctx, until := p.writing(ctx)
	defer until.stop()
	return p.cfg.Store.CutOff(ctx, key, number(p.now()))
}

// findConsent reads what a user has agreed to give an application, and the
// numbers of the cut-offs that a grant made now has seen.
func (p *Provider) findConsent(ctx context.Context, userID, applicationID string) (rules.Consent, error) {
	ctx, until := p.reading(ctx)
	defer until.stop()
	d, now, err := p.cfg.Store.FindConsent(ctx, userID, applicationID, "")
	if err != nil {
		return rules.Consent{}, err
	}
	return rules.ReadConsent(&d, now)
}

// keepConsent writes a consent that a rule has changed. The error is
// store.ErrConflict if somebody else has changed it.
func (p *Provider) keepConsent(ctx context.Context, c *rules.Consent) error {
	d := c.Document(newMark())
	if c.Mark() != 0 {
		return p.replace(ctx, d, c.Mark())
	}
	err := p.create(ctx, d)
	if errors.Is(err, store.ErrExists) {
		err = store.ErrConflict
	}
	return err
}
