// Package docs_test compiles and runs what pages in docs show and no example has.
package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
)

func guard(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		next := func(_ http.ResponseWriter, r *http.Request) { c.Request = r; c.Next() }
		middleware(http.HandlerFunc(next)).ServeHTTP(c.Writer, c.Request)
		c.Abort()
	}
}

// notesHost is a host with scopes for notes.
func notesHost(t *testing.T) *providertest.Host {
	t.Helper()
	return providertest.New(t, func(cfg *provider.Config) {
		cfg.Scopes = append(scopes.Default(),
			scopes.Scope{Name: "notes:read", Title: "Read your notes"},
			scopes.Scope{Name: "notes:write", Title: "Change your notes"})
	})
}

// The guard of examples/gin/README.md runs the chain for a good token only.
func TestGuardOnGin(t *testing.T) {
	gin.SetMode(gin.TestMode)
	p := notesHost(t).Provider
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
	require.NotContains(t, answer.Body.String(), "user_ada", "the chain must not go on")
	require.Equal(t, http.StatusOK, ask("POST", "notes:write").Code)
}

// A segment that can be anything is written as Gin wants it.
func TestRegistrationOnGin(t *testing.T) {
	gin.SetMode(gin.TestMode)
	p := providertest.New(t, func(cfg *provider.Config) { cfg.Registration = &provider.Registration{} }).Provider
	r := gin.New()
	for _, route := range p.Routes() {
		path := strings.ReplaceAll(route.Path, "{client_id}", ":client_id")
		r.Handle(route.Method, path, gin.WrapH(route.Handler))
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/oauth/register/somebody", nil))
	require.Equal(t, http.StatusUnauthorized, w.Code, "it is there, and wants a token")
}

type userKey struct{}

// examples/gin/README.md says how CurrentUser learns what gin's sessions know.
func TestSessionOfGinIsCarriedOver(t *testing.T) {
	gin.SetMode(gin.TestMode)
	r := gin.New()
	r.Use(sessions.Sessions("session", cookie.NewStore([]byte("a key that signs the cookie"))))
	r.GET("/login", func(c *gin.Context) {
		sessions.Default(c).Set("user", "user_ada")
		require.NoError(t, sessions.Default(c).Save())
	})
	r.Use(
		func(c *gin.Context) {
			id, _ := sessions.Default(c).Get("user").(string)
			c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), userKey{}, id))
		},
	)
	r.GET("/who", gin.WrapF(func(w http.ResponseWriter, r *http.Request) {
		id, _ := r.Context().Value(userKey{}).(string)
		w.Write([]byte(id))
	}))
	signedIn := httptest.NewRecorder()
	r.ServeHTTP(signedIn, httptest.NewRequest("GET", "/login", nil))
	who := httptest.NewRequest("GET", "/who", nil)
	who.Header.Set("Cookie", signedIn.Header().Get("Set-Cookie"))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, who)
	require.Equal(t, "user_ada", w.Body.String())
}
