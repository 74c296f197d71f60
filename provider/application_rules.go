package provider

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/provider/internal/displayname"
	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// longestScopes returns how many bytes the scopes of an application may have.
// It is enough for all scopes that the host offers, and for those that Latchkey
// accepts but doesn't grant.
func (o *offer) longestScopes() int {
	return max(maxScopes, len(o.scopes.Union(tolerated).String()))
}

// isMisleading reports whether r is not allowed in a note, because it is a
// control character or changes the direction of the text next to it.
func isMisleading(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// stillReviewed reports whether a review still holds after a change. It does as
// long as people see the same application and are sent to the same places. A
// change to the host's application doesn't end its review.
func stillReviewed(before, after *store.Application) bool {
	own := func(app *store.Application) bool { return app.Origin == store.OriginManual && app.OwnerID == "" }
	return before.Reviewed && (own(before) && own(after) ||
		before.OwnerID == after.OwnerID && before.Name == after.Name && before.LogoURL == after.LogoURL && before.ClientURI == after.ClientURI &&
			before.TermsURI == after.TermsURI && before.PolicyURI == after.PolicyURI &&
			slices.Equal(before.RedirectURIs, after.RedirectURIs) && slices.Equal(before.PostLogoutRedirectURIs, after.PostLogoutRedirectURIs))
}

// checkName checks the name that pages show for an application.
func (o *offer) checkName(app *store.Application) (e FieldErrors) {
	const field = "name"
	switch err := displayname.Check(app.Name); {
	case app.Name == "":
		e.add(field, FieldMissing, "", "name is missing")
	case utf8.RuneCountInString(app.Name) > maxName:
		e.over(field, FieldTooLong, maxName, "name is longer than %d characters", maxName)
	case err != nil:
		e.add(field, FieldFormat, app.Name, "name %s", err)
	case !app.Reviewed && displayname.Same(app.Name, o.hostName):
		e.add(field, FieldValue, app.Name, "name is that of %s itself: choose another", o.hostName)
	}
	return e
}

// checkApplication returns every problem of an application that is about to be
// saved.
func (o *offer) checkApplication(app store.Application) FieldErrors {
	e := o.checkName(&app)
	switch {
	case app.ClientID == "":
		e.add("client_id", FieldMissing, "", "client id is missing")
	case !isClientID(app.ClientID) && (app.Origin != store.OriginDocument || clientdoc.CheckURL(app.ClientID) != nil):
		e.add("client_id", FieldFormat, app.ClientID, "client id %q has characters besides letters, digits and -._~:/@, or more than %d of them", app.ClientID, maxClientID)
	}
	rule := o.redirectRule(&app)
	e = append(e, checkRedirectURIs("redirect_uris", app.RedirectURIs, rule)...)
	e = append(e, checkRedirectURIs("post_logout_redirect_uris", app.PostLogoutRedirectURIs, rule)...)
	e = append(e, o.checkScopes(app.Scopes)...)
	e = append(e, o.checkMachineScopes(&app)...)
	e = append(e, o.checkAuthentication(&app)...)
	e = append(e, checkLifetimes(&app)...)
	switch use := app.Workspace; {
	case !isWorkspaceUse(use):
		e.add("workspace", FieldValue, string(use), "workspace is %q: use %q, %q, or leave it empty", use, store.WorkspaceOptional, store.WorkspaceRequired)
	case use != store.WorkspaceNone && o.workspaces == nil:
		e.add("workspace", FieldValue, string(use), "workspaces are not offered: set Config.Workspaces, or leave workspace empty")
	}
	for _, u := range []struct{ field, uri string }{
		{"client_uri", app.ClientURI}, {"client_image_url", app.LogoURL}, {"tos_uri", app.TermsURI}, {"policy_uri", app.PolicyURI},
	} {
		if u.uri != "" && (!weburl.Valid(u.uri, o.issuer) || len(u.uri) > maxURI) {
			e.add(u.field, FieldFormat, u.uri, "%s %q is not an https URL of at most %d characters", u.field, u.uri, maxURI)
		}
	}
	e = append(e, checkRegistration(app.Registration)...)
	if !cleanText(app.OwnerID) || len(app.OwnerID) > maxOwnerID {
		e.add("owner_id", FieldFormat, "", "owner id has invalid UTF-8, a NUL character, or more than %d bytes", maxOwnerID)
	}
	size := 0
	for key, value := range app.Metadata {
		size += len(key) + len(value)
		if !cleanText(key) || !cleanText(value) {
			e.add("metadata", FieldFormat, key, "metadata %q has invalid UTF-8 or a NUL character", key)
		}
	}
	if size > maxMetadata {
		e.over("metadata", FieldTooLong, maxMetadata, "metadata has %d bytes: use at most %d", size, maxMetadata)
	}
	return e
}

// checkDescribed is checkApplication for an application that describes itself.
// It ignores problems with settings that only the host sets, because the
// application can't fix those.
func (o *offer) checkDescribed(app store.Application) FieldErrors {
	return slices.DeleteFunc(o.checkApplication(app), func(f FieldError) bool { return f.Field == "lifetimes" || f.Field == "workspace" })
}

// needsSecret reports whether an application authenticates with a secret.
func needsSecret(app *store.Application) bool { return !app.Public && app.Keys.IsZero() }

// checkAuthentication checks how an application authenticates: with a secret,
// with its keys, or not at all.
func (o *offer) checkAuthentication(app *store.Application) (e FieldErrors) {
	keys := app.Keys
	switch {
	case app.Public && len(app.Secrets) > 0:
		e.add("public", FieldValue, "", "a public application has no secret")
	case app.Public && !keys.IsZero():
		e.add("public", FieldValue, "", "a public application has no keys")
	case !keys.IsZero() && len(app.Secrets) > 0:
		e.add("jwks", FieldValue, "", "an application with keys has no secret")
	}
	switch {
	case keys.IsZero():
	case o.keys == nil:
		e.add("jwks", FieldValue, "", "keys are not offered: this provider has no Keys to check them with")
	case keys.Set != "" && keys.URI != "":
		e.add("jwks", FieldValue, "", "jwks and jwks_uri are both set: keep one")
	case keys.URI != "":
		if err := clientdoc.CheckURL(keys.URI); err != nil {
			e.add("jwks_uri", FieldFormat, keys.URI, "jwks_uri %q %s", keys.URI, err)
		}
	case len(keys.Set) > maxKeySet:
		e.over("jwks", FieldTooLong, maxKeySet, "jwks has %d bytes: use at most %d", len(keys.Set), maxKeySet)
	default:
		if err := o.keys.CheckClientKeys([]byte(keys.Set)); err != nil {
			e.add("jwks", FieldFormat, "", "jwks: %s", err)
		}
	}
	if alg := app.IDTokenAlg; alg != "" && (o.keys == nil || !slices.Contains(o.keys.Algorithms(), alg)) {
		e.add("id_token_signed_response_alg", FieldValue, alg, "id_token_signed_response_alg %q is not one that this provider signs with", alg)
	}
	return e
}

// checkLifetimes checks the lifetimes of an application.
func checkLifetimes(app *store.Application) (e FieldErrors) {
	const field = "lifetimes"
	own := Lifetimes(app.Lifetimes)
	own.check(func(name, what string) {
		e.add(field, FieldValue, name, "lifetimes: %s %s", name, what)
	})
	if app.Public && own.Grace > maxPublicGrace && own.Grace <= maxGrace {
		e.add(field, FieldValue, "Grace", "lifetimes: Grace is %v: a public application may have at most %v, because a thief needs nothing but an old token", own.Grace, maxPublicGrace)
	}
	return e
}

func (o *offer) checkScopes(asked scopes.Set) (e FieldErrors) {
	const field = "scopes"
	if longest := o.longestScopes(); len(asked.String()) > longest {
		e.over(field, FieldTooLong, longest, "scopes are longer than %d characters", longest)
		return e
	}
	for _, name := range asked.Minus(o.scopes) {
		if _, err := scopes.Parse(name); err != nil {
			e.add(field, FieldFormat, name, "scopes: %s", err)
		} else if !scopes.Valid(name) {
			e.add(field, FieldFormat, name, "scopes: %q is not the name of a scope", name)
		} else {
			e.add(field, FieldValue, name, "scope %q is not one that this provider offers: it offers %s", name, o.scopes)
		}
	}
	return e
}

// checkMachineScopes checks what an application may ask for without a user.
func (o *offer) checkMachineScopes(app *store.Application) (e FieldErrors) {
	const field = "machine_scopes"
	switch {
	case len(app.MachineScopes) == 0:
	case app.Origin != store.OriginManual:
		e.add(field, FieldValue, "", "an application that the host didn't make can't have machine scopes: create one for it")
	case app.Public:
		e.add(field, FieldValue, "", "a public application can't have machine scopes, because it can't prove who it is")
	case !o.hasMachines():
		e.add(field, FieldValue, "", "machine scopes are not offered: set Config.Machines")
	default:
		for _, name := range app.MachineScopes.Minus(o.machines) {
			e.add(field, FieldValue, name, "machine scope %q is not one that this provider offers: it offers %s", name, o.machines)
		}
	}
	return e
}

func checkRedirectURIs(field string, uris []string, rule redirectRule) (e FieldErrors) {
	if len(uris) > maxRedirectURIs {
		// Don't check each of them if there are too many.
		e.over(field, FieldTooMany, maxRedirectURIs, "%d redirect URIs are too many: use at most %d", len(uris), maxRedirectURIs)
		return e
	}
	for i, uri := range uris {
		if err := rule.check(uri); len(uri) > maxURI {
			e.over(field, FieldTooLong, maxURI, "%s", err)
		} else if err != nil {
			e.add(field, FieldFormat, uri, "%s", err)
		}
		if slices.Contains(uris[:i], uri) {
			e.add(field, FieldTwice, uri, "redirect URI %q occurs twice", uri)
		}
	}
	return e
}

// checkRegistration checks the metadata of an application that has no field of
// its record besides Registration.
func checkRegistration(r *store.RegistrationRecord) (e FieldErrors) {
	if r == nil {
		return nil
	}
	if len(r.Contacts) > maxContacts {
		e.over("contacts", FieldTooMany, maxContacts, "%d contacts are too many: use at most %d", len(r.Contacts), maxContacts)
	}
	note := func(field, text string) {
		if !isNote(text) {
			e.add(field, FieldFormat, "", "%s has more than %d bytes, invalid UTF-8, control characters, or characters that change the direction of text", field, maxNote)
		}
	}
	for _, contact := range r.Contacts[:min(len(r.Contacts), maxContacts)] {
		note("contacts", contact)
	}
	note("software_id", r.SoftwareID)
	note("software_version", r.SoftwareVersion)
	return e
}

// isLink reports whether text is an https URL that a page may link to. A URL
// below an http issuer is allowed too; only the host's applications have those.
func isLink(text string) bool {
	return strings.HasPrefix(text, "https://") && weburl.Valid(text, text) && len(text) <= maxURI
}

// isNote reports whether text is valid in an application's metadata.
func isNote(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, isMisleading) && len(text) <= maxNote
}

// checkImportedSecret checks the hash of an imported secret.
func checkImportedSecret(s ApplicationSettings, hash store.SecretHash) error {
	if s.Public || !s.Keys.IsZero() {
		return errors.New("a public application has no secret, nor has one with keys: leave it out")
	}
	if _, generated := hash.SHA256(); generated {
		return nil
	}
	cost, err := bcrypt.Cost([]byte(hash.Reveal()))
	if err != nil {
		return err
	}
	if cost > maxBcryptCost {
		return fmt.Errorf("it has a bcrypt cost of %d: at most %d can be checked at each request; issue a new secret instead", cost, maxBcryptCost)
	}
	return nil
}

// checkOwnSecret checks a secret that the host chose for one of its
// applications. Latchkey stores only a fast hash of it, so it must be too
// random to guess.
func checkOwnSecret(s ApplicationSettings, secret Secret) (e FieldErrors) {
	const field = "secret"
	const advice = `use a random one, such as what "openssl rand -hex 32" prints`
	text := secret.Reveal()
	switch {
	case text == "" && (s.Public || !s.Keys.IsZero()):
	case s.Public:
		e.add("public", FieldValue, "", "a public application has no secret: leave it out")
	case !s.Keys.IsZero():
		e.add("secret", FieldValue, "", "an application with keys has no secret: leave it out")
	case text == "":
		e.add(field, FieldMissing, "", "secret is missing: a confidential application needs one; %s", advice)
	case len(text) < minSecret:
		e.add(field, FieldFormat, "", "secret is shorter than %d characters: %s", minSecret, advice)
	case len(text) > maxSecret:
		e.over(field, FieldTooLong, maxSecret, "secret is longer than %d characters", maxSecret)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		e.add(field, FieldFormat, "", "secret has a space or a character that is not ASCII: %s", advice)
	case guessBits(text) < minSecretBits:
		e.add(field, FieldFormat, "", "secret is easy to guess: %s", advice)
	}
	return e
}

const minSecretBits = 128

// guessBits estimates how many random bits a text has. Each character adds bits
// according to the kinds of characters in the text, but none if it repeats the
// previous one, continues a sequence, or ends three characters that occurred
// before. A text without digits whose letters rarely change case counts as
// words, and one of digits as a number: both have no bits. guessBits finds what
// people type and what programs fill in, not every bad secret.
func guessBits(text string) float64 {
	const digits, letters, capitals = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	turns := 0
	for i := 1; i < len(text); i++ {
		if strings.IndexByte(capitals, text[i]) >= 0 != (strings.IndexByte(capitals, text[i-1]) >= 0) {
			turns++
		}
	}
	if !strings.ContainsAny(text, digits) && turns < len(text)/4 || strings.Trim(text, digits) == "" {
		return 0
	}
	alphabet := 0
	for _, kind := range []string{digits, letters, capitals} {
		if strings.ContainsAny(text, kind) {
			alphabet += len(kind)
		}
	}
	if strings.Trim(strings.ToLower(text), digits+"abcdef-") == "" {
		alphabet = 16
	}
	counted := 0
	for i := range len(text) {
		counts, known := false, false
		if i > 1 {
			step := int(text[i]) - int(text[i-1])
			counts = step >= -1 && step <= 1 && step == int(text[i-1])-int(text[i-2])
			known = strings.Contains(text[:i], text[i-2:i+1])
		}
		if !counts && !known && text[i] != '-' {
			counted++
		}
	}
	return float64(counted) * math.Log2(float64(alphabet))
}
