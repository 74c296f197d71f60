package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/store"
)

const (
	maxName         = 256  // characters of an application's name, as Clerk has it
	maxScopes       = 1024 // bytes of its scopes, as Clerk has it
	maxRedirectURIs = 100
	maxClientID     = 256      // characters of an imported client id
	maxMetadata     = 16 << 10 // bytes of all its keys and values
)

// fault is a way in which a field of an application can be wrong.
type fault uint8

const (
	faultMissing fault = iota
	faultTooLong
	faultTooMany
	faultTwice
	faultFormat // not of the form that the field has
	faultValue  // of the form, but not one that is allowed
)

// FieldError says what is wrong with one field of an application.
type FieldError struct {
	// Field is the field's name as the Backend API has it: "name",
	// "redirect_uris", "scopes", "client_uri", "client_image_url", "client_id",
	// "secret_hash", "public", "owner_id" or "metadata"; or, of an application
	// that registered itself, as RFC 7591 has it: "tos_uri", "policy_uri",
	// "contacts", "software_id" or "software_version".
	Field string

	// Message says in English what is wrong, and can be shown beside the field.
	Message string

	fault fault
	value string // what is wrong, where it is one of several
}

// FieldErrors are everything that is wrong with an application that was to be
// kept. Nothing of it was. A form finds them with errors.As, to show each beside
// its field; any other error is a fault of the store.
type FieldErrors []FieldError

// Error has a line for each of them.
func (e FieldErrors) Error() string {
	lines := make([]string, 0, len(e))
	for _, f := range e {
		lines = append(lines, "provider: application: "+f.Message)
	}
	return strings.Join(lines, "\n")
}

func (e *FieldErrors) add(field string, f fault, value, format string, args ...any) {
	*e = append(*e, FieldError{field, fmt.Sprintf(format, args...), f, value})
}

// isMisleading reports whether r has no place in a name: it is a control
// character, or turns the direction of what stands beside it.
func isMisleading(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// checkApplication returns everything that is wrong with an application that
// is about to be kept.
func (p *Provider) checkApplication(app store.Application) FieldErrors {
	var e FieldErrors
	switch {
	case app.Name == "":
		e.add("name", faultMissing, "", "name is missing")
	case !utf8.ValidString(app.Name) || strings.ContainsFunc(app.Name, isMisleading):
		e.add("name", faultFormat, app.Name, "name has invalid UTF-8, control characters or characters that change the direction of text")
	case !strings.ContainsFunc(app.Name, isVisible):
		e.add("name", faultFormat, app.Name, "name has nothing that can be seen")
	case utf8.RuneCountInString(app.Name) > maxName:
		e.add("name", faultTooLong, "", "name is longer than %d characters", maxName)
	}
	if !isClientID(app.ClientID) && (app.Origin != store.OriginDocument || checkDocumentURL(app.ClientID) != nil) {
		e.add("client_id", faultFormat, app.ClientID, "client id %q has characters besides letters, digits and -._~:/@, or more than %d of them", app.ClientID, maxClientID)
	}
	e = append(e, checkRedirectURIs(app.RedirectURIs, app.Public)...)
	// A host that offers more than that can give an application all of it.
	if longest := max(maxScopes, len(p.scopes.String())); len(app.Scopes.String()) > longest {
		e.add("scopes", faultTooLong, "", "scopes are longer than %d characters", longest)
	} else {
		for _, name := range app.Scopes.Minus(p.scopes) {
			e.add("scopes", faultValue, name, "scope %q is not one that this provider offers: it offers %s", name, p.scopes)
		}
	}
	if app.Public && len(app.Secrets) > 0 {
		e.add("public", faultValue, "", "a public application has no secret")
	}
	for _, u := range []struct{ field, uri string }{{"client_uri", app.ClientURI}, {"client_image_url", app.LogoURL}} {
		if u.uri != "" && (!isWebURL(u.uri, p.cfg.Issuer) || len(u.uri) > maxURI) {
			e.add(u.field, faultFormat, u.uri, "%s %q is not an https URL of at most %d characters", u.field, u.uri, maxURI)
		}
	}
	e = append(e, checkRegistration(app.Registration)...)
	if !cleanText(app.OwnerID) || len(app.OwnerID) > maxName {
		e.add("owner_id", faultFormat, "", "owner id has invalid UTF-8, a NUL character or more than %d bytes", maxName)
	}
	size := 0
	for key, value := range app.Metadata {
		size += len(key) + len(value)
		if !cleanText(key) || !cleanText(value) {
			e.add("metadata", faultFormat, key, "metadata %q has invalid UTF-8 or a NUL character", key)
		}
	}
	if size > maxMetadata {
		e.add("metadata", faultTooLong, "", "metadata has %d bytes: use at most %d", size, maxMetadata)
	}
	return e
}

func checkRedirectURIs(uris []string, public bool) (e FieldErrors) {
	const field = "redirect_uris"
	if len(uris) > maxRedirectURIs {
		// One look at their number is all that so many are worth.
		e.add(field, faultTooMany, "", "%d redirect URIs are too many: use at most %d", len(uris), maxRedirectURIs)
		return e
	}
	for i, uri := range uris {
		if err := checkRedirectURI(uri, public); len(uri) > maxURI {
			e.add(field, faultTooLong, "", "%s", err)
		} else if err != nil {
			e.add(field, faultFormat, uri, "%s", err)
		}
		if slices.Contains(uris[:i], uri) {
			e.add(field, faultTwice, uri, "redirect URI %q is there twice", uri)
		}
	}
	return e
}

// importedSecret checks the hash of an imported secret.
func importedSecret(n NewApplication, now time.Time) (store.ClientSecret, error) {
	if n.Public {
		return store.ClientSecret{}, errors.New("a public application has no secret: leave it out")
	}
	if n.ClientID == "" {
		return store.ClientSecret{}, errors.New("it needs the ClientID that it belongs to")
	}
	hash, err := store.ParseSecretHash(n.SecretHash)
	if err != nil {
		return store.ClientSecret{}, err
	}
	if _, generated := hash.SHA256(); !generated {
		cost, err := bcrypt.Cost([]byte(n.SecretHash))
		if err != nil {
			return store.ClientSecret{}, err
		}
		if cost > maxBcryptCost {
			return store.ClientSecret{}, fmt.Errorf("it has a bcrypt cost of %d: at most %d can be checked at each request; issue a new secret instead", cost, maxBcryptCost)
		}
	}
	return store.ClientSecret{ID: "imported", Hash: hash, CreatedAt: now}, nil
}
