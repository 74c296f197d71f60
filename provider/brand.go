package provider

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// colour is a colour of sRGB, each part from 0 to 1.
type colour [3]float64

var (
	white = colour{1, 1, 1}
	black = colour{}

	// The backgrounds that text in the accent colour stands on. They are the
	// ones in pages/style.css with the least contrast to it.
	lightGround = colour{0xf4 / 255.0, 0xf5 / 255.0, 0xf7 / 255.0}
	darkGround  = colour{0x1e / 255.0, 0x21 / 255.0, 0x27 / 255.0}
)

const defaultAccent = "#2f4fd0"

// parseColour reads a colour such as "#2f4fd0".
func parseColour(text string) (c colour, ok bool) {
	digits, ok := strings.CutPrefix(text, "#")
	value, err := strconv.ParseUint(digits, 16, 24)
	if !ok || len(digits) != 6 || err != nil {
		return c, false
	}
	for i := range c {
		c[i] = float64(value>>(16-8*i)&0xff) / 255
	}
	return c, true
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	linear := func(part float64) float64 {
		if part <= 0.04045 {
			return part / 12.92
		}
		return math.Pow((part+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b colour) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// readable is the least contrast of text (WCAG 2.2, level AA).
const readable = 4.5

// readableOn returns c, or the nearest mixture of it with the colour towards
// that can be read on ground.
func (c colour) readableOn(ground, towards colour) colour {
	for part := 0.0; part <= 1; part += 0.02 {
		var mixed colour
		for i := range mixed {
			mixed[i] = c[i]*(1-part) + towards[i]*part
		}
		if contrast(mixed, ground) >= readable {
			return mixed
		}
	}
	return towards
}

// accentStyle is the part of the style sheet that follows from the accent
// colour. Buttons have that very colour, and whichever of black and white can be
// read on it; text has the nearest one that can be read on the page.
func accentStyle(accent string) string {
	brand, ok := parseColour(accent)
	if !ok {
		brand, _ = parseColour(defaultAccent)
	}
	on := white
	if contrast(black, brand) > contrast(white, brand) {
		on = black
	}
	return fmt.Sprintf(":root { --brand: %s; --on-brand: %s; --accent: %s; }\n@media (prefers-color-scheme: dark) { :root { --accent: %s; } }\n",
		brand, on, brand.readableOn(lightGround, black), brand.readableOn(darkGround, white))
}

// isWebURL reports whether a page may link to that address or show the image
// that is there: it is https, or below the issuer, which can be http for
// development.
func isWebURL(text, issuer string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return false
	}
	// In a policy other characters have a meaning, such as "*".
	plain := strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789-.:[]") == ""
	return plain && (u.Scheme == "https" || strings.HasPrefix(text, issuer+"/"))
}

// imageSource is the source of an image as a Content-Security-Policy names it.
func imageSource(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
