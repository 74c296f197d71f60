package pages

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// color is an sRGB color, with components from 0 to 1.
type color [3]float64

var (
	white = color{1, 1, 1}
	black = color{}

	// The backgrounds of text in the accent color: the ones in style.css with
	// the least contrast to it.
	lightGround = color{0xf4 / 255.0, 0xf5 / 255.0, 0xf7 / 255.0}
	darkGround  = color{0x1f / 255.0, 0x23 / 255.0, 0x2a / 255.0}
)

const defaultAccent = "#2f4fd0"

// parseColor parses a color such as "#2f4fd0".
func parseColor(text string) (c color, ok bool) {
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

func (c color) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// luminance returns the relative luminance of WCAG 2.2.
func (c color) luminance() float64 {
	linear := func(part float64) float64 {
		if part <= 0.04045 {
			return part / 12.92
		}
		return math.Pow((part+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast returns the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b color) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// readable is the minimum contrast of text (WCAG 2.2, level AA).
const readable = 4.5

// readableOn returns c, or the nearest mixture of c and towards that is
// readable on ground.
func (c color) readableOn(ground, towards color) color {
	for part := 0.0; part <= 1; part += 0.02 {
		var mixed color
		for i := range mixed {
			mixed[i] = c[i]*(1-part) + towards[i]*part
		}
		if contrast(mixed, ground) >= readable {
			return mixed
		}
	}
	return towards
}

// visible is the minimum contrast of anything that isn't text, such as the edge
// of a button (WCAG 2.2 section 1.4.11).
const visible = 3

// accentStyle returns the part of the style sheet that depends on the accent
// color. Buttons and boxes have exactly that color, with text in black or
// white, so that it is readable. Text in the accent color is adjusted until it
// is readable on the page. So is the edge of a button or box that would be
// invisible without one.
func accentStyle(accent string) string {
	brand, ok := parseColor(accent)
	if !ok {
		brand, _ = parseColor(defaultAccent)
	}
	on := white
	if contrast(black, brand) > contrast(white, brand) {
		on = black
	}
	onGround := func(ground, towards color) string {
		text := brand.readableOn(ground, towards)
		edge, ring := brand, "none"
		if contrast(brand, ground) < visible {
			edge, ring = text, "0 0 0 1px var(--edge)"
		}
		return fmt.Sprintf("--accent:%s;--edge:%s;--ring:%s", text, edge, ring)
	}
	return fmt.Sprintf(":root{--brand:%s;--on-brand:%s;%s}\n@media(prefers-color-scheme:dark){:root{%s}}\n",
		brand, on, onGround(lightGround, black), onGround(darkGround, white))
}
