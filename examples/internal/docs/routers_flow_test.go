// Package docs_test compiles and runs code that pages in docs show and that no
// example has.
package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

const password = "correct horse battery staple"

func findUser(_ context.Context, id string) (userinfo.User, error) {
	switch id {
	case "user_ada":
		return userinfo.User{ID: id, Name: "Ada Lovelace"}, nil
	case "user_grace":
		return userinfo.User{ID: id, Name: "Grace Hopper"}, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}

func showLogin(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, `<form method="post" action="/login"><input type="hidden" name="next" value="%s">
<input name="login"><input name="password" type="password"><button>Sign in</button></form>`, html.EscapeString(r.FormValue("next")))
}

// loginPages returns the login page and what its form is sent to, with a session
// of scs.
func loginPages(sessions *scs.SessionManager) (page, form func(http.ResponseWriter, *http.Request)) {
	return showLogin, func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("password") != password {
			w.WriteHeader(http.StatusUnprocessableEntity)
			showLogin(w, r)
			return
		}
		user := "user_" + r.PostFormValue("login")
		if err := sessions.RenewToken(r.Context()); err != nil {
			http.Error(w, "Try again.", http.StatusServiceUnavailable)
			return
		}
		sessions.Put(r.Context(), "user", user)
		sessions.Put(r.Context(), "signed_in_at", time.Now().Unix())
		http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
	}
}

// site is an app on one of the routers, and Wiki as package oauth2 is configured
// for it.
type site struct {
	url  string
	wiki *oauth2.Config
}

// started runs the app until the test ends.
func started(t *testing.T, router string) site {
	t.Helper()
	gin.SetMode(gin.TestMode)
	var app http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	sessions := scs.New() // Its cookie is HttpOnly and SameSite=Lax.
	config := provider.Config{
		Issuer: server.URL,
		Store:  memory.New(),
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			signedInAt := time.Unix(sessions.GetInt64(r.Context(), "signed_in_at"), 0)
			return provider.Session{UserID: sessions.GetString(r.Context(), "user"), SignedInAt: signedInAt}, nil
		},
		SignIn:       provider.RedirectTo("/login", "next"),
		Users:        findUser,
		Scopes:       append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
		Registration: &provider.Registration{Scopes: []string{scopes.Profile}},
	}
	if router == "Gin" {
		config.CurrentUser = currentUserOnGin
	}
	p, err := provider.New(config)
	require.NoError(t, err)
	app = map[string]func() http.Handler{
		"net/http":           func() http.Handler { return onNetHTTP(p, sessions) },
		"net/http, by route": func() http.Handler { return onNetHTTPByRoute(p, sessions) },
		"chi":                func() http.Handler { return onChi(p, sessions) },
		"Gin":                func() http.Handler { return onGin(p) },
		"Echo":               func() http.Handler { return onEcho(p, sessions) },
		"Echo, CSRF":         func() http.Handler { return onEchoWithCSRF(p, sessions) },
		"Echo, CSRF everywhere": func() http.Handler {
			e := onEcho(p, sessions).(*echo.Echo)
			e.Use(middleware.CSRF())
			return e
		},
	}[router]()
	wiki, secret, err := p.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{"http://127.0.0.1:8081/callback"}, Scopes: scopes.New("profile", "notes:read")})
	require.NoError(t, err)
	return site{server.URL, &oauth2.Config{
		ClientID:     wiki.ClientID,
		ClientSecret: secret.Reveal(),
		RedirectURL:  wiki.RedirectURIs[0],
		Endpoint:     oauth2.Endpoint{AuthURL: server.URL + "/oauth/authorize", TokenURL: server.URL + "/oauth/token"},
	}}
}

// Each router passes the same tests.
func TestRouters(t *testing.T) {
	for _, router := range []string{"net/http", "net/http, by route", "chi", "Gin", "Echo"} {
		t.Run(router, func(t *testing.T) {
			s := started(t, router)
			t.Run("sign-in and API", s.testSignInAndAPI)
			t.Run("endpoints for programs", s.testEndpointsForPrograms)
			t.Run("login page", s.testLoginPage)
			t.Run("doctor", func(t *testing.T) { require.Empty(t, providertest.Diagnose(t, nil, s.url, s.wiki.ClientID)) })
		})
	}
}

// token signs ada in to Wiki: through the login page, the consent page, and the
// redirect to Wiki, whose part is done here.
func (s site) token(t *testing.T, scope string) string {
	t.Helper()
	wiki := *s.wiki
	wiki.Scopes = []string{scope}
	b, verifier := browser.New(nil), oauth2.GenerateVerifier()
	follow := func(page *browser.Page, err error) *browser.Page {
		require.NoError(t, err)
		for strings.HasPrefix(page.Leads(), s.url+"/") {
			page, err = b.Follow(t.Context(), page)
			require.NoError(t, err)
		}
		return page
	}
	page := follow(b.Open(t.Context(), wiki.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier))))
	require.Equal(t, "/login", page.URL.Path)
	page = follow(b.Press(t.Context(), page, "Sign in", map[string]string{"login": "ada", "password": password}))
	require.Contains(t, page.Text(), "Ada Lovelace")
	page = follow(b.Press(t.Context(), page, "Allow", nil))
	back, err := url.Parse(page.Leads())
	require.NoError(t, err)
	require.Equal(t, "the state", back.Query().Get("state"))
	require.Equal(t, s.url, back.Query().Get("iss"))
	got, err := wiki.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	return got.AccessToken
}

func (s site) testSignInAndAPI(t *testing.T) {
	for _, test := range []struct {
		name, authorization string
		status              int
		challenge           string
	}{
		{"no token", "", http.StatusUnauthorized, `Bearer realm="` + s.url + `"`},
		{"an unknown token", "Bearer x", http.StatusUnauthorized, `error="invalid_token"`},
		{"another scope", "Bearer " + s.token(t, "profile"), http.StatusForbidden, `error="insufficient_scope"`},
		{"the right scope", "Bearer " + s.token(t, "notes:read"), http.StatusOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := s.call(t, http.MethodGet, "/api/notes", "", "Authorization", test.authorization)
			require.Equal(t, test.status, answer.status)
			require.Contains(t, answer.header.Get("WWW-Authenticate"), test.challenge)
			require.Equal(t, test.status == http.StatusOK, strings.Contains(answer.body, "Measure a pigeon."), answer.body)
			require.NotContains(t, answer.body, "wire", "that note is grace's")
		})
	}
}

// Programs reach Latchkey's endpoints without a cookie. Other sites do too: no
// CSRF check takes their requests for forged forms.
func (s site) testEndpointsForPrograms(t *testing.T) {
	basic := (&http.Request{Header: http.Header{}})
	basic.SetBasicAuth(s.wiki.ClientID, s.wiki.ClientSecret)
	for _, origin := range []string{"", "https://other.example"} {
		answer := s.call(t, http.MethodPost, "/oauth/token", "grant_type=authorization_code&code=unknown",
			"Authorization", basic.Header.Get("Authorization"), "Origin", origin)
		require.Equal(t, http.StatusBadRequest, answer.status)
		require.Contains(t, answer.body, `"invalid_grant"`)
		require.Empty(t, answer.cookies)
	}
	for path, methods := range map[string]string{
		"/oauth/token":     "GET HEAD PUT PATCH DELETE",
		"/oauth/authorize": "PUT PATCH DELETE",
		"/oauth/userinfo":  "PUT PATCH DELETE",
	} {
		for method := range strings.FieldsSeq(methods) {
			answer := s.call(t, method, path, "")
			require.Equal(t, http.StatusMethodNotAllowed, answer.status, method+path)
			require.NotEmpty(t, answer.header.Get("Allow"), method+path)
		}
	}
	answer := s.call(t, http.MethodOptions, "/oauth/token", "", "Origin", "https://other.example", "Access-Control-Request-Method", "POST")
	require.Equal(t, http.StatusNoContent, answer.status)
	require.Equal(t, "*", answer.header.Get("Access-Control-Allow-Origin"))

	answer = s.call(t, http.MethodGet, "/.well-known/oauth-authorization-server", "")
	require.Equal(t, http.StatusOK, answer.status)
	var metadata struct {
		Issuer        string
		TokenEndpoint string `json:"token_endpoint"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer.body), &metadata))
	require.Equal(t, s.url, metadata.Issuer)
	require.Equal(t, s.url+"/oauth/token", metadata.TokenEndpoint)
	answer = s.call(t, http.MethodHead, "/.well-known/oauth-authorization-server", "")
	require.Equal(t, http.StatusOK, answer.status)
	require.Empty(t, answer.body)

	// The path ends in a parameter, which each router writes its own way.
	answer = s.call(t, http.MethodGet, "/oauth/register/some-client", "")
	require.Equal(t, http.StatusUnauthorized, answer.status)
}

func (s site) testLoginPage(t *testing.T) {
	form := func(login, password, next string) string {
		return url.Values{"login": {login}, "password": {password}, "next": {next}}.Encode()
	}
	for next, want := range map[string]string{
		"/oauth/authorize?client_id=x&state=a%2Fb": "/oauth/authorize?client_id=x&state=a%2Fb",
		"//evil.example":       "/",
		`/\evil.example`:       "/",
		"/\t/evil.example":     "/",
		"https://evil.example": "/",
		"":                     "/",
	} {
		answer := s.call(t, http.MethodPost, "/login", form("ada", password, next))
		require.Equal(t, http.StatusSeeOther, answer.status)
		require.Equal(t, want, answer.header.Get("Location"), "%q", next)
		cookie := answer.cookies[0]
		require.True(t, cookie.HttpOnly)
		require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)

		// The next sign-in in this browser gets a new session.
		answer = s.call(t, http.MethodPost, "/login", form("grace", password, next), "Cookie", cookie.Name+"="+cookie.Value)
		require.NotEqual(t, cookie.Value, answer.cookies[0].Value)
	}
	answer := s.call(t, http.MethodPost, "/login", form("ada", "wrong", "/x"))
	require.Equal(t, http.StatusUnprocessableEntity, answer.status)
	require.Contains(t, answer.body, `value="/x"`)
	require.Empty(t, answer.cookies)
	answer = s.call(t, http.MethodPost, "/login", form("ada", password, "/"), "Origin", "https://evil.example")
	require.Equal(t, http.StatusForbidden, answer.status)
	require.Empty(t, answer.cookies)
}

// answer is a response, read to its end.
type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

// call makes a request as a program does: without cookies, and without following
// redirects. headers are names and values in turn.
func (s site) call(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, response.Cookies(), string(content)}
}
