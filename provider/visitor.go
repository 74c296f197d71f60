package provider

import (
	"net/http"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// Visitor returns the signed-in user, for a custom page or one of package
// portal. If no one is signed in, it sends the visitor to Config.SignIn and
// back to the same page, and returns "" and a nil error: the answer is written,
// so return.
//
// The error is an [*Error]. It means that the host can't say who is signed in,
// or that the visitor came back from the sign-in page without a session.
func (p *Provider) Visitor(w http.ResponseWriter, r *http.Request) (userID string, err error) {
	path := r.URL.Path
	if r.RequestURI != "" { // The router may have cut a prefix off the path.
		if sent, err := r.URL.Parse(r.RequestURI); err == nil {
			path = sent.EscapedPath()
		}
	}
	c := p.newCall("visitor", w, r)
	v, e := c.visit(path, r.URL.Query())
	if e == nil && v.anonymous() {
		e = v.signIn(SignInRequest{})
	}
	if e != nil {
		return "", e
	}
	return v.session.UserID, nil
}

// WritePage writes a custom page in the style of the built-in pages, with the
// same security headers.
func (p *Provider) WritePage(w http.ResponseWriter, page pages.Page) { p.pages.Page(w, page) }
