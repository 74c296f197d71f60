// Observability runs Acme Notes, a provider, with metrics for Prometheus or
// OpenTelemetry, traces, and JSON logs. It makes its own traffic.
//
//	go run ./examples/observability               metrics for Prometheus
//	go run ./examples/observability -otel stdout  also OpenTelemetry, printed
//	go run ./examples/observability -otel otlp    the same, sent to a collector
//
// Copy metrics_prometheus.go or metrics_otel.go, grafana-dashboard.json, and
// alerts.yml. To see them work:
//
//	prometheus --config.file examples/observability/prometheus.yml
package main

import (
	"context"
	"log/slog"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// newHost returns Acme Notes. The logger and the events make it observable.
func newHost(issuer string, kept store.Store, logger *slog.Logger, events func(context.Context, provider.Event)) (*acme.Host, error) {
	return acme.New(provider.Config{
		Issuer:       issuer,
		Store:        kept,
		Logger:       logger,
		Events:       events,
		Scopes:       []scopes.Scope{{Name: "notes:write", Title: "Change your notes"}},
		Registration: &provider.Registration{}, // In production, also set Limit.
	})
}

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	opts, err := parseOptions(e)
	if err != nil {
		return err
	}
	t, err := newTelemetry(ctx, e, opts.otel)
	if err != nil {
		return err
	}
	return serve(ctx, e, opts, t)
}
