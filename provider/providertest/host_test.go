package providertest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/userinfo"
)

// userInfo returns the userinfo document for a token.
func userInfo(t *testing.T, host *providertest.Host, token string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", host.URL+"/oauth/userinfo", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := host.Client.Do(r)
	require.NoError(t, err)
	defer w.Body.Close()
	var document map[string]any
	require.NoError(t, json.NewDecoder(w.Body).Decode(&document))
	return document
}

func TestHostHasTwoUsers(t *testing.T) {
	host := providertest.New(t)
	all := []string{"profile", "email", "public_metadata", "private_metadata"}

	host.SignIn("user_ada")
	ada := userInfo(t, host, providertest.Authorize(t, host.Provider, host.Client, all...).AccessToken)
	for _, field := range []string{"name", "given_name", "family_name", "username", "picture", "email", "email_verified", "public_metadata", "private_metadata", "unsafe_metadata"} {
		require.NotEmpty(t, ada[field], "of Ada, %s is known", field)
	}

	host.SignIn("user_grace")
	grace := userInfo(t, host, providertest.Authorize(t, host.Provider, host.Client, all...).AccessToken)
	require.Equal(t, "Grace Hopper", grace["name"])
	require.Equal(t, false, grace["email_verified"])
	require.NotContains(t, grace, "username")
}

func TestHostAddUser(t *testing.T) {
	host := providertest.New(t)
	metadata := map[string]any{"plan": "free"}
	host.AddUser(userinfo.User{ID: "user_new", Name: "Someone New", PublicMetadata: metadata})
	metadata["plan"] = "changed afterwards"
	host.SignIn("user_new")
	token := providertest.Authorize(t, host.Provider, host.Client, "public_metadata", "profile").AccessToken
	require.Equal(t, map[string]any{"plan": "free"}, userInfo(t, host, token)["public_metadata"])

	host.AddUser(userinfo.User{ID: "user_new", Name: "Another Name"})
	require.Equal(t, "Another Name", userInfo(t, host, token)["name"])
}

func TestHostSignInAndOut(t *testing.T) {
	host := providertest.New(t)
	browse := func(t testing.TB) { providertest.Authorize(t, host.Provider, host.Client) }
	require.Contains(t, fatal(t, browse), "call Host.SignIn first")
	host.SignIn("user_ada")
	browse(t)
	host.SignIn("")
	require.Contains(t, fatal(t, browse), "call Host.SignIn first")
}

// withOutput is a test whose log is recorded.
type withOutput struct {
	testing.TB
	log strings.Builder
}

func (t *withOutput) Output() io.Writer { return &t.log }

func TestHostEndsWithItsTestAndLogsToIt(t *testing.T) {
	var host *providertest.Host
	var log *withOutput
	t.Run("a test", func(t *testing.T) {
		log = &withOutput{TB: t}
		host = providertest.New(log)
		w, err := host.Client.Get(host.URL + "/oauth/userinfo")
		require.NoError(t, err)
		w.Body.Close()
		require.Equal(t, http.StatusUnauthorized, w.StatusCode)
	})
	require.Contains(t, log.log.String(), "endpoint=userinfo error=invalid_token")
	_, err := host.Client.Get(host.URL)
	require.Error(t, err)
}

func TestHostSignInOfAnUnknownUser(t *testing.T) {
	var text string
	t.Run("a test", func(t *testing.T) {
		text = fatal(t, func(t testing.TB) { providertest.New(t).SignIn("ada") })
	})
	require.Contains(t, text, `the user "ada" cannot be found: use one of the initial users, user_ada or user_grace, or add this one with Host.AddUser`)
}

func TestHostOfABadConfig(t *testing.T) {
	text := fatal(t, func(t testing.TB) {
		providertest.New(t, func(c *provider.Config) { c.Issuer = "acme"; c.Lifetimes.Code = -1 })
	})
	require.Contains(t, text, "providertest: New: the Config is invalid: ")
	require.Contains(t, text, "Issuer")
	require.Contains(t, text, "Lifetimes.Code")
}

// An application that demands a fresh sign-in gets one, with any clock.
func TestHostSignsInAgainWhereAsked(t *testing.T) {
	now := time.Now()
	var offset atomic.Int64
	host := providertest.New(t, func(c *provider.Config) {
		c.Now = func() time.Time { return now.Add(time.Duration(offset.Load())) }
	})
	w := newWiki(host, "profile")
	for _, prompt := range []string{"login", "select_account", "login consent"} {
		host.SignIn("user_ada")
		offset.Add(int64(time.Hour))
		callback := providertest.Allow(t, host.Client, w.signInURL()+"&prompt="+url.QueryEscape(prompt))
		require.NotEmpty(t, callback.Query().Get("code"), "%s: %s", prompt, callback)
	}
}

func TestHostClientStaysThere(t *testing.T) {
	host := providertest.New(t)
	host.Mux.HandleFunc("GET /here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) })
	host.Mux.HandleFunc("GET /there", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "there") })
	host.Mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://wiki.example.com/callback?code=x", http.StatusFound)
	})
	for path, want := range map[string]int{"/here": http.StatusOK, "/away": http.StatusFound} {
		w, err := host.Client.Get(host.URL + path)
		require.NoError(t, err)
		w.Body.Close()
		require.Equal(t, want, w.StatusCode, path)
	}
}

// The issuer may have a path, like that of a host behind a proxy.
func TestHostWithAPath(t *testing.T) {
	host := providertest.New(t, func(c *provider.Config) {
		c.Issuer += "/acme"
		c.Paths.Authorize, c.Paths.NoMetadata = "/sign-in-with", true
	})
	host.SignIn("user_ada")
	require.Equal(t, "profile", providertest.Authorize(t, host.Provider, host.Client, "profile").Scope)
}

func TestHostsInParallel(t *testing.T) {
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			host := providertest.New(t, withNotes)
			user := []string{"user_ada", "user_grace"}[i%2]
			host.SignIn(user)
			tokens := providertest.Authorize(t, host.Provider, host.Client, "profile", "notes:read")
			require.Equal(t, user, userInfo(t, host, tokens.AccessToken)["user_id"])
		})
	}
}
