package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/acme/acmetest"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/walk"
)

func TestWalk(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run.Run(t.Context(), start, []string{"-walk"}, &stdout, &stderr), "%s\n%s", &stdout, &stderr)
	steps, document, ok := strings.Cut(stdout.String(), "\n{\n")
	require.True(t, ok, "it ends with the userinfo document")
	for _, text := range []string{
		"1. ", "10. ", "Wiki → POST http://127.0.0.1:", "/oauth/token, using Basic ", "/oauth/userinfo, using Bearer oat_", "/api/notes, using Bearer oat_",
		"expires_in=7200", "303 See Other, leads to http://127.0.0.1:", "/login?next=/oauth/authorize?…", "decision=allow", "password=correct…",
		"code_challenge_method=S256", "&iss=http://127.0.0.1:", "sets the cookie acme_session", "sets the cookie wiki_session",
	} {
		require.Contains(t, steps, text)
	}
	var user map[string]any
	require.NoError(t, json.Unmarshal([]byte("{"+document), &user))
	require.Equal(t, "user_1815", user["sub"])
	require.Equal(t, "Ada Lovelace", user["name"])
	require.NotContains(t, user, "private_metadata")

	// Secrets have 24 or more random letters and digits, or words.
	require.NotContains(t, steps, acme.Password)
	require.NotContains(t, steps, "horse")
	for _, text := range regexp.MustCompile(`[A-Za-z0-9_+/-]{24,}`).FindAllString(steps, -1) {
		require.Contains(t, []string{"profile+email+public_metadata+notes"}, text)
	}
}

func TestWalkNamesTheStepThatFailed(t *testing.T) {
	d := newDemo(t)
	listener, brokenURL := acmetest.Listen(t)
	broken, err := newHost(brokenURL, "", 600)
	require.NoError(t, err)
	wiki, err := broken.newWiki(t.Context(), d.wikiURL, io.Discard, false)
	require.NoError(t, err)
	app := broken.handler()
	acmetest.Serve(t, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/login" {
			r.ParseForm()
			r.PostForm.Set("password", "wrong")
		}
		app.ServeHTTP(w, r)
	}))
	d.serveWiki(wiki)
	err = walk.Walk(t.Context(), io.Discard, d.wikiURL, brokenURL)
	require.ErrorContains(t, err, "step 5 failed (She signs in.")
	require.ErrorContains(t, err, "expected a redirect to "+brokenURL+`/oauth/authorize, got 422 "Sign in · Acme Notes"`)

	err = walk.Walk(t.Context(), io.Discard, d.acmeURL, d.acmeURL)
	require.ErrorContains(t, err, `step 1 failed`)
	require.ErrorContains(t, err, `expected a page with "Sign in with Acme", got 200 "Acme Notes"`)

	err = walk.Walk(t.Context(), io.Discard, "http://127.0.0.1:1", d.acmeURL)
	require.ErrorContains(t, err, `step 1 failed`)
}
