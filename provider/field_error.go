package provider

import (
	"fmt"
	"strings"
)

// The limits of what is kept of an application. They hold whichever way it
// comes in: by a function, the Backend API, a registration, or a document.
const (
	maxName         = 256      // characters of an application's name, as Clerk has it
	maxScopes       = 1024     // bytes of its scopes, as Clerk has it, unless the host offers more: see longestScopes
	maxRedirectURIs = 100      //
	maxURI          = 1024     // bytes of a redirect URI, as Clerk has it, and of any other URL
	maxClientID     = 256      // characters of a client id
	maxOwnerID      = 256      // bytes
	maxMetadata     = 16 << 10 // bytes of all its keys and values
	maxKeySet       = 16 << 10 // bytes of a JWK Set
	maxContacts     = 10       // of one that registered itself
	maxNote         = 256      // bytes of a contact, a software id, and a version
	maxSecrets      = 10       // that work at once
	minSecret       = 32       // characters of a secret that the host chooses
	maxSecret       = 256      // likewise
)

// FieldErrorKind says in which way a field is wrong.
type FieldErrorKind string

// What can be wrong with a field.
const (
	FieldMissing FieldErrorKind = "missing"
	FieldTooLong FieldErrorKind = "too_long" // FieldError.Limit says how long it may be
	FieldTooMany FieldErrorKind = "too_many" // FieldError.Limit says how many entries there may be
	FieldTwice   FieldErrorKind = "twice"    // an entry is there a second time
	FieldFormat  FieldErrorKind = "format"   // not of the form that the field has
	FieldValue   FieldErrorKind = "value"    // of the form, but not one that is allowed
)

// FieldError says what is wrong with one field of an application.
type FieldError struct {
	// Field is the field's name as Clerk's Backend API has it: "name",
	// "redirect_uris", "scopes", "client_uri", "client_image_url", "client_id",
	// "secret", "secret_hash", "public", "owner_id" or "metadata"; "lifetimes",
	// whose Value is the name of one of the [Lifetimes]; or as RFC 7591
	// and OpenID Connect have it, which have more: "jwks", "jwks_uri",
	// "id_token_signed_response_alg", "post_logout_redirect_uris", and of an
	// application that registered itself "tos_uri", "policy_uri", "contacts",
	// "software_id" or "software_version". Latchkey's own is "workspace".
	Field string

	// Message says in English what is wrong, and can be shown next to the field.
	Message string

	// Kind, Value, and Limit say the same to a program, such as one that has
	// texts of its own. Value is what is wrong, where that is one entry of
	// several; it is never a secret.
	Kind  FieldErrorKind
	Value string
	Limit int
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

func (e *FieldErrors) add(field string, kind FieldErrorKind, value, format string, args ...any) {
	*e = append(*e, FieldError{Field: field, Message: fmt.Sprintf(format, args...), Kind: kind, Value: value})
}

// over adds that a field is over its limit: too long, or with too many entries.
func (e *FieldErrors) over(field string, kind FieldErrorKind, limit int, format string, args ...any) {
	*e = append(*e, FieldError{Field: field, Message: fmt.Sprintf(format, args...), Kind: kind, Limit: limit})
}
