package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/store"
)

const (
	// secretOverlap is how long older secrets keep working after
	// [Provider.EnsureApplication] has added a new one.
	secretOverlap = 24 * time.Hour

	// EnsureApplication applies the same settings at most maxApplied times
	// within applyWindow, so two versions of a host that keep restarting stop
	// overwriting each other.
	applyWindow = time.Hour
	maxApplied  = 3
)

var errNothingDiffers = errors.New("provider: nothing differs")

// EnsureApplication creates or updates an application that the host owns, so
// that it has the given client ID and settings. Call it at startup, from any
// number of instances: one creates the application, and the others find it. If
// nothing differs, it writes nothing. You choose the client ID, such as "wiki";
// it never changes.
//
// For a confidential application, pass its secret from your configuration. The
// secret must be random, with at least 32 characters and 128 bits, because
// Latchkey stores only a fast hash of it: use "openssl rand -hex 32". For a
// public application and one with Keys, pass the zero Secret. When you change
// the secret, older ones work for another 24 hours, so instances of two
// versions can run at the same time. An instance that starts with an older
// secret that still works keeps it working and ends no newer one.
//
// The last settings win, so a rollback restores the settings of the earlier
// version. If two versions keep restarting in turn, each can apply its settings
// at most three times an hour. After that, EnsureApplication changes nothing,
// logs a warning, and returns the application as it is.
//
// If the settings are invalid, the error is a [FieldErrors] with every problem.
// It returns an error if the client ID belongs to an application that
// registered itself or is known by its document.
func (p *Provider) EnsureApplication(ctx context.Context, clientID string, s ApplicationSettings, secret Secret) (Application, error) {
	wrong := checkOwnSecret(s, secret)
	e := ensured{p: p, settings: s, digest: digestOf(s, secret)}
	if !secret.IsZero() && len(wrong) == 0 {
		e.secret = store.HashSecret(secret.Reveal())
	}
	for range maxRounds {
		kept, err := p.records.findClient(ctx, clientID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			kept, err = e.create(ctx, clientID, wrong)
			if errors.Is(err, store.ErrExists) {
				continue // Another instance was faster.
			}
		case err != nil:
		case len(wrong) > 0:
			err = wrong
		default:
			kept, err = e.update(ctx, kept)
			if errors.Is(err, store.ErrNotFound) {
				continue // It was deleted meanwhile.
			}
		}
		return shownOr(kept, err)
	}
	return Application{}, fmt.Errorf("provider: ensure application: %w", errContended)
}

// ensured holds the settings and the secret that EnsureApplication must reach.
type ensured struct {
	p        *Provider
	settings ApplicationSettings
	secret   store.SecretHash // zero if the application has none
	digest   string
}

// digestOf identifies settings together with their secret.
func digestOf(s ApplicationSettings, secret Secret) string {
	text, _ := json.Marshal(s) // It has only texts and flags, so it can't fail.
	sum := sha256.Sum256(append(text, secret.Reveal()...))
	return hex.EncodeToString(sum[:16])
}

func (e ensured) create(ctx context.Context, clientID string, wrong FieldErrors) (store.Application, error) {
	app := e.p.newManual(clientID)
	e.settings.apply(&app, e.p.offer.scopes)
	_, _ = e.addSecret(&app) // A new application has room for one.
	e.note(&app)
	err := e.p.createManual(ctx, &app, wrong)
	return app, err
}

// update brings the stored application up to date. It writes only if something
// differs.
func (e ensured) update(ctx context.Context, kept store.Application) (store.Application, error) {
	if err := e.apply(&kept); err != nil {
		return kept, ignoreSame(err)
	}
	var found store.Application
	app, err := e.p.change(ctx, kept.ID, func(app *store.Application) error {
		err := e.apply(app)
		found = app.Clone()
		return err
	}, e.p.offer.checkApplication)
	if errors.Is(err, errNothingDiffers) {
		return found, nil
	}
	if err == nil {
		e.p.emit(ctx, Event{Kind: EventApplicationUpdated, ApplicationID: app.ID})
	}
	return app, err
}

func ignoreSame(err error) error {
	if errors.Is(err, errNothingDiffers) {
		return nil
	}
	return err
}

// apply turns app into what is wanted. The error is errNothingDiffers if app
// already is that, or if it stays as it is.
func (e ensured) apply(app *store.Application) error {
	if app.Origin != store.OriginManual {
		return fmt.Errorf("provider: ensure application: the application %s is not the host's own: its origin is %q", app.ID, app.Origin)
	}
	wanted := app.Clone()
	e.settings.apply(&wanted, e.p.offer.scopes)
	changed, err := e.addSecret(&wanted)
	if err != nil {
		return err
	}
	if !changed && settingsOf(*app).same(settingsOf(wanted)) {
		return errNothingDiffers
	}
	if e.resting(*app) {
		e.p.cfg.Logger.Warn("latchkey: EnsureApplication changed nothing: other settings for the same client_id were applied too often; "+
			"do instances of two versions keep restarting in turn?", "application", app.ID)
		return errNothingDiffers
	}
	e.note(&wanted)
	*app = wanted
	return nil
}

// addSecret makes sure that the application has the wanted secret, possibly
// next to newer ones. It reports whether it changed anything.
func (e ensured) addSecret(app *store.Application) (changed bool, err error) {
	if !needsSecret(app) {
		return false, nil
	}
	now := e.p.now()
	var live []store.ClientSecret
	at := -1 // the index of the wanted secret
	for _, s := range app.Secrets {
		if !s.ExpiresAt.IsZero() && !s.ExpiresAt.After(now) {
			continue
		}
		if s.Hash.Reveal() == e.secret.Reveal() {
			at = len(live)
		}
		live = append(live, s)
	}
	if at < 0 {
		at, changed = 0, true
		live = append([]store.ClientSecret{{ID: uuid.NewString(), Hash: e.secret, CreatedAt: now}}, live...)
	}
	if !live[at].ExpiresAt.IsZero() {
		live[at].ExpiresAt, changed = time.Time{}, true
	}
	end := store.Micro(now.Add(secretOverlap))
	for i := at + 1; i < len(live); i++ {
		if live[i].ExpiresAt.IsZero() || live[i].ExpiresAt.After(end) {
			live[i].ExpiresAt, changed = end, true
		}
	}
	if len(live) > maxSecrets {
		return false, fmt.Errorf("provider: ensure application: %d secrets work already: give every instance the same secret", len(live)-1)
	}
	if changed {
		app.Secrets = live
	}
	return changed, nil
}

// resting reports whether the wanted settings were applied too often lately.
func (e ensured) resting(app store.Application) bool {
	times := 0
	for _, applied := range e.lately(app) {
		if applied.Digest == e.digest {
			times++
		}
	}
	return times >= maxApplied
}

// note records that the wanted settings are applied now.
func (e ensured) note(app *store.Application) {
	const most = 16
	lately := e.lately(*app)
	app.Applied = append([]store.AppliedSettings{{Digest: e.digest, At: e.p.now()}}, lately[:min(len(lately), most-1)]...)
}

func (e ensured) lately(app store.Application) (lately []store.AppliedSettings) {
	since := e.p.now().Add(-applyWindow)
	for _, applied := range app.Applied {
		if applied.At.After(since) {
			lately = append(lately, applied)
		}
	}
	return lately
}
