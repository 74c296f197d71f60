package browser

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// example builds and starts one of the examples, and returns what it prints
// before it serves.
func example(t testing.TB, name string, args ...string) string {
	t.Helper()
	return exampleUntil(t, "Ctrl+C", name, args...)
}

// exampleUntil starts an example, and returns what it prints up to the line that
// contains the text.
func exampleUntil(t testing.TB, until, name string, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./"+name)
	build.Dir = filepath.Join("..", "..", "examples")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, args...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		stop()
		command.Wait()
	})
	var printed strings.Builder
	for lines := bufio.NewScanner(stdout); !strings.Contains(printed.String(), until); {
		require.True(t, lines.Scan(), "%s ends too soon: %s", name, &printed)
		printed.WriteString(lines.Text() + "\n")
	}
	return printed.String()
}

// The example on a small phone: choose a team, read its notes, leave the team, and
// be rejected.
func TestExampleOfWorkspaces(t *testing.T) {
	t.Parallel()
	axeSource(t)
	p := newPage(t)
	printed := example(t, "workspaces", "-addr", "127.0.0.1:0", "-wiki-addr", "localhost:0")
	addresses := regexp.MustCompile(`http://\w[^\s,]*\d`).FindAllString(printed, -1)
	require.Greater(t, len(addresses), 1, printed)
	wiki, acme := addresses[0], addresses[1]
	password := regexp.MustCompile(`password of both is: (.*)`).FindStringSubmatch(printed)
	require.NotNil(t, password, printed)
	p.allows("favicon.ico") // The examples have none.
	looks := func(what string) {
		t.Helper()
		p.isWide(320, 1)
		require.EqualValues(t, 320, eval[float64](p, `() => document.documentElement.scrollWidth`), what)
		p.axe(what, nil)
	}

	p.goes(wiki)
	looks("Wiki")
	p.clicks("Choose a team at Acme Notes")
	p.arrives(acme + "/login")
	looks("sign in")
	p.clicks("User or email address")
	p.pastes("ada")
	p.clicks("Password")
	p.pastes(password[1])
	p.clicks("Sign in")
	p.arrives(acme + "/oauth/authorize")
	p.shows("Which workspace may Wiki use?", "Analytical Engine", "Weavers")
	looks("choose a team")
	p.clicks("Analytical Engine")
	p.clicks("Allow")
	p.arrives(wiki + "/")
	p.shows("Hello, Ada Lovelace.", "The notes of team_engine: 200 [Oil the mill on Monday.]", "The notes of team_weavers: 403")

	p.goes(acme + "/teams")
	looks("teams")
	p.clicks("Leave Analytical Engine")
	p.arrives(acme + "/teams")
	require.NotContains(t, p.text(), "Analytical Engine")
	p.goes(wiki)
	p.shows("Acme Notes has ended the access: 401.", "The notes of team_engine: 401")
	looks("refused")

	p.clicks("Choose a team at Acme Notes")
	p.arrives(acme + "/oauth/authorize")
	p.shows("This is for the workspace Weavers only.")
}
