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

// Config is everything that a [Provider] needs to know. The fields of the first
// group are required; the zero value of every other one is a safe default, and
// nil or zero also means that a feature is off.
type Config struct {
	// Required.

	// Issuer is the URL by which applications know this provider, such as
	// "https://app.example.com". Every URL that the provider hands out is
	// built from it, never from a request, so that a proxy cannot change
	// them. It is https, or http on localhost, a name below it, or a loopback
	// address for development, and has no query, fragment or trailing slash. It
	// may have a path.
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
	// who is not found is refused there. A user who is returned under another ID,
	// or none, counts as not found. To cut a user off at once everywhere,
	// call [Provider.RevokeGrants].
	Users userinfo.Lookup

	// What people see.

	// Pages are the name, logo, color, and texts of the pages that people see,
	// and pages of the host's own in their place.
	Pages pages.Config

	// InstanceID is the instance_id of the userinfo document. The default is
	// derived from Issuer, so that it stays the same.
	InstanceID string

	// Scopes and resources.

	// Scopes are the scopes that applications may be given. The default is
	// scopes.Default().
	Scopes []scopes.Scope

	// Resources are APIs of the host's for which tokens are issued apart (RFC
	// 8707), to be guarded by [Provider.Resource]. Without any, all tokens are
	// for [Provider.Require].
	Resources []Resource

	// Workspaces lets users choose the workspace (organization, team) for which
	// an application acts: its tokens are for exactly that one. Nil: applications
	// act for users alone.
	Workspaces *Workspaces

	// Lifetimes and tokens.

	// Lifetimes are how long codes, tokens, and sign-ins last where neither the
	// application nor the resource has lifetimes of its own.
	Lifetimes Lifetimes

	// TokenPrefix goes in front of every code and token, so that a scanner
	// can tell whose a leaked one is: "acme_" makes access tokens
	// "acme_oat_...". It consists of letters, digits and underscores.
	TokenPrefix string

	// Endpoints.

	// Paths moves endpoints, or leaves them out.
	Paths Paths

	// AllowHTTP is for who hosts an app at home or in a closed network: Issuer,
	// the URLs of Resources, and redirect URIs of applications that the host
	// vouches for may be http at a private address, such as
	// "http://192.168.1.5:8090". Whoever can listen in that network can then
	// take over accounts. [Provider.Check] says so.
	AllowHTTP bool

	// Introspection says whether a request to the introspection endpoint comes
	// from a resource server that may ask about any token: nil means yes.
	// [BearerKey] makes the usual one. Left out, applications may ask about
	// their own tokens and nobody about others.
	Introspection func(r *http.Request) error

	// Agents and devices.

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

	// Machines lets applications to which the host has given machine scopes get
	// tokens by themselves, without a user (client_credentials, RFC 6749 section
	// 4.4). Nil: none can.
	Machines *Machines

	// Transport fetches what applications keep at URLs of their own: client ID
	// metadata documents, and JWK Sets. Nil: one that connects to public
	// addresses only, whatever a name resolves to at that moment, and to no
	// proxy. A host that has to use a proxy sets its own, and leaves it to the
	// proxy to keep requests away from what is inside.
	Transport http.RoundTripper

	// Keys and OpenID Connect.

	// Keys sign ID tokens and check what clients sign: keys.New makes the usual
	// ones. With them applications may have public keys in place of a secret, and
	// authenticate by private_key_jwt (RFC 7523). A secret of keys.New also goes
	// into the derivation of refresh tokens, so that a copy of the database and an
	// old refresh token give nothing. Nil: they cannot, and OpenID has to be nil
	// too.
	Keys Keys

	// OpenID makes the provider an OpenID Provider: applications that ask for the
	// scope openid get ID tokens. Nil: OpenID Connect is not offered, and that
	// scope is ignored.
	OpenID *OpenID

	// Operations.

	// StoreTimeout is how long a call to Store may take before the request
	// is answered with 503. The default is 5 seconds.
	StoreTimeout time.Duration

	// Limit is asked before a request to the token, revocation, introspection,
	// registration or device authorization endpoint, or with a client whose
	// document or keys have to be fetched, costs anything but the look at its form, and
	// before the code that a user has entered on the device page is looked up.
	// A positive duration refuses the request with 429 and becomes its
	// Retry-After. [LimitByAddress] makes the usual one. Nil: no limit.
	Limit func(ctx context.Context, l LimitRequest) time.Duration

	// ClientIP finds the address that Limit is given, where a proxy hides it.
	// The default is the address of the connection.
	ClientIP func(r *http.Request) netip.Addr

	// Events is told of what happened, synchronously and before the request is
	// done, so a slow one slows the request. [LogEvents] makes one that writes
	// them to a log. Nil: nobody is told.
	Events func(ctx context.Context, e Event)

	// Logger gets one line for each refused request and each fault. No line
	// holds a code, token, secret or address. The default is slog.Default().
	Logger *slog.Logger

	// Now is the clock. The default is time.Now.
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

	// Connections is the page of connected applications. Its handler, and those
	// of Authorize and Register, must not be mounted elsewhere: they send
	// browsers and applications here.
	Connections string // "/oauth/connections"

	// DeviceAuthorization and Device are there with Config.DeviceAuthorization
	// only: where devices ask for codes, and the page on which users enter
	// them. The page must not be mounted elsewhere, nor left out.
	DeviceAuthorization string // "/oauth/device_authorization"
	Device              string // "/oauth/device"

	// JWKS and Logout are there with Config.OpenID only: the public keys, and
	// where applications send users to sign out, which must not be mounted
	// elsewhere. Logout is there with OpenID.SignOut only.
	JWKS   string // "/oauth/jwks"
	Logout string // "/oauth/logout"

	// NoMetadata leaves out the authorization server metadata, and the discovery
	// document of OpenID Connect, for a host
	// whose origin has the document of another server. RFC 8414 says where it
	// is, so it cannot be moved.
	NoMetadata bool
}

// leaveOut is the path of an endpoint that is left out.
const leaveOut = "-"

// LimitRequest is what Config.Limit decides by.
type LimitRequest struct {
	// Endpoint is "token", "revoke", "introspect", "register",
	// "device_authorization", "device", or "document" where that of a client, or
	// its keys, are to be fetched.
	Endpoint string

	// ClientID is what the client claims, before anything is believed. It may
	// be empty, and is for "register", for "device", and for "introspect" where
	// Config.Introspection has let the request in.
	ClientID string

	IP netip.Addr // as Config.ClientIP found it; may be the zero Addr
}
