package provider

import (
	"net/http"
	"time"
)

// TokenHandler serves the token endpoint (RFC 6749 section 3.2).
func (p *Provider) TokenHandler() http.Handler {
	return p.handler(endpoint{name: "token", methods: []string{http.MethodPost}, open: true, serve: (*call).serveToken, refuse: (*call).writeError})
}

// tokenResponse is the answer of RFC 6749 section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`
}

func (c *call) serveToken() *Error {
	form, e := readParams(c.w, c.r, c.offer.forms.token.all)
	if e == nil {
		e = repeated(form, c.offer.forms.token.single...)
	}
	if e != nil {
		return e
	}
	x := exchange{call: c}
	if x.app, e = c.client(form); e != nil {
		return e
	}
	if e := c.admits(c.context(), x.app); e != nil {
		return e // before any of its codes or tokens is spent
	}
	if x.resource, e = c.askedResource(form); e != nil {
		return e
	}
	var issued tokenInfo
	switch grantType := form.Get("grant_type"); {
	case !c.offer.offers(grantType):
		// The engine would accept grants that aren't offered, and ask for their
		// parameters.
		return c.offer.errGrantType(grantType)
	case grantType == grantTypeDevice: // The engine doesn't know this grant.
		issued, e = x.redeemDeviceCode(form.Get("device_code"))
	default:
		issued, e = x.dispatch(form)
	}
	if e != nil {
		return e
	}
	// A repeated answer may come when its access token has expired. Some
	// clients read zero as "never expires"; with one second left they refresh.
	expiresIn := max(1, int64(issued.expiresIn/time.Second))
	writeJSON(c.w, http.StatusOK, tokenResponse{issued.access, tokenType, expiresIn, issued.refresh, issued.id, issued.scope})
	return nil
}
