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

// tolerated are scopes that many clients always ask for. They are dropped and
// never granted, as refusing them would lock those clients' users out. OpenID
// Connect itself is not offered.
var tolerated = scopes.New("openid", "offline_access")
