package pages

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// WCAG 2.2 section 1.4.3: with any accent color, text in it and on it is
// readable.
func TestAnyAccentColorCanBeRead(t *testing.T) {
	accents := []string{"", "#000000", "#ffffff", "#ffcc00", "#808080", "#ff0000", "#00ff00", "#0000ff", "#1e2127", "#f4f5f7"}
	source := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		accents = append(accents, fmt.Sprintf("#%06x", source.IntN(1<<24)))
	}
	pattern := regexp.MustCompile(`--brand:(#\w{6});--on-brand:(#\w{6});--accent:(#\w{6});--edge:(#\w{6});--ring:[^}]+}[^-]*--accent:(#\w{6});--edge:(#\w{6});`)
	colorOf := func(text string) color {
		c, ok := parseColor(text)
		require.True(t, ok, text)
		return c
	}
	for _, accent := range accents {
		m := pattern.FindStringSubmatch(regexp.MustCompile(`@media[^{]*`).ReplaceAllString(accentStyle(accent), ""))
		require.NotNil(t, m, accentStyle(accent))
		if accent != "" {
			require.Equal(t, accent, m[1])
		}
		require.GreaterOrEqual(t, contrast(colorOf(m[2]), colorOf(m[1])), 4.5, "text on a button, %s", accent)
		require.GreaterOrEqual(t, contrast(colorOf(m[3]), lightGround), 4.45, "a link in light, %s", accent)
		require.GreaterOrEqual(t, contrast(colorOf(m[5]), darkGround), 4.45, "a link in dark, %s", accent)
		require.GreaterOrEqual(t, contrast(colorOf(m[4]), lightGround), 2.95, "the edge of a button in light, %s", accent)
		require.GreaterOrEqual(t, contrast(colorOf(m[6]), darkGround), 2.95, "the edge of a button in dark, %s", accent)
	}
	for _, bad := range []string{"blue", "#fff", "2f4fd0", "#2f4fd0;", "#2f4fdg", "#+f4fd0", "#2f 4fd"} {
		_, ok := parseColor(bad)
		require.False(t, ok, bad)
	}
}

func TestContrastIsThatOfWCAG(t *testing.T) {
	grey, _ := parseColor("#767676")
	require.InDelta(t, 4.54, contrast(grey, white), 0.01)
	require.InDelta(t, 21, contrast(black, white), 0.001)
}
