package main

import (
	"flag"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the difference into examples/gin/README.md")

// README.md shows the difference between the two programs, and how many lines it
// adds.
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

	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	want := string(text)
	for pattern, replacement := range map[string]string{
		"(?s)```diff\n.*?```": "```diff\n" + changes + "```",
		`\b\d+ added lines\b`: strconv.Itoa(added) + " added lines",
	} {
		found := regexp.MustCompile(pattern)
		require.Len(t, found.FindAllString(want, -1), 1, pattern)
		want = found.ReplaceAllLiteralString(want, replacement)
	}
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(text), "write it with: go test ./examples/gin -run TestDocs -update")
}
