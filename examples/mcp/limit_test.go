package main

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// Nobody fills the store with registrations.
func TestRegistrationsAreLimited(t *testing.T) {
	w := newWorld(t)
	register := func() reply {
		return w.send("POST", "/oauth/register", "", `{"redirect_uris":["`+redirectURI+`"],"token_endpoint_auth_method":"none"}`)
	}
	for range 20 {
		require.Equal(t, 201, register().StatusCode)
	}
	refused := register()
	require.Equal(t, 429, refused.StatusCode)
	require.Equal(t, "10", refused.Header.Get("Retry-After"))
	require.Equal(t, 401, w.send("POST", "/mcp", "", listNotes).StatusCode, "the rest goes on")
}

func TestLimitIsByAddress(t *testing.T) {
	var s strangers
	waits := func(endpoint, address string) bool {
		ip, _ := netip.ParseAddr(address)
		return s.wait(t.Context(), provider.LimitRequest{Endpoint: endpoint, IP: ip}) > 0
	}
	for range 20 {
		require.False(t, waits("register", "192.0.2.1"))
		require.False(t, waits("document", "2001:db8::1"))
		require.False(t, waits("register", ""))
	}
	for range 5 { // What is refused does not make the wait longer.
		wait := s.wait(t.Context(), provider.LimitRequest{Endpoint: "document", IP: netip.MustParseAddr("192.0.2.1")})
		require.Positive(t, wait)
		require.LessOrEqual(t, wait, 10*time.Second)
	}
	require.True(t, waits("register", "2001:db8::ffff"), "the same network")
	require.True(t, waits("register", ""))
	require.False(t, waits("register", "192.0.2.2"))
	require.False(t, waits("register", "2001:db8:0:1::1"))
	for range 100 {
		require.False(t, waits("token", "192.0.2.1"))
	}
	for i := range 20_000 {
		waits("register", fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	require.LessOrEqual(t, len(s.buckets), 10_000)
}
