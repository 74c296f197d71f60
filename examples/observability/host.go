package main

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// password is everybody's.
const password = "correct horse battery staple"

// hashCost is what checking a password costs. Tests lower it.
var hashCost = bcrypt.DefaultCost

// host is Acme Notes, as small as an app with users can be: a sign-in page, two
// routes of an API, and Latchkey.
type host struct {
	sessions     *scs.SessionManager
	users        map[string]userinfo.User // by id
	passwordHash []byte
	provider     *provider.Provider
}

// newHost returns the app. What it has for whoever watches it are the logger and
// events.
func newHost(issuer string, kept store.Store, logger *slog.Logger, events func(context.Context, provider.Event)) (*host, error) {
	h := &host{sessions: scs.New(), users: map[string]userinfo.User{
		"user_1815": {ID: "user_1815", Username: "ada", Name: "Ada Lovelace", Email: "ada@acme.example", EmailVerified: true},
		"user_1906": {ID: "user_1906", Username: "grace", Name: "Grace Hopper", Email: "grace@acme.example", EmailVerified: true},
	}}
	h.sessions.Cookie.Name = "acme_session" // Lax and HttpOnly by default
	h.sessions.Cookie.Secure = strings.HasPrefix(issuer, "https://")
	var err error
	if h.passwordHash, err = bcrypt.GenerateFromPassword([]byte(password), hashCost); err != nil {
		return nil, err
	}
	h.provider, err = provider.New(provider.Config{
		Issuer:      issuer,
		Store:       kept,
		CurrentUser: h.currentUser,
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       h.findUser,
		Pages:       pages.Config{Name: "Acme Notes"},
		Scopes: append(scopes.Default(),
			scopes.Scope{Name: "notes:read", Title: "Read your notes"},
			scopes.Scope{Name: "notes:write", Title: "Change your notes"}),
		// Anybody may register an application. An app that can be reached from
		// outside sets Limit too.
		Registration: &provider.Registration{},
		Logger:       logger,
		Events:       events,
	})
	return h, err
}

func (h *host) handler() http.Handler {
	mux := http.NewServeMux()
	csrf := http.NewCrossOriginProtection()
	page := func(f http.HandlerFunc) http.Handler {
		return http.MaxBytesHandler(csrf.Handler(h.sessions.LoadAndSave(f)), 64<<10)
	}
	mux.Handle("GET /login", page(h.showSignIn))
	mux.Handle("POST /login", page(h.signIn))
	for _, route := range h.provider.Routes() {
		handler := route.Handler
		if route.Session {
			handler = h.sessions.LoadAndSave(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}
	mux.Handle("GET /api/notes", h.provider.Require("notes:read")(http.HandlerFunc(listNotes)))
	mux.Handle("POST /api/notes", h.provider.Require("notes:write")(http.HandlerFunc(addNote)))
	return mux
}

func (h *host) currentUser(r *http.Request) (provider.Session, error) {
	return provider.Session{UserID: h.sessions.GetString(r.Context(), "user")}, nil
}

func (h *host) findUser(_ context.Context, id string) (userinfo.User, error) {
	if user, ok := h.users[id]; ok {
		return user, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}

var signInPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Acme Notes</title>
<h1>Sign in to Acme Notes</h1>
{{if .Failed}}<p role="alert">This user and password do not go together. Try again.</p>{{end}}
<form method="post" action="/login">
<input type="hidden" name="next" value="{{.Next}}">
<p><label>User <input name="login" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button type="submit">Sign in</button></p>
</form>
<p>The users of this example are ada and grace. Their password was printed when it started.</p>
</html>
`))

type signInView struct {
	Next   string
	Failed bool
}

func (v signInView) write(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // The address of the page has an authorization request in it.
	w.WriteHeader(status)
	if err := signInPage.Execute(w, v); err != nil {
		slog.Error("the sign-in page could not be written", "error", err)
	}
}

func (h *host) showSignIn(w http.ResponseWriter, r *http.Request) {
	signInView{Next: provider.LocalPath(r.URL.Query().Get("next"), "/")}.write(w, http.StatusOK)
}

func (h *host) signIn(w http.ResponseWriter, r *http.Request) {
	ctx, next := r.Context(), provider.LocalPath(r.PostFormValue("next"), "/")
	right := bcrypt.CompareHashAndPassword(h.passwordHash, []byte(r.PostFormValue("password"))) == nil
	for id, user := range h.users {
		if !right || user.Username != r.PostFormValue("login") {
			continue
		}
		if err := h.sessions.RenewToken(ctx); err != nil {
			http.Error(w, "The session could not be started.", http.StatusInternalServerError)
			return
		}
		h.sessions.Put(ctx, "user", id)
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	signInView{Next: next, Failed: true}.write(w, http.StatusUnprocessableEntity)
}

func listNotes(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"notes": [{"title": "Shopping list"}]}` + "\n"))
}

func addNote(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }
