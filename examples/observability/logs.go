package main

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/latchkey-go/latchkey/provider"
)

// newLogger returns a logger that writes JSON. The provider logs a line for each
// rejected request, with the endpoint and the error code. The line of an error page
// has the reference that the page shows:
//
//	go run ./examples/observability 2>log
//	grep 8d1f2e0a log
func newLogger(out io.Writer) *slog.Logger {
	return slog.New(traceHandler{slog.NewJSONHandler(out, nil)})
}

// newWatch returns a hook for provider.Config.Events that logs the events that you
// should investigate. A metric counts token reuse; this line says which grant it
// was. The grant ID is not secret, and provider.ListGrants returns its user, so the
// log doesn't need the user.
func newWatch(logger *slog.Logger) func(context.Context, provider.Event) {
	return func(ctx context.Context, e provider.Event) {
		switch e.Kind {
		case provider.EventReuseDetected:
			logger.WarnContext(ctx, "a used code or refresh token was used again, so its grant was revoked",
				"application", e.ApplicationID, "grant", e.GrantID.String())
		case provider.EventClientRejected:
			logger.WarnContext(ctx, "a client failed to authenticate",
				"application", e.ApplicationID) // Empty if the client is unknown.
		}
	}
}

// traceHandler adds the IDs of the request's trace to each line, so that you can
// find the trace of a line.
type traceHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
