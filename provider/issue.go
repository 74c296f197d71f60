package provider

import (
	"errors"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

// issueCode makes the grant of a decision, and returns its authorization code
// (RFC 6749 section 4.1.2). A form makes at most one grant: if it is sent
// again, it gets the same code, unless that code can no longer be redeemed.
func (a *authorization) issueCode() (string, *Error) {
	now, d := a.now(), a.decide()
	d.scopes, d.extra = a.scopes, a.extra
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
		RedirectURI: a.redirect.uri,
		// RFC 6749 section 4.1.3 requires the redirect URI again if the request
		// had it. In OAuth 2.1, PKCE replaces that.
		RedirectOptional: !a.redirect.named || challenge != "",
		Challenge:        challenge,
		ExpiresAt:        rules.At(now.Add(a.offer.lifetimesFor(&d.app, d.resource).Code)),
	})
	already, e := a.keepGrant(d, &grant)
	if e == nil && already {
		e = a.codeAgain(code)
	}
	if e != nil {
		return "", e
	}
	return a.prefix.encode(rules.KindCode, code), nil
}

// codeAgain reports whether a code that was issued before can still be
// redeemed.
func (a *authorization) codeAgain(code credential) *Error {
	var g rules.Grant
	err := a.records.findGrant(a.context(), code.grantID, &g)
	switch {
	case err == nil && g.WorkspaceID == a.decide().workspaceID && g.Redeemable(code.secret.Hash(rules.KindCode), rules.At(a.now())):
		return nil
	case err == nil || errors.Is(err, rules.ErrNotFound):
		return errStaleForm(errAnswered)
	}
	return unavailable("store", err)
}
