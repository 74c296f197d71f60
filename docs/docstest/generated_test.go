package docstest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkGenerated compares a part of a page, between two comments that name it,
// with the lines that it must have. With -update it writes them.
func checkGenerated(t *testing.T, page, part string, want []string) {
	t.Helper()
	begin, end := "<!-- "+part+" -->\n", "<!-- end of "+part+" -->"
	file := filepath.Join(root, filepath.FromSlash(page))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "%s has no %s", page, begin)
	old, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no %s", page, end)
	generated := "\n" + strings.Join(want, "\n") + "\n\n"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+generated+end+after), 0o600))
		return
	}
	require.Equal(t, generated, old, "%s is out of date: go test ./docs/docstest -run %s -update", page, t.Name())
}
