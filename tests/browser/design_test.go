package browser

import (
	"fmt"
	"math"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prefers sets the color scheme of the visitor's system: "light" or "dark".
func (p *page) prefers(scheme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// isWide sets the width of the window in CSS pixels.
func (p *page) isWide(width int64, scale float64) {
	p.t.Helper()
	p.isLarge(width, 700, scale)
}

// isLarge sets the size of the window in CSS pixels.
func (p *page) isLarge(width, height int64, scale float64) {
	p.t.Helper()
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale})
}

// outside returns elements that extend beyond the sides of the window or of
// their container.
const outside = `() => {
	const found = [], width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > width) found.push("the page is " + document.documentElement.scrollWidth + " wide");
	for (const e of document.body.querySelectorAll("*")) {
		if (e.closest(".hidden") || !e.checkVisibility()) continue;
		const r = e.getBoundingClientRect();
		if (r.left < -0.5 || r.right > width + 0.5) found.push(e.outerHTML.slice(0, 80) + " reaches from " + r.left + " to " + r.right);
		if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) found.push(e.outerHTML.slice(0, 80) + " is " + e.clientWidth + " wide and its content " + e.scrollWidth);
	}
	return found;
}`

// No page needs sideways scrolling in a window of 320 CSS pixels (WCAG 2.2,
// 1.4.10), with any names of users and applications.
func TestNarrowWindow(t *testing.T) {
	for name, l := range map[string]look{
		"usual": {logos: true}, "long": {long: true}, "long, right to left": {long: true, texts: hebrew, logos: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, states := gallery(t, l)
			p := newPage(t)
			p.isSignedIn(h, "user_ada")
			for _, s := range states {
				p.isWide(320, 1)
				s.open(p)
				assert.Empty(t, eval[[]string](p, outside), s.name)
				require.EqualValues(t, 320, eval[float64](p, `() => document.documentElement.scrollWidth`), s.name)
				if !l.long || s.name == "consent" || s.name == "connections open" {
					p.picture(s.name)
				}
				p.isWide(1280, 1)
				assert.Empty(t, eval[[]string](p, outside), "%s in a wide window", s.name)
			}
		})
	}
}

// The pages follow the visitor's system, light or dark.
func TestColourSchemes(t *testing.T) {
	t.Parallel()
	h, states := gallery(t, look{})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	for _, s := range states {
		s.open(p)
		for scheme, isGood := range map[string]func(luminance float64) bool{
			"light": func(l float64) bool { return l > 0.9 },
			"dark":  func(l float64) bool { return l < 0.02 },
		} {
			p.prefers(scheme)
			for _, colour := range eval[[]string](p, `() => ["body", "main"].map(s => getComputedStyle(document.querySelector(s)).backgroundColor)`) {
				require.True(t, isGood(luminance(t, colour)), "%s in %s: %s", s.name, scheme, colour)
			}
			// Form controls and scrollbars follow too.
			require.Equal(t, "light dark", eval[string](p, `() => getComputedStyle(document.documentElement).colorScheme`))
			p.picture(s.name + " " + scheme)
		}
	}
}

// A language that is written from right to left mirrors the pages.
func TestRightToLeft(t *testing.T) {
	t.Parallel()
	h, states := gallery(t, look{texts: hebrew, logos: true})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	for _, s := range states {
		s.open(p)
		require.Equal(t, "rtl he", eval[string](p, `() => getComputedStyle(document.querySelector("main")).direction + " " + document.documentElement.lang`), s.name)
		p.picture(s.name)
		if s.name != "consent" {
			continue
		}
		require.Equal(t, []string{"right", "right", "right"}, eval[[]string](p, `() => [...document.querySelectorAll("input[type=checkbox]")].map(box => {
			const words = box.nextElementSibling.getBoundingClientRect();
			return box.getBoundingClientRect().left >= words.right ? "right" : "left";
		})`), "the boxes are at the right of their words")
		require.Equal(t, []string{"allow", "deny"}, eval[[]string](p, `() => [...document.querySelectorAll("button[name]")].sort((a, b) =>
			a.getBoundingClientRect().x - b.getBoundingClientRect().x).map(b => b.value)`), "from left to right")
	}
}

// luminance is the relative luminance (WCAG 2.2) of a color in CSS.
func luminance(t testing.TB, colour string) float64 {
	t.Helper()
	var parts [3]float64
	_, err := fmt.Sscanf(colour, "rgb(%f, %f, %f)", &parts[0], &parts[1], &parts[2])
	require.NoError(t, err, "%s", colour)
	for i, part := range parts {
		if part /= 255; part <= 0.04045 {
			parts[i] = part / 12.92
		} else {
			parts[i] = math.Pow((part+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*parts[0] + 0.7152*parts[1] + 0.0722*parts[2]
}

// contrast is the contrast ratio of two colors, from 1 to 21.
func contrast(t testing.TB, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}
