package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// started runs the program. It returns the addresses of Wiki and Acme Notes, and
// what the program printed.
func started(t *testing.T) (wiki, issuer, says string) {
	t.Helper()
	says = runtest.Start(t, start, "-addr", "127.0.0.1:0", "-wiki-addr", "localhost:0")
	urls := runtest.URLs(says)
	require.Greater(t, len(urls), 2)
	return urls[0], urls[1], says
}

// A user signs in to Wiki with Acme Notes, and Wiki knows who they are.
func TestSignIn(t *testing.T) {
	wiki, issuer, says := started(t)
	require.Contains(t, says, acme.Password)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	read := func(answer *http.Response, err error) string {
		t.Helper()
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode, string(body))
		return string(body)
	}
	require.Contains(t, read(browser.Get(wiki)), "Sign in with Acme Notes")
	require.Contains(t, read(browser.PostForm(issuer+"/login", url.Values{"login": {"ada"}, "password": {acme.Password}})), "Ada")
	stay := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	toAcme, err := stay.Get(wiki + "/login")
	require.NoError(t, err)
	require.NoError(t, toAcme.Body.Close())
	page := read(browser.Get(providertest.Allow(t, browser, toAcme.Header.Get("Location")).String()))
	require.Contains(t, page, "Hello, Ada Lovelace")
	require.Contains(t, page, "user_1815")
	require.Contains(t, page, "ada@acme.example")

	out := read(browser.PostForm(wiki+"/logout", nil))
	require.Contains(t, out, "Sign in with Acme Notes", "they are sent back to Wiki")
	require.Contains(t, read(browser.Get(issuer+"/login")), "password", "and are signed out of Acme Notes too")

	// A callback without a sign-in is rejected.
	answer, err := browser.Get(wiki + "/callback?code=x&state=y")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusBadRequest, answer.StatusCode)
}
