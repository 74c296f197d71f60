package docstest

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "update the tables of docs/reference/errors.md")

// The tables of docs/reference/errors.md have every error of the provider by its
// text. The first columns are read from the code. The cause and the fix are
// written by hand, and the test fails for a row without them. To add the rows of
// new errors, and drop those of old ones:
//
//	go test ./docs/docstest -run TestErrors -update
func TestErrors(t *testing.T) {
	const name = "docs/reference/errors.md"
	texts := errorTexts(t)
	lines := read(t, name)
	known := map[string]string{} // the handwritten columns, by the columns before them
	for _, line := range lines {
		if m := errorRow.FindStringSubmatch(line); m != nil {
			known[m[1]] = m[2]
		}
	}
	var want []string
	for i := 0; i < len(lines); i++ {
		want = append(want, lines[i])
		m := errorTable.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		require.NotEmpty(t, texts[m[1]], "%s:%d: the table %s is empty", name, i+1, m[1])
		for i+1 < len(lines) && (lines[i+1] == "" || strings.HasPrefix(lines[i+1], "|")) {
			i++
			if !errorRow.MatchString(lines[i]) {
				want = append(want, lines[i])
			}
		}
		end := len(want)
		for end > 0 && want[end-1] == "" {
			end--
		}
		var rows []string
		for _, key := range texts[m[1]] {
			if known[key] == "" {
				known[key] = " | |"
			}
			if !written.MatchString(known[key]) {
				t.Errorf("%s: %s has no cause or no fix: write them", name, key)
			}
			rows = append(rows, key+known[key])
		}
		want = slices.Insert(want, end, rows...)
		delete(texts, m[1])
	}
	require.Empty(t, texts, "missing tables in %s", name)
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(strings.Join(want, "\n")), 0o600))
		return
	}
	require.Equal(t, want, lines, "%s is out of date: go test ./docs/docstest -run TestErrors -update", name)
}

var (
	errorTable = regexp.MustCompile(`^<!-- errors: (\w+) -->$`)
	errorRow   = regexp.MustCompile("^(\\| `[^`]+` \\|)( .*\\|)$")
	written    = regexp.MustCompile(`^ [^| ].* \| [^| ].* \|$`)
)

// errorTexts returns the texts of all errors, in the form of the first column
// of a table.
func errorTexts(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	set := token.NewFileSet()
	for _, name := range files(t, ".go") {
		if unread(name) {
			continue
		}
		table := tableOf(name)
		file, err := parser.ParseFile(set, filepath.Join(root, filepath.FromSlash(name)), nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			kind, text, ok := errorText(node, table)
			if call, is := node.(*ast.CallExpr); is && strings.HasPrefix(called(call), "refuse") && !ok && len(call.Args) > 1 && isCode(call.Args[0]) {
				t.Errorf("%s: the text of a refusal isn't a literal there, so it can't be looked up", set.Position(call.Pos()))
			}
			text = strings.TrimPrefix(text, "%w: ")
			if !ok || strings.TrimSpace(text) == "" || inner[text] || isFrame(text) {
				return true
			}
			text = strings.ReplaceAll(verbs.ReplaceAllString(text, "…"), "%%", "%")
			text = strings.Join(strings.Fields(strings.ReplaceAll(text, "……", "…")), " ")
			into := table
			if kind != "" {
				into = kind
			}
			row := "| `" + strings.ReplaceAll(text, "|", `\|`) + "` |"
			if !slices.Contains(found[into], row) {
				found[into] = append(found[into], row)
			}
			return true
		})
	}
	return found
}

// tableOf returns the table for the errors of a file, except answers and panics.
// Without one, the file must have no errors.
func tableOf(name string) string {
	switch dir := path.Dir(name); {
	case slices.Contains([]string{"provider/config_rules.go", "provider/new.go"}, name), dir == "provider/pages":
		return "startup"
	case name == "provider/redirect_rules.go", name == "provider/application_rules.go", dir == "provider/internal/displayname":
		return "fields"
	case name == "provider/internal/clientdoc/url.go":
		return "documents"
	case dir == "provider", dir == "provider/internal/rules", dir == "provider/internal/clientdoc":
		return "causes"
	case name == "provider/keys/client.go", name == "provider/keys/token.go":
		return "jwts"
	case dir == "provider/providertest", dir == "provider/doctor", dir == "provider/internal/diagnose":
		return "tests"
	case dir == "store", dir == "store/memory", dir == "scopes", dir == "userinfo":
		return "store"
	case slices.Contains([]string{"provider/keys", "provider/portal", "provider/clerkapi", "store/sqlstore", "store/redisstore"}, dir):
		return path.Base(dir)
	}
	return ""
}

// unread reports whether a file's errors aren't on the page.
func unread(name string) bool {
	return strings.HasSuffix(name, "_test.go") ||
		name == "provider/check.go" || // Its findings are in docs/reference/checks.md.
		// The messages of the suite are for authors of a store, and say what they got and wanted.
		strings.HasPrefix(name, "store/storetest/") ||
		// These packages are not for users.
		slices.ContainsFunc([]string{"examples/", "tests/", "docs/", "internal/", ".ci/", "provider/benchtest/"}, func(dir string) bool { return strings.HasPrefix(name, dir) })
}

var (
	verbs = regexp.MustCompile(`%[.\d]*[a-zA-Z]`)
	words = regexp.MustCompile(`[\pL_]{2,}`)
)

// isFrame reports whether a text only says where another one came from.
func isFrame(text string) bool {
	const few = 3
	return verbs.MatchString(text) && (len(words.FindAllString(verbs.ReplaceAllString(text, ""), few)) < few || callOf.MatchString(text))
}

var callOf = regexp.MustCompile(`^(provider|rules): [a-z ]+( %s)?: %[wsv]$|^provider: Config\.\S+ %[wsv]$`)

// inner are errors that are handled internally and never shown, and texts that
// aren't errors.
var inner = map[string]bool{
	"provider: nothing differs": true, "provider: the use was recorded just now": true, "decided before": true, "panic: %v\n%s": true,
	"Unnamed application": true, "diagnose: bad options": true, "diagnose: no kind has the code %s": true, "an application": true, "nothing found\n": true,
}

// makers are the functions that create an error, and which of their arguments
// is its text.
var makers = map[string]struct {
	text  int
	table string
}{
	"refuse":         {1, "answers"},
	"invalidClient":  {0, "answers"},
	"errDocument":    {0, "documents"},
	"refuseMetadata": {1, "fields"},
	"add":            {3, ""},
	"over":           {3, ""},
	"fail":           {0, ""},
	"errors.New":     {0, ""},
	"fmt.Errorf":     {0, ""},
	"panic":          {0, "startup"},
	"badUsage":       {0, ""},
}

// makersIn are more of them, for the files of a table.
var makersIn = map[string]map[string]int{
	"keys":   {"bad": 0},
	"portal": {"refusal": 1, "wrong": 1},
	"tests":  {"Fatalf": 0, "Errorf": 0, "fmt.Fprintf": 1},
}

// errorText returns the text of an error that the node creates. in is the table
// of the file; table is another one for this error, or "".
func errorText(node ast.Node, in string) (table, text string, ok bool) {
	switch node := node.(type) {
	case *ast.CallExpr:
		name := called(node)
		if in == "startup" && name == "add" && len(node.Args) > 1 { // a field of the Config, and what is wrong with it
			field, known := constant(node.Args[0])
			if !known {
				field = "%s"
			}
			text, ok = constant(node.Args[1])
			return "", "provider: Config." + field + " " + text, ok
		}
		maker, known := makers[name]
		if at, here := makersIn[in][name]; here {
			maker.text, known = at, true
		}
		if !known || len(node.Args) <= maker.text {
			return "", "", false
		}
		text, ok = constant(node.Args[maker.text])
		if name == "bad" {
			text = "keys: Options." + text
		}
		return maker.table, text, ok
	case *ast.AssignStmt: // of another Description for an Error
		field, is := node.Lhs[0].(*ast.SelectorExpr)
		if !is || field.Sel.Name != "Description" {
			return "", "", false
		}
		text, ok = constant(node.Rhs[0])
		return "answers", text, ok
	case *ast.KeyValueExpr: // of an Error
		key, _ := node.Key.(*ast.Ident)
		if key == nil || key.Name != "Description" && key.Name != "Wrong" {
			return "", "", false
		}
		text, ok = constant(node.Value)
		if key.Name == "Wrong" {
			return "documents", text, ok
		}
		return "answers", text, ok
	case *ast.ReturnStmt: // of a function that returns what is wrong
		if len(node.Results) != 1 || !slices.Contains([]string{"causes", "documents", "fields", "portal"}, in) {
			return "", "", false
		}
		text, ok = constant(node.Results[0])
		return "", text, ok && strings.Contains(text, " ")
	}
	return "", "", false
}

// isCode reports whether e is an error code, or the name of an invalid field.
func isCode(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && (strings.HasPrefix(name.Name, "code") || name.Name == "name" || name.Name == "field")
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if of, ok := f.X.(*ast.Ident); ok && (of.Name == "errors" || of.Name == "fmt") {
			return of.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}

// constant returns a text made of literals. Verbs stand for the other values.
func constant(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, ok2 := constant(e.Y)
		if !ok && !ok2 {
			return "", false
		}
		if !ok {
			left = "%s"
		}
		if !ok2 {
			right = "%s"
		}
		return left + right, true
	case *ast.CallExpr:
		if called(e) == "fmt.Sprintf" {
			return constant(e.Args[0])
		}
	}
	return "", false
}
