package docstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// public are the packages that a host or the author of a store imports.
var public = []string{
	"provider", "provider/clerkapi", "provider/keys", "provider/portal", "provider/providertest", "scopes", "userinfo", "store", "store/memory", "store/storetest", "store/sqlstore", "store/redisstore",
}

// callers are the types whose methods a host calls. The provider calls those of
// a store, and package store documents them.
var callers = []string{"", "Provider", "ProtectedResource", "Set", "User", "Host"}

// unshown are the functions that need no Example, and why.
var unshown = map[string]string{
	"store.CheckPage":       "the author of a store finds it in the existing stores",
	"store.CheckSweep":      "likewise",
	"store.IsText":          "likewise",
	"store.Micro":           "likewise",
	"store.Newer":           "likewise",
	"store.UserTag":         "likewise",
	"store.ParseCuts":       "likewise",
	"store.CutTime":         "likewise",
	"store.CutNumber":       "only the provider calls it",
	"store.CutForever":      "likewise",
	"store.HashSecret":      "likewise",
	"store.ConsentID":       "likewise",
	"store.OnceID":          "likewise",
	"store.ParseID":         "it reads what ID.String wrote",
	"store.ParseSecretHash": "it reads what SecretHash.Reveal wrote",
}

// goFiles returns the files of a package: the tests, or the others.
func goFiles(t *testing.T, dir string, tests bool) (*token.FileSet, []*ast.File) {
	t.Helper()
	set := token.NewFileSet()
	all, err := parser.ParseDir(set, filepath.Join(root, dir), func(f fs.FileInfo) bool { //nolint:staticcheck // No build tags matter here.
		return strings.HasSuffix(f.Name(), "_test.go") == tests
	}, parser.ParseComments)
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		for _, file := range slices.Sorted(maps.Keys(p.Files)) {
			files = append(files, p.Files[file])
		}
	}
	return set, files
}

// receiver returns the name of the type of a method, or "".
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	name, ok := kind.(*ast.Ident)
	if !ok {
		return "?"
	}
	return name.Name
}

// Every exported name of a package has a comment. Fields with self-explanatory
// names don't need one.
func TestExportedNamesHaveComments(t *testing.T) {
	for _, dir := range public {
		set, files := goFiles(t, dir, false)
		require.NotEmpty(t, files, dir)
		missing := func(name *ast.Ident) {
			t.Errorf("%s: %s has no comment", set.Position(name.Pos()), name.Name)
		}
		for _, file := range files {
			for _, decl := range file.Decls {
				switch decl := decl.(type) {
				case *ast.FuncDecl:
					if decl.Name.IsExported() && decl.Doc == nil && (decl.Recv == nil || ast.IsExported(receiver(decl))) {
						missing(decl.Name)
					}
				case *ast.GenDecl:
					for _, spec := range decl.Specs {
						switch spec := spec.(type) {
						case *ast.TypeSpec:
							if spec.Name.IsExported() && spec.Doc == nil && decl.Doc == nil {
								missing(spec.Name)
							}
						case *ast.ValueSpec:
							for _, name := range spec.Names {
								if name.IsExported() && spec.Doc == nil && spec.Comment == nil && decl.Doc == nil {
									missing(name)
								}
							}
						}
					}
				}
			}
		}
	}
}

// An Example shows each function that a host calls.
func TestEntryPointsHaveExamples(t *testing.T) {
	used := map[string]bool{}
	for _, dir := range public {
		shown := map[string]bool{}
		_, tests := goFiles(t, dir, true)
		for _, file := range tests {
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(f.Name.Name, "Example") {
					continue
				}
				for part := range strings.SplitSeq(strings.TrimPrefix(f.Name.Name, "Example"), "_") {
					shown[part] = true
				}
				ast.Inspect(f, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						shown[s.Sel.Name] = true
					}
					return true
				})
			}
		}
		_, files := goFiles(t, dir, false)
		for _, file := range files {
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || !f.Name.IsExported() || !slices.Contains(callers, receiver(f)) || shown[f.Name.Name] {
					continue
				}
				name := filepath.Base(dir) + "." + strings.TrimPrefix(receiver(f)+"."+f.Name.Name, ".")
				if used[name] = true; unshown[name] == "" {
					t.Errorf("%s is in no Example", name)
				}
			}
		}
	}
	for name := range unshown {
		require.True(t, used[name], "%s doesn't need to be in the list", name)
	}
}

// A host's file imports package provider and package store together, so no type
// of one shares its name with a type of the other. The exception is
// [store.Application], the record of a provider.Application.
func TestNoTypesOfProviderAndStoreShareAName(t *testing.T) {
	where := map[string]string{}
	for _, dir := range []string{"provider", "store"} {
		_, files := goFiles(t, dir, false)
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if ok && spec.Name.IsExported() && spec.Name.Name != "Application" {
					other, taken := where[spec.Name.Name]
					require.False(t, taken && other != dir, "%s is a type in both packages", spec.Name.Name)
					where[spec.Name.Name] = dir
				}
				return true
			})
		}
	}
}

// In Go, NewX is a function.
func TestNoTypeIsCalledNew(t *testing.T) {
	for _, dir := range public {
		_, files := goFiles(t, dir, false)
		for _, file := range files {
			for _, decl := range file.Decls {
				if types, ok := decl.(*ast.GenDecl); ok && types.Tok == token.TYPE {
					for _, spec := range types.Specs {
						name := spec.(*ast.TypeSpec).Name.Name
						require.False(t, ast.IsExported(name) && strings.HasPrefix(name, "New"), "%s: %s", dir, name)
					}
				}
			}
		}
	}
}
