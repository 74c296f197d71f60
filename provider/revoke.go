package provider

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/store"
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
	kind, _, grant, err := p.findPresented(r, form)
	switch {
	case errors.Is(err, ErrInvalidToken):
		return nil
	case err != nil:
		return asError(err)
	case grant.ApplicationID != app.ID:
		p.logRefusal(r.Context(), "revoke", refuse(codeInvalidGrant, "The token is another client's.").because(store.ErrMismatch), "application", app.ID)
		return nil
	}
	c, _ := p.decode(kind, form.Get("token"))
	ctx, until := p.writing(r.Context())
	defer until.stop()
	err = p.cfg.Store.RevokeToken(ctx, store.TokenRevocation{Key: c.key(kind), ApplicationID: app.ID, At: p.now()})
	if err != nil {
		return unavailable("store", err)
	}
	event := Event{Kind: EventTokenRevoked, ApplicationID: app.ID, UserID: grant.UserID, GrantID: grant.ID, Request: r}
	if kind == store.KindRefresh {
		event.Kind, event.Count = EventGrantRevoked, 1
	}
	p.emit(r.Context(), event)
	return nil
}

// findPresented finds the token in the parameter of that name. Its own text
// says which kind it is, so token_type_hint is not needed. A spent refresh
// token is found too: whoever revokes one wants the sign-in to end.
func (p *Provider) findPresented(r *http.Request, form url.Values) (store.Kind, store.Token, store.Grant, error) {
	text := form.Get("token")
	for _, kind := range []store.Kind{store.KindAccess, store.KindRefresh} {
		if _, ok := p.decode(kind, text); !ok {
			continue
		}
		token, grant, err := p.findLive(r.Context(), kind, text)
		if errors.Is(err, store.ErrReused) {
			err = nil
		}
		return kind, token, grant, err
	}
	return 0, store.Token{}, store.Grant{}, invalidToken(errors.New("malformed"))
}
