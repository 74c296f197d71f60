package provider

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/store"
)

// NewApplication says what application to create. Only Name is required.
type NewApplication struct {
	// Name is shown on the consent page. At most 256 characters.
	Name string

	// RedirectURIs are where codes may be sent, compared byte for byte. They
	// are https; http on a loopback address; or, for a public application, a
	// scheme of its own. Without any, the application cannot be authorized
	// until one is added.
	RedirectURIs []string

	// Scopes are what it may ask for, and what it gets when it asks for
	// nothing, separated by spaces. Empty: "profile email".
	Scopes string

	// Public is for applications that cannot keep a secret: native,
	// single-page, command line. It gets none and must use PKCE.
	Public bool

	// PKCERequired demands PKCE of a confidential application too.
	PKCERequired bool

	// SkipConsent is for the host's own applications: nobody is asked, as
	// long as the redirect URI is https.
	SkipConsent bool

	OwnerID   string            // the host's user who manages it; empty: nobody
	ClientURI string            // its home page, https; may be empty
	LogoURL   string            // shown on the pages: https, or below Config.Issuer; may be empty
	Metadata  map[string]string // the host's own notes

	// ClientID and SecretHash are for an application that is imported from
	// another provider together with its credentials. SecretHash is the
	// bcrypt hash of its secret, with a cost of at most 12, or the text of a
	// [store.SecretHash] that this library made. A ClientID alone gives a public
	// application an id that people can type. Both empty: new ones are made.
	ClientID   string
	SecretHash string
}

const defaultScopes = "profile email"

// CreateApplication registers an application. The secret is returned this once
// and kept as a hash only; it is zero for a public application and for one
// whose secret is imported. The error is a [FieldErrors] with everything that
// is wrong with n, or wraps [store.ErrExists] if an imported ClientID is taken.
func (p *Provider) CreateApplication(ctx context.Context, n NewApplication) (store.Application, Secret, error) {
	now := p.now()
	app := store.Application{
		ID:           newApplicationID(now),
		ClientID:     n.ClientID,
		Name:         n.Name,
		RedirectURIs: n.RedirectURIs,
		Public:       n.Public,
		PKCERequired: n.PKCERequired || n.Public,
		SkipConsent:  n.SkipConsent,
		Origin:       store.OriginManual,
		OwnerID:      n.OwnerID,
		ClientURI:    n.ClientURI,
		LogoURL:      n.LogoURL,
		Metadata:     n.Metadata,
		CreatedAt:    now,
		UpdatedAt:    now,
		Version:      1,
	}
	if app.ClientID == "" {
		app.ClientID = randomText(16)
	}
	if n.Scopes == "" {
		n.Scopes = defaultScopes
	}
	asked, refusal := parseAskedScopes(n.Scopes)
	app.Scopes = asked
	wrong := p.checkApplication(app)
	if refusal != nil {
		wrong.add("scopes", faultFormat, n.Scopes, "scopes: %s", refusal.Err)
	}
	var secret Secret
	switch {
	case n.SecretHash != "":
		kept, err := importedSecret(n, now)
		if err != nil {
			wrong.add("secret_hash", faultFormat, "", "SecretHash: %s", err)
		}
		app.Secrets = []store.ClientSecret{kept}
	case !n.Public:
		var kept store.ClientSecret
		secret, kept = newSecret(now)
		app.Secrets = []store.ClientSecret{kept}
	}
	if len(wrong) > 0 {
		return store.Application{}, Secret{}, wrong
	}
	ctx, until := p.writing(ctx)
	defer until.stop()
	if err := p.cfg.Store.CreateApplication(ctx, app); err != nil {
		return store.Application{}, Secret{}, fmt.Errorf("provider: create application: %w", err)
	}
	return app.Clone(), secret, nil
}

// FindApplication finds an application by its ID. The error wraps
// [store.ErrNotFound] if there is none.
func (p *Provider) FindApplication(ctx context.Context, id string) (store.Application, error) {
	ctx, until := p.reading(ctx)
	defer until.stop()
	return found(p.cfg.Store.FindApplication(ctx, id))
}

// FindClient finds an application by its ClientID. The error wraps
// [store.ErrNotFound] if there is none.
func (p *Provider) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	if !isClientID(clientID) && checkDocumentURL(clientID) != nil {
		return found(store.Application{}, store.ErrNotFound) // whatever text came in, the store need not see it
	}
	ctx, until := p.reading(ctx)
	defer until.stop()
	return found(p.cfg.Store.FindClient(ctx, clientID))
}

func found(app store.Application, err error) (store.Application, error) {
	if err != nil {
		return store.Application{}, fmt.Errorf("provider: find application: %w", err)
	}
	return app, nil
}

// ListApplications returns one page of the applications that match q, and the
// number of all that match.
func (p *Provider) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	ctx, until := p.reading(ctx)
	defer until.stop()
	page, total, err := p.cfg.Store.ListApplications(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("provider: list applications: %w", err)
	}
	return page, total, nil
}

// UpdateApplication changes an application. It calls edit with the application
// as it is, checks the result, and keeps it unless somebody else changed the
// application meanwhile; then it starts over, so that no change is lost. A page
// that shows an application and saves it later compares the Version that it has
// shown with the one that edit gets, and returns an error if it is another. An
// error of edit ends it, with nothing changed; so does a [FieldErrors], which
// says what is wrong with the result.
//
// ID, ClientID, Origin, Registration, Secrets and the times are not edit's to
// change, and an application that the host did not make is never without PKCE
// and the consent page. When Public changes, everything that was issued to the
// application is revoked: a confidential one that becomes public loses its
// secrets, and a public one that becomes confidential needs one from
// [Provider.AddSecret]. Taking a scope away keeps it from being granted again,
// but to an application that the host did not make, whose scopes are only what
// it gets when it asks for none; what was granted before stays so until it is
// revoked.
func (p *Provider) UpdateApplication(ctx context.Context, id string, edit func(*store.Application) error) (store.Application, error) {
	return p.change(ctx, id, func(app *store.Application) error {
		before := app.Clone()
		if err := edit(app); err != nil {
			return err
		}
		app.Registration, app.Secrets = before.Registration, before.Secrets
		if app.Public != before.Public {
			app.Secrets = nil
		}
		return nil
	})
}

// change is UpdateApplication with an edit that may change the secrets and the
// registration too.
func (p *Provider) change(ctx context.Context, id string, edit func(*store.Application) error) (store.Application, error) {
	var turned bool
	app, err := p.update(ctx, id, func(app *store.Application) error {
		before := app.Clone()
		if err := edit(app); err != nil {
			return err
		}
		app.ID, app.ClientID, app.Origin = before.ID, before.ClientID, before.Origin
		app.CreatedAt, app.Version = before.CreatedAt, before.Version
		turned = app.Public != before.Public
		app.PKCERequired = app.PKCERequired || app.Public
		if app.Origin != store.OriginManual {
			app.PKCERequired, app.SkipConsent = true, false
		}
		if wrong := p.checkApplication(*app); len(wrong) > 0 {
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

// maxSecrets bounds how many secrets of an application work at once.
const maxSecrets = 10

// AddSecret gives an application a new secret, which is returned this once.
// Its other secrets stop working at retireOthersAt, unless they end sooner
// anyway: give a time to come, and both the old and the new secret work until
// then, so that it can be rotated without an interruption. The zero time, or
// one that is past, retires them at once. A public application has no secret.
func (p *Provider) AddSecret(ctx context.Context, id string, retireOthersAt time.Time) (Secret, error) {
	now := p.now()
	secret, kept := newSecret(now)
	_, err := p.update(ctx, id, func(app *store.Application) error {
		if app.Public {
			return errors.New("provider: add secret: a public application has no secret: it uses PKCE")
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
	if err := p.deleteApplication(ctx, id); err != nil {
		return fmt.Errorf("provider: delete application: %w", err)
	}
	p.emit(ctx, Event{Kind: EventGrantRevoked, ApplicationID: id})
	return nil
}

func (p *Provider) deleteApplication(ctx context.Context, id string) error {
	wctx, until := p.writing(ctx)
	defer until.stop()
	// The record goes first. A sign-in that has read it before that reads the
	// numbers of the cut-offs either before this cut-off, which then covers its
	// grant, or afterwards, and then finds that the application is gone for
	// good. The application of a document may come back under the same ID, so it
	// is cut off like any other, and a sign-in to it makes sure of the record
	// after it has read the numbers.
	err := p.cfg.Store.DeleteApplication(wctx, id)
	if err == nil {
		number := store.CutForever
		if isDocumentApplication(id) {
			number = store.CutNumber
		}
		err = p.cutOff(ctx, store.CutKey{ApplicationID: id}, number)
	}
	return err
}

// update reads, edits and keeps an application until nobody has interfered.
func (p *Provider) update(ctx context.Context, id string, edit func(*store.Application) error) (store.Application, error) {
	ctx, until := p.writing(ctx)
	defer until.stop()
	for {
		app, err := p.cfg.Store.FindApplication(ctx, id)
		if err != nil {
			return store.Application{}, fmt.Errorf("provider: update application: %w", err)
		}
		if err := edit(&app); err != nil {
			return store.Application{}, err
		}
		app.UpdatedAt = p.now()
		err = p.cfg.Store.UpdateApplication(ctx, app)
		if err == nil {
			app.Version++
			return app, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return store.Application{}, fmt.Errorf("provider: update application: %w", err)
		}
	}
}

// newSecret makes a client secret of 256 random bits, in letters and digits
// only: clients disagree on how the Basic header is encoded, and those are the
// same in every reading.
func newSecret(now time.Time) (Secret, store.ClientSecret) {
	text := randomText(43)
	return NewSecret(text), store.ClientSecret{ID: uuid.NewString(), Hash: store.HashSecret(text), CreatedAt: now}
}

// newApplicationID makes an id in Clerk's form: "oa_" and a KSUID, which is a
// time and 128 random bits in 27 base62 digits, so that ids sort by time.
func newApplicationID(now time.Time) string {
	const epoch = 1_400_000_000 // KSUID's, in Unix seconds
	var raw [20]byte
	binary.BigEndian.PutUint32(raw[:4], uint32(now.Unix()-epoch)) // wraps around in 2150
	rand.Read(raw[4:])                                            // Never fails: it would end the program.
	digits := make([]byte, 27)
	n, base, digit := new(big.Int).SetBytes(raw[:]), big.NewInt(62), new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		digits[i] = base62[digit.Int64()]
	}
	return "oa_" + string(digits)
}

// isClientID reports whether an imported client id can be used in a header, a
// form and a log.
func isClientID(id string) bool {
	return id != "" && len(id) <= maxClientID && strings.Trim(id, base62+"-._~:/@") == ""
}
