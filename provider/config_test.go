package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

func goodConfig() provider.Config {
	return provider.Config{
		Issuer:      "https://app.example.com",
		Store:       memory.New(),
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
	}
}

func TestNewReportsEveryProblemAtOnce(t *testing.T) {
	_, err := provider.New(provider.Config{
		Lifetimes: provider.Lifetimes{Code: -1, Access: time.Millisecond, Grace: -1}, StoreTimeout: -1, TokenPrefix: "acme-", Pages: pages.Config{LogoURL: "http://elsewhere.example.com/logo.png", AccentColor: "blue"},
		Scopes: []scopes.Scope{{Name: "a b", Title: "x"}, {Name: "openid", Title: "x"}, {Name: "c"}, {Name: "d", Title: "x"}, {Name: "d", Title: "x"}, {Name: "e", Title: "x", Access: "admin"}},
		Paths:  provider.Paths{Authorize: "oauth", Token: "/x", UserInfo: "/x", Revoke: "/a/{b}"},
	})
	for _, says := range []string{
		`has the Access "admin" for "e"`, "Config.Issuer is missing", "Config.Store is missing", "Config.CurrentUser is missing", "Config.SignIn is missing", "Config.Users is missing",
		"Config.Lifetimes.Code is negative", "Config.Lifetimes.Access is 1ms", "Config.Lifetimes.Grace is negative", "Config.StoreTimeout is negative", `Config.TokenPrefix is "acme-"`,
		"Config.LogoURL is", `Config.AccentColor is "blue"`,
		`Config.Scopes has the name "a b"`, `Config.Scopes has the name "openid"`, `has no Title for "c"`, `has "d" twice`,
		`Config.Paths.Authorize is "oauth"`, "Config.Paths.UserInfo is the same as Paths.Token", "Config.Paths.Revoke is",
	} {
		require.ErrorContains(t, err, says)
	}
	_, err = provider.New(goodConfig())
	require.NoError(t, err)
}

func TestIssuer(t *testing.T) {
	for issuer, says := range map[string]string{
		"app.example.com":              "absolute URL",
		"/x":                           "absolute URL",
		"http://app.example.com":       "use https",
		"http://127.0.0.2":             "use https",
		"ftp://app.example.com":        "use https",
		"https://app.example.com/":     "trailing slash",
		"https://app.example.com/x/":   "trailing slash",
		"https://app.example.com?x":    "query",
		"https://app.example.com?":     "query",
		"https://app.example.com#x":    "fragment",
		"https://u@app.example.com":    "user",
		"HTTPS://app.example.com":      "normalize",
		"https://app.example.com/a%2f": "normalize",
		"https://App.example.com":      "normalize",
		"https://app.example.com//a":   "normalize",
		"https://app.example.com/a/..": "normalize",
		"https://app.example.com:443":  "remove the port",
		"http://localhost:80":          "remove the port",
	} {
		c := goodConfig()
		c.Issuer = issuer
		_, err := provider.New(c)
		require.ErrorContains(t, err, says, issuer)
	}
	for _, issuer := range []string{"https://app.example.com", "https://app.example.com:8443/a/b", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:1"} {
		c := goodConfig()
		c.Issuer = issuer
		_, err := provider.New(c)
		require.NoError(t, err, issuer)
	}
}

// A host's patterns keep working next to the provider's, and must not panic.
func TestMountNextToAHostsPatterns(t *testing.T) {
	p, err := provider.New(goodConfig())
	require.NoError(t, err)
	for _, pattern := range []string{"/", "GET /", "GET /{path...}", "app.example.com/", "/.well-known/", "POST /{path...}"} {
		mux := http.NewServeMux()
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		p.Mount(mux)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("POST", "/oauth/token", nil))
		if !strings.HasPrefix(pattern, "app.") {
			require.Equal(t, http.StatusBadRequest, w.Code, pattern)
		}
	}
}

func TestPathsMoveAndLeaveOutEndpoints(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Paths = provider.Paths{Authorize: "/a", Token: "/t", Revoke: "-", Introspect: "-", NoMetadata: true, Connections: "-"}
	})
	for _, r := range h.Routes() {
		require.Contains(t, []string{"/a", "/t", "/oauth/userinfo"}, r.Path)
		require.Equal(t, r.Path == "/a", r.Session)
	}
	app := h.application(provider.ApplicationSettings{})
	h.browser().get(strings.Replace(app.request("client_id", ""), "/oauth/authorize", "/a", 1)).errorPage(t, 400, "client_id")
	require.Equal(t, "the host's own page", h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body)
}

// It makes no difference whether a proxy or a router strips the issuer's path.
func TestIssuerWithAPath(t *testing.T) {
	for _, strip := range []bool{false, true} {
		h := newHost(t, func(c *provider.Config) { c.Issuer += "/sub" })
		if strip {
			inner := h.server.Config.Handler
			h.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/sub/") {
					http.StripPrefix("/sub", inner).ServeHTTP(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			})
		}
		h.url += "/sub"
		app := h.application(provider.ApplicationSettings{})
		b := h.browser()
		r := b.get(app.request())
		require.Contains(t, r.Header.Get("Location"), "next=%2Fsub%2Foauth%2Fauthorize%3F")
		root := strings.TrimSuffix(h.url, "/sub")
		h.url = root
		b.signIn("user_ada")
		page := b.get(root + "/sub" + strings.TrimPrefix(app.request(), root))
		require.Contains(t, page.body, `action="/sub/oauth/authorize"`)
		answer := b.post("/sub/oauth/authorize", page.form(t, "allow")).redirected(t)
		require.Equal(t, root+"/sub", answer.Get("iss"))
		h.url = root + "/sub"
		got := app.redeem(answer.Get("code")).tokens(t)
		h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)

		// The document is also where clients look that append the well-known
		// path.
		appended := h.send("GET", "/.well-known/oauth-authorization-server", nil, "")
		require.Contains(t, appended.body, `"issuer":"`+root+`/sub"`)
		h.url = root
		require.Equal(t, h.send("GET", "/.well-known/oauth-authorization-server/sub", nil, "").body, appended.body)
	}
}

// A host must trust and carry every linked package.
func TestLinkedPackages(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for _, dep := range strings.Fields(string(out)) {
		first, _, _ := strings.Cut(dep, "/")
		if !strings.Contains(first, ".") || strings.HasPrefix(dep, "github.com/latchkey-go/latchkey/") {
			continue
		}
		allowed := false
		for _, prefix := range []string{"github.com/go-oauth2/oauth2/v4", "github.com/google/uuid", "golang.org/x/crypto/"} {
			allowed = allowed || strings.HasPrefix(dep, prefix)
		}
		require.True(t, allowed, "provider links %s", dep)
		for _, refused := range []string{"go-oauth2/oauth2/v4/manage", "go-oauth2/oauth2/v4/store", "go-oauth2/oauth2/v4/models", "go-oauth2/oauth2/v4/generates"} {
			require.NotContains(t, dep, refused)
		}
	}
	for _, word := range []string{"testify", "jwt", "jose", "provider/keys", "buntdb", "pgx", "sqlite", "redis"} {
		require.NotContains(t, string(out), word)
	}
}
