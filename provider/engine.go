package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/server"
)

// This file is the whole interface to go-oauth2. Its server.Server parses token
// requests for a code, a refresh, and a machine's token, and dispatches them to
// the methods of exchange below. Where it doesn't follow a standard, the code
// around it does:
//
//   - It requires a redirect_uri in every code exchange. OAuth 2.1 clients
//     leave it out, so dispatch substitutes redirectAbsent.
//   - It refuses requests with sentinel errors that have their own statuses;
//     engineError converts them.
//
// Its default manager and stores are not used: they read a code and then delete
// it, which isn't atomic, and don't authenticate the client on refresh.

// redirectAbsent stands for a missing redirect_uri. No parameter can have this
// value, because Latchkey refuses NUL.
const redirectAbsent = "\x00"

var engineConfig = server.Config{
	TokenType:         tokenType,
	AllowedGrantTypes: []oauth2.GrantType{oauth2.AuthorizationCode, oauth2.Refreshing, oauth2.ClientCredentials},
}

// dispatch has the engine parse a request for a code, a refresh, or a machine's
// token and call the manager for it.
func (x *exchange) dispatch(form url.Values) (tokenInfo, *Error) {
	if form.Get("grant_type") == grantAuthorizationCode && form.Get("redirect_uri") == "" {
		form.Set("redirect_uri", redirectAbsent)
	}
	engine := server.Server{
		Config: &engineConfig, Manager: x, ClientInfoHandler: knownClient,
		RefreshTokenResolveHandler: server.RefreshTokenFormResolveHandler,
	}
	grantType, generate, err := engine.ValidationTokenRequest(&http.Request{Method: http.MethodPost, Form: form, PostForm: form})
	if err != nil {
		return tokenInfo{}, engineError(err)
	}
	issued, err := engine.GetAccessToken(x.context(), grantType, generate)
	if err != nil {
		return tokenInfo{}, engineError(err)
	}
	return *issued.(*tokenInfo), nil
}

// engineError converts a refusal by the engine itself. Errors of the manager
// stay as they are.
func engineError(err error) *Error {
	if errors.Is(err, oautherrors.ErrInvalidRequest) {
		return refuse(codeInvalidRequest, "A parameter that this grant_type needs is missing: code or refresh_token.")
	}
	return asError(err)
}

// knownClient returns no client, because the exchange knows who authenticated.
func knownClient(*http.Request) (string, string, error) { return "", "", nil }

// GenerateAccessToken redeems an authorization code, or gives a machine its token.
func (x *exchange) GenerateAccessToken(_ context.Context, grantType oauth2.GrantType, tgr *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	if grantType == oauth2.ClientCredentials {
		return result(x.issueToMachine(tgr.Scope))
	}
	redirectURI := tgr.RedirectURI
	if redirectURI == redirectAbsent {
		redirectURI = ""
	}
	return result(x.redeemCode(tgr.Code, redirectURI, tgr.CodeVerifier))
}

// RefreshAccessToken rotates a refresh token.
func (x *exchange) RefreshAccessToken(_ context.Context, tgr *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	return result(x.rotateRefresh(tgr.Refresh, tgr.Scope))
}

// result returns an untyped nil if there is no error, which the engine
// requires.
func result(issued tokenInfo, e *Error) (oauth2.TokenInfo, error) {
	if e != nil {
		return nil, e
	}
	return &issued, nil
}
