package provider_test

import (
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

func asked(endpoint, clientID, address string) provider.LimitRequest {
	ip, _ := netip.ParseAddr(address)
	return provider.LimitRequest{Endpoint: endpoint, ClientID: clientID, IP: ip}
}

// spend sends requests until one is refused, and returns how many were not.
func spend(limit func(provider.LimitRequest) time.Duration, r provider.LimitRequest) (n int) {
	for limit(r) == 0 {
		n++
	}
	return n
}

func limiter(t *testing.T, perMinute int) func(provider.LimitRequest) time.Duration {
	limit := provider.LimitByAddress(perMinute)
	return func(r provider.LimitRequest) time.Duration { return limit(t.Context(), r) }
}

func TestLimitByAddressIsSoManyAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit, wiki := limiter(t, 60), asked("token", "wiki", "192.0.2.1")
		require.Equal(t, 60, spend(limit, wiki))
		wait := limit(wiki)
		require.Equal(t, time.Second, wait)
		time.Sleep(wait)
		require.Equal(t, 1, spend(limit, wiki), "what was refused cost nothing")
		time.Sleep(30 * time.Second)
		require.Equal(t, 30, spend(limit, wiki))
		time.Sleep(time.Hour)
		require.Equal(t, 60, spend(limit, wiki))
	})
}

// A noisy client, or a stranger who claims its client ID, doesn't use up the
// share of others.
func TestLimitByAddressLocksNoOneElseOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := limiter(t, 20)
		require.Equal(t, 20, spend(limit, asked("token", "wiki", "192.0.2.1")))
		require.Zero(t, spend(limit, asked("revoke", "wiki", "192.0.2.1")), "the endpoints of clients count together")
		for _, other := range []provider.LimitRequest{
			asked("token", "chess", "192.0.2.1"), asked("token", "wiki", "192.0.2.2"), asked("token", "wiki", "2001:db8::1"), asked("token", "wiki", ""),
		} {
			require.Equal(t, 20, spend(limit, other))
		}
		require.Zero(t, spend(limit, asked("token", "wiki", "2001:db8::ffff:2")), "a /64 is one address")
		require.Zero(t, spend(limit, asked("token", "wiki", "::ffff:192.0.2.1")), "an IPv4 address in either form")
		require.Equal(t, 20, spend(limit, asked("token", "wiki", "2001:db8:0:1::1")))
	})
}

// Steps that anyone can take have a lower limit, and count by address, not by
// the claimed client.
func TestLimitByAddressHoldsStrangersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := limiter(t, 600)
		require.Equal(t, 30, spend(limit, asked("register", "", "192.0.2.1")))
		require.Equal(t, 30, spend(limit, asked("document", "https://a.example.com/", "192.0.2.1")))
		require.Zero(t, spend(limit, asked("document", "https://b.example.com/", "192.0.2.1")))
		require.Equal(t, 30, spend(limit, asked("device", "", "192.0.2.1")))
		require.Equal(t, 600, spend(limit, asked("token", "wiki", "192.0.2.1")))
		require.Equal(t, 1, spend(limiter(t, 1), asked("register", "", "192.0.2.1")), "one is always possible")
	})
}

// Made-up client IDs reach a limit too.
func TestLimitByAddressCountsMadeUpClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit, let := limiter(t, 10), 0
		for i := range 1000 {
			if limit(asked("token", strconv.Itoa(i), "192.0.2.1")) == 0 {
				let++
			}
		}
		require.Equal(t, 100, let)
		require.Equal(t, 10, spend(limit, asked("token", "wiki", "192.0.2.2")))
	})
}

// An API may introspect the token of each request. Others are limited.
func TestLimitByAddressLetsResourceServersAsk(t *testing.T) {
	const key = "a-key-for-the-resource-servers-of-this-host"
	h := newHost(t, func(c *provider.Config) {
		c.Limit, c.Introspection = provider.LimitByAddress(20), provider.BearerKey(key)
	})
	app := h.application(provider.ApplicationSettings{})
	access := app.tokens("user_ada").AccessToken
	for range 100 {
		h.post("/oauth/token_info", "token", access, "Header:Authorization", "Bearer "+key).statusIs(t, 200)
	}
	for range 100 {
		h.post("/oauth/token_info", "token", access).refused(t, 401, "invalid_client")
	}
	refused := 0
	for range 30 {
		if app.post("/oauth/token_info", "token", access, "client_secret", "wrong").StatusCode == 429 {
			refused++
		}
	}
	require.NotZero(t, refused)
}

func TestLimitByAddressRefusesNonsense(t *testing.T) {
	require.Panics(t, func() { provider.LimitByAddress(0) })
}
