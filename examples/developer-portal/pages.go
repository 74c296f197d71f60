package main

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// Latchkey supplies the texts of these pages in the visitor's language
// (pages.Config.Texts). The templates pages/consent.html and pages/error.html
// supply the layout.

// consentPage is pages.Config.Consent. It shows no menu, because the user has one
// decision to make.
func (h *host) consentPage(w http.ResponseWriter, _ *http.Request, page pages.Consent) {
	writePage(w, http.StatusOK, "consent.html", struct {
		layout
		Page pages.Consent
	}{providerLayout(page.Texts, page.Texts.ConsentTitle), page})
}

// errorPage is pages.Config.Error. Latchkey has already logged the error with the
// same reference.
func (h *host) errorPage(w http.ResponseWriter, _ *http.Request, page pages.Error) {
	writePage(w, page.Status, "error.html", struct {
		layout
		Page pages.Error
	}{providerLayout(page.Texts, page.Title), page})
}

func providerLayout(t pages.Texts, title string) layout {
	return layout{Title: title, Language: t.Language, Direction: t.Direction}
}

//go:embed pages
var pageFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"day": func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"initial": func(name string) string { // replaces a missing logo
		for _, r := range name {
			return strings.ToUpper(string(r))
		}
		return ""
	},
}).ParseFS(pageFiles, "pages/*.html"))

// layout is the data that every page needs.
type layout struct {
	Title   string
	Section string // the menu entry of the page
	User    string // the signed-in user; if empty, the page has no menu

	Message string // about the previous form, shown once

	Admin bool // can see and change every application

	Language, Direction string // English if empty
}

func (h *host) layout(r *http.Request, title, section string) layout {
	ctx := r.Context()
	l := layout{
		Title: title, Section: section,
		Message: h.sessions.PopString(ctx, sessionMessage),
	}
	if u, ok := h.user(r); ok {
		l.User, l.Admin = u.Name, u.administers
	}
	return l
}

// writePage writes a page.
func writePage(w http.ResponseWriter, status int, name string, view any) {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, view); err != nil {
		slog.Error("page not rendered", "page", name, "error", err)
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store") // The pages are personal.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	// Don't set form-action: browsers also apply it to redirects after a form,
	// and those after the sign-in form lead to the application. Use Add, because
	// Latchkey has already set a policy for the consent page.
	header.Add("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	body.WriteTo(w)
}

// message writes a page with a message.
func (h *host) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	writePage(w, status, "message.html", struct {
		layout
		Text string
	}{h.layout(r, title, ""), text})
}

// fail writes an error page and logs the error.
func (h *host) fail(w http.ResponseWriter, r *http.Request, err error) {
	slog.Error("request failed", "path", r.URL.Path, "error", err)
	h.message(w, r, http.StatusServiceUnavailable, "Something went wrong", "Try again in a moment.")
}
