package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
)

// The program says where to go, serves there, and stops when it is told to.
func TestProgram(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, stdout := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"-addr", "127.0.0.1:0", "-spa-addr", "localhost:0"}, stdout, &stderr)
		stdout.Close()
	}()
	var says strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(says.String(), "Ctrl+C"); {
		n, err := out.Read(buffer)
		require.NoError(t, err, &stderr)
		says.Write(buffer[:n])
	}
	require.Contains(t, says.String(), acme.Password)
	addresses := regexp.MustCompile(`http://\w[^\s]*\d`).FindAllString(says.String(), -1)
	require.Len(t, addresses, 2)
	for address, want := range map[string]string{
		addresses[0]:                  "Notes Reader",
		addresses[0] + "/config.json": addresses[1],
		addresses[1]:                  "Acme Notes",
		addresses[1] + "/.well-known/oauth-authorization-server": `"issuer":"` + addresses[1] + `"`,
	} {
		answer, err := http.Get(address)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		require.NoError(t, err)
		require.Contains(t, string(body), want, address)
	}
	require.True(t, strings.HasPrefix(addresses[0], "http://localhost:"))
	stop()
	require.Zero(t, <-status, &stderr)
	require.Empty(t, stderr.String())
}

func TestUsage(t *testing.T) {
	taken, takenURL, err := acme.Listen(t.Context(), "-addr", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	takenAddr := strings.TrimPrefix(takenURL, "http://")
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"an unknown flag", []string{"-port", "80"}, 2, "-h lists the flags"},
		{"what is no flag", []string{"start"}, 2, `"start" is not a flag`},
		{"a taken port", []string{"-addr", takenAddr}, 1, "choose another address with -addr"},
		{"a taken port of the SPA", []string{"-addr", "127.0.0.1:0", "-spa-addr", takenAddr}, 1, "choose another address with -spa-addr"},
		{"a lifetime that is none", []string{"-addr", "127.0.0.1:0", "-spa-addr", "127.0.0.1:0", "-access-lifetime", "-1s"}, 1, "Lifetimes.Access"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, test.status, run(t.Context(), test.args, &stdout, &stderr))
			require.Contains(t, stderr.String(), test.says)
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", &stderr)
		})
	}
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "-spa-addr")
	require.Empty(t, stderr.String())
}
