package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
)

// The program prints its address and serves there.
func TestProgram(t *testing.T) {
	says := runtest.Start(t, start, "-addr", "127.0.0.1:0")
	require.Contains(t, says, password)
	answer, err := http.Get(runtest.URLs(says)[0] + "/developers/")
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	require.NoError(t, err)
	require.Contains(t, string(body), "Sign in to Acme Notes")
}
