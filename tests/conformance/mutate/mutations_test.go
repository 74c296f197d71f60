package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The mutations themselves take minutes to try. That there is something left to
// break is seen at once.
func TestEachMutationHasItsText(t *testing.T) {
	for _, m := range mutations {
		source, err := os.ReadFile(filepath.Join("..", "..", "..", "provider", m.file))
		require.NoError(t, err, m.rule)
		require.Equal(t, 1, strings.Count(string(source), m.old), "%s: the text has to be in %s once: %s", m.rule, m.file, m.old)
		require.NotEqual(t, m.old, m.new, m.rule)
	}
}
