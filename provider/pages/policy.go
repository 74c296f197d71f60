package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
)

// policy is what the Content-Security-Policy of a built-in page lets in besides
// its own style.
type policy struct {
	formAction string   // sources
	images     []string // addresses; may be empty
	script     string   // its hash; empty: none
}

// maxImageSources bounds the length of the policy: proxies refuse long headers.
const maxImageSources = 20

// text returns the policy with the hash of the style.
func (p policy) text(style string) string {
	text := "default-src 'none'; style-src " + style + "; " + frame(p.formAction)
	sources := []string{}
	for _, image := range p.images {
		if source := weburl.Source(image); source != "" && !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	if len(sources) > maxImageSources {
		sources = []string{"https:"}
	}
	if len(sources) > 0 {
		text += "; img-src " + strings.Join(sources, " ")
	}
	if p.script != "" {
		text += "; script-src " + p.script
	}
	return text
}

// frame is the part of the policy that every page has, whoever writes it. Its
// form-action also governs the redirects that follow a form, so it names where
// they go.
func frame(formAction string) string {
	return "base-uri 'none'; frame-ancestors 'none'; form-action " + formAction
}

// setHeaders sets the other headers that every page has.
func setHeaders(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// With no-referrer browsers would post the form with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
}

// guard sets the headers of a page that the host writes. The policy is added, so
// that it holds beside one of the host's own.
func guard(h http.Header, formAction string) {
	setHeaders(h)
	h.Add("Content-Security-Policy", frame(formAction))
}

// formAction is the form-action of a page whose form ends in a redirect to
// an application.
func formAction(redirectURI string) string {
	return "'self' " + postAction(redirectURI)
}

// postAction is the form-action of a page whose form is posted to an
// application.
func postAction(redirectURI string) string {
	return strings.TrimSpace("https: " + formSource(redirectURI))
}

// formSource is the source that a form-action must name so that the browser
// follows the redirects after the form: https is allowed always, so it is needed
// for loopback addresses and native schemes only. Behind a loopback address
// there is often a second one, where an API sends the browser on to its front
// end.
func formSource(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return u.Scheme + ":"
	case strings.Contains(u.Hostname(), ":"):
		return "http:" // A policy cannot name an IPv6 address.
	}
	return "http://localhost:* http://127.0.0.1:*"
}

// redirectHost is the host where the visitor will be sent, or "" where that is
// an application with a scheme of its own. A scheme can be named like a host.
func redirectHost(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Host
}
