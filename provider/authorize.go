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
	// A sign-in page that answers its own form with 307 has the browser post that
	// here, with the whole request in the query.
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
	// A request that another site posts comes without the host's cookies, so it
	// is turned into its GET form, which brings them.
	seeOther(c.w, withQuery(c.authorizePath(), form))
	return nil
}

// authorize answers an authorization request (RFC 6749 section 4.1.1). Until
// client and redirect URI are known good, refusals are a page. Afterwards they
// are redirects, but only once the visitor has signed in, so that a link alone
// cannot use this endpoint to send people somewhere (RFC 9700 section 4.11.2).
func (c *call) authorize(params url.Values) *Error {
	a, e := c.newAuthorization(params)
	if e != nil {
		return e
	}
	var refusal *Error
	if !a.anonymous() || !c.namesDocument(params) { // Only a user makes this server fetch a document.
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
	case !ask && a.r.Method != http.MethodHead: // It only looks what there is.
		return a.grant()
	case a.silent() && a.workspace.open():
		return a.redirectRefusal(refuse(codeInteractionRequired, "The user has to choose a workspace that they may act for, and prompt=none forbids asking."))
	case a.silent():
		return a.redirectRefusal(refuse(codeConsentRequired, "The user has to agree first, and prompt=none forbids asking."))
	}
	return a.consentPage(a.decide().declined(), false)
}

func errLoginRequired() *Error {
	return refuse(codeLoginRequired, "The user has to sign in first.")
}

// signedInAsAsked reports whether the session is as the request asks, by prompt,
// max_age, and the like, or the visitor has to be sent to sign in. It never
// sends a visitor there twice: a host that returns a visitor without the sign-in
// that was asked for gets an error to its client, not a loop.
func (a *authorization) signedInAsAsked() (bool, *Error) {
	force, missing := slices.Contains(a.prompt, "login"), a.openID.missing(&a.visit)
	switch {
	case a.silent() && a.openID.unusable != nil: // Only the hint could tell whether this is the right user.
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

// mustAsk reports whether the consent page has to be shown. If not, the decision
// is ready to be carried out.
func (a *authorization) mustAsk() (bool, *Error) {
	// If workspaces are switched off, it would act for users alone who have chosen
	// otherwise.
	lacksChoice := a.offer.workspaces == nil && a.app.Workspace != store.WorkspaceNone
	skip := a.app.SkipConsent && a.app.Reviewed && a.redirect.https() && !lacksChoice
	// Anything on a device can pretend to be a public application, or listen
	// there (RFC 8252 section 8.6), so having agreed once says nothing about who
	// asks now.
	remembered := !a.app.Public && a.redirect.https()
	d := a.decide()
	if e := a.recall(&a.workspace, d); e != nil || a.workspace.open() {
		return true, e
	}
	e := a.prepare(d)
	if e == nil && skip && a.workspace.named != "" {
		// Whatever else a sign-in is for, a page has shown. Only List says for which
		// workspaces an application may act, and how their IDs are written.
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
		// The host speaks for the user, but not against them.
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
