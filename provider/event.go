package provider

import (
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// EventKind says what happened.
type EventKind string

// What an [Event] can be about.
const (
	// EventGrantCreated: an application was given access. A code is on its way,
	// or a token was issued by [Provider.IssueToken].
	EventGrantCreated EventKind = "grant.created"
	// EventGrantDenied: the user said no.
	EventGrantDenied EventKind = "grant.denied"
	// EventGrantRevoked: grants were revoked by the host, a user or an
	// application: the one with GrantID, or if that is empty all of the user,
	// the application, and the workspace that are named. It comes again if the call is
	// repeated.
	EventGrantRevoked EventKind = "grant.revoked"
	// EventTokenIssued: an access token was issued, for a code, by
	// [Provider.IssueToken], or to a machine.
	EventTokenIssued EventKind = "token.issued"
	// EventTokenRefreshed: a refresh token was rotated.
	EventTokenRefreshed EventKind = "token.refreshed"
	// EventTokenRetried: a refresh token that was replaced within the grace was
	// answered with the current tokens. Many for one grant can mean that somebody
	// else has its token.
	EventTokenRetried EventKind = "token.retried"
	// EventTokenRevoked: an application ended one of its access tokens. If Err
	// is set, the oldest of its access tokens ended by itself, because a grant
	// has at most 16 that work.
	EventTokenRevoked EventKind = "token.revoked"
	// EventReuseDetected: a spent code or refresh token came again and its
	// grant was revoked. Somebody may have stolen it.
	EventReuseDetected EventKind = "token.reuse_detected"
	// EventApplicationRegistered: an application registered itself.
	EventApplicationRegistered EventKind = "application.registered"
	// EventApplicationUpdated: an application that registered itself changed
	// its registration.
	EventApplicationUpdated EventKind = "application.updated"
	// EventApplicationDeleted: an application that registered itself deleted
	// its registration, or [Provider.Cleanup] did, as it was no longer used.
	EventApplicationDeleted EventKind = "application.deleted"
	// EventSignedOut: a user was sent by an application, if one is named, to sign
	// out of the host, and OpenID.SignOut has ended their session. Grants go on.
	EventSignedOut EventKind = "user.signed_out"
	// EventClientRejected: a client failed to authenticate.
	EventClientRejected EventKind = "client.rejected"
	// EventRequest: an endpoint or the guard has dealt with a request. It is
	// the last event of the endpoint or guard for it, and the one to count and
	// time requests by.
	EventRequest EventKind = "request"
)

// Event is what Config.Events is told. What does not apply is empty.
type Event struct {
	Kind          EventKind
	At            time.Time
	ApplicationID string
	UserID        string
	Machine       bool // it is about a token of a machine, so there is no user
	GrantID       store.ID
	WorkspaceID   string        // that the grant is for; of an EventGrantRevoked, the workspace whose grants were
	Request       *http.Request // nil where a function was called; its body is read, and its header and URL can hold credentials: do not log it
	Err           error         // the cause of a refusal

	// Endpoint, Outcome and Duration are those of an EventRequest. Endpoint is
	// "authorize", "token", "userinfo", "revoke", "introspect", "register",
	// "device_authorization", "device", "logout", "metadata", "resource_metadata",
	// "connections", "backend" (of package clerkapi), "guard", or a name that
	// [Provider.Endpoint] was given. Outcome is "ok", or the error code
	// of the refusal, such as "invalid_grant", or "rate_limited" where
	// Config.Limit refused, or "client_gone" where the client hung up before it
	// had an answer. Duration is what the endpoint took with all that it
	// asked the store and the host; the guard's is that of its check alone.
	// ApplicationID is that of the client that has authenticated, of the token
	// that was presented, or of the one that sent a visitor.
	Endpoint string
	Outcome  string
	Duration time.Duration
}
