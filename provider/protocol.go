package provider

import "github.com/latchkey-go/latchkey/scopes"

// The grant types.
const (
	grantAuthorizationCode = "authorization_code"
	grantRefreshToken      = "refresh_token"
	grantTypeDevice        = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 section 3.4
)

// offeredAuthMethods are the ways in which a client may authenticate (RFC 7591
// section 2). Of the two with a secret it may use either.
var offeredAuthMethods = []string{authBasic, authPost, authNone}

// The ways in which a client authenticates.
const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authNone  = "none"
)

const tokenType = "Bearer" // of every access token

// offlineAccess is the scope by which clients ask for a refresh token (OpenID
// Connect Core section 11). Every code leads to one, so it is granted to whoever
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

const (
	// resourceParam names a resource (RFC 8707 section 2).
	resourceParam = "resource"

	// signInAfter is a parameter of the provider's own. It goes along when a
	// visitor is sent to sign in and says when that was, so that the provider can
	// tell the return from a first visit.
	signInAfter = "sign_in_after"
)
