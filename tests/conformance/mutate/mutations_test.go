package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Trying the mutations takes minutes. This test only checks that each one still
// finds its text.
func TestEachMutationHasItsText(t *testing.T) {
	for _, m := range mutations {
		source, err := os.ReadFile(filepath.Join("..", "..", "..", "provider", m.file))
		require.NoError(t, err, m.rule)
		require.Equal(t, 1, strings.Count(string(source), m.old), "%s: the text must be in %s exactly once: %s", m.rule, m.file, m.old)
		require.NotEqual(t, m.old, m.new, m.rule)
	}
}
