package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// running is the program, started with flags.
type running struct {
	t              *testing.T
	url, metrics   string // of the app, and of the page for Prometheus
	stdout, stderr buffer
	cancel         context.CancelFunc
	status         chan int
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func start(t *testing.T, args ...string) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, cancel: cancel, status: make(chan int, 1)}
	go func() {
		r.status <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-metrics-addr", "127.0.0.1:0"}, args...), &r.stdout, &r.stderr)
	}()
	t.Cleanup(cancel)
	require.Eventually(t, func() bool { return len(address.FindAllString(r.stdout.String(), -1)) >= 2 }, 10*time.Second, 10*time.Millisecond, "it should say where it is")
	found := address.FindAllString(r.stdout.String(), -1)
	r.metrics, r.url = found[0]+"/metrics", found[1]
	return r
}

// stop ends the program as a signal does and returns its exit status.
func (r *running) stop() int {
	r.cancel()
	select {
	case status := <-r.status:
		return status
	case <-time.After(15 * time.Second):
		require.Fail(r.t, "it does not stop")
		return -1
	}
}

func TestProgram(t *testing.T) {
	r := start(t, "-load", "10")
	require.Eventually(t, func() bool {
		return scrape(t, r.metrics)["latchkey_reuse_detections_total"] > 0
	}, time.Minute, 50*time.Millisecond, "the load should bring it to its tenth visit")
	require.Equal(t, 0, r.stop())
	require.NotContains(t, r.stderr.String(), `"ERROR"`)
	require.Contains(t, r.stderr.String(), `"error":"insufficient_scope"`)
	require.NotContains(t, r.stdout.String(), "latchkey.requests", "OpenTelemetry is off")
}

func TestProgramWithoutLoad(t *testing.T) {
	r := start(t, "-load", "0")
	require.Contains(t, get(t, r.url+"/login"), "Sign in to Acme Notes")
	got := scrape(t, r.metrics)
	require.NotEmpty(t, got)
	for name, value := range got {
		if name == `latchkey_applications_total{action="created"}` {
			continue // Wiki, at the start
		}
		require.Zero(t, value, name)
	}
	require.Equal(t, 0, r.stop())
	require.Empty(t, r.stderr.String())
}

func TestOTelToStdout(t *testing.T) {
	r := start(t, "-otel", "stdout", "-load", "10")
	require.Eventually(t, func() bool { return scrape(t, r.metrics)[`latchkey_tokens_total{action="refreshed"}`] > 0 }, time.Minute, 50*time.Millisecond)
	require.Equal(t, 0, r.stop()) // It sends the rest first.

	_, output, _ := strings.Cut(r.stdout.String(), "client_id=nobody\n")
	var spans, metrics int
	decoder := json.NewDecoder(strings.NewReader(output))
	for decoder.More() {
		var data struct {
			Name         string
			ScopeMetrics []struct{ Metrics []struct{ Name string } }
		}
		require.NoError(t, decoder.Decode(&data))
		if data.Name == "POST /oauth/token" {
			spans++
		}
		for _, s := range data.ScopeMetrics {
			for _, m := range s.Metrics {
				if m.Name == "latchkey.requests" {
					metrics++
				}
			}
		}
	}
	require.Positive(t, spans)
	require.Positive(t, metrics)
}

// A collector gets metrics and traces by HTTP.
func TestOTelToCollector(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] += string(body) // Protocol buffers have texts as they are.
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_SERVICE_NAME", "notes-of-mine")

	r := start(t, "-otel", "otlp", "-load", "10")
	require.Eventually(t, func() bool { return scrape(t, r.metrics)[`latchkey_tokens_total{action="refreshed"}`] > 0 }, time.Minute, 50*time.Millisecond)
	require.Equal(t, 0, r.stop())
	for path, texts := range map[string][]string{
		"/v1/metrics": {"latchkey.requests", "latchkey.request.duration", "latchkey.endpoint", "notes-of-mine"},
		"/v1/traces":  {"POST /oauth/token", "latchkey.token.issued", "notes-of-mine"},
	} {
		for _, text := range texts {
			require.Contains(t, got[path], text, path)
		}
	}
	require.NotContains(t, r.stderr.String(), `"ERROR"`)
}

// Without a collector the program works, and says in the end what it could not
// send.
func TestOTelWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	r := start(t, "-otel", "otlp", "-load", "0")
	require.Contains(t, get(t, r.url+"/login"), "Sign in")
	require.Equal(t, 0, r.stop())
	require.Contains(t, r.stderr.String(), "OpenTelemetry could not send everything")
}

func TestBadUsage(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   []string
	}{
		{"an unknown flag", []string{"-port", "80"}, 2, []string{"-port", "-h"}},
		{"what is no flag", []string{"load"}, 2, []string{`"load"`, "-h"}},
		{"a negative load", []string{"-load", "-1"}, 2, []string{"-load", "0 to 10"}},
		{"a load that is no number", []string{"-load", "NaN"}, 2, []string{"-load", "0 to 10"}},
		{"an unknown exporter", []string{"-addr", "127.0.0.1:0", "-metrics-addr", "127.0.0.1:0", "-otel", "zipkin"}, 2, []string{"-otel", `"zipkin"`, "stdout", "otlp"}},
		{"an address that is none", []string{"-addr", "nowhere"}, 1, []string{"-addr", "nowhere"}},
		{"a metrics address that is none", []string{"-addr", "127.0.0.1:0", "-metrics-addr", "nowhere"}, 1, []string{"-metrics-addr", "nowhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, test.status, run(t.Context(), test.args, &stdout, &stderr))
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
	for _, text := range []string{"-addr", "-metrics-addr", "-otel", "-load"} {
		require.Contains(t, stdout.String(), text)
	}
}

func TestStopsOnSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI tries everything")
		t.Skip("Windows has no such signals.")
	}
	program := filepath.Join(t.TempDir(), "observability")
	output, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(output))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			var stdout buffer
			cmd := exec.CommandContext(t.Context(), program, "-addr", "127.0.0.1:0", "-metrics-addr", "127.0.0.1:0", "-load", "10")
			cmd.Stdout = &stdout
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { return strings.Count(stdout.String(), "\n") == 2 }, 10*time.Second, 10*time.Millisecond)
			sent := time.Now()
			require.NoError(t, cmd.Process.Signal(signal))
			require.NoError(t, cmd.Wait(), "exit status 0")
			require.Less(t, time.Since(sent), 5*time.Second)
		})
	}
}
