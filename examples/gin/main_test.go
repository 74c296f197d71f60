package main

import (
	"bufio"
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
)

// started builds the program in dir and runs it on free ports until the test
// ends. It returns what the program prints.
func started(t *testing.T, dir string) (says string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI tries everything")
		t.Skip("Windows has no signal that asks a program to stop.")
	}
	program := filepath.Join(t.TempDir(), "app")
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, dir).CombinedOutput()
	require.NoError(t, err, string(output))
	args := []string{"-addr", "127.0.0.1:0"}
	if dir == "." {
		args = append(args, "-wiki-addr", "127.0.0.1:0")
	}
	cmd := exec.Command(program, args...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		defer cmd.Process.Kill() // for when the test fails
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), "exit status 0")
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		says += lines.Text() + "\n"
		if strings.Contains(lines.Text(), password) {
			return says
		}
	}
	t.Fatalf("the program ended: %s", says)
	return ""
}

// startedProvider starts the provider. It returns the provider's URL, and the
// configuration of Wiki.
func startedProvider(t *testing.T) (site string, wiki *oauth2.Config) {
	t.Helper()
	says := started(t, ".")
	site = regexp.MustCompile(`Open (\S+) and sign in`).FindStringSubmatch(says)[1]
	found := regexp.MustCompile(`client_id (\S+) and client_secret (\S+)\.\nOpen (\S+) to sign in`).FindStringSubmatch(says)
	require.NotNil(t, found, says)
	return site, &oauth2.Config{
		ClientID:     found[1],
		ClientSecret: found[2],
		RedirectURL:  found[3] + "/callback",
		Endpoint:     oauth2.Endpoint{AuthURL: site + "/oauth/authorize", TokenURL: site + "/oauth/token"},
	}
}

// person is a user with a browser.
type person struct {
	t *testing.T
	*browser.Browser
}

func newPerson(t *testing.T) person { return person{t, browser.New(nil)} }

func (p person) open(address string) *browser.Page {
	p.t.Helper()
	page, err := p.Open(p.t.Context(), address)
	require.NoError(p.t, err)
	return page
}

func (p person) press(page *browser.Page, button string, typed map[string]string) *browser.Page {
	p.t.Helper()
	page, err := p.Press(p.t.Context(), page, button, typed)
	require.NoError(p.t, err)
	return page
}

// arrive follows redirects on the same site.
func (p person) arrive(page *browser.Page) *browser.Page {
	p.t.Helper()
	for host := page.URL.Host; page.Leads() != ""; {
		to, err := url.Parse(page.Leads())
		require.NoError(p.t, err)
		if to.Host != host {
			break
		}
		page = p.open(page.Leads())
	}
	return page
}

func (p person) signIn(page *browser.Page, login string) *browser.Page {
	p.t.Helper()
	return p.press(page, "Sign in", map[string]string{"login": login, "password": password})
}

// call makes a request without cookies, like a program.
func call(t *testing.T, method, address, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		request.Header = header
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, string(content)
}

// token signs ada in to Wiki: through the login page, the consent page, and the
// redirect to Wiki. The test plays Wiki.
func token(t *testing.T, site string, wiki oauth2.Config, scope ...string) *oauth2.Token {
	t.Helper()
	wiki.Scopes = scope
	p, verifier := newPerson(t), oauth2.GenerateVerifier()
	login := p.arrive(p.open(wiki.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier))))
	require.Equal(t, "/login", login.URL.Path)
	consent := p.arrive(p.signIn(login, "ada"))
	require.Equal(t, "/oauth/authorize", consent.URL.Path)
	require.Contains(t, consent.Text(), "Acme Notes")
	require.Contains(t, consent.Text(), "Ada Lovelace")
	back, err := url.Parse(p.press(consent, "Allow", nil).Leads())
	require.NoError(t, err)
	answer := back.Query()
	require.Equal(t, wiki.RedirectURL, back.Scheme+"://"+back.Host+back.Path)
	require.Equal(t, "the state", answer.Get("state"))
	require.Equal(t, site, answer.Get("iss"))
	got, err := wiki.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	return got
}

func TestClientSignsIn(t *testing.T) {
	site, wiki := startedProvider(t)
	got := token(t, site, *wiki, "profile", "email", "notes:read")
	require.Equal(t, "profile email notes:read", got.Extra("scope"))

	client := wiki.Client(t.Context(), got)
	answer, err := client.Get(site + "/oauth/userinfo")
	require.NoError(t, err)
	defer answer.Body.Close()
	var user struct{ Sub, Name, Email string }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&user))
	require.Equal(t, "user_1815", user.Sub)
	require.Equal(t, "Ada Lovelace", user.Name)
	require.Equal(t, "ada@acme.example", user.Email)

	got.Expiry = time.Now().Add(-time.Minute)
	fresh, err := wiki.TokenSource(t.Context(), got).Token()
	require.NoError(t, err)
	require.NotEqual(t, got.AccessToken, fresh.AccessToken)
	answer, err = wiki.Client(t.Context(), fresh).Get(site + "/api/notes")
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
}

// Wiki itself signs ada in and shows her notes, or says why not.
func TestWiki(t *testing.T) {
	site, wiki := startedProvider(t)
	home := strings.TrimSuffix(wiki.RedirectURL, "/callback")
	ada := newPerson(t)
	require.Contains(t, ada.open(home).Text(), "Sign in with Acme Notes")
	login := ada.arrive(ada.open(ada.open(home + "/start").Leads()))
	consent := ada.arrive(ada.signIn(login, "ada"))
	back := ada.open(ada.press(consent, "Allow", nil).Leads())
	require.Equal(t, http.StatusOK, back.Status, back.Text())
	require.Contains(t, back.Text(), "Measure a pigeon.")
	require.Contains(t, ada.open(site).Text(), "Connected apps")
	require.Contains(t, ada.open(site+"/oauth/connections").Text(), "Wiki")

	again := ada.arrive(ada.open(ada.open(home + "/start").Leads()))
	denied := ada.open(ada.press(again, "Cancel", nil).Leads())
	require.Equal(t, http.StatusBadRequest, denied.Status)
	require.Contains(t, denied.Text(), "Sign-in failed")
	answer, _ := call(t, http.MethodGet, home+"/callback?code=x&state=x", "", nil)
	require.Equal(t, http.StatusBadRequest, answer.StatusCode)
}

func TestAPI(t *testing.T) {
	site, wiki := startedProvider(t)
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	notes := token(t, site, *wiki, "notes:read").AccessToken
	profile := token(t, site, *wiki, "profile").AccessToken

	answer, body := call(t, http.MethodGet, site+"/api/notes", "", bearer(notes))
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.JSONEq(t, `{"notes": ["Measure a pigeon.", "Ask for more cards."]}`, body)
	require.Empty(t, answer.Cookies())

	answer, _ = call(t, http.MethodGet, site+"/api/notes", "", nil)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Equal(t, `Bearer realm="`+site+`"`, answer.Header.Get("WWW-Authenticate"))

	answer, body = call(t, http.MethodGet, site+"/api/notes", "", bearer(notes+"x"))
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
	require.NotContains(t, body, "pigeon")

	answer, body = call(t, http.MethodGet, site+"/api/notes", "", bearer(profile))
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `scope="notes:read"`)
	require.NotContains(t, body, "pigeon")

	// A token counts, even if the request also has a session.
	grace := newPerson(t)
	cookie := cookieOf(grace.signIn(grace.open(site+"/login"), "grace"))
	own := grace.open(site + "/api/notes")
	require.JSONEq(t, `{"notes": ["Order more wire."]}`, string(own.Body))
	for token, want := range map[string]int{notes: 200, "wrong": 401, profile: 403} {
		header := bearer(token)
		header.Set("Cookie", cookie.Name+"="+cookie.Value)
		answer, body = call(t, http.MethodGet, site+"/api/notes", "", header)
		require.Equal(t, want, answer.StatusCode)
		require.NotContains(t, body, "wire")
	}
}

// Programs reach Latchkey's endpoints without a cookie. Other sites do too: no
// CSRF check takes their requests for forged forms.
func TestEndpointsForPrograms(t *testing.T) {
	site, wiki := startedProvider(t)
	for _, header := range []http.Header{{}, {"Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}} {
		header.Set("Authorization", "Basic "+basic(wiki))
		answer, body := call(t, http.MethodPost, site+"/oauth/token", "grant_type=authorization_code&code=unknown", header)
		require.Equal(t, http.StatusBadRequest, answer.StatusCode)
		require.Contains(t, body, `"invalid_grant"`)
		require.Empty(t, answer.Cookies())
	}
	for path, allow := range map[string]string{"/oauth/token": "POST", "/oauth/token/revoke": "POST", "/oauth/authorize": "GET"} {
		answer, _ := call(t, http.MethodDelete, site+path, "", nil)
		require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode, path)
		require.Contains(t, answer.Header.Get("Allow"), allow, path)
	}
	answer, body := call(t, http.MethodGet, site+"/.well-known/oauth-authorization-server", "", nil)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	var metadata struct {
		Issuer        string
		TokenEndpoint string   `json:"token_endpoint"`
		Scopes        []string `json:"scopes_supported"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &metadata))
	require.Equal(t, site, metadata.Issuer)
	require.Equal(t, site+"/oauth/token", metadata.TokenEndpoint)
	require.Contains(t, metadata.Scopes, "notes:read")
}
