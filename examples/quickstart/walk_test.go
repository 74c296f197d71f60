package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWalk(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-walk"}, &stdout, &stderr), "%s\n%s", &stdout, &stderr)
	steps, document, ok := strings.Cut(stdout.String(), "\n{\n")
	require.True(t, ok, "it ends with the userinfo document")
	for _, text := range []string{
		"1. ", "10. ", "Wiki → POST http://127.0.0.1:", "/oauth/token, as Basic ", "/oauth/userinfo, as Bearer oat_", "/api/notes, as Bearer oat_",
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

	// Everything secret has more than 24 random letters and digits, or words.
	require.NotContains(t, steps, password)
	require.NotContains(t, steps, "horse")
	for _, text := range regexp.MustCompile(`[A-Za-z0-9_+/-]{24,}`).FindAllString(steps, -1) {
		require.Contains(t, []string{"profile+email+public_metadata+notes"}, text)
	}
}

func TestWalkNamesTheStepThatFailed(t *testing.T) {
	d := newDemo(t)
	d.users.byLogin["ada"].passwordHash = d.users.decoy
	err := walk(t.Context(), io.Discard, d.wikiURL, d.acmeURL)
	require.ErrorContains(t, err, "step 5 failed (She signs in.")
	require.ErrorContains(t, err, "expected a redirect to "+d.acmeURL+`/oauth/authorize, got 422 "Sign in · Acme Notes"`)

	err = walk(t.Context(), io.Discard, d.acmeURL, d.acmeURL)
	require.ErrorContains(t, err, `step 1 failed`)
	require.ErrorContains(t, err, `expected a page with "Sign in with Acme", got 200 "Acme Notes"`)

	err = walk(t.Context(), io.Discard, "http://127.0.0.1:1", d.acmeURL)
	require.ErrorContains(t, err, `step 1 failed`)
}

// No secret gets into a line in full, wherever it is.
func TestTracerShortensSecrets(t *testing.T) {
	const secret = "S3CRETsecretS3CRETsecret"
	var all url.Values = map[string][]string{"harmless": {"plain text"}, "unheard_of": {secret}}
	for _, name := range []string{
		"access_token", "client_secret", "code", "code_challenge", "code_verifier", "password", "refresh_token", "seal", "state",
	} {
		all.Set(name, "short?secret")
	}
	all.Set("next", "/authorize?state="+secret)
	answer, err := json.Marshal(map[string]any{"access_token": secret, "refresh_token": secret, "id_token": secret, "expires_in": 7200})
	require.NoError(t, err)
	var out bytes.Buffer
	tracer := &tracer{who: "test", out: &out, next: roundTripper(func(*http.Request) *http.Response {
		return &http.Response{
			StatusCode: http.StatusSeeOther,
			Header: http.Header{
				"Content-Type": {"application/json"}, "Location": {"http://127.0.0.1/?" + all.Encode()}, "Set-Cookie": {"session=" + secret},
			},
			Body: io.NopCloser(bytes.NewReader(answer)),
		}
	})}
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/?"+all.Encode(), strings.NewReader(all.Encode()))
	require.NoError(t, err)
	request.SetBasicAuth("client", secret)
	response, err := tracer.RoundTrip(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, answer, body, "whoever asked gets the whole answer")

	require.NotContains(t, out.String(), secret)
	require.NotContains(t, out.String(), "short?")
	require.NotContains(t, out.String(), base64.StdEncoding.EncodeToString([]byte("client:"+secret)))
	require.Contains(t, out.String(), `harmless="plain text"`)
	require.Contains(t, out.String(), "refresh_token=S3CRET…")
	require.Contains(t, out.String(), "next=/authorize?…")
	require.Equal(t, 2, strings.Count(out.String(), "\n"), "a line for the request and one for the answer")
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
