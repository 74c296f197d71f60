package provider

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// ClientIDDocuments says which applications are let in that nobody has
// registered: the client_id of such a one is the https URL of a document, in
// which it says who it is (draft-ietf-oauth-client-id-metadata-document). It is
// how MCP clients introduce themselves to a server that they have never met.
// Its zero value lets in every one.
//
// A document is fetched for a visitor who is signed in, never for a link alone,
// and is kept as an application only when a user has agreed: so nobody can make
// this server ask others, or fill its store, without users who do so. The
// application is not reviewed: it uses PKCE, its users are asked each
// time, and the page has a warning: see [Provider.ReviewApplication].
// [Provider.ListApplications] lists those that were kept by their Origin,
// [Provider.DeleteApplication] ends all that was issued to one, and Allow keeps
// it from coming back.
//
// A document is written for every server: what is unknown or malformed in it is
// ignored, and a redirect URI that could not be registered here is left out, with
// a line in the log. It has to offer to authenticate by no secret: none is its
// token_endpoint_auth_method, or among its token_endpoint_auth_methods_supported,
// and then it is public. With Config.Keys, one that offers private_key_jwt and not
// none is confidential and authenticates by the keys that its document has or
// leads to, as they are then.
//
// A document is fetched again when its HTTP headers say that it may have
// changed: after a minute at the earliest and a day at the latest, and after
// five minutes where they say nothing. What a document does not list any more
// stops working then. If it takes more than half a second to fetch it again, or
// its server does not answer, it is used as it was for an hour more, unless its
// headers forbid that. Errors are not remembered. A thousand documents are
// remembered in memory, and forgotten ones fetched again. One user can have two
// fetched at a time and twenty in a minute.
type ClientIDDocuments struct {
	// Allow is asked each time somebody comes from such an application, before
	// its document is fetched, and each time that it asks for tokens, to refresh
	// too. So it has to be quick. An error refuses it; an [*Error] is answered as
	// it says, such as with the status 503 where you can't say now, which costs
	// nobody their sign-in. Access tokens that are out work until they expire:
	// [Provider.DeleteApplication] ends them too. Nil: all are allowed.
	Allow func(ctx context.Context, clientID *url.URL) error

	// Scopes are what such an application may ask for, of Config.Scopes. Nil:
	// all of them. Whatever it asks for, its user sees it each time.
	Scopes []string

	// Resource is the URL of the one of Config.Resources that the tokens of such
	// an application are for if it names none: they work there and nowhere else.
	// Empty: where Config.Resources has exactly one it is that one, and otherwise
	// such tokens are for none, and work at the host's whole API.
	Resource string

	// ExpireAfter is how long an application may go unused: [Provider.Cleanup]
	// deletes one to which nobody has signed in for so long and of which no
	// grant is left. The default is 90 days.
	ExpireAfter time.Duration
}

// Registration says who may register applications by the protocol itself (RFC
// 7591), without the host's doing, and how long they are kept. Its zero value
// lets everybody, which is what MCP clients need: give Config.Limit then.
//
// Such an application gets its Origin and no owner, and has to use PKCE. Until
// the host reviews it, the consent page has a warning and no logo: see
// [Provider.ReviewApplication]. The scopes that it registers with are what it
// gets when it asks for none, and no limit: that is Scopes. It manages its
// registration by the token that it is given (RFC 7592).
type Registration struct {
	// Allow is asked with the request and the application as it would be kept;
	// an error refuses. The method is POST for a new application, and the
	// Authorization header may carry an initial access token: the check of
	// [BearerKey] can be called here. It is PUT where an application changes
	// its registration; then that header has been checked already. The body
	// has been read.
	//
	// An error that wraps [ErrInvalidToken] is answered with 401 and
	// invalid_token, an [*Error] as it says, and any other with 403 and
	// access_denied. Nil: anybody may register.
	Allow func(r *http.Request, app Application) error

	// Scopes are what such an application may ask for, of Config.Scopes. Nil:
	// all of them. Whatever it asks for, its user sees it each time.
	Scopes []string

	// Resource is the URL of the one of Config.Resources that the tokens of such
	// an application are for if it names none: they work there and nowhere else.
	// Empty: where Config.Resources has exactly one it is that one, and otherwise
	// such tokens are for none, and work at the host's whole API.
	Resource string

	// ExpireAfter is how long an application that registered itself may go
	// unused: [Provider.Cleanup] deletes one to which nobody has signed in for
	// so long, which has not changed its registration either, and of which no
	// grant is left. The default is 90 days.
	ExpireAfter time.Duration
}

// DeviceAuthorization is how devices without a browser, such as a television or
// a program on a machine far away, ask for access (RFC 8628): the device shows
// a code, and its user enters it on the page at Paths.Device on a telephone or
// computer, and decides there. The user is asked each time, as a link with
// somebody else's code in it may have been sent to them (RFC 8628 section 5.4).
//
// A link with a code fills it in, and the user goes on with a button: following
// a link looks nothing up. A user who enters ten wrong codes within ten minutes
// has to wait. That is
// counted in memory, by each instance for itself: a host with many instances
// counts for all of them in Config.Limit.
//
// Applications that the host has registered may all use it, and need no
// redirect URI for it. One that registered itself must have named the grant in
// its grant_types.
type DeviceAuthorization struct {
	// CodeLifetime is how long the user has. It is between one minute and one
	// hour: the longer, the more codes there are at a time to be guessed at.
	// Zero: 10 minutes.
	CodeLifetime time.Duration

	// Interval is how long a device has to wait between two questions whether
	// its user has decided. It is between one second and one minute; devices
	// are told whole seconds, rounded up. Zero: 5 seconds.
	Interval time.Duration
}

// Machines says what applications may do by themselves, without a user: a job
// that runs at night, or a service that calls another one (RFC 6749 section 4.4).
// An application may if the host has given it ApplicationSettings.MachineScopes.
// It asks the token endpoint with the grant_type client_credentials and its
// secret or key, and gets an access token and no refresh token: it asks again
// when the token has expired.
//
// A machine is nobody's account. No guard lets its tokens in unless the host says
// so: see [Provider.AllowMachines]. [Token.Machine] tells them from those of
// people. The introspection endpoint calls it "client:" followed by its client_id
// in sub. So while Machines is set, a user whose ID begins with "client:" is
// refused everywhere.
type Machines struct {
	// Scopes are what an application may have among its MachineScopes, of
	// Config.Scopes. Nil: all of them.
	Scopes []string

	// PerMinute is how many tokens one application gets in a minute, all at once
	// or spread. An application uses a token until it expires, so one that runs in
	// many places at once needs about as many tokens as places. More are refused
	// with 429 and a Retry-After. Each instance counts for itself, in memory. The
	// default is 60.
	PerMinute int
}

// OpenID is what the provider offers by OpenID Connect. Its zero value offers the
// code flow, without a way to sign out.
//
// An application that asks for the scope openid gets an ID token beside its
// access token, from the code, at each refresh, and for devices. It names the user as user_id
// does, says when and how they signed in as far as Session does, and holds what
// the granted scopes reveal, as the userinfo document does. Scopes named address
// and phone in Config.Scopes reveal those fields of [userinfo.User].
//
// Implicit and hybrid flows, request objects, pairwise subjects, encryption, and
// signed userinfo documents are not offered.
type OpenID struct {
	// SignOut ends the host's own session of the visitor: it is called for a
	// visitor who has asked, or agreed, to sign out, before they are sent on, and
	// may set cookies but must not write the answer. An error shows an error page
	// with status 503, and drops the cookies that were set. Nil: applications can't
	// send users to sign out (OpenID Connect RP-Initiated Logout 1.0).
	SignOut func(w http.ResponseWriter, r *http.Request) error

	// IDTokenLifetime is how long an ID token may be verified. The default is an
	// hour, the most is a day.
	IDTokenLifetime time.Duration

	// ACRValues are the authentication context class references that
	// Session.ACR may have, for the metadata. Nil: none are named.
	ACRValues []string
}

// Workspaces are what users act for in a host with organizations, teams, or the
// like. An application whose ApplicationSettings.Workspace says so, and those
// that Agents is about, get tokens for the one workspace that their user chooses
// on the consent page, or that their request names in the parameter workspace.
// [Token.WorkspaceID] says which. Both functions are required.
type Workspaces struct {
	// List returns the workspaces for which the user may let applications act, in
	// the order in which the page shows them. Of several with the same ID, the first
	// counts. It is asked for the consent page, for its answer, for a workspace that
	// a request names where SkipConsent skips the page, and for the page of connected
	// applications. An error is answered with 503.
	List func(ctx context.Context, userID string) ([]Workspace, error)

	// Member reports whether the user may still act for the workspace. It is asked
	// before a sign-in without a page, when a page is answered, when a code is
	// redeemed, at each refresh, and for introspection and the userinfo document,
	// and never by [Provider.Require]. False is final: at a token request it ends
	// everything that the user has in the workspace, as [Provider.LeaveWorkspace]
	// does. If you can't say, return an error: the request is answered with 503 and
	// can be repeated.
	Member func(ctx context.Context, userID, workspaceID string) (bool, error)

	// Agents says how applications use workspaces that the host didn't make: those
	// that registered themselves, and those known by a document, such as MCP
	// clients. One with an ApplicationSettings.Workspace of its own has that. The
	// default is that they act for the user alone.
	Agents store.WorkspaceUse
}

// Workspace is a workspace, as the pages show it.
type Workspace struct {
	ID         string // at most 256 bytes; never empty
	Name       string // what people call it; empty: its ID
	PictureURL string // https, or below Config.Issuer; may be empty
}

// Resource is an API of the host's for which tokens are issued apart (RFC
// 8707): an MCP server, for example. An application that names its URL in the
// parameter resource gets tokens that work there and nowhere else, so that what
// leaks at one API opens no other.
type Resource struct {
	// URL is what the resource is called, character for character, and where it
	// is: https, or http on a loopback address for development, without query,
	// fragment and trailing slash, such as "https://app.example.com/mcp". A URL
	// without a path is also known with a single slash at its end, as many
	// clients cannot write it otherwise.
	URL string

	// Name is what people call it, for the consent page. Empty: its URL.
	Name string

	// Scopes are what it understands, of Config.Scopes. An application that
	// asks for no scope gets no other ones for it. Nil: all.
	Scopes []string

	// Lifetimes go before those of the Config for codes and tokens that are for
	// this resource. A field that is zero says nothing; see [Lifetimes].
	Lifetimes Lifetimes
}
