package pages

import (
	"html/template"
	"net/http"
)

// Page is a page that is neither protocol nor built in, such as those of package
// portal: a title and a body, in the look of the others.
type Page struct {
	Status int
	Title  string
	Body   template.HTML // what stands below the host's name

	// Style is a style sheet that comes after that of the built-in pages. It is
	// trusted, and must not contain "</style".
	Style template.CSS

	Host Host // filled in
}

// Page shows a page of another package in the look of the built-in ones. It may
// load nothing but its styles and the host's logo, runs no script, and its forms
// stay on the site.
func (p *Renderer) Page(w http.ResponseWriter, page Page) {
	page.Host = p.host
	p.write(w, page.Status, "page.html", page, policy{images: []string{page.Host.LogoURL}, style: p.style + " " + sourceHash(string(page.Style))})
}

// sheet is a style sheet as it stands, so that its hash is that of its policy.
func sheet(css template.CSS) template.HTML { return template.HTML("<style>" + css + "</style>") } //nolint:gosec // Page.Style is trusted.
