package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
)

// The consent form posts the whole request back to where it came from, and
// nothing is kept on the server in between: everything is checked again, as if
// it had never been seen. The request is one field, encoded, because browsers
// change line ends in what a form sends.

// consentPage asks the signed-in user. The scopes that are declined have boxes
// that are not ticked. Missing says that they have allowed it, but have not chosen
// a workspace.
func (a *authorization) consentPage(declined scopes.Set, missing bool) *Error {
	user, e := a.findUser(a.session.UserID)
	if e == nil {
		e = a.workspace.load(&a.visit)
	}
	if e != nil {
		return a.retry(e)
	}
	page := pages.Consent{
		Application:  a.pageApplicationAt(a.app, a.redirect.uri),
		User:         pageUser(user, a.session.UserID),
		Scopes:       a.askScopes(a.scopes, declined),
		OnThisDevice: a.toThisDevice(),
		FormAction:   a.path,
		FormFields: []pages.Field{
			{Name: requestField, Value: a.params.Encode()},
			{Name: sealField, Value: a.sealForm(a.session.UserID, a.sealed()...)},
		},
		SwitchAccountURL: a.switchAccountURL(), ConnectionsURL: a.connectionsPath(),
	}
	if a.resource != nil {
		page.Resource = a.resource.name
	}
	if page.Workspace = a.workspace.onPage(); page.Workspace != nil {
		page.Workspace.Missing = missing
	}
	a.pages.Consent(a.w, a.r, page, a.redirect.uri)
	return nil
}

// toThisDevice reports whether the answer goes to a program on the visitor's
// machine. Where the host is developed on that machine too, its own applications
// are no strangers there.
func (a *authorization) toThisDevice() bool {
	here := a.app.Reviewed && a.local() && weburl.Shown(a.redirect.uri, true) != weburl.Shown(a.redirect.uri, false)
	return !a.redirect.https() && !here
}

// sealed is what the seal of a consent form holds for: who was asked, and all
// that the page said. Part of that does not come from the request but from the
// application, which may have changed since.
func (a *authorization) sealed() []string {
	return append([]string{
		"consent", a.session.UserID, a.params.Encode(), a.redirect.uri, a.scopes.String(),
		a.app.Name, a.app.LogoURL, a.app.ClientURI, a.app.TermsURI, a.app.PolicyURI, strconv.FormatBool(a.app.Reviewed),
	}, a.workspace.sealed()...)
}

// decide takes the user's answer.
func (c *call) decide(form url.Values) *Error {
	a, granted, e := c.readDecision(form)
	answered, allow := e != nil && errors.Is(e, errAnswered), form.Get(decisionField) == "allow"
	switch {
	case answered && allow:
		c.refused(e)
		return a.allowAgain(granted)
	case e != nil && errors.Is(e, errNoChoice) && allow:
		c.refused(e)
		return a.consentPage(a.scopes.Minus(granted), true)
	case e != nil && !answered && !errors.Is(e, errNoChoice):
		return e
	case a.anonymous():
		return a.signInAsAsked()
	}
	d := a.decide()
	d.form, d.shown = a.form.id, a.scopes
	if !allow {
		return a.cancel(d)
	}
	a.scopes, d.agreedAt = granted, c.now()
	if e = staleIfNotMember(a.prepare(d)); e == nil {
		// The user whom the page was shown to may be gone by now.
		_, e = c.findUser(a.session.UserID)
	}
	if e != nil {
		return a.retry(e)
	}
	return a.grant()
}

// cancel takes back what the page has shown, and sends the user's no to the
// application. It may come after Allow on the same page.
func (a *authorization) cancel(d *decision) *Error {
	if e := a.withdraw(d); e != nil {
		return a.retry(e)
	}
	a.event(Event{Kind: EventGrantDenied, ApplicationID: a.app.ID, UserID: a.session.UserID, WorkspaceID: d.workspaceID})
	// A user's own choice is an event and no refusal to log.
	a.outcome = codeAccessDenied
	a.answer(param{"error", codeAccessDenied}, param{"error_description", "The user said no."})
	return nil
}

// allowAgain begins anew, for a form that the browser knows to be answered: the
// user is asked again if need be. That is so too if other boxes are ticked now, or
// another workspace is chosen: what was not left so must not be granted without a
// page.
func (a *authorization) allowAgain(ticked scopes.Set) *Error {
	d := a.decide()
	chosen := d.workspaceID
	if e := a.recall(&a.workspace, d); e != nil {
		return e
	}
	if e := staleIfNotMember(a.prepare(d)); e != nil {
		return a.retry(e)
	}
	to := a.again()
	given, ok := d.consent.Covers(a.scopes, a.offer.required, d.resource)
	if ok && !given.Equal(ticked) || chosen != d.workspaceID {
		to = a.switchURL(strings.Join(append(slices.Clone(a.prompt), "consent"), " "))
	}
	seeOther(a.w, to)
	return nil
}

// readDecision checks all that was checked before the form was shown, and the
// form, and returns the scopes that the user has left ticked, also with
// errAnswered. If no one is signed in, it ends early, and without an error.
func (c *call) readDecision(form url.Values) (a *authorization, granted scopes.Set, e *Error) {
	if e := repeated(form, requestField, decisionField, sealField, workspaceParam); e != nil {
		return nil, nil, e
	}
	params, e := parseParams(form.Get(requestField), c.offer.params)
	if e != nil {
		return nil, nil, e
	}
	if a, e = c.newAuthorization(params); e != nil || a.anonymous() && c.namesDocument(params) {
		return a, nil, e
	}
	if e := a.identify(); e != nil {
		return nil, nil, e
	}
	e = a.examine()
	if a.anonymous() {
		return a, nil, nil
	}
	if e == nil {
		e = a.workspace.load(&a.visit)
	}
	if e != nil && e.Status < http.StatusInternalServerError {
		e = errStaleForm(e) // No page was shown for it, or not as things are now.
	} else if e == nil {
		granted, e = a.readForm(form)
	}
	if e != nil {
		e.retryURL = a.again()
	}
	return a, granted, e
}

// readForm checks the seal of the form, and what was ticked and chosen on it.
func (a *authorization) readForm(form url.Values) (granted scopes.Set, e *Error) {
	if a.form, e = a.openForm(form.Get(sealField), a.sealed()...); a.form == nil {
		return nil, e
	}
	granted, wrong := a.offer.ticked(a.scopes, form[grantedField])
	if wrong == nil {
		a.decide().workspaceID, wrong = a.workspace.take(form)
	}
	if wrong != nil && (e == nil || !errors.Is(wrong, errNoChoice)) {
		e = wrong
	}
	return granted, e
}
