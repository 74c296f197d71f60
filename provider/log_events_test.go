package provider_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
)

// The log has the whole life of a sign-in, and no secret.
func TestLogEventsIsAnAuditTrail(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		var log hosttest.Log
		h := newHost(t, withMachines, func(c *provider.Config) {
			c.Events = provider.LogEvents(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})))
		})
		app := h.application(provider.ApplicationSettings{})
		first := app.tokens("user_ada")
		second := app.refresh(first.RefreshToken).tokens(t)
		app.refresh(first.RefreshToken).tokens(t)
		app.redeem("x", "client_secret", "wrong").refused(t, 401, "invalid_client")
		app.refresh(second.RefreshToken).tokens(t)
		h.clock.Add(31 * time.Second)
		app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
		machine := h.machine()
		machine.asMachine().tokens(t)
		text := log.String()
		for _, line := range []string{
			"level=INFO msg=\"latchkey: event\" event=grant.created application=" + app.ID + " user=user_ada grant=",
			"level=INFO msg=\"latchkey: event\" event=token.issued ",
			"level=INFO msg=\"latchkey: event\" event=token.refreshed ",
			"level=INFO msg=\"latchkey: event\" event=token.issued application=" + machine.ID + " machine=true grant=",
			"level=WARN msg=\"latchkey: event\" event=token.retried ",
			"level=WARN msg=\"latchkey: event\" event=client.rejected application=" + app.ID + " error=",
			"level=WARN msg=\"latchkey: event\" event=token.reuse_detected ",
		} {
			require.Contains(t, text, line)
		}
		require.Equal(t, level == slog.LevelDebug, strings.Contains(text, "level=DEBUG msg=\"latchkey: event\" event=request endpoint=") ||
			strings.Contains(text, "event=request application="))
		for _, secret := range []string{first.AccessToken, first.RefreshToken, second.AccessToken, second.RefreshToken, app.secret} {
			require.NotContains(t, text, secret)
		}
	}
	require.NotPanics(t, func() { provider.LogEvents(nil)(context.Background(), provider.Event{Kind: provider.EventRequest}) })
}
