package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/latchkey-go/latchkey/provider"
)

// docs/howto/monitor.md shows these.

func TestConfigOfPrometheus(t *testing.T) {
	var cfg provider.Config
	registry := prometheus.NewRegistry()
	cfg.Events = newPrometheus(registry)
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	cfg.Events(t.Context(), provider.Event{Kind: provider.EventReuseDetected})
	server := httptest.NewServer(metrics)
	defer server.Close()
	require.Contains(t, get(t, server.URL+"/metrics"), "latchkey_reuse_detections_total 1")
}

func TestConfigOfOpenTelemetry(t *testing.T) {
	var cfg provider.Config
	var err error
	meters := sdkmetric.NewMeterProvider()
	cfg.Events, err = newOTel(meters.Meter("example.com/myapp"))

	require.NoError(t, err)
	cfg.Events(t.Context(), provider.Event{Kind: provider.EventRequest, Endpoint: "token", Outcome: "ok"})
}

func TestConfigOfLogs(t *testing.T) {
	var cfg provider.Config
	registry := prometheus.NewRegistry()
	cfg.Logger = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	count, audit := newPrometheus(registry), provider.LogEvents(cfg.Logger)
	cfg.Events = func(ctx context.Context, e provider.Event) {
		count(ctx, e)
		audit(ctx, e)
	}

	var log bytes.Buffer
	audit = provider.LogEvents(slog.New(slog.NewJSONHandler(&log, nil)))
	cfg.Events(t.Context(), provider.Event{Kind: provider.EventApplicationCreated, Actor: "user_1"})
	require.Contains(t, log.String(), `"actor":"user_1"`)
}
