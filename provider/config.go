package provider

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Config is everything a [Provider] needs to know. The first five fields are
// required; the zero value of every other one is a sound and strict default.
type Config struct {
	// Issuer is the URL by which applications know this provider, such as
	// "https://app.example.com". Every URL that the provider hands out is
	// built from it, never from a request, so that a proxy cannot change
	// them. It is https, or http on a loopback address for development, and
	// has no query, fragment or trailing slash. It may have a path.
	Issuer string

	// Store keeps applications and grants: memory.New() to begin with.
	Store store.Store

	// CurrentUser says who is signed in to the host, and since when. It
	// returns the zero [Session] when nobody is; an error means that this is
	// not known now, and the visitor gets an error page with status 503.
	CurrentUser func(r *http.Request) (Session, error)

	// SignIn sends a visitor away to sign in, and afterwards back to
	// SignInRequest.ReturnTo. [RedirectTo] makes the usual one.
	SignIn func(w http.ResponseWriter, r *http.Request, s SignInRequest)

	// Users finds a user by the id that CurrentUser returned. It is asked for
	// the consent page, at each refresh and for the userinfo document; a user
	// who is not found is refused there. To cut a user off at once everywhere,
	// call [Provider.RevokeGrants].
	Users userinfo.Lookup

	// Pages are the name, logo, color, and texts of the pages that people see,
	// and pages of the host's own in their place.
	Pages pages.Config

	// Scopes are the scopes that applications may be given. Nil:
	// scopes.Default().
	Scopes []scopes.Scope

	// Resources are APIs of the host's for which tokens are issued apart (RFC
	// 8707), to be guarded by [Provider.Resource]. Nil: there are none, and
	// all tokens are for [Provider.Require].
	Resources []Resource

	// InstanceID is the instance_id of the userinfo document. Empty: one that
	// is derived from Issuer, so that it stays the same.
	InstanceID string

	// CodeLifetime is how long an authorization code may be redeemed.
	// Zero: 10 minutes.
	CodeLifetime time.Duration

	// AccessLifetime is how long an access token works. Zero: 2 hours.
	AccessLifetime time.Duration

	// RefreshLifetime is how long a refresh token works; each refresh starts
	// it anew. Zero: 72 hours.
	RefreshLifetime time.Duration

	// GrantLifetime ends a sign-in however often it is refreshed.
	// Zero: no such end.
	GrantLifetime time.Duration

	// RefreshGrace is how long after a refresh the same request may be
	// repeated and gets the same answer, so that parallel refreshes and lost
	// answers log nobody out. Zero: 30 seconds. Negative: off, so that every
	// repetition ends the grant.
	RefreshGrace time.Duration

	// Paths moves or leaves out endpoints.
	Paths Paths

	// TokenPrefix goes in front of every code and token, so that a scanner
	// can tell whose a leaked one is: "acme_" makes access tokens
	// "acme_oat_...". It consists of letters, digits and underscores.
	TokenPrefix string

	// StoreTimeout is how long a call to Store may take before the request
	// is answered with 503. Zero: 5 seconds.
	StoreTimeout time.Duration

	// Limit is asked before a request to the token, revocation, introspection,
	// registration or device authorization endpoint, to the device page with a
	// user code, or with a client whose document has to be fetched, costs
	// anything but the look at its form; a positive answer refuses it with 429
	// and is how long to wait. Nil: no limit.
	Limit func(ctx context.Context, l LimitRequest) time.Duration

	// ClientIP finds the address that Limit is given, where a proxy hides it.
	// Nil: the address of the connection.
	ClientIP func(r *http.Request) netip.Addr

	// Introspection says whether a request to the introspection endpoint comes
	// from a resource server that may ask about any token: nil means yes.
	// [BearerKey] makes the usual one. Left out, applications may ask about
	// their own tokens and nobody about others.
	Introspection func(r *http.Request) error

	// ClientIDDocuments lets in applications that nobody has registered: their
	// client_id is the https URL of a document that says who they are. Nil:
	// there are none.
	ClientIDDocuments *ClientIDDocuments

	// Registration lets applications register themselves (RFC 7591). Nil: none
	// can.
	Registration *Registration

	// DeviceAuthorization lets devices without a browser ask for access (RFC
	// 8628). Store must implement store.Devices. Nil: they cannot.
	DeviceAuthorization *DeviceAuthorization

	// Events is told of what happened, synchronously and before the request is
	// done, so a slow one slows the request. Nil: nobody is told.
	Events func(ctx context.Context, e Event)

	// Logger gets one line for each refused request and each fault. No line
	// holds a code, token, secret or address. Nil: slog.Default().
	Logger *slog.Logger

	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Paths are the paths of the endpoints below Issuer. An empty path is the
// default that its comment gives; "-" leaves the endpoint out.
type Paths struct {
	Authorize  string // "/oauth/authorize"
	Token      string // "/oauth/token"
	UserInfo   string // "/oauth/userinfo"
	Revoke     string // "/oauth/token/revoke"
	Introspect string // "/oauth/token_info"
	Register   string // "/oauth/register", where Config.Registration is set; what has registered is managed below it
	Metadata   string // "-" leaves it out; where it is served, RFC 8414 says

	// Connections is the page of connected applications. Its handler, and those
	// of Authorize and Register, must not be mounted elsewhere: they send
	// browsers and applications here.
	Connections string // "/oauth/connections"

	// DeviceAuthorization and Device are there with Config.DeviceAuthorization
	// only: where devices ask for codes, and the page on which users enter
	// them. The page must not be mounted elsewhere, nor left out.
	DeviceAuthorization string // "/oauth/device_authorization"
	Device              string // "/oauth/device"
}
