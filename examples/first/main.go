// First is the provider of docs/start/quickstart.md, in one file: an app with users,
// a sign-in page, and sessions, and the code that makes it a provider. It prints the
// command that starts its client, examples/first/wiki.
//
//	go run ./examples/first
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// The app's users, by their login. Yours are in your database.
var users = map[string]userinfo.User{
	"ada":   {ID: "user_1", Name: "Ada Lovelace", Email: "ada@example.com"},
	"grace": {ID: "user_2", Name: "Grace Hopper", Email: "grace@example.com"},
}

const password = "open sesame" // everyone's, in this example only

func findUser(_ context.Context, id string) (userinfo.User, error) {
	for _, u := range users {
		if u.ID == id {
			return u, nil
		}
	}
	return userinfo.User{}, userinfo.ErrNotFound // return any other error if the database fails
}

// sessions maps a cookie's value to who is signed in, and since when.
var sessions sync.Map

func currentUser(r *http.Request) (provider.Session, error) {
	if cookie, err := r.Cookie("session"); err == nil {
		if s, ok := sessions.Load(cookie.Value); ok {
			return s.(provider.Session), nil
		}
	}
	return provider.Session{}, nil // no one is signed in
}

var loginPage = template.Must(template.New("").Parse(`<!DOCTYPE html><meta name="viewport" content="width=device-width"><title>Sign in</title>
<form method="post"><input type="hidden" name="next" value="{{.}}">
<p><label>Login <input name="login"></label></p>
<p><label>Password <input name="password" type="password"></label></p>
<button>Sign in</button></form>`))

func showLogin(w http.ResponseWriter, r *http.Request) {
	loginPage.Execute(w, r.URL.Query().Get("next"))
}

func signIn(w http.ResponseWriter, r *http.Request) {
	u, known := users[r.PostFormValue("login")]
	if !known || r.PostFormValue("password") != password {
		w.WriteHeader(http.StatusUnprocessableEntity)
		loginPage.Execute(w, r.PostFormValue("next"))
		return
	}
	id := rand.Text()
	sessions.Store(id, provider.Session{UserID: u.ID, SignedInAt: time.Now()})
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
}

func home(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `<!DOCTYPE html><meta name="viewport" content="width=device-width"><title>My app</title>
<h1>My app</h1><p><a href="/oauth/connections">Connected apps</a></p>`)
}

func me(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	fmt.Fprintln(w, "The API knows the token of", token.UserID)
}

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on")
	wikiAddr := flag.String("wiki-addr", "localhost:9000", "`host:port` of the client")
	flag.Parse()

	p, err := provider.New(provider.Config{
		Issuer:      "http://" + *addr,
		Store:       memory.New(),
		CurrentUser: currentUser,
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       findUser,
		Pages:       pages.Config{Name: "My app"},
	})
	if err != nil {
		log.Fatal(err)
	}
	// With a store that survives a restart, use EnsureApplication.
	wiki, secret, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{"http://" + *wikiAddr + "/callback"}})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("GET /api/me", p.Require("profile")(http.HandlerFunc(me)))
	mux.HandleFunc("GET /{$}", home)
	mux.HandleFunc("GET /login", showLogin)
	mux.Handle("POST /login", http.NewCrossOriginProtection().Handler(http.HandlerFunc(signIn)))

	fmt.Printf("go run ./wiki -id %s -secret %s\n", wiki.ClientID, secret.Reveal())
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
