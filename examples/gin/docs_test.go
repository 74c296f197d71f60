package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the difference into examples/gin/README.md")

const page = "README.md"

// examples/gin/README.md shows the real difference between the two programs, and it is as
// small as promised.
func TestDocs(t *testing.T) {
	before, err := os.ReadFile("before/main.go")
	require.NoError(t, err)
	after, err := os.ReadFile("main.go")
	require.NoError(t, err)
	changes := string(diff.Diff("examples/gin/before/main.go", before, "examples/gin/main.go", after))
	added := 0
	for line := range strings.Lines(changes) {
		if strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++ ") {
			added++
		}
	}
	require.Positive(t, added)
	require.LessOrEqual(t, added, 30, "lines that make a Gin app a provider:\n%s", changes)

	text, err := os.ReadFile(page)
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```diff\n.*?```")
	require.Len(t, block.FindAll(text, -1), 1)
	want := block.ReplaceAllLiteralString(string(text), "```diff\n"+changes+"```")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "write it with: go test ./examples/gin -run TestDocs -update")
}
