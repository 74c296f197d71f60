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

// started runs the program. It returns the addresses of Wiki and Acme Notes.
func started(t *testing.T) (wiki, issuer string) {
	t.Helper()
	urls := runtest.URLs(runtest.Start(t, start, "-addr", "127.0.0.1:0", "-wiki-addr", "localhost:0"))
	require.Greater(t, len(urls), 1)
	return urls[0], urls[1]
}

// Wiki can read the notes of the chosen team and of no other, until its user
// leaves the team.
func TestChooseAndLeaveATeam(t *testing.T) {
	wiki, issuer := started(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	stay := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	read := func(answer *http.Response, err error) string {
		t.Helper()
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode, string(body))
		return string(body)
	}
	toAcme := func() string {
		t.Helper()
		answer, err := stay.Get(wiki + "/login")
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.Header.Get("Location")
	}
	read(browser.PostForm(issuer+"/login", url.Values{"login": {"ada"}, "password": {acme.Password}}))
	page := read(browser.Get(toAcme()))
	require.Contains(t, page, "Which workspace may")
	require.Contains(t, page, "Weavers")

	shown := read(browser.Get(providertest.Allow(t, browser, toAcme()+"&workspace=team_engine").String()))
	require.Contains(t, shown, "Hello, Ada Lovelace.")
	require.Contains(t, shown, "The notes of team_engine: 200 [Oil the mill on Monday.]")
	require.Contains(t, shown, "The notes of team_weavers: 403")

	require.NotContains(t, read(browser.PostForm(issuer+"/teams/team_engine/leave", nil)), "Analytical Engine")
	shown = read(browser.Get(wiki))
	require.Contains(t, shown, "Acme Notes has ended the access: 401.")
	require.Contains(t, shown, "The notes of team_engine: 401")
	answer, err := browser.Get(toAcme() + "&workspace=team_engine")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusForbidden, answer.StatusCode)

	shown = read(browser.Get(providertest.Allow(t, browser, toAcme()).String()))
	require.Contains(t, shown, "The notes of team_weavers: 200", "the only one that is left")
}
