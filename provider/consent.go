package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// The consent form posts the whole request back to where it came from, and
// nothing is kept on the server in between: everything is checked again, as if
// it had never been seen. The request is one field, encoded, because browsers
// change line ends in what a form sends.
const (
	requestField  = "request"
	decisionField = "decision" // "allow" or "deny"
	grantedField  = "granted"  // the name of a scope; as often as there are scopes
)

var consentFields = []string{requestField, decisionField, grantedField, sealField}

// consentPage asks the signed-in user.
func (p *Provider) consentPage(w http.ResponseWriter, r *http.Request, a *authorization) {
	user, e := p.findUser(r.Context(), a.session.UserID)
	if e != nil {
		p.errorPage(w, r, endpointAuthorize, p.offerAccount(a, e))
		return
	}
	page := pages.Consent{
		Application:    p.pageApplication(a.app),
		User:           pageUser(user, a.session.UserID),
		Scopes:         p.pageScopes(a.scopes),
		SelfRegistered: a.app.Origin != store.OriginManual,
		OnThisDevice:   !strings.HasPrefix(a.redirectURI, "https://"),
		FormAction:     p.issuer.Path + p.cfg.Paths.Authorize,
		FormFields: []pages.Field{
			{Name: requestField, Value: a.params.Encode()},
			{Name: sealField, Value: p.sealForm(w, r, a.session.UserID, a.sealed()...)},
		},
		SwitchAccountURL: p.switchAccountURL(a),
	}
	if a.resource != nil {
		page.Resource = a.resource.name
	}
	p.pages.Consent(w, r, page, a.redirectURI)
}

// sealed is what the seal of a consent form holds for: who was asked, and all
// that the page said. Part of that does not come from the request but from the
// application, which may have changed since.
func (a *authorization) sealed() []string {
	return []string{"consent", a.session.UserID, a.params.Encode(), a.redirectURI, a.scopes.String(), a.app.Name, a.app.LogoURL, a.app.ClientURI}
}

// switchAccountURL is the same request, with the wish to sign in as somebody
// else.
func (p *Provider) switchAccountURL(a *authorization) string {
	params := a.firstParams()
	if !slices.Contains(a.prompt, "select_account") {
		params.Set("prompt", strings.Join(append(slices.Clone(a.prompt), "select_account"), " "))
	}
	return p.authorizePath(params)
}

// offerAccount lets a visitor whose account is gone sign in with another.
func (p *Provider) offerAccount(a *authorization, e *Error) *Error {
	if e.reason == pages.ReasonNoAccount {
		e.retryURL = p.switchAccountURL(a)
	}
	return e
}

// pageApplication leaves out the logo of an application that registered itself:
// it could be anybody's.
func (p *Provider) pageApplication(app store.Application) pages.Application {
	shown := pages.Application{ID: app.ID, Name: app.Name, ClientURI: app.ClientURI}
	switch app.Origin {
	case store.OriginManual:
		shown.LogoURL = app.LogoURL
	case store.OriginDocument: // The logo is from where the document is.
		shown.LogoURL = app.LogoURL
		shown.Publisher = clientdoc.Host(app.ClientID)
	}
	return shown
}

func pageUser(u userinfo.User, id string) pages.User {
	shown := pages.User{ID: id, Name: u.Name, Username: u.Username, Email: u.Email, Picture: u.Picture}
	for _, label := range []string{u.Name, u.Username, u.Email, id} {
		if label != "" {
			shown.Label = label
			break
		}
	}
	return shown
}

// pageScopes returns the scopes of a set with their titles, in the order of
// Config.Scopes. One that was granted and is not there any more has its name.
func (p *Provider) pageScopes(set scopes.Set) []pages.Scope {
	shown := []pages.Scope{}
	for _, s := range p.cfg.Scopes {
		if set.Has(s.Name) {
			shown = append(shown, pages.Scope{Name: s.Name, Title: s.Title, Required: s.Required})
		}
	}
	for _, name := range set.Minus(p.scopes) {
		shown = append(shown, pages.Scope{Name: name, Title: name})
	}
	return shown
}

// decide takes the user's answer.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request, form url.Values) {
	a, e := p.readDecision(r, form)
	switch {
	case e != nil && errors.Is(e, errAnswered):
		// It is not answered twice, but asked again if it has to be.
		p.refused(r.Context(), endpointAuthorize, e, "application", a.app.ID)
		seeOther(w, p.authorizePath(a.params))
	case e != nil:
		p.errorPage(w, r, endpointAuthorize, e)
	case a.session.UserID == "":
		p.signIn(w, r, a)
	case form.Get(decisionField) != "allow":
		p.emit(r.Context(), Event{Kind: EventGrantDenied, ApplicationID: a.app.ID, UserID: a.session.UserID, Request: r})
		// A user's own choice is an event and no refusal to log.
		noteOutcome(r.Context(), codeAccessDenied)
		p.answer(w, r, a, param{"error", codeAccessDenied}, param{"error_description", "The user said no."})
	default:
		d := a.decide()
		d.form, d.agreedAt = a.form.id, p.now()
		e := p.prepare(r, d)
		if e == nil {
			// The user whom the page was shown to may be gone by now.
			_, e = p.findUser(r.Context(), a.session.UserID)
		}
		if e != nil {
			p.errorPage(w, r, endpointAuthorize, p.offerAccount(a, p.retry(a, e)))
			return
		}
		p.grant(w, r, a)
	}
}

// readDecision checks all that was checked before the form was shown, and the
// form. The scopes that it returns are those that the user has left ticked.
// With nobody signed in it ends early, and without an error.
func (p *Provider) readDecision(r *http.Request, form url.Values) (*authorization, *Error) {
	if e := repeated(form, requestField, decisionField, sealField); e != nil {
		return nil, e
	}
	params, e := parseParams(form.Get(requestField), authorizeParams)
	if e != nil {
		return nil, e
	}
	session, e := p.currentUser(r)
	switch {
	case e != nil:
		return nil, e
	case session.UserID == "" && p.namesDocument(params):
		return &authorization{params: params, prompt: strings.Fields(params.Get("prompt"))}, nil
	}
	a, e := p.identify(r, params)
	if e != nil {
		return nil, e
	}
	a.session = session
	e = p.examine(a)
	if a.session.UserID == "" {
		return a, nil
	}
	if e == nil {
		a.form, e = p.openForm(r, form.Get(sealField), a.sealed()...)
	} else {
		e = errStaleForm(e) // No page was shown for it, or not as things are now.
	}
	var granted scopes.Set
	if e == nil {
		granted, e = p.tickedScopes(a.scopes, form[grantedField])
	}
	if e != nil {
		e.retryURL = p.authorizePath(a.firstParams())
		return a, e
	}
	a.scopes = granted
	return a, nil
}

// tickedScopes are those that a form grants of the ones that it has shown.
func (p *Provider) tickedScopes(shown scopes.Set, names []string) (scopes.Set, *Error) {
	ticked := scopes.New(names...)
	if !shown.Contains(ticked) {
		return nil, errStaleForm(errors.New("the form grants a scope that was not asked for"))
	}
	return ticked.Union(shown.Intersect(p.required)), nil
}
