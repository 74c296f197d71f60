package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var testLink = regexp.MustCompile(`\[((?:Test|Fuzz|Benchmark)[A-Z]\w*)\]\(([^)#]+_test\.go)\)`)

// A link to a test by its name leads to the file that has it.
func TestLinkedTestsExist(t *testing.T) {
	sources := map[string]string{}
	found := 0
	for _, p := range pages(t) {
		for i, line := range p.text {
			for _, m := range testLink.FindAllStringSubmatch(line, -1) {
				found++
				name := filepath.Join(root, filepath.Dir(filepath.FromSlash(p.name)), filepath.FromSlash(m[2]))
				if _, ok := sources[name]; !ok {
					text, err := os.ReadFile(name)
					require.NoError(t, err, p.name)
					sources[name] = string(text)
				}
				if !regexp.MustCompile(`(?m)^func ` + m[1] + `\(`).MatchString(sources[name]) {
					t.Errorf("%s:%d: %s has no %s", p.name, i+1, m[2], m[1])
				}
			}
		}
	}
	require.Positive(t, found)
}
