package provider_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A machine that requests a token for every call is told to reuse its token,
// and costs the store only the lookup of its secret.
func TestMachineThatAsksTooOftenIsToldToReuseItsToken(t *testing.T) {
	var steps []string
	counting := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) {
		c.Store, c.Machines = counting, &provider.Machines{PerMinute: 5}
	})
	app, other := h.machine(), h.machine()
	for range 5 {
		app.asMachine().tokens(t)
	}
	counting.Before(func(_ context.Context, step string) error {
		steps = append(steps, step)
		return nil
	})
	r := app.asMachine()
	r.says(t, 429, "temporarily_unavailable", "Use one token until its expires_in is over")
	require.Equal(t, "12", r.Header.Get("Retry-After"))
	require.Equal(t, []string{"FindClient"}, steps)
	require.Contains(t, h.log.String(), "over Machines.PerMinute")
	counting.Heal()
	other.asMachine().tokens(t)

	// A stranger, or a refused request, doesn't use up the limit.
	h.clock.Add(12 * time.Second)
	for range 20 {
		app.asMachine("client_secret", "wrong").refused(t, 401, "invalid_client")
		app.asMachine("scope", "email").refused(t, 400, "invalid_scope")
	}
	app.asMachine().tokens(t)
	app.asMachine().refused(t, 429, "temporarily_unavailable")
	h.clock.Add(time.Minute)
	for range 5 {
		app.asMachine().tokens(t)
	}
	app.asMachine().refused(t, 429, "temporarily_unavailable")
	app.tokens("user_ada") // People sign in as ever.
}

func TestMachinesConfigIsChecked(t *testing.T) {
	for says, m := range map[string]provider.Machines{
		`Config.Machines.Scopes has "unheard-of"`: {Scopes: []string{"unheard-of"}},
		"Config.Machines.PerMinute is negative":   {PerMinute: -1},
	} {
		h := newHost(t)
		_, err := provider.New(provider.Config{Issuer: h.url, Store: h.store, CurrentUser: h.currentUser, SignIn: h.signIn, Users: h.user, Machines: &m})
		require.ErrorContains(t, err, says)
	}
}

// A machine's token is one document, which is deleted a few minutes after it
// has expired, at any time of the day. A sign-in stays for a day and more.
func TestMachinesDoNotFillTheStore(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Machines = &provider.Machines{PerMinute: 1000}
	})
	app := h.machine()
	const n = 100
	var longest int
	for range n {
		d, _, err := h.store.Find(ctx, h.lookUp(app.asMachine().tokens(t).AccessToken).GrantID)
		require.NoError(t, err)
		require.Equal(t, store.KindMachine, d.Kind)
		longest = max(longest, len(d.State))
	}
	require.Less(t, longest, 100, "bytes of a state")
	sweep := func() int {
		removed, err := h.Cleanup(ctx)
		require.NoError(t, err)
		return removed
	}
	h.clock.Add(2 * time.Hour)
	require.Zero(t, sweep())
	h.clock.Add(7 * time.Minute)
	require.Equal(t, n, sweep())
	page, _, err := h.store.List(ctx, store.Query{Kind: store.KindMachine, ApplicationID: app.ID, Limit: n})
	require.NoError(t, err)
	require.Empty(t, page)
}

// An access token expires no later than Lifetimes.Grant.
func TestMachineTokenIsNoLongerThanAGrant(t *testing.T) {
	h := newHost(t, withMachines, func(c *provider.Config) { c.Lifetimes.Grant = time.Hour })
	app := h.application(provider.ApplicationSettings{MachineScopes: scopes.New("notes:read")})
	require.Equal(t, int64(3600), app.asMachine().tokens(t).ExpiresIn)
}
