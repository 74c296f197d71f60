package diagnose_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/internal/diagnose"
)

var update = flag.Bool("update", false, "write the example and the table of docs/reference/doctor.md anew")

// The page has an example of the doctor's output, and each code.
func TestDocs(t *testing.T) {
	page := filepath.Join("..", "..", "..", "docs", "reference", "doctor.md")
	kept, err := os.ReadFile(page)
	require.NoError(t, err)
	var example string
	for _, f := range faults {
		if f.name == "Caddy: no Authorization" {
			found, err := diagnose.Run(t.Context(), f.start(t))
			require.NoError(t, err)
			require.Len(t, found, 1)
			example = found[0].String()
		}
	}
	table := "| code | what is wrong | what to change |\n| --- | --- | --- |\n"
	for _, f := range diagnose.Kinds() {
		table += fmt.Sprintf("| `%s` | %s | %s |\n", f.Code, f.Problem, f.Remedy)
	}
	text := between(t, string(kept), "<!-- example -->\n", "<!-- /example -->\n", "\n```text\n"+example+"\n```\n\n")
	text = between(t, text, "-update -->\n", "<!-- /generated -->\n", "\n"+table+"\n")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(text), 0o600))
		return
	}
	require.Equal(t, text, string(kept), "run go test ./provider/internal/diagnose -run TestDocs -update")
}

// between returns the text with the part between two marks replaced.
func between(t *testing.T, text, begin, end, by string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, begin)
	require.True(t, ok, begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, end)
	return before + begin + by + end + after
}
