package docstest

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/latchkey-go/latchkey"

// linkish matches what looks like a link in a doc comment. It remains as text
// if it names nothing in its package or in an imported one.
var linkish = regexp.MustCompile(`\[\*?(?:[a-z][\w/]*\.)?[A-Z]\w*(?:\.\w+)?\]`)

// Links in doc comments lead to existing names.
func TestDocLinks(t *testing.T) {
	packages := documented(t)
	names := map[string]map[string]bool{}
	for importPath, p := range packages {
		names[importPath] = symbols(p)
	}
	checked := 0
	for importPath, p := range packages {
		for what, text := range comments(p) {
			for _, part := range texts(p.Parser().Parse(text).Content) {
				switch part := part.(type) {
				case comment.Plain:
					if found := linkish.FindString(string(part)); found != "" {
						t.Errorf("%s: the comment of %s has %s, which doesn't exist", importPath, what, found)
					}
				case *comment.DocLink:
					checked++
					name := strings.TrimPrefix(part.Recv+"."+part.Name, ".")
					if known := names[part.ImportPath]; known != nil && part.Name != "" && !known[name] {
						t.Errorf("%s: the comment of %s has a link to %s, which has no %s", importPath, what, part.ImportPath, name)
					}
				}
			}
		}
	}
	require.Positive(t, checked)
}

// documented returns the packages of the repository by import path. Nested
// modules are named after their folders, so they work the same way.
func documented(t *testing.T) map[string]*doc.Package {
	t.Helper()
	set := token.NewFileSet()
	parsed := map[string][]*ast.File{}
	for _, name := range files(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, filepath.Join(root, filepath.FromSlash(name)), nil, parser.ParseComments)
		require.NoError(t, err)
		dir := path.Join(module, path.Dir(name))
		parsed[dir] = append(parsed[dir], file)
	}
	packages := map[string]*doc.Package{}
	for dir, sources := range parsed {
		p, err := doc.NewFromFiles(set, sources, dir)
		require.NoError(t, err)
		packages[dir] = p
	}
	return packages
}

// comments returns the doc comments of a package, by name.
func comments(p *doc.Package) map[string]string {
	all := map[string]string{"the package": p.Doc}
	values := func(list []*doc.Value) {
		for _, v := range list {
			all[strings.Join(v.Names, ", ")] = v.Doc
		}
	}
	funcs := func(in string, list []*doc.Func) {
		for _, f := range list {
			all[in+f.Name] = f.Doc
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs("", p.Funcs)
	for _, t := range p.Types {
		all[t.Name] = t.Doc
		values(t.Consts)
		values(t.Vars)
		funcs("", t.Funcs)
		funcs(t.Name+".", t.Methods)
	}
	return all
}

// symbols returns the names of comments, one by one, and the names of the
// fields and methods of types.
func symbols(p *doc.Package) map[string]bool {
	all := map[string]bool{}
	for names := range comments(p) {
		for name := range strings.SplitSeq(names, ", ") {
			all[name] = true
		}
	}
	for _, t := range p.Types {
		ast.Inspect(t.Decl, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok {
				for _, name := range field.Names {
					all[t.Name+"."+name.Name] = true
				}
			}
			return true
		})
	}
	return all
}

// texts returns the text of blocks, without code.
func texts(blocks []comment.Block) []comment.Text {
	var all []comment.Text
	for _, b := range blocks {
		switch b := b.(type) {
		case *comment.Heading:
			all = append(all, b.Text...)
		case *comment.Paragraph:
			all = append(all, b.Text...)
		case *comment.List:
			for _, item := range b.Items {
				all = append(all, texts(item.Content)...)
			}
		}
	}
	return all
}
