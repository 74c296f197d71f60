package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const (
	devicePath  = "/oauth/device"
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code"
)

// newDeviceHost is newHost with the device grant.
func newDeviceHost(t testing.TB, edit ...func(*provider.Config)) *host {
	t.Helper()
	on := func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} }
	return newHost(t, append([]func(*provider.Config){on}, edit...)...)
}

// television is a typical device application: without a secret and without
// redirect URIs.
func (h *host) television() *application {
	h.t.Helper()
	return h.application(provider.ApplicationSettings{Name: "Television", Public: true, RedirectURIs: []string{}, Scopes: scopes.New("profile", "email", "notes:read")})
}

// device is a device that waits.
type device struct {
	app             *application
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	CompleteURI     string `json:"verification_uri_complete"`
	ExpiresIn       int    `json:"expires_in"`
	Interval        int    `json:"interval"`
}

// device requests codes.
func (a *application) device(form ...string) device {
	a.h.t.Helper()
	r := a.post("/oauth/device_authorization", form...)
	require.Equal(a.h.t, 200, r.StatusCode, r.body)
	d := device{app: a}
	require.NoError(a.h.t, json.Unmarshal([]byte(r.body), &d))
	return d
}

// poll polls for the user's decision.
func (d device) poll(form ...string) *reply {
	return d.app.post("/oauth/token", append([]string{"grant_type", grantDevice, "device_code", d.DeviceCode}, form...)...)
}

// enter opens an address of the device page, sends the filled-in code, and
// returns the answer.
func (b *browser) enter(target string) *reply {
	b.h.t.Helper()
	page := b.get(target)
	if page.StatusCode != http.StatusOK {
		return page
	}
	form := page.form(b.h.t, "")
	form.Set("user_code", mustParse(target).Query().Get("user_code"))
	return b.follow(b.post(mustParse(target).Path, form))
}

// decide enters a code on the page and decides.
func (b *browser) decide(d device, decision string) *reply {
	b.h.t.Helper()
	return b.post(devicePath, b.enter(d.CompleteURI).form(b.h.t, decision))
}

// follow follows a redirect on the host.
func (b *browser) follow(r *reply) *reply {
	b.h.t.Helper()
	require.Equal(b.h.t, http.StatusSeeOther, r.StatusCode, r.text())
	require.Equal(b.h.t, "no-store", r.Header.Get("Cache-Control"))
	return b.get(b.h.url + r.Header.Get("Location"))
}

func (h *host) signedIn(user string) *browser {
	b := h.browser()
	b.signIn(user)
	return b
}

// change changes an application in the store, bypassing the provider.
func (h *host) change(a *application, edit func(*store.Application)) {
	h.t.Helper()
	kept, err := h.store.FindApplication(ctx, a.ID)
	require.NoError(h.t, err)
	edit(&kept)
	require.NoError(h.t, h.store.DeleteApplication(ctx, a.ID))
	require.NoError(h.t, h.store.CreateApplication(ctx, kept))
}

// liveGrants returns the live grants of an application.
func (a *application) liveGrants() []provider.Grant {
	a.h.t.Helper()
	page, next, err := a.h.ListGrants(ctx, provider.GrantFilter{ApplicationID: a.ID}, "", 100)
	require.NoError(a.h.t, err)
	require.Empty(a.h.t, next)
	return page
}

// grantsOf returns the live grants of a user.
func (h *host) grantsOf(user string) []provider.Grant {
	h.t.Helper()
	page, next, err := h.ListGrants(ctx, provider.GrantFilter{UserID: user}, "", 100)
	require.NoError(h.t, err)
	require.Empty(h.t, next)
	return page
}

// RFC 8628 sections 3.1 to 3.5: a device gets its codes, waits, and gets the
// usual tokens once its user has agreed.
func TestDeviceSignIn(t *testing.T) {
	for name, n := range map[string]provider.ApplicationSettings{
		"public":       {Name: "Television", Public: true, RedirectURIs: []string{}, Scopes: scopes.New("profile", "email", "notes:read")},
		"confidential": {Name: "Television", Scopes: scopes.New("profile", "email", "notes:read")},
	} {
		t.Run(name, func(t *testing.T) {
			h := newDeviceHost(t)
			tv := h.application(n)
			d := tv.device("scope", "profile notes:read openid")
			require.Equal(t, device{tv, d.DeviceCode, d.UserCode, h.url + devicePath, h.url + devicePath + "?user_code=" + d.UserCode, 600, 5}, d)
			require.Regexp(t, `^odc_[0-9A-Za-z]{72}$`, d.DeviceCode)
			require.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, d.UserCode)
			d.poll().refused(t, 400, "authorization_pending")

			b := h.signedIn("user_ada")
			enter := b.get(d.VerificationURI)
			enter.statusIs(t, 200)
			require.Contains(t, enter.text(), "Enter the code shown on your device")
			require.Contains(t, enter.body, `method="post" action="/oauth/device"`)
			confirm := b.enter(h.url + devicePath + "?user_code=" + d.UserCode)
			require.Contains(t, confirm.text(), "Television wants access to your ")
			require.Contains(t, confirm.text(), d.UserCode)
			require.Contains(t, confirm.text(), "Never approve a code that someone sent you.")
			require.Contains(t, confirm.text(), "Signed in as Ada Lovelace")
			require.Contains(t, confirm.text(), "Read your notes")
			require.NotContains(t, confirm.text(), "email")
			h.eventKinds()
			done := b.follow(b.post(devicePath, confirm.form(t, "allow")))
			require.Contains(t, done.text(), "Television is connected")
			require.Contains(t, done.text(), "Go back to your device.")
			require.Equal(t, []provider.EventKind{provider.EventGrantCreated}, h.eventKinds())

			h.clock.Add(5 * time.Second)
			got := d.poll().tokens(t)
			require.Equal(t, []provider.EventKind{provider.EventTokenIssued}, h.eventKinds())
			require.Equal(t, "profile notes:read", got.Scope)
			require.Equal(t, "Bearer", got.TokenType)
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			who := h.bearer("/oauth/userinfo", got.AccessToken)
			require.Contains(t, who.body, `"sub":"user_ada"`)
			require.NotContains(t, who.body, "ada@example.com")
			next := tv.refresh(got.RefreshToken).tokens(t)
			require.Equal(t, got.Scope, next.Scope)
			h.bearer("/api/notes", next.AccessToken).statusIs(t, 200)

			listed, err := h.ListConnections(ctx, "user_ada")
			require.NoError(t, err)
			require.Len(t, listed, 1)
			require.Equal(t, tv.ID, listed[0].Application.ID)
			for _, secret := range []string{d.DeviceCode, d.UserCode, strings.ReplaceAll(d.UserCode, "-", ""), got.AccessToken, "ada@example.com"} {
				require.NotContains(t, h.log.String(), secret)
			}
		})
	}
}

// If the field is nil, the grant doesn't exist: no route, no endpoint, and
// nothing in metadata.
func TestWithoutDeviceAuthorizationThereIsNone(t *testing.T) {
	metadata := func(h *host) (document map[string]any) {
		r := h.send("GET", "/.well-known/oauth-authorization-server", nil, "")
		require.NoError(t, json.Unmarshal([]byte(r.body), &document))
		return document
	}
	paths := func(h *host) (found []string) {
		for _, r := range h.Routes() {
			if strings.Contains(r.Path, "device") {
				require.Equal(t, r.Path == devicePath, r.Session)
				found = append(found, r.Path)
			}
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	on := newDeviceHost(t)
	require.Equal(t, on.url+"/oauth/device_authorization", on.Endpoints().DeviceAuthorization)
	require.Equal(t, on.url+devicePath, on.Endpoints().Device)
	require.Equal(t, on.Endpoints().DeviceAuthorization, metadata(on)["device_authorization_endpoint"])
	require.Equal(t, []any{"authorization_code", "refresh_token", grantDevice}, metadata(on)["grant_types_supported"])
	require.Equal(t, []string{devicePath, "/oauth/device_authorization"}, paths(on))

	off := newHost(t, func(c *provider.Config) { c.Paths.Token = devicePath }) // The path is free.
	require.Empty(t, off.Endpoints().DeviceAuthorization)
	require.Empty(t, off.Endpoints().Device)
	require.NotContains(t, metadata(off), "device_authorization_endpoint")
	require.Equal(t, []any{"authorization_code", "refresh_token"}, metadata(off)["grant_types_supported"])
	off = newHost(t)
	require.Empty(t, paths(off))
	tv := off.television()
	tv.post("/oauth/token", "grant_type", grantDevice, "device_code", "x").refused(t, 400, "unsupported_grant_type")
	require.Equal(t, 405, tv.post("/oauth/device_authorization").StatusCode, "the host's own pages are there")
	require.Equal(t, "the host's own page", off.browser().get(off.url+devicePath).body)
	for _, handler := range []http.Handler{off.DeviceAuthorizationHandler(), off.DeviceHandler()} {
		off.server.Config.Handler = handler
		require.Equal(t, 404, off.post("/").StatusCode)
	}
}

func TestDeviceConfig(t *testing.T) {
	for says, edit := range map[string]func(*provider.Config){
		"DeviceAuthorization.CodeLifetime is 59s": func(c *provider.Config) { c.DeviceAuthorization.CodeLifetime = 59 * time.Second },
		"DeviceAuthorization.CodeLifetime is 2h":  func(c *provider.Config) { c.DeviceAuthorization.CodeLifetime = 2 * time.Hour },
		"DeviceAuthorization.CodeLifetime is -1s": func(c *provider.Config) { c.DeviceAuthorization.CodeLifetime = -time.Second },
		"DeviceAuthorization.Interval is 1ms":     func(c *provider.Config) { c.DeviceAuthorization.Interval = time.Millisecond },
		"DeviceAuthorization.Interval is 2m":      func(c *provider.Config) { c.DeviceAuthorization.Interval = 2 * time.Minute },
		"Paths.Device is left out":                func(c *provider.Config) { c.Paths.Device = "-" },
		"Paths.DeviceAuthorization is the same":   func(c *provider.Config) { c.Paths.DeviceAuthorization = "/oauth/token" },
		"Paths.Device is \"device\"":              func(c *provider.Config) { c.Paths.Device = "device" },
	} {
		c := goodConfig()
		c.DeviceAuthorization = &provider.DeviceAuthorization{}
		edit(&c)
		_, err := provider.New(c)
		require.ErrorContains(t, err, says)
	}
	c := goodConfig()
	own := provider.DeviceAuthorization{}
	c.DeviceAuthorization = &own
	_, err := provider.New(c)
	require.NoError(t, err)
	require.Zero(t, own, "the host's own is not changed")

	h := newDeviceHost(t, func(c *provider.Config) {
		c.DeviceAuthorization = &provider.DeviceAuthorization{CodeLifetime: time.Minute, Interval: 1500 * time.Millisecond}
		c.Paths = provider.Paths{DeviceAuthorization: "/d", Device: "/enter"}
	})
	r := h.television().post("/d")
	require.Contains(t, r.body, `"expires_in":60,"interval":2}`)
	require.Contains(t, r.body, `"verification_uri":"`+h.url+`/enter"`)
}

func TestLimitIsAskedBeforeADeviceCosts(t *testing.T) {
	var asked []provider.LimitRequest
	h := newDeviceHost(t, func(c *provider.Config) {
		c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
			asked = append(asked, l)
			if l.ClientID == "greedy" {
				return time.Minute
			}
			return 0
		}
	})
	tv := h.television()
	tv.device()
	require.Equal(t, "device_authorization", asked[0].Endpoint)
	require.Equal(t, tv.ClientID, asked[0].ClientID)
	require.True(t, asked[0].IP.IsLoopback())
	limited := h.post("/oauth/device_authorization", "client_id", "greedy")
	limited.refused(t, 429, "temporarily_unavailable")
	require.Equal(t, "60", limited.Header.Get("Retry-After"))
}

// An application that registered itself may use the grant only if it named it.
func TestSelfRegisteredApplicationsNeedTheDeviceGrant(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	for _, origin := range []store.Origin{store.OriginRegistration} {
		for _, tt := range []struct {
			grants []string
			may    bool
		}{{nil, false}, {[]string{"authorization_code", "refresh_token"}, false}, {[]string{"refresh_token", grantDevice}, true}} {
			tv := h.television()
			pending := tv.device()
			h.change(tv, func(a *store.Application) {
				a.Origin, a.Reviewed, a.Registration = origin, false, &store.RegistrationRecord{GrantTypes: tt.grants}
			})
			if !tt.may {
				tv.post("/oauth/device_authorization").refused(t, 400, "unauthorized_client")
				pending.poll().refused(t, 400, "unauthorized_client")
				continue
			}
			d := tv.device()
			b := h.signedIn("user_ada")
			require.Contains(t, b.enter(d.CompleteURI).text(), "Not reviewed by")
			b.decide(d, "allow")
			d.poll().tokens(t)
		}
	}
	tv := h.television()
	h.change(tv, func(a *store.Application) { a.Origin, a.Reviewed = store.OriginRegistration, false })
	tv.post("/oauth/device_authorization").refused(t, 400, "unauthorized_client")
}

// Polling logs a line for each real refusal, and none for waiting.
func TestWaitingIsNotLogged(t *testing.T) {
	h := newDeviceHost(t)
	d := h.television().device()
	for range 3 {
		h.clock.Add(5 * time.Second)
		d.poll().refused(t, 400, "authorization_pending")
	}
	require.NotContains(t, h.log.String(), "authorization_pending")
	require.Equal(t, [][2]string{{"device_authorization", "ok"}, {"token", "authorization_pending"}, {"token", "authorization_pending"}, {"token", "authorization_pending"}}, h.requests(t))
	d.DeviceCode = "unknown"
	d.poll().refused(t, 400, "invalid_grant")
	require.Contains(t, h.log.String(), "invalid_grant")
}

// RFC 8628 section 3.2: after expires_in seconds no user can decide anymore,
// and the device gets an error.
func TestDeviceCodeExpires(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.DeviceAuthorization.CodeLifetime = 2 * time.Minute })
	tv, b := h.television(), h.signedIn("user_ada")
	undecided, allowed, late, open := tv.device(), tv.device(), tv.device(), tv.device()
	confirm := b.enter(open.CompleteURI).form(t, "allow")
	h.clock.Add(2*time.Minute - time.Second)
	b.decide(allowed, "allow")
	b.decide(late, "allow")
	undecided.poll().refused(t, 400, "authorization_pending")
	h.clock.Add(time.Second)
	undecided.poll().refused(t, 400, "expired_token")
	b.enter(undecided.CompleteURI).errorPage(t, 400, "That code isn't valid.")
	b.post(devicePath, confirm).errorPage(t, 400, "That code isn't valid.")
	open.poll().refused(t, 400, "expired_token")
	require.Len(t, tv.liveGrants(), 2)

	// A user who decides in the last moment decides before the last poll.
	h.clock.Add(30 * time.Second)
	allowed.poll().tokens(t)
	h.clock.Add(time.Minute)
	late.poll().refused(t, 400, "expired_token")
}

// RFC 8628 section 3.5: a denial ends it.
func TestDenialEndsTheDeviceCode(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	h.eventKinds()
	done := b.follow(b.decide(d, "deny"))
	require.Contains(t, done.text(), "Request denied")
	require.Contains(t, done.text(), "Television didn't get access")
	require.Equal(t, []provider.EventKind{provider.EventGrantDenied}, h.eventKinds())
	d.poll().refused(t, 400, "access_denied")
	b.enter(d.CompleteURI).errorPage(t, 400, "That code isn't valid.")
	require.Empty(t, tv.liveGrants())
	h.clock.Add(time.Hour)
	d.poll().refused(t, 400, "access_denied")
}

// A replay is an event.
func TestDeviceCodeReplayIsAnEvent(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	b.decide(d, "allow")
	d.poll().tokens(t)
	h.eventKinds()
	d.poll().refused(t, 400, "invalid_grant")
	require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())
}

// If many poll for one device at once, exactly one gets tokens, and the next
// poll revokes them, as with every code.
func TestDeviceCodeIsRedeemedOnce(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	for range 5 {
		d := tv.device()
		b.decide(d, "allow")
		statuses := atOnce(32, func(int) int { return d.poll().StatusCode })
		require.Equal(t, map[int]int{200: 1, 400: 31}, statuses)
		require.Empty(t, tv.liveGrants())
	}
}

// A device that polls at the moment of approval must wait, or gets its tokens.
func TestPollsAtTheMomentOfApproval(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	for range 20 {
		d := tv.device()
		form := b.enter(d.CompleteURI).form(t, "allow")
		answered := make(chan int)
		go func() { answered <- b.post(devicePath, form).StatusCode }()
		r := d.poll()
		for ; r.StatusCode != 200; r = d.poll() {
			require.Regexp(t, `"(authorization_pending|slow_down)"`, r.body)
		}
		h.bearer("/api/notes", r.tokens(t).AccessToken).statusIs(t, 200)
		require.Equal(t, http.StatusSeeOther, <-answered)
	}
	require.Len(t, tv.liveGrants(), 20)
}

// atOnce calls f many times at once and counts what it returns.
func atOnce[T comparable](n int, f func(i int) T) map[T]int {
	var all sync.WaitGroup
	var mu sync.Mutex
	start, counts := make(chan struct{}), map[T]int{}
	for i := range n {
		all.Go(func() {
			<-start
			got := f(i)
			mu.Lock()
			defer mu.Unlock()
			counts[got]++
		})
	}
	close(start)
	all.Wait()
	return counts
}

func TestCleanupDeletesDevices(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.DeviceAuthorization.CodeLifetime = time.Minute })
	tv := h.television()
	for range 3 {
		tv.device()
	}
	d := tv.device()
	h.clock.Add(time.Minute + time.Second)
	n, err := h.Cleanup(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	h.clock.Add(2 * time.Minute)
	fresh := tv.device()
	n, err = h.Cleanup(ctx)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	d.poll().refused(t, 400, "invalid_grant")
	fresh.poll().refused(t, 400, "authorization_pending")
}

// Lifetimes.Grant applies to devices too, and a deleted application has no
// grants.
func TestDeviceGrantIsAGrantLikeAnyOther(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) {
		c.Lifetimes.Grant = time.Hour
		c.Scopes = append(c.Scopes, scopes.Scope{Name: "core", Title: "Be useful", Required: true})
	})
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	b.decide(d, "allow")
	got := d.poll().tokens(t)
	require.EqualValues(t, 3600, got.ExpiresIn)
	grants := tv.liveGrants()
	require.Len(t, grants, 1)
	require.Equal(t, h.clock.Now().UTC().Truncate(time.Microsecond), grants[0].AgreedAt)

	pending, allowed := tv.device(), tv.device()
	form := b.enter(pending.CompleteURI).form(t, "allow")
	b.decide(allowed, "allow")
	require.NoError(t, h.DeleteApplication(ctx, tv.ID))
	allowed.poll().refused(t, 401, "invalid_client")
	b.enter(pending.CompleteURI).errorPage(t, 400, "That code isn't valid.")
	b.post(devicePath, form).errorPage(t, 400, "That code isn't valid.")
}

// RFC 8707 section 2: a device asks for one resource, and its user sees which.
func TestDeviceForAResource(t *testing.T) {
	h := newDeviceHost(t, withResources)
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device("resource", h.url+"/mcp")
	require.Contains(t, b.enter(d.CompleteURI).text(), "Access is limited to Acme for agents.")
	b.decide(d, "allow")
	d.poll("resource", h.url+"/reports").refused(t, 400, "invalid_target")
	got := d.poll("resource", h.url+"/mcp").tokens(t)
	h.bearer("/mcp", got.AccessToken).statusIs(t, 200)
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	require.Equal(t, "notes:read", got.Scope, "those that the resource understands")
	h.bearer("/mcp", tv.refresh(got.RefreshToken).tokens(t).AccessToken).statusIs(t, 200)

	unbound := tv.device()
	b.decide(unbound, "allow")
	unbound.poll("resource", h.url+"/mcp").refused(t, 400, "invalid_target")
	h.bearer("/api/notes", unbound.poll().tokens(t).AccessToken).statusIs(t, 200) // The refusal has spent nothing.

	tv.post("/oauth/device_authorization", "resource", "https://elsewhere.example.com").refused(t, 400, "invalid_target")
	form := "client_id=" + tv.ClientID + "&resource=" + h.url + "/mcp&resource=" + h.url + "/reports"
	h.send("POST", "/oauth/device_authorization", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form).refused(t, 400, "invalid_target")
}

// A sign-in on a device counts as a use, so an application that registered
// itself doesn't expire.
func TestDeviceSignInIsAUse(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	tv, _ := h.clientOf(h.register(`{"token_endpoint_auth_method":"none","grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"client_name":"Television"}`))
	require.Empty(t, tv.RedirectURIs)
	h.clock.Add(80 * day)
	d, b := tv.device(), h.signedIn("user_ada")
	b.decide(d, "allow")
	d.poll().tokens(t)
	require.WithinDuration(t, h.clock.Now(), h.lastUsed(t, tv), time.Second)
	h.clock.Add(80 * day)
	require.Equal(t, 1, h.cleanup(t))
}
