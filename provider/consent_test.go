package provider_test

import (
	"context"
	"net/http"
	"net/url"
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
		require.True(t, asked(app), "nobody vouches for it, so SkipConsent does nothing")
		require.False(t, asked(app), "it authenticates")
		require.NotEmpty(t, b.authorize(app.request("prompt", "none")).Get("code"))
	}
	require.True(t, asked(own, "prompt", "consent"))

	// Revoking takes the agreement along.
	err := h.RevokeGrants(context.Background(), provider.GrantFilter{UserID: "user_ada", ApplicationID: confidential.ID})
	require.NoError(t, err)
	require.True(t, asked(confidential, "scope", "profile"))
}

// A skipped page is not an agreement: switching the page on later asks.
func TestSkippedConsentIsNoAgreement(t *testing.T) {
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

// RFC 6749 section 4.1.2.1.
func TestDenialIsAccessDenied(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	answer := b.answer(b.get(app.request()), "deny").redirected(t)
	require.Equal(t, "access_denied", answer.Get("error"))
	require.Equal(t, "st4te with space&more", answer.Get("state"))
	require.Equal(t, h.url, answer.Get("iss"))
	require.Equal(t, []provider.EventKind{provider.EventGrantDenied}, h.eventKinds())
	b.answer(b.get(app.request()), "deny")
	require.Equal(t, [][2]string{{"authorize", "ok"}, {"authorize", "access_denied"}}, h.requests(t))
	require.Equal(t, "access_denied", b.answer(b.get(app.request()), "something else").redirected(t).Get("error"))
}

// RFC 6749 section 10.12, and section 10.6 on whose grant it is.
func TestForgedConsentIsRefused(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	other := h.application(provider.ApplicationSettings{})
	request := app.request("scope", "profile")

	for _, tt := range []struct {
		name  string
		forge func(b *browser, form url.Values) *reply
		says  string
	}{
		{"from another site", func(b *browser, form url.Values) *reply {
			return b.post("/oauth/authorize", form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com")
		}, "does not belong to a page that is still open"},
		{"from a sub-domain", func(b *browser, form url.Values) *reply {
			return b.post("/oauth/authorize", form, "Sec-Fetch-Site", "same-site", "Origin", "http://sub.127.0.0.1")
		}, "does not belong to a page that is still open"},
		{"from another origin, by an old browser", func(b *browser, form url.Values) *reply {
			return b.post("/oauth/authorize", form, "Sec-Fetch-Site", "", "Origin", "https://evil.example.com")
		}, "does not belong to a page that is still open"},
		{"without a seal", func(b *browser, form url.Values) *reply {
			form.Del("seal")
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"with more scopes", func(b *browser, form url.Values) *reply {
			alter(form, "scope", "profile email")
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"for another application", func(b *browser, form url.Values) *reply {
			alter(form, "client_id", other.ClientID)
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"with another state", func(b *browser, form url.Values) *reply {
			alter(form, "state", "x")
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"with a challenge added", func(b *browser, form url.Values) *reply {
			alter(form, "code_challenge", challenge(verifier))
			alter(form, "code_challenge_method", "S256")
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"after another user signed in", func(b *browser, form url.Values) *reply {
			b.signIn("user_grace")
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"from another browser of the same user", func(_ *browser, form url.Values) *reply {
			b := h.browser()
			b.signIn("user_ada")
			b.get(request)
			return b.post("/oauth/authorize", form)
		}, "does not belong to a page that is still open"},
		{"without cookies", func(_ *browser, form url.Values) *reply {
			b := h.browser()
			b.signIn("user_ada")
			return b.post("/oauth/authorize", form)
		}, "did not send the cookie"},
		{"by a user who is gone", func(b *browser, form url.Values) *reply {
			h.mu.Lock()
			ada := h.users["user_ada"]
			delete(h.users, "user_ada")
			h.mu.Unlock()
			defer func() {
				h.mu.Lock()
				h.users["user_ada"] = ada
				h.mu.Unlock()
			}()
			return b.post("/oauth/authorize", form)
		}, "not available"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := h.browser()
			b.signIn("user_ada")
			form := b.get(request).form(t, "allow")
			r := tt.forge(b, form)
			r.errorPage(t, 403, tt.says)
		})
	}
	require.Empty(t, h.eventKinds())

	// Signed out meanwhile: off to sign in, and back to the page.
	b := h.browser()
	b.signIn("user_ada")
	form := b.get(request).form(t, "allow")
	r := h.browser().post("/oauth/authorize", form)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), "/login?"))
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

// RFC 6749 sections 10.12 and 10.13, RFC 9700 section 4.16.
func TestConsentPageHeaders(t *testing.T) {
	h := newHost(t)
	b := h.browser()
	b.signIn("user_ada")
	for _, uri := range []string{callback, "http://127.0.0.1:99/cb", "http://[::1]:99/cb", "cursor://x.y/cb"} {
		app := h.application(provider.ApplicationSettings{Public: true, RedirectURIs: []string{uri}, Name: `<script>alert("x")</script>`})
		r := b.get(app.request())
		policy := r.Header.Get("Content-Security-Policy")
		require.NotContains(t, policy, "form-action", "an application sends its users on to where it likes")
		require.NotContains(t, policy, "img-src", "there is no logo")
		require.Contains(t, policy, "default-src 'none'")
		require.Contains(t, policy, "frame-ancestors 'none'")
		require.NotContains(t, policy, "script-src")
		require.NotContains(t, policy, "unsafe")
		require.Equal(t, "same-origin", r.Header.Get("Referrer-Policy"))
		require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		require.NotContains(t, r.body, "<script")
	}
}

func TestFormCookieIsHostOnlyWhereTheIssuerIsHTTPS(t *testing.T) {
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
