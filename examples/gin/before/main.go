package main

import (
	"context"
	"crypto/rand"
	"errors"
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

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
)

type user struct {
	ID, Login, Name, Email string
	PasswordHash           []byte
	Notes                  []string
}

const password = "correct horse battery staple" // for every user of this demo

var passwordHash = must(bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost))

// users takes the place of a database table.
var users = []user{
	{"user_1815", "ada", "Ada Lovelace", "ada@acme.example", passwordHash, []string{"Measure a pigeon.", "Ask for more cards."}},
	{"user_1906", "grace", "Grace Hopper", "grace@acme.example", passwordHash, []string{"Order more wire."}},
}

var errNoUser = errors.New("no such user")

func findUser(id string) (user, error) {
	for _, u := range users {
		if u.ID == id {
			return u, nil
		}
	}
	return user{}, errNoUser
}

// authenticate does the same work for an unknown login as for a wrong password,
// so that its timing doesn't reveal who has an account.
func authenticate(login, password string) (user, bool) {
	found, known := users[0], false
	for _, u := range users {
		if u.Login == login {
			found, known = u, true
		}
	}
	err := bcrypt.CompareHashAndPassword(found.PasswordHash, []byte(password))
	return found, known && err == nil
}

var templates = template.Must(template.New("").Parse(`
{{define "top"}}<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem}label{display:block}</style>
<title>Acme Notes</title><h1>Acme Notes</h1>{{end}}
{{define "home"}}{{template "top"}}{{if .ID}}<p>Welcome, {{.Name}}. These are your notes:</p>
<ul>{{range .Notes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="/logout"><button>Sign out</button></form>{{else}}<a href="/login">Sign in</a>{{end}}{{end}}
{{define "login"}}{{template "top"}}{{if .Failed}}<p>Wrong login or password.</p>{{end}}
<form method="post" action="/login"><input type="hidden" name="next" value="{{.Next}}">
<label>Login <input name="login" value="{{.Login}}" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Sign in</button></form>{{end}}`))

func newApp(url string) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery())
	r.SetHTMLTemplate(templates)

	key := make([]byte, 32) // A new key at each start: a restart signs all users out.
	rand.Read(key)
	store := cookie.NewStore(key)
	store.Options(sessions.Options{
		Path: "/", MaxAge: 30 * 24 * 60 * 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(url, "https://"),
	})
	session := r.Group("/", sessions.Sessions("acme_session", store), loadUser)

	csrf := http.NewCrossOriginProtection()
	site := session.Group("/", func(c *gin.Context) {
		if csrf.Check(c.Request) != nil {
			c.AbortWithStatus(http.StatusForbidden)
		}
	})
	site.GET("/", home)
	site.GET("/login", showSignIn)
	site.POST("/login", signIn)
	site.POST("/logout", signOut)

	api := session.Group("/api", func(c *gin.Context) {
		if userID(c.Request) == "" {
			c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": "sign in first"})
		}
	})
	api.GET("/notes", listNotes)
	return r
}

// loadUser copies the user's ID into the request's context, so that code
// without a gin.Context can read it too.
func loadUser(c *gin.Context) {
	id, _ := sessions.Default(c).Get("user").(string)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), userKey{}, id))
}

type userKey struct{}

// userID returns the ID of the user who is signed in, or "".
func userID(r *http.Request) string {
	id, _ := r.Context().Value(userKey{}).(string)
	return id
}

func home(c *gin.Context) {
	u, _ := findUser(userID(c.Request)) // The zero user means that no one is signed in.
	c.HTML(http.StatusOK, "home", u)
}

func showSignIn(c *gin.Context) {
	c.HTML(http.StatusOK, "login", gin.H{"Next": localPath(c.Query("next"))})
}

func signIn(c *gin.Context) {
	login, next := c.PostForm("login"), localPath(c.PostForm("next"))
	u, ok := authenticate(login, c.PostForm("password"))
	if !ok {
		c.HTML(http.StatusUnprocessableEntity, "login", gin.H{"Next": next, "Login": login, "Failed": true})
		return
	}
	session := sessions.Default(c)
	session.Clear() // Drop what the session held for the user before.
	session.Set("user", u.ID)
	if err := session.Save(); err != nil {
		c.String(http.StatusInternalServerError, "Starting the session failed.")
		return
	}
	c.Redirect(http.StatusSeeOther, next)
}

func signOut(c *gin.Context) {
	session := sessions.Default(c)
	session.Clear()
	session.Options(sessions.Options{Path: "/", MaxAge: -1})
	if err := session.Save(); err != nil {
		c.String(http.StatusInternalServerError, "Ending the session failed.")
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func listNotes(c *gin.Context) {
	u, err := findUser(userID(c.Request))
	if err != nil {
		c.AbortWithStatusJSON(http.StatusNotFound, gin.H{"error": err.Error()})
		return
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, gin.H{"notes": u.Notes})
}

// localPath returns next if it leads to this site, and "/" otherwise. Browsers
// read "\" like "/" and skip tabs and line breaks, so "//" has many spellings.
func localPath(next string) string {
	odd := func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, odd) {
		return "/"
	}
	return next
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on")
	flag.Parse()
	gin.SetMode(gin.ReleaseMode)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	listener := must(new(net.ListenConfig).Listen(ctx, "tcp", *addr))
	url := "http://" + listener.Addr().String()
	server := &http.Server{Handler: newApp(url), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	fmt.Printf("Open %s and sign in as ada or grace with the password %q.\n", url, password)

	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	server.Shutdown(ctx)
}
