package provider

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// errorPage tells the visitor what went wrong where a redirect would not be
// safe. Its reference is in the log line.
func (c *call) errorPage(e *Error) {
	c.reference = uuid.NewString()
	page := pages.Error{
		Status: e.Status, Reason: e.reason, Code: e.Code, Detail: e.Description, Reference: c.reference, RetryURL: e.retryURL,
	}
	if page.Reason == "" {
		page.Reason = pages.ReasonBadLink
		if e.Status == http.StatusTooManyRequests {
			page.Reason = pages.ReasonTooMany
		} else if e.Status >= http.StatusInternalServerError {
			page.Reason = pages.ReasonUnavailable
		}
	}
	e.setRetryAfter(c.w.Header())
	c.pages.Error(c.w, c.r, page)
}
