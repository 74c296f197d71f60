package acme

import (
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
)

var pages = template.Must(template.New("").Parse(`
{{define "top"}}<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Acme Notes</title>
<link rel="icon" href="data:,">
<main>
{{end}}

{{define "home"}}{{template "top"}}
<h1>Acme Notes</h1>
{{if .Name}}<p>You are signed in as {{.Name}}.</p>
<form method="post" action="/logout"><button type="submit">Sign out</button></form>
{{else}}<p><a href="/login">Sign in</a></p>
{{end}}</main>
{{end}}

{{define "sign-in"}}{{template "top"}}
<h1>Sign in to Acme Notes</h1>
{{if .Failed}}<p role="alert">This user and password do not go together. Try again.</p>
{{end}}<form method="post" action="/login">
<input type="hidden" name="next" value="{{.Next}}">
<p><label>User <input name="login" autocomplete="username" autocapitalize="none" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button type="submit">Sign in</button></p>
</form>
<p>The users of this example are ada and grace. Their password was printed when it started.</p>
</main>
{{end}}`))

// view is what the pages show.
type view struct {
	Name   string // who is signed in; empty: nobody
	Next   string // where to go after the sign-in
	Failed bool
}

// writePage answers with a page. Its policy must not name form-action: browsers
// apply that to the redirects after a form too, and those after the sign-in
// form lead to the application that somebody signs in to.
func writePage(w http.ResponseWriter, status int, name string, v view) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // The sign-in page's address has an authorization request in it.
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, v); err != nil {
		slog.Error("a page could not be written", "page", name, "error", err)
	}
}

func (h *Host) home(w http.ResponseWriter, r *http.Request) {
	writePage(w, http.StatusOK, "home", view{Name: h.users[h.sessions.GetString(r.Context(), sessionUser)].Name})
}

func (h *Host) showSignIn(w http.ResponseWriter, r *http.Request) {
	writePage(w, http.StatusOK, "sign-in", view{Next: provider.LocalPath(r.URL.Query().Get("next"), "/")})
}

func (h *Host) signIn(w http.ResponseWriter, r *http.Request) {
	ctx, next := r.Context(), provider.LocalPath(r.PostFormValue("next"), "/")
	// An unknown user takes as long as a wrong password, so that the time tells
	// nobody who has an account.
	right := bcrypt.CompareHashAndPassword(h.passwordHash, []byte(r.PostFormValue("password"))) == nil
	for id, user := range h.users {
		if !right || user.Username != r.PostFormValue("login") {
			continue
		}
		// With a new session id, one that somebody slipped into the browser
		// before is worth nothing.
		if err := h.sessions.RenewToken(ctx); err != nil {
			http.Error(w, "The session could not be started.", http.StatusInternalServerError)
			return
		}
		h.sessions.Put(ctx, sessionUser, id)
		h.sessions.Put(ctx, sessionSignedInAt, time.Now().Unix())
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	writePage(w, http.StatusUnprocessableEntity, "sign-in", view{Next: next, Failed: true})
}

func (h *Host) signOut(w http.ResponseWriter, r *http.Request) {
	if err := h.sessions.Destroy(r.Context()); err != nil {
		http.Error(w, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
