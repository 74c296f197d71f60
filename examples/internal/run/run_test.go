package run_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
)

// TestMain is also the program that TestSignals starts.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_EXAMPLE") != "" {
		run.Main(start)
	}
	os.Exit(m.Run())
}

// start is an example with two servers and something in the background.
func start(_ context.Context, e *run.Example) error {
	e.About = "It greets you."
	addr := e.Addr("addr", "127.0.0.1:0", "the provider")
	clientAddr := e.Addr("client-addr", "127.0.0.1:0", "the client")
	name := e.Flags.String("name", "Ada", "who to greet")
	slow := e.Flags.Bool("slow", false, "stop late")
	if err := e.Listen(); err != nil {
		return err
	}
	if *name == "" {
		return run.Usage("-name is empty")
	}
	ended := false
	e.Go(func(ctx context.Context) {
		<-ctx.Done()
		if *slow {
			time.Sleep(time.Minute)
		}
		ended = true
	})
	e.Defer(func() error {
		if !ended {
			return errors.New("the background is still running")
		}
		e.Printf("closed\n")
		return nil
	})
	greet := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, "+*name) }
	e.Serve(addr, http.HandlerFunc(greet))
	e.Serve(clientAddr, http.HandlerFunc(greet))
	e.Printf("Open %s or %s\n", addr.URL(), clientAddr.URL())
	return e.Wait()
}

// get returns what a URL answers.
func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

func TestServes(t *testing.T) {
	urls := runtest.URLs(runtest.Start(t, start, "-name", "Grace", "-client-addr", "localhost:0"))
	require.Len(t, urls, 2)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, urls[0])
	require.Regexp(t, `^http://localhost:\d+$`, urls[1])
	for _, url := range urls {
		require.Equal(t, "Hello, Grace", get(t, url))
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		says string
	}{
		{"-port 80", "flag provided but not defined: -port (-h lists the flags)"},
		{"-addr", "flag needs an argument: -addr (-h lists the flags)"},
		{"serve", `"serve" is not a flag (-h lists the flags)`},
		{"-addr localhost", `invalid value "localhost" for flag -addr: write host:port, such as 127.0.0.1:8080 (-h lists the flags)`},
		{"-client-addr localhost:99999", `invalid value "localhost:99999" for flag -client-addr: write host:port, such as 127.0.0.1:8080 (-h lists the flags)`},
		{"-name=", "-name is empty"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, run.Run(t.Context(), start, strings.Fields(test.args), &stdout, &stderr), test.args)
		require.Empty(t, stdout.String())
		require.Equal(t, "run: "+test.says+"\n", stderr.String())
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run.Run(t.Context(), start, []string{"-h"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	require.Contains(t, stdout.String(), "It greets you.\n")
	require.Contains(t, stdout.String(), "-client-addr host:port\n    \thost:port for the client; port 0 takes a free one (default 127.0.0.1:0)")
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	var stderr bytes.Buffer
	require.Equal(t, 1, run.Run(t.Context(), start, []string{"-client-addr", addr}, io.Discard, &stderr))
	require.Equal(t, "run: port "+port+" is taken by another program: choose another with -client-addr, "+
		"or any free one with -client-addr 127.0.0.1:0\n", stderr.String())

	stderr.Reset()
	require.Equal(t, 1, run.Run(t.Context(), start, []string{"-addr", "192.0.2.1:0"}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "choose another address with -addr")
}

func TestArgs(t *testing.T) {
	var got string
	needsFile := func(_ context.Context, e *run.Example) error {
		e.Args = "FILE"
		if err := e.Parse(); err != nil {
			return err
		}
		got = e.Flags.Arg(0)
		return errors.New("first line\nsecond line")
	}
	for args, says := range map[string]string{
		"":        "run: FILE is missing (-h lists the flags)\n",
		"a.txt b": "run: \"b\" is not a flag (-h lists the flags)\n",
		"a.txt":   "run: first line second line\n",
	} {
		var stderr bytes.Buffer
		require.NotZero(t, run.Run(t.Context(), needsFile, strings.Fields(args), io.Discard, &stderr))
		require.Equal(t, says, stderr.String())
	}
	require.Equal(t, "a.txt", got)
}

// A program that ends by itself takes free ports, so that it never fails because
// of another one.
func TestFreePorts(t *testing.T) {
	var urls []string
	program := func(_ context.Context, e *run.Example) error {
		a, b, c := e.Addr("a", "127.0.0.1:1", "A"), e.Addr("b", "127.0.0.1:1", "B"), e.Addr("c", ":1", "C")
		if err := e.Parse(); err != nil {
			return err
		}
		e.FreePorts()
		if err := e.Listen(); err != nil {
			return err
		}
		urls = []string{a.URL(), b.URL(), c.URL()}
		return nil
	}
	var stderr bytes.Buffer
	require.Equal(t, 0, run.Run(t.Context(), program, []string{"-b", "0.0.0.0:0"}, io.Discard, &stderr), &stderr)
	require.NotContains(t, urls, "http://127.0.0.1:1")
	require.Regexp(t, `^http://localhost:\d+$`, urls[1])
	require.Regexp(t, `^http://localhost:\d+$`, urls[2])
}

// The first signal stops the program gracefully, and the second ends it at once.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signals.")
	}
	for _, test := range []struct {
		name    string
		args    []string
		signals []syscall.Signal
		want    string
	}{
		{"SIGINT", nil, []syscall.Signal{syscall.SIGINT}, "exit status 0"},
		{"SIGTERM", nil, []syscall.Signal{syscall.SIGTERM}, "exit status 0"},
		{"two", []string{"-slow"}, []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, "signal: interrupt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			program, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), program, test.args...)
			cmd.Env = append(os.Environ(), "RUN_EXAMPLE=1")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill() // for when the test fails
			lines := bufio.NewScanner(stdout)
			require.True(t, lines.Scan(), "%s", &stderr)
			require.Equal(t, "Hello, Ada", get(t, runtest.URLs(lines.Text())[0]))
			require.True(t, lines.Scan())
			require.Equal(t, "Press Ctrl+C to stop.", lines.Text())

			sent := time.Now()
			for i, signal := range test.signals {
				if i > 0 {
					time.Sleep(500 * time.Millisecond) // The first one has been handled by then.
				}
				require.NoError(t, cmd.Process.Signal(signal))
			}
			closed := lines.Scan() && lines.Text() == "closed"
			require.Equal(t, len(test.signals) == 1, closed, "it closes what it has open")
			cmd.Wait()
			require.Equal(t, test.want, cmd.ProcessState.String())
			require.Less(t, time.Since(sent), 10*time.Second)
			require.Empty(t, stderr.String())
		})
	}
}
