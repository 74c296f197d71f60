// Package rules decides what may happen to a grant, a consent, or a device
// authorization. Each rule is a function of the document as it was read, the
// request, and the time; it does no I/O. So a rule is written once for all
// databases, can be tested as a table, and can be checked in every order in
// which requests may interleave.
//
// The provider reads a document from the store, calls a rule, and replaces the
// document if the rule returns [Write]. If another request has replaced it in
// the meantime, the provider reads it again and the rule decides again.
//
// A request generates its random values (tokens, the salt, the mark) once,
// before the first attempt. That makes a write recognizable: if the answer to
// it is lost, the next attempt finds the tokens that it was about to write, and
// knows that the write succeeded. What a rotation writes also depends on the
// document, so its request carries it from attempt to attempt.
package rules

import (
	"errors"
	"fmt"
	"time"
)

// A Step is what the caller must do after a rule has agreed.
type Step uint8

const (
	// Keep means that there is nothing to write: it was written before.
	Keep Step = iota
	// Write means that the document must replace the stored one. Nothing has
	// happened until that succeeds.
	Write
)

// The refusals. Only for ErrReused must the caller do something: revoke the
// grant, without comparing marks.
var (
	// ErrNotFound means that the grant doesn't exist or never had this code or
	// token.
	ErrNotFound = errors.New("unknown code or token")
	// ErrMismatch means that it belongs to another application, or came with
	// another redirect URI or verifier. Each case has an error that wraps it.
	ErrMismatch = errors.New("not as it was issued")
	// ErrRevoked means that the grant was revoked or cut off.
	ErrRevoked = errors.New("grant revoked")
	// ErrReused means that a spent code or refresh token was presented again.
	ErrReused = errors.New("presented again after it was spent")
	// ErrExpired means that it has expired.
	ErrExpired = errors.New("expired")
	// ErrScope means that the request asks for more scopes than the grant has.
	ErrScope = errors.New("scope exceeds the grant")
	// ErrResource means that the request asks for another resource than the
	// grant's.
	ErrResource = errors.New("resource differs from the grant's")
	// ErrDiffers means that a repeated refresh asks for other scopes than the
	// first time.
	ErrDiffers = errors.New("repeated with another scope")
	// ErrTooOld means that a refresh token was replaced so many rotations ago
	// that the grant can't tell whether that was within the grace period.
	ErrTooOld = errors.New("replaced too many rotations ago")
	// ErrDecided means that another user has decided on the device.
	ErrDecided = errors.New("decided before")
)

// How a code or token can differ from the one that was issued.
var (
	ErrOtherApplication   = fmt.Errorf("%w: it belongs to another application", ErrMismatch)
	ErrNoChallenge        = fmt.Errorf("%w: a public application asked for the code without a code_challenge", ErrMismatch)
	ErrNoVerifier         = fmt.Errorf("%w: the code_verifier is missing", ErrMismatch)
	ErrUnexpectedVerifier = fmt.Errorf("%w: there is a code_verifier, but the code was requested without a code_challenge", ErrMismatch)
	ErrWrongVerifier      = fmt.Errorf("%w: the code_verifier does not match the code_challenge", ErrMismatch)
	ErrNoRedirectURI      = fmt.Errorf("%w: the redirect_uri is missing", ErrMismatch)
	ErrOtherRedirectURI   = fmt.Errorf("%w: the redirect_uri is not that of the authorization request", ErrMismatch)
)

// Refused reports whether err is a refusal by a rule, rather than a failure to
// decide.
func Refused(err error) bool {
	for _, refusal := range []error{ErrNotFound, ErrMismatch, ErrRevoked, ErrReused, ErrExpired, ErrScope, ErrResource, ErrDiffers, ErrTooOld, ErrDecided} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// ErrState means that the state of a document is damaged, or was written by a
// version that this one can't read. It doesn't mean that the document is
// missing.
var ErrState = errors.New("the state of a document cannot be read")

// ErrHostSecret means that a token can't be derived again, because the host's
// secret in its derivation is unknown here. It is a fault, not a refusal.
var ErrHostSecret = errors.New("the token was derived with a secret that this instance doesn't have")

// An Instant is a time in microseconds since 1970 in UTC. Zero means never, or
// none.
type Instant int64

// At returns the instant of a time.
func At(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMicro())
}

// Time returns the instant as a time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d/time.Microsecond) }

// Sub returns the time from other to i.
func (i Instant) Sub(other Instant) time.Duration { return time.Duration(i-other) * time.Microsecond }

// slack is how long expired entries stay in a document, because the clocks of
// two instances may differ.
const slack = time.Minute

const day = 24 * time.Hour

// sweepAfter returns when a document may be deleted in which something works
// until the last instant: a day or two later, always at midnight. So a document
// that is written often rarely moves in the index of documents to delete.
func sweepAfter(last Instant) Instant {
	micros := Instant(day / time.Microsecond)
	return (last/micros + 2) * micros
}
