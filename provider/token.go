package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
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

// beginAPI does what every endpoint for programs starts with: it allows other
// origins without credentials, answers their preflight and refuses other
// methods. It reports whether the request is to be served.
func beginAPI(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	h := w.Header()
	setHeaders(h, "Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	if slices.Contains(methods, r.Method) {
		return true
	}
	allow := strings.Join(append(methods, "OPTIONS"), ", ")
	if r.Method != http.MethodOptions {
		methodNotAllowed(w, r, allow)
		return false
	}
	h.Set("Allow", allow)
	h.Set("Access-Control-Allow-Methods", allow)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return false
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	noteOutcome(r.Context(), codeInvalidRequest)
	w.Header().Set("Allow", allow)
	writeJSON(w, http.StatusMethodNotAllowed, errorResponse{codeInvalidRequest, "The method is not served here. These are: " + allow + "."})
}

// errorResponse is the error body of RFC 6749 section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// writeError refuses a request of a program. A failed client authentication
// names the scheme to use (RFC 6749 section 5.2).
func (p *Provider) writeError(w http.ResponseWriter, r *http.Request, endpoint string, e *Error) {
	p.refused(r.Context(), endpoint, e)
	if e.Code == codeInvalidClient {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+p.cfg.Issuer+`"`)
	}
	e.setRetryAfter(w.Header())
	writeJSON(w, e.Status, errorResponse{e.Code, e.Description})
}

// writeJSON answers with JSON that no cache keeps (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	buffer := takeBuffer()
	defer buffer.release()
	if err := json.NewEncoder(buffer).Encode(body); err != nil {
		// Only a host's metadata can do this: a channel, a function, a cycle.
		status = http.StatusInternalServerError
		buffer.Reset()
		buffer.WriteString(`{"error":"server_error","error_description":"Something went wrong here."}` + "\n")
	}
	setHeaders(w.Header(), "Content-Type", "application/json", "Cache-Control", "no-store", "Pragma", "no-cache", "X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(buffer.Bytes())
}

// setHeaders sets headers, given as name, value in canonical form. Its one
// allocation is what it is for: Header.Set makes one for each.
func setHeaders(h http.Header, pairs ...string) {
	values := make([]string, 0, len(pairs)/2)
	for i := 1; i < len(pairs); i += 2 {
		values = append(values, pairs[i])
		h[pairs[i-1]] = values[len(values)-1 : len(values) : len(values)]
	}
}
