// Package ui is how the pages of the examples look, and how they're sent.
package ui

import (
	"bytes"
	_ "embed" // for the style sheet and the page
	"html/template"
	"log/slog"
	"net/http"
)

//go:embed style.css
var style []byte

//go:embed wiki.html
var wiki string

// Wiki returns Wiki's page, the template "wiki". The text defines the template
// "content", and "account" if the header shows who is signed in.
func Wiki(text string) *template.Template {
	return template.Must(template.Must(template.New("wiki").Parse(wiki)).Parse(text))
}

// Policy is the Content-Security-Policy of the pages. It allows no scripts.
// Pictures may come from other servers: Wiki shows the user's, which is Acme's.
// Don't add form-action: browsers apply it to the redirects after a form too, and
// those after Acme's sign-in form lead to the client.
const Policy = "default-src 'none'; style-src 'self'; img-src http: https: data:; base-uri 'none'; frame-ancestors 'none'"

// ServeStyle serves the style sheet. The pages expect it at /style.css.
func ServeStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(style)
}

// WritePage answers with a page.
func WritePage(w http.ResponseWriter, status int, page *template.Template, name string, view any) {
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, name, view); err != nil {
		slog.Error("cannot write a page", "page", name, "error", err)
		http.Error(w, "This page could not be written.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", Policy)
	h.Set("Cache-Control", "no-store")      // The pages are personal.
	h.Set("Referrer-Policy", "same-origin") // The address of the sign-in page contains an authorization request.
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	body.WriteTo(w)
}
