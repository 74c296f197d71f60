// Package routertest is the test of the examples that show Latchkey on a
// router: they are the same app.
package routertest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// Run tests the program in the working directory, in which ada and grace sign
// in with the password.
func Run(t *testing.T, password string) {
	t.Run("sign-in and API", func(t *testing.T) { testSignInAndAPI(t, password) })
	t.Run("endpoints for programs", func(t *testing.T) { testEndpointsForPrograms(t, password) })
	t.Run("doctor", func(t *testing.T) {
		site, wiki := started(t, password)
		require.Empty(t, providertest.Diagnose(t, nil, site, wiki.ClientID))
	})
	t.Run("sign-in page", func(t *testing.T) { testSignInPage(t, password) })
}

// started builds the program and runs it on a free port, as a person does,
// until the test ends. It returns where the app is, and Wiki as package oauth2
// is configured for it.
func started(t *testing.T, password string) (site string, wiki *oauth2.Config) {
	t.Helper()
	if runtime.GOOS == "windows" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI tries everything")
		t.Skip("Windows has no signal that asks a program to stop.")
	}
	program := filepath.Join(t.TempDir(), "app")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput() //nolint:gosec // The path is one that the test has made.
	require.NoError(t, err, string(output))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-addr", "127.0.0.1:0") //nolint:gosec // The same.
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		defer cmd.Process.Kill() // for when the test fails
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), "exit status 0")
	})
	var says string
	for lines := bufio.NewScanner(stdout); !strings.Contains(says, password) && lines.Scan(); {
		says += lines.Text() + "\n"
	}
	found := regexp.MustCompile(`client_id (\S+) and client_secret (\S+)\. (?s:.*)Open (\S+) and sign in`).FindStringSubmatch(says)
	require.NotNil(t, found, says)
	site = found[3]
	return site, &oauth2.Config{
		ClientID:     found[1],
		ClientSecret: found[2],
		RedirectURL:  "http://127.0.0.1:8081/callback",
		Endpoint:     oauth2.Endpoint{AuthURL: site + "/oauth/authorize", TokenURL: site + "/oauth/token"},
	}
}

// follow goes where redirects lead, for as long as that is on the same site.
func follow(t *testing.T, b *browser.Browser, page *browser.Page, err error) *browser.Page {
	t.Helper()
	require.NoError(t, err)
	for site := page.URL.Scheme + "://" + page.URL.Host + "/"; strings.HasPrefix(page.Leads(), site); {
		page, err = b.Follow(t.Context(), page)
		require.NoError(t, err)
	}
	return page
}

// token signs ada in to Wiki: through the sign-in page, the consent page and
// the redirect to Wiki, whose part is done here.
func token(t *testing.T, site, password string, wiki oauth2.Config, scope ...string) *oauth2.Token {
	t.Helper()
	wiki.Scopes = scope
	b, verifier := browser.New(nil), oauth2.GenerateVerifier()
	page, err := b.Open(t.Context(), wiki.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier)))
	page = follow(t, b, page, err)
	require.Equal(t, "/login", page.URL.Path)
	page, err = b.Press(t.Context(), page, "Sign in", map[string]string{"login": "ada", "password": password})
	page = follow(t, b, page, err)
	require.Contains(t, page.Text(), "Ada Lovelace")
	page, err = b.Press(t.Context(), page, "Allow", nil)
	require.NoError(t, err)
	back, err := url.Parse(page.Leads())
	require.NoError(t, err)
	answer := back.Query()
	require.Equal(t, "the state", answer.Get("state"))
	require.Equal(t, site, answer.Get("iss"))
	got, err := wiki.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	return got
}

// reply is an answer, read to its end.
type reply struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

// call makes a request without cookies, as a program does.
func call(t *testing.T, method, address, body string, header http.Header) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		request.Header = header
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return reply{answer.StatusCode, answer.Header, answer.Cookies(), string(content)}
}

func testSignInAndAPI(t *testing.T, password string) {
	site, wiki := started(t, password)
	for _, test := range []struct {
		name   string
		token  string
		status int
		says   string // in the challenge
	}{
		{"no token", "", http.StatusUnauthorized, `Bearer realm="` + site + `"`},
		{"a token that is none", "Bearer x", http.StatusUnauthorized, `error="invalid_token"`},
		{"another scope", "Bearer " + token(t, site, password, *wiki, "profile").AccessToken, http.StatusForbidden, `error="insufficient_scope"`},
		{"the right scope", "Bearer " + token(t, site, password, *wiki, "notes:read").AccessToken, http.StatusOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.token != "" {
				header.Set("Authorization", test.token)
			}
			answer := call(t, http.MethodGet, site+"/api/notes", "", header)
			require.Equal(t, test.status, answer.status)
			require.Contains(t, answer.header.Get("WWW-Authenticate"), test.says)
			require.Equal(t, test.status == http.StatusOK, strings.Contains(answer.body, "Measure a pigeon."), answer.body)
			require.NotContains(t, answer.body, "wire", "it is grace's")
		})
	}
}

// Programs reach Latchkey's endpoints without a cookie, and other sites do
// without being taken for a forged form.
func testEndpointsForPrograms(t *testing.T, password string) {
	site, wiki := started(t, password)
	for _, header := range []http.Header{{}, {"Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}} {
		request := http.Request{Header: header}
		request.SetBasicAuth(wiki.ClientID, wiki.ClientSecret)
		answer := call(t, http.MethodPost, site+"/oauth/token", "grant_type=authorization_code&code=unknown", header)
		require.Equal(t, http.StatusBadRequest, answer.status)
		require.Contains(t, answer.body, `"invalid_grant"`)
		require.Empty(t, answer.cookies)
	}
	for _, wrong := range []struct{ path, methods string }{
		{"/oauth/token", "GET HEAD PUT PATCH DELETE"},
		{"/oauth/authorize", "PUT PATCH DELETE"},
		{"/oauth/userinfo", "PUT PATCH DELETE"},
	} {
		path := wrong.path
		for _, method := range strings.Fields(wrong.methods) {
			answer := call(t, method, site+path, "", nil)
			require.Equal(t, http.StatusMethodNotAllowed, answer.status, method+path)
			require.NotEmpty(t, answer.header.Get("Allow"), method+path)
		}
	}
	preflight := http.Header{"Origin": {"https://other.example"}, "Access-Control-Request-Method": {"POST"}}
	answer := call(t, http.MethodOptions, site+"/oauth/token", "", preflight)
	require.Equal(t, http.StatusNoContent, answer.status)
	require.Equal(t, "*", answer.header.Get("Access-Control-Allow-Origin"))

	answer = call(t, http.MethodGet, site+"/.well-known/oauth-authorization-server", "", nil)
	require.Equal(t, http.StatusOK, answer.status)
	var metadata struct {
		Issuer        string
		TokenEndpoint string `json:"token_endpoint"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer.body), &metadata))
	require.Equal(t, site, metadata.Issuer)
	require.Equal(t, site+"/oauth/token", metadata.TokenEndpoint)
	answer = call(t, http.MethodHead, site+"/.well-known/oauth-authorization-server", "", nil)
	require.Equal(t, http.StatusOK, answer.status)
	require.Empty(t, answer.body)
}

func testSignInPage(t *testing.T, password string) {
	site, _ := started(t, password)
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
		answer := call(t, http.MethodPost, site+"/login", form("ada", password, next), nil)
		require.Equal(t, http.StatusSeeOther, answer.status)
		require.Equal(t, want, answer.header.Get("Location"), "%q", next)
		cookie := answer.cookies[0]
		require.True(t, cookie.HttpOnly)
		require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)

		// Another sign-in in this browser gets another session.
		header := http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}
		answer = call(t, http.MethodPost, site+"/login", form("grace", password, next), header)
		require.NotEqual(t, cookie.Value, answer.cookies[0].Value)
		answer = call(t, http.MethodGet, site+"/", "", header)
		require.Equal(t, http.StatusOK, answer.status)
		require.NotContains(t, answer.body, "Welcome", "the session before is over")
	}
	for _, login := range []string{"ada", "nobody"} {
		answer := call(t, http.MethodPost, site+"/login", form(login, "wrong", "/x"), nil)
		require.Equal(t, http.StatusUnprocessableEntity, answer.status)
		require.Contains(t, answer.body, `value="/x"`)
		require.Empty(t, answer.cookies)
	}
	answer := call(t, http.MethodPost, site+"/login", form("ada", password, "/"), http.Header{"Origin": {"https://evil.example"}})
	require.Equal(t, http.StatusForbidden, answer.status)
	require.Empty(t, answer.cookies)
}
