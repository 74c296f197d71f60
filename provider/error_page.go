package provider

import (
	"net/http"

	"github.com/google/uuid"
)

// ErrorReason says why a visitor sees the error page.
type ErrorReason string

// The reasons for an error page.
const (
	// ReasonBadLink: the application sent the visitor with a request that
	// cannot be answered by a redirect.
	ReasonBadLink ErrorReason = "bad_link"
	// ReasonStaleForm: the form that was sent is forged, altered, too old, was
	// answered before, or is another user's.
	ReasonStaleForm ErrorReason = "stale_form"
	// ReasonNoCookies: a form came without the cookie that its page set.
	ReasonNoCookies ErrorReason = "no_cookies"
	// ReasonNotSignedIn: the visitor was sent to sign in and came back without
	// being signed in. Sending them again could go on for ever.
	ReasonNotSignedIn ErrorReason = "not_signed_in"
	// ReasonNoAccount: Config.Users does not know the signed-in user.
	ReasonNoAccount ErrorReason = "no_account"
	// ReasonTooMany: there were too many requests, or too many wrong codes of
	// devices.
	ReasonTooMany ErrorReason = "too_many"
	// ReasonUnavailable: the store or the host does not answer.
	ReasonUnavailable ErrorReason = "unavailable"
)

// ErrorPage is what the error page shows, for Config.ErrorPage to show it in
// the host's own way.
type ErrorPage struct {
	Host   PageHost    `json:"host"`
	Texts  Texts       `json:"texts"` // in the visitor's language, with the names filled in
	Status int         `json:"status"`
	Reason ErrorReason `json:"reason"`

	// Happened and Advice are those of Texts for the Reason.
	Happened string `json:"happened"`
	Advice   string `json:"advice"`

	// Code and Detail are for developers: the error code of OAuth 2.0, and in
	// English what was wrong.
	Code   string `json:"code"`
	Detail string `json:"detail"`

	// Reference is also in the log line of the refusal.
	Reference string `json:"reference"`

	// RetryURL is where to try again, or, for ReasonNoAccount, to sign in with
	// another account. Empty: there is no such place.
	RetryURL string `json:"retry_url"`
}

// errorPage tells the visitor what went wrong where a redirect would not be
// safe. Its reference is in the log line.
func (p *Provider) errorPage(w http.ResponseWriter, r *http.Request, endpoint string, e *Error) {
	page := ErrorPage{
		Host: p.pageHost(), Texts: p.texts(r), Status: e.Status, Reason: e.reason,
		Code: e.Code, Detail: e.Description, Reference: uuid.NewString(), RetryURL: e.retryURL,
	}
	if page.Reason == "" {
		page.Reason = ReasonBadLink
		if e.Status == http.StatusTooManyRequests {
			page.Reason = ReasonTooMany
		} else if e.Status >= http.StatusInternalServerError {
			page.Reason = ReasonUnavailable
		}
	}
	t := page.Texts
	switch page.Reason {
	case ReasonStaleForm:
		page.Happened, page.Advice = t.StaleForm, t.StaleFormAdvice
	case ReasonNoCookies:
		page.Happened, page.Advice = t.NoCookies, t.NoCookiesAdvice
	case ReasonNotSignedIn:
		page.Happened, page.Advice = t.NotSignedIn, t.NotSignedInAdvice
	case ReasonNoAccount:
		page.Happened, page.Advice = t.NoAccount, t.NoAccountAdvice
	case ReasonTooMany:
		page.Happened, page.Advice = t.TooMany, t.TooManyAdvice
	case ReasonUnavailable:
		page.Happened, page.Advice = t.Unavailable, t.UnavailableAdvice
	default:
		page.Happened, page.Advice = t.BadLink, t.BadLinkAdvice
	}
	page.Happened, page.Advice = plain(page.Happened, "host", p.name), plain(page.Advice, "host", p.name)
	p.refused(r.Context(), endpoint, e, "reference", page.Reference)
	e.setRetryAfter(w.Header())
	if p.cfg.ErrorPage != nil {
		page.Texts = t.fill("host", p.name, "reference", page.Reference)
		w.Header().Add("Content-Security-Policy", guardPage(w.Header(), "'self'"))
		p.cfg.ErrorPage(w, r, page)
		return
	}
	p.pages.write(w, e.Status, "error.html", page, "'none'", []string{page.Host.LogoURL}, "")
}
