package provider_test

import (
	"bytes"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// boxes returns the names of the ticked boxes of a page.
func boxes(t *testing.T, page *reply) []string { return page.form(t, "")["granted"] }

// allow answers a page with only these boxes ticked, and returns the code.
func (b *browser) allow(page *reply, ticked ...string) string {
	b.h.t.Helper()
	form := page.form(b.h.t, "allow")
	form["granted"] = ticked
	code := b.post("/oauth/authorize", form).redirected(b.h.t).Get("code")
	require.NotEmpty(b.h.t, code)
	return code
}

// silent returns the scope of the tokens that an application gets if the user
// is not asked.
func (b *browser) silent(app *application, changes ...string) string {
	b.h.t.Helper()
	answer := b.get(app.request(changes...)).redirected(b.h.t)
	require.Empty(b.h.t, answer.Get("error"))
	return app.redeem(answer.Get("code")).tokens(b.h.t).Scope
}

// The newest decision counts for everything that its page has shown: what was
// unticked later is not granted silently again.
func TestNewestDecisionCounts(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
	b := h.signedIn("user_ada")
	consent := []string{"scope", "profile email", "prompt", "consent"}
	b.allow(b.get(app.request(consent...)), "profile", "email")
	require.Equal(t, "profile email", b.silent(app, "scope", "profile email"))
	b.allow(b.get(app.request(consent...)), "profile")
	require.Equal(t, "profile", b.silent(app, "scope", "profile email"))
	require.Equal(t, "profile", b.silent(app, "scope", "profile email", "prompt", "none"))
	require.Empty(t, b.silent(app, "scope", "email"), "it knows who the user is, and no more")

	// A request for more scopes asks, with the unticked box still unticked.
	page := b.get(app.request("scope", "profile email notes:read"))
	require.Equal(t, []string{"profile", "notes:read"}, boxes(t, page))
	require.Contains(t, page.body, `value="email"><span>`)
	b.allow(page, "email", "notes:read")
	require.Equal(t, "email notes:read", b.silent(app, "scope", "profile email notes:read"))
	connections, err := h.ListConnections(ctx, "user_ada")
	require.NoError(t, err)
	require.Len(t, connections, 1)
	var out bytes.Buffer
	require.NoError(t, h.ExportUser(ctx, "user_ada", &out))
	require.Regexp(t, `(?s)"consents":.*"scopes":\s*\[\s*"email",\s*"notes:read"\s*\],\s*"declined":\s*\[\s*"profile"\s*\]`, out.String())
}

// What was declined is not asked for again with every sign-in.
func TestDeclinedScopesAreRemembered(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Scopes = append(c.Scopes, scopes.Scope{Name: "core", Title: "Be useful", Required: true})
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "core")})
	b := h.signedIn("user_ada")
	b.allow(b.get(app.request()), "profile")
	for range 3 {
		require.Equal(t, "profile core", b.silent(app), "a required scope can't be declined")
	}
	require.Equal(t, []string{"profile"}, boxes(t, b.get(app.request("prompt", "consent"))))

	// If users are asked each time, they find the boxes as they left them.
	public := h.application(provider.ApplicationSettings{Public: true, Scopes: scopes.New("profile", "email")})
	require.Equal(t, []string{"profile", "email"}, boxes(t, b.get(public.request())))
	b.allow(b.get(public.request()), "email")
	require.Equal(t, []string{"email"}, boxes(t, b.get(public.request())))

	// Another user has declined nothing.
	require.Equal(t, []string{"profile", "email"}, boxes(t, h.signedIn("user_grace").get(app.request())))

	// Neither has a user who disconnected.
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada", ApplicationID: app.ID}))
	require.Equal(t, []string{"profile", "email"}, boxes(t, b.get(app.request())))
}

// If a scope becomes required after the user declined it, the page asks again.
func TestDeclinedScopeBecomesRequired(t *testing.T) {
	kept := memory.New()
	var shown []pages.Scope
	open := func(required bool) *host {
		return newHost(t, func(c *provider.Config) {
			c.Store = kept
			c.Scopes = append(c.Scopes, scopes.Scope{Name: "core", Title: "Be useful", Required: required})
			if required {
				c.Pages.Consent = func(_ http.ResponseWriter, _ *http.Request, page pages.Consent) { shown = page.Scopes }
			}
		})
	}
	before, after := open(false), open(true)
	app := before.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "core")})
	b := before.signedIn("user_ada")
	b.allow(b.get(app.request()), "profile")
	require.Equal(t, "profile", b.silent(app))
	app.h = after
	after.signedIn("user_ada").get(app.request())
	require.Len(t, shown, 2, "the page is shown")
	require.Equal(t, pages.Scope{Name: "core", Title: "Be useful", Required: true}, shown[1], "it can't be unticked")
}

// A custom page learns which boxes to leave unticked.
func TestCustomPageGetsDeclinedScopes(t *testing.T) {
	var shown []pages.Scope
	h := newDeviceHost(t, func(c *provider.Config) {
		c.Pages.Consent = func(_ http.ResponseWriter, _ *http.Request, page pages.Consent) { shown = page.Scopes }
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.signedIn("user_ada")
	declined := func() []bool {
		b.get(app.request("prompt", "consent"))
		return []bool{shown[0].Declined, shown[1].Declined}
	}
	require.Equal(t, []bool{false, false}, declined())
	d := app.device()
	form := b.enter(d.CompleteURI).form(t, "allow")
	form["granted"] = []string{"profile"}
	b.post(devicePath, form)
	require.Equal(t, []bool{false, true}, declined(), "on the device page")
}

// Cancel withdraws what the page has shown, and later requests ask.
func TestCancelTakesBack(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
	b := h.signedIn("user_ada")
	ask := func(changes ...string) *reply { return b.get(app.request(changes...)) }
	deny := func(page *reply) {
		t.Helper()
		require.Equal(t, "access_denied", b.answer(page, "deny").redirected(t).Get("error"))
	}
	deny(ask("scope", "profile"))
	require.Zero(t, h.consents(t), "nothing was agreed to, so nothing is kept")

	mcp := []string{"scope", "notes:read", "resource", h.url + "/mcp"}
	b.allow(ask("scope", "profile email"), "profile", "email")
	b.allow(ask(mcp...), "notes:read")
	deny(ask("scope", "profile email", "prompt", "consent"))
	for _, scope := range []string{"profile", "email", "profile email", "notes:read"} {
		ask("scope", scope).statusIs(t, http.StatusOK)
		require.Equal(t, "consent_required", ask("scope", scope, "prompt", "none").redirected(t).Get("error"), scope)
	}
	require.Equal(t, "notes:read", b.silent(app, mcp...), "another resource was not on the page")

	// It doesn't decide about later requests.
	b.allow(ask("scope", "profile"), "profile")
	require.Equal(t, "profile", b.silent(app, "scope", "profile"))
	ask("scope", "profile email").statusIs(t, http.StatusOK)
}

// consents returns how many consents of user_ada are stored.
func (h *host) consents(t *testing.T) int {
	t.Helper()
	got, _ := export(t, h, "user_ada")
	return len(got.Consents)
}

// The device page is always shown, and its decision is remembered by the same
// rule.
func TestDevicePageRemembersTheDecision(t *testing.T) {
	h := newDeviceHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.signedIn("user_ada")
	decide := func(decision string, ticked ...string) {
		t.Helper()
		form := b.enter(app.device("scope", "profile email").CompleteURI).form(t, decision)
		form["granted"] = ticked
		require.Equal(t, http.StatusSeeOther, b.post(devicePath, form).StatusCode)
	}
	b.allow(b.get(app.request()), "profile", "email")
	decide("allow", "email")
	require.Equal(t, "email", b.silent(app))
	require.Equal(t, []string{"email"}, boxes(t, b.enter(app.device("scope", "profile email").CompleteURI)))
	decide("deny")
	b.get(app.request()).statusIs(t, http.StatusOK)
}

// Of two pages that are open at once, the last decision counts, in any order.
func TestTwoTabsAnsweredOutOfOrder(t *testing.T) {
	for _, last := range []int{0, 1} {
		h := newHost(t)
		app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
		b := h.signedIn("user_ada")
		tabs := []*reply{b.get(app.request()), b.get(app.request())}
		b.allow(tabs[1-last], "profile", "email")
		b.allow(tabs[last], "profile")
		require.Equal(t, "profile", b.silent(app))

		tabs = []*reply{b.get(app.request("prompt", "consent")), b.get(app.request("prompt", "consent"))}
		b.allow(tabs[1-last], "profile", "email")
		require.Equal(t, "access_denied", b.answer(tabs[last], "deny").redirected(t).Get("error"))
		b.get(app.request()).statusIs(t, http.StatusOK)
	}
}

// formAgain is a form that can be sent again from a browser that missed its
// answer: it has the cookies of when the page was shown.
type formAgain struct {
	h       *host
	form    url.Values
	cookies []*http.Cookie
}

func (b *browser) keep(page *reply) formAgain {
	address, err := url.Parse(b.h.url)
	require.NoError(b.h.t, err)
	return formAgain{b.h, page.form(b.h.t, "allow"), b.client.Jar.Cookies(address)}
}

func (f formAgain) send(decision string, ticked ...string) *reply {
	b := f.h.browser()
	address, _ := url.Parse(f.h.url)
	b.client.Jar.SetCookies(address, f.cookies)
	f.form.Set("decision", decision)
	if ticked != nil {
		f.form["granted"] = ticked
	}
	return b.post("/oauth/authorize", f.form)
}

// stale checks that a form no longer gives anything.
func (r *reply) stale(t *testing.T) {
	t.Helper()
	r.errorPage(t, http.StatusForbidden, "was already answered")
}

// A form that is sent again is not a newer decision than those of other pages,
// but a Cancel on it is newer than its Allow.
func TestFormSentAgainIsNotANewerDecision(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.signedIn("user_ada")
	first := b.keep(b.get(app.request()))
	code := first.send("allow").redirected(t).Get("code")
	require.Equal(t, code, first.send("allow").redirected(t).Get("code"))
	b.allow(b.get(app.request("prompt", "consent")), "profile")
	first.send("allow").stale(t)
	require.Equal(t, "profile", b.silent(app))

	second := b.keep(b.get(app.request("prompt", "consent")))
	code = second.send("allow", "profile", "email").redirected(t).Get("code")
	require.Equal(t, "access_denied", second.send("deny").redirected(t).Get("error"))
	app.redeem(code).refused(t, 400, "invalid_grant")
	second.send("allow").stale(t)
	b.get(app.request()).statusIs(t, http.StatusOK)
	b.allow(b.get(app.request()), "profile", "email")
	require.Equal(t, "access_denied", second.send("deny").redirected(t).Get("error"))
	require.Equal(t, "profile email", b.silent(app), "the Cancel was before")
}

// A form makes at most one grant and one code, and never returns a code that
// can't be redeemed, even if it is sent often.
func TestFormSentOneAfterTheOther(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	again := b.keep(b.get(app.request()))
	code := again.send("allow").redirected(t).Get("code")
	for range 19 {
		require.Equal(t, code, again.send("allow").redirected(t).Get("code"))
	}
	require.Len(t, h.grantsOf("user_ada"), 1)
	signedIn := app.redeem(code).tokens(t)
	for range 20 {
		again.send("allow").stale(t)
	}
	require.Len(t, h.grantsOf("user_ada"), 1)
	app.refresh(signedIn.RefreshToken).tokens(t)
}

// Two tabs that are answered at once overwrite each other's cookie, so the
// browser may not know that one of them was answered. Going back to it and
// pressing Allow doesn't return a spent code.
func TestTwoTabsAnsweredAtOnce(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	tabs := []formAgain{b.keep(b.get(app.request())), b.keep(b.get(app.request()))}
	var codes [2]string
	var all sync.WaitGroup
	for i, tab := range tabs {
		all.Go(func() { codes[i] = tab.send("allow").redirected(t).Get("code") })
	}
	all.Wait()
	require.NotEqual(t, codes[0], codes[1])
	require.Len(t, h.grantsOf("user_ada"), 2)
	for i, tab := range tabs {
		signedIn := app.redeem(codes[i]).tokens(t)
		tab.send("allow").stale(t)
		app.refresh(signedIn.RefreshToken).tokens(t)
	}
	require.Len(t, h.grantsOf("user_ada"), 2)
}

// Back and Allow, in the browser that knows the answer: the visitor starts
// over, and is not asked again what they have just answered.
func TestBackAndAllow(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	page := b.get(app.request())
	signedIn := app.redeem(b.allow(page, "profile", "email")).tokens(t)
	r := b.answer(page, "allow")
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	code := b.get(h.url + r.Header.Get("Location")).redirected(t).Get("code")
	app.redeem(code).tokens(t)
	app.refresh(signedIn.RefreshToken).tokens(t)
}

// Back and another answer, in the browser that knows the first one: what is
// unticked or canceled there is not granted silently again.
func TestBackAndAnotherAnswer(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.signedIn("user_ada")
	page := b.get(app.request())
	form := page.form(t, "allow")
	b.allow(page, "profile", "email")

	form["granted"] = []string{"profile"}
	asked := b.follow(b.post("/oauth/authorize", form))
	asked.statusIs(t, http.StatusOK)
	b.allow(asked, "profile")
	require.Equal(t, "profile", b.silent(app))

	page = b.get(app.request("prompt", "consent"))
	b.allow(page, "profile")
	require.Equal(t, "access_denied", b.answer(page, "deny").redirected(t).Get("error"))
	b.get(app.request()).statusIs(t, http.StatusOK)
	b.follow(b.answer(page, "allow")).statusIs(t, http.StatusOK)
}

// SkipConsent decides for users who were not asked. What they unticked when the
// application asked for the page is not granted without it.
func TestSkippedConsentKeepsWhatWasDeclined(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{SkipConsent: true, Scopes: scopes.New("profile", "email")})
	b := h.signedIn("user_ada")
	require.Equal(t, "profile email", b.silent(app))
	b.allow(b.get(app.request("prompt", "consent")), "profile")
	require.Equal(t, "profile", b.silent(app))
	b.allow(b.get(app.request("prompt", "consent")), "profile", "email")
	require.Equal(t, "profile email", b.silent(app))
}

// A form of twelve minutes ago: its code has expired if it was answered then,
// and a cleanup in between doesn't allow another grant.
func TestFormOfTwelveMinutesAgo(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	answered, open := b.keep(b.get(app.request())), b.keep(b.get(app.request()))
	answered.send("allow").redirected(t)
	for range 4 {
		h.clock.Add(12 * time.Minute)
		h.cleanup(t)
		answered.send("allow").stale(t)
	}
	app.redeem(open.send("allow").redirected(t).Get("code")).tokens(t)
	open.send("allow").stale(t)
}

// A denial that could not be saved is reported as failed, and can be repeated:
// neither the application nor a later request takes it for consent.
func TestCancelWhileTheStoreIsDown(t *testing.T) {
	for name, breaks := range map[string]func(*storetest.Breakable){
		"nothing is written":   func(kept *storetest.Breakable) { kept.Fail(errFire, "Replace") },
		"nothing is read":      func(kept *storetest.Breakable) { kept.Fail(errFire, "FindConsent") },
		"the answer gets lost": func(kept *storetest.Breakable) { kept.Lose(errFire, "Replace") },
	} {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store = kept })
			app := h.application(provider.ApplicationSettings{})
			b := h.signedIn("user_ada")
			require.NotEmpty(t, b.authorize(app.request()).Get("code"))
			page := b.get(app.request("prompt", "consent"))
			breaks(kept)
			b.answer(page, "deny").errorPage(t, 503, "")
			kept.Heal()
			require.Equal(t, "access_denied", b.answer(page, "deny").redirected(t).Get("error"))
			b.get(app.request()).statusIs(t, 200)
			require.Equal(t, "consent_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
		})
	}
}
