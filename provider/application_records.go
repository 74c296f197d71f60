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
		return found(store.Application{}, store.ErrNotFound) // Malformed ids are answered here; the store is not asked.
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
	// The record goes first. A sign-in that has read it before that reads the
	// numbers of the cut-offs either before this cut-off, which then covers its
	// grant, or afterwards, and then finds that the application is gone for
	// good. The application of a document may come back under the same ID, so it
	// is cut off like any other, and a sign-in to it makes sure of the record
	// after it has read the numbers.
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

// createApplication keeps a new application, whose ID was drawn for it.
func (k records) createApplication(ctx context.Context, app store.Application) error {
	wctx, stop := k.bounded(detached(ctx))
	defer stop()
	err := k.store.CreateApplication(wctx, app)
	if err != nil && k.hasKept(ctx, app) {
		return nil
	}
	return err
}

// hasKept reports whether an application is kept as it is here: the write that
// seemed to fail has happened. Its answer was lost, or a driver has sent it
// again and was told that its own first try stands in its way. Without this the
// caller would add a secret, or an application, that no one knows.
func (k records) hasKept(ctx context.Context, app store.Application) bool {
	ctx, stop := k.bounded(detached(ctx))
	defer stop()
	kept, err := k.store.FindApplication(ctx, app.ID)
	return err == nil && sameApplication(kept, app)
}

// sameApplication compares everything that stores keep. What is empty may come
// back as nil.
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

// updateApplication reads, edits and keeps an application until no one has interfered.
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
