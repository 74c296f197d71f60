package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-oauth2/oauth2/v4"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// An exchange is a request for tokens from an application that has
// authenticated. It is also the manager of go-oauth2's server: it implements
// the two methods that the server calls at the token endpoint, and embeds a nil
// interface for the others.
type exchange struct {
	*call
	oauth2.Manager
	app      store.Application
	resource *ProtectedResource // nil means the grant's resource
}

// tokenInfo is the result of a grant type, which the engine passes through. It
// embeds a nil interface for the getters and setters, which are never called
// here.
type tokenInfo struct {
	oauth2.TokenInfo
	access, refresh, id, scope string
	expiresIn                  time.Duration
}

// redeemCode issues the first tokens for a code (RFC 6749 section 4.1.3).
func (x *exchange) redeemCode(text, redirectURI, verifier string) (tokenInfo, *Error) {
	const what = "code"
	code, ok := x.prefix.decode(rules.KindCode, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, rules.ErrNotFound)
	}
	var challenge string
	if verifier != "" {
		if !isVerifier(verifier) {
			return tokenInfo{}, refuse(codeInvalidGrant, "The code_verifier must be 43 to 128 letters, digits, hyphens, dots, underscores, and tildes.")
		}
		sum := sha256.Sum256([]byte(verifier))
		challenge = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return x.redeem(what, code, rules.Redemption{RedirectURI: redirectURI, Challenge: challenge, NeedsChallenge: x.app.Public})
}

// redeem spends a code. what is the parameter that contained the code, or from
// which it was derived.
func (x *exchange) redeem(what string, code credential, q rules.Redemption) (tokenInfo, *Error) {
	now := x.now()
	access := newCredential(code.grantID)
	refresh := credential{code.grantID, rules.NewRefresh()}
	q.Code, q.ApplicationID, q.Resource, q.Now = code.secret.Hash(rules.KindCode), x.app.ID, x.resource.identifier(), rules.At(now)
	q.Access.Hash, q.Refresh.Hash, q.Secret = access.secret.Hash(rules.KindAccess), refresh.secret.Hash(rules.KindRefresh), refresh.secret
	var userID, workspaceID string
	answer := tokenInfo{access: x.prefix.encode(rules.KindAccess, access), refresh: x.prefix.encode(rules.KindRefresh, refresh)}
	err := x.records.changeGrant(x.context(), code.grantID, func(g *rules.Grant) (rules.Step, error) {
		last := x.offer.lifetimesFor(&x.app, g.Resource)
		q.Access.ExpiresAt, q.Refresh.ExpiresAt = rules.At(now.Add(last.Access)), rules.At(now.Add(last.Refresh))
		step, err := g.Redeem(&q)
		if err != nil {
			return step, err
		}
		if userID == "" {
			if e := x.memberStillThere(x.context(), g.UserID, g.WorkspaceID); e != nil {
				return rules.Keep, e
			}
		}
		userID, workspaceID = g.UserID, g.WorkspaceID
		answer.scope, answer.expiresIn = g.Scopes, g.Until(q.Access.ExpiresAt).Sub(q.Now)
		if answer.id == "" {
			var e *Error
			if answer.id, e = x.idToken(&x.app, issuedGrant{g.UserID, g.WorkspaceID, g.ScopeSet(), g.SignIn, answer.access, true}, nil); e != nil {
				return rules.Keep, e
			}
		}
		return step, nil
	})
	if err != nil {
		x.reportReuse(code.grantID, err)
		e := x.refusal(what, "", err)
		if errors.Is(err, rules.ErrOtherRedirectURI) {
			e = e.with("redirect_uri", q.RedirectURI)
		}
		return tokenInfo{}, e
	}
	x.event(Event{Kind: EventTokenIssued, ApplicationID: x.app.ID, UserID: userID, GrantID: code.grantID, WorkspaceID: workspaceID})
	return answer, nil
}

// rotateRefresh issues the next tokens for a refresh token (RFC 6749 section
// 6). They are derived from it and a random salt, so a request that is repeated
// within the grace period gets the same answer although only hashes are stored.
//
// Everything that can fail happens before the first write: if the host can't
// say whether the user still exists, the presented token keeps working.
func (x *exchange) rotateRefresh(text, scope string) (tokenInfo, *Error) {
	const what = "refresh_token"
	presented, ok := x.prefix.decode(rules.KindRefresh, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, rules.ErrNotFound)
	}
	asked, extra, e := x.offer.parseAsked(scope)
	if e != nil {
		return tokenInfo{}, e
	}
	if len(asked) > 0 { // The protocol's scopes alone don't narrow the grant.
		asked = asked.Union(extra)
	}
	now := x.now()
	q := rules.Rotation{
		Presented:     presented.secret,
		ApplicationID: x.app.ID,
		Scopes:        asked,
		Resource:      x.resource.identifier(),
		Salt:          rules.NewSalt(),
		HostSecrets:   x.cfg.Keys,
		Public:        x.app.Public,
		Now:           rules.At(now),
	}
	var rotated rules.Rotated
	var userID, workspaceID, granted string
	var user userinfo.User
	var answer tokenInfo
	err := x.records.changeGrant(x.context(), presented.grantID, func(g *rules.Grant) (step rules.Step, err error) {
		last := x.offer.lifetimesFor(&x.app, g.Resource)
		q.Grace, q.AccessExpiresAt, q.RefreshExpiresAt = last.Grace, rules.At(now.Add(last.Access)), rules.At(now.Add(last.Refresh))
		if rotated, step, err = g.Rotate(&q); err != nil {
			return step, err
		}
		q.Attempt = rotated
		if userID == "" {
			var e *Error
			if user, e = x.userStillThere(x.context(), g.UserID); e != nil {
				return rules.Keep, e
			}
			if e = x.memberStillThere(x.context(), g.UserID, g.WorkspaceID); e != nil {
				return rules.Keep, e
			}
		}
		userID, workspaceID, granted = g.UserID, g.WorkspaceID, g.ScopesOf(&rotated.Token)
		access := x.prefix.encode(rules.KindAccess, credential{presented.grantID, rotated.Access})
		if answer.id == "" || answer.access != access {
			var e *Error
			if answer.id, e = x.idToken(&x.app, issuedGrant{userID, workspaceID, g.ScopeSetOf(&rotated.Token), g.SignIn, access, false}, &user); e != nil {
				return rules.Keep, e
			}
		}
		answer.access = access
		return step, nil
	})
	if err != nil {
		x.reportReuse(presented.grantID, err)
		return tokenInfo{}, x.refusal(what, scope, err)
	}
	event := Event{Kind: EventTokenRefreshed, ApplicationID: x.app.ID, UserID: userID, GrantID: presented.grantID, WorkspaceID: workspaceID}
	if rotated.Retried {
		event.Kind = EventTokenRetried
	}
	x.event(event)
	if rotated.Evicted {
		event.Kind, event.Err = EventTokenRevoked, errTooManyTokens
		x.event(event)
	}
	answer.refresh = x.prefix.encode(rules.KindRefresh, credential{presented.grantID, rotated.Refresh})
	answer.expiresIn, answer.scope = rotated.Token.ExpiresAt.Sub(q.Now), granted
	return answer, nil
}

// errTooManyTokens is why an access token ended although its application did
// not revoke it.
var errTooManyTokens = errors.New("the grant had too many live access tokens, so the oldest has ended")

// refusal is grantRefusal with the values of this request. It tells a client
// that authenticated with its secret which parameter it forgot.
func (x *exchange) refusal(what, scope string, err error) *Error {
	e := grantRefusal(what, err)
	switch {
	case e.Code == codeInvalidScope:
		e = e.with("scope", scope)
	case e.Code == codeInvalidTarget:
		e = e.with(resourceParam, x.resource.identifier())
	case errors.Is(err, rules.ErrReused):
		e.Err = fmt.Errorf("%w, so its sign-in was revoked", err)
	case x.app.Public:
	case errors.Is(err, rules.ErrNoVerifier):
		e.Description = "The code_verifier is missing: the code was requested with a code_challenge."
	case errors.Is(err, rules.ErrNoRedirectURI):
		e.Description = "The redirect_uri is missing: send the one of the authorization request again."
	}
	return e
}

// reportReuse emits an event if a grant was just revoked because a spent code
// or token was reused.
func (x *exchange) reportReuse(id store.ID, err error) {
	if errors.Is(err, rules.ErrReused) {
		x.event(Event{Kind: EventReuseDetected, ApplicationID: x.app.ID, GrantID: id, Err: err})
	}
}

// isVerifier reports whether s is a code_verifier (RFC 7636 section 4.1).
func isVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}
