package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	program := w.program()
	address, err := url.Parse(program.address())
	require.NoError(t, err)
	require.Equal(t, w.issuer+"/oauth/authorize", address.Scheme+"://"+address.Host+address.Path)
	asked := address.Query()
	require.Equal(t, "S256", asked.Get("code_challenge_method"))
	require.Len(t, asked.Get("code_challenge"), 43)
	require.GreaterOrEqual(t, len(asked.Get("state")), 26)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/callback$`, asked.Get("redirect_uri"))

	someone := newPerson(t)
	page := someone.open(someone.decide(address.String(), "Allow"))
	require.Equal(t, "Sign-in You can close this page and go back to the terminal.", page.Text())
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "no-referrer", page.Header.Get("Referrer-Policy"))
	status, stdout, stderr := program.ends()
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "You are signed in as Ada Lovelace <ada@acme.example>. The sign-in is kept in "+w.tokenFile)
	require.Equal(t, map[provider.EventKind]int{provider.EventGrantCreated: 1, provider.EventTokenIssued: 1}, w.happened())
	token := w.kept()
	require.NotEmpty(t, token.RefreshToken)
	require.NotContains(t, stdout, token.AccessToken)
	_, err = someone.Open(t.Context(), asked.Get("redirect_uri"))
	require.Error(t, err, "the port is closed")

	if runtime.GOOS != "windows" { // It has no such file modes.
		info, err := os.Stat(w.tokenFile)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		info, err = os.Stat(filepath.Dir(w.tokenFile))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}

	// Later runs need no browser.
	for range 2 {
		status, stdout, stderr = w.runs()
		require.Zero(t, status, stderr)
		require.Contains(t, stdout, "You are signed in as Ada Lovelace")
		require.NotContains(t, stdout, "browser")
	}
	require.Empty(t, w.happened())
	require.Equal(t, token, w.kept())
}

// Each sign-in uses a separate port, state, and verifier.
func TestEachSignInIsAnother(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 3 {
		program := w.program()
		address, err := url.Parse(program.address())
		require.NoError(t, err)
		for _, name := range []string{"state", "code_challenge", "redirect_uri"} {
			seen[address.Query().Get(name)] = true
		}
		defer program.stop()
	}
	require.Len(t, seen, 9)
}

// An expired token is refreshed without the browser, and the new one is saved, so
// that this works many times.
func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.happened()
	seen := map[string]bool{}
	for range 3 {
		token := w.kept()
		seen[token.AccessToken], seen[token.RefreshToken] = true, true
		w.expire()
		status, stdout, stderr := w.runs()
		require.Zero(t, status, stderr)
		require.Contains(t, stdout, "You are signed in as Ada Lovelace")
		require.Equal(t, map[provider.EventKind]int{provider.EventTokenRefreshed: 1}, w.happened())
		require.True(t, w.kept().Valid())
	}
	token := w.kept()
	seen[token.AccessToken], seen[token.RefreshToken] = true, true
	require.Len(t, seen, 8, "each refresh returns a new pair")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(w.tokenFile), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{w.tokenFile}, left, "no other files are left there")

	// The provider can revoke an access token before it expires.
	form := url.Values{"client_id": {w.clientID}, "token": {token.AccessToken}}
	answer, err := http.PostForm(w.issuer+"/oauth/token/revoke", form)
	require.NoError(t, err)
	answer.Body.Close()
	w.happened()
	status, _, stderr := w.runs()
	require.Zero(t, status, stderr)
	require.Equal(t, map[provider.EventKind]int{provider.EventTokenRefreshed: 1}, w.happened())
}

// Runs at the same moment do not log each other out.
func TestParallelRefresh(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.expire()
	var programs []*program
	for range 8 {
		programs = append(programs, w.program("-timeout", "1ns"))
	}
	for _, p := range programs {
		status, _, stderr := p.ends()
		require.Zero(t, status, stderr)
	}
	w.expire()
	status, _, stderr := w.runs()
	require.Zero(t, status, stderr)
}

// If the provider has signed the user out, the program notices with either token
// and signs the user in again.
func TestEndedByTheProvider(t *testing.T) {
	for name, before := range map[string]func(*world){
		"the access token": func(*world) {},
		"the refresh":      (*world).expire,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn()
			err := w.Provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"})
			require.NoError(t, err)
			before(w)
			w.signIn()
		})
	}
}

func TestDenied(t *testing.T) {
	w := newWorld(t)
	program := w.program()
	someone := newPerson(t)
	someone.open(someone.decide(program.address(), "Cancel"))
	status, _, stderr := program.ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: you didn't allow access, so you are not signed in\n", stderr)
	require.NoFileExists(t, w.tokenFile)
}

// The user can allow only some of the scopes.
func TestWhatIsMissingIsNotShown(t *testing.T) {
	for scope, want := range map[string]string{"profile": "Ada Lovelace", "email": "ada@acme.example", "": "Ada Lovelace <ada@acme.example>", "public_metadata": ""} {
		t.Run(scope, func(t *testing.T) {
			w := newWorld(t)
			program := w.program("-scope", scope)
			someone := newPerson(t)
			if want == "" { // The client may not request it.
				someone.open(someone.signIn(program.address()).Leads())
				status, _, stderr := program.ends()
				require.Equal(t, 1, status)
				require.Contains(t, stderr, "the provider rejected the request: ")
				require.Contains(t, stderr, "(invalid_scope)")
				return
			}
			someone.open(someone.decide(program.address(), "Allow"))
			_, stdout, _ := program.ends()
			require.Contains(t, stdout, "You are signed in as "+want+". ")
		})
	}
}

// A response with another state is rejected and changes nothing: the real one is
// still accepted. A response with another issuer ends the sign-in.
func TestForeignAnswers(t *testing.T) {
	w := newWorld(t)
	program := w.program()
	someone, stranger := newPerson(t), newPerson(t)
	to, err := url.Parse(someone.decide(program.address(), "Allow"))
	require.NoError(t, err)
	changed := func(name, value string) string {
		u, query := *to, to.Query()
		query.Set(name, value)
		u.RawQuery = query.Encode()
		return u.String()
	}
	w.happened()
	for _, state := range []string{"", "x", to.Query().Get("state") + "x", strings.ToLower(to.Query().Get("state"))} {
		page := stranger.open(changed("state", state))
		require.Equal(t, http.StatusBadRequest, page.Status)
		require.Contains(t, page.Text(), "it was ignored")
	}
	require.Equal(t, http.StatusBadRequest, stranger.open("http://"+to.Host+"/callback?error=access_denied").Status)
	require.Equal(t, http.StatusNotFound, stranger.open("http://"+to.Host+"/").Status)
	require.Empty(t, w.happened(), "no code was sent to the provider")
	someone.open(to.String())
	status, stdout, stderr := program.ends()
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "You are signed in as Ada Lovelace")
	require.NoError(t, os.Remove(w.tokenFile))

	for name, iss := range map[string]string{"another issuer": "https://evil.example", "no issuer": ""} {
		t.Run(name, func(t *testing.T) {
			program := w.program()
			to, err = url.Parse(newPerson(t).decide(program.address(), "Allow"))
			require.NoError(t, err)
			w.happened()
			stranger.open(changed("iss", iss))
			status, _, stderr := program.ends()
			require.Equal(t, 1, status)
			require.Equal(t, "cli: the response came from another provider, so it was ignored\n", stderr)
			require.Empty(t, w.happened(), "no code was sent to the provider")
			require.NoFileExists(t, w.tokenFile)
		})
	}
	t.Run("another code", func(t *testing.T) {
		program := w.program()
		to, err = url.Parse(newPerson(t).decide(program.address(), "Allow"))
		require.NoError(t, err)
		stranger.open(changed("code", "x"))
		status, _, stderr := program.ends()
		require.Equal(t, 1, status)
		require.Contains(t, stderr, "the provider issued no token: ")
		require.Contains(t, stderr, "invalid_grant")
	})
}

func TestTimeout(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	status, _, stderr := w.program("-timeout", "200ms").ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: no one signed in within 200ms: run the program again\n", stderr)
	require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)

	program := w.program()
	program.address()
	program.stop()
	status, _, stderr = program.ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: stopped before you signed in\n", stderr)
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	status, stdout, stderr := w.runs("-logout")
	require.Zero(t, status, stderr)
	require.Equal(t, "You are not signed in.\n", stdout)

	w.signIn()
	w.happened()
	token := w.kept()
	userinfo := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.issuer+"/oauth/userinfo", nil)
		require.NoError(t, err)
		token.SetAuthHeader(request)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		answer.Body.Close()
		return answer.StatusCode
	}
	require.Equal(t, http.StatusOK, userinfo())
	status, stdout, stderr = w.runs("-logout")
	require.Zero(t, status, stderr)
	require.Equal(t, "You are signed out.\n", stdout)
	require.NoFileExists(t, w.tokenFile)
	require.Equal(t, map[provider.EventKind]int{provider.EventGrantRevoked: 1}, w.happened())
	require.Equal(t, http.StatusUnauthorized, userinfo())
	answer, err := http.PostForm(w.issuer+"/oauth/token", url.Values{
		"client_id": {w.clientID}, "grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken},
	})
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusBadRequest, answer.StatusCode)
}
