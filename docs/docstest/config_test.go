package docstest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// configs are the types on docs/reference/config.md, in order, by their folders.
var configs = []struct {
	dir, name string
}{
	{"provider", "Config"},
	{"provider", "Lifetimes"},
	{"provider", "Paths"},
	{"provider", "Resource"},
	{"provider", "ClientIDDocuments"},
	{"provider", "Registration"},
	{"provider", "DeviceAuthorization"},
	{"provider", "Machines"},
	{"provider", "Workspaces"},
	{"provider", "OpenID"},
	{"provider/pages", "Config"},
}

// docs/reference/config.md has each field of the configuration, read from its
// comment. To write it anew:
//
//	go test ./docs/docstest -run TestConfig -update
func TestConfig(t *testing.T) {
	var lines []string
	for _, c := range configs {
		set, files := goFiles(t, c.dir, false)
		file, fields := structOf(files, c.name)
		require.NotNil(t, fields, "%s has no struct %s", c.dir, c.name)
		title := strings.TrimPrefix(strings.TrimPrefix(c.dir, "provider")+"."+c.name, ".")
		title = strings.TrimPrefix(title, "/")
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, "## "+title, "", fmt.Sprintf("In full: [%s.%s](https://pkg.go.dev/%s/%s#%s)",
			path.Base(c.dir), c.name, module, c.dir, c.name))
		lines = append(lines, fieldTables(set, file, fields, title)...)
	}
	checkGenerated(t, "docs/reference/config.md", "config", lines)
}

// structOf returns the fields of a struct and the file that it is in.
func structOf(files []*ast.File, name string) (in *ast.File, fields *ast.FieldList) {
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
				if s, ok := spec.Type.(*ast.StructType); ok {
					in, fields = file, s.Fields
				}
			}
			return true
		})
	}
	return in, fields
}

const fieldHeader = "| field | type | default | what it does |\n| --- | --- | --- | --- |"

// fieldTables returns the rows of the fields. A comment that belongs to none of
// them is the heading of a group.
func fieldTables(set *token.FileSet, file *ast.File, fields *ast.FieldList, title string) []string {
	var lines []string
	headings := groups(set, file, fields)
	header, usualHere := true, ""
	for _, field := range fields.List {
		for len(headings) > 0 && headings[0].Pos() < field.Pos() {
			heading, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(headings[0].Text()), "."), ":")
			lines = append(lines, "", "### "+title+": "+strings.ToLower(heading[:1])+heading[1:])
			headings, header, usualHere = headings[1:], true, ""
			if heading == "Required" {
				usualHere = "required"
			}
		}
		if header {
			lines = append(lines, "", fieldHeader)
			header = false
		}
		for i, name := range field.Names {
			var usual, what string
			if field.Doc != nil && i == 0 {
				usual, what = split(name.Name, field.Doc.Text())
			}
			if field.Comment != nil {
				usual, _ = inline(field.Comment.Text())
				if what == "" {
					_, what = inline(field.Comment.Text())
				}
			}
			row := fmt.Sprintf("| `%s` | `%s` | %s | %s |", name.Name, types.ExprString(field.Type), cell(cmp.Or(usual, usualHere)), cell(what))
			lines = append(lines, strings.ReplaceAll(row, "|  |", "| |"))
		}
	}
	return lines
}

// groups returns the comments between fields that belong to none.
func groups(set *token.FileSet, file *ast.File, fields *ast.FieldList) []*ast.CommentGroup {
	var all []*ast.CommentGroup
	for _, c := range file.Comments {
		if c.Pos() < fields.Opening || c.End() > fields.Closing {
			continue
		}
		if !slices.ContainsFunc(fields.List, func(f *ast.Field) bool { return f.Doc == c || f.Comment == c }) &&
			set.Position(c.Pos()).Column > 1 {
			all = append(all, c)
		}
	}
	return all
}

var (
	usually = regexp.MustCompile(`^(?:The default is|If (?:nil|empty),) ([^:]*)(?:: .*)?\.$`)
	isOff   = regexp.MustCompile(`\b(?:is|are) off\b`)
)

// most is how many sentences of a comment are shown.
const most = 3

// split takes the sentence that has the default out of a comment of a field.
// What is left are the first sentences of its first paragraph.
func split(name, doc string) (usual, what string) {
	var kept []string
	for i, paragraph := range strings.Split(strings.TrimSpace(doc), "\n\n") {
		for s := range strings.SplitSeq(strings.Join(strings.Fields(paragraph), " "), ". ") {
			s = strings.TrimSuffix(s, ".") + "."
			m := usually.FindStringSubmatch(s)
			switch {
			case m != nil && usual == "":
				usual = m[1]
			case i == 0 && len(kept) < most:
				kept = append(kept, s)
			}
		}
	}
	if isOff.MatchString(usual) {
		usual = "off"
	}
	what = strings.TrimPrefix(strings.TrimPrefix(strings.Join(kept, " "), name+" "), "is ")
	if rest, ok := strings.CutSuffix(what, ":."); ok {
		what = rest + "."
	}
	return usual, what
}

// inline reads a comment at the end of a field's line: its default in quotation
// marks, or what the field is.
func inline(text string) (usual, what string) {
	text = strings.TrimSpace(text)
	if quoted, rest, ok := strings.Cut(strings.TrimPrefix(text, `"`), `"`); ok && strings.HasPrefix(text, `"`) {
		return `"` + quoted + `"`, strings.TrimLeft(rest, ", ")
	}
	return "", text
}

// nameInText is a link to a name, a name with its package, type, or field, or a word
// in quotation marks.
var nameInText = regexp.MustCompile(`\[\*?([A-Z][\w.]*)\]|("[^" ]*"|\b\w+\.[A-Z]\w*(?:\.[A-Z]\w*)*(?:\(\))?)`)

// cell returns a text as a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(nameInText.ReplaceAllString(text, "`$1$2`"), "|", `\|`)
}
