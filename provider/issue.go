package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
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
func (p *Provider) prepare(r *http.Request, d *decision) *Error {
	var err error
	if d.consent, err = p.records.findConsent(r.Context(), d.userID, d.app.ID); err != nil {
		return unavailable("store", err)
	}
	if seen := d.consent.Seen(); seen.Forever() {
		return errNotRegistered(errors.New("the application or the user was deleted meanwhile"))
	}
	session, e := p.currentUser(r)
	if e == nil && session.UserID != d.userID {
		e = errSignedOut()
	}
	return e
}

// errSignedOut: the visitor has signed out, or was, while their request was on
// its way.
func errSignedOut() *Error {
	return errStaleForm(errors.New("the user has signed out meanwhile"))
}

// agree keeps what the user has agreed to on the page. It comes before the
// grant: a consent without a grant gives access to nobody.
func (p *Provider) agree(r *http.Request, d *decision) *Error {
	key := store.CutKey{UserID: d.userID, ApplicationID: d.app.ID}
	for range maxRounds {
		q := rules.Agreement{Form: d.form, Scopes: d.scopes, Resource: d.resource, Now: rules.At(d.agreedAt)}
		step, err := d.consent.Agree(key, q)
		if err != nil {
			return errStaleForm(err) // The user has taken back what the form gave.
		}
		if step == rules.Write {
			err = p.records.keepConsent(r.Context(), &d.consent)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return unavailable("store", err)
		}
		// The user has answered another form at the same moment.
		if e := p.prepare(r, d); e != nil {
			return e
		}
	}
	return unavailable("store", errContended)
}

// newGrant begins the grant of a decision.
func (p *Provider) newGrant(id store.ID, now time.Time, d *decision) rules.Grant {
	g := rules.NewGrant(id, store.CutKey{UserID: d.userID, ApplicationID: d.app.ID}, d.consent.Seen(), rules.At(now))
	g.Scopes, g.Resource, g.AgreedAt = d.scopes.String(), d.resource, rules.At(d.agreedAt)
	if p.cfg.GrantLifetime > 0 {
		g.ExpiresAt = rules.At(now.Add(p.cfg.GrantLifetime))
	}
	return g
}

// issueCode makes the grant of a decision, and returns its authorization code
// (RFC 6749 section 4.1.2). A form makes one grant at most: if it is sent again,
// it gets the same code, unless that can't be redeemed any more.
func (p *Provider) issueCode(r *http.Request, a *authorization) (string, *Error) {
	ctx, now, d := r.Context(), p.now(), a.decide()
	d.scopes = a.scopes
	code := newCredential(store.NewID(now, d.userID))
	if a.form != nil {
		code = a.form.code()
		if e := p.agree(r, d); e != nil {
			return "", e
		}
	}
	challenge := a.params.Get("code_challenge")
	grant := p.newGrant(code.grantID, now, d)
	grant.WithCode(rules.NewCode{
		Hash:        code.secret.Hash(rules.KindCode),
		RedirectURI: a.redirectURI,
		// RFC 6749 section 4.1.3 wants the redirect URI named again if it was
		// named before; OAuth 2.1 has PKCE do what that was for.
		RedirectOptional: !a.redirectNamed || challenge != "",
		Challenge:        challenge,
		ExpiresAt:        rules.At(now.Add(p.cfg.CodeLifetime)),
	})
	err := p.records.create(ctx, grant.Document(newMark()))
	switch {
	case errors.Is(err, store.ErrExists): // The form, or the statement, was sent twice.
		if e := p.codeAgain(ctx, code); e != nil {
			return "", e
		}
	case err != nil:
		return "", unavailable("store", err)
	default:
		p.emit(ctx, Event{Kind: EventGrantCreated, ApplicationID: d.app.ID, UserID: d.userID, GrantID: code.grantID, Request: r})
	}
	return p.encode(rules.KindCode, code), nil
}

// codeAgain reports whether a code that was made before can still be redeemed.
func (p *Provider) codeAgain(ctx context.Context, code credential) *Error {
	var g rules.Grant
	err := p.records.findGrant(ctx, code.grantID, &g)
	switch {
	case err == nil && g.Redeemable(code.secret.Hash(rules.KindCode), rules.At(p.now())):
		return nil
	case err == nil || errors.Is(err, rules.ErrNotFound):
		return errStaleForm(errAnswered)
	}
	return unavailable("store", err)
}

// redeemCode gives the first tokens for a code (RFC 6749 section 4.1.3).
func (p *Provider) redeemCode(ctx context.Context, x *exchange, text, redirectURI, verifier string) (tokenInfo, *Error) {
	const what = "code"
	code, ok := p.decode(rules.KindCode, text)
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
	return p.redeem(ctx, x, what, code, rules.Redemption{RedirectURI: redirectURI, Challenge: challenge, NeedsChallenge: x.app.Public})
}

// redeem spends a code. What is the parameter that it came as, or was derived
// from.
func (p *Provider) redeem(ctx context.Context, x *exchange, what string, code credential, q rules.Redemption) (tokenInfo, *Error) {
	now := p.now()
	access := newCredential(code.grantID)
	refresh := credential{code.grantID, rules.NewRefresh()}
	q.Code, q.ApplicationID, q.Resource, q.Now = code.secret.Hash(rules.KindCode), x.app.ID, x.resource.identifier(), rules.At(now)
	q.Access = rules.NewToken{Hash: access.secret.Hash(rules.KindAccess), ExpiresAt: rules.At(now.Add(p.cfg.AccessLifetime))}
	q.Refresh = rules.NewToken{Hash: refresh.secret.Hash(rules.KindRefresh), ExpiresAt: rules.At(now.Add(p.cfg.RefreshLifetime))}
	q.Secret = refresh.secret
	var userID string
	answer := tokenInfo{access: p.encode(rules.KindAccess, access), refresh: p.encode(rules.KindRefresh, refresh)}
	err := p.records.changeGrant(ctx, code.grantID, func(g *rules.Grant) (rules.Step, error) {
		step, err := g.Redeem(&q)
		if err == nil {
			userID = g.UserID
			answer.scope, answer.expiresIn = g.Scopes, g.Until(q.Access.ExpiresAt).Sub(q.Now)
		}
		return step, err
	})
	if err != nil {
		p.reportReuse(ctx, x, code.grantID, err)
		return tokenInfo{}, grantRefusal(what, err)
	}
	p.emit(ctx, Event{Kind: EventTokenIssued, ApplicationID: x.app.ID, UserID: userID, GrantID: code.grantID, Request: x.request})
	return answer, nil
}

// rotateRefresh gives the next tokens for a refresh token (RFC 6749 section 6).
// They are derived from it and a random salt, so that a request that is
// repeated within the grace can be answered alike although only hashes are
// kept.
//
// Everything that can fail is asked before anything is written: if the host
// can't say whether the user is still there, the presented token stays good.
func (p *Provider) rotateRefresh(ctx context.Context, x *exchange, text, scope string) (tokenInfo, *Error) {
	const what = "refresh_token"
	presented, ok := p.decode(rules.KindRefresh, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, rules.ErrNotFound)
	}
	asked, e := parseAskedScopes(scope)
	if e != nil {
		return tokenInfo{}, e
	}
	now := p.now()
	q := rules.Rotation{
		Presented:        presented.secret,
		ApplicationID:    x.app.ID,
		Scopes:           asked.String(),
		Resource:         x.resource.identifier(),
		Salt:             rules.NewSalt(),
		Grace:            p.cfg.RefreshGrace,
		AccessExpiresAt:  rules.At(now.Add(p.cfg.AccessLifetime)),
		RefreshExpiresAt: rules.At(now.Add(p.cfg.RefreshLifetime)),
		Now:              rules.At(now),
	}
	var rotated rules.Rotated
	var userID, granted string
	err := p.records.changeGrant(ctx, presented.grantID, func(g *rules.Grant) (step rules.Step, err error) {
		if rotated, step, err = g.Rotate(&q); err != nil {
			return step, err
		}
		if userID == "" {
			if e := p.userStillThere(ctx, g.UserID); e != nil {
				return rules.Keep, e
			}
		}
		userID, granted = g.UserID, g.ScopesOf(&rotated.Token)
		return step, nil
	})
	if err != nil {
		p.reportReuse(ctx, x, presented.grantID, err)
		return tokenInfo{}, grantRefusal(what, err)
	}
	event := Event{Kind: EventTokenRefreshed, ApplicationID: x.app.ID, UserID: userID, GrantID: presented.grantID, Request: x.request}
	if rotated.Retried {
		event.Kind = EventTokenRetried
	}
	p.emit(ctx, event)
	if rotated.Evicted {
		event.Kind, event.Err = EventTokenRevoked, errTooManyTokens
		p.emit(ctx, event)
	}
	return tokenInfo{
		access:    p.encode(rules.KindAccess, credential{presented.grantID, rotated.Access}),
		refresh:   p.encode(rules.KindRefresh, credential{presented.grantID, rotated.Refresh}),
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
func (p *Provider) reportReuse(ctx context.Context, x *exchange, id store.ID, err error) {
	if errors.Is(err, rules.ErrReused) {
		p.emit(ctx, Event{Kind: EventReuseDetected, ApplicationID: x.app.ID, GrantID: id, Request: x.request, Err: err})
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
