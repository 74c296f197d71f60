package provider

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// maxUseAge bounds how old the recorded last use of an active application gets.
// A popular application costs one write a day.
const maxUseAge = 24 * time.Hour

var errUseNoted = errors.New("provider: the use was recorded just now")

// noteUse records that a user signs in to the application, before anything is
// granted to it. It refuses if the application was deleted meanwhile.
func (c *call) noteUse(app store.Application) *Error {
	if app.Origin == store.OriginDocument {
		return c.keepDocument(c.context(), app)
	}
	after := c.cfg.expireAfter(app.Origin)
	recently := c.now().Add(-min(maxUseAge, after/10))
	if after == 0 || !app.UpdatedAt.Before(recently) {
		return nil
	}
	_, err := c.records.updateApplication(c.context(), app.ID, func(app *store.Application) error {
		switch {
		case app.Registration == nil: // deleteIfUnused was first
			return store.ErrNotFound
		case !app.UpdatedAt.Before(recently):
			return errUseNoted
		}
		return nil // updateApplication sets the time
	})
	switch {
	case err == nil || errors.Is(err, errUseNoted):
		return nil
	case errors.Is(err, store.ErrNotFound):
		return errNotRegistered(errUnknownClient)
	}
	return unavailable("store", err)
}

// keepDocument saves the application of a document in its current form, before
// anything is granted to it. If another instance saves or deletes it at the
// same time, keepDocument tries again.
func (p *Provider) keepDocument(ctx context.Context, app store.Application) *Error {
	for range 5 {
		kept, err := p.records.findClient(ctx, app.ClientID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			err = p.createDocument(ctx, app)
		case err == nil && kept.Origin != store.OriginDocument:
			return errStaleForm(errors.New("the host has registered an application with this client_id meanwhile"))
		case err == nil:
			err = p.refreshDocument(ctx, app)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return unavailable("store", err)
		}
	}
	return unavailable("store", errors.New("the application of the document is deleted each time that it is created"))
}

func (p *Provider) createDocument(ctx context.Context, app store.Application) error {
	app.UpdatedAt = p.now()
	if err := p.records.createApplication(ctx, app); err != nil {
		return err
	}
	p.emit(ctx, Event{Kind: EventApplicationRegistered, ApplicationID: app.ID})
	return nil
}

// refreshDocument updates the saved application from its document, and records
// its use from time to time. What a document can't say stays as it is.
func (p *Provider) refreshDocument(ctx context.Context, app store.Application) error {
	recently := p.now().Add(-min(maxUseAge, p.cfg.expireAfter(store.OriginDocument)/10))
	_, err := p.records.updateApplication(ctx, app.ID, func(kept *store.Application) error {
		described := app.Clone()
		keepHostsPart(&described, kept)
		switch {
		case kept.Registration == nil: // deleteIfUnused was first
			return store.ErrNotFound
		case sameApplication(*kept, described) && (p.cfg.expireAfter(store.OriginDocument) == 0 || !kept.UpdatedAt.Before(recently)):
			return errUseNoted
		}
		*kept = described
		return nil
	})
	if errors.Is(err, errUseNoted) {
		return nil
	}
	return err
}
