package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// Token is a live access token, as the host's own API sees it.
type Token struct {
	UserID        string
	ApplicationID string
	GrantID       store.ID
	Scopes        scopes.Set
	Resource      string // the one of Config.Resources that it is for; empty: none
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
// token, 403 with insufficient_scope. A token for one of Config.Resources is no
// good token here: see [ProtectedResource.Require]. It asks the store once and does not call
// Config.Users: to cut a user off, call [Provider.RevokeGrants].
//
// For pages of other origins put CORS middleware around it, not inside: a
// preflight carries no token, and a 401 that a page cannot read looks to it
// like a broken network.
//
// Require panics if a scope is not one of Config.Scopes, as no token could
// ever have it.
func (p *Provider) Require(scope ...string) func(http.Handler) http.Handler {
	if unknown := scopes.New(scope...).Minus(p.offer.scopes); len(unknown) > 0 {
		panic(fmt.Sprintf("provider: Require: the scope %q is not in Config.Scopes", unknown[0]))
	}
	return p.guard(nil, scope)
}

// Require is [Provider.Require] for the resource: it lets a request through
// only with a token that was issued for this resource (RFC 8707), and its
// refusals tell the client where the resource's metadata is and which scopes to
// ask for (RFC 9728 section 5.1), so that an MCP client finds the way to a token
// by itself. Where a token lacks a scope, those to ask for are the ones that it
// has and the ones that are needed, so that the next token can do what this one
// can.
//
// It panics if a scope is not one of the resource's.
func (r *ProtectedResource) Require(scope ...string) func(http.Handler) http.Handler {
	if unknown := scopes.New(scope...).Minus(r.scopes); len(unknown) > 0 {
		panic(fmt.Sprintf("provider: Require: the scope %q is not one of the resource %s", unknown[0], r.url))
	}
	return r.p.guard(r, scope)
}

// guard is Require for a resource, or for nil.
func (p *Provider) guard(resource *ProtectedResource, scope []string) func(http.Handler) http.Handler {
	scope = p.offer.order(scope)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := p.newCall("guard", w, r)
			token, e := c.admit(resource, scope)
			if e != nil {
				c.writeBearerError(e, resource.hint(e, scope)...)
				c.refused(e)
			}
			c.report()
			if e == nil {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
			}
		})
	}
}

// admit checks the access token of a request to the host's API.
func (c *call) admit(resource *ProtectedResource, scope []string) (*Token, *Error) {
	text, e := bearerToken(c.r, nil)
	if e != nil {
		return nil, e
	}
	token, e := c.findLive(text, rules.KindAccess)
	if e == nil {
		e = token.opens(resource, scope)
	}
	if e != nil {
		return nil, e
	}
	return token.public(), nil
}

// hint returns what a challenge of the resource says beside the error: where
// its metadata is, and the scopes to ask for.
func (r *ProtectedResource) hint(e *Error, scope []string) []string {
	if r == nil {
		return nil
	}
	hint := []string{`resource_metadata="` + r.MetadataURL() + `"`}
	if len(scope) > 0 && e.Scope == "" {
		hint = append(hint, `scope="`+strings.Join(scope, " ")+`"`)
	}
	return hint
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
// cannot answer. A token for one of Config.Resources is an invalid one here.
func (p *Provider) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	return p.verify(ctx, nil, bearer, scope)
}

// Verify is [Provider.Verify] for the resource: it accepts only tokens that
// were issued for it.
func (r *ProtectedResource) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	return r.p.verify(ctx, r, bearer, scope)
}

func (p *Provider) verify(ctx context.Context, resource *ProtectedResource, bearer string, scope []string) (*Token, error) {
	token, e := p.findLive(ctx, bearer, rules.KindAccess)
	if e == nil {
		e = token.opens(resource, scope)
	}
	if e != nil {
		return nil, e
	}
	return token.public(), nil
}

// opens refuses a token for another resource, or without one of the scopes.
func (t *presentedToken) opens(resource *ProtectedResource, scope []string) *Error {
	if t.resource != resource.identifier() {
		return errOtherResource().with("resource_of_token", t.resource)
	}
	for _, name := range scope {
		if t.scopes.Has(name) {
			continue
		}
		needed := strings.Join(scope, " ")
		if resource != nil {
			// A client that asks for these anew gives up no scope that it has.
			needed = resource.p.offer.order(t.scopes.Union(scope)).String()
		}
		e := &Error{
			Code: codeInsufficientScope, Status: http.StatusForbidden, Scope: needed,
			Description: "The access token does not have the scope that this needs.", Err: ErrInsufficientScope,
		}
		return e.with("scope", t.scopes.String()).with("scope_needed", strings.Join(scope, " "))
	}
	return nil
}

func (t *presentedToken) public() *Token {
	return &Token{
		UserID: t.userID, ApplicationID: t.applicationID, GrantID: t.grantID,
		Scopes: t.scopes, Resource: t.resource, ExpiresAt: t.expiresAt,
	}
}

// errOtherResource refuses a token that was issued for something else than what
// it is presented to (RFC 8707 section 2, RFC 6750 section 3.1).
func errOtherResource() *Error {
	e := invalidToken(errors.New("the token is for another resource"))
	e.Description = "The access token was issued for another resource."
	return e
}

// A presented token is an access or refresh token that somebody presents, with
// what its grant says of it.
type presentedToken struct {
	credential
	kind          rules.Kind
	hash          rules.Hash
	userID        string
	applicationID string
	scopes        scopes.Set
	resource      string
	issuedAt      time.Time
	expiresAt     time.Time

	// dead is why the token does not work: rules.ErrRevoked, ErrReused, or
	// ErrExpired. Nil: it works.
	dead error
}

// findToken finds an access or refresh token, whether it works or not. Its text
// says which kind it is; others than the given kinds are refused. The error is
// rules.ErrNotFound if there is no such token.
func (p *Provider) findToken(ctx context.Context, text string, kinds ...rules.Kind) (t presentedToken, err error) {
	ok := false
	for _, t.kind = range kinds {
		if t.credential, ok = p.prefix.decode(t.kind, text); ok {
			break
		}
	}
	if !ok {
		return t, rules.ErrNotFound
	}
	var g rules.Grant
	if err := p.records.findGrant(ctx, t.grantID, &g); err != nil {
		return t, err
	}
	now := rules.At(p.now())
	t.hash = t.secret.Hash(t.kind)
	t.userID, t.applicationID, t.resource = g.UserID, g.ApplicationID, g.Resource
	if t.kind == rules.KindRefresh {
		issuedAt, expiresAt, err := g.LiveRefresh(&t.secret, now)
		t.scopes, t.issuedAt, t.expiresAt, t.dead = g.ScopeSet(), issuedAt.Time(), expiresAt.Time(), err
	} else if a := g.FindAccess(t.hash); a != nil {
		_, t.dead = g.LiveAccess(t.hash, now)
		t.scopes, t.issuedAt, t.expiresAt = g.ScopeSetOf(a), a.IssuedAt.Time(), a.ExpiresAt.Time()
	} else {
		t.dead = rules.ErrNotFound
	}
	if errors.Is(t.dead, rules.ErrNotFound) {
		return t, t.dead
	}
	return t, nil
}

// findLive finds a token that works now, and notes whose it is.
func (c *call) findLive(text string, kinds ...rules.Kind) (presentedToken, *Error) {
	t, e := c.Provider.findLive(c.context(), text, kinds...)
	if c.application == "" { // A client may ask about others' tokens.
		c.application = t.applicationID
	}
	return t, e
}

// findLive finds a token that works now. A token that doesn't is returned with
// the error.
func (p *Provider) findLive(ctx context.Context, text string, kinds ...rules.Kind) (presentedToken, *Error) {
	t, err := p.findToken(ctx, text, kinds...)
	switch {
	case errors.Is(err, rules.ErrNotFound):
		return t, invalidToken(err)
	case err != nil:
		return t, unavailable("store", err)
	case t.dead != nil:
		return t, invalidToken(t.dead)
	}
	return t, nil
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
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return "", refuse(codeInvalidRequest, "The request has more than one Authorization header.")
	}
	if len(values) == 1 {
		scheme, rest, _ := strings.Cut(values[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			if token = strings.TrimLeft(rest, " "); token == "" {
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

// writeBearerError refuses with the challenge of RFC 6750 section 3. A request
// without any token is told only which scheme to use (section 3.1), and the
// hints that say where to get one.
func (c *call) writeBearerError(e *Error, hints ...string) {
	w := c.w
	challenge := strings.Join(append([]string{`Bearer realm="` + c.cfg.Issuer + `"`}, hints...), ", ")
	switch {
	case e.Status >= http.StatusInternalServerError, e.Status == http.StatusMethodNotAllowed:
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
	e.setRetryAfter(w.Header())
	if errors.Is(e, errTokenMissing) {
		writeJSON(w, e.Status, struct{}{})
		return
	}
	writeJSON(w, e.Status, errorResponse{e.Code, e.Description})
}
