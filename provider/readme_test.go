package provider_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's first Go is the package's Example without the lines that don't
// concern Latchkey. So it compiles, and shows how small a host is.
func TestReadmeShowsTheSmallestHost(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindSubmatch(readme)
	require.NotNil(t, shown)
	example := regexp.MustCompile(`(?s)\nfunc Example\(\) {\n(.*?)\n}\n`).FindSubmatch(source)
	require.NotNil(t, example)
	rest, lines := strings.Split(string(example[1]), "\n"), 0
	for line := range strings.Lines(string(shown[1])) {
		line = strings.TrimSpace(line)
		if line == "" || line == "// ..." {
			continue
		}
		lines++
		for len(rest) > 0 && strings.TrimSpace(rest[0]) != line {
			rest = rest[1:]
		}
		require.NotEmpty(t, rest, "the Example has no %q, or has it earlier", line)
		rest = rest[1:]
	}
	for _, call := range []string{"provider.New(", "p.Mount(", "p.Require("} {
		require.Contains(t, string(shown[1]), call)
	}
	require.LessOrEqual(t, lines, 10)
}
