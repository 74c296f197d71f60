package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme/acmetest"
)

func TestBackendAPIIsOffWithoutAKey(t *testing.T) {
	says, acmeURL := started(t)
	require.Contains(t, says, "-secret-key")
	for _, header := range []http.Header{nil, {"Authorization": {"Bearer "}}, {"Authorization": {"Bearer sk_test"}}} {
		for _, path := range []string{"/v1/oauth_applications", "/oauth_applications/access_tokens/verify"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				answer, _ := acmetest.Request(t, method, acmeURL+path, "", header)
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
	answer, body := acmetest.Request(t, "GET", path, "", http.Header{"Authorization": {"Bearer sk_test"}})
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, body, `"total_count":1`, "it lists Wiki")
	answer, _ = acmetest.Request(t, "GET", path, "", http.Header{"Authorization": {"Bearer sk_tes"}})
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	answer, _ = acmetest.Request(t, "POST", acmeURL+"/oauth_applications/access_tokens/verify", "", http.Header{"Authorization": {"Bearer sk_tes"}})
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	answer, _ = acmetest.Request(t, "GET", acmeURL+"/login", "", nil)
	require.Equal(t, http.StatusOK, answer.StatusCode, "the app's own pages still work")
}

// The README's commands work the way it says.
func TestReadmeManagesApplications(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "curl is not installed")
		t.Skip("curl is not installed, so the README's commands aren't tested")
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	section := regexp.MustCompile("(?s)\n## Manage applications with Clerk's API\n(.*?)\n## ").FindSubmatch(readme)
	require.NotNil(t, section)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(section[1], -1)
	require.Len(t, blocks, 2, "the start command and the session")
	key := regexp.MustCompile(`^go run ./examples/quickstart -secret-key (\S+)\n$`).FindSubmatch(blocks[0][1])
	require.NotNil(t, key)

	_, acmeURL := started(t, "-secret-key", string(key[1]))
	const inReadme = "http://127.0.0.1:8080/"
	session := string(blocks[1][1])
	require.Equal(t, 1, strings.Count(session, inReadme))
	session = strings.ReplaceAll(session, inReadme, acmeURL+"/")

	// curl prints the status of each response on standard error.
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
	require.Len(t, got, 5, "create, read, change, rotate, delete; a variable takes the list")
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
	gone, _ := acmetest.Request(t, "GET", acmeURL+"/v1/oauth_applications/"+created.ID, "", http.Header{"Authorization": {"Bearer " + string(key[1])}})
	require.Equal(t, http.StatusNotFound, gone.StatusCode)
}
