package main

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/latchkey-go/latchkey/provider"
)

// newLogger writes JSON, one object a line. The provider writes a line for each
// refused request, with the endpoint and the error code. A visitor who got an
// error page sees a reference on it, and the line has the same one:
//
//	go run ./examples/observability 2>log
//	grep 8d1f2e0a log
func newLogger(out io.Writer) *slog.Logger {
	return slog.New(traceHandler{slog.NewJSONHandler(out, nil)})
}

// newWatch returns a hook for provider.Config.Events that writes down what
// somebody should look into. A metric says that there was a reuse; this line
// says whose sign-in it was. The grant's id is no secret and leads to the user
// (provider.ListGrants), so that no user needs to be in the log.
func newWatch(logger *slog.Logger) func(context.Context, provider.Event) {
	return func(ctx context.Context, e provider.Event) {
		switch e.Kind {
		case provider.EventReuseDetected:
			logger.WarnContext(ctx, "a spent code or refresh token came again, and its sign-in was ended",
				"application", e.ApplicationID, "grant", e.GrantID.String())
		case provider.EventClientRejected:
			logger.WarnContext(ctx, "a client failed to authenticate",
				"application", e.ApplicationID) // Empty: the client is unknown.
		}
	}
}

// traceHandler adds the ids of the request's trace, if it has one, so that a
// line leads to the trace and the other way round.
type traceHandler struct{ slog.Handler }

// Handle writes a record.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is slog.Logger.With.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup is slog.Logger.WithGroup.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
