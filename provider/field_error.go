package provider

import (
	"fmt"
	"strings"
)

// The limits of an application's fields. They apply to every way of creating
// it: a function, the Backend API, a registration, or a document.
const (
	maxName         = 256      // characters of an application's name, as at Clerk
	maxScopes       = 1024     // bytes of its scopes, as at Clerk, unless the host offers more: see longestScopes
	maxRedirectURIs = 100      //
	maxURI          = 1024     // bytes of a redirect URI, as at Clerk, and of any other URL
	maxClientID     = 256      // characters of a client ID
	maxOwnerID      = 256      // bytes
	maxMetadata     = 16 << 10 // bytes of all its keys and values
	maxKeySet       = 16 << 10 // bytes of a JWK Set
	maxContacts     = 10       // of an application that registered itself
	maxNote         = 256      // bytes of a contact, a software id, and a version
	maxSecrets      = 10       // active at the same time
	minSecret       = 32       // characters of a secret that the host chooses
	maxSecret       = 256      // likewise
)

// FieldErrorKind is the kind of a [FieldError].
type FieldErrorKind string

// The kinds of a [FieldError].
const (
	FieldMissing FieldErrorKind = "missing"
	FieldTooLong FieldErrorKind = "too_long" // longer than FieldError.Limit
	FieldTooMany FieldErrorKind = "too_many" // more entries than FieldError.Limit
	FieldTwice   FieldErrorKind = "twice"    // an entry occurs twice
	FieldFormat  FieldErrorKind = "format"   // malformed
	FieldValue   FieldErrorKind = "value"    // well-formed, but not allowed
)

// FieldError describes what is wrong with one field of an application.
type FieldError struct {
	// Field is the field's name in one of three vocabularies:
	//
	//   - Clerk's Backend API: "name", "redirect_uris", "scopes", "client_uri",
	//     "client_image_url", "client_id", "secret", "secret_hash", "public",
	//     "owner_id", "metadata".
	//   - RFC 7591 and OpenID Connect: "jwks", "jwks_uri",
	//     "id_token_signed_response_alg", "post_logout_redirect_uris"; and for
	//     an application that registered itself "tos_uri", "policy_uri",
	//     "contacts", "software_id", "software_version".
	//   - Latchkey: "workspace", and "lifetimes", whose Value is the name of a
	//     field of [Lifetimes].
	Field string

	// Message says in English what is wrong. You can show it next to the field.
	Message string

	// Kind, Value, and Limit say the same to a program, such as one that
	// translates the message. Value is the wrong entry if the field has several;
	// it is never a secret.
	Kind  FieldErrorKind
	Value string
	Limit int
}

// FieldErrors lists all validation errors of an application; nothing was saved.
// Get it with errors.As to show each error next to its field. Any other error
// comes from the store.
type FieldErrors []FieldError

// Error returns one line for each error.
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

// over adds that a field exceeds its limit: it is too long, or has too many
// entries.
func (e *FieldErrors) over(field string, kind FieldErrorKind, limit int, format string, args ...any) {
	*e = append(*e, FieldError{Field: field, Message: fmt.Sprintf(format, args...), Kind: kind, Limit: limit})
}
