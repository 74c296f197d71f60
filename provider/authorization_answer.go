package provider

import (
	"errors"
	"net/http"
	"slices"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// signInAsAsked sends the visitor to sign in as the application asked.
func (a *authorization) signInAsAsked() *Error {
	another := a.openID.subject != "" && a.session.UserID != a.openID.subject
	lacks := !a.anonymous() && a.openID.missing(&a.visit) != nil
	return a.signIn(SignInRequest{
		LoginHint:     a.params.Get("login_hint"),
		Force:         slices.Contains(a.prompt, "login") || lacks && !another,
		SwitchAccount: slices.Contains(a.prompt, "select_account") || lacks && another,
		ACRValues:     a.openID.acr,
	})
}

// grant carries out the decision and sends the code to the application (RFC
// 6749 section 4.1.2).
func (a *authorization) grant() *Error {
	e := a.noteUse(a.app)
	var code string
	if e == nil {
		code, e = a.issueCode()
	}
	if e != nil {
		return a.retry(e)
	}
	a.answer(param{"code", code})
	return nil
}

// retry adds to the error page for e how the visitor can continue: start over
// if the form or sign-in is outdated, or choose another account.
func (a *authorization) retry(e *Error) *Error {
	switch e.reason {
	case pages.ReasonStaleForm:
		e.retryURL = a.again()
	case pages.ReasonNoAccount, pages.ReasonNoWorkspace:
		e.retryURL = a.switchAccountURL()
	}
	return e
}

// redirectRefusal sends a refusal to the application (RFC 6749 section
// 4.1.2.1).
//
// An application that isn't reviewed may send people anywhere. So a visitor who
// has never allowed it sees the refusal here, and a link alone can't redirect
// them (RFC 9700 section 4.11.2).
func (a *authorization) redirectRefusal(e *Error) *Error {
	if !a.app.Reviewed && a.form == nil {
		allowed, unknown := a.allowedOnce()
		switch {
		case unknown != nil:
			return unknown
		case !allowed:
			return e
		}
	}
	a.refused(e)
	a.answer(param{"error", e.Code}, param{"error_description", e.Description})
	return nil
}

// allowedOnce reports whether the signed-in user has allowed the application
// before and has not withdrawn that.
func (a *authorization) allowedOnce() (bool, *Error) {
	if a.anonymous() {
		return false, nil
	}
	d, ofUser := *a.decide(), workspaceChoice{use: a.workspace.use}
	if e := a.recall(&ofUser, &d); e != nil {
		return false, e
	}
	switch e := a.prepare(&d); {
	case e != nil && errors.Is(e, errNotMember):
		return false, nil
	case e != nil:
		return false, e
	}
	return d.consent.Stands(), nil
}

// answer sends parameters to the application through the visitor's browser. It
// adds the state of the request, and the issuer, so the client can't mistake
// one server's answer for another's (RFC 9207).
func (a *authorization) answer(params ...param) {
	if a.form != nil {
		a.answerForm(a.form)
	}
	params = slices.Grow(params, 2)
	if state := a.params.Get("state"); state != "" {
		params = append(params, param{"state", state})
	}
	params = append(params, param{"iss", a.cfg.Issuer})
	if a.formPost {
		a.formPostPage(params)
		return
	}
	setHeaders(a.w.Header(), "Cache-Control", "no-store", "Referrer-Policy", "no-referrer", "Location", appendQuery(a.redirect.uri, params))
	status := http.StatusFound
	if a.r.Method == http.MethodPost {
		status = http.StatusSeeOther // not 307, which would post the consent form to the client
	}
	a.w.WriteHeader(status)
}

// formPostPage answers with a form that the visitor's browser posts to the
// application (OAuth 2.0 Form Post Response Mode).
func (a *authorization) formPostPage(params []param) {
	page := pages.FormPost{Application: a.pageApplicationAt(a.app, a.redirect.uri), FormAction: a.redirect.uri}
	for _, param := range params {
		page.FormFields = append(page.FormFields, pages.Field(param))
	}
	a.pages.FormPost(a.w, a.r, page)
}
