package provider_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// RFC 8252 section 8.6.
func TestConsentIsRememberedForConfidentialApplicationsOnly(t *testing.T) {
	h := newOpenHost(t)
	confidential := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	public := h.application(provider.ApplicationSettings{Public: true})
	own := h.application(provider.ApplicationSettings{SkipConsent: true})
	ownOnLoopback := h.application(provider.ApplicationSettings{SkipConsent: true, Public: true, RedirectURIs: []string{"http://127.0.0.1/cb"}})
	ownPublic := h.application(provider.ApplicationSettings{SkipConsent: true, Public: true})
	self := h.application(provider.ApplicationSettings{SkipConsent: true})
	owned := h.application(provider.ApplicationSettings{SkipConsent: true, OwnerID: "user_ada"})
	loopback := h.application(provider.ApplicationSettings{RedirectURIs: []string{"http://localhost/cb"}})
	selfRegistered(t, h, self)

	b := h.browser()
	b.signIn("user_ada")
	asked := func(app *application, changes ...string) bool {
		r := b.get(app.request(changes...))
		if r.StatusCode == http.StatusOK {
			require.NotEmpty(t, b.answer(r, "allow").redirected(t).Get("code"))
			return true
		}
		require.NotEmpty(t, r.redirected(t).Get("code"))
		return false
	}
	require.True(t, asked(confidential, "scope", "profile"))
	require.False(t, asked(confidential, "scope", "profile"))
	require.True(t, asked(confidential, "scope", "profile email"), "more scopes must be agreed to")
	require.False(t, asked(confidential, "scope", "email"), "agreements add up")
	require.True(t, asked(confidential, "scope", "email", "prompt", "consent"))
	for range 2 {
		require.True(t, asked(public), "a public application is asked for each time (RFC 8252 section 8.6)")
		require.True(t, asked(ownOnLoopback), "the page is skipped towards https only")
		require.True(t, asked(loopback), "anything on the device may listen there")
		require.False(t, asked(own))
		require.False(t, asked(ownPublic))
	}
	for _, app := range []*application{self, owned} {
		require.True(t, asked(app), "it is not reviewed, so SkipConsent does nothing")
		require.False(t, asked(app), "it authenticates")
		require.NotEmpty(t, b.authorize(app.request("prompt", "none")).Get("code"))
	}
	require.True(t, asked(own, "prompt", "consent"))

	// Revoking also forgets the consent.
	err := h.RevokeGrants(context.Background(), provider.GrantFilter{UserID: "user_ada", ApplicationID: confidential.ID})
	require.NoError(t, err)
	require.True(t, asked(confidential, "scope", "profile"))
}

// A skipped page is not consent: after the host enables the page, it asks.
func TestSkippedConsentIsNotConsent(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{SkipConsent: true})
	b := h.browser()
	b.signIn("user_ada")
	require.NotEmpty(t, b.get(app.request()).redirected(t).Get("code"))
	_, err := h.UpdateApplication(context.Background(), app.ID, func(a *provider.ApplicationSettings) error {
		a.SkipConsent = false
		return nil
	})
	require.NoError(t, err)
	b.get(app.request()).statusIs(t, http.StatusOK)
}

// A denial is an event, and the outcome of its request. It isn't logged as a
// refusal.
func TestDenialIsAnEvent(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	b.answer(b.get(app.request()), "deny").redirected(t)
	require.Equal(t, []provider.EventKind{provider.EventGrantDenied}, h.eventKinds())
	b.answer(b.get(app.request()), "deny")
	require.Equal(t, [][2]string{{"authorize", "ok"}, {"authorize", "access_denied"}}, h.requests(t))
}

// An invalid form leads to a page that says why, or to sign in.
func TestRefusedFormSaysWhy(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.browser()
	b.signIn("user_ada")
	form := b.get(app.request()).form(t, "allow")
	b.post("/oauth/authorize", form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com").
		errorPage(t, 403, "was already answered")
	altered := maps.Clone(form)
	alter(altered, "state", "x")
	b.post("/oauth/authorize", altered).errorPage(t, 403, "was already answered")
	other := h.browser()
	other.signIn("user_ada")
	other.post("/oauth/authorize", form).errorPage(t, 403, "didn't send the cookie")

	r := h.browser().post("/oauth/authorize", form)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), "/login?"))

	h.mu.Lock()
	delete(h.users, "user_ada")
	h.mu.Unlock()
	b.post("/oauth/authorize", form).errorPage(t, 403, "isn't available")
	require.Empty(t, h.eventKinds())
}

func TestTwoConsentPagesMayBeOpenAtOnce(t *testing.T) {
	h := newHost(t)
	one, two := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	first, second := b.get(one.request()), b.get(two.request())
	require.NotEmpty(t, b.answer(first, "allow").redirected(t).Get("code"))
	require.NotEmpty(t, b.answer(second, "allow").redirected(t).Get("code"))
}

func TestFormCookieIsHostOnlyIfTheIssuerIsHTTPS(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Issuer = "https://app.example.com" })
	b := h.browser()
	b.signIn("user_ada")
	app := h.application(provider.ApplicationSettings{})
	cookies := b.get(app.request()).Cookies()
	require.Len(t, cookies, 1)
	require.Equal(t, "__Host-latchkey_form", cookies[0].Name)
	require.True(t, cookies[0].Secure)
	require.True(t, cookies[0].HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookies[0].SameSite)
	require.Equal(t, "/", cookies[0].Path)
}
