package main

import (
	"bufio"
	"bytes"
	"net"
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
)

func TestBadUsage(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		says []string
	}{
		{"an unknown flag", []string{"-port", "80"}, []string{"-port", "-h"}},
		{"a flag without its value", []string{"-addr"}, []string{"-addr"}},
		{"what is no flag", []string{"walk"}, []string{`"walk"`, "-h"}},
		{"an unknown store", []string{"-store", "oracle"}, []string{"-store", `"oracle"`, "memory"}},
		{"an address without a port", []string{"-addr", "localhost"}, []string{"-addr", `"localhost"`, "127.0.0.1:8080"}},
		{"a port that is none", []string{"-client-addr", "localhost:99999"}, []string{"-client-addr", `"localhost:99999"`}},
		{"an issuer with a path", []string{"-issuer", "https://acme.example/app"}, []string{"-issuer", "path"}},
		{"an issuer that is no URL", []string{"-walk", "-issuer", "acme"}, []string{"-issuer", `"acme"`}},
		{"an issuer without TLS", []string{"-walk", "-issuer", "http://acme.example"}, []string{"-issuer", "https"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, 2, run(t.Context(), test.args, &stdout, &stderr))
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
	require.Equal(t, 0, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	for _, text := range []string{"-addr", "-client-addr", "-issuer", "-secret-key", "/v1/oauth_applications", "-store", "-walk"} {
		require.Contains(t, stdout.String(), text)
	}
}

func TestTakenPort(t *testing.T) {
	taken := freePort(t).Addr().String()
	_, port, err := net.SplitHostPort(taken)
	require.NoError(t, err)
	for _, test := range []struct{ flag, other string }{{"-addr", "-client-addr"}, {"-client-addr", "-addr"}} {
		t.Run(test.flag, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, 1, run(t.Context(), []string{test.flag, taken, test.other, "127.0.0.1:0"}, &stdout, &stderr))
			require.Contains(t, stderr.String(), "port "+port+" is taken")
			require.Contains(t, stderr.String(), "choose another with "+test.flag)
		})
	}
}

func TestLocalURL(t *testing.T) {
	for _, test := range []struct {
		addr net.TCPAddr
		want string
	}{
		{net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "http://127.0.0.1:80"},
		{net.TCPAddr{IP: net.IPv4zero, Port: 8080}, "http://localhost:8080"},
		{net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}, "http://localhost:8080"},
		{net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, "http://[::1]:8080"},
	} {
		require.Equal(t, test.want, localURL(fixedListener{addr: &test.addr}))
	}
}

type fixedListener struct {
	net.Listener
	addr net.Addr
}

func (l fixedListener) Addr() net.Addr { return l.addr }

// The program, built and started as a person does it, says where to go, serves
// there, and stops cleanly when it is told to.
func TestStopsOnSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI tries everything")
		t.Skip("Windows has no such signals.")
	}
	program := filepath.Join(t.TempDir(), "quickstart")
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(output))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, "-addr", "127.0.0.1:0", "-client-addr", "127.0.0.1:0", "-store", "memory", "-secret-key", "sk_test_try_me")
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
