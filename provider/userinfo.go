package provider

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/userinfo"
)

func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if !beginAPI(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	document, e := p.userInfo(w, r)
	if e != nil {
		p.writeBearerError(w, r, "userinfo", e)
		return
	}
	writeJSON(w, http.StatusOK, document)
}

// userInfo finds the document of the user whose access token is presented, cut
// to the token's scopes.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) (*userinfo.Document, *Error) {
	var form url.Values
	if r.Method == http.MethodPost && hasForm(r) {
		var e *Error
		if form, e = readForm(w, r, []string{"access_token"}); e != nil {
			return nil, e
		}
	}
	text, e := bearerToken(r, form)
	if e != nil {
		return nil, e
	}
	token, e := p.findLive(r.Context(), text, rules.KindAccess)
	if e != nil {
		return nil, e
	}
	if token.resource != "" {
		return nil, errOtherResource(token)
	}
	user, err := p.user(r.Context(), token.userID)
	switch {
	case errors.Is(err, userinfo.ErrNotFound):
		return nil, invalidToken(err)
	case err != nil:
		return nil, unavailable("Config.Users", err)
	}
	// The id is the one that was signed in, whatever the record says: an
	// application must never see two users under one id.
	user.ID = token.userID
	document := user.Document(p.cfg.InstanceID, token.scopes)
	return &document, nil
}
