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

// CreateApplication registers an application and generates its client ID. It
// returns the secret, which can't be shown again, because Latchkey stores only
// a hash. A public application and one with Keys get a zero Secret. If the
// settings are invalid, the error is a [FieldErrors] with every problem.
//
// Each call creates another application. To register an application at startup,
// call [Provider.EnsureApplication].
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
// at another provider, so that it keeps working unchanged. You can also use it
// to give a public application a client ID that people can type.
//
// The client ID has at most 256 letters, digits, and characters of -._~:/@. The
// hash is the bcrypt hash of the secret with a cost of at most 12, parsed with
// [store.ParseSecretHash]. Leave it zero for a public application. A
// confidential one without it has no secret until you call
// [Provider.AddSecret].
//
// The error is a [FieldErrors] with every problem, or wraps [store.ErrExists]
// if the client ID is taken.
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

// newManual returns a new application that the host owns, without settings.
func (p *Provider) newManual(clientID string) store.Application {
	now := p.now()
	return store.Application{
		ID: newApplicationID(now), ClientID: clientID, Origin: store.OriginManual, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
}

// createManual saves a new application, unless it is invalid or the caller has
// found problems. It counts as reviewed if no user owns it.
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
// total number that match.
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

// Offer describes what a provider offers to applications.
type Offer struct {
	// Scopes lists the scopes that applications may ask for, by their origin. If
	// an origin is missing, such applications are not allowed:
	// store.OriginRegistration needs Config.Registration, and
	// store.OriginDocument needs Config.ClientIDDocuments.
	Scopes map[store.Origin]scopes.Set

	// MachineScopes lists the scopes that an application's MachineScopes can
	// have. It is empty without Config.Machines.
	MachineScopes scopes.Set

	// Keys, OpenID, and Workspaces report whether that field of Config is set.
	Keys, OpenID, Workspaces bool
}

// Offers returns what the provider offers to applications, for a form that
// edits them. You may modify the result.
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
// the current settings, validates the result, and saves it. If someone else
// changed the application meanwhile, it starts over with the new settings, so
// no change is lost. If edit returns an error, nothing changes. If the result
// is invalid, nothing changes, and the error is a [FieldErrors].
//
// To save a form that was shown earlier, pass the Version that it showed as
// ifVersion. If the application has changed since, nothing is saved, and the
// error wraps [store.ErrConflict].
//
// Some settings have more effects:
//
//   - Changing Public revokes everything that was issued to the application.
//     When it becomes public, it loses its secrets. When it becomes
//     confidential, it needs Keys, or a secret from [Provider.AddSecret].
//   - Adding Keys deletes its secrets; removing Keys leaves it without
//     credentials until you add a secret. Its users stay signed in.
//   - Removing a scope stops new grants of it. Existing grants keep it until
//     they are revoked.
//   - If the application was not created by the host, it always needs PKCE and
//     the consent page, even if edit changes that. Its Scopes are only what it gets
//     when it asks for none.
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

// changed returns the result of a change of an application, and emits the event
// if the change succeeded.
func (p *Provider) changed(ctx context.Context, kind EventKind, app store.Application, err error) (Application, error) {
	if err == nil {
		p.emit(ctx, Event{Kind: kind, ApplicationID: app.ID})
	}
	return shownOr(app, err)
}

// change is UpdateApplication with an edit that may also change the secrets and
// the registration, and with a check of the result.
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
			// Revoke before the change of Public is saved: if this fails, the
			// caller's next try still finds the change to make, and revokes
			// then.
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

// ReviewApplication sets whether the host vouches for an application. An
// application that the host created counts as reviewed, unless it has an
// OwnerID. For one that has an owner, registered itself, or is known by a
// document, an administrator should first check its name, home page, and
// redirect URIs.
//
// Until an application is reviewed:
//
//   - Its pages show a warning and no logo.
//   - Its redirect URIs can't use schemes that other programs may listen to.
//   - It can't have the host's name.
//   - Latchkey redirects a user to it, with a code or an error, only after the
//     user has decided on its page once (RFC 9700 section 4.11.2).
//
// A review alone doesn't skip the consent page; see SkipConsent.
//
// A review ends when the name, logo, home page, redirect URIs, or owner change,
// unless the host created the application and it has no owner. Pass the Version
// that the administrator saw as ifVersion: if the application has changed
// since, nothing is saved, and the error wraps [store.ErrConflict].
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

// DisableApplication disables an application, or enables it again. Disabling it
// takes effect at once: its tokens stop working, its users are signed out of
// it, and their consent is forgotten. Sign-ins, token requests, and changes of
// its registration are refused with a message that says it is disabled. Its
// settings, secrets, and registration stay, and [Provider.Cleanup] doesn't
// delete it.
//
// After it is enabled again, its users must sign in and agree again. Pass the
// Version that the administrator saw as ifVersion: if the application has
// changed since, nothing is saved, and the error wraps [store.ErrConflict].
// After any other error, call it again until it succeeds.
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
			// Cut off before the change is saved: if this fails, nothing looks
			// done.
			return p.records.cutOff(ctx, store.CutKey{ApplicationID: id}, store.CutNumber)
		}
		return nil
	})
	if err == nil && cuts {
		// Again, for what was issued in between. A sign-in that read the
		// application before that gets at most a code, and the code is useless:
		// its client is refused, and enabling the application cuts it off.
		err = p.RevokeGrants(ctx, GrantFilter{ApplicationID: id})
	}
	return p.changed(ctx, kind, app, err)
}

// checkVersion refuses to change an application that isn't the version that the
// caller saw.
func checkVersion(app *store.Application, ifVersion []int64) error {
	for _, version := range ifVersion {
		if app.Version != version {
			return fmt.Errorf("provider: update application: it has version %d, not %d: %w", app.Version, version, store.ErrConflict)
		}
	}
	return nil
}

// AddSecret gives an application a new secret and returns it; it can't be shown
// again. The other secrets stop working at retireOthersAt, unless they expire
// earlier. Pass a time in the future to rotate without downtime: both secrets
// work until then. The zero time, or a past one, retires them at once. It
// returns an error for a public application and for one with Keys.
func (p *Provider) AddSecret(ctx context.Context, id string, retireOthersAt time.Time) (Secret, error) {
	now := p.now()
	secret, kept := newSecret(now)
	_, err := p.records.updateApplication(ctx, id, func(app *store.Application) error {
		if app.Public {
			return errors.New("provider: add secret: a public application has no secret: it uses PKCE")
		}
		if !app.Keys.IsZero() {
			return errors.New("provider: add secret: the application authenticates with a key: remove its Keys first")
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
			return fmt.Errorf("provider: add secret: %d secrets work already: wait until one expires, or retire them at once", len(live)-1)
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
// issued to it, in two writes. When it returns nil, no token of the application
// works. After an error, call it again until it succeeds. Deleting an
// application that doesn't exist is not an error.
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

// Failures returns the causes of an application's recently refused requests, to
// show to its developers. Requests that provably came from the application are
// first; within each kind, the most recent is first. Equal causes are counted
// together.
//
// They are kept in the memory of this instance and are lost when it stops.
// Latchkey keeps 20 causes of each kind for an application, and 10,000 causes
// of 2,000 applications in total. New causes replace the oldest, but requests
// that anyone can send never replace those that provably came from the
// application.
func (p *Provider) Failures(applicationID string) []Failure { return p.failures.of(applicationID) }
