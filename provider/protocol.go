package provider

import (
	"slices"

	"github.com/latchkey-go/latchkey/scopes"
)

// The grant types.
const (
	grantAuthorizationCode = "authorization_code"
	grantRefreshToken      = "refresh_token"
	grantClientCredentials = "client_credentials"
	grantTypeDevice        = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 section 3.4
)

// How clients authenticate.
const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authNone  = "none"
	authKey   = "private_key_jwt"
)

// machineSubject starts the sub of a machine's token, before the client_id. No
// user's ID may start with it while Config.Machines is set.
const machineSubject = "client:"

const tokenType = "Bearer" // of every access token

// offlineAccess is the scope with which clients ask for a refresh token (OpenID
// Connect Core section 11). Every code leads to one, so Latchkey grants the
// scope to every client that asks.
const offlineAccess = "offline_access"

// openID is the scope with which clients ask for an ID token.
const openID = "openid"

// tolerated are scopes that no application has but many clients always ask for.
// Refusing them would lock those clients out, so they are removed from
// requests.
var tolerated = scopes.New(openID, offlineAccess)

// authorizeParams are the known parameters of an authorization request. All
// others are ignored (RFC 6749 section 3.1).
var authorizeParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "code_challenge", "code_challenge_method",
	"prompt", "login_hint", resourceParam, signInAfter,
}

// openIDParams are the parameters that OpenID Connect adds (Core section
// 3.1.2.1).
var openIDParams = []string{
	"nonce", "max_age", "id_token_hint", "acr_values", "claims", "ui_locales", "claims_locales", "display", "request", "request_uri", "registration",
}

// knownParams are the parameters that an endpoint knows. Those in single may
// occur once. All others are ignored.
type knownParams struct{ single, all []string }

// forms are the parameters of the endpoints where clients authenticate.
type forms struct{ token, question, device knownParams }

// newForms returns forms with the parameters with which a client authenticates,
// and those that a device may send.
func newForms(authenticate []string, ofDevice ...string) forms {
	of := func(resources bool, single ...string) knownParams {
		f := knownParams{single: slices.Concat(authenticate, single)}
		f.all = f.single
		if resources { // A second resource has a separate error in RFC 8707.
			f.all = slices.Concat(single, authenticate, []string{resourceParam})
		}
		return f
	}
	return forms{
		token: of(true, "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "device_code"),
		// RFC 7009 section 2.1, RFC 7662 section 2.1
		question: of(false, "token", "token_type_hint"),
		device:   of(true, append([]string{"scope"}, ofDevice...)...),
	}
}

// The parameters with which a client identifies itself: with a secret, and with
// a key (RFC 7521 section 4.2).
var (
	bySecret = []string{"client_id", "client_secret"}
	byKey    = []string{"client_assertion", "client_assertion_type"}
)

const (
	// resourceParam names a resource (RFC 8707 section 2).
	resourceParam = "resource"

	// workspaceParam names a workspace in a request, if Config has Workspaces,
	// and in the form of a page.
	workspaceParam = "workspace"

	// signInAfter is Latchkey's own parameter. It is added when a visitor is
	// sent to sign in, and says when that was, so that Latchkey can tell the
	// return from a first visit.
	signInAfter = "sign_in_after"
)
