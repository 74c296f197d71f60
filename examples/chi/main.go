// Chi is Acme Notes, a small chi app with users and sessions, as an OAuth 2.0
// provider. A chi router is all that Latchkey needs to mount itself, and its
// guard is middleware as chi's own is.
//
//	go run ./examples/chi  and open the addresses that it prints
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

const password = "correct horse battery staple" // everybody's, to try the app with

var passwordHash, _ = bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)

// The users by login, which is their id too, and their notes.
var (
	users = map[string]userinfo.User{
		"ada":   {ID: "ada", Name: "Ada Lovelace", Email: "ada@acme.example"},
		"grace": {ID: "grace", Name: "Grace Hopper", Email: "grace@acme.example"},
	}
	notes = map[string][]string{"ada": {"Measure a pigeon."}, "grace": {"Order more wire."}}
)

func findUser(_ context.Context, id string) (userinfo.User, error) {
	if u, ok := users[id]; ok {
		return u, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}

var templates = template.Must(template.New("").Parse(`
{{define "home"}}<!DOCTYPE html><title>Acme Notes</title>{{with .Name}}<p>Welcome, {{.}}.</p>{{else}}<a href="/login">Sign in</a>{{end}}{{end}}
{{define "login"}}<!DOCTYPE html><title>Sign in</title>{{with .Failed}}<p>{{.}}</p>{{end}}
<form method="post" action="/login"><input type="hidden" name="next" value="{{.Next}}"><label>Login <input name="login"></label>
<label>Password <input name="password" type="password"></label><button>Sign in</button></form>{{end}}`))

func newApp(url string) (http.Handler, *provider.Provider, error) {
	sessions := scs.New() // Its cookie is HttpOnly and SameSite=Lax.
	sessions.Cookie.Secure = strings.HasPrefix(url, "https://")
	p, err := provider.New(provider.Config{
		Issuer: url,
		Store:  memory.New(),
		Pages:  pages.Config{Name: "Acme Notes"},
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			signedInAt := time.Unix(sessions.GetInt64(r.Context(), "signed_in_at"), 0)
			return provider.Session{UserID: sessions.GetString(r.Context(), "user"), SignedInAt: signedInAt}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users:  findUser,
		Scopes: append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
	})
	if err != nil {
		return nil, nil, err
	}

	// Without a cookie scs does nothing, so it may cover the endpoints for
	// programs too. The check of origins may not: it is for the app's own pages.
	r := chi.NewRouter()
	r.Use(sessions.LoadAndSave)
	p.Mount(r)
	r.With(p.Require("notes:read")).Get("/api/notes", listNotes)
	r.Group(func(r chi.Router) {
		r.Use(http.NewCrossOriginProtection().Handler)
		r.Get("/", func(w http.ResponseWriter, r *http.Request) {
			templates.ExecuteTemplate(w, "home", users[sessions.GetString(r.Context(), "user")])
		})
		r.Get("/login", func(w http.ResponseWriter, r *http.Request) {
			templates.ExecuteTemplate(w, "login", map[string]string{"Next": r.URL.Query().Get("next")})
		})
		r.Post("/login", func(w http.ResponseWriter, r *http.Request) { signIn(sessions, w, r) })
	})
	return r, p, nil
}

// listNotes answers with the notes of the user whose token it is.
func listNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": notes[token.UserID]})
}

func signIn(sessions *scs.SessionManager, w http.ResponseWriter, r *http.Request) {
	u, known := users[r.PostFormValue("login")]
	// It is compared for an unknown login too, so that time tells nothing.
	if err := bcrypt.CompareHashAndPassword(passwordHash, []byte(r.PostFormValue("password"))); err != nil || !known {
		w.WriteHeader(http.StatusUnprocessableEntity)
		templates.ExecuteTemplate(w, "login", map[string]string{"Next": r.PostFormValue("next"), "Failed": "This login and password do not go together."})
		return
	}
	// A new session id: one that was slipped into the browser is worth nothing.
	if err := sessions.RenewToken(r.Context()); err != nil {
		http.Error(w, "The session could not be started.", http.StatusInternalServerError)
		return
	}
	sessions.Put(r.Context(), "user", u.ID)
	sessions.Put(r.Context(), "signed_in_at", time.Now().Unix())
	http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		log.Fatal("chi: ", err)
	}
}

func run(ctx context.Context, addr string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	app, p, err := newApp(url)
	if err != nil {
		return err
	}
	// An application to try it with. In a real app, a page of yours makes it.
	wiki, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{"http://127.0.0.1:8081/callback"}, Scopes: scopes.New("profile", "notes:read")})
	if err != nil {
		return err
	}
	ask := url + "/oauth/authorize?response_type=code&client_id=" + wiki.ClientID
	fmt.Printf("Wiki has client_id %s and client_secret %s. Open %s to see what it asks of you.\n", wiki.ClientID, secret.Reveal(), ask)
	fmt.Printf("Open %s and sign in as ada or grace with the password %q.\n", url, password)

	server := &http.Server{Handler: app, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
		return err
	case <-ctx.Done():
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		return server.Shutdown(ctx)
	}
}
