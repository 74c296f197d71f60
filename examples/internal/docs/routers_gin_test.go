package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
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

// docs/howto/protect-your-api.md puts a guard on each route. It runs the chain
// for a good token only.
func TestGuardOnGin(t *testing.T) {
	gin.SetMode(gin.TestMode)
	p := providertest.New(t, func(cfg *provider.Config) {
		cfg.Scopes = append(scopes.Default(),
			scopes.Scope{Name: "notes:read", Title: "Read your notes"},
			scopes.Scope{Name: "notes:write", Title: "Change your notes"})
	}).Provider
	whose := func(c *gin.Context) {
		token, _ := provider.TokenFromContext(c.Request.Context())
		c.String(http.StatusOK, token.UserID)
	}
	listNotes, addNote := whose, whose

	r := gin.New()
	v1 := r.Group("/v1")
	v1.GET("/notes", guard(p.Require("notes:read")), listNotes)
	v1.POST("/notes", guard(p.Require("notes:write")), addNote)

	ask := func(method string, scope ...string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, providertest.Authenticate(t, p, httptest.NewRequest(method, "/v1/notes", nil), "user_ada", scope...))
		return w
	}
	answer := ask("GET", "notes:read")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "user_ada", answer.Body.String())
	answer = ask("POST", "notes:read")
	require.Equal(t, http.StatusForbidden, answer.Code)
	require.NotContains(t, answer.Body.String(), "user_ada", "the chain must stop")
	require.Equal(t, http.StatusOK, ask("POST", "notes:write").Code)
}
