package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// started runs the program, and returns the addresses of Wiki and of Acme Notes,
// and what it printed.
func started(t *testing.T) (wiki, issuer, says string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"-addr", "127.0.0.1:0", "-wiki-addr", "localhost:0"}, stdout, &stderr)
		stdout.Close()
	}()
	var text strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(text.String(), "Ctrl+C"); {
		n, err := out.Read(buffer)
		require.NoError(t, err, &stderr)
		text.Write(buffer[:n])
	}
	t.Cleanup(func() {
		stop()
		require.Zero(t, <-status, &stderr)
	})
	addresses := regexp.MustCompile(`http://\w[^\s,]*\d`).FindAllString(text.String(), -1)
	require.Greater(t, len(addresses), 2)
	return addresses[0], addresses[1], text.String()
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
	require.Contains(t, out, "Sign in with Acme Notes", "they are sent on to Wiki")
	require.Contains(t, read(browser.Get(issuer+"/login")), "password", "and are signed out of Acme Notes too")

	// A callback that nobody asked for signs nobody in.
	answer, err := browser.Get(wiki + "/callback?code=x&state=y")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusBadRequest, answer.StatusCode)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-port", "80"}, {"start"}} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, run(t.Context(), args, &stdout, &stderr))
		require.NotEmpty(t, stderr.String())
	}
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "-wiki-addr")
	require.Equal(t, 1, run(t.Context(), []string{"-addr", "999.999.999.999:1"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "-addr")
}
