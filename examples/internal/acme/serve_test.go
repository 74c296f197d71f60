package acme_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
)

func TestListen(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:0": `^http://127\.0\.0\.1:\d+$`, "localhost:0": `^http://localhost:\d+$`, ":0": `^http://localhost:\d+$`, "0.0.0.0:0": `^http://localhost:\d+$`,
	} {
		l, at, err := acme.Listen(t.Context(), "-addr", addr)
		require.NoError(t, err)
		l.Close()
		require.Regexp(t, want, at)
	}
	_, _, err := acme.Listen(t.Context(), "-addr", "192.0.2.1:0")
	require.ErrorContains(t, err, "choose another address with -addr")
}
