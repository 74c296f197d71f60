// Package runtest runs an example in a test.
package runtest

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/run"
)

// Start runs a program until the test ends. It returns what the program prints
// before it waits for Ctrl+C. Give it addresses with port 0, for example
// "-addr", "127.0.0.1:0".
func Start(t *testing.T, start func(context.Context, *run.Example) error, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	status := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		status <- run.Run(ctx, start, args, stdout, &stderr)
		stdout.Close()
	}()
	t.Cleanup(func() {
		stop()
		code := <-status // stderr is written until then.
		require.Zero(t, code, "%s", &stderr)
	})
	var says strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(says.String(), "Ctrl+C"); {
		n, err := out.Read(buffer)
		says.Write(buffer[:n])
		require.NoError(t, err, "%s", &says)
	}
	go io.Copy(io.Discard, out)
	return says.String()
}

// URLs returns the addresses in a text, such as what Start returns, in order and
// without what follows the port.
func URLs(text string) []string {
	return regexp.MustCompile(`http://[^\s/"]+:\d+`).FindAllString(text, -1)
}
