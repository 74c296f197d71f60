package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
)

// scopeName identifies this program in OpenTelemetry data.
const scopeName = "github.com/latchkey-go/latchkey/examples/observability"

// hooks calls several functions for each event.
type hooks []func(context.Context, provider.Event)

func (h hooks) call(ctx context.Context, e provider.Event) {
	for _, hook := range h {
		hook(ctx, e)
	}
}

// telemetry is everything that observes the provider.
type telemetry struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	hooks    hooks                           // for provider.Config.Events
	trace    func(http.Handler) http.Handler // starts the spans of requests
}

// newTelemetry sets up logs and Prometheus metrics and, if it names an exporter,
// OpenTelemetry.
func newTelemetry(ctx context.Context, e *run.Example, exporter string) (*telemetry, error) {
	t := &telemetry{
		logger:   newLogger(e.Stderr),
		registry: prometheus.NewRegistry(),
		trace:    func(next http.Handler) http.Handler { return next },
	}
	t.hooks = hooks{newWatch(t.logger), newPrometheus(t.registry)}
	if exporter == "" {
		return t, nil
	}
	x, err := newExporters(ctx, exporter, e.Stdout, t.logger)
	if err != nil {
		return nil, err
	}
	e.Defer(func() error {
		if err := x.stop(); err != nil {
			t.logger.Error("OpenTelemetry could not send everything", "error", err)
		}
		return nil
	})
	toOTel, err := newOTel(x.meters.Meter(scopeName))
	if err != nil {
		return nil, err
	}
	t.hooks = append(t.hooks, toOTel)
	t.trace = func(next http.Handler) http.Handler { return traced(x.tracers.Tracer(scopeName), next) }
	return t, nil
}

// exporters send OpenTelemetry data.
type exporters struct {
	meters  *sdkmetric.MeterProvider
	tracers *sdktrace.TracerProvider
}

// newExporters returns the exporters that -otel names. "stdout" writes JSON to
// out. "otlp" sends over HTTP to a collector, by default on this machine; set
// OTEL_EXPORTER_OTLP_ENDPOINT for another. The logger gets the errors.
func newExporters(ctx context.Context, exporter string, out io.Writer, logger *slog.Logger) (*exporters, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Error("OpenTelemetry", "error", err) }))
	var metrics sdkmetric.Exporter
	var spans sdktrace.SpanExporter
	var err1, err2 error
	switch exporter {
	case "stdout":
		metrics, err1 = stdoutmetric.New(stdoutmetric.WithWriter(out))
		spans, err2 = stdouttrace.New(stdouttrace.WithWriter(out))
	case "otlp":
		metrics, err1 = otlpmetrichttp.New(ctx)
		spans, err2 = otlptracehttp.New(ctx)
	default:
		return nil, run.Usage("-otel %q is not an exporter: use stdout or otlp", exporter)
	}
	about, err3 := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "acme-notes")), resource.WithFromEnv())
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("cannot set up the exporter %s: %w", exporter, err)
	}
	return &exporters{
		meters: sdkmetric.NewMeterProvider(sdkmetric.WithResource(about),
			sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(10*time.Second)))),
		tracers: sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(spans)),
	}, nil
}

// stop sends the remaining data.
func (x *exporters) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return errors.Join(x.tracers.Shutdown(ctx), x.meters.Shutdown(ctx))
}

// traced starts a span for each request. The hook of newOTel finds it in the
// context. In your app, use otelhttp.NewHandler. Make sure that spans don't record
// the query or the Authorization header of these routes, because they carry codes
// and tokens.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), "HTTP", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		r = r.WithContext(ctx)
		next.ServeHTTP(w, r)
		if method, route, ok := strings.Cut(r.Pattern, " "); ok { // The mux has set the matching pattern.
			span.SetName(r.Pattern)
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route))
		}
	})
}
