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

// What is unwise goes to the log when the host starts, but for what the host
// has looked at and wants to have so.
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

// The advice as log lines.
func ExampleAdvice() {
	p, backendKey := exampleProvider(), os.Getenv("BACKEND_KEY")
	for _, advice := range p.Check(backendKey) {
		slog.Warn("risky in production", "code", advice.Code, "field", advice.Field, "advice", advice.Text)
	}
}

// What a host has running all the time, on each instance.
func ExampleProvider_Run() {
	ctx, stop := context.WithCancel(context.Background()) // such as signal.NotifyContext
	defer stop()
	p := exampleProvider()
	go p.Run(ctx)
}

// The address of a client behind proxies that the host knows. A proxy adds the
// address that it sees at the end; what stands before it is anybody's word.
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

// What Check asks for first: requests have a limit, and what happens is in a log.
func ExampleLimitByAddress() {
	cfg := provider.Config{Limit: provider.LimitByAddress(1)}
	r := provider.LimitRequest{Endpoint: "token", ClientID: "wiki", IP: netip.MustParseAddr("192.0.2.1")}
	fmt.Println(cfg.Limit(context.Background(), r))
	fmt.Println(cfg.Limit(context.Background(), r).Round(time.Minute))
	// Output:
	// 0s
	// 1m0s
}

// The events go to a log of their own, to be kept for longer.
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

// An application was caught abusing its access. Deleting it ends all that was
// issued to it; what was granted can also be ended alone.
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
