package provider

import (
	"errors"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

// RevokeHandler serves the revocation endpoint (RFC 7009). Revoking a refresh
// token ends its whole grant; revoking an access token ends only that token. A
// token that is unknown, ended, or another client's gets the same answer.
func (p *Provider) RevokeHandler() http.Handler {
	return p.handler(endpoint{name: endpointRevoke, methods: []string{http.MethodPost}, open: true, serve: (*call).serveRevoke, refuse: (*call).writeError})
}

func (c *call) serveRevoke() *Error {
	form, e := readForm(c.w, c.r, c.offer.forms.question.single)
	if e != nil {
		return e
	}
	app, e := c.client(form)
	if e != nil {
		return e
	}
	if form.Get("token") == "" {
		return refuse(codeInvalidRequest, "The parameter token is missing.")
	}
	event, err := c.revokeToken(form.Get("token"), &app)
	switch {
	case errors.Is(err, rules.ErrMismatch):
		c.log(refuse(codeInvalidGrant, "The token belongs to another client.").because(err))
	case err != nil && !errors.Is(err, rules.ErrNotFound):
		return unavailable("store", err)
	case event.Kind != "":
		c.event(event)
	}
	writeJSON(c.w, http.StatusOK, struct{}{}) // Some clients fail on an empty body, some on a missing type.
	return nil
}

// revokeToken revokes a token of the application. The event says what has
// ended; its Kind is empty if nothing has.
func (c *call) revokeToken(text string, app *store.Application) (event Event, err error) {
	applicationID := app.ID
	if access, ok := c.prefix.decode(rules.KindAccess, text); ok {
		hash, now := access.secret.Hash(rules.KindAccess), rules.At(c.now())
		err := c.records.changeGrant(c.context(), access.grantID, func(g *rules.Grant) (rules.Step, error) {
			step, err := g.RevokeAccess(hash, applicationID, now, c.offer.lifetimesFor(app, g.Resource).Grace)
			if step == rules.Write {
				event = Event{Kind: EventTokenRevoked, ApplicationID: applicationID, UserID: g.UserID, Machine: g.Machine(), GrantID: g.ID, WorkspaceID: g.WorkspaceID}
			}
			return step, err
		})
		return event, err
	}
	// A spent token revokes the grant too, because its client wants to sign
	// out.
	t, err := c.findToken(c.context(), text, rules.KindRefresh)
	switch {
	case err != nil:
		return event, err
	case t.applicationID != applicationID:
		return event, rules.ErrOtherApplication
	case errors.Is(t.dead, rules.ErrRevoked), errors.Is(t.dead, rules.ErrExpired):
		return event, nil
	}
	return Event{Kind: EventGrantRevoked, ApplicationID: applicationID, UserID: t.userID, GrantID: t.grantID, WorkspaceID: t.workspaceID}, c.records.endGrant(c.context(), t.grantID)
}
