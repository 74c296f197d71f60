package browser

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// axeSource is the source of axe-core, which finds barriers for people with
// disabilities.
func axeSource(t testing.TB) string {
	t.Helper()
	source, err := os.ReadFile(npmPackage(t, "axe-core", "axe.min.js"))
	require.NoError(t, err)
	return string(source)
}

// axe runs rules on the page (nil for all), in light and in dark mode, and
// fails the test for each element that breaks one, or that axe is unsure about.
func (p *page) axe(what string, rules []string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](axeSource(p.t)))
	// Make the window as high as the page, so that the bar with the buttons covers
	// nothing. axe can't tell the contrast of partly covered elements.
	p.isLarge(1280, eval[int64](p, `() => Math.max(700, document.documentElement.scrollHeight)`), 1)
	defer p.isLarge(1280, 700, 1)
	for _, scheme := range []string{"light", "dark"} {
		p.prefers(scheme)
		found := eval[[]string](p, `async rules => {
			const found = await axe.run({
				resultTypes: ["violations", "incomplete"], ...(rules ? {runOnly: rules} : {rules: {"target-size": {enabled: true}}}),
			});
			if (!found.passes.some(r => r.id === "color-contrast")) throw new Error("color-contrast was not tried");
			return [...found.violations, ...found.incomplete].flatMap(r => r.nodes.map(n => r.id + ": " + n.html + "\n" + n.failureSummary));
		}`, rules)
		assert.Empty(p.t, strings.Join(found, "\n"), "%s, %s", what, scheme)
	}
}

// Every page is accessible.
func TestAccessibility(t *testing.T) {
	for name, l := range map[string]look{"left to right": {}, "right to left": {texts: hebrew, logos: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			axeSource(t)
			h, states := gallery(t, l)
			p := newPage(t)
			p.isSignedIn(h, "user_ada")
			for _, s := range states {
				s.open(p)
				p.axe(s.name, nil)
			}
		})
	}
}

// With any accent color, all text is readable.
func TestContrast(t *testing.T) {
	t.Parallel()
	axeSource(t)
	p := newPage(t)
	for _, accent := range []string{"#ffcc00", "#000000", "#ffffff", "#ff0055"} {
		h, states := gallery(t, look{accent: accent})
		p.isSignedIn(h, "user_ada")
		for _, s := range states {
			if s.accent {
				s.open(p)
				p.axe(accent+", "+s.name, []string{"color-contrast", "link-in-text-block"})
			}
		}
	}
}
