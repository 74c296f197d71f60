package provider

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
)

// Require returns middleware that lets a request through only with an access
// token that has all the given scopes; the handler finds it with
// [TokenFromContext]. Others are answered as RFC 6750 says: 401 without a good
// token, 403 with insufficient_scope. A token for one of Config.Resources is no
// good token here: see [ProtectedResource.Require]. Nor is one of a machine, which
// is answered with 403: see [Provider.AllowMachines]. It asks the store once and
// does not call Config.Users: to cut a user off, call [Provider.RevokeGrants].
//
// For pages of other origins put CORS middleware around it, not inside: a
// preflight carries no token, and a 401 that a page cannot read looks to it
// like a broken network.
//
// Require panics if a scope is not one of Config.Scopes, as no token could
// ever have it.
func (p *Provider) Require(scope ...string) func(http.Handler) http.Handler {
	return Guard{p: p}.Require(scope...)
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
	return Guard{p: r.p, resource: r}.Require(scope...)
}

// Require is [Provider.Require], or [ProtectedResource.Require], that lets
// machines in.
func (g Guard) Require(scope ...string) func(http.Handler) http.Handler {
	asked := scopes.New(scope...)
	if g.resource != nil {
		if unknown := asked.Minus(g.resource.scopes); len(unknown) > 0 {
			panic(fmt.Sprintf("provider: Require: the scope %q is not one of the resource %s", unknown[0], g.resource.url))
		}
	} else if unknown := asked.Minus(g.p.offer.scopes); len(unknown) > 0 {
		panic(fmt.Sprintf("provider: Require: the scope %q is not in Config.Scopes", unknown[0]))
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

// hint returns what a challenge of the resource says beside the error: where
// its metadata is, and the scopes to ask for.
func (r *ProtectedResource) hint(e *Error, scope []string) []string {
	if r == nil {
		return nil
	}
	hint := []string{`resource_metadata="` + r.MetadataURL() + `"`}
	if len(scope) > 0 && e.Scope == "" && e.Code != codeInsufficientScope { // No scope lets a machine in.
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
// cannot answer. A token for one of Config.Resources is an invalid one here. That
// of a machine is refused with ErrInsufficientScope: see [Provider.AllowMachines].
func (p *Provider) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	return Guard{p: p}.Verify(ctx, bearer, scope...)
}

// Verify is [Provider.Verify] for the resource: it accepts only tokens that
// were issued for it.
func (r *ProtectedResource) Verify(ctx context.Context, bearer string, scope ...string) (*Token, error) {
	return Guard{p: r.p, resource: r}.Verify(ctx, bearer, scope...)
}

// A Guard lets in who has an access token: people who use an application, and
// machines too. [Provider.AllowMachines] and [ProtectedResource.AllowMachines]
// make one. Those without it let people in only.
type Guard struct {
	p        *Provider
	resource *ProtectedResource // nil: the host's whole API
	machines bool
}

// AllowMachines returns a guard that lets in the tokens of machines too: those
// that applications get by themselves, with Config.Machines. The handler tells
// them apart with [Token.Machine], and has to: the UserID of a machine's token is
// empty. Use it for what belongs to no user.
func (p *Provider) AllowMachines() Guard { return Guard{p: p, machines: true} }

// AllowMachines is [Provider.AllowMachines] for tokens that were issued for the
// resource.
func (r *ProtectedResource) AllowMachines() Guard {
	return Guard{p: r.p, resource: r, machines: true}
}

// Verify is [Provider.Verify], or [ProtectedResource.Verify], that lets machines
// in.
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

// opens refuses a token for another resource, of a machine that the guard doesn't
// let in, or without one of the scopes.
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

// errPeopleOnly refuses a machine. Its token is good and no other that it can get
// would be better, so it is no invalid_token, after which clients get another one
// and try again. RFC 6750 section 3.1 has insufficient_scope for a token without
// the privileges that are needed.
func errPeopleOnly() *Error {
	return &Error{
		Code: codeInsufficientScope, Status: http.StatusForbidden,
		Description: "This API is for people: it needs the token of a user, and this one is an application's own.",
		Err:         fmt.Errorf("%w: the token is a machine's, and this guard lets in people only: see AllowMachines", ErrInsufficientScope),
	}
}
