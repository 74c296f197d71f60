package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The Go in docs/agents.md is that of this example, line for line.
func TestDocs(t *testing.T) {
	var sources []string
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		sources = append(sources, flat(string(source)))
	}
	page, err := os.ReadFile("../../docs/agents.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 6)
	all := strings.Join(sources, "")
	for _, block := range blocks {
		require.True(t, strings.Contains(all, flat(block[1])), "this is not in the example:\n%s", block[1])
	}
}

// flat leaves out the indentation, which is another on the page.
func flat(source string) string {
	return "\n" + regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(source, "")
}
