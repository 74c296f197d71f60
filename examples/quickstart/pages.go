package main

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
)

//go:embed pages
var pageFiles embed.FS

var templates = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// acmeView is what Acme's home page shows.
type acmeView struct {
	Name  string // empty: nobody is signed in
	Notes []note
}

// signInView is what Acme's sign-in page shows.
type signInView struct {
	Next       string // where to go afterwards
	Login      string
	Failed     bool
	ContinueAs string // who is signed in and may stay so; empty: nobody
}

// wikiView is what Wiki's page shows. User and API are read from what Acme
// answers.
type wikiView struct {
	Message  string
	SignedIn bool
	User     struct {
		Name           string
		Username       string
		Email          string
		EmailVerified  bool `json:"email_verified"`
		Picture        string
		PublicMetadata map[string]any `json:"public_metadata"`
	}
	API struct {
		Notes []struct{ Title, Text string }
	}
}

// policy allows no scripts, and nothing from elsewhere but pictures: Wiki shows
// the user's, which is Acme's. It must not name form-action: browsers apply
// that to the redirects after a form too, and those after Acme's sign-in form
// lead to the app that somebody signs in to.
const policy = "default-src 'none'; style-src 'self'; img-src http: https: data:; base-uri 'none'; frame-ancestors 'none'"

// writePage answers with one of the pages.
func writePage(w http.ResponseWriter, status int, name string, view any) {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, view); err != nil {
		slog.Error("a page could not be written", "page", name, "error", err)
		http.Error(w, "This page could not be written.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store") // The pages are personal.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	body.WriteTo(w)
}

// assets serves the style sheet and the pictures.
func assets() http.Handler {
	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		panic(err) // They are part of the program.
	}
	return http.FileServerFS(files)
}
