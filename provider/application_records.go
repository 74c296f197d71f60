package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/store"
)

func (k records) findApplication(ctx context.Context, id string) (store.Application, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	return found(k.store.FindApplication(ctx, id))
}

func (k records) findClient(ctx context.Context, clientID string) (store.Application, error) {
	if !isClientID(clientID) && clientdoc.CheckURL(clientID) != nil {
		return found(store.Application{}, store.ErrNotFound) // Malformed IDs don't reach the store.
	}
	ctx, stop := k.bounded(ctx)
	defer stop()
	return found(k.store.FindClient(ctx, clientID))
}

func found(app store.Application, err error) (store.Application, error) {
	if err != nil {
		return store.Application{}, fmt.Errorf("provider: find application: %w", err)
	}
	return app, nil
}

func (k records) listApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	ctx, stop := k.bounded(ctx)
	defer stop()
	page, total, err := k.store.ListApplications(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("provider: list applications: %w", err)
	}
	return page, total, nil
}

func (k records) deleteApplication(ctx context.Context, id string) error {
	wctx, stop := k.bounded(detached(ctx))
	defer stop()
	// Delete the record first. A sign-in that read the record before reads the
	// cut-off numbers either before this cut-off, which then covers its grant,
	// or after it, and then notices that the application is gone. The
	// application of a document may come back with the same ID. It is cut off
	// like any other, and a sign-in to it checks the record again after it has
	// read the numbers.
	err := k.store.DeleteApplication(wctx, id)
	if err == nil {
		number := store.CutForever
		if isDocumentApplication(id) {
			number = store.CutNumber
		}
		err = k.cutOff(ctx, store.CutKey{ApplicationID: id}, number)
	}
	return err
}

// createApplication saves a new application with a freshly generated ID.
func (k records) createApplication(ctx context.Context, app store.Application) error {
	wctx, stop := k.bounded(detached(ctx))
	defer stop()
	err := k.store.CreateApplication(wctx, app)
	if err != nil && k.hasKept(ctx, app) {
		return nil
	}
	return err
}

// hasKept reports whether the stored application equals this one: then a write
// that seemed to fail has succeeded. Its answer may have been lost, or the
// driver may have retried it and hit its own first attempt. Without this check
// the caller would add a secret, or an application, that no one knows about.
func (k records) hasKept(ctx context.Context, app store.Application) bool {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	kept, err := k.store.FindApplication(ctx, app.ID)
	return err == nil && sameApplication(kept, app)
}

// sameApplication compares everything that stores keep. Empty collections may
// come back as nil.
func sameApplication(a, b store.Application) bool {
	asKept := func(app store.Application) store.Application {
		app = app.Micro()
		app.RedirectURIs, app.Scopes = nilIfEmpty(app.RedirectURIs), nilIfEmpty(app.Scopes)
		app.PostLogoutRedirectURIs = nilIfEmpty(app.PostLogoutRedirectURIs)
		app.MachineScopes = nilIfEmpty(app.MachineScopes)
		app.Secrets, app.Applied = nilIfEmpty(app.Secrets), nilIfEmpty(app.Applied)
		if len(app.Metadata) == 0 {
			app.Metadata = nil
		}
		if r := app.Registration; r != nil {
			r.GrantTypes, r.Contacts = nilIfEmpty(r.GrantTypes), nilIfEmpty(r.Contacts)
		}
		return app
	}
	return reflect.DeepEqual(asKept(a), asKept(b))
}

func nilIfEmpty[S ~[]E, E any](s S) S {
	if len(s) == 0 {
		return nil
	}
	return s
}

// updateApplication reads, edits, and saves an application, and repeats that
// until no other change interferes.
func (k records) updateApplication(ctx context.Context, id string, edit func(*store.Application) error) (store.Application, error) {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	for {
		app, err := k.store.FindApplication(ctx, id)
		if err != nil {
			return store.Application{}, fmt.Errorf("provider: update application: %w", err)
		}
		if err := edit(&app); err != nil {
			return store.Application{}, err
		}
		app.UpdatedAt = k.now()
		err = k.store.UpdateApplication(ctx, app)
		app.Version++
		if err == nil || k.hasKept(ctx, app) {
			return app, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return store.Application{}, fmt.Errorf("provider: update application: %w", err)
		}
	}
}
