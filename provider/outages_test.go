package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Nothing irreversible happens before everything that can fail: while the host
// can't say whether the user exists, the refresh token keeps working.
func TestRefreshSurvivesAnOutageOfUsers(t *testing.T) {
	for name, outage := range map[string]error{
		"an error":   errFire,
		"a deadline": context.DeadlineExceeded,
		"a hang-up":  context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			var down atomic.Bool
			h := newHost(t, func(c *provider.Config) {
				find := c.Users
				c.Users = func(ctx context.Context, id string) (userinfo.User, error) {
					if down.Load() {
						return userinfo.User{}, outage
					}
					return find(ctx, id)
				}
			})
			app := h.application(provider.ApplicationSettings{})
			got := app.tokens("user_ada")
			again := app.refresh(got.RefreshToken).tokens(t)
			down.Store(true)
			for range 100 {
				h.clock.Add(5 * time.Minute)
				app.refresh(again.RefreshToken).refused(t, 503, "temporarily_unavailable")
			}
			down.Store(false)
			next := app.refresh(again.RefreshToken).tokens(t)
			h.bearer("/oauth/userinfo", next.AccessToken).statusIs(t, 200)
			require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
		})
	}
}

// A user whom the host no longer knows is signed out, and only then.
func TestRefreshForADeletedUserEndsEverything(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got, other := app.tokens("user_grace"), app.tokens("user_grace")
	delete(h.users, "user_grace")
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	h.bearer("/api/notes", other.AccessToken).refused(t, 401, "invalid_token")
	h.users["user_grace"] = userinfo.User{ID: "user_grace"}
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
}

// If the answer to a write is lost, the request finds its own write and
// succeeds, and its client is not punished.
func TestLostResponsesSignNoOneOut(t *testing.T) {
	for name, fault := range map[string]error{"an error": errFire, "a conflict, from a driver that has sent it twice": store.ErrConflict} {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store = kept })
			app := h.application(provider.ApplicationSettings{})
			code := app.code("user_ada")
			lost := 0
			kept.Before(func(_ context.Context, step string) error {
				if step == "Replace" {
					lost++
				}
				return nil
			})
			kept.Lose(fault, "Replace")
			got := app.redeem(code).tokens(t)
			h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
			for range 10 {
				got = app.refresh(got.RefreshToken).tokens(t)
				h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
			}
			app.post("/oauth/token/revoke", "token", got.AccessToken).statusIs(t, 200)
			h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
			require.Equal(t, 12, lost)
			require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
			app.refresh(got.RefreshToken).tokens(t)
		})
	}
}

// When DeleteApplication returns nil, nothing of the application works anywhere.
func TestDeletedApplicationHasNoWorkingToken(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Introspection = provider.BearerKey(longEnough) })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	other := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got, stays := app.tokens("user_ada"), other.tokens("user_ada")
	_, personal, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Scopes: scopes.New("notes:read")})
	require.NoError(t, err)
	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	for _, token := range []string{got.AccessToken, personal.Reveal()} {
		h.bearer("/api/notes", token).refused(t, 401, "invalid_token")
		h.bearer("/oauth/userinfo", token).refused(t, 401, "invalid_token")
		require.Contains(t, h.post("/oauth/token_info", "token", token, "Header:Authorization", "Bearer "+longEnough).body, `"active":false`)
	}
	_, err = h.Verify(ctx, got.AccessToken)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
	h.bearer("/api/notes", stays.AccessToken).statusIs(t, 200)
	require.NoError(t, h.DeleteApplication(ctx, app.ID), "it may be called again")
}

// A call that fails halfway is completed by the next one.
func TestDeletionThatFailedIsFinished(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = kept })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.tokens("user_ada")
	kept.Fail(errFire, "CutOff")
	require.ErrorIs(t, h.DeleteApplication(ctx, app.ID), errFire)
	kept.Heal()
	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
}

// In any interleaving of a sign-in and a deletion, nothing that works is left.
func TestSignInDuringADeletionLeavesNothing(t *testing.T) {
	for _, step := range []string{"FindConsent", "Create", "Find", "Replace"} {
		for name, n := range map[string]provider.ApplicationSettings{"asked": {Scopes: scopes.New("notes:read")}, "not asked": {Scopes: scopes.New("notes:read"), SkipConsent: true}} {
			t.Run(name+", before "+step, func(t *testing.T) {
				kept := storetest.NewBreakable(memory.New())
				h := newHost(t, func(c *provider.Config) { c.Store = kept })
				app := h.application(n)
				code := app.code("user_ada") // The next one is given without a page.
				b := h.browser()
				b.signIn("user_ada")
				kept.Once(step, func() { require.NoError(t, h.DeleteApplication(ctx, app.ID)) })
				switch step {
				case "FindConsent", "Create":
					b.get(app.request())
				case "Find":
					app.redeem(code).refused(t, 400, "invalid_grant")
				default: // The deletion comes last, so the answer may be the tokens. They are dead.
					app.redeem(code)
				}
				require.Empty(t, h.grantsOf("user_ada"))
			})
		}
	}
}

// If a user is signed out everywhere while their answer is in progress, they
// get no grant, or a dead one.
func TestSignOutDuringAnAnswer(t *testing.T) {
	for _, step := range []string{"FindConsent", "Create"} {
		t.Run("before "+step, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			var out atomic.Bool
			h := newHost(t, func(c *provider.Config) {
				current := c.CurrentUser
				c.Store = kept
				c.CurrentUser = func(r *http.Request) (provider.Session, error) {
					if out.Load() {
						return provider.Session{}, nil
					}
					return current(r)
				}
			})
			app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
			b := h.browser()
			b.signIn("user_ada")
			page := b.get(app.request())
			kept.Once(step, func() {
				out.Store(true)
				require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"}))
			})
			b.answer(page, "allow")
			require.Empty(t, h.grantsOf("user_ada"))
		})
	}
}

// A public application can't redeem a code without a challenge, not even one
// that was made while it was confidential.
func TestCodeWithoutChallengeIsWorthlessOncePublic(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = kept })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request("code_challenge", "", "code_challenge_method", ""))
	// Between the cut-off and the change of the application.
	kept.Once("UpdateApplication", func() {
		kept.Heal()
		code := b.answer(page, "allow").redirected(t).Get("code")
		kept.Once("CutOff", func() {
			app.Public = true
			app.redeem(code, "code_verifier", "", "client_secret", "").refused(t, 400, "invalid_grant")
		})
	})
	_, err := h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
		a.Public = true
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, h.grantsOf("user_ada"))
}

// One form makes one grant and one code, and never returns a code that can't be
// redeemed.
func TestFormNeverGivesOutASpentCode(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request())
	form := page.form(t, "allow")
	u, err := url.Parse(h.url)
	require.NoError(t, err)
	cookies := b.client.Jar.Cookies(u)
	again := func() *reply {
		b.client.Jar.SetCookies(u, cookies) // As a request that was sent before the first answer came.
		return b.post("/oauth/authorize", form)
	}
	code := again().redirected(t).Get("code")
	require.Equal(t, code, again().redirected(t).Get("code"), "it can still be redeemed")
	got := app.redeem(code).tokens(t)
	for range 3 {
		again().errorPage(t, 403, "")
	}
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	require.Len(t, h.grantsOf("user_ada"), 1)
	require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
}

// A client that hangs up makes the store's and the host's functions fail, but
// neither is at fault: no line at level ERROR, and an outcome that no alert
// counts.
func TestClientThatHangsUpIsNotAFailure(t *testing.T) {
	h, hang, kept := newHangingHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.tokens("user_ada")
	b := h.browser()
	b.signIn("user_ada")
	own := "client_id=" + app.ClientID + "&client_secret=" + app.secret + "&"
	const formType, jsonType = "application/x-www-form-urlencoded", "application/json"
	for _, tt := range []struct{ step, endpoint, method, path, contentType, body string }{
		{"FindClient", "authorize", "GET", strings.TrimPrefix(app.request(), h.url), "", ""},
		{"Users", "authorize", "GET", strings.TrimPrefix(app.request("prompt", "consent"), h.url), "", ""},
		{"FindClient", "token", "POST", "/oauth/token", formType, own + "grant_type=refresh_token&refresh_token=" + got.RefreshToken},
		{"Find", "userinfo", "GET", "/oauth/userinfo", "", ""},
		{"Users", "userinfo", "GET", "/oauth/userinfo", "", ""},
		{"Find", "guard", "GET", "/api/notes", "", ""},
		{"FindClient", "revoke", "POST", "/oauth/token/revoke", formType, own + "token=" + got.AccessToken},
		{"Find", "introspect", "POST", "/oauth/token_info", formType, own + "token=" + got.AccessToken},
		{"FindClient", "device_authorization", "POST", "/oauth/device_authorization", formType, own},
		{"Users", "device", "GET", "/oauth/device", "", ""},
		{"List", "connections", "GET", "/oauth/connections", "", ""},
		{"CreateApplication", "register", "POST", "/oauth/register", jsonType, `{"redirect_uris":["https://wiki.example.com/callback"]}`},
	} {
		t.Run(tt.endpoint+" at "+tt.step, func(t *testing.T) {
			h.requests(t)
			before := len(h.log.String())
			client, hangUp := context.WithCancel(ctx)
			hang(tt.step, hangUp)
			r, err := http.NewRequestWithContext(client, tt.method, h.url+tt.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			} else {
				r.Header.Set("Authorization", "Bearer "+got.AccessToken)
			}
			_, err = b.client.Do(r)
			require.ErrorIs(t, err, context.Canceled)
			line, outcome := `level=INFO msg="latchkey: client went away" endpoint=`+tt.endpoint+" ", "client_gone"
			if tt.step == "CreateApplication" { // A write continues without the client, so only the store can make it fail.
				line, outcome = `level=ERROR msg="latchkey: request failed" endpoint=register `, "temporarily_unavailable"
			}
			require.Eventually(t, func() bool {
				return slices.Equal(h.requests(t), [][2]string{{tt.endpoint, outcome}})
			}, 10*time.Second, time.Millisecond)
			require.Contains(t, h.log.String()[before:], line)
		})
	}
	require.Equal(t, 1, strings.Count(h.log.String(), "level=ERROR"))

	// If the store fails while the client waits, it is a failure.
	kept.Fail(context.Canceled)
	h.bearer("/api/notes", got.AccessToken).refused(t, 503, "temporarily_unavailable")
	require.Contains(t, h.log.String(), `level=ERROR msg="latchkey: request failed" endpoint=guard`)
}

// newHangingHost returns a host and a function that makes a step of the store,
// or "Users", call back and then wait until its context ends.
func newHangingHost(t *testing.T) (*host, func(step string, asked func()), *storetest.Breakable) {
	kept := storetest.NewBreakable(memory.New())
	var mu sync.Mutex
	hanging, asked := "", func() {}
	wait := func(ctx context.Context, step string) error {
		mu.Lock()
		hang, call := step == hanging, asked
		mu.Unlock()
		if !hang {
			return nil
		}
		call()
		<-ctx.Done()
		return ctx.Err()
	}
	kept.Before(wait)
	h := newHost(t, func(c *provider.Config) {
		c.Store, c.Registration, c.DeviceAuthorization = kept, &provider.Registration{}, &provider.DeviceAuthorization{}
		c.StoreTimeout = 500 * time.Millisecond
		find := c.Users
		c.Users = func(ctx context.Context, id string) (userinfo.User, error) {
			if err := wait(ctx, "Users"); err != nil {
				return userinfo.User{}, err
			}
			return find(ctx, id)
		}
	})
	return h, func(step string, f func()) {
		mu.Lock()
		defer mu.Unlock()
		hanging, asked = step, f
	}, kept
}
