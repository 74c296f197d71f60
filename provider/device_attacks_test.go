package provider_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

// A form is sealed with a key in the user's own cookie, so users can forge
// forms for themselves. These tests do.

// formKey is the key in the browser's cookie.
func (b *browser) formKey() []byte {
	b.h.t.Helper()
	u, err := url.Parse(b.h.url)
	require.NoError(b.h.t, err)
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "latchkey_form") {
			content, err := base64.RawURLEncoding.DecodeString(c.Value)
			require.NoError(b.h.t, err)
			return content[:32]
		}
	}
	b.h.t.Fatal("there is no cookie yet")
	return nil
}

// forged seals a form for the device page, with a chosen grant ID.
func (b *browser) forged(user string, id store.ID, form url.Values, decision string) url.Values {
	mac := hmac.New(sha256.New, b.formKey())
	mac.Write(id[:])
	for _, part := range []string{"device", user, form.Get("request")} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	forged := maps.Clone(form)
	forged.Set("seal", base64.RawURLEncoding.EncodeToString(append(id[:], mac.Sum(nil)...)))
	forged.Set("decision", decision)
	return forged
}

// A grant's ID is not secret, and anyone who knows it can seal a form with it.
// The form must not end another user's grant.
func TestForgedDeviceFormEndsNoOthersGrant(t *testing.T) {
	const attacker = "user_mallory"
	victim := "" // one whose grants have ids with the attacker's tag
	for i := 0; victim == ""; i++ {
		if user := fmt.Sprint("user_", i); store.UserTag(user) == store.UserTag(attacker) {
			victim = user
		}
	}
	h := newDeviceHost(t, func(c *provider.Config) {
		c.Users = func(_ context.Context, id string) (userinfo.User, error) {
			time.Sleep(5 * time.Millisecond) // so that the two answers meet
			return userinfo.User{ID: id}, nil
		}
	})
	wiki := h.application(provider.ApplicationSettings{})
	got := wiki.tokens(victim)
	id := wiki.liveGrants()[0].ID
	tv, b := h.television(), h.signedIn(attacker)
	for range 20 {
		form := b.enter(tv.device().CompleteURI).form(t, "allow")
		deny := maps.Clone(form)
		deny.Set("decision", "deny")
		var both sync.WaitGroup
		both.Go(func() { b.post(devicePath, b.forged(attacker, id, form, "allow")) })
		both.Go(func() { b.post(devicePath, deny) })
		both.Wait()
	}
	form := b.enter(tv.device().CompleteURI).form(t, "allow")
	b.post(devicePath, b.forged(attacker, id, form, "deny"))
	h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
	wiki.refresh(got.RefreshToken).tokens(t)
}

// Forged forms count as guesses too (RFC 8628 section 5.1).
func TestForgedDeviceFormsAreGuesses(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_grace")
	waiting := tv.device()
	form := b.enter(tv.device().CompleteURI).form(t, "allow")
	guess := func(code string) int {
		request := url.Values{"user_code": {code}, "device": {strings.Repeat("00", 16)}, "scope": {"profile"}}
		return b.post(devicePath, b.forged("user_grace", store.NewID(h.clock.Now(), "user_grace"), url.Values{"request": {request.Encode()}}, "deny")).StatusCode
	}
	for i := range 10 {
		// A partly right form makes no difference: it isn't the page's.
		require.Equal(t, 400, guess([]string{"BBBB-BBBB", waiting.UserCode}[i%2]))
	}
	require.Equal(t, http.StatusTooManyRequests, guess(waiting.UserCode))
	require.Equal(t, http.StatusTooManyRequests, b.post(devicePath, form).StatusCode)
	waiting.poll().refused(t, 400, "authorization_pending")
	h.clock.Add(10 * time.Minute)
	require.Equal(t, 400, guess("BBBB-BBBB"))
}

// After an answer that was not saved because the store failed, another one
// counts.
func TestDenialTakesBackWhatWasAllowedHalfWay(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newDeviceHost(t, func(c *provider.Config) { c.Store = kept })
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	form := b.enter(d.CompleteURI).form(t, "allow")
	kept.Fail(errFire, "Replace")
	b.post(devicePath, form).errorPage(t, 503, "cannot answer")
	kept.Heal()
	require.Len(t, tv.liveGrants(), 1)
	form.Set("decision", "deny")
	require.Equal(t, http.StatusSeeOther, b.post(devicePath, form).StatusCode)
	d.poll().refused(t, 400, "access_denied")
	require.Empty(t, tv.liveGrants())
}

// The form is valid only for the application that its page showed.
func TestDeviceFormHoldsForWhatThePageShowed(t *testing.T) {
	h := newDeviceHost(t)
	for _, change := range []func(*store.Application){
		func(a *store.Application) { a.Name = "Another" },
		func(a *store.Application) { a.LogoURL = "https://another.example.com/logo.png" },
		func(a *store.Application) { a.ClientURI = "https://another.example.com/" },
	} {
		tv, b := h.television(), h.signedIn("user_ada")
		d := tv.device()
		form := b.enter(d.CompleteURI).form(t, "allow")
		h.change(tv, change)
		require.Equal(t, 400, b.post(devicePath, form).StatusCode)
		require.Empty(t, tv.liveGrants())
		d.poll().refused(t, 400, "authorization_pending")
	}
}

// The device endpoint treats a client with a document like the authorization
// endpoint: only while the host allows it, and with its current document.
func TestDeviceOfAClientWithADocument(t *testing.T) {
	allowed := true
	h, site, app := newDocumentHost(t, func(c *provider.Config) {
		c.DeviceAuthorization = &provider.DeviceAuthorization{}
		c.ClientIDDocuments.Allow = func(context.Context, *url.URL) error {
			if allowed {
				return nil
			}
			return errors.New("on the list")
		}
	})
	site.document(map[string]any{"grant_types": []string{"authorization_code", grantDevice}})
	app.post("/oauth/device_authorization").refused(t, 401, "invalid_client") // no user has agreed to it yet
	b := h.signedIn("user_ada")
	b.authorize(app.request())
	pending, d := app.device(), app.device()
	require.Contains(t, b.enter(d.CompleteURI).text(), "client.example.com:8443")
	b.decide(d, "allow")
	d.poll().tokens(t)

	form := b.enter(pending.CompleteURI).form(t, "allow")
	allowed = false
	app.post("/oauth/device_authorization").refused(t, 400, "unauthorized_client")
	pending.poll().refused(t, 400, "unauthorized_client")
	b.enter(pending.CompleteURI).errorPage(t, 400, "does not accept the application")
	b.post(devicePath, form).errorPage(t, 400, "does not accept the application")
	allowed = true

	site.document(map[string]any{"grant_types": []string{"authorization_code"}})
	h.clock.Add(6 * time.Minute)
	b.enter(pending.CompleteURI).errorPage(t, 400, "device grant")

	off := newDeviceHost(t, func(c *provider.Config) { c.Store = h.store })
	off.post("/oauth/device_authorization", "client_id", documentID).refused(t, 400, "unauthorized_client")
	app.h = off
	pending.poll().refused(t, 400, "unauthorized_client")
}

func TestDeviceEndpointCannotBeLeftOutAlone(t *testing.T) {
	_, err := provider.New(provider.Config{Issuer: "https://app.example.com", DeviceAuthorization: &provider.DeviceAuthorization{},
		Paths: provider.Paths{DeviceAuthorization: "-"}})
	require.ErrorContains(t, err, "Config.Paths.DeviceAuthorization is left out")
	_, err = provider.New(provider.Config{Issuer: "https://app.example.com", Registration: &provider.Registration{}, Paths: provider.Paths{Register: "/oauth/register/"}})
	require.ErrorContains(t, err, `Config.Paths.Register is "/oauth/register/": use a plain path`)
}
