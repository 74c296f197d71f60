package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
)

// policy is what the Content-Security-Policy of a built-in page allows besides
// its style.
type policy struct {
	leavesSite bool     // as in frame
	images     []string // URLs; may be empty
	style      string   // the hashes of its styles; empty for the style of every page
	script     string   // its hash; may be empty
}

// maxImageSources bounds the length of the policy: proxies refuse long headers.
const maxImageSources = 20

// text returns the policy, with the hash of the style that every page has.
func (p policy) text(style string) string {
	text := "default-src 'none'; style-src " + cmp.Or(p.style, style) + "; " + frame(p.leavesSite)
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

// frame returns the part of the policy that every page has, built in or custom.
// If a form stays on the site, form-action allows nothing else.
//
// If a form leads to an application, there is no form-action, because browsers
// apply it to every redirect after the form too, and an application may
// redirect its users anywhere, such as to a custom scheme. It would not stop an
// attacker: any https address can be an application's, and nothing can be
// injected into a page that runs no foreign script and escapes all text.
func frame(leavesSite bool) string {
	const always = "base-uri 'none'; frame-ancestors 'none'"
	if leavesSite {
		return always
	}
	return always + "; form-action 'self'"
}

// setHeaders sets the other headers that every page has.
func setHeaders(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// With no-referrer, browsers would post the form with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
}

// guard sets the headers of a custom page. It adds the policy, so that it
// applies in addition to one that the host sets.
func guard(h http.Header, leavesSite bool) {
	setHeaders(h)
	h.Add("Content-Security-Policy", frame(leavesSite))
}
