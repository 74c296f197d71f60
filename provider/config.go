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

// Config configures a [Provider]. The fields of the first group are required.
// Every other field may be left zero: that is a safe default, or the feature is
// off.
//
//   - Required: Issuer, Store, CurrentUser, SignIn, Users
//   - People and pages: Pages, InstanceID
//   - Scopes and resources: Scopes, Resources
//   - Lifetimes: Lifetimes, TokenPrefix
//   - Endpoints: Paths, AllowHTTP, Introspection
//   - Clients: ClientIDDocuments, Registration, DeviceAuthorization, Machines,
//     Workspaces, Transport
//   - Keys and OpenID Connect: Keys, OpenID
//   - Operations: StoreTimeout, Limit, ClientIP, Events, Logger, Now
type Config struct {
	// Required.

	// Issuer is the URL that identifies this provider to applications, such as
	// "https://app.example.com". Latchkey builds every URL from it, never from
	// a request, so a proxy can't change them. Issuer must be https, or http on
	// localhost, a name below it, or a loopback address for development. It
	// may have a path, but no query, fragment, or trailing slash.
	Issuer string

	// Store keeps applications and grants. Start with memory.New().
	Store store.Store

	// CurrentUser returns who is signed in to the host, and since when. If no
	// one is, return the zero [Session] and a nil error. Return an error only
	// if you can't tell right now: the visitor gets an error page with status
	// 503.
	CurrentUser func(r *http.Request) (Session, error)

	// SignIn sends a visitor to the host's sign-in page, which must send them
	// to SignInRequest.ReturnTo afterwards. [RedirectTo] makes the usual one.
	SignIn func(w http.ResponseWriter, r *http.Request, s SignInRequest)

	// Users finds a user by the ID that CurrentUser returned. Latchkey calls it
	// for the consent page, at each refresh, and for the userinfo document, and
	// refuses a user who is not found, or who comes back with another ID or
	// none. [Provider.Require] doesn't call it: to cut a user off at once, call
	// [Provider.RevokeGrants].
	Users userinfo.Lookup

	// People and pages.

	// Pages sets the name, logo, color, and texts of the pages that people see,
	// and replaces whole pages with the host's.
	Pages pages.Config

	// InstanceID is the instance_id of the userinfo document. The default is
	// derived from Issuer, so it stays the same.
	InstanceID string

	// Scopes and resources.

	// Scopes lists the scopes that applications can be given. The default is
	// scopes.Default().
	Scopes []scopes.Scope

	// Resources lists APIs that need separate tokens (RFC 8707), such as an MCP
	// server. Protect each with [Provider.Resource]. The default is none: every
	// token is for [Provider.Require].
	Resources []Resource

	// Lifetimes.

	// Lifetimes sets how long codes, tokens, and sign-ins last. The Lifetimes
	// of an application or a resource take precedence.
	Lifetimes Lifetimes

	// TokenPrefix starts every code and token, so that a secret scanner can
	// tell whose a leaked one is: "acme_" makes access tokens "acme_oat_...".
	// It has at most 32 letters, digits, and underscores. The default is no
	// prefix.
	// Changing it later invalidates every issued code and token.
	TokenPrefix string

	// Endpoints.

	// Paths moves endpoints, or leaves them out.
	Paths Paths

	// AllowHTTP permits http at private addresses, such as
	// "http://192.168.1.5:8090", for an app hosted at home or in a closed
	// network. It applies to Issuer, the URLs of Resources, and the redirect
	// URIs of reviewed applications. Anyone who can listen in that network can
	// then take over accounts; [Provider.Check] warns about it. The default is
	// false.
	AllowHTTP bool

	// Introspection authorizes resource servers to introspect any token: return
	// nil to allow the request. [BearerKey] makes the usual check. If nil,
	// applications can introspect only their own tokens.
	Introspection func(r *http.Request) error

	// Clients: documents, registration, devices, machines, workspaces.

	// ClientIDDocuments enables clients whose client_id is the URL of a
	// document that describes them, such as MCP clients. If nil, they are off.
	ClientIDDocuments *ClientIDDocuments

	// Registration enables dynamic client registration (RFC 7591). If nil, it
	// is off.
	Registration *Registration

	// DeviceAuthorization enables the device flow (RFC 8628), for devices
	// without a browser. If nil, it is off.
	DeviceAuthorization *DeviceAuthorization

	// Machines enables tokens without a user (client_credentials, RFC 6749
	// section 4.4) for applications with MachineScopes. If nil, they are off.
	Machines *Machines

	// Workspaces lets users choose the workspace (organization, team) that an
	// application may act for. Its tokens work for that workspace only. If nil,
	// workspaces are off: applications act for users alone.
	Workspaces *Workspaces

	// Transport fetches documents and JWK Sets from URLs of applications. The
	// default connects to public addresses only, checked after DNS resolution,
	// and uses no proxy. If you set it to use a proxy, the proxy must block
	// internal addresses (SSRF).
	Transport http.RoundTripper

	// Keys and OpenID Connect.

	// Keys signs ID tokens and verifies what clients sign; keys.New makes the
	// usual one. With it, applications may have public keys instead of a
	// secret and authenticate with private_key_jwt (RFC 7523). A secret given
	// to keys.New also goes into the derivation of refresh tokens, so a stolen
	// database and an old refresh token don't yield the current one. If nil,
	// all of this is off, and OpenID must be nil too.
	Keys Keys

	// OpenID enables OpenID Connect: applications that ask for the scope openid
	// get ID tokens. If nil, it is off, and that scope is ignored.
	OpenID *OpenID

	// Operations.

	// StoreTimeout is how long a call to Store may take before Latchkey answers
	// the request with 503. The default is 5 seconds.
	StoreTimeout time.Duration

	// Limit rate-limits requests. It returns 0 to allow one, or the duration to
	// send as Retry-After with a 429. [LimitByAddress] makes the usual one. If
	// nil, rate limiting is off.
	//
	// Limit runs before any store access, for requests to the token,
	// revocation, introspection, registration, and device authorization
	// endpoints. It also runs before Latchkey fetches a client's document or
	// keys, and before it looks up a code that a user entered on the device
	// page.
	Limit func(ctx context.Context, l LimitRequest) time.Duration

	// ClientIP returns the client's address for Limit. Set it behind a proxy.
	// The default is the address of the connection.
	ClientIP func(r *http.Request) netip.Addr

	// Events receives every [Event]. Latchkey calls it synchronously before the
	// request is done, so a slow function slows requests down. [LogEvents]
	// makes one that writes a log. If nil, events are off.
	Events func(ctx context.Context, e Event)

	// Logger gets one line for each refused request and each fault. No line
	// contains a code, token, secret, or email address. The default is
	// slog.Default().
	Logger *slog.Logger

	// Now is the clock. The default is time.Now.
	Now func() time.Time
}

// Paths sets the paths of the endpoints below Issuer. If a path is empty, the
// default is the one shown next to it; "-" leaves the endpoint out, unless its
// comment says that it can't be left out.
type Paths struct {
	Authorize  string // "/oauth/authorize"
	Token      string // "/oauth/token"
	UserInfo   string // "/oauth/userinfo"
	Revoke     string // "/oauth/token/revoke"
	Introspect string // "/oauth/token_info"
	Register   string // "/oauth/register", with Config.Registration; registered clients are managed below it

	// Connections is the page of connected applications. Set this path instead
	// of mounting the handler elsewhere, because Latchkey redirects to it. The
	// same is true for Authorize and Register.
	Connections string // "/oauth/connections"

	// DeviceAuthorization is where devices ask for codes, and Device is the
	// page where users enter them. Both exist only with
	// Config.DeviceAuthorization and can't be left out. The handler of Device
	// must not be mounted elsewhere.
	DeviceAuthorization string // "/oauth/device_authorization"
	Device              string // "/oauth/device"

	// JWKS serves the public keys. It exists only with Config.OpenID and can't
	// be left out. Logout is where applications send users to sign out; it
	// exists only with OpenID.SignOut, and its handler must not be mounted
	// elsewhere.
	JWKS   string // "/oauth/jwks"
	Logout string // "/oauth/logout"

	// NoMetadata leaves out the authorization server metadata and the OpenID
	// Connect discovery document. Set it if another server on the same origin
	// has that document: RFC 8414 fixes its path, so it can't be moved.
	NoMetadata bool
}

// leaveOut is the path of an endpoint that is left out.
const leaveOut = "-"

// LimitRequest describes a request to Config.Limit.
type LimitRequest struct {
	// Endpoint is "token", "revoke", "introspect", "register",
	// "device_authorization", "device", or "document". The last one means that
	// a client's document or keys must be fetched.
	Endpoint string

	// ClientID is what the client claims to be, not yet authenticated. It is
	// empty for "register", for "device", and for "introspect" if
	// Config.Introspection has allowed the request, and may be empty otherwise.
	ClientID string

	IP netip.Addr // from Config.ClientIP; may be the zero Addr
}
