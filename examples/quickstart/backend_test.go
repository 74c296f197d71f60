package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// started runs the program until the test ends, and returns what it says at
// the start and where Acme is.
func started(t *testing.T, args ...string) (says, acmeURL string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	status := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		status <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-client-addr", "127.0.0.1:0", "-store", "memory"}, args...), stdout, &stderr)
		stdout.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.Zero(t, <-status, &stderr)
	})
	var text strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(text.String(), "Ctrl+C"); {
		n, err := out.Read(buffer)
		require.NoError(t, err, &stderr)
		text.Write(buffer[:n])
	}
	go io.Copy(io.Discard, out)
	acmeURL = regexp.MustCompile(`http://\S+`).FindString(text.String())
	return text.String(), acmeURL
}

func TestBackendAPIIsOffWithoutAKey(t *testing.T) {
	says, acmeURL := started(t)
	require.Contains(t, says, "-secret-key")
	for _, header := range []http.Header{nil, {"Authorization": {"Bearer "}}, {"Authorization": {"Bearer sk_test"}}} {
		for _, path := range []string{"/v1/oauth_applications", "/oauth_applications/access_tokens/verify"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				answer, _ := request(t, method, acmeURL+path, "", header)
				require.Equal(t, http.StatusNotFound, answer.StatusCode)
			}
		}
	}
}

func TestBackendAPI(t *testing.T) {
	says, acmeURL := started(t, "-secret-key", "sk_test")
	require.Contains(t, says, acmeURL+"/v1/oauth_applications")
	require.NotContains(t, says, "sk_test")
	path := acmeURL + "/v1/oauth_applications"
	answer, body := request(t, "GET", path, "", http.Header{"Authorization": {"Bearer sk_test"}})
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, body, `"total_count":1`, "Wiki is there")
	answer, _ = request(t, "GET", path, "", http.Header{"Authorization": {"Bearer sk_tes"}})
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	answer, _ = request(t, "POST", acmeURL+"/oauth_applications/access_tokens/verify", "", http.Header{"Authorization": {"Bearer sk_tes"}})
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	answer, _ = request(t, "GET", acmeURL+"/login", "", nil)
	require.Equal(t, http.StatusOK, answer.StatusCode, "the app's own pages are where they were")
}

// The README's session of commands does what it says, typed as it is there.
func TestReadmeManagesApplications(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "curl is not installed")
		t.Skip("curl is not installed, so the README's commands are not tried")
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	section := regexp.MustCompile("(?s)\n## Manage applications with Clerk's API\n(.*?)\n## ").FindSubmatch(readme)
	require.NotNil(t, section)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(section[1], -1)
	require.Len(t, blocks, 2, "how to start, and the session")
	key := regexp.MustCompile(`^go run ./examples/quickstart -secret-key (\S+)\n$`).FindSubmatch(blocks[0][1])
	require.NotNil(t, key)

	_, acmeURL := started(t, "-secret-key", string(key[1]))
	const inReadme = "http://127.0.0.1:8080/"
	session := string(blocks[1][1])
	require.Equal(t, 1, strings.Count(session, inReadme))
	session = strings.ReplaceAll(session, inReadme, acmeURL+"/")

	// The status of each answer goes to standard error, a line for each.
	shell := exec.CommandContext(t.Context(), "sh", "-eu")
	shell.Stdin = strings.NewReader("curl() { command curl --silent --show-error --write-out '%{stderr}%{http_code}\\n' \"$@\"; }\n" + session)
	var stdout, stderr bytes.Buffer
	shell.Stdout, shell.Stderr = &stdout, &stderr
	require.NoError(t, shell.Run(), "%s\n%s", &stdout, &stderr)
	require.Equal(t, strings.Repeat("200\n", 6), stderr.String(), &stdout)

	type answer struct {
		Object       string
		ID           string
		Name         string
		Scopes       string
		RedirectURIs []string `json:"redirect_uris"`
		ClientSecret string   `json:"client_secret"`
		Deleted      bool
	}
	var got []answer
	for decoder := json.NewDecoder(&stdout); decoder.More(); {
		var a answer
		require.NoError(t, decoder.Decode(&a))
		got = append(got, a)
	}
	require.Len(t, got, 5, "create, read, change, rotate, delete; what the list says goes into a variable")
	created, read, changed, rotated, deleted := got[0], got[1], got[2], got[3], got[4]
	require.Equal(t, "oauth_application", created.Object)
	require.NotEmpty(t, created.ClientSecret)
	require.NotEmpty(t, created.RedirectURIs)
	require.NotEmpty(t, rotated.ClientSecret)
	require.NotEqual(t, created.ClientSecret, rotated.ClientSecret)
	created.ClientSecret, rotated.ClientSecret = "", ""
	require.Equal(t, created, read)
	require.NotEqual(t, read, changed)
	require.Equal(t, changed, rotated)
	require.Equal(t, answer{Object: "oauth_application", ID: created.ID, Deleted: true}, deleted)
	gone, _ := request(t, "GET", acmeURL+"/v1/oauth_applications/"+created.ID, "", http.Header{"Authorization": {"Bearer " + string(key[1])}})
	require.Equal(t, http.StatusNotFound, gone.StatusCode)
}
