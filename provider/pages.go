package provider

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed pages/*.html pages/style.css
var pageFiles embed.FS

// submitScript sends a form_post answer on without a click. It is the only
// script anywhere, and its page's policy allows it by its hash.
const submitScript = "document.forms[0].submit()"

// PageHost is the host, as its pages show it.
type PageHost struct {
	Name        string `json:"name"`         // Config.Name
	URL         string `json:"url"`          // Config.Issuer
	LogoURL     string `json:"logo_url"`     // Config.LogoURL; may be empty
	AccentColor string `json:"accent_color"` // Config.AccentColor; may be empty
}

// PageField is a hidden field of a form.
type PageField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// pages are the built-in pages. None needs a script (form_post only saves a
// click by one) or anything from elsewhere but logos.
type pages struct {
	templates *template.Template
	style     string // the style's hash, as a policy names it
	script    string // the same for submitScript
}

func newPages(accent string) (*pages, error) {
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	t := template.New("").Funcs(template.FuncMap{"say": say, "plain": plain, "initial": initial, "choosable": choosable})
	// Named templates, and not values: html/template would escape those.
	if _, err := t.Parse(fmt.Sprintf(`{{define "style"}}%s%s{{end}}{{define "submit"}}%s{{end}}`, css, accentStyle(accent), submitScript)); err != nil {
		return nil, err
	}
	if _, err := t.ParseFS(pageFiles, "pages/*.html"); err != nil {
		return nil, err
	}
	// html/template drops comments and the like, so the hash is of what it
	// writes and not of the file.
	var written strings.Builder
	if err := t.ExecuteTemplate(&written, "error.html", ErrorPage{}); err != nil {
		return nil, err
	}
	_, style, _ := strings.Cut(written.String(), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	return &pages{templates: t, style: sourceHash(style), script: sourceHash(submitScript)}, nil
}

func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// say puts names into a text, given as name, value. A value can be in another
// script that runs the other way, so each is set apart.
func say(text string, pairs ...string) template.HTML {
	return template.HTML(fill(template.HTMLEscapeString(text), pairs, func(value string) string { //nolint:gosec // Text and values are escaped.
		return "<bdi>" + template.HTMLEscapeString(value) + "</bdi>"
	}))
}

// plain is say for where there can be no elements.
func plain(text string, pairs ...string) string {
	return fill(text, pairs, func(value string) string { return value })
}

func fill(text string, pairs []string, as func(string) string) string {
	replacements := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		replacements = append(replacements, "{"+pairs[i]+"}", as(pairs[i+1]))
	}
	return strings.NewReplacer(replacements...).Replace(text)
}

// initial stands for an application without a logo.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	r, _ := utf8.DecodeRuneInString(name)
	return string(r)
}

// choosable reports whether there is a scope that can be unticked.
func choosable(asked []PageScope) bool {
	return slices.ContainsFunc(asked, func(s PageScope) bool { return !s.Required })
}

func (p *Provider) pageHost() PageHost {
	return PageHost{Name: p.name, URL: p.cfg.Issuer, LogoURL: p.cfg.LogoURL, AccentColor: p.cfg.AccentColor}
}

// guardPage sets the headers that every page has, whoever writes it. The
// policy's form-action also governs the redirects that follow a form, so it
// names where they go.
func guardPage(h http.Header, formAction string) (policy string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// With no-referrer browsers would post the form with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
	return "base-uri 'none'; frame-ancestors 'none'; form-action " + formAction
}

// maxImageSources bounds the length of the policy: proxies refuse long headers.
const maxImageSources = 20

// write sends a built-in page. Its policy lets in nothing but its own style and
// the given images.
func (p *pages) write(w http.ResponseWriter, status int, name string, view any, formAction string, images []string, script string) {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, view); err != nil {
		// The views and templates are ours and tested together.
		http.Error(w, "The page could not be written.", http.StatusInternalServerError)
		return
	}
	policy := "default-src 'none'; style-src " + p.style + "; " + guardPage(w.Header(), formAction)
	sources := []string{}
	for _, image := range images {
		if source := imageSource(image); source != "" && !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	if len(sources) > maxImageSources {
		sources = []string{"https:"}
	}
	if len(sources) > 0 {
		policy += "; img-src " + strings.Join(sources, " ")
	}
	if script != "" {
		policy += "; script-src " + script
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// consentAction is the form-action of a page whose form ends in a redirect to
// an application.
func consentAction(redirectURI string) string {
	return strings.TrimSpace("'self' https: " + formActionSource(redirectURI))
}

// formPostView is what the page shows that carries an answer by
// response_mode=form_post.
type formPostView struct {
	Host        PageHost
	Texts       Texts
	Application string
	Action      string
	Fields      []PageField
}

// formPostPage answers by a form that the visitor's browser posts to the
// application (OAuth 2.0 Form Post Response Mode).
func (p *Provider) formPostPage(w http.ResponseWriter, r *http.Request, a *authorization, params []PageField) {
	view := formPostView{Host: p.pageHost(), Texts: p.texts(r), Application: a.app.Name, Action: a.redirectURI, Fields: params}
	action := strings.TrimSpace("https: " + formActionSource(a.redirectURI))
	p.pages.write(w, http.StatusOK, "form_post.html", view, action, []string{view.Host.LogoURL}, p.pages.script)
}
