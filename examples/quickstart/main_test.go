package main

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/run"
)

func TestBadUsage(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		says []string
	}{
		{"an unknown flag", []string{"-port", "80"}, []string{"-port", "-h"}},
		{"an argument", []string{"walk"}, []string{`"walk"`, "-h"}},
		{"an address without a port", []string{"-addr", "localhost"}, []string{"-addr", `"localhost"`, "127.0.0.1:8080"}},
		{"an issuer with a path", []string{"-issuer", "https://acme.example/app"}, []string{"-issuer", "path"}},
		{"an issuer that isn't a URL", []string{"-walk", "-issuer", "acme"}, []string{"-issuer", `"acme"`}},
		{"an issuer without TLS", []string{"-walk", "-issuer", "http://acme.example"}, []string{"-issuer", "https"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, 2, run.Run(t.Context(), start, test.args, &stdout, &stderr))
			require.Empty(t, stdout.String())
			for _, text := range test.says {
				require.Contains(t, stderr.String(), text)
			}
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", &stderr)
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run.Run(t.Context(), start, []string{"-h"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	for _, text := range []string{"-addr", "-client-addr", "-issuer", "-secret-key", "/v1/oauth_applications", "-limit", "-walk"} {
		require.Contains(t, stdout.String(), text)
	}
}

// The built program prints where to go, serves there, and stops cleanly.
func TestStopsOnSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI runs every test")
		t.Skip("Windows has no such signals.")
	}
	program := filepath.Join(t.TempDir(), "quickstart")
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(output))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, "-addr", "127.0.0.1:0", "-client-addr", "127.0.0.1:0", "-secret-key", "sk_test_try_me")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill() // for when the test fails

			var address, advice string
			lines := bufio.NewScanner(stdout)
			for lines.Scan() {
				if code, _, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "  "), ": "); ok && strings.HasPrefix(lines.Text(), "  ") {
					advice += code + " "
				}
				if rest, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
					address, _, _ = strings.Cut(rest, " ")
				}
				if strings.HasPrefix(lines.Text(), "Press Ctrl+C") {
					break
				}
			}
			require.Equal(t, "issuer-not-https store-volatile events-missing token-prefix-missing key-short ", advice)
			answer, err := http.Get(address)
			require.NoError(t, err)
			answer.Body.Close()
			require.Equal(t, http.StatusOK, answer.StatusCode)

			sent := time.Now()
			require.NoError(t, cmd.Process.Signal(signal))
			require.NoError(t, cmd.Wait(), "exit status 0")
			require.Less(t, time.Since(sent), 5*time.Second)
			require.Empty(t, stderr.String())
		})
	}
}
