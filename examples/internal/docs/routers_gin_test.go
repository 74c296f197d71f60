package docs_test

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"

	"github.com/latchkey-go/latchkey/provider"
)

func onGin(p *provider.Provider) http.Handler {
	store := cookie.NewStore([]byte("a key that signs the cookie"))
	store.Options(sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	listNotes, showLogin := gin.WrapF(listNotes), gin.WrapF(showLogin)
	r := gin.New()
	session := r.Group("/", sessions.Sessions("session", store), loadUser)
	for _, route := range p.Routes() {
		path := strings.ReplaceAll(route.Path, "{client_id}", ":client_id")
		group := &r.RouterGroup // programs have no session
		if route.Session {
			group = session
		}
		group.Handle(route.Method, path, gin.WrapH(route.Handler))
	}
	r.GET("/api/notes", guard(p.Require("notes:read")), listNotes)

	csrf := guard(http.NewCrossOriginProtection().Handler)
	session.GET("/login", showLogin)
	session.POST("/login", csrf, signInOnGin)
	return r
}

// loadUser copies the user into the request's context, where CurrentUser reads it.
func loadUser(c *gin.Context) {
	id, _ := sessions.Default(c).Get("user").(string)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), userKey{}, id))
}

// guard turns net/http middleware, such as p.Require, into Gin's.
func guard(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		next := func(_ http.ResponseWriter, r *http.Request) { c.Request = r; c.Next() }
		middleware(http.HandlerFunc(next)).ServeHTTP(c.Writer, c.Request)
		c.Abort()
	}
}

type userKey struct{}

func currentUserOnGin(r *http.Request) (provider.Session, error) {
	id, _ := r.Context().Value(userKey{}).(string)
	return provider.Session{UserID: id, SignedInAt: time.Now()}, nil
}

func signInOnGin(c *gin.Context) {
	if c.PostForm("password") != password {
		c.Status(http.StatusUnprocessableEntity)
		showLogin(c.Writer, c.Request)
		return
	}
	session := sessions.Default(c)
	session.Clear()
	session.Set("user", "user_"+c.PostForm("login"))
	session.Save()
	c.Redirect(http.StatusSeeOther, provider.LocalPath(c.PostForm("next"), "/"))
}
