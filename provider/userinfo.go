package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/userinfo"
)

// UserInfoHandler serves the userinfo document of the user whose access token
// is presented. A token of a machine is refused with 403.
func (p *Provider) UserInfoHandler() http.Handler {
	return p.handler(endpoint{
		name: "userinfo", methods: []string{http.MethodGet, http.MethodHead, http.MethodPost}, open: true,
		serve: (*call).serveUserInfo, refuse: func(c *call, e *Error) { c.writeBearerError(e) },
	})
}

func (c *call) serveUserInfo() *Error {
	document, e := c.userInfo()
	if e != nil {
		return e
	}
	if err := encodeJSON(c.w, http.StatusOK, document); err != nil { // a channel, a function, or a cycle
		return asError(fmt.Errorf("Config.Users returned a user whose metadata can't be encoded as JSON: %w", err))
	}
	return nil
}

// userInfo returns the document of the user whose access token is presented,
// limited to the token's scopes.
func (c *call) userInfo() (*userinfo.Document, *Error) {
	var form url.Values
	if c.r.Method == http.MethodPost && hasForm(c.r) {
		var e *Error
		if form, e = readForm(c.w, c.r, []string{"access_token"}); e != nil {
			return nil, e
		}
	}
	text, e := bearerToken(c.r, form)
	if e != nil {
		return nil, e
	}
	token, e := c.findLive(text, rules.KindAccess)
	if e != nil {
		return nil, e
	}
	if token.resource != "" {
		return nil, errOtherResource()
	}
	if token.machine() {
		return nil, errPeopleOnly()
	}
	user, err := c.user(c.context(), token.userID)
	switch {
	case errors.Is(err, userinfo.ErrNotFound):
		return nil, invalidToken(err)
	case err != nil:
		return nil, unavailable("Config.Users", err)
	}
	switch err := c.checkMember(c.context(), token.userID, token.workspaceID); {
	case errors.Is(err, errNotMember):
		return nil, invalidToken(err)
	case err != nil:
		return nil, unavailable("Config.Workspaces", err)
	}
	document := user.Document(c.cfg.InstanceID, token.scopes)
	document.WorkspaceID = token.workspaceID
	return &document, nil
}
