package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// Token is a live access token, as the host's own API sees it.
type Token struct {
	UserID        string
	ApplicationID string
	GrantID       store.GrantID
	Scopes        scopes.Set
	ExpiresAt     time.Time
}

// The reasons for which [Provider.Verify] refuses, to be found with errors.Is.
var (
	// ErrInvalidToken: the token is malformed, unknown, expired or revoked.
	ErrInvalidToken = errors.New("provider: invalid token")
	// ErrInsufficientScope: the token lacks a scope.
	ErrInsufficientScope = errors.New("provider: insufficient scope")
)

// Require returns middleware that lets a request through only with an access
// token that has all the given scopes; the handler finds it with
// [TokenFromContext]. Others are answered as RFC 6750 says: 401 without a good
// token, 403 with insufficient_scope. It asks the store once and does not call
// Config.Users: to cut a user off, call [Provider.RevokeGrants].
//
// For pages of other origins put CORS middleware around it, not inside: a
// preflight carries no token, and a 401 that a page cannot read looks to it
// like a broken network.
//
// Require panics if a scope is not one of Config.Scopes, as no token could
// ever have it.
func (p *Provider) Require(scope ...string) func(http.Handler) http.Handler {
	required := scopes.New(scope...)
	if unknown := required.Minus(p.scopes); len(unknown) > 0 {
		panic(fmt.Sprintf("provider: Require: the scope %q is not in Config.Scopes", unknown[0]))
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			token, e := p.admit(r, scope)
			if e != nil {
				p.writeBearerError(w, r, "guard", e)
				p.emitRequest(r, "guard", &outcome{e.Code, e.applicationID}, start)
				return
			}
			p.emitRequest(r, "guard", &outcome{outcomeOK, token.ApplicationID}, start)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
		})
	}
}

// admit checks the access token of a request to the host's API.
func (p *Provider) admit(r *http.Request, scope []string) (*Token, *Error) {
	text, e := bearerToken(r, nil)
	if e != nil {
		return nil, e
	}
	token, err := p.Verify(r.Context(), text, scope...)
	if err != nil {
		return nil, asError(err)
	}
	return token, nil
}

type tokenKey struct{}

// TokenFromContext returns the token that [Provider.Require] let through.
func TokenFromContext(ctx context.Context) (*Token, bool) {
	t, ok := ctx.Value(tokenKey{}).(*Token)
	return t, ok
}

// Verify checks an access token that did not come by HTTP and returns it if it
// lives and has all the given scopes. The error is an [*Error] that wraps
// [ErrInvalidToken] or [ErrInsufficientScope], or has status 503 when the store
// cannot answer.
func (p *Provider) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	token, grant, err := p.findLive(ctx, store.KindAccess, bearer)
	if err != nil {
		return nil, err
	}
	for _, name := range scope {
		if !token.Scopes.Has(name) {
			return nil, &Error{
				Code: codeInsufficientScope, Status: http.StatusForbidden, Scope: strings.Join(scope, " "),
				Description: "The access token does not have the scope that this needs.", Err: ErrInsufficientScope,
				applicationID: grant.ApplicationID,
			}
		}
	}
	return &Token{
		UserID: grant.UserID, ApplicationID: grant.ApplicationID, GrantID: grant.ID,
		Scopes: token.Scopes, ExpiresAt: token.ExpiresAt,
	}, nil
}

// findLive finds an access or refresh token that works now.
func (p *Provider) findLive(ctx context.Context, kind store.Kind, text string) (store.Token, store.Grant, error) {
	c, ok := p.decode(kind, text)
	if !ok {
		return store.Token{}, store.Grant{}, invalidToken(errors.New("malformed"))
	}
	ctx, cancel := p.reading(ctx)
	defer cancel()
	token, grant, err := p.cfg.Store.FindToken(ctx, c.key(kind))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return token, grant, invalidToken(err)
	case err != nil:
		return token, grant, unavailable("store", err)
	case token.Kind != kind:
		return token, grant, invalidToken(store.ErrNotFound)
	}
	noteApplication(ctx, grant.ApplicationID)
	switch {
	case !grant.RevokedAt.IsZero():
		return token, grant, invalidToken(store.ErrRevoked).by(grant.ApplicationID)
	case token.Spent:
		return token, grant, invalidToken(store.ErrReused).by(grant.ApplicationID)
	case !p.now().Before(token.ExpiresAt):
		return token, grant, invalidToken(store.ErrExpired).by(grant.ApplicationID)
	}
	return token, grant, nil
}

func invalidToken(cause error) *Error {
	return &Error{
		Code: codeInvalidToken, Status: http.StatusUnauthorized, Description: "The access token is malformed, unknown, expired or revoked.",
		Err: fmt.Errorf("%w: %w", ErrInvalidToken, cause),
	}
}

// bearerToken finds the access token of a request: in the Authorization header
// (RFC 6750 section 2.1), or in the form if one is given (section 2.2), never
// in both, and never in the query, which ends up in logs and histories.
func bearerToken(r *http.Request, form url.Values) (string, *Error) {
	var token string
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return "", refuse(codeInvalidRequest, "The request has more than one Authorization header.")
	}
	if len(values) == 1 {
		scheme, rest, _ := strings.Cut(values[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			if token = strings.TrimLeft(rest, " "); !isToken68(token) {
				return "", invalidToken(errors.New("malformed"))
			}
		}
	}
	ways := 0
	inForm := form.Get("access_token")
	inQuery := strings.Contains(r.URL.RawQuery, "access_token=") && r.URL.Query().Has("access_token")
	for _, there := range []bool{token != "", inForm != "", inQuery} {
		if there {
			ways++
		}
	}
	switch {
	case ways > 1:
		return "", refuse(codeInvalidRequest, "The access token is sent in two ways at once: use the Authorization header.")
	case inQuery:
		return "", refuse(codeInvalidRequest, "The access token is in the query, where logs keep it: use the Authorization header.")
	case ways == 0:
		return "", errNoToken()
	}
	return token + inForm, nil
}

func errNoToken() *Error {
	return &Error{Code: codeInvalidToken, Status: http.StatusUnauthorized, Description: "Send an access token in the Authorization header.", Err: errTokenMissing}
}

var errTokenMissing = fmt.Errorf("%w: none sent", ErrInvalidToken)

// isToken68 reports whether s is a b64token of RFC 6750 section 2.1.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return body != ""
}

// writeBearerError refuses with the challenge of RFC 6750 section 3. A request
// without any token is told only which scheme to use (section 3.1).
func (p *Provider) writeBearerError(w http.ResponseWriter, r *http.Request, endpoint string, e *Error) {
	challenge := `Bearer realm="` + p.cfg.Issuer + `"`
	switch {
	case e.Status >= http.StatusInternalServerError:
		challenge = ""
	case !errors.Is(e, errTokenMissing):
		challenge += `, error="` + e.Code + `", error_description="` + e.Description + `"`
		if e.Scope != "" {
			challenge += `, scope="` + e.Scope + `"`
		}
	}
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	p.refused(r.Context(), endpoint, e)
	e.setRetryAfter(w.Header())
	if errors.Is(e, errTokenMissing) {
		writeJSON(w, e.Status, struct{}{})
		return
	}
	writeJSON(w, e.Status, errorResponse{e.Code, e.Description})
}
