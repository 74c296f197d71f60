package pages

import (
	"bytes"
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

//go:embed *.html style.css
var pageFiles embed.FS

// submitScript sends a form_post answer on without a click. It is the only
// script anywhere, and its page's policy allows it by its hash.
const submitScript = "document.forms[0].submit()"

// address is a URI that the provider has checked, which may have a scheme of an
// application's own.
func address(uri string) template.URL { return template.URL(uri) } //nolint:gosec // Schemes that run scripts are never registered.

// parse reads the templates. None needs a script (form_post only saves a click
// by one) or anything from elsewhere but logos.
func (p *Renderer) parse() error {
	css, err := pageFiles.ReadFile("style.css")
	if err != nil {
		return err
	}
	t := template.New("").Funcs(template.FuncMap{"say": say, "plain": plain, "initial": initial, "choosable": choosable, "chosen": chosen, "address": address, "sheet": sheet})
	// Named templates, and not values: html/template would escape those.
	if _, err := t.Parse(fmt.Sprintf(`{{define "style"}}%s%s{{end}}{{define "submit"}}%s{{end}}`, css, accentStyle(p.host.AccentColor), submitScript)); err != nil {
		return err
	}
	if _, err := t.ParseFS(pageFiles, "*.html"); err != nil {
		return err
	}
	// html/template drops comments and the like, so the hash is of what it
	// writes and not of the file.
	var written strings.Builder
	if err := t.ExecuteTemplate(&written, "error.html", Error{}); err != nil {
		return err
	}
	_, style, _ := strings.Cut(written.String(), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	p.templates, p.style, p.script = t, sourceHash(style), sourceHash(submitScript)
	return nil
}

func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// say puts names into a text, given as name, value. A value can be in another
// script that runs the other way, so each is set apart.
func say(text string, pairs ...string) template.HTML {
	return template.HTML(fill(template.HTMLEscapeString(text), pairs, func(value string) string { //nolint:gosec // Text and values are escaped.
		return "<bdi>" + template.HTMLEscapeString(value) + "</bdi>"
	}))
}

// plain is say for where there can be no elements.
func plain(text string, pairs ...string) string {
	return fill(text, pairs, func(value string) string { return value })
}

func fill(text string, pairs []string, as func(string) string) string {
	replacements := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		replacements = append(replacements, "{"+pairs[i]+"}", as(pairs[i+1]))
	}
	return strings.NewReplacer(replacements...).Replace(text)
}

// initial stands for an application without a logo.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	r, _ := utf8.DecodeRuneInString(name)
	return string(r)
}

// choosable reports whether there is a scope that can be unticked.
func choosable(asked []Scope) bool {
	return slices.ContainsFunc(asked, func(s Scope) bool { return !s.Required })
}

// chosen reports whether one of the workspaces is.
func chosen(workspaces []Workspace) bool {
	return slices.ContainsFunc(workspaces, func(w Workspace) bool { return w.Chosen })
}

// write sends a built-in page.
func (p *Renderer) write(w http.ResponseWriter, status int, name string, page any, allowed policy) {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, page); err != nil {
		// The views and templates are ours and tested together.
		http.Error(w, "The page could not be written.", http.StatusInternalServerError)
		return
	}
	setHeaders(w.Header())
	w.Header().Set("Content-Security-Policy", allowed.text(p.style))
	w.WriteHeader(status)
	w.Write(body.Bytes())
}
