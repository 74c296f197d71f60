package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
)

// The program prints its addresses and serves there.
func TestProgram(t *testing.T) {
	says := runtest.Start(t, start, "-addr", "127.0.0.1:0", "-spa-addr", "localhost:0")
	require.Contains(t, says, acme.Password)
	urls := runtest.URLs(says)
	require.Len(t, urls, 2)
	for address, want := range map[string]string{
		urls[0]:                  "Notes Reader",
		urls[0] + "/config.json": urls[1],
		urls[1]:                  "Acme Notes",
		urls[1] + "/.well-known/oauth-authorization-server": `"issuer":"` + urls[1] + `"`,
	} {
		answer, err := http.Get(address)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		require.NoError(t, err)
		require.Contains(t, string(body), want, address)
	}
	require.True(t, strings.HasPrefix(urls[0], "http://localhost:"))
}

func TestBadLifetime(t *testing.T) {
	var stderr bytes.Buffer
	args := []string{"-addr", "127.0.0.1:0", "-spa-addr", "127.0.0.1:0", "-access-lifetime", "-1s"}
	require.Equal(t, 1, run.Run(t.Context(), start, args, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "Lifetimes.Access")
}
