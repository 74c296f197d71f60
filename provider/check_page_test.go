package provider_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// The table in docs/reference/checks.md has every advice that Check gives, with
// its field and its text, in the order of the source. To write it again:
//
//	go test ./provider -run TestChecksPage -update
func TestChecksPage(t *testing.T) {
	source, err := os.ReadFile("check.go")
	require.NoError(t, err)
	var codes []string
	for _, call := range regexp.MustCompile(`(?m)\badd\(.*?, "([a-z-]+)", `).FindAllSubmatch(source, -1) {
		codes = append(codes, string(call[1]))
	}
	p, err := provider.New(soundConfig(t))
	require.NoError(t, err)
	given := map[string]provider.Advice{"key-short": p.Check(tooShort)[0]}
	for code, edit := range risky {
		c := soundConfig(t)
		edit(&c)
		given[code] = checked(t, c)[0]
	}
	require.ElementsMatch(t, codes, slices.Collect(maps.Keys(given)), "each code needs a Config that causes it")

	var table strings.Builder
	table.WriteString("| Code | Field | What it means, and what to do |\n| --- | --- | --- |\n")
	for _, code := range codes {
		field := "(a key passed to `Check`)"
		if given[code].Field != "" {
			field = "`" + anyIndex(given[code].Field) + "`"
		}
		text := regexp.MustCompile(`"(https?://[^"]+)"`).ReplaceAllString(given[code].Text, "`$1`")
		table.WriteString("| `" + code + "` | " + field + " | " + strings.ReplaceAll(text, "|", `\|`) + " |\n")
	}

	const page, mark = "../docs/reference/checks.md", "<!-- generated -->\n"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, written, found := strings.Cut(string(text), mark)
	require.True(t, found, "%s has no line %q", page, mark)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+mark+"\n"+table.String()), 0o600))
		return
	}
	require.Equal(t, "\n"+table.String(), written, "go test ./provider -run TestChecksPage -update")
}
