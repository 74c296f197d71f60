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
)

// scopeName says in OpenTelemetry's data who made it.
const scopeName = "github.com/latchkey-go/latchkey/examples/observability"

// telemetry is where OpenTelemetry's data goes.
type telemetry struct {
	meters  *sdkmetric.MeterProvider
	tracers *sdktrace.TracerProvider
}

// newTelemetry sends metrics and traces by the exporter that -otel names:
// "stdout" writes JSON to out; "otlp" sends to a collector by HTTP, on this
// machine unless OTEL_EXPORTER_OTLP_ENDPOINT says otherwise. What cannot be sent
// is told to the logger.
func newTelemetry(ctx context.Context, exporter string, out io.Writer, logger *slog.Logger) (*telemetry, error) {
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
		return nil, badUsage("-otel %q is none of the exporters: stdout, otlp", exporter)
	}
	about, err3 := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "acme-notes")), resource.WithFromEnv())
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("cannot set up the exporter %s: %w", exporter, err)
	}
	return &telemetry{
		meters: sdkmetric.NewMeterProvider(sdkmetric.WithResource(about),
			sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(10*time.Second)))),
		tracers: sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(spans)),
	}, nil
}

// stop sends what was not sent yet.
func (t *telemetry) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return errors.Join(t.tracers.Shutdown(ctx), t.meters.Shutdown(ctx))
}

// traced begins a span for each request; the hook of newOTel finds it in the
// context. A real app has otelhttp.NewHandler for this. Whatever makes the
// spans of these routes: it must leave out the query and the Authorization
// header, which carry codes and tokens.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), "HTTP", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		r = r.WithContext(ctx)
		next.ServeHTTP(w, r)
		if method, route, ok := strings.Cut(r.Pattern, " "); ok { // The mux has noted what matched.
			span.SetName(r.Pattern)
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route))
		}
	})
}
