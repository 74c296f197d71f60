package provider_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// Log risky settings at startup, except those that the host has reviewed and
// accepted.
func ExampleProvider_Check() {
	p := exampleProvider()
	accepted := map[string]bool{"limit-missing": true, "token-prefix-missing": true}
	for _, advice := range p.Check() {
		if !accepted[advice.Code] {
			fmt.Println(advice.Code, advice.Field)
		}
	}
	// Output:
	// store-volatile Store
	// events-missing Events
}

// Print the advice as log lines.
func ExampleAdvice() {
	p, backendKey := exampleProvider(), os.Getenv("BACKEND_KEY")
	for _, advice := range p.Check(backendKey) {
		slog.Warn("risky in production", "code", advice.Code, "field", advice.Field, "advice", advice.Text)
	}
}

// Start the background work once on each instance.
func ExampleProvider_Run() {
	ctx, stop := context.WithCancel(context.Background()) // such as signal.NotifyContext
	defer stop()
	p := exampleProvider()
	go p.Run(ctx)
}

// Return the client's address behind known proxies. A proxy appends the address
// that it sees; anyone can forge what comes before it.
func ExampleConfig_clientIP() {
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	clientIP := func(r *http.Request) netip.Addr {
		connection, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return netip.Addr{}
		}
		from := connection.Addr().Unmap()
		if !proxies.Contains(from) {
			return from // Not from your proxy: the client wrote the header itself.
		}
		forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		client, err := netip.ParseAddr(strings.TrimSpace(forwarded[len(forwarded)-1]))
		if err != nil {
			return from
		}
		return client.Unmap()
	}
	_ = provider.Config{ClientIP: clientIP}

	r := httptest.NewRequest("POST", "/oauth/token", nil)
	r.Header.Set("X-Forwarded-For", "192.0.2.66, 203.0.113.7")
	r.RemoteAddr = "10.1.2.3:40000"
	fmt.Println(clientIP(r))
	r.RemoteAddr = "198.51.100.9:40000"
	fmt.Println(clientIP(r))
	// Output:
	// 203.0.113.7
	// 198.51.100.9
}

// Set what Check asks for first: a rate limit, and a log of events.
func ExampleLimitByAddress() {
	cfg := provider.Config{Limit: provider.LimitByAddress(1)}
	r := provider.LimitRequest{Endpoint: "token", ClientID: "wiki", IP: netip.MustParseAddr("192.0.2.1")}
	fmt.Println(cfg.Limit(context.Background(), r))
	fmt.Println(cfg.Limit(context.Background(), r).Round(time.Minute))
	// Output:
	// 0s
	// 1m0s
}

// Write the events to a separate log that is kept longer.
func ExampleLogEvents() {
	audit := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // So that the output is the same each time.
		}
		return a
	}}))
	cfg := provider.Config{Events: provider.LogEvents(audit)}
	cfg.Events(context.Background(), provider.Event{Kind: provider.EventReuseDetected, ApplicationID: "oa_1", UserID: "user_ada"})
	// Output:
	// level=WARN msg="latchkey: event" event=token.reuse_detected application=oa_1 user=user_ada
}

// Delete an application that abused its access. That revokes everything that
// was issued to it. RevokeGrants alone would keep the application.
func ExampleProvider_DeleteApplication() {
	p, ctx := exampleProvider(), context.Background()
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.DeleteApplication(ctx, app.ID); err != nil {
		fmt.Println(err) // nothing is known of what was revoked: try again
		return
	}
	_, total, err := p.ListApplications(ctx, store.ApplicationQuery{Limit: 1})
	fmt.Println(total, err)
	// Output: 0 <nil>
}
