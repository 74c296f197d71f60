package main

import (
	"bufio"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The steps of docs/start/quickstart.md work: start the provider, start the client
// with the command that the provider prints, and sign in.
func TestQuickstart(t *testing.T) {
	dir := t.TempDir()
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", ".", "./wiki").CombinedOutput()
	require.NoError(t, err, "%s", output)
	site, wikiAddr := freeAddr(t), freeAddr(t)

	says := started(t, filepath.Join(dir, "first"), "-addr", site, "-wiki-addr", wikiAddr)
	command := strings.Fields(says)
	require.Equal(t, []string{"go", "run", "./wiki", "-id"}, command[:4], says)
	says = started(t, filepath.Join(dir, "wiki"), append(command[3:], "-addr", wikiAddr, "-issuer", "http://"+site)...)
	require.Equal(t, "Open http://"+wikiAddr, says)

	b := browser.New(nil)
	var page *browser.Page
	for deadline := time.Now().Add(10 * time.Second); ; {
		// The programs print before they listen.
		if page, err = b.Open(t.Context(), "http://"+wikiAddr); err == nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	require.Empty(t, providertest.Diagnose(t, nil, "http://"+site, command[4]))
	follow := func() {
		t.Helper()
		require.NoError(t, err)
		for page.Leads() != "" {
			page, err = b.Follow(t.Context(), page)
			require.NoError(t, err)
		}
	}
	follow()
	page, err = b.Press(t.Context(), page, "Sign in", map[string]string{"login": "ada", "password": "wrong"})
	follow()
	require.Equal(t, http.StatusUnprocessableEntity, page.Status)
	page, err = b.Press(t.Context(), page, "Sign in", map[string]string{"login": "ada", "password": password})
	follow()
	require.Contains(t, page.Text(), "Wiki wants access to your My app account")
	page, err = b.Press(t.Context(), page, "Allow", nil)
	follow()
	require.Contains(t, page.Text(), "Welcome to Wiki, Ada Lovelace (ada@example.com)")

	// The command for the shell.
	found := regexp.MustCompile(`'Authorization: Bearer (\S+)' (\S+/api/me)`).FindStringSubmatch(page.Text())
	require.NotNil(t, found)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, found[2], nil)
	require.NoError(t, err)
	answers := func(header string) int {
		r.Header.Set("Authorization", header)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		return answer.StatusCode
	}
	require.Equal(t, http.StatusUnauthorized, answers(""))
	require.Equal(t, http.StatusUnauthorized, answers("Bearer "+found[1][:len(found[1])-1]))
	require.Equal(t, http.StatusOK, answers("Bearer "+found[1]))

	// The next steps of the page.
	page, err = b.Open(t.Context(), "http://"+wikiAddr)
	follow()
	require.Contains(t, string(page.Body), "wants access to your", "Latchkey asks each time for a client on this device")
	page, err = b.Press(t.Context(), page, "Allow", nil)
	follow()
	require.Contains(t, string(page.Body), "Welcome to Wiki")
	page, err = b.Open(t.Context(), "http://"+site)
	follow()
	require.Contains(t, string(page.Body), `href="/oauth/connections"`)
	page, err = b.Open(t.Context(), "http://"+site+"/oauth/connections")
	follow()
	page, err = b.Press(t.Context(), page, "Disconnect Wiki", nil)
	follow()
	require.Equal(t, http.StatusUnauthorized, answers("Bearer "+found[1]))
}

// freeAddr returns a free address.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return "localhost:" + port
}

// started runs a program until the test ends and returns its first line.
func started(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "the program ended")
	return lines.Text()
}
