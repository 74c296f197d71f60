package provider_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program on the README's first screen is the package's Example, so it
// compiles, and it is as small as it says.
func TestReadmeShowsTheSmallestHost(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)```go\nfunc main\\(\\) {\n(.*?)\n}\n```").FindSubmatch(readme)
	require.NotNil(t, shown)
	example := regexp.MustCompile(`(?s)\nfunc Example\(\) {\n(.*?)\n}\n`).FindSubmatch(source)
	require.NotNil(t, example)
	require.Equal(t, string(example[1]), string(shown[1]))
	require.LessOrEqual(t, strings.Count(string(shown[1]), "\n")+1, 30)
}
