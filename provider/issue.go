package provider

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// issueCode makes the grant that the user has agreed to, and its authorization
// code (RFC 6749 section 4.1.2).
func (p *Provider) issueCode(ctx context.Context, a *authorization, challenge string) (tokenInfo, *Error) {
	now := p.now()
	code := newCredential(store.NewGrantID(now, a.session.UserID))
	if a.form != nil {
		code = a.form.code()
	}
	grant := p.newGrant(code.grantID, now, a.session.UserID, a.app.ID, a.scopes)
	grant.Resource, grant.AgreedAt = a.resource.identifier(), a.agreedAt
	ctx, until := p.writing(ctx)
	defer until.stop()
	err := p.cfg.Store.CreateGrant(ctx, store.NewGrant{Grant: grant, Code: &store.Code{
		Hash:        code.key(store.KindCode).Hash,
		RedirectURI: a.redirectURI,
		// RFC 6749 section 4.1.3 wants the redirect URI named again if it was
		// named before; OAuth 2.1 has PKCE do what that was for.
		RedirectOptional: !a.redirectNamed || challenge != "",
		Challenge:        challenge,
		ExpiresAt:        now.Add(p.cfg.CodeLifetime),
	}})
	switch {
	case a.form != nil && errors.Is(err, store.ErrExists):
		// The same form was answered at the same moment, with this very code.
	case err != nil:
		return tokenInfo{}, unavailable("store", err)
	default:
		a.grantID = grant.ID
	}
	return tokenInfo{code: p.encode(store.KindCode, code)}, nil
}

// newGrant is a grant that is made now.
func (p *Provider) newGrant(id store.GrantID, now time.Time, userID, applicationID string, granted scopes.Set) store.Grant {
	grant := store.Grant{ID: id, UserID: userID, ApplicationID: applicationID, Scopes: granted, CreatedAt: now, LastUsedAt: now}
	if p.cfg.GrantLifetime > 0 {
		grant.ExpiresAt = now.Add(p.cfg.GrantLifetime)
	}
	return grant
}

// redeemCode gives the first tokens for a code (RFC 6749 section 4.1.3).
func (p *Provider) redeemCode(ctx context.Context, x *exchange, text, redirectURI, verifier string) (tokenInfo, *Error) {
	const what = "code"
	code, ok := p.decode(store.KindCode, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, store.ErrNotFound)
	}
	var challenge string
	if verifier != "" {
		if !isVerifier(verifier) {
			return tokenInfo{}, refuse(codeInvalidGrant, "The code_verifier must be 43 to 128 letters, digits, hyphens, dots, underscores and tildes.")
		}
		sum := sha256.Sum256([]byte(verifier))
		challenge = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return p.redeem(ctx, x, what, code, redirectURI, challenge)
}

// redeem spends a code. What is the parameter that it came as, or was derived
// from.
func (p *Provider) redeem(ctx context.Context, x *exchange, what string, code credential, redirectURI, challenge string) (tokenInfo, *Error) {
	now := p.now()
	access, refresh := newCredential(code.grantID), newCredential(code.grantID)
	keptRefresh := p.newToken(refresh, store.KindRefresh, now)
	sctx, until := p.writing(ctx)
	defer until.stop()
	issued, err := p.cfg.Store.RedeemCode(sctx, store.CodeRedemption{
		Key:           code.key(store.KindCode),
		ApplicationID: x.app.ID,
		RedirectURI:   redirectURI,
		Challenge:     challenge,
		Resource:      x.resource.identifier(),
		Access:        p.newToken(access, store.KindAccess, now),
		Refresh:       &keptRefresh,
		At:            now,
	})
	if err != nil {
		p.reportReuse(ctx, x, code.grantID, err)
		return tokenInfo{}, grantRefusal(what, err)
	}
	p.emit(ctx, Event{Kind: EventTokenIssued, ApplicationID: x.app.ID, UserID: issued.Grant.UserID, GrantID: code.grantID, Request: x.request})
	return p.pair(access, refresh, issued, now), nil
}

// rotateRefresh gives the next tokens for a refresh token (RFC 6749 section 6).
// They are derived from it and a random salt, so that a request that is
// repeated within the grace can be answered alike although only hashes are
// kept.
func (p *Provider) rotateRefresh(ctx context.Context, x *exchange, text, scope string) (tokenInfo, *Error) {
	const what = "refresh_token"
	presented, ok := p.decode(store.KindRefresh, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, store.ErrNotFound)
	}
	asked, e := parseAskedScopes(scope)
	if e != nil {
		return tokenInfo{}, e
	}
	var salt store.Salt
	rand.Read(salt[:]) // Never fails: it would end the program.
	now := p.now()
	access, refresh := presented.successors(salt)
	sctx, until := p.writing(ctx)
	defer until.stop()
	issued, err := p.cfg.Store.RotateRefresh(sctx, store.RefreshRotation{
		Key:           presented.key(store.KindRefresh),
		ApplicationID: x.app.ID,
		Scopes:        asked,
		Resource:      x.resource.identifier(),
		Access:        p.newToken(access, store.KindAccess, now),
		Refresh:       p.newToken(refresh, store.KindRefresh, now),
		Salt:          salt,
		Grace:         p.cfg.RefreshGrace,
		At:            now,
	})
	if err != nil {
		p.reportReuse(ctx, x, presented.grantID, err)
		return tokenInfo{}, grantRefusal(what, err)
	}
	if e := p.userStillThere(ctx, issued.Grant.UserID); e != nil {
		return tokenInfo{}, e
	}
	kind := EventTokenRefreshed
	if issued.Retried {
		kind = EventTokenRetried
		access, refresh = presented.successors(issued.Salt)
	}
	p.emit(ctx, Event{Kind: kind, ApplicationID: x.app.ID, UserID: issued.Grant.UserID, GrantID: presented.grantID, Request: x.request})
	return p.pair(access, refresh, issued, now), nil
}

// newToken is what a store keeps of a token that is issued now.
func (p *Provider) newToken(c credential, kind store.Kind, now time.Time) store.NewToken {
	lifetime := p.cfg.AccessLifetime
	if kind == store.KindRefresh {
		lifetime = p.cfg.RefreshLifetime
	}
	return store.NewToken{Hash: c.key(kind).Hash, ExpiresAt: now.Add(lifetime)}
}

// pair is the pair of tokens that goes to the client.
func (p *Provider) pair(access, refresh credential, issued store.Issued, now time.Time) tokenInfo {
	return tokenInfo{
		access:    p.encode(store.KindAccess, access),
		refresh:   p.encode(store.KindRefresh, refresh),
		expiresIn: max(0, issued.Access.ExpiresAt.Sub(now)),
		scope:     issued.Access.Scopes.String(),
	}
}

// userStillThere refuses to refresh for a user whom the host no longer knows,
// and ends what that user had. It comes after the rotation, which is what says
// whose token it is; if the host cannot answer, the client tries again and, as
// a retry, gets what it missed.
func (p *Provider) userStillThere(ctx context.Context, userID string) *Error {
	_, err := p.user(ctx, userID)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, userinfo.ErrNotFound):
		return unavailable("Config.Users", err)
	}
	if _, err := p.RevokeGrants(ctx, store.GrantFilter{UserID: userID}); err != nil {
		return unavailable("store", err)
	}
	return refuse(codeInvalidGrant, "The user account is gone.").because(err)
}

// reportReuse tells Config.Events when a grant was just revoked because
// something spent came again.
func (p *Provider) reportReuse(ctx context.Context, x *exchange, id store.GrantID, err error) {
	if errors.Is(err, store.ErrReused) {
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
