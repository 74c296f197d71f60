package provider_test

import (
	"context"
	"encoding/json"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const wrongCode = "That code isn't valid."

// A link never grants anything, even if the user agreed before or the host
// skips consent (RFC 8628 section 5.4).
func TestDeviceIsAlwaysAskedFor(t *testing.T) {
	h := newDeviceHost(t)
	own := h.application(provider.ApplicationSettings{Name: "Own", SkipConsent: true})
	wiki := h.application(provider.ApplicationSettings{})
	wiki.tokens("user_ada") // The user has agreed, and is not asked at authorize any more.
	b := h.signedIn("user_ada")
	for _, app := range []*application{own, wiki} {
		require.NotEmpty(t, b.get(app.request()).redirected(t).Get("code"))
		before := len(app.liveGrants())
		d := app.device()
		for _, more := range []string{"", "&decision=allow", "&decision=allow&granted=profile", "&result=allowed", "&prompt=none"} {
			page := b.enter(d.CompleteURI + more)
			require.Contains(t, page.text(), "Never approve a code that someone sent you.")
		}
		d.poll().refused(t, 400, "authorization_pending")
		require.Len(t, app.liveGrants(), before)
	}
}

func TestDevicePagesHeaders(t *testing.T) {
	h := newDeviceHost(t)
	tv := h.application(provider.ApplicationSettings{Name: "<Television>", Public: true, RedirectURIs: []string{}, LogoURL: "https://tv.example.com/logo.png"})
	b, d := h.signedIn("user_ada"), tv.device()
	confirm := b.enter(d.CompleteURI)
	done := b.follow(b.decide(d, "allow"))
	for _, page := range []*reply{b.get(d.VerificationURI), confirm, done, b.enter(d.CompleteURI)} {
		policy := page.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.Contains(t, policy, "frame-ancestors 'none'; form-action 'self'")
		require.NotContains(t, policy, "script-src")
		require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
		require.Equal(t, "DENY", page.Header.Get("X-Frame-Options"))
		require.NotContains(t, page.body, "<script")
		require.NotContains(t, page.body, "<Television>")
	}
	require.Contains(t, confirm.Header.Get("Content-Security-Policy"), "img-src https://tv.example.com")
	require.Contains(t, confirm.body, `src="https://tv.example.com/logo.png"`)
	require.Contains(t, done.body, "&lt;Television&gt;")
	require.Equal(t, 405, b.h.send("DELETE", devicePath, nil, "").StatusCode)
}

// The page says the same for every kind of wrong code.
func TestWrongCodesAreAllAlike(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	allowed, denied, expired := tv.device(), tv.device(), tv.device()
	orphan := h.television()
	deleted := orphan.device()
	require.NoError(t, h.store.DeleteApplication(ctx, orphan.ID))
	b.decide(allowed, "allow")
	b.decide(denied, "deny")
	h.clock.Add(10 * time.Minute)
	var first string
	for _, code := range []string{allowed.UserCode, denied.UserCode, expired.UserCode, deleted.UserCode, "BBBB-BBBB"} {
		page := b.enter(h.url + devicePath + "?user_code=" + code)
		page.errorPage(t, 400, wrongCode)
		require.Contains(t, page.body, `value="`+code+`"`, "it can be corrected")
		same := strings.NewReplacer(code, "", hosttest.Fields(page.body).Get("seal"), "").Replace(page.body)
		if first == "" {
			first = same
		}
		require.Equal(t, first, same)
	}
	for _, code := range []string{"B", "BBBB-BBBB-B", "AAAA-AAAA", "😀", "<script>"} {
		page := b.enter(h.url + devicePath + "?user_code=" + url.QueryEscape(code))
		page.errorPage(t, 400, wrongCode)
		require.Contains(t, page.body, `value="`+template.HTMLEscapeString(code)+`"`)
	}
	for _, long := range []*reply{b.get(h.url + devicePath + "?user_code=" + strings.Repeat("B", 5000)), b.enter(h.url + devicePath + "?user_code=" + strings.Repeat("B", 5000))} {
		require.Contains(t, long.text(), "Enter the code shown on your device")
		require.NotContains(t, long.body, "BBBBB")
	}
	b.get(h.url+devicePath+"?user_code=x&user_code=y").errorPage(t, 400, "This link isn't valid")
	form := b.get(h.url+devicePath).form(t, "")
	form["user_code"] = []string{"x", "y"}
	b.post(devicePath, form).errorPage(t, 400, "This link isn't valid")
}

// RFC 8628 section 5.1: guessing ends after ten wrong codes, even parallel
// ones, and is allowed again ten minutes after the first.
func TestUserCodesCannotBeGuessed(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.DeviceAuthorization.CodeLifetime = time.Hour })
	d := h.television().device()
	b, grace := h.signedIn("user_ada"), h.signedIn("user_grace")
	guess := func() int { return b.enter(h.url + devicePath + "?user_code=BBBB-BBBB").StatusCode }
	for range 30 {
		b.enter(d.CompleteURI).statusIs(t, 200)                                      // Right ones do not count,
		b.enter(h.url+devicePath+"?user_code=BBBB-BBB").errorPage(t, 400, wrongCode) // nor what cannot be a code,
	}
	for range 20 {
		grace.enter(h.url + devicePath + "?user_code=BBBB-BBBB") // nor others' guesses.
	}
	require.Equal(t, map[int]int{400: 10, 429: 22}, atOnce(32, func(int) int { return guess() }))
	h.clock.Add(4 * time.Minute)
	blocked := b.enter(d.CompleteURI)
	blocked.errorPage(t, 429, "There were too many attempts")
	require.Equal(t, "360", blocked.Header.Get("Retry-After"))
	require.NotContains(t, blocked.text(), "Television")
	h.clock.Add(6*time.Minute - time.Second)
	require.Equal(t, 429, guess())
	h.clock.Add(time.Second)
	b.enter(d.CompleteURI).statusIs(t, 200)
	require.Equal(t, map[int]int{400: 10, 429: 2}, atOnce(12, func(int) int { return guess() }))

	// A POST doesn't help either: without the seal of the code's page, the page
	// doesn't mention the code.
	known := b.post(devicePath, url.Values{"request": {"user_code=" + d.UserCode}, "seal": {"x"}, "decision": {"allow"}})
	unknown := b.post(devicePath, url.Values{"request": {"user_code=BBBB-BBBB"}, "seal": {"x"}, "decision": {"allow"}})
	known.errorPage(t, 403, "was already answered")
	unknown.errorPage(t, 403, "was already answered")
}

// RFC 8628 section 5.1: only the user's guesses count. A link fills in a code,
// and a form of another site does nothing. They look nothing up and lock no one
// out.
func TestOtherSitesCannotLockOutOfDevices(t *testing.T) {
	h := newDeviceHost(t)
	b, d := h.signedIn("user_ada"), h.television().device()
	wrong := h.url + devicePath + "?user_code=BBBB-BBBB"
	entered := b.enter(d.CompleteURI)
	seen := entered.Request.URL.Query().Get("entered")
	seal := b.get(h.url+devicePath).form(t, "")
	foreign := h.signedIn("user_grace").get(wrong).form(t, "")
	for range 20 {
		for _, more := range []string{"", "&entered=x", "&entered=" + seen, "&entered=" + url.QueryEscape(seen[:22]+"BBBB-BBBB")} {
			page := b.get(wrong + more)
			page.statusIs(t, 200)
			require.Contains(t, page.body, `name="user_code" value="BBBB-BBBB"`)
			require.NotContains(t, page.text(), wrongCode)
		}
		for _, form := range []url.Values{{}, {"seal": {"x"}}, foreign} {
			form.Set("user_code", "BBBB-BBBB")
			b.post(devicePath, form).errorPage(t, 403, "was already answered")
		}
		seal.Set("user_code", "BBBB-BBBB")
		for _, origin := range []string{"cross-site", "same-site"} {
			b.post(devicePath, seal, "Sec-Fetch-Site", origin, "Origin", "https://evil.example").errorPage(t, 403, "")
		}
	}
	require.Contains(t, b.enter(d.CompleteURI).text(), d.UserCode)
	require.Contains(t, b.enter(wrong).text(), wrongCode, "only who presses the button is answered")
	require.NotContains(t, h.signedIn("user_ada").get(entered.Request.URL.String()).text(), "Television", "another browser")
}

// Config.Limit gets the visitor's address before the code is looked up.
func TestDevicePageHonoursLimit(t *testing.T) {
	var asked []provider.LimitRequest
	wait := time.Duration(0)
	h := newDeviceHost(t, func(c *provider.Config) {
		c.ClientIP = func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") }
		c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
			if l.Endpoint != "device" {
				return 0
			}
			asked = append(asked, l)
			return wait
		}
	})
	b, d := h.signedIn("user_ada"), h.television().device()
	b.get(d.VerificationURI).statusIs(t, 200)
	b.get(d.CompleteURI).statusIs(t, 200)
	require.Empty(t, asked, "a link looks nothing up")
	form := b.enter(d.CompleteURI).form(t, "allow")
	require.Equal(t, []provider.LimitRequest{{Endpoint: "device", IP: netip.MustParseAddr("192.0.2.7")}}, asked)
	b.post(devicePath, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").errorPage(t, 403, "")
	require.Len(t, asked, 1, "nor does another site")
	wait = 90 * time.Second
	h.requests(t)
	for _, r := range []*reply{b.enter(d.CompleteURI), b.post(devicePath, form)} {
		r.errorPage(t, 429, "There were too many attempts")
		require.Equal(t, "90", r.Header.Get("Retry-After"))
	}
	require.Equal(t, [][2]string{{"device", "ok"}, {"device", "ok"}, {"device", "rate_limited"}, {"device", "rate_limited"}}, h.requests(t))
	d.poll().refused(t, 400, "authorization_pending")
}

func TestDevicePageSendsToSignInOnce(t *testing.T) {
	h := newDeviceHost(t)
	b, d := h.browser(), h.television().device()
	r := b.enter(d.CompleteURI)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	back := h.lastSignIn().ReturnTo
	require.Equal(t, provider.SignInRequest{ReturnTo: devicePath + "?sign_in_after=" + strconv.FormatInt(h.clock.Now().Unix(), 10) + "&user_code=" + d.UserCode}, h.lastSignIn())
	page := b.get(h.url + back)
	page.errorPage(t, 403, "couldn't confirm that you're signed in")
	require.Contains(t, page.body, `href="`+devicePath+"?user_code="+d.UserCode+`"`)
	h.clock.Add(6 * time.Minute)
	require.Equal(t, http.StatusSeeOther, b.get(h.url+back).StatusCode, "rather a page that was loaded anew")
	b.signIn("user_ada")
	require.Contains(t, b.get(h.url+back).body, `value="`+d.UserCode+`"`, "the code was kept")

	// The user signed out after the page was shown.
	form := b.enter(d.CompleteURI).form(t, "allow")
	out := h.browser()
	out.client.Jar.SetCookies(mustParse(h.url), b.client.Jar.Cookies(mustParse(h.url)))
	out.post("/login", url.Values{"user": {""}, "next": {"/"}})
	require.Equal(t, http.StatusSeeOther, out.post(devicePath, form).StatusCode)
	require.Contains(t, h.lastSignIn().ReturnTo, "user_code="+d.UserCode)
	d.poll().refused(t, 400, "authorization_pending")
}

func mustParse(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

func TestDevicePageSwitchesAccount(t *testing.T) {
	h := newDeviceHost(t)
	b, d := h.signedIn("user_ada"), h.television().device()
	page := b.enter(d.CompleteURI)
	const link = devicePath + "?prompt=select_account&amp;user_code="
	require.Contains(t, page.body, `href="`+link+d.UserCode+`"`)
	require.Equal(t, http.StatusSeeOther, b.get(d.CompleteURI+"&prompt=select_account").StatusCode)
	require.True(t, h.lastSignIn().SwitchAccount)
	b.signIn("user_grace")
	require.Contains(t, b.get(h.url+h.lastSignIn().ReturnTo).text(), "Signed in as Grace Hopper")

	// A user whose account was deleted can switch accounts too.
	form := b.enter(d.CompleteURI).form(t, "allow")
	h.mu.Lock()
	delete(h.users, "user_grace")
	h.mu.Unlock()
	for _, r := range []*reply{b.enter(d.CompleteURI), b.post(devicePath, form)} {
		r.errorPage(t, 403, "can't be found")
		require.Contains(t, r.body, `href="`+link+d.UserCode+`"`)
	}
	d.poll().refused(t, 400, "authorization_pending")
	require.Empty(t, d.app.liveGrants())
}

// RFC 6749 section 3.3: what is granted may be less than what was asked.
func TestDeviceScopesMayBeUnticked(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) {
		c.Scopes = append(c.Scopes, scopes.Scope{Name: "core", Title: "Be useful", Required: true})
	})
	tv := h.application(provider.ApplicationSettings{Name: "Television", Public: true, RedirectURIs: []string{}, Scopes: scopes.New("profile", "email", "notes:read", "core")})
	b := h.signedIn("user_ada")
	granted := func(ticked ...string) string {
		t.Helper()
		d := tv.device("scope", "profile email core")
		form := b.enter(d.CompleteURI).form(t, "allow")
		require.NotContains(t, form["granted"], "core", "no box for a scope that is required")
		form["granted"] = ticked
		require.Equal(t, http.StatusSeeOther, b.post(devicePath, form).StatusCode)
		return d.poll().tokens(t).Scope
	}
	require.Equal(t, "profile email core", granted("profile", "email"))
	require.Equal(t, "email core", granted("email"))
	require.Equal(t, "core", granted())

	// Scopes that the application may no longer ask for are not offered.
	d := tv.device("scope", "profile")
	form := b.enter(d.CompleteURI).form(t, "allow")
	h.change(tv, func(a *store.Application) { a.Scopes = scopes.New("core") })
	b.post(devicePath, form).errorPage(t, 400, wrongCode)
	require.NotContains(t, b.enter(d.CompleteURI).text(), "See your name")
	b.decide(d, "allow")
	require.Equal(t, "", d.poll().tokens(t).Scope)
}

// A forged, altered, or copied form decides nothing: only a user who saw what a
// code stands for can decide (RFC 8628 section 3.3).
func TestForgedDeviceFormIsRefused(t *testing.T) {
	h := newDeviceHost(t)
	tv := h.television()
	b, grace := h.signedIn("user_ada"), h.signedIn("user_grace")
	d, other := tv.device(), tv.device()
	fresh := func() url.Values { return b.enter(d.CompleteURI).form(t, "allow") }
	foreign := grace.enter(d.CompleteURI).form(t, "allow")
	consent := b.get(h.application(provider.ApplicationSettings{}).request()).form(t, "allow")
	for name, send := range map[string]func(url.Values) *reply{
		"no seal": func(f url.Values) *reply { f.Del("seal"); return b.post(devicePath, f) },
		"another device": func(f url.Values) *reply {
			alter(f, "user_code", other.UserCode)
			return b.post(devicePath, f)
		},
		"more scopes":    func(f url.Values) *reply { alter(f, "scope", "profile"); return b.post(devicePath, f) },
		"another's form": func(url.Values) *reply { return b.post(devicePath, foreign) },
		"a consent form": func(f url.Values) *reply { f.Set("seal", consent.Get("seal")); return b.post(devicePath, f) },
		"another user":   func(f url.Values) *reply { return grace.post(devicePath, f) },
		"no cookie":      func(f url.Values) *reply { return h.signedIn("user_ada").post(devicePath, f) },
		"another site": func(f url.Values) *reply {
			return b.post(devicePath, f, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		},
		"another origin": func(f url.Values) *reply {
			return b.post(devicePath, f, "Sec-Fetch-Site", "", "Origin", "https://evil.example")
		},
	} {
		r := send(fresh())
		require.Equal(t, 403, r.StatusCode, name)
		require.Empty(t, r.Header.Get("Location"), name)
	}
	b.post(devicePath, url.Values{}).errorPage(t, 403, "")
	raw := fresh()
	raw.Add("decision", "deny")
	b.post(devicePath, raw).errorPage(t, 400, "")
	d.poll().refused(t, 400, "authorization_pending")
	other.poll().refused(t, 400, "authorization_pending")
	require.Empty(t, tv.liveGrants())
	// Another user of the same browser.
	left := fresh()
	b.signIn("user_grace")
	b.post(devicePath, left).errorPage(t, 403, "you have switched accounts since")
	require.Empty(t, tv.liveGrants())
	require.Equal(t, http.StatusSeeOther, b.post(devicePath, fresh()).StatusCode)
	d.poll().tokens(t)
}

// A link can't fake the result page.
func TestDeviceResultCannotBeForged(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	r := b.decide(d, "deny")
	result := mustParse(r.Header.Get("Location")).Query().Get("result")
	other := "x"
	if result[0] == 'x' {
		other = "y"
	}
	for _, forged := range []string{"allowed", other + result[1:], result + "x", result[:22] + h.television().ID, result[:22]} {
		page := b.get(h.url + devicePath + "?result=" + forged)
		require.Contains(t, page.text(), "Enter the code shown on your device")
	}
	require.Contains(t, b.get(h.url+devicePath+"?result="+result).text(), "Request denied")
	require.Contains(t, h.signedIn("user_ada").get(h.url+devicePath+"?result="+result).text(), "Enter the code shown on your device", "another browser")
	require.NoError(t, h.DeleteApplication(ctx, tv.ID))
	require.Contains(t, b.get(h.url+devicePath+"?result="+result).text(), "Enter the code shown on your device")
}

// A second click gets the answer of the first, and a form makes one grant.
func TestDeviceFormMakesOneGrant(t *testing.T) {
	h := newDeviceHost(t)
	tv := h.television()
	for _, decision := range []string{"allow", "deny"} {
		b, d := h.signedIn("user_ada"), tv.device()
		before := len(tv.liveGrants())
		page := b.enter(d.CompleteURI)
		form := page.form(t, decision)
		h.eventKinds()
		locations := atOnce(32, func(int) string {
			// The browser doesn't have the cookie of the first answer yet.
			own := h.browser()
			own.client.Jar.SetCookies(mustParse(h.url), b.client.Jar.Cookies(mustParse(h.url)))
			r := own.post(devicePath, form)
			require.Equal(t, http.StatusSeeOther, r.StatusCode)
			return r.Header.Get("Location")
		})
		require.Len(t, locations, 1)
		if decision == "allow" {
			require.Equal(t, []provider.EventKind{provider.EventGrantCreated}, h.eventKinds())
			require.Len(t, tv.liveGrants(), before+1)
			d.poll().tokens(t)
		} else {
			d.poll().refused(t, 400, "access_denied")
		}
		// With the code, the form can be sent again, with any button.
		first := b.post(devicePath, form)
		for _, again := range []string{"allow", "deny"} {
			form.Set("decision", again)
			r := b.post(devicePath, form)
			require.Equal(t, first.Header.Get("Location"), r.Header.Get("Location"))
		}
	}
	require.Len(t, tv.liveGrants(), 1)
}

// An answered form makes no second grant after the first has ended, even if the
// browser has lost its record of the answer.
func TestAnsweredDeviceFormRevivesNothing(t *testing.T) {
	h := newDeviceHost(t)
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device()
	form := b.enter(d.CompleteURI).form(t, "allow")
	old := b.client.Jar.Cookies(mustParse(h.url))
	b.post(devicePath, form)
	got := d.poll().tokens(t)
	err := h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"})
	require.NoError(t, err)
	h.clock.Add(2 * time.Minute)
	_, err = h.Cleanup(ctx)
	require.NoError(t, err)
	b.client.Jar.SetCookies(mustParse(h.url), old)
	require.Equal(t, http.StatusSeeOther, b.post(devicePath, form).StatusCode)
	require.Empty(t, tv.liveGrants())
	d.poll().refused(t, 400, "invalid_grant")
	tv.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
}

// If two users decide at once on one device, exactly one does, and only that
// one's grant lives.
func TestTwoUsersDecideAtOnce(t *testing.T) {
	h := newDeviceHost(t)
	tv := h.television()
	users := []string{"user_ada", "user_grace"}
	browsers := []*browser{h.signedIn(users[0]), h.signedIn(users[1])}
	for i := range 30 {
		d := tv.device()
		before := len(tv.liveGrants())
		var forms []url.Values
		for j, b := range browsers {
			decision := "allow"
			if i%3 == 2 && j == 1 {
				decision = "deny"
			}
			forms = append(forms, b.enter(d.CompleteURI).form(t, decision))
		}
		won := make([]bool, 2)
		statuses := atOnce(2, func(j int) int {
			r := browsers[j].post(devicePath, forms[j])
			won[j] = r.StatusCode == http.StatusSeeOther
			return r.StatusCode
		})
		require.Equal(t, map[int]int{303: 1, 400: 1}, statuses)
		if won[1] && forms[1].Get("decision") == "deny" {
			d.poll().refused(t, 400, "access_denied")
			require.Len(t, tv.liveGrants(), before)
			continue
		}
		token := d.poll().tokens(t)
		winner := users[0]
		if won[1] {
			winner = users[1]
		}
		require.Contains(t, h.bearer("/oauth/userinfo", token.AccessToken).body, `"sub":"`+winner+`"`)
		require.Len(t, tv.liveGrants(), before+1)
	}
}

// A user who decides after another one makes no grant, and has agreed to
// nothing.
func TestLaterUserMakesNoGrant(t *testing.T) {
	h := newDeviceHost(t)
	d, b, grace := h.television().device(), h.signedIn("user_ada"), h.signedIn("user_grace")
	late := grace.enter(d.CompleteURI).form(t, "allow")
	b.decide(d, "allow")
	h.eventKinds()
	grace.post(devicePath, late).errorPage(t, 400, wrongCode)
	require.Empty(t, h.eventKinds())
	listed, err := h.ListConnections(ctx, "user_grace")
	require.NoError(t, err)
	require.Empty(t, listed)
	require.Contains(t, h.bearer("/oauth/userinfo", d.poll().tokens(t).AccessToken).body, `"sub":"user_ada"`)
}

// A host can render custom pages with only the data that it gets.
func TestCustomDevicePage(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) {
		c.Pages.Device = func(w http.ResponseWriter, _ *http.Request, page pages.Device) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(page.Status)
			json.NewEncoder(w).Encode(page)
		}
	})
	tv, b := h.television(), h.signedIn("user_ada")
	d := tv.device("scope", "profile")
	read := func(r *reply, status int) (page pages.Device) {
		t.Helper()
		require.Equal(t, status, r.StatusCode)
		require.Contains(t, r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'; form-action 'self'")
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		require.NoError(t, json.Unmarshal([]byte(r.body), &page))
		require.Equal(t, status, page.Status)
		return page
	}
	enter := read(b.get(d.VerificationURI), 200)
	require.Equal(t, pages.StepEnter, enter.Step)
	require.Equal(t, "Ada Lovelace", enter.User.Label)
	require.Equal(t, devicePath, enter.FormAction)
	require.False(t, enter.WrongCode)
	enters := func(code string) *reply {
		form := url.Values{"user_code": {code}}
		for _, f := range enter.FormFields {
			form.Set(f.Name, f.Value)
		}
		return b.follow(b.post(enter.FormAction, form))
	}
	filled := read(b.get(d.CompleteURI), 200)
	require.Equal(t, pages.StepEnter, filled.Step)
	require.Equal(t, d.UserCode, filled.UserCode)
	require.Empty(t, filled.Application)
	wrong := read(enters("bbbb bbbb"), 400)
	require.Equal(t, pages.StepEnter, wrong.Step)
	require.True(t, wrong.WrongCode)
	require.Equal(t, "bbbb bbbb", wrong.UserCode)

	confirm := read(enters(d.UserCode), 200)
	require.Equal(t, pages.StepConfirm, confirm.Step)
	require.Equal(t, d.UserCode, confirm.UserCode)
	require.Equal(t, "Television", confirm.Application.Name)
	require.Equal(t, "Television wants access to your "+confirm.Host.Name+" account", confirm.Texts.ConsentTitle)
	require.Equal(t, []pages.Scope{{Name: "profile", Title: "See your name, username and picture", Group: "Your account", Access: "read"}}, confirm.Scopes)
	require.True(t, confirm.Application.Reviewed)
	form := url.Values{"decision": {"allow"}, "granted": {"profile"}}
	for _, f := range confirm.FormFields {
		form.Set(f.Name, f.Value)
	}
	done := read(b.follow(b.post(confirm.FormAction, form)), 200)
	require.Equal(t, pages.StepAllowed, done.Step)
	require.Equal(t, "Television", done.Application.Name)
	require.Equal(t, "profile", d.poll().tokens(t).Scope)
	denied := read(b.follow(func() *reply {
		d := tv.device()
		page := read(enters(d.UserCode), 200)
		form := url.Values{"decision": {"deny"}}
		for _, f := range page.FormFields {
			form.Set(f.Name, f.Value)
		}
		return b.post(page.FormAction, form)
	}()), 200)
	require.Equal(t, pages.StepDenied, denied.Step)
}

// A path in Issuer starts every URL of the grant.
func TestDeviceBelowAPath(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.Issuer += "/sub" })
	d := h.television().device()
	require.Equal(t, h.url+"/sub/oauth/device", d.VerificationURI)
	b := h.signedIn("user_ada")
	page := b.enter(d.CompleteURI)
	require.Contains(t, page.body, `action="/sub/oauth/device"`)
	done := b.follow(b.post("/sub/oauth/device", page.form(t, "allow")))
	require.Contains(t, done.text(), "Television is connected")
	d.poll().tokens(t)
	h.browser().enter(d.CompleteURI)
	require.True(t, strings.HasPrefix(h.lastSignIn().ReturnTo, "/sub/oauth/device?"))
}
