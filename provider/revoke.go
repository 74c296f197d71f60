package provider

import (
	"context"
	"errors"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
)

// RevokeHandler serves the revocation endpoint (RFC 7009). A refresh token
// takes its whole grant with it, an access token ends alone. Tokens that are
// unknown, ended or another client's are answered alike.
func (p *Provider) RevokeHandler() http.Handler { return p.watched("revoke", p.serveRevoke) }

// tokenQuestion are the parameters of a request about a token (RFC 7009 section
// 2.1, RFC 7662 section 2.1).
var tokenQuestion = []string{"token", "token_type_hint", "client_id", "client_secret"}

func (p *Provider) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if !beginAPI(w, r, http.MethodPost) {
		return
	}
	if e := p.revoke(w, r); e != nil {
		p.writeError(w, r, "revoke", e)
		return
	}
	writeJSON(w, http.StatusOK, struct{}{}) // Some clients choke on an empty body, some on a missing type.
}

func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) (e *Error) {
	form, e := readForm(w, r, tokenQuestion)
	if e != nil {
		return e
	}
	app, e := p.clientOf(r, form, "revoke")
	if e != nil {
		return e
	}
	defer func() { e = e.by(app.ID) }()
	if form.Get("token") == "" {
		return refuse(codeInvalidRequest, "The parameter token is missing.")
	}
	event, err := p.revokeToken(r.Context(), form.Get("token"), app.ID)
	switch {
	case errors.Is(err, rules.ErrMismatch):
		p.logRefusal(r.Context(), "revoke", refuse(codeInvalidGrant, "The token is another client's.").because(err), "application", app.ID)
	case err != nil && !errors.Is(err, rules.ErrNotFound):
		return unavailable("store", err)
	case event.Kind != "":
		event.Request = r
		p.emit(r.Context(), event)
	}
	return nil
}

// revokeToken ends a token of the application. The event says what has ended;
// its Kind is empty if nothing has.
func (p *Provider) revokeToken(ctx context.Context, text, applicationID string) (event Event, err error) {
	if c, ok := p.decode(rules.KindAccess, text); ok {
		hash, now := c.secret.Hash(rules.KindAccess), rules.At(p.now())
		err := p.records.changeGrant(ctx, c.grantID, func(g *rules.Grant) (rules.Step, error) {
			step, err := g.RevokeAccess(hash, applicationID, now, p.cfg.RefreshGrace)
			if step == rules.Write {
				event = Event{Kind: EventTokenRevoked, ApplicationID: applicationID, UserID: g.UserID, GrantID: g.ID}
			}
			return step, err
		})
		return event, err
	}
	// One that is spent ends the grant too: who revokes it wants to sign out.
	t, err := p.findToken(ctx, text, rules.KindRefresh)
	switch {
	case err != nil:
		return event, err
	case t.applicationID != applicationID:
		return event, rules.ErrMismatch
	case errors.Is(t.dead, rules.ErrRevoked), errors.Is(t.dead, rules.ErrExpired):
		return event, nil
	}
	return Event{Kind: EventGrantRevoked, ApplicationID: applicationID, UserID: t.userID, GrantID: t.grantID}, p.records.endGrant(ctx, t.grantID)
}
