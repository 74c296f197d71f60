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

// This file is the whole seam to go-oauth2. Its server.Server reads a request
// whose parameters were checked before, decides which grant it is and which
// parameters that needs, and calls the manager below. Where it cannot say what
// a standard requires, the code around it does:
//
//   - It takes an absent code_challenge_method for plain. Both methods are
//     allowed there, and plain is refused in GenerateAuthToken.
//   - It wants a redirect_uri in every code exchange. OAuth 2.1 clients leave
//     it out, so serveToken puts redirectAbsent in its place.
//   - Its refusals of a request are sentinels with statuses of their own;
//     engineError turns them into ours.
//   - Its redirects re-encode the query and have no place for iss (RFC 9207),
//     so answers are written by serveAuthorize and serveToken.
//
// Its default manager and stores are not used: they redeem codes by reading
// and then deleting, and do not authenticate the client on refresh.

// redirectAbsent stands for a redirect_uri that was left out. No parameter can
// have this value, as NUL is refused.
const redirectAbsent = "\x00"

// newEngine returns the go-oauth2 server over the provider's own manager.
func newEngine(p *Provider) *server.Server {
	s := server.NewServer(&server.Config{
		TokenType:            "Bearer",
		AllowedResponseTypes: []oauth2.ResponseType{oauth2.Code},
		AllowedGrantTypes:    []oauth2.GrantType{oauth2.AuthorizationCode, oauth2.Refreshing},
		AllowedCodeChallengeMethods: []oauth2.CodeChallengeMethod{
			oauth2.CodeChallengePlain, oauth2.CodeChallengeS256,
		},
	}, manager{p})
	// Who the client is has been found out before the engine is asked.
	s.ClientInfoHandler = func(r *http.Request) (string, string, error) {
		return exchangeFrom(r.Context()).app.ClientID, "", nil
	}
	return s
}

// engineError turns a refusal by the engine itself into ours. What the manager
// returned comes through as it is.
func engineError(err error) *Error {
	switch {
	case errors.Is(err, oautherrors.ErrUnsupportedGrantType), errors.Is(err, oautherrors.ErrUnauthorizedClient):
		return errGrantType()
	case errors.Is(err, oautherrors.ErrUnsupportedResponseType):
		return refuse(codeUnsupportedResponseType, "The response_type is not offered: use code.")
	case errors.Is(err, oautherrors.ErrInvalidRequest):
		return refuse(codeInvalidRequest, "A parameter that this grant_type needs is missing: code or refresh_token.")
	case errors.Is(err, oautherrors.ErrInvalidCodeChallengeLen), errors.Is(err, oautherrors.ErrUnsupportedCodeChallengeMethod):
		return errChallenge()
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

// manager is go-oauth2's view of the provider.
type manager struct{ p *Provider }

var _ oauth2.Manager = manager{}

// GetClient finds a client by its client_id.
func (m manager) GetClient(ctx context.Context, clientID string) (oauth2.ClientInfo, error) {
	app, err := m.p.FindClient(ctx, clientID)
	if err != nil {
		return nil, err
	}
	return clientInfo{app}, nil
}

// GenerateAuthToken makes the grant and its authorization code. The request
// has been checked and agreed to; what the engine does not carry is in the
// context.
func (m manager) GenerateAuthToken(ctx context.Context, _ oauth2.ResponseType, tgr *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	if tgr.CodeChallenge != "" && tgr.CodeChallengeMethod != oauth2.CodeChallengeS256 {
		return nil, errChallenge()
	}
	a, _ := ctx.Value(authorizationKey{}).(*authorization)
	return result(m.p.issueCode(ctx, a, tgr.CodeChallenge))
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

// LoadAccessToken finds a live access token.
func (m manager) LoadAccessToken(ctx context.Context, access string) (oauth2.TokenInfo, error) {
	t, err := m.p.Verify(ctx, access)
	if err != nil {
		return nil, err
	}
	return tokenInfo{access: access, scope: t.Scopes.String(), expiresIn: t.ExpiresAt.Sub(m.p.now())}, nil
}

// LoadRefreshToken finds a live refresh token.
func (m manager) LoadRefreshToken(ctx context.Context, refresh string) (oauth2.TokenInfo, error) {
	t, _, err := m.p.findLive(ctx, store.KindRefresh, refresh)
	if err != nil {
		return nil, err
	}
	return tokenInfo{refresh: refresh, scope: t.Scopes.String()}, nil
}

// RemoveAccessToken revokes an access token.
func (m manager) RemoveAccessToken(ctx context.Context, access string) error {
	return m.remove(ctx, store.KindAccess, access)
}

// RemoveRefreshToken revokes a refresh token and with it its grant.
func (m manager) RemoveRefreshToken(ctx context.Context, refresh string) error {
	return m.remove(ctx, store.KindRefresh, refresh)
}

func (m manager) remove(ctx context.Context, kind store.Kind, text string) error {
	_, grant, err := m.p.findLive(ctx, kind, text)
	if err != nil {
		return err
	}
	c, _ := m.p.decode(kind, text)
	ctx, until := m.p.writing(ctx)
	defer until.stop()
	return m.p.cfg.Store.RevokeToken(ctx, store.TokenRevocation{Key: c.key(kind), ApplicationID: grant.ApplicationID, At: m.p.now()})
}

// clientInfo is an application as go-oauth2 sees it.
type clientInfo struct{ app store.Application }

func (c clientInfo) GetID() string     { return c.app.ClientID }
func (c clientInfo) GetSecret() string { return "" } // only its hash is known
func (c clientInfo) GetDomain() string { return "" } // redirect URIs are matched before
func (c clientInfo) IsPublic() bool    { return c.app.Public }
func (c clientInfo) GetUserID() string { return c.app.OwnerID }

// tokenInfo carries freshly made texts through the engine for the length of
// one answer. It has the getters that the engine calls; the interface that it
// embeds is nil and stands for the setters, which nobody here calls.
type tokenInfo struct {
	oauth2.TokenInfo
	code, access, refresh, scope string
	expiresIn                    time.Duration
}

func (t tokenInfo) GetCode() string                   { return t.code }
func (t tokenInfo) GetAccess() string                 { return t.access }
func (t tokenInfo) GetRefresh() string                { return t.refresh }
func (t tokenInfo) GetScope() string                  { return t.scope }
func (t tokenInfo) GetAccessExpiresIn() time.Duration { return t.expiresIn }
