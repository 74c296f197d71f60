package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
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

// ConsentPage is what the consent page shows and sends, for Config.ConsentPage
// to show it in the host's own way: by a template, or as JSON inside the page
// of a program in the browser.
//
// The page has a form that is posted to FormAction (RFC 6749 section 3.1). It
// consists of FormFields as hidden fields; of a field "granted" for each scope
// that is allowed, with the scope's name as its value, usually a checkbox that
// is ticked at first; and of two buttons "decision" with the values "allow" and
// "deny". Scopes that are Required are granted with or without a field. The
// form is to be posted by the browser itself and not by fetch, because the
// answer sends the browser to the application.
type ConsentPage struct {
	Host  PageHost `json:"host"`
	Texts Texts    `json:"texts"` // in the visitor's language, with the names filled in

	Application PageApplication `json:"application"`
	User        PageUser        `json:"user"`
	Scopes      []PageScope     `json:"scopes"` // empty: only who the user is

	// Resource is the name of the one of Config.Resources that the access is
	// for. Empty: none, but the host's API as a whole.
	Resource string `json:"resource"`

	// RedirectHost is where the visitor is sent afterwards: a host, or the
	// scheme of a native application with a colon.
	RedirectHost string `json:"redirect_host"`

	// SelfRegistered is set if nobody at the host knows the application, and
	// OnThisDevice if the answer goes to a program on the visitor's device,
	// which anything there can pretend to be (RFC 8252 section 8.6). The page
	// must warn of either.
	SelfRegistered bool `json:"self_registered"`
	OnThisDevice   bool `json:"on_this_device"`

	// SwitchAccountURL lets the visitor sign in as somebody else and come back.
	SwitchAccountURL string `json:"switch_account_url"`

	FormAction string      `json:"form_action"`
	FormFields []PageField `json:"form_fields"`
}

// PageApplication is an application, as pages show it.
type PageApplication struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	LogoURL   string `json:"logo_url"`   // may be empty
	ClientURI string `json:"client_uri"` // its home page; may be empty

	// Publisher is the host that vouches for the name and logo of an
	// application that is known by a document there (see [ClientIDDocuments]).
	// Empty: the application is registered.
	Publisher string `json:"publisher"`
}

// PageUser is the signed-in user, as pages show them.
type PageUser struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Picture  string `json:"picture"`

	// Label is the first of name, username, email and id that there is.
	Label string `json:"label"`
}

// PageScope is a scope that an application asks for.
type PageScope struct {
	Name     string `json:"name"`
	Title    string `json:"title"`    // in the visitor's language
	Required bool   `json:"required"` // cannot be unticked
}

// consentPage asks the signed-in user.
func (p *Provider) consentPage(w http.ResponseWriter, r *http.Request, a *authorization) {
	user, e := p.findUser(r.Context(), a.session.UserID)
	if e != nil {
		p.errorPage(w, r, endpointAuthorize, p.offerAccount(a, e))
		return
	}
	texts := p.texts(r)
	page := ConsentPage{
		Host:           p.pageHost(),
		Texts:          texts,
		Application:    p.pageApplication(a.app),
		User:           pageUser(user, a.session.UserID),
		Scopes:         p.pageScopes(a.scopes, texts),
		RedirectHost:   redirectHost(a.redirectURI),
		SelfRegistered: a.app.Origin != store.OriginManual,
		OnThisDevice:   !strings.HasPrefix(a.redirectURI, "https://"),
		FormAction:     p.issuer.Path + p.cfg.Paths.Authorize,
		FormFields: []PageField{
			{requestField, a.params.Encode()},
			{sealField, p.sealForm(w, r, a.session.UserID, a.sealed()...)},
		},
		SwitchAccountURL: p.switchAccountURL(a),
	}
	if a.resource != nil {
		page.Resource = a.resource.name
	}
	if p.cfg.ConsentPage != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.name, "user", page.User.Label, "address", page.RedirectHost, "resource", page.Resource, "publisher", page.Application.Publisher)
		// Added, so that it holds beside a policy of the host's own.
		w.Header().Add("Content-Security-Policy", guardPage(w.Header(), consentAction(a.redirectURI)))
		p.cfg.ConsentPage(w, r, page)
		return
	}
	p.pages.write(w, http.StatusOK, "consent.html", page, consentAction(a.redirectURI), []string{page.Host.LogoURL, page.Application.LogoURL}, "")
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
	if e.reason == ReasonNoAccount {
		e.retryURL = p.switchAccountURL(a)
	}
	return e
}

// pageApplication leaves out the logo of an application that registered itself:
// it could be anybody's.
func (p *Provider) pageApplication(app store.Application) PageApplication {
	shown := PageApplication{ID: app.ID, Name: app.Name, ClientURI: app.ClientURI}
	switch app.Origin {
	case store.OriginManual:
		shown.LogoURL = app.LogoURL
	case store.OriginDocument: // The logo is from where the document is.
		shown.LogoURL = app.LogoURL
		shown.Publisher = clientdoc.Host(app.ClientID)
	}
	return shown
}

func pageUser(u userinfo.User, id string) PageUser {
	shown := PageUser{ID: id, Name: u.Name, Username: u.Username, Email: u.Email, Picture: u.Picture}
	for _, label := range []string{u.Name, u.Username, u.Email, id} {
		if label != "" {
			shown.Label = label
			break
		}
	}
	return shown
}

// pageScopes returns the sentences for the scopes of a set, in the order of
// Config.Scopes. One that was granted and is not there any more has its name.
func (p *Provider) pageScopes(set scopes.Set, texts Texts) []PageScope {
	shown := []PageScope{}
	for _, s := range p.cfg.Scopes {
		if set.Has(s.Name) {
			shown = append(shown, PageScope{s.Name, texts.scope(s.Name, s.Title), s.Required})
		}
	}
	for _, name := range set.Minus(p.scopes) {
		shown = append(shown, PageScope{Name: name, Title: texts.scope(name, name)})
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
		p.answer(w, r, a, PageField{"error", codeAccessDenied}, PageField{"error_description", "The user said no."})
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
