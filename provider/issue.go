package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// A decision is what a user, or the host for them, is about to allow an
// application. It turns into a consent and a grant.
type decision struct {
	app      store.Application
	userID   string
	scopes   scopes.Set
	resource string
	form     store.ID // the form that was answered, and the ID of the grant; zero: no page was shown

	consent  rules.Consent // as it is before
	agreedAt time.Time     // when the user agreed on a page; zero: never
}

// prepare reads the numbers of the cut-offs and the consent, and only then asks
// whether application and user are still there: so if a cut-off comes later
// than that, it covers the grant, and if it came before, the user who is cut
// off is found to be signed out or gone.
func (c *call) prepare(d *decision) *Error {
	var err error
	if d.consent, err = c.records.findConsent(c.context(), d.userID, d.app.ID); err != nil {
		return unavailable("store", err)
	}
	if seen := d.consent.Seen(); seen.Forever() {
		return errNotRegistered(errors.New("the application or the user was deleted meanwhile"))
	}
	session, err := c.cfg.CurrentUser(c.r)
	switch {
	case err != nil:
		return unavailable("Config.CurrentUser", err)
	case session.UserID != d.userID:
		return errSignedOut()
	}
	return nil
}

// errSignedOut: the visitor has signed out, or was, while their request was on
// its way.
func errSignedOut() *Error {
	return errStaleForm(errors.New("the user has signed out meanwhile"))
}

// agree keeps what the user has agreed to on the page. It comes before the
// grant: a consent without a grant gives access to nobody.
func (c *call) agree(d *decision) *Error {
	key := store.CutKey{UserID: d.userID, ApplicationID: d.app.ID}
	for range maxRounds {
		q := rules.Agreement{Form: d.form, Scopes: d.scopes, Resource: d.resource, Now: rules.At(d.agreedAt)}
		step, err := d.consent.Agree(key, q)
		if err != nil {
			return errStaleForm(err) // The user has taken back what the form gave.
		}
		if step == rules.Write {
			err = c.records.keepConsent(c.context(), &d.consent)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return unavailable("store", err)
		}
		// The user has answered another form at the same moment.
		if e := c.prepare(d); e != nil {
			return e
		}
	}
	return unavailable("store", errContended)
}

// newGrant begins the grant of a decision.
func (p *Provider) newGrant(id store.ID, now time.Time, d *decision) rules.Grant {
	g := rules.NewGrant(id, store.CutKey{UserID: d.userID, ApplicationID: d.app.ID}, d.consent.Seen(), rules.At(now))
	g.Scopes, g.Resource, g.AgreedAt = d.scopes.String(), d.resource, rules.At(d.agreedAt)
	if p.cfg.Lifetimes.Grant > 0 {
		g.ExpiresAt = rules.At(now.Add(p.cfg.Lifetimes.Grant))
	}
	return g
}

// issueCode makes the grant of a decision, and returns its authorization code
// (RFC 6749 section 4.1.2). A form makes one grant at most: if it is sent again,
// it gets the same code, unless that can't be redeemed any more.
func (a *authorization) issueCode() (string, *Error) {
	now, d := a.now(), a.decide()
	d.scopes = a.scopes
	code := newCredential(store.NewID(now, d.userID))
	if a.form != nil {
		code = a.form.code()
		if e := a.agree(d); e != nil {
			return "", e
		}
	}
	challenge := a.params.Get("code_challenge")
	grant := a.newGrant(code.grantID, now, d)
	grant.WithCode(rules.NewCode{
		Hash:        code.secret.Hash(rules.KindCode),
		RedirectURI: a.redirectURI,
		// RFC 6749 section 4.1.3 wants the redirect URI named again if it was
		// named before; OAuth 2.1 has PKCE do what that was for.
		RedirectOptional: !a.redirectNamed || challenge != "",
		Challenge:        challenge,
		ExpiresAt:        rules.At(now.Add(a.cfg.Lifetimes.Code)),
	})
	err := a.records.create(a.context(), grant.Document(newMark()))
	switch {
	case errors.Is(err, store.ErrExists): // The form, or the statement, was sent twice.
		if e := a.codeAgain(code); e != nil {
			return "", e
		}
	case err != nil:
		return "", unavailable("store", err)
	default:
		a.event(Event{Kind: EventGrantCreated, ApplicationID: d.app.ID, UserID: d.userID, GrantID: code.grantID})
	}
	return a.prefix.encode(rules.KindCode, code), nil
}

// codeAgain reports whether a code that was made before can still be redeemed.
func (a *authorization) codeAgain(code credential) *Error {
	var g rules.Grant
	err := a.records.findGrant(a.context(), code.grantID, &g)
	switch {
	case err == nil && g.Redeemable(code.secret.Hash(rules.KindCode), rules.At(a.now())):
		return nil
	case err == nil || errors.Is(err, rules.ErrNotFound):
		return errStaleForm(errAnswered)
	}
	return unavailable("store", err)
}

// redeemCode gives the first tokens for a code (RFC 6749 section 4.1.3).
func (x *exchange) redeemCode(text, redirectURI, verifier string) (tokenInfo, *Error) {
	const what = "code"
	code, ok := x.prefix.decode(rules.KindCode, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, rules.ErrNotFound)
	}
	var challenge string
	if verifier != "" {
		if !isVerifier(verifier) {
			return tokenInfo{}, refuse(codeInvalidGrant, "The code_verifier must be 43 to 128 letters, digits, hyphens, dots, underscores and tildes.")
		}
		sum := sha256.Sum256([]byte(verifier))
		challenge = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return x.redeem(what, code, rules.Redemption{RedirectURI: redirectURI, Challenge: challenge, NeedsChallenge: x.app.Public})
}

// redeem spends a code. What is the parameter that it came as, or was derived
// from.
func (x *exchange) redeem(what string, code credential, q rules.Redemption) (tokenInfo, *Error) {
	now := x.now()
	access := newCredential(code.grantID)
	refresh := credential{code.grantID, rules.NewRefresh()}
	q.Code, q.ApplicationID, q.Resource, q.Now = code.secret.Hash(rules.KindCode), x.app.ID, x.resource.identifier(), rules.At(now)
	q.Access = rules.NewToken{Hash: access.secret.Hash(rules.KindAccess), ExpiresAt: rules.At(now.Add(x.cfg.Lifetimes.Access))}
	q.Refresh = rules.NewToken{Hash: refresh.secret.Hash(rules.KindRefresh), ExpiresAt: rules.At(now.Add(x.cfg.Lifetimes.Refresh))}
	q.Secret = refresh.secret
	var userID string
	answer := tokenInfo{access: x.prefix.encode(rules.KindAccess, access), refresh: x.prefix.encode(rules.KindRefresh, refresh)}
	err := x.records.changeGrant(x.context(), code.grantID, func(g *rules.Grant) (rules.Step, error) {
		step, err := g.Redeem(&q)
		if err == nil {
			userID = g.UserID
			answer.scope, answer.expiresIn = g.Scopes, g.Until(q.Access.ExpiresAt).Sub(q.Now)
		}
		return step, err
	})
	if err != nil {
		x.reportReuse(code.grantID, err)
		return tokenInfo{}, grantRefusal(what, err)
	}
	x.event(Event{Kind: EventTokenIssued, ApplicationID: x.app.ID, UserID: userID, GrantID: code.grantID})
	return answer, nil
}

// rotateRefresh gives the next tokens for a refresh token (RFC 6749 section 6).
// They are derived from it and a random salt, so that a request that is
// repeated within the grace can be answered alike although only hashes are
// kept.
//
// Everything that can fail is asked before anything is written: if the host
// can't say whether the user is still there, the presented token stays good.
func (x *exchange) rotateRefresh(text, scope string) (tokenInfo, *Error) {
	const what = "refresh_token"
	presented, ok := x.prefix.decode(rules.KindRefresh, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, rules.ErrNotFound)
	}
	asked, e := parseAskedScopes(scope)
	if e != nil {
		return tokenInfo{}, e
	}
	now := x.now()
	q := rules.Rotation{
		Presented:        presented.secret,
		ApplicationID:    x.app.ID,
		Scopes:           asked.String(),
		Resource:         x.resource.identifier(),
		Salt:             rules.NewSalt(),
		Grace:            x.cfg.Lifetimes.Grace,
		AccessExpiresAt:  rules.At(now.Add(x.cfg.Lifetimes.Access)),
		RefreshExpiresAt: rules.At(now.Add(x.cfg.Lifetimes.Refresh)),
		Now:              rules.At(now),
	}
	var rotated rules.Rotated
	var userID, granted string
	err := x.records.changeGrant(x.context(), presented.grantID, func(g *rules.Grant) (step rules.Step, err error) {
		if rotated, step, err = g.Rotate(&q); err != nil {
			return step, err
		}
		if userID == "" {
			if e := x.userStillThere(x.context(), g.UserID); e != nil {
				return rules.Keep, e
			}
		}
		userID, granted = g.UserID, g.ScopesOf(&rotated.Token)
		return step, nil
	})
	if err != nil {
		x.reportReuse(presented.grantID, err)
		return tokenInfo{}, grantRefusal(what, err)
	}
	event := Event{Kind: EventTokenRefreshed, ApplicationID: x.app.ID, UserID: userID, GrantID: presented.grantID}
	if rotated.Retried {
		event.Kind = EventTokenRetried
	}
	x.event(event)
	if rotated.Evicted {
		event.Kind, event.Err = EventTokenRevoked, errTooManyTokens
		x.event(event)
	}
	return tokenInfo{
		access:    x.prefix.encode(rules.KindAccess, credential{presented.grantID, rotated.Access}),
		refresh:   x.prefix.encode(rules.KindRefresh, credential{presented.grantID, rotated.Refresh}),
		expiresIn: max(0, rotated.Token.ExpiresAt.Sub(q.Now)),
		scope:     granted,
	}, nil
}

// errTooManyTokens is why an access token ended that its application did not
// revoke.
var errTooManyTokens = errors.New("the grant had too many live access tokens, so the oldest has ended")

// userStillThere refuses to refresh for a user whom the host no longer knows,
// and ends what that user had.
func (p *Provider) userStillThere(ctx context.Context, userID string) *Error {
	_, err := p.user(ctx, userID)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, userinfo.ErrNotFound):
		return unavailable("Config.Users", err)
	}
	if err := p.RevokeGrants(ctx, GrantFilter{UserID: userID}); err != nil {
		return unavailable("store", err)
	}
	return refuse(codeInvalidGrant, "The user account is gone.").because(err)
}

// reportReuse tells Config.Events when a grant was just ended because something
// spent came again.
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
