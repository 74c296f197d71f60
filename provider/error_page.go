package provider

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// errorPage tells the visitor what went wrong where a redirect would not be
// safe. Its reference is in the log line.
func (p *Provider) errorPage(w http.ResponseWriter, r *http.Request, endpoint string, e *Error) {
	page := pages.Error{
		Status: e.Status, Reason: e.reason, Code: e.Code, Detail: e.Description, Reference: uuid.NewString(), RetryURL: e.retryURL,
	}
	if page.Reason == "" {
		page.Reason = pages.ReasonBadLink
		if e.Status == http.StatusTooManyRequests {
			page.Reason = pages.ReasonTooMany
		} else if e.Status >= http.StatusInternalServerError {
			page.Reason = pages.ReasonUnavailable
		}
	}
	p.refused(r.Context(), endpoint, e, "reference", page.Reference)
	e.setRetryAfter(w.Header())
	p.pages.Error(w, r, page)
}
