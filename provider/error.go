package provider

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
)

// Error is an OAuth 2.0 error. Code and Description are sent to the client or
// shown to the visitor. Err is the cause and goes to the log only.
type Error struct {
	// Code is an error code of RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750
	// section 3.1, or an extension, such as "invalid_grant".
	Code string

	// Description says in English what was wrong and what to do. It may have
	// only the characters that RFC 6749 allows in error_description.
	Description string

	// Status is the HTTP status of the answer, unless it is a redirect.
	Status int

	// RetryAfter is how long to wait before trying again, for status 429 and
	// 503. If zero, no Retry-After is sent.
	RetryAfter time.Duration

	// Scope lists the scopes to ask for, with insufficient_scope.
	Scope string

	// Err is the cause, or nil if there is none besides the request itself.
	Err error

	reason   pages.Reason // of the error page; empty if Status determines it
	retryURL string       // likewise

	noted []any // for the log: names and refused values

	template string // Description without the sent values; empty if Description has none
	telling  bool   // Err is only about what the application sent
}

// Error returns the code, the description and the cause.
func (e *Error) Error() string {
	text := "provider: " + e.Code + ": " + e.Description
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The error codes of RFC 6749 and its extensions.
const (
	codeInvalidRequest          = "invalid_request"
	codeInvalidClient           = "invalid_client"
	codeInvalidGrant            = "invalid_grant"
	codeUnauthorizedClient      = "unauthorized_client"
	codeUnsupportedGrantType    = "unsupported_grant_type"
	codeUnsupportedResponseType = "unsupported_response_type"
	codeInvalidScope            = "invalid_scope"
	codeInvalidTarget           = "invalid_target" // RFC 8707
	codeAccessDenied            = "access_denied"
	codeLoginRequired           = "login_required"                    // OpenID Connect Core section 3.1.2.6
	codeConsentRequired         = "consent_required"                  // the same
	codeInteractionRequired     = "interaction_required"              // the same
	codeUnmetAuthentication     = "unmet_authentication_requirements" // OpenID Connect Core Error Code unmet_authentication_requirements
	codeServerError             = "server_error"
	codeUnavailable             = "temporarily_unavailable"
	codeInvalidRedirectURI      = "invalid_redirect_uri"    // RFC 7591
	codeInvalidClientMetadata   = "invalid_client_metadata" // RFC 7591
	codeInvalidToken            = "invalid_token"           // RFC 6750
	codeInsufficientScope       = "insufficient_scope"      // RFC 6750
	codeAuthorizationPending    = "authorization_pending"   // RFC 8628
	codeSlowDown                = "slow_down"               // RFC 8628
	codeExpiredToken            = "expired_token"           // RFC 8628
)

// refuse returns an Error of status 400, which is that of most refusals.
func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Status: http.StatusBadRequest, Description: fmt.Sprintf(format, args...), template: format}
}

// because returns e with its cause.
func (e *Error) because(cause error) *Error {
	e.Err = cause
	return e
}

// tells is like because, for a cause that is only about what the application
// sent: its developers see it too. Never use it for an error of a host's
// function.
func (e *Error) tells(cause error) *Error {
	e.Err, e.telling = cause, true
	return e
}

// with records for the log what was sent. Use it only for values that aren't
// secret and don't identify the user: never for a token, code, secret,
// verifier, state, or email address. A stranger may have sent the value, so it
// is reduced to one short line of ASCII, and anything like a credential in the
// wrong place is removed.
func (e *Error) with(name, value string) *Error {
	e.noted = append(e.noted, name, loggable(value))
	return e
}

// loggable returns a text from a stranger in a form that is safe to log.
func loggable(value string) string {
	const longest = 200
	value = credentialLike.ReplaceAllString(value, redacted)
	if len(value) > longest {
		value = value[:longest] + "..."
	}
	quoted := strconv.QuoteToASCII(value)
	return quoted[1 : len(quoted)-1]
}

// credentialLike matches a client secret or a token of Latchkey, or most of it.
// It doesn't match host names, because long ones have hyphens and dots.
var credentialLike = regexp.MustCompile(`[0-9A-Za-z_]{40,}`)

const redacted = "[redacted]"

// unavailable is the answer when a dependency of the provider fails or times
// out.
func unavailable(what string, cause error) *Error {
	return &Error{
		Code: codeUnavailable, Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second,
		Description: "The service cannot answer right now. Try again in a few seconds.",
		Err:         fmt.Errorf("%s: %w", what, cause),
	}
}

// cause returns the cause of a refusal, or nil if there is none.
func (e *Error) cause() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// asError returns err as an *Error. If it isn't one, it is an internal error,
// and its text isn't sent.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: codeServerError, Status: http.StatusInternalServerError, Description: "Something went wrong here.", Err: err}
}

// grantRefusal converts an error of package rules about a code or refresh token
// into the refusal of RFC 6749 section 5.2. The client learns only that the
// grant is invalid; the log has the reason.
func grantRefusal(what string, err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, rules.ErrScope):
		return refuse(codeInvalidScope, "The scope names nothing that was granted. Leave scope out to get all granted scopes.").tells(err)
	case errors.Is(err, rules.ErrResource):
		return refuse(codeInvalidTarget, "The user has not agreed to this resource: name it in the authorization request too.").tells(err)
	case errors.Is(err, rules.ErrHostSecret):
		return unavailable("Config.Keys", err)
	case rules.Refused(err):
		return refuse(codeInvalidGrant, "The %s is not valid: it is unknown, expired, revoked, or used, or was issued to another client or for another redirect_uri or code_verifier.", what).tells(err)
	}
	return unavailable("store", err)
}

// errStaleForm refuses a form that is invalid or outdated.
func errStaleForm(cause error) *Error {
	return &Error{Code: codeInvalidRequest, Status: http.StatusForbidden, reason: pages.ReasonStaleForm, Err: cause,
		Description: "The form does not belong to an open page of this browser and user, or was sent before."}
}

// errNotRegistered refuses a visitor whose application is unknown.
func errNotRegistered(cause error) *Error {
	e := refuse(codeInvalidClient, "The application that sent you here is not registered: its client_id is unknown.").because(cause)
	e.reason = pages.ReasonUnknownApplication
	return e
}

// invalidClient refuses a client that failed to authenticate.
func invalidClient(description string) *Error {
	return &Error{Code: codeInvalidClient, Status: http.StatusUnauthorized, Description: description}
}

// setRetryAfter writes the Retry-After header of RFC 9110 section 10.2.3, in
// whole seconds.
func (e *Error) setRetryAfter(h http.Header) {
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
}
