package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
)

// running is the program, started with flags.
type running struct {
	t              *testing.T
	url, metrics   string // of the app, and of the page for Prometheus
	stdout, stderr buffer
	cancel         context.CancelFunc
	status         chan int
}

func startWith(t *testing.T, args ...string) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, cancel: cancel, status: make(chan int, 1)}
	go func() {
		r.status <- run.Run(ctx, start, append([]string{"-addr", "127.0.0.1:0", "-metrics-addr", "127.0.0.1:0"}, args...), &r.stdout, &r.stderr)
	}()
	t.Cleanup(cancel)
	require.Eventually(t, func() bool { return strings.Contains(r.stdout.String(), printed) }, 10*time.Second, 10*time.Millisecond, "it should print its addresses")
	found := runtest.URLs(r.stdout.String())
	r.url, r.metrics = found[0], found[1]+"/metrics"
	return r
}

// printed ends what the program prints before it waits.
const printed = "Ctrl+C to stop.\n"

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
	r := startWith(t, "-load", "10")
	require.Eventually(t, func() bool {
		return scrape(t, r.metrics)["latchkey_reuse_detections_total"] > 0
	}, time.Minute, 50*time.Millisecond, "the load should bring it to its tenth visit")
	require.Equal(t, 0, r.stop())
	require.NotContains(t, r.stderr.String(), `"ERROR"`)
	require.Contains(t, r.stderr.String(), `"error":"insufficient_scope"`)
	require.NotContains(t, r.stdout.String(), "latchkey.requests", "OpenTelemetry is off")
}

func TestProgramWithoutLoad(t *testing.T) {
	r := startWith(t, "-load", "0")
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
	r := startWith(t, "-otel", "stdout", "-load", "10")
	require.Eventually(t, func() bool { return scrape(t, r.metrics)[`latchkey_tokens_total{action="refreshed"}`] > 0 }, time.Minute, 50*time.Millisecond)
	require.Equal(t, 0, r.stop()) // It sends the remaining data first.

	_, output, _ := strings.Cut(r.stdout.String(), printed)
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

// A collector gets metrics and traces over HTTP.
func TestOTelToCollector(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] += string(body) // Protocol buffers contain texts unchanged.
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_SERVICE_NAME", "my-notes")

	r := startWith(t, "-otel", "otlp", "-load", "10")
	require.Eventually(t, func() bool { return scrape(t, r.metrics)[`latchkey_tokens_total{action="refreshed"}`] > 0 }, time.Minute, 50*time.Millisecond)
	require.Equal(t, 0, r.stop())
	for path, texts := range map[string][]string{
		"/v1/metrics": {"latchkey.requests", "latchkey.request.duration", "latchkey.endpoint", "my-notes"},
		"/v1/traces":  {"POST /oauth/token", "latchkey.token.issued", "my-notes"},
	} {
		for _, text := range texts {
			require.Contains(t, got[path], text, path)
		}
	}
	require.NotContains(t, r.stderr.String(), `"ERROR"`)
}

// Without a collector the program works, and logs at the end that it could not send
// everything.
func TestOTelWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	r := startWith(t, "-otel", "otlp", "-load", "0")
	require.Contains(t, get(t, r.url+"/login"), "Sign in")
	require.Equal(t, 0, r.stop())
	require.Contains(t, r.stderr.String(), "OpenTelemetry could not send everything")
}

func TestBadUsage(t *testing.T) {
	free := []string{"-addr", "127.0.0.1:0", "-metrics-addr", "127.0.0.1:0"}
	for _, test := range []struct {
		name string
		args []string
		says []string
	}{
		{"a negative load", []string{"-load", "-1"}, []string{"-load", "0 to 10"}},
		{"a load that is not a number", []string{"-load", "NaN"}, []string{"-load", "0 to 10"}},
		{"an unknown exporter", append(free, "-otel", "zipkin"), []string{"-otel", `"zipkin"`, "stdout", "otlp"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, 2, run.Run(t.Context(), start, test.args, &stdout, &stderr))
			require.Empty(t, stdout.String())
			for _, text := range test.says {
				require.Contains(t, stderr.String(), text)
			}
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", &stderr)
		})
	}
}
