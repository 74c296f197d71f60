package provider

import (
	"context"
	"log/slog"
)

// LogEvents returns a Config.Events that writes a log line for each event: an
// audit trail of who was given access, and who lost it. Possible signs of
// theft, such as a reused refresh token, are warnings, and an [EventRequest] is
// a debug line. No line contains a code, token, secret, or email address. If
// logger is nil, the default is slog.Default().
func LogEvents(logger *slog.Logger) func(context.Context, Event) {
	if logger == nil {
		logger = slog.Default()
	}
	return func(ctx context.Context, e Event) {
		level := slog.LevelInfo
		switch e.Kind {
		case EventReuseDetected, EventTokenRetried, EventClientRejected:
			level = slog.LevelWarn
		case EventRequest:
			level = slog.LevelDebug
		}
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{slog.String("event", string(e.Kind))}
		add := func(name, value string) {
			if value != "" {
				attrs = append(attrs, slog.String(name, value))
			}
		}
		add("actor", e.Actor)
		add("application", e.ApplicationID)
		add("user", e.UserID)
		if e.Machine {
			attrs = append(attrs, slog.Bool("machine", true))
		}
		add("workspace", e.WorkspaceID)
		if !e.GrantID.IsZero() {
			add("grant", e.GrantID.String())
		}
		add("endpoint", e.Endpoint)
		add("outcome", e.Outcome)
		if e.Duration > 0 {
			attrs = append(attrs, slog.Duration("duration", e.Duration))
		}
		if e.Err != nil {
			add("error", e.Err.Error())
		}
		logger.LogAttrs(ctx, level, "latchkey: event", attrs...)
	}
}
