package provider

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
)

// Require returns middleware that requires an access token with all the given
// scopes. The handler gets the token with [TokenFromContext]. Other requests
// are answered according to RFC 6750: 401 without a valid token, 403 with
// insufficient_scope if a scope is missing.
//
// A token for an entry of Config.Resources is not valid here: see
// [ProtectedResource.Require]. A token of a machine is refused with 403: see
// [Provider.AllowMachines].
//
// Require reads the store once and doesn't call Config.Users. To cut a user
// off, call [Provider.RevokeGrants].
//
// For web pages of other origins, put CORS middleware around it, not inside: a
// preflight request has no token, and a page can't read a 401 without CORS
// headers.
//
// Require panics if a scope is not in Config.Scopes, because no token could
// have it.
func (p *Provider) Require(scope ...string) func(http.Handler) http.Handler {
	return Guard{p: p}.Require(scope...)
}

// Require is like [Provider.Require], but requires a token that was issued for
// this resource (RFC 8707). Its refusals tell the client where the resource's
// metadata is and which scopes to ask for (RFC 9728 section 5.1), so an MCP
// client can get a token by itself. If a token lacks a scope, the client is
// told to ask for the scopes that the token has and those that are needed.
//
// It panics if a scope is not one of the resource's.
func (r *ProtectedResource) Require(scope ...string) func(http.Handler) http.Handler {
	return Guard{p: r.p, resource: r}.Require(scope...)
}

// Require is like [Provider.Require] or [ProtectedResource.Require], but
// accepts tokens of machines too.
func (g Guard) Require(scope ...string) func(http.Handler) http.Handler {
	asked := scopes.New(scope...)
	if g.resource != nil {
		if unknown := asked.Minus(g.resource.scopes); len(unknown) > 0 {
			panic(fmt.Sprintf("provider: Require: the scope %q is not one of the resource %s: add it to the Scopes of that resource", unknown[0], g.resource.url))
		}
	} else if unknown := asked.Minus(g.p.offer.scopes); len(unknown) > 0 {
		panic(fmt.Sprintf("provider: Require: the scope %q is not in Config.Scopes: add it there", unknown[0]))
	}
	scope = g.p.offer.order(scope)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := g.p.newCall("guard", w, r)
			token, e := c.admit(g, scope)
			if e != nil {
				c.writeBearerError(e, g.resource.hint(e, scope)...)
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
func (c *call) admit(g Guard, scope []string) (*Token, *Error) {
	text, e := bearerToken(c.r, nil)
	if e != nil {
		return nil, e
	}
	token, e := c.findLive(text, rules.KindAccess)
	if e == nil {
		e = token.opens(g, scope)
	}
	if e != nil {
		return nil, e
	}
	return token.public(), nil
}

// hint returns what a challenge of the resource contains besides the error:
// where its metadata is, and the scopes to ask for.
func (r *ProtectedResource) hint(e *Error, scope []string) []string {
	if r == nil {
		return nil
	}
	hint := []string{`resource_metadata="` + r.MetadataURL() + `"`}
	if len(scope) > 0 && e.Scope == "" && e.Code != codeInsufficientScope { // No scope would help a machine.
		hint = append(hint, `scope="`+strings.Join(scope, " ")+`"`)
	}
	return hint
}

type tokenKey struct{}

// TokenFromContext returns the token of a request that passed
// [Provider.Require], and whether there is one.
func TokenFromContext(ctx context.Context) (*Token, bool) {
	t, ok := ctx.Value(tokenKey{}).(*Token)
	return t, ok
}

// Verify returns the access token if it is valid and has all the given scopes.
// Use it for tokens that don't arrive in an HTTP request. The error is an
// [*Error] that wraps [ErrInvalidToken] or [ErrInsufficientScope], or has
// status 503 if the store can't answer. A token for an entry of
// Config.Resources is invalid here. A token of a machine is refused with
// ErrInsufficientScope: see [Provider.AllowMachines].
func (p *Provider) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	return Guard{p: p}.Verify(ctx, bearer, scope...)
}

// Verify is like [Provider.Verify], but accepts only tokens that were issued
// for this resource.
func (r *ProtectedResource) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	return Guard{p: r.p, resource: r}.Verify(ctx, bearer, scope...)
}

// Guard protects an API like [Provider.Require], but accepts tokens of machines
// as well as of people. [Provider.AllowMachines] and
// [ProtectedResource.AllowMachines] make one.
type Guard struct {
	p        *Provider
	resource *ProtectedResource // nil: the host's whole API
	machines bool
}

// AllowMachines returns a [Guard] that also accepts tokens of machines, which
// applications get without a user: see Config.Machines. Use it for data that
// belongs to no user. The handler must check [Token.Machine], because the
// UserID of a machine's token is empty.
func (p *Provider) AllowMachines() Guard { return Guard{p: p, machines: true} }

// AllowMachines is like [Provider.AllowMachines], but accepts only tokens that
// were issued for this resource.
func (r *ProtectedResource) AllowMachines() Guard {
	return Guard{p: r.p, resource: r, machines: true}
}

// Verify is like [Provider.Verify] or [ProtectedResource.Verify], but accepts
// tokens of machines too.
func (g Guard) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	token, e := g.p.findLive(ctx, bearer, rules.KindAccess)
	if e == nil {
		e = token.opens(g, scope)
	}
	if e != nil {
		return nil, e
	}
	return token.public(), nil
}

// opens refuses a token that is for another resource, that is a machine's
// although the guard is only for people, or that lacks a scope.
func (t *presentedToken) opens(g Guard, scope []string) *Error {
	resource := g.resource
	if t.resource != resource.identifier() {
		return errOtherResource().with("resource_of_token", t.resource)
	}
	if t.machine() && !g.machines {
		return errPeopleOnly()
	}
	for _, name := range scope {
		if t.scopes.Has(name) {
			continue
		}
		needed := strings.Join(scope, " ")
		if resource != nil {
			// A client that asks for these keeps every scope that it has.
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

// errPeopleOnly refuses a machine. Its token is valid, and another one wouldn't
// help, so the code isn't invalid_token, after which clients get a new token
// and try again. RFC 6750 section 3.1 has insufficient_scope for a token
// without the required privileges.
func errPeopleOnly() *Error {
	return &Error{
		Code: codeInsufficientScope, Status: http.StatusForbidden,
		Description: "This API is for people: it needs the token of a user, but this token belongs to an application alone.",
		Err:         fmt.Errorf("%w: the token belongs to a machine, but this guard accepts only tokens of people: see AllowMachines", ErrInsufficientScope),
	}
}
