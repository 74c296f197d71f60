// Package pages is what people see of a provider: the pages on which they allow
// and deny, see what went wrong, and take back what they have allowed; their
// texts in English and German; and the types of what they show. It knows nothing
// of the protocol.
//
// Hosts set a [Config] as Config.Pages of package provider. It gives the pages a
// name, a logo, a color, and texts, or replaces whole pages by the host's own.
package pages

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
)

// Config is how the pages look. The zero value is a sound default.
type Config struct {
	// Name is what the pages call the host. Empty: the host name in the
	// provider's Issuer.
	Name string

	// LogoURL is the host's logo on the pages: https, or below Issuer. Empty:
	// none.
	LogoURL string

	// AccentColor is the color of buttons and links on the pages, such as
	// "#2f4fd0". Where text in it could not be read, the nearest color that
	// can be is used. Empty: a blue.
	AccentColor string

	// Texts chooses the words of the pages for a visitor. [AcceptLanguage]
	// makes the usual one. Nil: English.
	Texts func(r *http.Request) Texts

	// Consent shows the consent page in the host's own way. The headers that
	// protect it are set before: no caching, no frames, and a
	// Content-Security-Policy. Add a policy of the host's own to it, do not set
	// it in its place, and leave form-action out: browsers apply it to the
	// redirects after the form. Nil: the built-in page.
	Consent func(w http.ResponseWriter, r *http.Request, page Consent)

	// Error shows the error page in the host's own way, and answers with the
	// page's Status. Headers are set as for Consent. Nil: the built-in page.
	Error func(w http.ResponseWriter, r *http.Request, page Error)

	// Device shows the pages on which users decide on devices in the host's own
	// way, and answers with the page's Status. Headers are set as for Consent.
	// Nil: the built-in pages.
	Device func(w http.ResponseWriter, r *http.Request, page Device)

	// SignOut shows the page on which users sign out in the host's own way.
	// Headers are set as for Consent. Nil: the built-in page.
	SignOut func(w http.ResponseWriter, r *http.Request, page SignOut)
}

// Renderer writes the pages, the built-in ones or the host's own. It is what
// package provider shows them with; hosts need only [Config].
//
// Each method fills in Host and Texts of the page, and the titles of its scopes
// in the visitor's language.
type Renderer struct {
	config    Config
	host      Host
	templates *template.Template
	style     string // the style's hash, as a policy names it
	script    string // the same for submitScript
}

// New returns a Renderer for a provider with that issuer, or an error that names
// every problem of the Config.
func New(c Config, issuer string) (*Renderer, error) {
	var problems []error
	if c.LogoURL != "" && !weburl.Valid(c.LogoURL, issuer) {
		problems = append(problems, fmt.Errorf("pages: Config.LogoURL is %q: give an https URL, or one below the issuer", c.LogoURL))
	}
	if _, ok := parseColor(c.AccentColor); c.AccentColor != "" && !ok {
		problems = append(problems, fmt.Errorf(`pages: Config.AccentColor is %q: write it like "#2f4fd0"`, c.AccentColor))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	p := &Renderer{config: c, host: Host{Name: c.Name, URL: issuer, LogoURL: c.LogoURL, AccentColor: c.AccentColor}}
	if u, err := url.Parse(issuer); err == nil {
		p.host.Name = cmp.Or(c.Name, u.Host)
	}
	if err := p.parse(); err != nil {
		return nil, err
	}
	return p, nil
}

// HostName is what the pages call the host.
func (p *Renderer) HostName() string { return p.host.Name }

// texts are those for a visitor, complete.
func (p *Renderer) texts(r *http.Request) Texts {
	if p.config.Texts == nil {
		return English()
	}
	return p.config.Texts(r).complete()
}

// Consent shows the consent page. After its form the browser is sent to
// redirectURI.
func (p *Renderer) Consent(w http.ResponseWriter, r *http.Request, page Consent, redirectURI string) {
	texts := p.texts(r)
	page.Host, page.Texts = p.host, texts
	page.Scopes = texts.scopes(page.Scopes)
	page.RedirectHost = redirectHost(redirectURI)
	if page.RedirectHost == "" {
		texts.SentTo, page.Texts.SentTo = texts.SentToApp, texts.SentToApp
	}
	if p.config.Consent != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.host.Name, "user", page.User.Label,
			"address", page.RedirectHost, "resource", page.Resource, "publisher", page.Application.Publisher, "workspace", page.Workspace.only())
		guard(w.Header(), true)
		p.config.Consent(w, r, page)
		return
	}
	p.write(w, http.StatusOK, "consent.html", page, policy{leavesSite: true, images: page.Workspace.pictures(page.Host.LogoURL, page.Application.LogoURL)})
}

// Error shows the error page.
func (p *Renderer) Error(w http.ResponseWriter, r *http.Request, page Error) {
	texts := p.texts(r)
	page.Host, page.Texts = p.host, texts
	happened, advice := texts.reason(page.Reason)
	page.Happened, page.Advice = plain(happened, "host", p.host.Name), plain(advice, "host", p.host.Name)
	if p.config.Error != nil {
		page.Texts = texts.fill("host", p.host.Name, "reference", page.Reference)
		guard(w.Header(), false)
		p.config.Error(w, r, page)
		return
	}
	p.write(w, page.Status, "error.html", page, policy{images: []string{page.Host.LogoURL}})
}

// Device shows the page of a device's Step.
func (p *Renderer) Device(w http.ResponseWriter, r *http.Request, page Device) {
	texts := p.texts(r)
	page.Host, page.Texts = p.host, texts
	page.Scopes = texts.scopes(page.Scopes)
	if p.config.Device != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.host.Name, "user", page.User.Label,
			"resource", page.Resource, "publisher", page.Application.Publisher, "workspace", page.Workspace.only())
		guard(w.Header(), false)
		p.config.Device(w, r, page)
		return
	}
	p.write(w, page.Status, "device.html", page, policy{images: page.Workspace.pictures(page.Host.LogoURL, page.Application.LogoURL)})
}

// Connections shows the page of connected applications.
func (p *Renderer) Connections(w http.ResponseWriter, r *http.Request, page Connections) {
	page.Host, page.Texts = p.host, p.texts(r)
	images := []string{page.Host.LogoURL}
	for i, c := range page.Connections {
		page.Connections[i].Scopes = page.Texts.scopes(c.Scopes)
		images = append(images, c.Application.LogoURL, c.Workspace.PictureURL)
	}
	p.write(w, http.StatusOK, "connections.html", page, policy{images: images})
}

// SignOut shows the page of a sign-out's Step. If redirectURI is not empty, the
// visitor goes on there: after the form, or by a link.
func (p *Renderer) SignOut(w http.ResponseWriter, r *http.Request, page SignOut, redirectURI string) {
	texts := p.texts(r)
	page.Host, page.Texts, page.Leaves = p.host, texts, redirectURI != ""
	page.RedirectHost = redirectHost(redirectURI)
	if page.RedirectHost == "" {
		texts.SentTo, page.Texts.SentTo = texts.SentToApp, texts.SentToApp
	}
	if p.config.SignOut != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.host.Name, "user", page.User.Label,
			"address", page.RedirectHost, "publisher", page.Application.Publisher)
		guard(w.Header(), page.Leaves)
		p.config.SignOut(w, r, page)
		return
	}
	p.write(w, http.StatusOK, "sign_out.html", page, policy{leavesSite: page.Leaves, images: []string{page.Host.LogoURL, page.Application.LogoURL}})
}

// FormPost shows the page whose form carries an answer to an application, and
// sends itself where there are scripts.
func (p *Renderer) FormPost(w http.ResponseWriter, r *http.Request, page FormPost) {
	page.Host, page.Texts = p.host, p.texts(r)
	p.write(w, http.StatusOK, "form_post.html", page, policy{
		leavesSite: true, images: []string{page.Host.LogoURL}, script: p.script,
	})
}
