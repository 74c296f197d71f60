package pages_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// A host may round its corners and choose its font. The policy allows the style
// by its hash.
func TestStyleOfTheHost(t *testing.T) {
	show := func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.Consent(w, r, pages.Consent{}, "https://wiki.example.com/cb")
	}
	plain := render(t, pages.Config{}, show)
	own := render(t, pages.Config{Style: ` --radius: 6px ;--font: Inter, 'Helvetica Neue', "Open Sans", sans-serif; `}, show)
	require.Contains(t, own.Body.String(), `:root{--radius:6px;--font:Inter, 'Helvetica Neue', "Open Sans", sans-serif;}</style>`)
	require.NotEqual(t, plain.Header().Get("Content-Security-Policy"), own.Header().Get("Content-Security-Policy"), "the hash is of what is sent")
	require.Contains(t, render(t, pages.Config{Style: "--radius: 0"}, show).Body.String(), ":root{--radius:0px;}", "a calc() needs a unit")
}

// Only known variables get into the style.
func TestStyleCanNotEscape(t *testing.T) {
	for style, says := range map[string]string{
		"color: red":                               `sets "color": it may set --radius and --font`,
		"--card: #000":                             `sets "--card"`,
		"--radius: 6px; --radius: 7px":             "sets --radius twice",
		"--radius: 33px":                           "from 0 to 32px",
		"--radius: 3rem":                           "from 0 to 32px",
		"--radius: -1px":                           "from 0 to 32px",
		"--radius: 6":                              "from 0 to 32px",
		"--radius: calc(1px)":                      "from 0 to 32px",
		"--radius: 6px } body { display: none":     "from 0 to 32px",
		"--radius":                                 "from 0 to 32px",
		"--font: url(https://evil.example/f.woff)": "use font names",
		"--font: 'a":                               "use font names",
		"--font: 'a\";}'":                          "use font names",
		"--font: a}</style><script>alert(1)</script>": "use font names",
		"--font: a, ":                         "use font names",
		"--font: var(--x)":                    "use font names",
		`--font: "\2f"`:                       "use font names",
		"--font: a /* b */":                   "use font names",
		"--font: a\nb{}":                      "use font names",
		"--font: " + strings.Repeat("a", 400): "use at most 400",
		"@import 'https://evil.example/x.css'; --font: a": `sets "@import`,
	} {
		_, err := pages.New(pages.Config{Style: style}, issuer)
		require.ErrorContains(t, err, says, style)
	}
}
