package pages

import (
	"html/template"
	"net/http"
)

// Page is a custom page in the style of the built-in ones, such as those of
// package portal.
type Page struct {
	Status int
	Title  string
	Body   template.HTML // shown below the host's name

	// Style is a style sheet that follows the built-in one. It is trusted, and
	// must not contain "</style".
	Style template.CSS

	Host Host // filled in by [Renderer]
}

// Page writes a custom page in the style of the built-in ones. The page may
// load only its styles and the host's logo, runs no script, and its forms may
// post only to this site.
func (p *Renderer) Page(w http.ResponseWriter, page Page) {
	page.Host = p.host
	p.write(w, page.Status, "page.html", page, policy{images: []string{page.Host.LogoURL}, style: p.style + " " + sourceHash(string(page.Style))})
}

// sheet returns a style sheet unescaped, so that its hash matches the policy.
func sheet(css template.CSS) template.HTML { return template.HTML("<style>" + css + "</style>") } //nolint:gosec // Page.Style is trusted.
