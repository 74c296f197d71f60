package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a running host.
type process struct {
	url  string
	cmd  *exec.Cmd
	gone chan struct{}
}

// start runs a host and waits until it listens.
func start(t testing.TB, c hostConfig) *process {
	t.Helper()
	return startAll(t, 1, c)[0]
}

// startAll starts hosts at the same time, and waits until all listen.
func startAll(t testing.TB, n int, c hostConfig) []*process {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	hosts := make([]*process, n)
	lines := make([]*bufio.Reader, n)
	for i := range hosts {
		// Not CommandContext, because the context of the test ends before its
		// cleanup.
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), hostVariable+"="+string(text))
		words := &output{}
		cmd.Stderr = words
		_, err := cmd.StdinPipe() // It closes when this process ends, in any way.
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		h := &process{cmd: cmd, gone: make(chan struct{})}
		hosts[i], lines[i] = h, bufio.NewReader(stdout)
		t.Cleanup(func() {
			h.kill()
			words.check(t)
		})
	}
	for i, h := range hosts {
		late := time.AfterFunc(60*time.Second, func() { h.cmd.Process.Kill() })
		line, err := lines[i].ReadString('\n')
		late.Stop()
		go func() {
			io.Copy(io.Discard, lines[i])
			h.cmd.Wait()
			close(h.gone)
		}()
		if err != nil {
			h.kill()
			require.Fail(t, "the host didn't start", "%s", h.cmd.Stderr)
		}
		h.url = strings.TrimSpace(line)
	}
	return hosts
}

// kill ends the host at any point of its work, with SIGKILL. It returns when
// the process has ended.
func (h *process) kill() {
	h.cmd.Process.Kill() // SIGKILL
	<-h.gone
}

// output is what a host writes to its standard error.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text.String()
	return text[max(0, len(text)-4000):]
}

// says reports whether the host has written text at any time.
func (o *output) says(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), text)
}

// check fails the test for errors that no fault explains. If the test has
// failed, it logs the host's output.
func (o *output) check(t testing.TB) {
	o.mu.Lock()
	text := o.text.String()
	o.mu.Unlock()
	for _, word := range []string{"DATA RACE", "panic"} {
		if i := strings.Index(text, word); i >= 0 {
			t.Errorf("a host says: %s", text[i:min(len(text), i+4000)])
		}
	}
	if t.Failed() {
		t.Logf("a host said last: %s", o)
	}
}
