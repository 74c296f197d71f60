package pages

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed *.html *.css
var pageFiles embed.FS

// submitScript submits a form_post answer without a click. It is the only
// script on any page, and the policy of its page allows it by its hash.
const submitScript = "document.forms[0].submit()"

// address marks a URI as safe for a link. The provider has checked it; it may
// have a custom scheme.
func address(uri string) template.URL { return template.URL(uri) } //nolint:gosec // Schemes that run scripts are never registered.

// parse parses the templates. No page needs a script (form_post only saves a
// click with one) or loads anything but logos. style is the host's part of the
// style sheet.
func (p *Renderer) parse(style string) error {
	css, err := pageFiles.ReadFile("style.css")
	if err != nil {
		return err
	}
	more, err := pageFiles.ReadFile("more.css")
	if err != nil {
		return err
	}
	t := template.New("").Funcs(template.FuncMap{
		"say": say, "plain": plain, "link": link, "short": short, "initial": initial, "initials": initials, "other": other,
		"groups": groups, "choosable": choosable, "chosen": chosen, "address": address, "sheet": sheet,
	})
	// Use named templates, because html/template would escape values.
	if _, err := t.Parse(fmt.Sprintf(`{{define "style"}}%s%s%s{{end}}{{define "more style"}}%s{{end}}{{define "submit"}}%s{{end}}`,
		css, accentStyle(p.host.AccentColor), style, more, submitScript)); err != nil {
		return err
	}
	if _, err := t.ParseFS(pageFiles, "*.html"); err != nil {
		return err
	}
	if p.style, err = styleHashes(t, "consent.html", Consent{}); err == nil {
		p.styles, err = styleHashes(t, "error.html", Error{})
	}
	p.templates, p.script = t, sourceHash(submitScript)
	return err
}

// styleHashes returns the hashes of the styles in a page. html/template drops
// comments and the like, so it hashes the output, not the files.
func styleHashes(t *template.Template, name string, page any) (string, error) {
	var written strings.Builder
	if err := t.ExecuteTemplate(&written, name, page); err != nil {
		return "", err
	}
	var hashes []string
	for i, part := range strings.Split(written.String(), "<style>") {
		if style, _, _ := strings.Cut(part, "</style>"); i > 0 {
			hashes = append(hashes, sourceHash(style))
		}
	}
	return strings.Join(hashes, " "), nil
}

func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// say fills the placeholders of a text, given as name, value. A value can be in
// a script with another direction, so each is isolated. If a value is
// shortened, its title has the whole.
func say(text string, pairs ...string) template.HTML {
	return template.HTML(fill(template.HTMLEscapeString(text), pairs, func(shown, whole string) string { //nolint:gosec // Text and values are escaped.
		if shown != whole {
			return `<bdi title="` + template.HTMLEscapeString(whole) + `">` + template.HTMLEscapeString(shown) + "</bdi>"
		}
		return "<bdi>" + template.HTMLEscapeString(shown) + "</bdi>"
	}))
}

// plain is say for places where elements are not allowed.
func plain(text string, pairs ...string) string {
	return fill(text, pairs, func(shown, _ string) string { return shown })
}

// link replaces a placeholder of a text with a link.
func link(text, name, address, label string) template.HTML {
	a := `<a href="` + template.HTMLEscapeString(address) + `">` + template.HTMLEscapeString(label) + "</a>"
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(text), "{"+name+"}", a)) //nolint:gosec // The text is escaped, and the address is Latchkey's path.
}

func fill(text string, pairs []string, as func(shown, whole string) string) string {
	replacements := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		shown := pairs[i+1]
		if pairs[i] == "application" {
			shown = short(shown)
		}
		replacements = append(replacements, "{"+pairs[i]+"}", as(shown, pairs[i+1]))
	}
	return strings.NewReplacer(replacements...).Replace(text)
}

// maxShown is how many characters of an application's name a page shows. The
// application chooses the name, and could fill the page with it.
const maxShown = 100

// short returns the part of an application's name that pages show.
func short(name string) string {
	if runes := []rune(name); len(runes) > maxShown {
		return strings.TrimSpace(string(runes[:maxShown-1])) + "…"
	}
	return name
}

// initial returns the letter for an application or a host without a logo.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	r, _ := utf8.DecodeRuneInString(name)
	return string(r)
}

// initials returns the initials for a user without a picture, from their first
// and last names.
func initials(label string) string {
	words := strings.Fields(label)
	if len(words) < 2 {
		return initial(label)
	}
	return initial(words[0]) + initial(words[len(words)-1])
}

// other returns what distinguishes a user from another one with the same Label,
// or "".
func other(u User) string {
	if second := cmp.Or(u.Email, u.Username); second != u.Label {
		return second
	}
	return ""
}

// scopeGroup has the scopes below one heading.
type scopeGroup struct {
	Name   string
	Scopes []Scope
}

// groups puts scopes with the same Group together, at the place of the first
// one.
func groups(asked []Scope) []scopeGroup {
	var found []scopeGroup
	for _, s := range asked {
		i := slices.IndexFunc(found, func(g scopeGroup) bool { return g.Name == s.Group })
		if i < 0 {
			i, found = len(found), append(found, scopeGroup{Name: s.Group})
		}
		found[i].Scopes = append(found[i].Scopes, s)
	}
	return found
}

// choosable reports whether a scope can be unchecked.
func choosable(asked []Scope) bool {
	return slices.ContainsFunc(asked, func(s Scope) bool { return !s.Required })
}

// chosen reports whether one of the workspaces is chosen.
func chosen(workspaces []Workspace) bool {
	return slices.ContainsFunc(workspaces, func(w Workspace) bool { return w.Chosen })
}

// write sends a built-in page.
func (p *Renderer) write(w http.ResponseWriter, status int, name string, page any, allowed policy) {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, page); err != nil {
		// The views and templates are tested together.
		http.Error(w, "The page could not be written.", http.StatusInternalServerError)
		return
	}
	setHeaders(w.Header())
	w.Header().Set("Content-Security-Policy", allowed.text(p.style))
	w.WriteHeader(status)
	w.Write(body.Bytes())
}
