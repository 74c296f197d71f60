package provider

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/server"

	"github.com/latchkey-go/latchkey/store"
)

// This file is the whole seam to go-oauth2. Its server.Server parses the
// requests for a code and a refresh at the token endpoint and dispatches them to
// the manager below. Where it can't say what a standard requires, the code
// around it does:
//
//   - It wants a redirect_uri in every code exchange. OAuth 2.1 clients leave
//     it out, so serveToken puts redirectAbsent in its place.
//   - Its refusals of a request are sentinels with statuses of their own;
//     engineError turns them into ours.
//
// Its default manager and stores are not used: they redeem codes by reading
// and then deleting, and don't authenticate the client on refresh.

// redirectAbsent stands for a redirect_uri that was left out. No parameter can
// have this value, as NUL is refused.
const redirectAbsent = "\x00"

// newEngine returns the go-oauth2 server over the provider's own manager.
func newEngine(p *Provider) *server.Server {
	s := server.NewServer(&server.Config{
		TokenType:         "Bearer",
		AllowedGrantTypes: []oauth2.GrantType{oauth2.AuthorizationCode, oauth2.Refreshing},
	}, manager{p: p})
	// Who the client is has been found out before the engine is asked.
	s.ClientInfoHandler = func(r *http.Request) (string, string, error) {
		return exchangeFrom(r.Context()).app.ClientID, "", nil
	}
	return s
}

// engineError turns a refusal by the engine itself into ours. What the manager
// returned comes through as it is.
func engineError(err error) *Error {
	if errors.Is(err, oautherrors.ErrInvalidRequest) {
		return refuse(codeInvalidRequest, "A parameter that this grant_type needs is missing: code or refresh_token.")
	}
	return asError(err)
}

func errGrantType() *Error {
	return refuse(codeUnsupportedGrantType, "The grant_type is not offered: use authorization_code or refresh_token.")
}

func errChallenge() *Error {
	return refuse(codeInvalidRequest, "The code_challenge must be the S256 one of RFC 7636: 43 characters of base64url, with code_challenge_method=S256.")
}

// exchange is one request to the token endpoint, known to the manager through
// its context.
type exchange struct {
	app      store.Application
	request  *http.Request
	resource *ProtectedResource // nil: that of the grant
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// manager is go-oauth2's view of the provider. It has the two methods that the
// engine calls at the token endpoint; the interface that it embeds is nil and
// stands for the others.
type manager struct {
	oauth2.Manager
	p *Provider
}

// GenerateAccessToken redeems an authorization code.
func (m manager) GenerateAccessToken(ctx context.Context, _ oauth2.GrantType, tgr *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	redirectURI := tgr.RedirectURI
	if redirectURI == redirectAbsent {
		redirectURI = ""
	}
	return result(m.p.redeemCode(ctx, exchangeFrom(ctx), tgr.Code, redirectURI, tgr.CodeVerifier))
}

// RefreshAccessToken rotates a refresh token.
func (m manager) RefreshAccessToken(ctx context.Context, tgr *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	return result(m.p.rotateRefresh(ctx, exchangeFrom(ctx), tgr.Refresh, tgr.Scope))
}

// result is what the engine wants: an untyped nil where there is no error.
func result(issued tokenInfo, e *Error) (oauth2.TokenInfo, error) {
	if e != nil {
		return nil, e
	}
	return issued, nil
}

// tokenInfo carries freshly made texts through the engine for the length of
// one answer. It has the getters that the engine calls; the interface that it
// embeds is nil and stands for the setters, which nobody here calls.
type tokenInfo struct {
	oauth2.TokenInfo
	access, refresh, scope string
	expiresIn              time.Duration
}

func (t tokenInfo) GetAccess() string                 { return t.access }
func (t tokenInfo) GetRefresh() string                { return t.refresh }
func (t tokenInfo) GetScope() string                  { return t.scope }
func (t tokenInfo) GetAccessExpiresIn() time.Duration { return t.expiresIn }
