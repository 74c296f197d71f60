// Echo is Acme Notes, a small Echo app with users and sessions, as an OAuth 2.0
// provider. Latchkey's handlers and its guard are net/http's, and Echo wraps
// both with what it has for that.
//
//	go run ./examples/echo  and open the addresses that it prints
package main

import (
	"context"
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
	"github.com/labstack/echo/v5"
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

func newApp(url string) (*echo.Echo, *provider.Provider, error) {
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
	session := echo.WrapMiddleware(sessions.LoadAndSave)
	csrf := echo.WrapMiddleware(http.NewCrossOriginProtection().Handler)

	// Latchkey's endpoints get the session where they need it, and nothing else:
	// what checks origins or asks for a sign-in would shut programs out.
	e := echo.New()
	for _, route := range p.Routes() {
		var middleware []echo.MiddlewareFunc
		if route.Session {
			middleware = append(middleware, session)
		}
		e.Add(route.Method, route.Path, echo.WrapHandler(route.Handler), middleware...)
	}
	e.GET("/api/notes", listNotes, echo.WrapMiddleware(p.Require("notes:read")))

	// The app's own pages.
	e.Renderer = &echo.TemplateRenderer{Template: templates}
	e.GET("/", func(c *echo.Context) error {
		return c.Render(http.StatusOK, "home", users[sessions.GetString(c.Request().Context(), "user")])
	}, session)
	e.GET("/login", func(c *echo.Context) error {
		return c.Render(http.StatusOK, "login", map[string]string{"Next": c.QueryParam("next")})
	})
	e.POST("/login", func(c *echo.Context) error { return signIn(sessions, c) }, csrf, session)
	return e, p, nil
}

// listNotes answers with the notes of the user whose token it is.
func listNotes(c *echo.Context) error {
	token, _ := provider.TokenFromContext(c.Request().Context())
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"notes": notes[token.UserID]})
}

func signIn(sessions *scs.SessionManager, c *echo.Context) error {
	r := c.Request()
	u, known := users[r.PostFormValue("login")]
	next := r.PostFormValue("next")
	// It is compared for an unknown login too, so that time tells nothing.
	if err := bcrypt.CompareHashAndPassword(passwordHash, []byte(r.PostFormValue("password"))); err != nil || !known {
		failed := map[string]string{"Next": next, "Failed": "This login and password do not go together."}
		return c.Render(http.StatusUnprocessableEntity, "login", failed)
	}
	// A new session id: one that was slipped into the browser is worth nothing.
	if err := sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	sessions.Put(r.Context(), "user", u.ID)
	sessions.Put(r.Context(), "signed_in_at", time.Now().Unix())
	return c.Redirect(http.StatusSeeOther, provider.LocalPath(next, "/"))
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		log.Fatal("echo: ", err)
	}
}

func run(ctx context.Context, addr string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	e, p, err := newApp(url)
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

	server := echo.StartConfig{Listener: listener, HideBanner: true, HidePort: true, GracefulTimeout: 3 * time.Second}
	return server.Start(ctx, e)
}
