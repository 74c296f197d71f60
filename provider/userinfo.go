package provider

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/store"
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
	token, grant, err := p.findLive(r.Context(), store.KindAccess, text)
	if err != nil {
		return nil, asError(err)
	}
	if grant.Resource != "" {
		return nil, errOtherResource(grant)
	}
	user, err := p.user(r.Context(), grant.UserID)
	switch {
	case errors.Is(err, userinfo.ErrNotFound):
		return nil, invalidToken(err)
	case err != nil:
		return nil, unavailable("Config.Users", err)
	}
	// The id is the one that was signed in, whatever the record says: an
	// application must never see two users under one id.
	user.ID = grant.UserID
	document := user.Document(p.cfg.InstanceID, token.Scopes)
	return &document, nil
}
