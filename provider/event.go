package provider

import (
	"context"
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of an [Event].
const (
	// EventGrantCreated means that an application was given access: a code is on
	// its way, or [Provider.IssueToken] made a token.
	EventGrantCreated EventKind = "grant.created"
	// EventGrantDenied means that the user denied access.
	EventGrantDenied EventKind = "grant.denied"
	// EventGrantRevoked means that the host, a user, or an application revoked
	// grants: the one with GrantID, or if that is empty, all of the given user,
	// application, and workspace. A repeated call repeats the event.
	EventGrantRevoked EventKind = "grant.revoked"
	// EventTokenIssued means that an access token was issued: for a code, by
	// [Provider.IssueToken], or to a machine.
	EventTokenIssued EventKind = "token.issued"
	// EventTokenRefreshed means that a refresh token was rotated.
	EventTokenRefreshed EventKind = "token.refreshed"
	// EventTokenRetried means that a refresh token came again within the grace
	// period after its rotation and was answered with the current tokens. Many
	// for one grant can mean that its token was stolen.
	EventTokenRetried EventKind = "token.retried"
	// EventTokenRevoked means that an application revoked one of its access
	// tokens. If Err is set, the oldest access token of the grant ended instead,
	// because a grant has at most 16 that work.
	EventTokenRevoked EventKind = "token.revoked"
	// EventReuseDetected means that a used code or refresh token came again,
	// possibly stolen. Its grant was revoked.
	EventReuseDetected EventKind = "token.reuse_detected"
	// EventApplicationRegistered means that an application registered itself, or
	// a user first agreed to one known by its document.
	EventApplicationRegistered EventKind = "application.registered"
	// EventApplicationCreated means that the host created an application: with a
	// function, the Backend API, or a page of package portal.
	EventApplicationCreated EventKind = "application.created"
	// EventApplicationUpdated means that the host changed the settings of an
	// application, or an application changed its registration.
	EventApplicationUpdated EventKind = "application.updated"
	// EventApplicationDeleted means that an application was deleted: by the
	// host, by itself, or by [Provider.Cleanup] because it was unused. A
	// repeated call repeats the event.
	EventApplicationDeleted EventKind = "application.deleted"
	// EventApplicationSecretAdded means that an application got another secret.
	EventApplicationSecretAdded EventKind = "application.secret_added"
	// EventApplicationReviewed means that the host now vouches for an
	// application.
	EventApplicationReviewed EventKind = "application.reviewed"
	// EventApplicationUnreviewed means that the host withdrew its review.
	EventApplicationUnreviewed EventKind = "application.unreviewed"
	// EventApplicationDisabled means that the host disabled an application.
	EventApplicationDisabled EventKind = "application.disabled"
	// EventApplicationEnabled means that the host enabled an application again.
	EventApplicationEnabled EventKind = "application.enabled"
	// EventSignedOut means that OpenID.SignOut ended a user's session at the
	// host. ApplicationID is the application that sent the user, if known.
	// Grants remain.
	EventSignedOut EventKind = "user.signed_out"
	// EventClientRejected means that a client failed to authenticate.
	EventClientRejected EventKind = "client.rejected"
	// EventRequest means that an endpoint or middleware has finished a request.
	// It is the last event of the request, and the one to count and time
	// requests with.
	EventRequest EventKind = "request"
)

// Event is what Config.Events receives. Fields that don't apply are empty.
type Event struct {
	Kind          EventKind
	At            time.Time
	ApplicationID string
	UserID        string
	Machine       bool // about a token of a machine, so there is no user
	GrantID       store.ID
	WorkspaceID   string        // of the grant; for EventGrantRevoked, the workspace whose grants ended
	Actor         string        // who did it: see [WithActor]
	Request       *http.Request // nil if a function was called; the body is read; don't log it, because header and URL can hold credentials
	Err           error         // the cause of a refusal

	// Endpoint, Outcome, and Duration are set for an EventRequest.
	//
	// Endpoint is "authorize", "token", "userinfo", "revoke", "introspect",
	// "register", "device_authorization", "device", "logout", "metadata",
	// "resource_metadata", "connections", "backend" (of package clerkapi),
	// "admin" and "developers" (of package portal), "guard" (of
	// [Provider.Require]), or a name that [Provider.Endpoint] was given.
	//
	// Outcome is "ok", or the error code of the refusal, such as
	// "invalid_grant"; "rate_limited" if Config.Limit refused; or "client_gone"
	// if the client hung up before the answer.
	//
	// Duration includes all calls to the store and the host. For "guard" it is
	// the time of the check alone.
	//
	// ApplicationID is the client that authenticated, the owner of the presented
	// token, or the application that sent the visitor.
	Endpoint string
	Outcome  string
	Duration time.Duration
}

type actorKey struct{}

// WithActor returns a context that names who acts. Every [Event] of a
// [Provider] function that is called with it has that Actor, so the events make
// an audit trail. The actor is any name that the host chooses, such as "user_1"
// or "cron"; Latchkey doesn't interpret it. The pages of package portal set one
// themselves.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// actorOf returns who acts, or "".
func actorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}
