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

// Token describes a valid access token to the host's API.
type Token struct {
	UserID        string // empty for a machine
	ApplicationID string
	GrantID       store.ID
	WorkspaceID   string // the only workspace it works for; empty if for the user alone
	Scopes        scopes.Set
	Resource      string // the URL of an entry of Config.Resources; empty for [Provider.Require]
	ExpiresAt     time.Time
}

// These errors are the reasons for which [Provider.Verify] refuses a token.
// Check for them with errors.Is.
var (
	// ErrInvalidToken means that the token is malformed, unknown, expired, or
	// revoked.
	ErrInvalidToken = errors.New("provider: invalid token")
	// ErrInsufficientScope means that the token lacks a scope, or belongs to a
	// machine where only people are allowed.
	ErrInsufficientScope = errors.New("provider: insufficient scope")
)

// Machine reports whether the token belongs to an application alone, without a
// user: see Config.Machines. UserID is empty then.
func (t *Token) Machine() bool { return t.UserID == "" }

// machine reports whether the token belongs to an application without a user.
func (t *presentedToken) machine() bool { return t.userID == "" }

func (t *presentedToken) public() *Token {
	return &Token{
		UserID: t.userID, ApplicationID: t.applicationID, GrantID: t.grantID, WorkspaceID: t.workspaceID,
		Scopes: t.scopes, Resource: t.resource, ExpiresAt: t.expiresAt,
	}
}

// errOtherResource refuses a token that was issued for another resource (RFC
// 8707 section 2, RFC 6750 section 3.1).
func errOtherResource() *Error {
	e := invalidToken(errors.New("the token is for another resource"))
	e.Description = "The access token was issued for another resource."
	return e
}

// A presented token is an access or refresh token from a request, with the data
// of its grant.
type presentedToken struct {
	credential
	kind          rules.Kind
	hash          rules.Hash
	userID        string
	applicationID string
	workspaceID   string
	scopes        scopes.Set
	resource      string
	issuedAt      time.Time
	expiresAt     time.Time

	// dead is why the token does not work: rules.ErrRevoked, ErrReused, or
	// ErrExpired. If nil, it works.
	dead error
}

// findToken finds an access or refresh token, even one that no longer works.
// The prefix of its text tells the kind; kinds that are not listed are refused.
// The error is rules.ErrNotFound if there is no such token.
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
	t.userID, t.applicationID, t.workspaceID, t.resource = g.UserID, g.ApplicationID, g.WorkspaceID, g.Resource
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
	if t.machine() && !p.offer.hasMachines() {
		t.dead = rules.ErrRevoked // Disabling machines disables their tokens.
	}
	if t.workspaceID != "" && p.cfg.Workspaces == nil && t.kind == rules.KindAccess {
		// A host without workspaces may not check which one a token is for.
		t.dead = rules.ErrRevoked
	}
	return t, nil
}

// findLive finds a token that works now, and records which application it
// belongs to.
func (c *call) findLive(text string, kinds ...rules.Kind) (presentedToken, *Error) {
	t, e := c.Provider.findLive(c.context(), text, kinds...)
	if c.application == "" { // A client may introspect tokens of others.
		// The ID of a grant leads to the application too, but isn't a secret.
		c.application, c.proved = t.applicationID, t.applicationID != "" && !errors.Is(e.cause(), rules.ErrNotFound)
	}
	return t, e
}

// findLive finds a token that works now. If the token doesn't work, findLive
// returns it together with the error.
func (p *Provider) findLive(ctx context.Context, text string, kinds ...rules.Kind) (presentedToken, *Error) {
	t, err := p.findToken(ctx, text, kinds...)
	switch {
	case errors.Is(err, rules.ErrNotFound):
		return t, invalidToken(err)
	case err != nil:
		return t, unavailable("store", err)
	case t.dead != nil:
		e := invalidToken(t.dead)
		return t, e.tells(e.Err)
	}
	return t, nil
}

func invalidToken(cause error) *Error {
	return &Error{
		Code: codeInvalidToken, Status: http.StatusUnauthorized, Description: "The access token is malformed, unknown, expired, or revoked.",
		Err: fmt.Errorf("%w: %w", ErrInvalidToken, cause),
	}
}

// bearerToken finds the access token of a request: in the Authorization header
// (RFC 6750 section 2.1), or in the form if one is given (section 2.2). It
// refuses a token in both, and one in the query, which ends up in logs and
// histories.
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

// writeBearerError refuses with the challenge of RFC 6750 section 3. If the
// request has no token, the challenge has only the scheme (section 3.1) and the
// hints that tell where to get a token.
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
