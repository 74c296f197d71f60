package provider

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

const endpointAuthorize = "authorize"

func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		params, e := parseParams(r.URL.RawQuery, authorizeParams)
		if e != nil {
			p.errorPage(w, r, endpointAuthorize, e)
			return
		}
		p.authorize(w, r, params)
	case http.MethodPost:
		form, e := readParams(w, r, append(slices.Clone(consentFields), authorizeParams...))
		switch {
		case e != nil:
			p.errorPage(w, r, endpointAuthorize, e)
		case form.Has(decisionField):
			p.decide(w, r, form)
		default:
			for _, name := range consentFields {
				form.Del(name)
			}
			// A request that another site posts comes without the host's
			// cookies, so it is turned into its GET form, which brings them.
			seeOther(w, p.authorizePath(form))
		}
	default:
		methodNotAllowed(w, r, "GET, POST")
	}
}

// authorize answers an authorization request (RFC 6749 section 4.1.1). Until
// client and redirect URI are known good, refusals are a page. Afterwards they
// are redirects, but only once the visitor has signed in, so that a link alone
// cannot use this endpoint to send people somewhere (RFC 9700 section 4.11.2).
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, params url.Values) {
	if p.namesDocument(params) {
		// Nobody but a user makes this server fetch a document.
		session, e := p.currentUser(r)
		if e != nil {
			p.errorPage(w, r, endpointAuthorize, e)
			return
		}
		if session.UserID == "" {
			p.signInFirst(w, r, params)
			return
		}
	}
	a, e := p.identify(r, params)
	if e != nil {
		p.errorPage(w, r, endpointAuthorize, e)
		return
	}
	refusal := p.examine(a)
	if a.session, e = p.currentUser(r); e != nil {
		p.errorPage(w, r, endpointAuthorize, e)
		return
	}
	if a.session.UserID == "" {
		switch {
		case !a.silent() && p.sentToSignIn(a.params, loopTime):
			p.errorPage(w, r, endpointAuthorize, p.errNotSignedIn(a))
		case !a.silent():
			p.signIn(w, r, a)
		case a.app.Origin == store.OriginManual:
			p.redirectRefusal(w, r, a, errLoginRequired())
		default:
			// Nobody vouches for where a self-registered application sends
			// people.
			p.errorPage(w, r, endpointAuthorize, errLoginRequired())
		}
		return
	}
	if refusal != nil {
		p.redirectRefusal(w, r, a, refusal)
		return
	}
	if fresh, e := p.signedInAsAsked(a); e != nil {
		p.redirectRefusal(w, r, a, e)
		return
	} else if !fresh {
		p.signIn(w, r, a)
		return
	}
	ask, e := p.mustAsk(r, a)
	switch {
	case e != nil:
		p.errorPage(w, r, endpointAuthorize, p.retry(a, e))
	case !ask:
		p.grant(w, r, a)
	case a.silent():
		p.redirectRefusal(w, r, a, refuse(codeConsentRequired, "The user has to agree first, and prompt=none forbids asking."))
	default:
		p.consentPage(w, r, a)
	}
}

func errLoginRequired() *Error {
	return refuse(codeLoginRequired, "The user has to sign in first.")
}

// signIn sends the visitor to the host's sign-in page and back to this very
// request.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request, a *authorization) {
	s := SignInRequest{
		LoginHint:     a.params.Get("login_hint"),
		Force:         slices.Contains(a.prompt, "login"),
		SwitchAccount: slices.Contains(a.prompt, "select_account"),
	}
	back := a.firstParams()
	back.Set(signInAfter, p.signInMark())
	s.ReturnTo = p.authorizePath(back)
	w.Header().Set("Cache-Control", "no-store")
	p.cfg.SignIn(w, r, s)
}

// signInMark is the value of signInAfter for a visitor who is sent to sign in
// now.
func (p *Provider) signInMark() string { return strconv.FormatInt(p.now().Unix(), 10) }

const (
	// freshFor is how long a visitor may take for a fresh sign-in.
	freshFor = time.Hour

	// loopTime is how soon after they were sent to sign in a visitor who is
	// still not signed in is told so, and not sent again. Later it is rather a
	// page that was loaded anew.
	loopTime = 5 * time.Minute

	// clockSkew is by how much the clocks of two instances may differ.
	clockSkew = 5 * time.Second
)

// sentToSignIn reports whether the visitor was sent to sign in, not longer than
// that ago.
func (p *Provider) sentToSignIn(params url.Values, ago time.Duration) bool {
	sent, now := signInTime(params), p.now()
	return now.Sub(sent) <= ago && !sent.After(now.Add(clockSkew))
}

// signInTime is when the visitor was sent to sign in, or the zero time.
func signInTime(params url.Values) time.Time {
	seconds, err := strconv.ParseInt(params.Get(signInAfter), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// errNotSignedIn ends what could be a loop: with cookies blocked, or a host
// that knows its visitors elsewhere only, nobody would ever come back signed
// in.
func (p *Provider) errNotSignedIn(a *authorization) *Error {
	return notSignedIn(p.authorizePath(a.firstParams()))
}

func notSignedIn(retryURL string) *Error {
	return &Error{Code: codeLoginRequired, Status: http.StatusForbidden, reason: pages.ReasonNotSignedIn, retryURL: retryURL,
		Description: "The visitor came back from Config.SignIn, and Config.CurrentUser says that nobody is signed in."}
}

// signedInAsAsked reports whether the session satisfies prompt=login and
// prompt=select_account, or the visitor has to be sent to sign in. It never
// sends anybody there twice: a host that returns a visitor without the sign-in
// that was asked for gets an error to its client, not a loop.
func (p *Provider) signedInAsAsked(a *authorization) (bool, *Error) {
	force := slices.Contains(a.prompt, "login")
	if !force && !slices.Contains(a.prompt, "select_account") {
		return true, nil
	}
	switch {
	case !p.sentToSignIn(a.params, freshFor):
		return false, nil
	case force && !a.session.SignedInAt.IsZero() && a.session.SignedInAt.Before(signInTime(a.params).Add(-clockSkew)):
		return false, refuse(codeLoginRequired, "The user came back without signing in again.")
	}
	return true, nil
}

// mustAsk reports whether the consent page has to be shown. If not, the decision
// is ready to be carried out.
func (p *Provider) mustAsk(r *http.Request, a *authorization) (bool, *Error) {
	if slices.Contains(a.prompt, "consent") || a.app.Origin != store.OriginManual {
		return true, nil
	}
	skip := a.app.SkipConsent && strings.HasPrefix(a.redirectURI, "https://")
	// Anything on a device can pretend to be a public application (RFC 8252
	// section 8.6), so having agreed once says nothing about who asks now.
	if !skip && a.app.Public {
		return true, nil
	}
	d := a.decide()
	if e := p.prepare(r, d); e != nil || skip {
		return false, e
	}
	if !d.consent.Covers(a.scopes, d.resource) {
		return true, nil
	}
	d.agreedAt = d.consent.AgreedAt.Time()
	return false, nil
}

// grant carries the decision out, and sends the code to the application (RFC
// 6749 section 4.1.2).
func (p *Provider) grant(w http.ResponseWriter, r *http.Request, a *authorization) {
	e := p.noteUse(r.Context(), a.app)
	var code string
	if e == nil {
		code, e = p.issueCode(r, a)
	}
	if e != nil {
		p.errorPage(w, r, endpointAuthorize, p.retry(a, e))
		return
	}
	p.answer(w, r, a, param{"code", code})
}

// retry lets a visitor begin again whose form, or sign-in, is out of date.
func (p *Provider) retry(a *authorization, e *Error) *Error {
	if e.reason == pages.ReasonStaleForm {
		e.retryURL = p.authorizePath(a.firstParams())
	}
	return e
}

// redirectRefusal sends a refusal to the application (RFC 6749 section
// 4.1.2.1).
//
// Nobody vouches for where an application that registered itself sends people.
// So a visitor who has not answered its page is told here, and is not sent
// anywhere by a link alone (RFC 9700 section 4.11.2).
func (p *Provider) redirectRefusal(w http.ResponseWriter, r *http.Request, a *authorization, e *Error) {
	if a.app.Origin != store.OriginManual && a.form == nil {
		p.errorPage(w, r, endpointAuthorize, e)
		return
	}
	p.refused(r.Context(), endpointAuthorize, e, "application", a.app.ID)
	p.answer(w, r, a, param{"error", e.Code}, param{"error_description", e.Description})
}

// answer sends parameters to the application by the visitor's browser, with
// the state it gave and, so that it cannot take one server's answer for
// another's, the issuer (RFC 9207).
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, a *authorization, params ...param) {
	if a.form != nil {
		p.answerForm(w, a.form)
	}
	params = slices.Grow(params, 2)
	if state := a.params.Get("state"); state != "" {
		params = append(params, param{"state", state})
	}
	params = append(params, param{"iss", p.cfg.Issuer})
	if a.formPost {
		p.formPostPage(w, r, a, params)
		return
	}
	setHeaders(w.Header(), "Cache-Control", "no-store", "Referrer-Policy", "no-referrer", "Location", appendQuery(a.redirectURI, params))
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther // never 307, which would post the consent form to the client
	}
	w.WriteHeader(status)
}

// authorizePath is the path and query of an authorization request on the
// issuer's origin.
func (p *Provider) authorizePath(params url.Values) string {
	return p.issuer.Path + p.cfg.Paths.Authorize + "?" + params.Encode()
}
