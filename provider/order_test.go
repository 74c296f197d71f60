package provider_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the files of this package from top to bottom: each uses only those
// after it, without exception. docs/concepts/architecture.md draws them.
var layers = []struct {
	name  string
	files string
}{
	{"whole", "doc check routes new run registration_expiry"},
	{"other endpoints and methods", "metadata jwks logout connections_page connections user_data issue_token found_token userinfo introspect revoke"},
	{"device page", "device_page device_decision device_visit"},
	{"tokens", "token engine device machine exchange"},
	{"sign-in", "authorize consent authorization_answer issue authorization openid id_token workspace_choice decision application_use"},
	{"applications and grants", "registration_manage registration client_document registration_metadata registration_request application_ensure applications workspace_members grants"},
	{"guard", "guard bearer resource"},
	{"request", "limit_by_address client client_assertion client_keys limit form visitor visit workspace host page call endpoints"},
	{"provider", "provider application_records documents"},
	{"rules", "claims application_rules redirect_rules offer config_rules"},
	{"config", "config config_features keys failure application lifetimes redirect application_id field_error"},
	{"leaves", "params log_events event device_code credential secret base62 answer protocol sign_in guesses buckets deadline buffer error"},
}

func TestFilesUseOnlyThoseBelow(t *testing.T) {
	var order []string
	for _, layer := range layers {
		order = append(order, strings.Fields(layer.files)...)
	}
	place := map[string]int{}
	for i, name := range order {
		place[name] = i
		if _, err := os.Stat(name + ".go"); err != nil {
			t.Errorf("%s.go is in layers, and is not there: take it out", name)
		}
	}
	names, uses := usesBetweenFiles(t)
	for _, name := range names {
		if _, ok := place[name]; !ok {
			t.Fatalf("%s.go is not in layers: put it there, above all that it uses and below all that use it", name)
		}
	}
	if len(uses) < 1000 {
		t.Fatalf("only %d uses were found: the test sees too little", len(uses))
	}
	for _, u := range uses {
		if place[u.from] > place[u.to] {
			t.Errorf("%s.go uses %s of %s.go, but stands below it: move %s down, or what uses it up", u.from, u.object, u.to, u.object)
		}
	}
}

// A use is a use of a name that is declared in another file.
type use struct{ from, to, object string }

// usesBetweenFiles returns the names of the files of this package, without
// ".go", and the uses between them, each once. It skips imports to save time;
// the package's own names, fields, and methods are found anyway.
func usesBetweenFiles(t *testing.T) (names []string, uses []use) {
	set := token.NewFileSet()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		names, files = append(names, strings.TrimSuffix(path, ".go")), append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	pkg, _ := config.Check("provider", set, files, info)
	fileOf := func(pos token.Pos) string { return strings.TrimSuffix(set.Position(pos).Filename, ".go") }
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		u := use{fileOf(ident.Pos()), fileOf(object.Pos()), object.Name()}
		if u.from != u.to {
			uses = append(uses, u)
		}
	}
	slices.SortFunc(uses, func(a, b use) int {
		return slices.Compare([]string{a.from, a.to, a.object}, []string{b.from, b.to, b.object})
	})
	return names, slices.Compact(uses)
}

// noImports finds no package.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not imported") }
