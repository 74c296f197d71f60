package provider_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

const isDisabled = "The application has been disabled"

// An application that is disabled gets nothing anywhere, and its tokens stop
// working at once. Its settings and secrets stay.
func TestDisabledApplicationGetsNothing(t *testing.T) {
	h := newDeviceHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	got, code := app.tokens("user_ada"), app.code("user_grace")
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request("prompt", "consent"))

	disabled, err := h.DisableApplication(ctx, app.ID, true, app.Version)
	require.NoError(t, err)
	require.True(t, disabled.Disabled)

	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
	require.Contains(t, app.post("/oauth/token_info", "token", got.AccessToken).body, `"active":false`)
	app.refresh(got.RefreshToken).refused(t, 400, "unauthorized_client")
	app.redeem(code).refused(t, 400, "unauthorized_client")
	app.post("/oauth/device_authorization").refused(t, 400, "unauthorized_client")
	b.get(app.request()).errorPage(t, 400, isDisabled)
	b.answer(page, "allow").errorPage(t, 400, isDisabled)
	_, _, err = h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
	require.ErrorContains(t, err, isDisabled)
	require.Empty(t, app.liveGrants())

	// Neither a restart of the host nor an update enables it.
	_, err = h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error { s.Name = "Board"; return nil })
	require.NoError(t, err)
	app.refresh(got.RefreshToken).refused(t, 400, "unauthorized_client")

	enabled, err := h.DisableApplication(ctx, app.ID, false)
	require.NoError(t, err)
	require.False(t, enabled.Disabled)
	require.Equal(t, app.Secrets, enabled.Secrets)
	require.Equal(t, app.RedirectURIs, enabled.RedirectURIs)
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	app.redeem(code).refused(t, 400, "invalid_grant")
	require.Equal(t, 200, b.get(app.request()).StatusCode, "users are asked again")
	h.bearer("/api/notes", app.tokens("user_ada").AccessToken).statusIs(t, 200)
}

// An administrator who has seen an older version can't disable the application,
// and enabling an enabled one signs no one out.
func TestDisablingAsksForTheVersionThatWasSeen(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.tokens("user_ada")
	_, err := h.DisableApplication(ctx, app.ID, true, app.Version+1)
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = h.DisableApplication(ctx, app.ID, false)
	require.NoError(t, err)
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	_, err = h.DisableApplication(ctx, "oa_none", true)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// The pending user code of a device doesn't work once its application is
// disabled.
func TestDisabledApplicationGetsNoDevice(t *testing.T) {
	h := newDeviceHost(t)
	tv := h.television()
	waiting := tv.device()
	_, err := h.DisableApplication(ctx, tv.ID, true)
	require.NoError(t, err)
	require.Contains(t, h.signedIn("user_ada").enter(waiting.CompleteURI).text(), isDisabled)
	waiting.poll().refused(t, 400, "unauthorized_client")
}

// A machine is refused like other clients, and its token stops working.
func TestDisabledMachineIsRefused(t *testing.T) {
	h := newHost(t, withMachines)
	app := h.machine()
	got := app.asMachine().tokens(t)
	api := h.machines(h.AllowMachines().Require("notes:read"))
	api(got.AccessToken).statusIs(t, 200)
	_, err := h.DisableApplication(ctx, app.ID, true)
	require.NoError(t, err)
	api(got.AccessToken).refused(t, 401, "invalid_token")
	app.asMachine().refused(t, 400, "unauthorized_client")
}

// An application that registered itself can't manage its registration, nor
// delete itself to come back, and no cleanup deletes it.
func TestDisabledApplicationCannotManageItsRegistration(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{ExpireAfter: 24 * time.Hour} })
	app, token := h.clientOf(h.register(native))
	_, err := h.DisableApplication(ctx, app.ID, true)
	require.NoError(t, err)
	for _, method := range []string{"GET", "DELETE"} {
		r := h.manage(method, app.ClientID, token, "")
		require.Equal(t, 400, r.StatusCode, r.body)
		require.Contains(t, r.body, isDisabled)
	}
	for range 3 {
		h.clock.Add(72 * time.Hour)
		_, err = h.Cleanup(ctx)
		require.NoError(t, err)
	}
	_, err = h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
}

// If disabling fails, the application looks enabled, or the call can be
// repeated.
func TestDisablingThatFailsCanBeRepeated(t *testing.T) {
	for _, step := range []string{"FindApplication", "UpdateApplication", "CutOff"} {
		t.Run(step, func(t *testing.T) {
			faulty := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store, c.StoreTimeout = faulty, 50*time.Millisecond })
			app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
			got := app.tokens("user_ada")
			faulty.Fail(errFire, step)
			_, err := h.DisableApplication(ctx, app.ID, true)
			require.Error(t, err)
			faulty.Heal()
			kept, err := h.FindApplication(ctx, app.ID)
			require.NoError(t, err)
			require.False(t, kept.Disabled)
			_, err = h.DisableApplication(ctx, app.ID, true)
			require.NoError(t, err)
			h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
		})
	}
}

// Sign-ins that race with disabling an application give nothing that works when
// the call has returned, or after the application is enabled again.
func TestDisablingRacesWithSignIns(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	app.tokens("user_ada") // agreed
	for range 20 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var access, codes []string
		for range 4 {
			wg.Go(func() {
				b := h.browser()
				b.signIn("user_ada")
				for range 5 {
					r := b.get(app.request())
					if r.StatusCode == 200 {
						r = b.answer(r, "allow")
					}
					if r.StatusCode != 303 {
						return
					}
					code := r.redirected(t).Get("code")
					redeemed := app.redeem(code)
					mu.Lock()
					if redeemed.StatusCode == 200 {
						access = append(access, redeemed.tokens(t).AccessToken)
					} else {
						codes = append(codes, code)
					}
					mu.Unlock()
				}
			})
		}
		_, err := h.DisableApplication(context.Background(), app.ID, true)
		require.NoError(t, err)
		wg.Wait()
		for _, token := range access {
			h.bearer("/api/notes", token).refused(t, 401, "invalid_token")
		}
		_, err = h.DisableApplication(context.Background(), app.ID, false)
		require.NoError(t, err)
		for _, token := range access {
			h.bearer("/api/notes", token).refused(t, 401, "invalid_token")
		}
		for _, code := range codes {
			app.redeem(code).refused(t, 400, "invalid_grant")
		}
	}
}

// The application of a document can be disabled, and stays disabled while it is
// unused.
func TestDisabledApplicationOfADocument(t *testing.T) {
	h, site, app := newDocumentHost(t)
	got := app.tokens("user_ada")
	_, err := h.DisableApplication(ctx, h.kept()[0].ID, true)
	require.NoError(t, err)
	site.document(map[string]any{"client_name": "Another"})
	h.clock.Add(25 * time.Hour)
	b := h.signedIn("user_ada")
	b.get(app.request()).errorPage(t, 400, isDisabled)
	app.refresh(got.RefreshToken).refused(t, 400, "unauthorized_client")
	for range 3 {
		h.clock.Add(365 * 24 * time.Hour)
		_, err = h.Cleanup(ctx)
		require.NoError(t, err)
	}
	h.signedIn("user_grace").get(app.request()).errorPage(t, 400, isDisabled)
	_, err = h.DisableApplication(ctx, h.kept()[0].ID, false)
	require.NoError(t, err)
	require.Equal(t, 200, h.signedIn("user_ada").get(app.request()).StatusCode)
}

// A sign-in that read the application just before it was disabled gets a code
// that is useless, then and after the application is enabled again.
func TestSignInThatOverlapsWithDisablingGetsNothing(t *testing.T) {
	faulty := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = faulty })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read"), SkipConsent: true})
	b := h.signedIn("user_ada")
	faulty.Once("FindConsent", func() {
		_, err := h.DisableApplication(context.Background(), app.ID, true)
		require.NoError(t, err)
	})
	code := b.get(app.request()).redirected(t).Get("code")
	app.redeem(code).refused(t, 400, "unauthorized_client")
	_, err := h.DisableApplication(ctx, app.ID, false)
	require.NoError(t, err)
	app.redeem(code).refused(t, 400, "invalid_grant")
}
