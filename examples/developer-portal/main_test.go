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

// The program prints its address, serves there, and stops when asked.
func TestProgram(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, stdout := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"-addr", "127.0.0.1:0"}, stdout, &stderr)
		stdout.Close()
	}()
	var says strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(says.String(), "Ctrl+C"); {
		n, err := out.Read(buffer)
		require.NoError(t, err, &stderr)
		says.Write(buffer[:n])
	}
	require.Contains(t, says.String(), password)
	answer, err := http.Get(regexp.MustCompile(`http://\S+`).FindString(says.String()))
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	require.NoError(t, err)
	require.Contains(t, string(body), "Sign in to Acme Notes")
	stop()
	require.Zero(t, <-status, &stderr)
	require.Empty(t, stderr.String())
}

func TestUsage(t *testing.T) {
	taken, takenURL, err := acme.Listen(t.Context(), "-addr", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"an unknown flag", []string{"-port", "80"}, 2, "-h lists the flags"},
		{"not a flag", []string{"start"}, 2, `"start" is not a flag`},
		{"a taken port", []string{"-addr", strings.TrimPrefix(takenURL, "http://")}, 1, "choose another address with -addr"},
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
	require.Contains(t, stdout.String(), "-addr")
	require.Empty(t, stderr.String())
}
