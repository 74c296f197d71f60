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

// The ways in which a client authenticates.
const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authNone  = "none"
	authKey   = "private_key_jwt"
)

// machineSubject goes in front of a client_id where a machine stands in the place
// of a user. No user's ID begins with it while there are machines.
const machineSubject = "client:"

const tokenType = "Bearer" // of every access token

// offlineAccess is the scope by which clients ask for a refresh token (OpenID
// Connect Core section 11). Every code leads to one, so it is granted to anyone who
// asks: it says what is true.
const offlineAccess = "offline_access"

// openID is the scope by which clients ask for an ID token.
const openID = "openid"

// tolerated are scopes that no application has and that many clients always ask
// for, whom refusing them would lock out. What is asked for is read without
// them.
var tolerated = scopes.New(openID, offlineAccess)

// authorizeParams are the parameters of an authorization request that mean
// something here. All others are ignored (RFC 6749 section 3.1).
var authorizeParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "code_challenge", "code_challenge_method",
	"prompt", "login_hint", resourceParam, signInAfter,
}

// openIDParams are those that OpenID Connect adds (Core section 3.1.2.1).
var openIDParams = []string{
	"nonce", "max_age", "id_token_hint", "acr_values", "claims", "ui_locales", "claims_locales", "display", "request", "request_uri", "registration",
}

// knownParams are the parameters of a form that mean something to its endpoint.
// The single ones may come once. All others are ignored.
type knownParams struct{ single, all []string }

// forms are those of the endpoints at which clients authenticate.
type forms struct{ token, question, device knownParams }

// newForms returns them with the parameters by which a client authenticates, and
// those that a device may send.
func newForms(authenticate []string, ofDevice ...string) forms {
	of := func(resources bool, single ...string) knownParams {
		f := knownParams{single: slices.Concat(authenticate, single)}
		f.all = f.single
		if resources { // For a second resource RFC 8707 has a separate error.
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

// The parameters by which a client says who it is: by a secret, and by a key (RFC
// 7521 section 4.2).
var (
	bySecret = []string{"client_id", "client_secret"}
	byKey    = []string{"client_assertion", "client_assertion_type"}
)

const (
	// resourceParam names a resource (RFC 8707 section 2).
	resourceParam = "resource"

	// workspaceParam names a workspace, in a request where Config has them, and in
	// the form of a page.
	workspaceParam = "workspace"

	// signInAfter is a parameter of the provider's own. It goes along when a
	// visitor is sent to sign in and says when that was, so that the provider can
	// tell the return from a first visit.
	signInAfter = "sign_in_after"
)
