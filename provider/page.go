package provider

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// errorPage tells the visitor what went wrong when a redirect would not be
// safe. Its reference is also in the log line.
func (c *call) errorPage(e *Error) {
	c.reference = newReference()
	page := pages.Error{
		Status: e.Status, Reason: e.reason, Code: e.Code, Detail: e.Description, Reference: c.reference, RetryURL: e.retryURL,
		RetryMinutes: int((e.RetryAfter + time.Minute - 1) / time.Minute),
	}
	// Anyone can make a link for an application that isn't reviewed, and choose
	// its name.
	if c.sender != nil && c.sender.Reviewed {
		page.Application = c.pageApplication(*c.sender)
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

// referenceAlphabet has no letters that look like digits (Crockford's base 32).
var referenceAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

// newReference returns a reference that a visitor can read to support on the
// phone, such as "7Q4K-M2XD".
func newReference() string {
	var b [5]byte
	rand.Read(b[:]) // It never fails; it would end the program.
	text := referenceAlphabet.EncodeToString(b[:])
	return text[:4] + "-" + text[4:]
}

// pageApplication omits the logo of an application that is not reviewed,
// because it could be copied from another one.
func (p *Provider) pageApplication(app store.Application) pages.Application {
	first := ""
	if len(app.RedirectURIs) > 0 {
		first = app.RedirectURIs[0]
	}
	return p.pageApplicationAt(app, first)
}

// pageApplicationAt is pageApplication for one of the redirect URIs.
func (p *Provider) pageApplicationAt(app store.Application, redirectURI string) pages.Application {
	shown := pages.Application{ID: app.ID, Name: app.Name, ClientURI: app.ClientURI, TermsURI: app.TermsURI, PolicyURI: app.PolicyURI, Reviewed: app.Reviewed}
	if app.Reviewed {
		shown.LogoURL = app.LogoURL
	}
	switch {
	case app.Origin == store.OriginDocument:
		shown.Domain = clientdoc.Host(app.ClientID)
	case app.Reviewed && app.ClientURI != "":
		shown.Domain = weburl.Shown(app.ClientURI, p.local())
	default:
		shown.Domain = weburl.Shown(redirectURI, p.local())
	}
	return shown
}

// local reports whether the provider runs on its visitors' machine, as during
// development.
func (p *Provider) local() bool { return weburl.IsLoopback(p.issuer.Hostname()) }

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
// Config.Scopes. A granted scope that was removed since has its name as the
// title.
func (p *Provider) pageScopes(set scopes.Set) []pages.Scope {
	shown := []pages.Scope{}
	for _, s := range p.cfg.Scopes {
		if set.Has(s.Name) {
			shown = append(shown, pages.Scope{Name: s.Name, Title: s.Title, Description: s.Description, Group: s.Group, Access: string(s.Access), Required: s.Required})
		}
	}
	for _, name := range set.Minus(p.offer.scopes).Minus(tolerated) {
		shown = append(shown, pages.Scope{Name: name, Title: name})
	}
	return shown
}

// askScopes returns the scopes of a set in the form in which a page asks for
// them. Boxes that the user unchecked before start unchecked.
func (c *call) askScopes(set, declined scopes.Set) []pages.Scope {
	shown := c.pageScopes(set)
	for i := range shown {
		shown[i].Declined = !shown[i].Required && declined.Has(shown[i].Name)
	}
	return shown
}
