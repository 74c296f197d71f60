package provider

import (
	"net/http"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// Visitor returns the user who is signed in, for a page of the host's own or of
// package portal that only users see. If nobody is, it sends the visitor to
// Config.SignIn and back to the same page, and returns "" and no error: the
// answer is written.
//
// The error is an [*Error]: the host can't say who is signed in, or the visitor
// came back from there without a session.
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

// WritePage writes a page of the host's own in the look of the built-in pages,
// with the headers that protect them.
func (p *Provider) WritePage(w http.ResponseWriter, page pages.Page) { p.pages.Page(w, page) }
