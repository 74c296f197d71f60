package provider

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/go-oauth2/oauth2/v4"
)

// tokenResponse is the answer of RFC 6749 section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// tokenParams are the parameters of a token request that may come once.
var tokenParams = []string{"grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "device_code"}

var allTokenParams = append(slices.Clone(tokenParams), resourceParam)

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	if !beginAPI(w, r, http.MethodPost) {
		return
	}
	answer, e := p.exchange(w, r)
	if e != nil {
		p.writeError(w, r, "token", e)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// exchange answers a token request (RFC 6749 section 3.2).
func (p *Provider) exchange(w http.ResponseWriter, r *http.Request) (answer *tokenResponse, e *Error) {
	form, e := readParams(w, r, allTokenParams)
	if e == nil {
		e = repeated(form, tokenParams...)
	}
	if e != nil {
		return nil, e
	}
	app, e := p.clientOf(r, form, "token")
	if e != nil {
		return nil, e
	}
	defer func() { e = e.by(app.ID) }()
	resource, e := p.askedResource(form)
	if e != nil {
		return nil, e
	}
	x := &exchange{app: app, request: r, resource: resource}
	switch form.Get("grant_type") {
	case "":
		return nil, refuse(codeInvalidRequest, "The parameter grant_type is missing: use authorization_code or refresh_token.")
	case "authorization_code":
		if form.Get("redirect_uri") == "" {
			form.Set("redirect_uri", redirectAbsent)
		}
	case "refresh_token":
	case grantTypeDevice:
		if p.cfg.DeviceAuthorization == nil {
			return nil, errGrantType()
		}
		// The engine has no such grant.
		issued, e := p.redeemDeviceCode(r.Context(), x, form.Get("device_code"))
		if e != nil {
			return nil, e
		}
		return p.tokenResponse(issued), nil
	default:
		// Not left to the engine, which knows grants that are not offered and
		// would ask for their parameters.
		return nil, errGrantType()
	}
	ctx := context.WithValue(r.Context(), exchangeKey{}, x)
	request := r.WithContext(ctx)
	request.Form, request.PostForm = form, form
	grantType, generate, err := p.engine.ValidationTokenRequest(request)
	if err != nil {
		return nil, engineError(err)
	}
	token, err := p.engine.GetAccessToken(ctx, grantType, generate)
	if err != nil {
		return nil, engineError(err)
	}
	return p.tokenResponse(token), nil
}

// tokenResponse is the answer with a pair of tokens.
func (p *Provider) tokenResponse(token oauth2.TokenInfo) *tokenResponse {
	return &tokenResponse{
		AccessToken:  token.GetAccess(),
		TokenType:    p.engine.Config.TokenType,
		ExpiresIn:    int64(token.GetAccessExpiresIn() / time.Second),
		RefreshToken: token.GetRefresh(),
		Scope:        token.GetScope(),
	}
}
