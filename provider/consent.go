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

// The consent form contains the whole request, and the server keeps nothing in
// between: everything is checked again with the answer. The request is one
// encoded field, because browsers change line ends in form fields.

// consentPage shows the page to the signed-in user. The boxes of declined
// scopes are not checked. missing means that the user pressed Allow without
// choosing a workspace.
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
// device. During development the host is on that device too, so its own
// applications don't count.
func (a *authorization) toThisDevice() bool {
	here := a.app.Reviewed && a.local() && weburl.Shown(a.redirect.uri, true) != weburl.Shown(a.redirect.uri, false)
	return !a.redirect.https() && !here
}

// sealed returns what the seal of a consent form covers: the user, and
// everything that the page said. Part of that comes from the application's
// record, which may have changed since.
func (a *authorization) sealed() []string {
	return append([]string{
		"consent", a.session.UserID, a.params.Encode(), a.redirect.uri, a.scopes.String(),
		a.app.Name, a.app.LogoURL, a.app.ClientURI, a.app.TermsURI, a.app.PolicyURI, strconv.FormatBool(a.app.Reviewed),
	}, a.workspace.sealed()...)
}

// decide handles the user's answer.
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
		// The user may have been deleted since the page was shown.
		_, e = c.findUser(a.session.UserID)
	}
	if e != nil {
		return a.retry(e)
	}
	return a.grant()
}

// cancel withdraws what the page has shown, and tells the application that the
// user declined. It may come after Allow on the same page.
func (a *authorization) cancel(d *decision) *Error {
	if e := a.withdraw(d); e != nil {
		return a.retry(e)
	}
	a.event(Event{Kind: EventGrantDenied, ApplicationID: a.app.ID, UserID: a.session.UserID, WorkspaceID: d.workspaceID})
	// A user's choice is an event, not a refusal to log.
	a.outcome = codeAccessDenied
	a.answer(param{"error", codeAccessDenied}, param{"error_description", "The user declined."})
	return nil
}

// allowAgain starts over with a form that the browser knows to be answered, and
// asks the user again if necessary. It is necessary if other boxes are checked
// now or another workspace is chosen, because that was not what the user
// allowed.
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

// readDecision repeats all checks that were made before the form was shown, and
// checks the form. It returns the scopes that the user left checked, even with
// errAnswered. If no one is signed in, it returns early without an error.
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
		e = errStaleForm(e) // Its page was never shown, or something has changed since.
	} else if e == nil {
		granted, e = a.readForm(form)
	}
	if e != nil {
		e.retryURL = a.again()
	}
	return a, granted, e
}

// readForm checks the seal of the form, and the boxes and the choice on it.
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
