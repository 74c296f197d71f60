package provider

import (
	"context"
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
	// EventApplicationRegistered: an application registered itself, or was let in
	// by its document for the first time.
	EventApplicationRegistered EventKind = "application.registered"
	// EventApplicationCreated: the host created an application, by one of the
	// functions, the Backend API, or a page of package portal.
	EventApplicationCreated EventKind = "application.created"
	// EventApplicationUpdated: the settings of an application were changed by the
	// host, or its registration by itself.
	EventApplicationUpdated EventKind = "application.updated"
	// EventApplicationDeleted: an application was deleted by the host, by itself,
	// or by [Provider.Cleanup], because it was no longer used. It comes again if
	// the call is repeated.
	EventApplicationDeleted EventKind = "application.deleted"
	// EventApplicationSecretAdded: an application was given another secret.
	EventApplicationSecretAdded EventKind = "application.secret_added"
	// EventApplicationReviewed: the host vouches for an application.
	EventApplicationReviewed EventKind = "application.reviewed"
	// EventApplicationUnreviewed: the host took its review back.
	EventApplicationUnreviewed EventKind = "application.unreviewed"
	// EventApplicationDisabled: the host disabled an application.
	EventApplicationDisabled EventKind = "application.disabled"
	// EventApplicationEnabled: the host lets an application in again.
	EventApplicationEnabled EventKind = "application.enabled"
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
	Actor         string        // who did it, as the host named them: see [WithActor]
	Request       *http.Request // nil where a function was called; its body is read, and its header and URL can hold credentials: do not log it
	Err           error         // the cause of a refusal

	// Endpoint, Outcome and Duration are those of an EventRequest. Endpoint is
	// "authorize", "token", "userinfo", "revoke", "introspect", "register",
	// "device_authorization", "device", "logout", "metadata", "resource_metadata",
	// "connections", "backend" (of package clerkapi), "admin" and "developers" (of
	// package portal), "guard", or a name that
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

type actorKey struct{}

// WithActor returns a context that says who acts. Every [Event] of a function of
// [Provider] that is called with it has the Actor, so that the events are an
// audit trail of who changed what. The actor is the host's own name for them,
// such as "user_1" or "cron"; it isn't interpreted. The pages of package portal
// give one by themselves.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// actorOf returns who acts, or "".
func actorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}
