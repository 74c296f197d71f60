package provider

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// ClientIDDocuments enables clients identified by a metadata document: the
// client_id is the https URL of a document that describes the application
// (draft-ietf-oauth-client-id-metadata-document). MCP clients use this to
// introduce themselves to a server they have never met. The zero value allows
// every application.
//
// The host has not reviewed such an application: it must use PKCE, and the
// consent page warns its users: see [Provider.ReviewApplication]. Latchkey saves the application when a user
// agrees. [Provider.ListApplications] lists saved ones by their Origin,
// [Provider.DeleteApplication] ends everything that was issued to one, and
// Allow keeps it from coming back.
//
// Latchkey fetches a document only for a signed-in visitor, so a link alone
// can't make this server send requests or fill its store. One user can have two
// fetches running at a time and start twenty in a minute.
//
// The same document serves every authorization server, so Latchkey ignores
// unknown or malformed fields, and leaves out redirect URIs that can't be
// registered here, with a line in the log. The document must offer a way to
// authenticate without a shared secret, in token_endpoint_auth_method or
// token_endpoint_auth_methods_supported:
//
//   - none makes the application a public client.
//   - private_key_jwt without none makes it a confidential client, which
//     authenticates with the keys in the document or at its jwks_uri. This
//     needs Config.Keys.
//
// Latchkey fetches a document again when its HTTP cache headers say so, after
// one minute at the earliest and one day at the latest. The default is five
// minutes. What the document no longer lists then stops working. If the new
// fetch fails or takes more than half a second, the old document is used for
// one more hour, unless its headers forbid that. Errors are not cached. The
// cache is in memory and holds a thousand documents.
type ClientIDDocuments struct {
	// Allow decides which applications may be used; return an error to refuse
	// one. Latchkey calls it each time a user comes from the application, before
	// it fetches the document, and at each token request, refreshes included, so
	// it must be quick. An [*Error] sets the answer: return one with status 503
	// if you can't tell right now, and no one loses their sign-in. Access tokens
	// that were issued work until they expire, unless you call
	// [Provider.DeleteApplication]. If nil, all are allowed.
	Allow func(ctx context.Context, clientID *url.URL) error

	// Scopes lists the scopes of Config.Scopes that such an application may ask
	// for. The consent page shows what it asks for. If nil, all of them.
	Scopes []string

	// Resource is the URL of the entry of Config.Resources that tokens are for
	// if such an application names none: they work there and nowhere else. The
	// default is the only entry. If there are several or none, such tokens are
	// for [Provider.Require].
	Resource string

	// ExpireAfter is how long an application may go unused. [Provider.Cleanup]
	// deletes it if no one has signed in to it for that long and no grant is
	// left. The default is 90 days.
	ExpireAfter time.Duration
}

// Registration enables dynamic client registration (RFC 7591) and sets how long
// unused registrations are kept. The zero value lets anyone register, as MCP
// clients need; set Config.Limit then.
//
// A registered application has no owner and must use PKCE. The consent page
// shows a warning and no logo until the host reviews it: see
// [Provider.ReviewApplication]. The scopes in the registration are what the
// application gets when it asks for none; Scopes limits what it may ask for. It
// manages its registration with the token that it gets (RFC 7592).
type Registration struct {
	// Allow decides who may register; return an error to refuse. It gets the
	// application as it would be saved. The request has method POST for a new
	// application, and may have an initial access token in its Authorization
	// header: check that with [BearerKey]. The method is PUT if an application
	// changes its registration; Latchkey has checked its token by then. The body
	// has been read.
	//
	// An error that wraps [ErrInvalidToken] is answered with 401 and
	// invalid_token. An [*Error] is answered as it says. Any other error is
	// answered with 403 and access_denied. If nil, anyone may register.
	Allow func(r *http.Request, app Application) error

	// Scopes lists the scopes of Config.Scopes that such an application may ask
	// for. The consent page shows what it asks for. If nil, all of them.
	Scopes []string

	// Resource is the URL of the entry of Config.Resources that tokens are for
	// if such an application names none: they work there and nowhere else. The
	// default is the only entry. If there are several or none, such tokens are
	// for [Provider.Require].
	Resource string

	// ExpireAfter is how long a registered application may go unused.
	// [Provider.Cleanup] deletes it if for that long no one has signed in to it,
	// it hasn't changed its registration, and no grant is left. The default is
	// 90 days.
	ExpireAfter time.Duration
}

// DeviceAuthorization enables the device flow (RFC 8628), for a TV or a program
// on a remote machine. The device shows a code. Its user enters the code on the
// page at Paths.Device, on a phone or computer, and decides there. The user is
// asked each time, because someone may have sent them a link with a code for
// another device (RFC 8628 section 5.4).
//
// A link with a code fills in the form. Latchkey looks the code up only when
// the user presses the button. A user who enters ten wrong codes within ten
// minutes must wait. Each instance counts in memory; if you run many instances,
// also count in Config.Limit.
//
// Every application that the host created may use the device flow, without a
// redirect URI. An application that registered itself must have the grant in
// its grant_types.
type DeviceAuthorization struct {
	// CodeLifetime is how long the user has to enter the code, between 1 minute
	// and 1 hour. A longer lifetime leaves more valid codes to guess. The default
	// is 10 minutes.
	CodeLifetime time.Duration

	// Interval is how long a device must wait between two token requests, between
	// 1 second and 1 minute, rounded up to whole seconds. The default is 5
	// seconds.
	Interval time.Duration
}

// Machines enables tokens without a user, for a nightly job or a service that
// calls another (client_credentials, RFC 6749 section 4.4). An application
// needs ApplicationSettings.MachineScopes. It authenticates at the token
// endpoint with its secret or key, and gets an access token and no refresh
// token. When the token expires, it asks for another.
//
// A machine has no user account. [Provider.Require] rejects its tokens; use
// [Provider.AllowMachines] to accept them, and [Token.Machine] to tell them
// from those of people. In introspection, sub is "client:" followed by the
// client_id. Therefore, while Machines is set, a user whose ID begins with
// "client:" is refused everywhere.
type Machines struct {
	// Scopes lists the scopes of Config.Scopes that MachineScopes may have. If
	// nil, all of them.
	Scopes []string

	// PerMinute is how many tokens an application may get in a minute, at once
	// or spread out. Latchkey refuses more with 429 and a Retry-After. An
	// application that runs in many places needs about as many tokens as places.
	// Each instance counts for itself, in memory. The default is 60.
	PerMinute int
}

// OpenID enables OpenID Connect. The zero value offers the code flow, and no
// way to sign out.
//
// An application that asks for the scope openid gets an ID token with its
// access token: for a code, at each refresh, and in the device flow. The ID
// token names the user with the same ID as the userinfo document, says when and
// how they signed in as far as [Session] does, and has the claims that the
// granted scopes reveal. Scopes named address and phone in Config.Scopes reveal
// those fields of [userinfo.User].
//
// Implicit and hybrid flows, request objects, pairwise subjects, encryption,
// and signed userinfo documents are not supported.
type OpenID struct {
	// SignOut ends the visitor's session at the host. Latchkey calls it when the
	// visitor has asked, or agreed, to sign out, before it redirects them.
	// SignOut may set cookies, but must not write the response. If it returns an
	// error, Latchkey drops those cookies and shows an error page with status
	// 503. If nil, RP-Initiated Logout (OpenID Connect RP-Initiated Logout 1.0)
	// is off.
	SignOut func(w http.ResponseWriter, r *http.Request) error

	// IDTokenLifetime is how long an ID token is valid, at most 24 hours. The
	// default is 1 hour.
	IDTokenLifetime time.Duration

	// ACRValues lists the authentication context class references that
	// Session.ACR can have, for the metadata. The default is none.
	ACRValues []string
}

// Workspaces lets users choose which of their workspaces (organizations, teams)
// an application may act for. It applies to applications whose
// ApplicationSettings.Workspace says so, and to those that Agents covers. Their
// tokens are for the one workspace that the user chooses on the consent page,
// or that the request names in the parameter workspace. [Token.WorkspaceID] has
// its ID. List and Member are required.
type Workspaces struct {
	// List returns the workspaces that the user may let applications act for, in
	// the order to show them. Of several with the same ID, the first counts.
	// Latchkey calls it for the consent page and its answer, for the page of
	// connected applications, and for a workspace that a request names when
	// SkipConsent skips the page. If it returns an error, Latchkey answers with
	// 503.
	List func(ctx context.Context, userID string) ([]Workspace, error)

	// Member reports whether the user may still act for the workspace. Latchkey
	// calls it before a sign-in without a page, when a page is answered, when a
	// code is redeemed, at each refresh, and for introspection and the userinfo
	// document. [Provider.Require] doesn't call it.
	//
	// False is final: at a token request it ends everything that the user has in
	// the workspace, like [Provider.LeaveWorkspace]. If you can't tell, return
	// an error: Latchkey answers with 503, and the client can try again.
	Member func(ctx context.Context, userID, workspaceID string) (bool, error)

	// Agents sets how applications that the host didn't create, such as MCP
	// clients, use workspaces: those that registered themselves and those known
	// by a document. The ApplicationSettings.Workspace of an application takes
	// precedence. The default is store.WorkspaceNone: they act for the user
	// alone.
	Agents store.WorkspaceUse
}

// Workspace describes a workspace on the pages.
type Workspace struct {
	ID         string // required; at most 256 bytes
	Name       string // shown to people; the default is ID
	PictureURL string // https, or below Config.Issuer; optional
}

// Resource describes an API that needs separate tokens (RFC 8707), such as an
// MCP server. An application that names its URL in the parameter resource gets
// tokens that work there and nowhere else, so a token that leaks from one API
// opens no other.
type Resource struct {
	// URL identifies the resource, compared character for character, and says
	// where it is, such as "https://app.example.com/mcp". It must be https, or
	// http on a loopback address for development, without query, fragment, or
	// trailing slash. If it has no path, Latchkey also accepts it with a
	// trailing slash, because many clients can't write it any other way.
	URL string

	// Name is shown on the consent page. The default is URL.
	Name string

	// Scopes lists the scopes of Config.Scopes that the API understands. They
	// are the only ones that an application gets for it by asking for none. If
	// nil, all of them.
	Scopes []string

	// Lifetimes sets the lifetimes of codes and tokens for this resource. A zero
	// field falls through to the next level; see [Lifetimes].
	Lifetimes Lifetimes
}
