// Package pages contains the pages that users see: consent, errors, connected
// applications, devices, and sign-out. It has their texts in English and
// German, and the types of what they show. The pages work without JavaScript
// and load only pictures.
//
// Set a [Config] as Config.Pages of package provider to give the pages your
// name, logo, and color:
//
//	Pages: pages.Config{Name: "Acme", LogoURL: "https://app.example.com/logo.svg", AccentColor: "#2f4fd0"},
//
// To change words or add a language, see [Texts]. To replace a whole page, set
// a function such as Config.Consent.
package pages

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
)

// Config configures how the pages look. The zero value works.
type Config struct {
	// Name is what the pages call the host. The default is the host name in the
	// provider's Issuer.
	Name string

	// LogoURL is the URL of the host's logo: https, or below Issuer. It is shown
	// in a square of 52 CSS pixels. The default is the first letter of Name.
	LogoURL string

	// LogoDarkURL replaces LogoURL in dark mode. The default is LogoURL.
	LogoDarkURL string

	// Wordmark says that the logo is wide because it includes the name. It is
	// then shown up to 144 CSS pixels wide. The default is false.
	Wordmark bool

	// IconURL is the URL of the icon in the browser tab: https, or below Issuer.
	// If empty, browsers look for /favicon.ico.
	IconURL string

	// AccentColor is the color of buttons, boxes, and links, such as "#2f4fd0".
	// It is adjusted for contrast if needed. The default is a blue.
	AccentColor string

	// Style sets CSS variables of the pages:
	//
	//	Style: "--radius: 6px; --font: Inter, 'Helvetica Neue', sans-serif"
	//
	// --radius rounds the corners, from 0 to 32px. --font lists font families
	// that are installed on the visitor's device; the pages load none. The
	// default is 16px and the system font.
	Style string

	// UserPictures shows the pictures of users. Browsers load them from the URLs
	// that Users returns: https, or below Issuer. The default is false: the
	// pages show initials.
	UserPictures bool

	// Texts chooses the words of the pages for a visitor. [AcceptLanguage] makes
	// the usual function. The default is English.
	Texts func(r *http.Request) Texts

	// Consent renders a custom consent page. Security headers are already set:
	// no caching, no frames, and a Content-Security-Policy. You may add another
	// Content-Security-Policy header, but don't replace this one, and don't set
	// form-action, because browsers apply it to the redirects after the form. If
	// nil, the built-in page is used.
	Consent func(w http.ResponseWriter, r *http.Request, page Consent)

	// Error renders a custom error page, and must answer with the page's Status.
	// Headers are set as for Consent. If nil, the built-in page is used.
	Error func(w http.ResponseWriter, r *http.Request, page Error)

	// Device renders custom device pages, and must answer with the page's
	// Status. Headers are set as for Consent. If nil, the built-in pages are
	// used.
	Device func(w http.ResponseWriter, r *http.Request, page Device)

	// SignOut renders a custom sign-out page. Headers are set as for Consent. If
	// nil, the built-in page is used.
	SignOut func(w http.ResponseWriter, r *http.Request, page SignOut)
}

// Renderer writes the pages, built-in or custom. Package provider uses it;
// hosts need only [Config].
//
// Each method fills in the Host and Texts of the page, and the titles of its
// scopes in the visitor's language.
type Renderer struct {
	config    Config
	host      Host
	local     bool // the issuer is on the visitor's machine
	templates *template.Template
	style     string // the hash of the style of every page, for the policy
	styles    string // the same, and the hash of the style of pages with more elements than consent
	script    string // the hash of submitScript
}

// New returns a [Renderer] for a provider with the given issuer, or an error
// that names every problem of the Config.
func New(c Config, issuer string) (*Renderer, error) {
	var problems []error
	for _, u := range []struct{ field, address string }{{"LogoURL", c.LogoURL}, {"LogoDarkURL", c.LogoDarkURL}, {"IconURL", c.IconURL}} {
		if u.address != "" && !weburl.Valid(u.address, issuer) {
			problems = append(problems, fmt.Errorf("pages: Config.%s is %q: use an https URL, or one below the issuer", u.field, u.address))
		}
	}
	if c.LogoDarkURL != "" && c.LogoURL == "" {
		problems = append(problems, errors.New("pages: Config.LogoDarkURL is set, but LogoURL is not: set both"))
	}
	if _, ok := parseColor(c.AccentColor); c.AccentColor != "" && !ok {
		problems = append(problems, fmt.Errorf(`pages: Config.AccentColor is %q: write it like "#2f4fd0"`, c.AccentColor))
	}
	style, err := parseStyle(c.Style)
	if err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	p := &Renderer{config: c, host: Host{Name: c.Name, URL: issuer, LogoURL: c.LogoURL, LogoDarkURL: c.LogoDarkURL, Wordmark: c.Wordmark, IconURL: c.IconURL, AccentColor: c.AccentColor}}
	if u, err := url.Parse(issuer); err == nil {
		p.host.Name, p.local = cmp.Or(c.Name, u.Host), weburl.IsLoopback(u.Hostname())
	}
	if err := p.parse(style); err != nil {
		return nil, err
	}
	return p, nil
}

// HostName returns what the pages call the host.
func (p *Renderer) HostName() string { return p.host.Name }

// texts returns the texts for a visitor, with defaults for empty ones.
func (p *Renderer) texts(r *http.Request) Texts {
	if p.config.Texts == nil {
		return English()
	}
	return p.config.Texts(r).complete()
}

// images returns the URLs of the host's pictures, and the given ones.
func (p *Renderer) images(more ...string) []string {
	return append(more, p.host.LogoURL, p.host.LogoDarkURL, p.host.IconURL)
}

// picture returns the user for a built-in page: with a picture only if
// Config.UserPictures is set.
func (p *Renderer) picture(u User) User {
	if !p.config.UserPictures || !weburl.Valid(u.Picture, p.host.URL) {
		u.Picture = ""
	}
	return u
}

// sentTo returns the host where a visitor is sent, and the text for it.
func (p *Renderer) sentTo(uri string, t Texts) (host, text string) {
	if host = weburl.Shown(uri, p.local); host == "" {
		return "", t.SentToApp
	}
	return host, t.SentTo
}

// Consent writes the consent page. redirectURI is where its form sends the
// browser.
func (p *Renderer) Consent(w http.ResponseWriter, r *http.Request, page Consent, redirectURI string) {
	texts := p.texts(r)
	page.RedirectHost, texts.SentTo = p.sentTo(redirectURI, texts)
	if page.RedirectHost != "" {
		page.RedirectURI = redirectURI
	}
	page.Host, page.Texts = p.host, texts
	page.Scopes = texts.scopes(page.Scopes)
	if p.config.Consent != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.host.Name, "user", page.User.Label,
			"address", page.RedirectHost, "resource", page.Resource, "workspace", page.Workspace.only(), "connections", texts.ConnectionsTitle)
		guard(w.Header(), true)
		p.config.Consent(w, r, page)
		return
	}
	page.User = p.picture(page.User)
	p.write(w, http.StatusOK, "consent.html", page, policy{leavesSite: true, images: page.Workspace.pictures(p.images(page.Application.LogoURL, page.User.Picture)...)})
}

// Error writes the error page.
func (p *Renderer) Error(w http.ResponseWriter, r *http.Request, page Error) {
	texts := p.texts(r)
	page.Host = p.host
	names := []string{"host", p.host.Name, "application", page.Application.Name, "reference", page.Reference, "minutes", strconv.Itoa(page.RetryMinutes)}
	texts.reason(&page)
	for _, text := range []*string{&page.Title, &page.Happened, &page.Advice} {
		*text = plain(*text, names...)
	}
	page.Texts = texts
	if p.config.Error != nil {
		page.Texts = texts.fill(names...)
		guard(w.Header(), false)
		p.config.Error(w, r, page)
		return
	}
	p.write(w, page.Status, "error.html", page, policy{style: p.styles, images: p.images(page.Application.LogoURL)})
}

// Device writes the device page for its Step.
func (p *Renderer) Device(w http.ResponseWriter, r *http.Request, page Device) {
	texts := p.texts(r)
	page.Host, page.Texts = p.host, texts
	page.Scopes = texts.scopes(page.Scopes)
	if p.config.Device != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.host.Name, "user", page.User.Label,
			"resource", page.Resource, "workspace", page.Workspace.only(), "connections", texts.ConnectionsTitle)
		guard(w.Header(), false)
		p.config.Device(w, r, page)
		return
	}
	page.User = p.picture(page.User)
	p.write(w, page.Status, "device.html", page, policy{style: p.styles, images: page.Workspace.pictures(p.images(page.Application.LogoURL, page.User.Picture)...)})
}

// Connections writes the page of connected applications.
func (p *Renderer) Connections(w http.ResponseWriter, r *http.Request, page Connections) {
	page.Host, page.Texts, page.User = p.host, p.texts(r), p.picture(page.User)
	images := p.images(page.User.Picture)
	for i, c := range page.Connections {
		page.Connections[i].Scopes = page.Texts.scopes(c.Scopes)
		images = append(images, c.Application.LogoURL)
	}
	p.write(w, http.StatusOK, "connections.html", page, policy{images: images, style: p.styles})
}

// SignOut writes the sign-out page for its Step. redirectURI is where the
// visitor goes next, after the form or with a link; it may be empty.
func (p *Renderer) SignOut(w http.ResponseWriter, r *http.Request, page SignOut, redirectURI string) {
	texts := p.texts(r)
	page.RedirectHost, texts.SentTo = p.sentTo(redirectURI, texts)
	page.Host, page.Texts, page.Leaves = p.host, texts, redirectURI != ""
	if p.config.SignOut != nil {
		page.Texts = texts.fill("application", page.Application.Name, "host", p.host.Name, "user", page.User.Label, "address", page.RedirectHost)
		guard(w.Header(), page.Leaves)
		p.config.SignOut(w, r, page)
		return
	}
	page.User = p.picture(page.User)
	p.write(w, http.StatusOK, "sign_out.html", page, policy{style: p.styles, leavesSite: page.Leaves, images: p.images(page.Application.LogoURL, page.User.Picture)})
}

// FormPost writes the page whose form carries an answer to an application. The
// form submits itself if the browser runs scripts.
func (p *Renderer) FormPost(w http.ResponseWriter, r *http.Request, page FormPost) {
	page.Host, page.Texts = p.host, p.texts(r)
	p.write(w, http.StatusOK, "form_post.html", page, policy{
		leavesSite: true, images: p.images(page.Application.LogoURL), script: p.script,
	})
}
