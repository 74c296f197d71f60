// Package docstest tests every Markdown page of the repository: its Go is
// compiled, its commands exist, and its links have targets.
package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the root of the repository. It is also the root of this module. In
// another module, the go command would not notice a changed page, and would
// repeat the last result.
const root = "../.."

// page is a Markdown file.
type page struct {
	name   string   // from the root, with slashes
	text   []string // its lines, empty in blocks and comments
	blocks []block
}

// block is a fenced block of code.
type block struct {
	language string
	line     int // of its first line, counted from one
	lines    []string
}

// files returns the paths, from the root, of the files with the suffix.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == "node_modules" || name == "testdata" || path == filepath.Join(root, "bin")):
			return filepath.SkipDir
		case entry.Type().IsRegular() && strings.HasSuffix(name, suffix):
			relative, err := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(relative))
			return err
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}

// read returns the lines of a file, given its path from the root.
func read(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	require.NoError(t, err)
	return strings.Split(string(text), "\n")
}

var fence = regexp.MustCompile("^\\s*(```+|~~~+)\\s*([^`]*)$")

// pages reads all Markdown files.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, name := range files(t, ".md") {
		p := page{name: name}
		var open *block
		var mark string
		for i, line := range read(t, name) {
			found := fence.FindStringSubmatch(line)
			switch {
			case open == nil && found != nil:
				open, mark = &block{language: strings.TrimSpace(found[2]), line: i + 2}, found[1]
			case open == nil:
				p.text = append(p.text, line)
				continue
			case found != nil && found[1] == mark && found[2] == "":
				p.blocks = append(p.blocks, *open)
				open = nil
			default:
				open.lines = append(open.lines, line)
			}
			p.text = append(p.text, "")
		}
		require.Nil(t, open, "%s has a block that does not end", name)
		all = append(all, p)
	}
	return all
}

// Go and commands must say what they are, because other blocks aren't tested.
func TestLanguagesOfBlocks(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			switch b.language {
			case "go", "sh": // TestGoBlocksAreCompiled, TestCommandsExist
			case "diff", "http", "json", "mermaid", "nginx", "sql", "text", "yaml":
			default:
				t.Errorf("%s:%d: a block has the language %q, which isn't in the list of this test", p.name, b.line-1, b.language)
			}
		}
	}
}

// The index links to every page, so that readers find it.
func TestIndexHasEveryPage(t *testing.T) {
	require.Contains(t, targets(t, "README.md"), "docs/README.md")
	index := targets(t, "docs/README.md")
	for _, name := range files(t, ".md") {
		if strings.HasPrefix(name, "docs/") && name != "docs/README.md" && !index[name] {
			t.Errorf("docs/README.md has no link to %s", name)
		}
	}
}

// targets returns the files that a page links to, from the root.
func targets(t *testing.T, name string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, p := range pages(t) {
		if p.name != name {
			continue
		}
		for _, l := range p.links() {
			if path, _, ok := l.file(p); ok {
				found[path] = true
			}
		}
	}
	return found
}
