package conformance

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "update docs/reference/rfcs.md")

// Titles of the standards in the table.
var titles = map[int]string{
	3986: "Uniform Resource Identifier (URI): Generic Syntax",
	6749: "The OAuth 2.0 Authorization Framework",
	6750: "Bearer Token Usage",
	6761: "Special-Use Domain Names",
	6890: "Special-Purpose IP Address Registries",
	7009: "Token Revocation",
	7515: "JSON Web Signature",
	7517: "JSON Web Key (JWK)",
	7521: "Assertion Framework for OAuth 2.0 Client Authentication and Authorization Grants",
	7523: "JSON Web Token Profile for OAuth 2.0 Client Authentication and Authorization Grants",
	7591: "Dynamic Client Registration Protocol",
	7592: "Dynamic Client Registration Management Protocol",
	7617: "The 'Basic' HTTP Authentication Scheme",
	7636: "Proof Key for Code Exchange",
	7662: "Token Introspection",
	8252: "OAuth 2.0 for Native Apps",
	8414: "Authorization Server Metadata",
	8628: "OAuth 2.0 Device Authorization Grant",
	8707: "Resource Indicators",
	8725: "JSON Web Token Best Current Practices",
	9068: "JSON Web Token (JWT) Profile for OAuth 2.0 Access Tokens",
	9110: "HTTP Semantics",
	9111: "HTTP Caching",
	9207: "Authorization Server Issuer Identification",
	9700: "Best Current Practice for OAuth 2.0 Security",
	9728: "Protected Resource Metadata",

	documentsDraft: "draft-ietf-oauth-client-id-metadata-document-02",
}

// documentsDraft stands for a draft without a number, which comes last.
const documentsDraft = 99999

var (
	mention = regexp.MustCompile(`(?:RFC (\d{4})|draft-ietf-oauth-client-id-metadata-document-02)((?: sections? \d+(?:\.\d+)*(?:(?:, and |, | and )(?:sections? )?\d+(?:\.\d+)*)*)?)`)
	section = regexp.MustCompile(`\d+(?:\.\d+)*`)
)

// TestRFCTable checks that docs/reference/rfcs.md, which says which test holds which
// section of a standard, agrees with the tests. To update it, run
//
//	go test ./tests/conformance -run TestRFCTable -update
func TestRFCTable(t *testing.T) {
	rows := map[string]map[string]bool{} // "6749 4.1.2" to tests
	for _, dir := range []string{"../../provider", ".", "../../provider/internal/clientdoc"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			collect(t, file, rows)
		}
	}
	mutated := mutatedTests(t)
	for key, test := range mutated {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(rows[key])), func(name string) bool {
			return strings.HasSuffix(name, "#"+test)
		}), "a mutation of RFC %s says that %s holds it, and the test does not", key, test)
	}
	want := render(t, rows, mutated)
	const path = "../../docs/reference/rfcs.md"
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run: go test ./tests/conformance -run TestRFCTable -update")
}

// mutatedTests returns the tests that the mutations name, by section.
func mutatedTests(t *testing.T) map[string]string {
	source, err := os.ReadFile("mutate/mutations.go")
	require.NoError(t, err)
	tests := map[string]string{}
	for _, m := range regexp.MustCompile(`"RFC (\d+) section ([\d.]+): [^"]*"(?s:.*?)"(Test\w+)"`).FindAllStringSubmatch(string(source), -1) {
		tests[m[1]+" "+m[2]] = m[3]
	}
	require.GreaterOrEqual(t, len(tests), 18)
	return tests
}

// collect finds the sections that a file's tests name, in their comments and
// in the texts in them, such as the names of their cases.
func collect(t *testing.T, file string, rows map[string]map[string]bool) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	require.NoError(t, err)
	for _, declaration := range parsed.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(function.Name.Name, "Test") && !strings.HasPrefix(function.Name.Name, "Fuzz") || function.Body == nil {
			continue
		}
		texts := []string{function.Doc.Text()}
		ast.Inspect(function.Body, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					texts = append(texts, text)
				}
			}
			return true
		})
		for _, c := range parsed.Comments {
			if c.Pos() > function.Body.Pos() && c.End() < function.Body.End() {
				texts = append(texts, c.Text())
			}
		}
		name := filepath.ToSlash(filepath.Clean(filepath.Join("tests/conformance", file))) + "#" + function.Name.Name
		for _, text := range texts {
			for _, m := range mention.FindAllStringSubmatch(strings.Join(strings.Fields(text), " "), -1) {
				sections := section.FindAllString(m[2], -1)
				if len(sections) == 0 {
					sections = []string{""}
				}
				for _, s := range sections {
					key := cmp.Or(m[1], strconv.Itoa(documentsDraft)) + " " + s
					if rows[key] == nil {
						rows[key] = map[string]bool{}
					}
					rows[key][name] = true
				}
			}
		}
	}
}

func render(t *testing.T, rows map[string]map[string]bool, mutated map[string]string) string {
	var b strings.Builder
	b.WriteString("# RFC sections and their tests\n\nTests name the section that they check. This page is generated from them:\n" +
		"`go test ./tests/conformance -run TestRFCTable -update`. For a test in **bold**,\n" +
		"`go run ./tests/conformance/mutate` breaks the rule and checks that this test fails.\n")
	keys := make([]string, 0, len(rows))
	for key := range rows {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return slices.Compare(numbers(a), numbers(b)) })
	last := 0
	for _, key := range keys {
		rfc := numbers(key)[0]
		if rfc != last {
			require.Contains(t, titles, rfc, "give the RFC its title")
			name := fmt.Sprintf("RFC %d: %s", rfc, titles[rfc])
			if rfc == documentsDraft {
				name = titles[rfc]
			}
			if last != 0 {
				b.WriteString("\n</details>\n")
			}
			fmt.Fprintf(&b, "\n## %s\n\n<details>\n<summary>Sections and tests</summary>\n\n| section | tests |\n| --- | --- |\n", name)
			last = rfc
		}
		var tests []string
		for name := range rows[key] {
			file, test, _ := strings.Cut(name, "#")
			link := fmt.Sprintf("[%s](../../%s)", test, file)
			if mutated[key] == test {
				link = "**" + link + "**"
			}
			tests = append(tests, link)
		}
		slices.Sort(tests)
		section := strings.TrimPrefix(key, strconv.Itoa(rfc)+" ")
		if section == "" {
			section = "all"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", section, strings.Join(tests, ", "))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// numbers returns the numbers in a key, so that section 10 comes after 9.
func numbers(key string) []int {
	var all []int
	for _, part := range strings.FieldsFunc(key, func(r rune) bool { return r == ' ' || r == '.' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return all
		}
		all = append(all, n)
	}
	return all
}
