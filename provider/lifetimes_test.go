package provider_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// lasts checks how long a sign-in lasts, in each way to begin it: the code, the
// access token, the refresh token, and the whole, each to its last microsecond.
func lasts(t *testing.T, app *application, resource string, want provider.Lifetimes) {
	t.Helper()
	const tick = time.Microsecond
	h := app.h
	code := func() tokens {
		code := app.code("user_ada", "resource", resource)
		h.clock.Add(want.Code - tick)
		return app.redeem(code).tokens(t)
	}
	device := func() tokens {
		d := app.device("resource", resource)
		h.signedIn("user_ada").decide(d, "allow")
		return d.poll().tokens(t)
	}
	for _, begin := range []func() tokens{code, device} {
		before := h.clock.Now() // A grant begins when its code is made.
		got := begin()
		require.EqualValues(t, want.Access/time.Second, got.ExpiresIn)
		h.clock.Add(want.Refresh - tick)
		got = app.refresh(got.RefreshToken).tokens(t)
		require.EqualValues(t, want.Access/time.Second, got.ExpiresIn)
		if want.Grant == 0 {
			h.clock.Add(want.Refresh)
			app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
			continue
		}
		end := before.Add(want.Grant)
		require.Less(t, end.Sub(h.clock.Now()), want.Refresh, "what ends it is not the refresh token")
		h.clock.Add(end.Sub(h.clock.Now()) - tick)
		got = app.refresh(got.RefreshToken).tokens(t)
		h.clock.Add(tick)
		app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	}
	late := app.code("user_ada", "resource", resource)
	h.clock.Add(want.Code)
	app.redeem(late).refused(t, 400, "invalid_grant")

	token, _, err := h.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Resource: resource})
	require.NoError(t, err)
	require.Equal(t, want.Access, token.ExpiresAt.Sub(store.Micro(h.clock.Now())))
	require.EqualValues(t, want.Access/time.Second, app.asMachine("resource", resource).tokens(t).ExpiresIn)
}

// A lifetime of the application or the resource takes precedence over that of
// the Config, for each field. If both have it, the shorter one counts.
func TestLifetimesOfApplicationsAndResources(t *testing.T) {
	ofConfig := provider.Lifetimes{Code: 5 * time.Minute, Access: time.Hour, Refresh: 10 * time.Hour}
	ofApplication := provider.Lifetimes{Code: time.Minute, Access: 3 * time.Hour, Refresh: 9 * time.Hour, Grant: 16 * time.Hour}
	ofResource := provider.Lifetimes{Code: 8 * time.Minute, Access: 10 * time.Minute, Grant: 15 * time.Hour}
	var urls []string
	h := newHost(t, withMachines, func(c *provider.Config) {
		withResources(c)
		c.Lifetimes, c.DeviceAuthorization = ofConfig, &provider.DeviceAuthorization{}
		c.Resources[0].Lifetimes = ofResource
		urls = []string{c.Resources[0].URL, c.Resources[1].URL}
	})
	plain := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read"), MachineScopes: scopes.New("notes:read")})
	own := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read"), MachineScopes: scopes.New("notes:read"), Lifetimes: ofApplication})
	require.Equal(t, ofApplication, own.Lifetimes)
	for _, tt := range []struct {
		name     string
		app      *application
		resource string
		want     provider.Lifetimes
	}{
		{"neither", plain, "", ofConfig},
		{"a resource without lifetimes", plain, urls[1], ofConfig},
		{"the resource", plain, urls[0], provider.Lifetimes{Code: 8 * time.Minute, Access: 10 * time.Minute, Refresh: 10 * time.Hour, Grant: 15 * time.Hour}},
		{"the application", own, "", ofApplication},
		{"both", own, urls[0], provider.Lifetimes{Code: time.Minute, Access: 10 * time.Minute, Refresh: 9 * time.Hour, Grant: 15 * time.Hour}},
	} {
		t.Run(tt.name, func(t *testing.T) { lasts(t, tt.app, tt.resource, tt.want) })
	}
}

// Tokens keep their lifetimes when the lifetimes of their application change.
func TestChangedLifetimesHoldFromThenOn(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")
	_, err := h.UpdateApplication(t.Context(), app.ID, func(s *provider.ApplicationSettings) error {
		s.Lifetimes.Access = time.Minute
		return nil
	})
	require.NoError(t, err)
	h.clock.Add(time.Hour)
	h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
	require.EqualValues(t, 60, app.refresh(got.RefreshToken).tokens(t).ExpiresIn)
}

func TestLifetimesThatAreRefused(t *testing.T) {
	h := newHost(t)
	for want, s := range map[string]provider.ApplicationSettings{
		"Access is negative: leave it at zero for the default":     {Lifetimes: provider.Lifetimes{Access: -1}},
		"Refresh is 1ms: use at least 1s":                          {Lifetimes: provider.Lifetimes{Refresh: time.Millisecond}},
		"Grace is 24h0m0.000000001s: use at most 24h0m0s":          {Lifetimes: provider.Lifetimes{Grace: 24*time.Hour + 1}},
		"Grace is 10m1s: a public application may have at most 10": {Lifetimes: provider.Lifetimes{Grace: 10*time.Minute + time.Second}, Public: true},
		"Grace is 25h0m0s: use at most 24h0m0s":                    {Lifetimes: provider.Lifetimes{Grace: 25 * time.Hour}, Public: true},
	} {
		s.Name, s.RedirectURIs = "Wiki", []string{callback}
		_, _, err := h.CreateApplication(t.Context(), s)
		var wrong provider.FieldErrors
		require.ErrorAs(t, err, &wrong)
		require.Len(t, wrong, 1)
		require.Equal(t, "lifetimes", wrong[0].Field)
		require.Equal(t, provider.FieldValue, wrong[0].Kind)
		require.Contains(t, wrong[0].Message, "lifetimes: "+want)
		require.Contains(t, []string{"Access", "Refresh", "Grace"}, wrong[0].Value)
	}
	app := h.application(provider.ApplicationSettings{Lifetimes: provider.Lifetimes{Grace: 10*time.Minute + 1}})
	_, err := h.UpdateApplication(t.Context(), app.ID, func(s *provider.ApplicationSettings) error { s.Public = true; return nil })
	require.ErrorContains(t, err, "a public application may have at most 10m0s")
	h.application(provider.ApplicationSettings{Lifetimes: provider.Lifetimes{Grace: 10 * time.Minute}, Public: true})

	c := goodConfig()
	c.Lifetimes.Grace = 25 * time.Hour
	c.Resources = []provider.Resource{{URL: "https://app.example.com/mcp", Lifetimes: provider.Lifetimes{Access: -1, Grace: 25 * time.Hour}}}
	_, err = provider.New(c)
	for _, says := range []string{
		"Config.Lifetimes.Grace is 25h0m0s: use at most 24h0m0s", "Config.Resources[0].Lifetimes.Access is negative",
		"Config.Resources[0].Lifetimes.Grace is 25h0m0s: use at most 24h0m0s",
	} {
		require.ErrorContains(t, err, says)
	}
}

// RFC 9700 section 2.2.2: an application that authenticates may have a grace
// period of hours, set at any level. A public one has at most 10 minutes,
// because a thief needs nothing but an old token.
func TestGraceOfPublicApplicationsIsShort(t *testing.T) {
	const long, short = 3 * time.Hour, 10 * time.Minute
	for name, tt := range map[string]struct {
		edit func(*provider.Config)
		own  provider.Lifetimes
	}{
		"of the Config":      {edit: func(c *provider.Config) { c.Lifetimes.Grace = long }},
		"of the resource":    {edit: func(c *provider.Config) { withResources(c); c.Resources[1].Lifetimes.Grace = long }},
		"of the application": {own: provider.Lifetimes{Grace: long}},
	} {
		t.Run(name, func(t *testing.T) {
			resource := ""
			h := newHost(t, func(c *provider.Config) {
				if tt.edit != nil {
					tt.edit(c)
				}
				if len(c.Resources) > 0 {
					resource = c.Resources[1].URL
				}
			})
			for _, public := range []bool{false, true} {
				if public && tt.own.Grace > short {
					tt.own.Grace = short
				}
				app := h.application(provider.ApplicationSettings{Public: public, Lifetimes: tt.own})
				grace := long
				if public {
					grace = short
				}
				first := app.tokens("user_ada", "resource", resource)
				second := app.refresh(first.RefreshToken).tokens(t)
				h.clock.Add(grace)
				again := app.refresh(first.RefreshToken).tokens(t)
				if grace < 2*time.Hour { // The access token works.
					require.Equal(t, second.AccessToken, again.AccessToken)
				}
				h.eventKinds()
				h.clock.Add(time.Microsecond)
				app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
				require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())
			}
		})
	}
}

// A grace period is no longer than the refresh token's lifetime.
func TestGraceIsNoLongerThanARefreshTokenWorks(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Lifetimes: provider.Lifetimes{Refresh: time.Hour, Grace: 3 * time.Hour}})
	first := app.tokens("user_ada")
	second := app.refresh(first.RefreshToken).tokens(t)
	h.clock.Add(50 * time.Minute)
	third := app.refresh(second.RefreshToken).tokens(t)
	h.clock.Add(10 * time.Minute)
	require.Equal(t, third.RefreshToken, app.refresh(first.RefreshToken).tokens(t).RefreshToken)
	h.clock.Add(time.Microsecond)
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
}

// RFC 9700 section 4.14.2: eight processes share a credentials file, and hold
// eight tokens of one chain. They refresh at once when the access token has
// expired: one continues the chain, the others get the same tokens, and the
// next eight continue from there.
func TestProcessesWithOldTokensKeepOneChain(t *testing.T) {
	for _, public := range []bool{false, true} {
		h := newHost(t)
		own := provider.Lifetimes{Access: time.Minute, Grace: 30 * time.Minute}
		if public {
			own.Grace = 10 * time.Minute
		}
		app := h.application(provider.ApplicationSettings{Public: public, Lifetimes: own})
		held := []tokens{app.tokens("user_ada")}
		for range 7 {
			held = append(held, app.refresh(held[len(held)-1].RefreshToken).tokens(t))
		}
		for range 5 {
			h.clock.Add(time.Minute)
			h.eventKinds()
			next := make([]tokens, len(held))
			var processes sync.WaitGroup
			for i, have := range held {
				processes.Go(func() {
					if r := app.refresh(have.RefreshToken); r.StatusCode != 200 {
						t.Errorf("status %d: %s", r.StatusCode, r.body)
					} else {
						next[i] = r.tokens(t)
					}
				})
			}
			processes.Wait()
			counts := map[provider.EventKind]int{}
			for _, kind := range h.eventKinds() {
				counts[kind]++
			}
			// A late process with the current token continues the chain once
			// more.
			chain := map[string]bool{}
			for _, got := range next {
				chain[got.RefreshToken] = true
			}
			require.Equal(t, len(held), counts[provider.EventTokenRefreshed]+counts[provider.EventTokenRetried], counts)
			require.LessOrEqual(t, counts[provider.EventTokenRefreshed], 2)
			require.Len(t, chain, counts[provider.EventTokenRefreshed])
			// Half of them lose the answer, and continue with what they had.
			for i := range held {
				if i%2 == 0 {
					held[i] = next[i]
				}
			}
		}
	}
}

// RFC 9700 section 4.14.2: a grant remembers 16 refreshes. It can't tell
// whether an older token was current within the grace period. Such a token is
// refused; from a public application it is a reuse, because otherwise a thief
// could refresh until the grant has forgotten.
func TestTokensThatAreForgotten(t *testing.T) {
	h := newHost(t)
	for _, public := range []bool{false, true} {
		app := h.application(provider.ApplicationSettings{Public: public, Lifetimes: provider.Lifetimes{Grace: 10 * time.Minute}})
		chain := []tokens{app.tokens("user_ada")}
		for range 17 {
			h.clock.Add(time.Second)
			chain = append(chain, app.refresh(chain[len(chain)-1].RefreshToken).tokens(t))
		}
		current := chain[17]
		require.Equal(t, current.RefreshToken, app.refresh(chain[1].RefreshToken).tokens(t).RefreshToken)
		h.eventKinds()
		app.refresh(chain[0].RefreshToken).refused(t, 400, "invalid_grant")
		if public {
			require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())
			app.refresh(current.RefreshToken).refused(t, 400, "invalid_grant")
			continue
		}
		require.Empty(t, h.eventKinds())
		require.Contains(t, h.log.String(), "replaced too many rotations ago")
		h.bearer("/oauth/userinfo", current.AccessToken).statusIs(t, 200)
		app.refresh(current.RefreshToken).tokens(t)

		// Once all remembered ones are past the grace period, so are the older
		// ones.
		h.clock.Add(10*time.Minute + time.Second)
		app.refresh(chain[0].RefreshToken).refused(t, 400, "invalid_grant")
		require.Contains(t, h.eventKinds(), provider.EventReuseDetected)
	}
}

// A refresh with the oldest remembered token makes the grant forget it. If the
// answer to the write is lost, the request must not take itself for a reuse,
// even for an application without a grace period.
func TestLostAnswersOfOldTokensPunishNoOne(t *testing.T) {
	for name, fault := range map[string]error{"an error": errFire, "a conflict, from a driver that has sent it twice": store.ErrConflict} {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store = kept })
			old := h.application(provider.ApplicationSettings{Public: true, Lifetimes: provider.Lifetimes{Access: time.Minute, Grace: 10 * time.Minute}})
			none := h.application(provider.ApplicationSettings{Lifetimes: provider.Lifetimes{Grace: time.Nanosecond}})
			first, last := old.tokens("user_ada"), none.tokens("user_ada")
			current := first
			for range 16 {
				current = old.refresh(current.RefreshToken).tokens(t)
			}
			h.clock.Add(time.Minute)
			kept.Lose(fault, "Replace")
			last = none.refresh(last.RefreshToken).tokens(t)
			none.refresh(last.RefreshToken).tokens(t)
			next := old.refresh(first.RefreshToken).tokens(t)
			require.NotEqual(t, current.RefreshToken, next.RefreshToken)
			old.refresh(next.RefreshToken).tokens(t)
			require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
		})
	}
}

// An old token can be revoked within the grace period like the current one,
// because its client wants to sign out. Introspection doesn't call it active,
// because it is not the one to keep.
func TestOldTokensWithinTheGrace(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Lifetimes: provider.Lifetimes{Grace: time.Hour}})
	first := app.tokens("user_ada")
	second := app.refresh(first.RefreshToken).tokens(t)
	require.JSONEq(t, `{"active":false}`, app.post("/oauth/token_info", "token", first.RefreshToken).body)
	found, err := h.LookupToken(t.Context(), first.RefreshToken)
	require.NoError(t, err)
	require.True(t, found.Spent)
	app.refresh(first.RefreshToken, "scope", "email").refused(t, 400, "invalid_grant")
	app.post("/oauth/token/revoke", "token", first.RefreshToken).statusIs(t, 200)
	h.bearer("/oauth/userinfo", second.AccessToken).refused(t, 401, "invalid_token")
	app.refresh(first.RefreshToken).refused(t, 400, "invalid_grant")
}

// A secret of the host is part of the derivation from an old token. It can be
// changed while tokens are in use, as long as the old one is configured.
// Without it, the refresh fails as a fault of this instance, and the sign-in
// continues.
func TestSecretsOfTheHostCanBeChanged(t *testing.T) {
	keys := hosttest.NewKeys()
	h := newHost(t, func(c *provider.Config) { c.Keys = keys })
	app := h.application(provider.ApplicationSettings{})
	secrets := func(ids ...uint32) { keys.Secrets.Store(&ids) }
	pairs := []tokens{app.tokens("user_ada")}
	for _, ids := range [][]uint32{nil, {7}, {7, 8}, {8, 7}} {
		secrets(ids...)
		pairs = append(pairs, app.refresh(pairs[len(pairs)-1].RefreshToken).tokens(t))
		for i, old := range pairs[:len(pairs)-1] {
			require.Equal(t, pairs[len(pairs)-1], app.refresh(old.RefreshToken).tokens(t), fmt.Sprint(ids, i))
		}
	}
	secrets(8)
	h.eventKinds()
	for i, status := range []int{503, 503, 503, 200} {
		require.Equal(t, status, app.refresh(pairs[i].RefreshToken).StatusCode, i)
	}
	require.Contains(t, h.log.String(), "Config.Keys: the token was derived with a secret that this instance doesn't have")
	require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
	last := app.refresh(pairs[4].RefreshToken).tokens(t)
	h.bearer("/oauth/userinfo", last.AccessToken).statusIs(t, 200)
}
