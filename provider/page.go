package provider

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
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

// pageApplication leaves out the logo of an application that is not reviewed: it
// could be anybody's.
func (p *Provider) pageApplication(app store.Application) pages.Application {
	shown := pages.Application{ID: app.ID, Name: app.Name, ClientURI: app.ClientURI, Reviewed: app.Reviewed}
	if app.Reviewed {
		shown.LogoURL = app.LogoURL
	}
	if app.Origin == store.OriginDocument {
		shown.Publisher = clientdoc.Host(app.ClientID)
	}
	return shown
}

func pageUser(u userinfo.User, id string) pages.User {
	shown := pages.User{ID: id, Name: u.Name, Username: u.Username, Email: u.Email, Picture: u.Picture}
	for _, label := range []string{u.Name, u.Username, u.Email, id} {
		if label != "" {
			shown.Label = label
			break
		}
	}
	return shown
}

// pageScopes returns the scopes of a set with their titles, in the order of
// Config.Scopes. One that was granted and is not there any more has its name.
func (p *Provider) pageScopes(set scopes.Set) []pages.Scope {
	shown := []pages.Scope{}
	for _, s := range p.cfg.Scopes {
		if set.Has(s.Name) {
			shown = append(shown, pages.Scope{Name: s.Name, Title: s.Title, Required: s.Required})
		}
	}
	for _, name := range set.Minus(p.offer.scopes).Minus(tolerated) {
		shown = append(shown, pages.Scope{Name: name, Title: name})
	}
	return shown
}

// askScopes returns the scopes of a set as a page asks for them. A box that the
// user has left unticked before starts like that.
func (c *call) askScopes(set, declined scopes.Set) []pages.Scope {
	shown := c.pageScopes(set)
	for i := range shown {
		shown[i].Declined = !shown[i].Required && declined.Has(shown[i].Name)
	}
	return shown
}
