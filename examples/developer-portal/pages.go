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

// The provider's pages in the host's layout. Their words are Latchkey's, in the
// visitor's language (pages.Config.Texts); how they are arranged is for
// pages/consent.html and pages/error.html.

// consentPage is pages.Config.Consent. The menu is left out: the one
// thing to do here is to decide.
func (h *host) consentPage(w http.ResponseWriter, _ *http.Request, page pages.Consent) {
	writePage(w, http.StatusOK, "consent.html", struct {
		layout
		Page pages.Consent
	}{providerLayout(page.Texts, page.Texts.ConsentTitle), page})
}

// errorPage is pages.Config.Error. What it is called for is in
// Latchkey's log already, with the same reference.
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
	"initial": func(name string) string { // stands for an application without a logo
		for _, r := range name {
			return strings.ToUpper(string(r))
		}
		return ""
	},
}).ParseFS(pageFiles, "pages/*.html"))

// layout is what every page of the portal shows around its content.
type layout struct {
	Title   string
	Section string // the entry of the menu that the page belongs to
	User    string // who is signed in; empty: nobody, so there is no menu

	Message string // of the form before, shown this once

	Admin bool // They may see and change every application.

	Language, Direction string // empty: English
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

// writePage answers with a page.
func writePage(w http.ResponseWriter, status int, name string, view any) {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, view); err != nil {
		slog.Error("a page could not be written", "page", name, "error", err)
		http.Error(w, "This page could not be written.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store") // The pages are personal.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	// No scripts, and nothing from elsewhere. It must not name form-action:
	// browsers apply that to the redirects after a form too, and those after
	// the sign-in form lead to the application that somebody signs in to. Where
	// that page is the consent page, Latchkey has set a policy already: so Add.
	header.Add("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	body.WriteTo(w)
}

// message answers with a page that only says something.
func (h *host) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	writePage(w, status, "message.html", struct {
		layout
		Text string
	}{h.layout(r, title, ""), text})
}

// fail answers where Latchkey could not do something and it is nobody's fault.
func (h *host) fail(w http.ResponseWriter, r *http.Request, err error) {
	slog.Error("a page failed", "path", r.URL.Path, "error", err)
	h.message(w, r, http.StatusServiceUnavailable, "This does not work right now", "Try again in a moment.")
}
