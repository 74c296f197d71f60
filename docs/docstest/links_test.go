package docstest

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// CI doesn't fetch other sites, because they can fail.
var external = flag.Bool("external", false, "fetch what pages link to on other sites")

// sites are the sites that pages may link to. Another one is a typo, or needs a
// decision.
var sites = []string{
	"github.com", "k6.io", "keepachangelog.com", "modelcontextprotocol.io", "pkg.go.dev", "semver.org", "www.rfc-editor.org",
}

type link struct {
	line   int // counted from one
	target string
}

var (
	codeSpan = regexp.MustCompile("``[^`]+(?:`[^`]+)*``|`[^`]*`")
	targetOf = regexp.MustCompile(`\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)|<(https?://[^>\s]+)>|\b(?:src|href)="([^"]*)"|^\s*\[[^\]]+\]:\s+(\S+)`)
)

// links returns all links and images of a page.
func (p page) links() []link {
	var all []link
	for i, line := range p.text {
		for _, found := range targetOf.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "code"), -1) {
			all = append(all, link{i + 1, strings.Join(found[1:], "")})
		}
	}
	return all
}

// file returns the path from the root of the file that a link on p leads to,
// and the anchor in it.
func (l link) file(p page) (name, anchor string, ok bool) {
	if strings.Contains(l.target, "://") || strings.HasPrefix(l.target, "mailto:") {
		return "", "", false
	}
	name, anchor, _ = strings.Cut(l.target, "#")
	if name == "" {
		return p.name, anchor, true
	}
	return path.Join(path.Dir(p.name), name), anchor, true
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	anchors := map[string][]string{}
	for _, p := range all {
		anchors[p.name] = p.anchors()
	}
	for _, p := range all {
		for _, l := range p.links() {
			var problem string
			if name, anchor, ok := l.file(p); ok {
				problem = deadEnd(name, anchor, anchors)
			} else {
				problem = odd(l.target)
			}
			if problem != "" {
				t.Errorf("%s:%d: %s: %s", p.name, l.line, l.target, problem)
			}
		}
	}
}

// deadEnd returns why a link has no target, or "".
func deadEnd(name, anchor string, anchors map[string][]string) string {
	if strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/") {
		return "it leads out of the repository"
	}
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
		return "the file doesn't exist"
	}
	if anchor != "" && !slices.Contains(anchors[name], anchor) {
		return fmt.Sprintf("%s has no such heading, but %s", name, strings.Join(anchors[name], ", "))
	}
	return ""
}

// odd returns what is wrong with a link to another site, or "".
func odd(target string) string {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return err.Error()
	case u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost"):
		return "" // what the reader has just started
	case u.Scheme != "https" || u.Host == "" || u.User != nil:
		return "it is not an https URL"
	case !slices.Contains(sites, u.Host):
		return "the site isn't in the list of this test"
	}
	return ""
}

var (
	heading    = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	linkInText = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// anchors returns the anchors of a page, by GitHub's rules: the heading in
// lower case, without punctuation, with hyphens for spaces, and with a number
// if the anchor exists already.
func (p page) anchors() []string {
	var all []string
	times := map[string]int{}
	for _, line := range p.text {
		found := heading.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		anchor := strings.Map(func(c rune) rune {
			switch {
			case c == ' ':
				return '-'
			case c == '-' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c):
				return unicode.ToLower(c)
			}
			return -1
		}, linkInText.ReplaceAllString(found[1], "$1"))
		n := times[anchor]
		times[anchor]++
		if n > 0 {
			anchor = fmt.Sprintf("%s-%d", anchor, n)
		}
		all = append(all, anchor)
	}
	return all
}

var docsPage = regexp.MustCompile(`\bdocs/[\w-]+\.md\b`)

// Comments link to pages too.
func TestPagesThatCommentsName(t *testing.T) {
	for _, name := range files(t, ".go") {
		for i, line := range read(t, name) {
			for _, found := range docsPage.FindAllString(line, -1) {
				if _, err := os.Stat(filepath.Join(root, found)); err != nil {
					t.Errorf("%s:%d: %s doesn't exist", name, i+1, found)
				}
			}
		}
	}
}

func TestExternalLinks(t *testing.T) {
	if !*external {
		t.Skip("other sites are fetched only with -external")
	}
	seen := map[string]bool{}
	for _, p := range pages(t) {
		for _, l := range p.links() {
			if !strings.HasPrefix(l.target, "https://") || seen[l.target] {
				continue
			}
			seen[l.target] = true
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.target, nil)
			require.NoError(t, err)
			answer, err := http.DefaultClient.Do(r)
			switch {
			case err != nil:
				t.Errorf("%s:%d: %v", p.name, l.line, err)
			case answer.StatusCode != http.StatusOK:
				t.Errorf("%s:%d: %s: %s", p.name, l.line, l.target, answer.Status)
			}
			if err == nil {
				answer.Body.Close()
			}
			cancel()
		}
	}
}
