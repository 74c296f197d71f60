package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// AuthorizeHandler serves the authorization endpoint (RFC 6749 section 3.1) and
// its consent page.
func (p *Provider) AuthorizeHandler() http.Handler {
	return p.handler(endpoint{name: "authorize", methods: pageMethods, serve: (*call).serveAuthorize, refuse: (*call).errorPage})
}

func (c *call) serveAuthorize() *Error {
	query, e := parseParams(c.r.URL.RawQuery, c.offer.params)
	if c.r.Method != http.MethodPost {
		if e != nil {
			return e
		}
		return c.authorize(query)
	}
	// A sign-in page that answers its own form with 307 makes the browser post
	// that form here, with the whole request in the query.
	asked := e == nil && len(query) > 0
	if asked && !hasForm(c.r) {
		seeOther(c.w, withQuery(c.authorizePath(), query))
		return nil
	}
	form, e := readParams(c.w, c.r, append(slices.Clone(consentFields), c.offer.params...))
	switch {
	case e != nil:
		return e
	case form.Has(decisionField):
		return c.decide(form)
	}
	maps.DeleteFunc(form, func(name string, _ []string) bool { return !slices.Contains(c.offer.params, name) })
	if len(form) == 0 && asked {
		form = query
	}
	// A request that another site posts comes without the host's cookies.
	// Redirect it to its GET form, which brings them.
	seeOther(c.w, withQuery(c.authorizePath(), form))
	return nil
}

// authorize answers an authorization request (RFC 6749 section 4.1.1). Until
// client and redirect URI are valid, refusals are a page. Then they are
// redirects, but only after the visitor has signed in, so a link alone can't
// use this endpoint to redirect people (RFC 9700 section 4.11.2).
func (c *call) authorize(params url.Values) *Error {
	a, e := c.newAuthorization(params)
	if e != nil {
		return e
	}
	var refusal *Error
	if !a.anonymous() || !c.namesDocument(params) { // Only signed-in users make this server fetch a document.
		if e := a.identify(); e != nil {
			return e
		}
		refusal = a.examine()
	}
	switch {
	case a.anonymous() && !a.silent():
		return a.signInAsAsked()
	case a.anonymous():
		return a.redirectRefusal(errLoginRequired())
	case refusal != nil:
		return a.redirectRefusal(refusal)
	}
	if fresh, e := a.signedInAsAsked(); e != nil {
		return a.redirectRefusal(e)
	} else if !fresh {
		return a.signInAsAsked()
	}
	ask, e := a.mustAsk()
	switch {
	case e != nil:
		return a.retry(e)
	case !ask && a.r.Method != http.MethodHead: // HEAD only checks what GET would show.
		return a.grant()
	case a.silent() && a.workspace.open():
		return a.redirectRefusal(refuse(codeInteractionRequired, "The user must choose a workspace that they may act for, and prompt=none forbids asking."))
	case a.silent():
		return a.redirectRefusal(refuse(codeConsentRequired, "The user must agree first, and prompt=none forbids asking."))
	}
	return a.consentPage(a.decide().declined(), false)
}

func errLoginRequired() *Error {
	return refuse(codeLoginRequired, "The user must sign in first.")
}

// signedInAsAsked reports whether the session satisfies prompt, max_age, and
// the like. If not, the visitor must be sent to sign in. That happens only
// once: if the host returns the visitor without the requested sign-in, the
// client gets an error, and the browser doesn't loop.
func (a *authorization) signedInAsAsked() (bool, *Error) {
	force, missing := slices.Contains(a.prompt, "login"), a.openID.missing(&a.visit)
	switch {
	case a.silent() && a.openID.unusable != nil: // Only the hint says whether this is the right user.
		return false, errMissing(codeLoginRequired, a.openID.unusable)
	case missing != nil && a.silent():
		return false, missing
	case missing == nil && !force && !slices.Contains(a.prompt, "select_account"):
		return true, nil
	case !a.wasSent(freshFor):
		return false, nil
	case missing != nil:
		return false, missing
	case force && !a.session.SignedInAt.IsZero() && a.session.SignedInAt.Before(a.sentAt.Add(-signInSkew)):
		return false, refuse(codeLoginRequired, "The user came back without signing in again.").because(fmt.Errorf(
			"the application asked for a fresh sign-in: the user was sent to Config.SignIn at %s, and Config.CurrentUser says that they signed in at %s",
			a.sentAt.UTC().Format(time.RFC3339), a.session.SignedInAt.UTC().Format(time.RFC3339)))
	}
	return true, nil
}

// mustAsk reports whether the consent page is needed. If not, the decision is
// ready to carry out.
func (a *authorization) mustAsk() (bool, *Error) {
	// Without Workspaces, the application would act for users who chose
	// otherwise.
	lacksChoice := a.offer.workspaces == nil && a.app.Workspace != store.WorkspaceNone
	skip := a.app.SkipConsent && a.app.Reviewed && a.redirect.https() && !lacksChoice
	// Anything on a device can pretend to be a public application, or listen in
	// its place (RFC 8252 section 8.6), so an earlier consent doesn't prove who
	// asks now.
	remembered := !a.app.Public && a.redirect.https()
	d := a.decide()
	if e := a.recall(&a.workspace, d); e != nil || a.workspace.open() {
		return true, e
	}
	e := a.prepare(d)
	if e == nil && skip && a.workspace.named != "" {
		// A sign-in without a page checks the workspaces too. Only List says
		// for which ones an application may act, and how their IDs are spelled.
		e = a.workspace.load(&a.visit)
	}
	switch {
	case e != nil && errors.Is(e, errNotMember) && (a.silent() || a.workspace.named == ""):
		a.workspace.forget(d)
		return true, nil
	case e != nil:
		return false, e
	case slices.Contains(a.prompt, "consent"), !skip && !remembered:
		return true, nil
	case skip:
		// The host decides for the user, but can't grant what the user
		// declined.
		a.scopes = a.scopes.Minus(d.declined().Minus(a.offer.required))
		return false, nil
	}
	agreed, ok := d.consent.Covers(a.scopes, a.offer.required, d.resource)
	if !ok {
		return true, nil
	}
	a.scopes, d.agreedAt = agreed, d.consent.Answer(d.resource).AgreedAt.Time()
	return false, nil
}
