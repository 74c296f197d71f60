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
// asks: it says what is true, and nobody has to agree to it. It is in the scopes
// of a grant, and not in those of applications and consents.
const offlineAccess = "offline_access"

// tolerated are scopes that no application has and that many clients always ask
// for, whom refusing them would lock out. What is asked for is read without
// them. OpenID Connect itself is not offered.
var tolerated = scopes.New("openid", offlineAccess)
