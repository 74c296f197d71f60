package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// CreateApplication registers an application, under a client id that it makes.
// The secret is returned this once and kept as a hash only; it is zero for a
// public application, and for one with keys. The error is a [FieldErrors] with everything that is wrong
// with the settings.
//
// Each call makes another application. A program that registers its own at
// startup calls [Provider.EnsureApplication].
func (p *Provider) CreateApplication(ctx context.Context, s ApplicationSettings) (Application, Secret, error) {
	app := p.newManual(randomText(16))
	s.apply(&app, p.offer.scopes)
	var secret Secret
	if needsSecret(&app) {
		made, kept := newSecret(p.now())
		secret, app.Secrets = made, []store.ClientSecret{kept}
	}
	if err := p.createManual(ctx, &app, nil); err != nil {
		return Application{}, Secret{}, err
	}
	return asApplication(app), secret, nil
}

// ImportApplication registers an application with the credentials that it has
// from another provider, so that it goes on working unchanged. A public one may
// get a client id in this way that people can type.
//
// The client id has letters, digits, and -._~:/@, at most 256 of them. The hash
// is the bcrypt hash of the secret, with a cost of at most 12, read with
// [store.ParseSecretHash]; it is zero for a public application. A confidential
// one without it has no secret until [Provider.AddSecret].
//
// The error is a [FieldErrors] with everything that is wrong, or wraps
// [store.ErrExists] if the client id is taken.
func (p *Provider) ImportApplication(ctx context.Context, clientID string, s ApplicationSettings, hash store.SecretHash) (Application, error) {
	app := p.newManual(clientID)
	s.apply(&app, p.offer.scopes)
	var wrong FieldErrors
	if !hash.IsZero() {
		if err := checkImportedSecret(s, hash); err != nil {
			wrong.add("secret_hash", FieldFormat, "", "SecretHash: %s", err)
		} else {
			app.Secrets = []store.ClientSecret{{ID: "imported", Hash: hash, CreatedAt: app.CreatedAt}}
		}
	}
	err := p.createManual(ctx, &app, wrong)
	return shownOr(app, err)
}

// newManual returns a new application of the host's own, without settings.
func (p *Provider) newManual(clientID string) store.Application {
	now := p.now()
	return store.Application{
		ID: newApplicationID(now), ClientID: clientID, Origin: store.OriginManual, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
}

// createManual keeps a new application, unless something is wrong with it or
// was found wrong before. The host vouches for it if nobody else owns it.
func (p *Provider) createManual(ctx context.Context, app *store.Application, wrong FieldErrors) error {
	app.Reviewed = app.OwnerID == ""
	if wrong = append(p.offer.checkApplication(*app), wrong...); len(wrong) > 0 {
		return wrong
	}
	if err := p.records.createApplication(ctx, *app); err != nil {
		return fmt.Errorf("provider: create application: %w", err)
	}
	p.emit(ctx, Event{Kind: EventApplicationCreated, ApplicationID: app.ID})
	return nil
}

// FindApplication finds an application by its ID. The error wraps
// [store.ErrNotFound] if there is none.
func (p *Provider) FindApplication(ctx context.Context, id string) (Application, error) {
	return shownOr(p.records.findApplication(ctx, id))
}

// FindClient finds an application by its ClientID. The error wraps
// [store.ErrNotFound] if there is none.
func (p *Provider) FindClient(ctx context.Context, clientID string) (Application, error) {
	return shownOr(p.records.findClient(ctx, clientID))
}

// ListApplications returns one page of the applications that match q, and the
// number of all that match.
func (p *Provider) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]Application, int, error) {
	page, total, err := p.records.listApplications(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	shown := make([]Application, 0, len(page))
	for _, app := range page {
		shown = append(shown, asApplication(app))
	}
	return shown, total, nil
}

// Offer is what a provider offers to applications, as its Config has it.
type Offer struct {
	// Scopes are those that applications may ask for, by origin. An origin that is
	// missing is not let in: store.OriginRegistration needs Config.Registration, and
	// store.OriginDocument needs Config.ClientIDDocuments.
	Scopes map[store.Origin]scopes.Set

	// MachineScopes are those that the host's own applications may be given to ask
	// for by themselves, without a user. It is empty without Config.Machines.
	MachineScopes scopes.Set

	// Each of these says whether the field of Config with the same name is set.
	Keys, OpenID, Workspaces bool
}

// Offers returns what the provider offers, for a host's own forms. The caller may
// change it.
func (p *Provider) Offers() Offer {
	o := Offer{
		Scopes:        map[store.Origin]scopes.Set{store.OriginManual: slices.Clone(p.offer.scopes)},
		MachineScopes: slices.Clone(p.offer.machines),
		Keys:          p.offer.keys != nil, OpenID: p.cfg.OpenID != nil, Workspaces: p.offer.workspaces != nil,
	}
	for origin, asked := range p.offer.strangers {
		o.Scopes[origin] = slices.Clone(asked)
	}
	return o
}

// UpdateApplication changes the settings of an application. It calls edit with
// the settings as they are, checks the result, and keeps it unless somebody else
// changed the application meanwhile; then it starts over, so that no change is
// lost. An error of edit ends it, with nothing changed; so does a
// [FieldErrors], which says what is wrong with the result.
//
// A page that shows an application and saves it later gives the Version that it
// has shown as ifVersion. If the application has another by then, nothing is
// changed, and the error wraps [store.ErrConflict].
//
// When Public changes, everything that was issued to the application is
// revoked: a confidential one that becomes public loses its secrets, and a
// public one that becomes confidential needs one from [Provider.AddSecret], or
// Keys. One that gets Keys loses its secrets, one that loses them needs a secret,
// and its users stay signed in.
//
// An application that is not the host's own always needs PKCE and the consent
// page, whatever edit sets.
//
// Taking a scope away keeps it from being granted again; what was granted before
// stays so until it is revoked. The Scopes of an application that is not the
// host's own are only what it gets when it asks for none.
func (p *Provider) UpdateApplication(ctx context.Context, id string, edit func(*ApplicationSettings) error, ifVersion ...int64) (Application, error) {
	app, err := p.change(ctx, id, func(app *store.Application) error {
		if err := checkVersion(app, ifVersion); err != nil {
			return err
		}
		s := settingsOf(*app)
		if err := edit(&s); err != nil {
			return err
		}
		s.apply(app, p.offer.scopes)
		return nil
	}, p.offer.checkApplication)
	return p.changed(ctx, EventApplicationUpdated, app, err)
}

// changed is what a change of an application returns, and emits the event if it
// has happened.
func (p *Provider) changed(ctx context.Context, kind EventKind, app store.Application, err error) (Application, error) {
	if err == nil {
		p.emit(ctx, Event{Kind: kind, ApplicationID: app.ID})
	}
	return shownOr(app, err)
}

// change is UpdateApplication with an edit that may change the secrets and the
// registration too, and with a check of what is about to be kept.
func (p *Provider) change(ctx context.Context, id string, edit func(*store.Application) error, check func(store.Application) FieldErrors) (store.Application, error) {
	var turned bool
	app, err := p.records.updateApplication(ctx, id, func(app *store.Application) error {
		before := app.Clone()
		if err := edit(app); err != nil {
			return err
		}
		turned = app.Public != before.Public
		app.Reviewed = stillReviewed(&before, app)
		app.PKCERequired = app.PKCERequired || app.Public
		if app.Origin != store.OriginManual {
			app.PKCERequired, app.SkipConsent = true, false
		}
		if wrong := check(*app); len(wrong) > 0 {
			return wrong
		}
		if turned {
			// Before the switch is kept: if this fails, the caller's next try
			// still finds it to be made, and revokes then.
			return p.RevokeGrants(ctx, GrantFilter{ApplicationID: id})
		}
		return nil
	})
	if err == nil && turned {
		// Again, for what was issued in between.
		err = p.RevokeGrants(ctx, GrantFilter{ApplicationID: id})
	}
	return app, err
}

// ReviewApplication says whether the host vouches for an application. It does
// from the start for one that it created itself, by a function, the Backend API,
// or [Provider.EnsureApplication], and that has no OwnerID. For one that has an
// owner, that registered itself, or that is known by a document, an
// administrator has to look at it first: at its name, its home page, and the
// addresses that it sends people to.
//
// While it is not reviewed, its pages carry a warning and no logo, its redirect
// URIs may have only schemes that no other program listens to, it can't have the
// host's name, and nobody is sent to it, with a code or an error, before they
// have decided on its page once (RFC 9700 section 4.11.2). Whether it is asked
// for each sign-in doesn't depend on this.
//
// A review ends when the name, logo, home page, redirect URIs, or owner change,
// unless the application has no owner and was created by the host. Give the
// Version that the administrator has seen as ifVersion: if the application has
// another by now, nothing is changed, and the error wraps [store.ErrConflict].
func (p *Provider) ReviewApplication(ctx context.Context, id string, reviewed bool, ifVersion ...int64) (Application, error) {
	app, err := p.records.updateApplication(ctx, id, func(app *store.Application) error {
		app.Reviewed = reviewed
		return checkVersion(app, ifVersion)
	})
	if reviewed {
		return p.changed(ctx, EventApplicationReviewed, app, err)
	}
	return p.changed(ctx, EventApplicationUnreviewed, app, err)
}

// DisableApplication refuses everything to an application from now on, or lets
// it in again. Disabling ends what was issued to it at once: its tokens stop
// working everywhere, its users are signed out of it, and what they had agreed
// to is forgotten. Nobody can sign in to it, it gets no tokens, and it can't
// manage its registration; its users and developers are told that it is
// disabled. Its settings, secrets, and registration stay, and [Provider.Cleanup]
// doesn't delete it.
//
// Once it is let in again, its users sign in and agree anew. Give the Version
// that the administrator has seen as ifVersion: if the application has another by
// now, nothing is changed, and the error wraps [store.ErrConflict]. After any
// other error it may be called again until it succeeds.
func (p *Provider) DisableApplication(ctx context.Context, id string, disabled bool, ifVersion ...int64) (Application, error) {
	kind := EventApplicationEnabled
	if disabled {
		kind = EventApplicationDisabled
	}
	cuts := disabled
	app, err := p.records.updateApplication(ctx, id, func(app *store.Application) error {
		if err := checkVersion(app, ifVersion); err != nil {
			return err
		}
		cuts = disabled || app.Disabled
		app.Disabled = disabled
		if cuts {
			// Before the switch is kept: if this fails, nothing looks done.
			return p.records.cutOff(ctx, store.CutKey{ApplicationID: id}, store.CutNumber)
		}
		return nil
	})
	if err == nil && cuts {
		// Again, for what was issued in between. A sign-in that has read the
		// application before gets a code at most, which buys nothing: whoever
		// redeems it is refused, and letting the application in cuts it off.
		err = p.RevokeGrants(ctx, GrantFilter{ApplicationID: id})
	}
	return p.changed(ctx, kind, app, err)
}

// checkVersion refuses to change an application that is another than was seen.
func checkVersion(app *store.Application, ifVersion []int64) error {
	for _, version := range ifVersion {
		if app.Version != version {
			return fmt.Errorf("provider: update application: it has version %d, not %d: %w", app.Version, version, store.ErrConflict)
		}
	}
	return nil
}

// AddSecret gives an application a new secret, which is returned this once.
// Its other secrets stop working at retireOthersAt, unless they end sooner
// anyway: give a time to come, and both the old and the new secret work until
// then, so that it can be rotated without an interruption. The zero time, or
// one that is past, retires them at once. A public application has no secret,
// nor has one with keys.
func (p *Provider) AddSecret(ctx context.Context, id string, retireOthersAt time.Time) (Secret, error) {
	now := p.now()
	secret, kept := newSecret(now)
	_, err := p.records.updateApplication(ctx, id, func(app *store.Application) error {
		if app.Public {
			return errors.New("provider: add secret: a public application has no secret: it uses PKCE")
		}
		if !app.Keys.IsZero() {
			return errors.New("provider: add secret: the application authenticates by a key: take its Keys away first")
		}
		live := []store.ClientSecret{kept}
		for _, s := range app.Secrets {
			if s.ExpiresAt.IsZero() || s.ExpiresAt.After(retireOthersAt) {
				s.ExpiresAt = retireOthersAt.UTC().Truncate(time.Microsecond)
			}
			if s.ExpiresAt.After(now) {
				live = append(live, s)
			}
		}
		if len(live) > maxSecrets {
			return fmt.Errorf("provider: add secret: %d secrets work already: wait for one to end, or retire them at once", len(live)-1)
		}
		app.Secrets = live
		return nil
	})
	if err != nil {
		return Secret{}, err
	}
	p.emit(ctx, Event{Kind: EventApplicationSecretAdded, ApplicationID: id})
	return secret, nil
}

// DeleteApplication deletes an application and revokes everything that was
// issued to it: two writes, however much that is. When it returns nil, no token
// of the application works. It may be called again until it succeeds: deleting
// what is gone is not an error.
func (p *Provider) DeleteApplication(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if err := p.records.deleteApplication(ctx, id); err != nil {
		return fmt.Errorf("provider: delete application: %w", err)
	}
	p.failures.forget(id)
	p.emit(ctx, Event{Kind: EventGrantRevoked, ApplicationID: id})
	p.emit(ctx, Event{Kind: EventApplicationDeleted, ApplicationID: id})
	return nil
}

// Failures returns for what causes requests of an application were refused
// lately, for its developers: those of requests that proved to be the
// application's first, then most recent first. Equal causes are counted
// together.
//
// They are in the memory of this instance, since it started: with several
// instances each knows its own. They are bounded: 20 causes of each kind for an
// application, and 10,000 causes of 2,000 applications in all. The oldest make
// room; requests that anyone can send never push out those that proved to be
// the application's.
func (p *Provider) Failures(applicationID string) []Failure { return p.failures.of(applicationID) }
