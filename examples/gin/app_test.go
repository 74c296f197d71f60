package main

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
)

// The app works as it did before.
func TestAppBeforeAndAfter(t *testing.T) {
	for _, dir := range []string{"./before", "."} {
		t.Run(dir, func(t *testing.T) {
			says := started(t, dir)
			site := regexp.MustCompile(`Open (\S+) and sign in`).FindStringSubmatch(says)[1]
			t.Run("session", func(t *testing.T) { testSession(t, site) })
			t.Run("wrong password", func(t *testing.T) { testWrongPassword(t, site) })
			t.Run("next", func(t *testing.T) { testNext(t, site) })
			t.Run("forms of other sites", func(t *testing.T) { testFormsOfOtherSites(t, site) })
		})
	}
}

func testSession(t *testing.T, site string) {
	p := newPerson(t)
	require.Contains(t, p.open(site).Text(), "Sign in")
	require.Equal(t, http.StatusUnauthorized, p.open(site+"/api/notes").Status)

	signedIn := p.signIn(p.open(site+"/login"), "ada")
	require.Equal(t, site+"/", signedIn.Leads())
	cookie := cookieOf(signedIn)
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "/", cookie.Path)
	require.Contains(t, p.open(site).Text(), "Welcome, Ada Lovelace. These are your notes: Measure a pigeon.")
	require.JSONEq(t, `{"notes": ["Measure a pigeon.", "Ask for more cards."]}`, string(p.open(site+"/api/notes").Body))

	// The next user in this browser gets a new session.
	again := p.signIn(p.open(site+"/login"), "grace")
	require.NotEqual(t, cookie.Value, cookieOf(again).Value)
	require.JSONEq(t, `{"notes": ["Order more wire."]}`, string(p.open(site+"/api/notes").Body))

	require.Equal(t, site+"/", p.press(p.open(site), "Sign out", nil).Leads())
	require.Equal(t, http.StatusUnauthorized, p.open(site+"/api/notes").Status)
	require.NotContains(t, p.open(site).Text(), "Welcome")

	for _, forged := range []string{"x", cookie.Value[:len(cookie.Value)-8] + "AAAAAAAA"} {
		answer, _ := call(t, http.MethodGet, site+"/api/notes", "", http.Header{"Cookie": {"acme_session=" + forged}})
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	}
}

func testWrongPassword(t *testing.T, site string) {
	for _, login := range []string{"ada", "unknown", ""} {
		p := newPerson(t)
		page := p.press(p.open(site+"/login?next=/x"), "Sign in", map[string]string{"login": login, "password": "wrong"})
		require.Equal(t, http.StatusUnprocessableEntity, page.Status)
		require.Contains(t, page.Text(), "Wrong login or password")
		require.Contains(t, string(page.Body), `name="next" value="/x"`)
		require.Empty(t, page.Header["Set-Cookie"])
	}
}

func testNext(t *testing.T, site string) {
	for next, want := range map[string]string{
		"/oauth/authorize?client_id=x&state=a%2Fb": "/oauth/authorize?client_id=x&state=a%2Fb",
		"//evil.example":         "/",
		`/\evil.example`:         "/",
		"/\t/evil.example":       "/",
		"https://evil.example":   "/",
		"javascript:alert(1)":    "/",
		"evil.example":           "/",
		"":                       "/",
		" //evil.example":        "/",
		"/\x7f/evil.example":     "/",
		"/?next=//evil.example":  "/?next=//evil.example",
		"/%09/evil.example?a=%0": "/%09/evil.example?a=%0",
	} {
		p := newPerson(t)
		page := p.signIn(p.open(site+"/login?next="+url.QueryEscape(next)), "ada")
		require.Equal(t, http.StatusSeeOther, page.Status)
		require.Equal(t, want, page.Header.Get("Location"), "%q", next)
		typed := map[string]string{"login": "ada", "password": password, "next": next}
		page = p.press(p.open(site+"/login"), "Sign in", typed)
		require.Equal(t, want, page.Header.Get("Location"), "%q", next)
	}
}

func testFormsOfOtherSites(t *testing.T, site string) {
	form := url.Values{"login": {"ada"}, "password": {password}}.Encode()
	for _, header := range []http.Header{{"Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": {"same-site"}}} {
		for _, path := range []string{"/login", "/logout"} {
			answer, _ := call(t, http.MethodPost, site+path, form, header)
			require.Equal(t, http.StatusForbidden, answer.StatusCode)
			require.Empty(t, answer.Cookies())
		}
	}
}

// cookieOf returns the session cookie in a response.
func cookieOf(page *browser.Page) *http.Cookie {
	return (&http.Response{Header: page.Header}).Cookies()[0]
}

func basic(c *oauth2.Config) string {
	return base64.StdEncoding.EncodeToString([]byte(c.ClientID + ":" + c.ClientSecret))
}
