package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
)

func TestPagesSpeakTheVisitorsLanguage(t *testing.T) {
	own := pages.Texts{Language: "he", Direction: "rtl", ConsentTitle: "{application} → {host} <b>", Scopes: map[string]string{"notes:read": "<Notizen>"}}
	h := newHost(t, func(c *provider.Config) {
		c.Pages.Name = "Acme"
		c.Pages.Texts = pages.AcceptLanguage(pages.English(), pages.German(), own)
	})
	app := h.application(provider.ApplicationSettings{Name: "{host} & <i>", Scopes: scopes.New("profile", "notes:read")})
	b := h.browser()
	b.signIn("user_ada")
	page := func(language string) *reply {
		r, err := http.NewRequest("GET", app.request(), nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Language", language)
		return send(t, b.client, r)
	}
	german := page("de-CH")
	require.Contains(t, german.body, `<html lang="de" dir="ltr">`)
	require.Contains(t, german.text(), "möchte auf dein Konto bei Acme zugreifen")
	require.Contains(t, german.text(), "Deinen Namen")
	require.Contains(t, german.text(), "Read your notes", "what is not translated has the Title of Config.Scopes")

	// Missing texts are English. Names are not taken for placeholders, and
	// nothing is taken for HTML.
	hebrew := page("he")
	require.Contains(t, hebrew.body, `<html lang="he" dir="rtl">`)
	require.Contains(t, hebrew.body, "<title>{host} &amp; &lt;i&gt; → Acme &lt;b&gt;</title>")
	require.Contains(t, hebrew.body, "<bdi>{host} &amp; &lt;i&gt;</bdi> → <bdi>Acme</bdi> &lt;b&gt;")
	require.Contains(t, hebrew.body, "&lt;Notizen&gt;")
	require.Contains(t, hebrew.text(), "Signed in as Ada Lovelace")

	require.Contains(t, page("fr").body, `<html lang="en" dir="ltr">`)
}

// RFC 6749 section 3.3: what is granted may be less than what was asked.
func TestScopesMayBeUnticked(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Scopes = append(c.Scopes, scopes.Scope{Name: "core", Title: "Be useful", Required: true})
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "core")})
	b := h.browser()
	b.signIn("user_ada")
	granted := func(ticked ...string) string {
		t.Helper()
		form := b.get(app.request("prompt", "consent")).form(t, "allow")
		require.NotContains(t, form["granted"], "core", "no box for a scope that is required")
		form["granted"] = ticked
		code := b.post("/oauth/authorize", form).redirected(t).Get("code")
		return app.redeem(code).tokens(t).Scope
	}
	require.Equal(t, "profile email core", granted("profile", "email"))
	require.Equal(t, "email core", granted("email"))
	require.Equal(t, "core", granted(), "all unticked")
	require.Equal(t, "profile core", granted("profile", "profile", "core"))

	// Unticked scopes are not asked for again, and not granted.
	other := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	form := b.get(other.request()).form(t, "allow")
	form["granted"] = []string{"email"}
	code := b.post("/oauth/authorize", form).redirected(t).Get("code")
	require.Equal(t, "email", other.redeem(code).tokens(t).Scope)
	require.Empty(t, b.get(other.request("scope", "email")).redirected(t).Get("error"), "that is remembered")
	code = b.get(other.request()).redirected(t).Get("code")
	require.Equal(t, "email", other.redeem(code).tokens(t).Scope)
	got := other.tokens("user_ada", "scope", "email")
	again := other.refresh(got.RefreshToken, "scope", "profile email").tokens(t)
	require.Equal(t, "email", again.Scope, "a library that asks for what it asked for at first is not signed out")
	require.NotContains(t, h.send("GET", "/oauth/userinfo", http.Header{"Authorization": {"Bearer " + again.AccessToken}}, "").body, "Lovelace")

	// Offline access is granted without a question, and can't be unticked.
	form = b.get(other.request("scope", "offline_access profile email", "prompt", "consent")).form(t, "allow")
	require.Equal(t, []string{"email"}, form["granted"])
	code = b.post("/oauth/authorize", form).redirected(t).Get("code")
	require.Equal(t, "email offline_access", other.redeem(code).tokens(t).Scope)
	require.NotContains(t, b.get(h.url+"/oauth/connections").body, "offline_access")
}

// A form cannot grant what was not asked for.
func TestFormCannotGrantMoreThanWasAsked(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.browser()
	b.signIn("user_ada")
	for _, name := range []string{"email", "admin", "profile email", "\n"} {
		form := b.get(app.request("scope", "profile")).form(t, "allow")
		form.Add("granted", name)
		b.post("/oauth/authorize", form).errorPage(t, 403, "was already answered")
	}

	h = newDeviceHost(t)
	b = h.signedIn("user_ada")
	d := h.television().device("scope", "profile")
	form := b.enter(d.CompleteURI).form(t, "allow")
	form.Add("granted", "notes:read")
	r := b.post(devicePath, form)
	r.errorPage(t, 403, "was already answered")
	require.Contains(t, r.body, `href="`+devicePath+"?user_code="+d.UserCode+`"`)
	d.poll().refused(t, 400, "authorization_pending")
}

// A form that was answered can't allow again: the visitor is asked anew.
// Browsers still show the form while an application is slow, or after a native
// one took the answer. Cancel still works on it.
func TestAnsweredFormIsRefused(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	for _, decision := range []string{"allow", "deny"} {
		page := b.get(app.request("prompt", "consent"))
		b.answer(page, decision).redirected(t)
		h.eventKinds()
		h.requests(t)
		r := b.answer(page, "allow")
		require.Equal(t, http.StatusSeeOther, r.StatusCode)
		require.True(t, strings.HasPrefix(r.Header.Get("Location"), "/oauth/authorize?"), r.Header.Get("Location"))
		require.Equal(t, [][2]string{{"authorize", "invalid_request"}}, h.requests(t))
		require.NotEqual(t, page.form(t, "").Get("seal"), b.get(h.url+r.Header.Get("Location")).form(t, "").Get("seal"))
		require.Empty(t, h.eventKinds())
		require.Equal(t, "access_denied", b.answer(page, "deny").redirected(t).Get("error"))
		require.Contains(t, h.eventKinds(), provider.EventGrantDenied)
	}
}

// What the browser sends before it has the answer counts as the same click, and
// gets the same code. A form makes one grant, even if it is sent often or with
// other cookies.
func TestFormMakesOneGrant(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request())
	address, err := url.Parse(h.url)
	require.NoError(t, err)
	cookies := b.client.Jar.Cookies(address)
	h.eventKinds()
	codes := make([]string, 32)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			same := h.browser()
			same.client.Jar.SetCookies(address, cookies)
			codes[i] = same.answer(page, "allow").redirected(t).Get("code")
		})
	}
	all.Wait()
	require.NotEmpty(t, codes[0])
	for _, code := range codes {
		require.Equal(t, codes[0], code)
	}
	require.Equal(t, []provider.EventKind{provider.EventGrantCreated}, h.eventKinds())
	require.Len(t, h.grantsOf("user_ada"), 1)

	// Only the browser can derive the code from the form.
	other := h.browser()
	other.signIn("user_ada")
	require.NotEqual(t, codes[0], other.answer(other.get(app.request("prompt", "consent")), "allow").redirected(t).Get("code"))
	app.redeem(codes[0]).tokens(t)
}

// A form agrees to what its page showed, and to nothing that came later.
func TestFormHoldsForWhatWasShown(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Scopes = append(c.Scopes, scopes.Scope{Name: "core", Title: "Be useful", Required: true})
	})
	ctx := context.Background()
	change := func(app *application, edit func(*provider.ApplicationSettings)) {
		_, err := h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
			edit(a)
			return nil
		})
		require.NoError(t, err)
	}
	b := h.browser()
	b.signIn("user_ada")
	const stale = "was already answered"

	more := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	page := b.get(more.request())
	change(more, func(a *provider.ApplicationSettings) { a.Scopes = scopes.New("core", "profile") })
	b.answer(page, "allow").errorPage(t, 403, stale)

	less := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	page = b.get(less.request("scope", "profile email"))
	change(less, func(a *provider.ApplicationSettings) { a.Scopes = scopes.New("profile") })
	b.answer(page, "allow").errorPage(t, 403, stale)

	moved := h.application(provider.ApplicationSettings{})
	page = b.get(moved.request("redirect_uri", ""))
	change(moved, func(a *provider.ApplicationSettings) { a.RedirectURIs = []string{"https://elsewhere.example.com/cb"} })
	refused := b.answer(page, "allow")
	refused.errorPage(t, 403, stale)
	again := regexp.MustCompile(`class="button primary" href="([^"]*)"`).FindStringSubmatch(refused.body)
	require.NotNil(t, again, "there is a way on")
	require.Contains(t, b.get(h.url+html.UnescapeString(again[1])).text(), "elsewhere.example.com")
}

// An application may have more scopes than a request may have parameters.
func TestManyScopesCanBeAgreedTo(t *testing.T) {
	var names []string
	h := newHost(t, func(c *provider.Config) {
		for i := range 150 {
			names = append(names, fmt.Sprintf("s%d", i))
			c.Scopes = append(c.Scopes, scopes.Scope{Name: names[i], Title: names[i]})
		}
	})
	app := h.application(provider.ApplicationSettings{Scopes: names})
	require.Equal(t, scopes.New(names...).String(), app.tokens("user_ada").Scope)
}

// OAuth 2.0 Form Post Response Mode: a browser posts to web addresses only.
func TestFormPostIsForWebAddresses(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Public: true, RedirectURIs: []string{"cursor://x.y/cb"}})
	b := h.browser()
	b.signIn("user_ada")
	r := b.get(app.request("response_mode", "form_post"))
	require.Equal(t, "invalid_request", r.redirected(t).Get("error"))
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), "cursor://x.y/cb?"))
}

// The page of another instance, whose clock is a little ahead, is accepted.
func TestClocksOfInstancesMayDiffer(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	h.clock.Add(3 * time.Second) // this instance's is ahead
	b.get(app.request("prompt", "login"))
	back := h.url + h.lastSignIn().ReturnTo
	h.clock.Add(-3 * time.Second)
	b.signIn("user_ada")
	b.get(back).statusIs(t, http.StatusOK)
}

// A sign-in from a form keeps the prompt of its request.
func TestSignInFromAFormKeepsThePrompt(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	b.get(app.request("prompt", "login"))
	b.signIn("user_ada")
	form := b.get(h.url+h.lastSignIn().ReturnTo).form(t, "allow")
	require.Equal(t, http.StatusSeeOther, h.browser().post("/oauth/authorize", form).StatusCode)
	require.True(t, h.lastSignIn().Force)
}

// A user whose account was deleted can sign in with another one.
func TestGoneAccountCanBeSwitched(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_nobody")
	r := b.get(app.request())
	r.errorPage(t, 403, "can't be found")
	require.Contains(t, r.body, "select_account")
	require.Contains(t, r.text(), "Switch account")
}

func TestMisleadingNamesAreRefused(t *testing.T) {
	h := newOpenHost(t)
	for _, name := range []string{"\u200b", "\u202egro.knab", "Bank\u2066", "a\x01b", "g\u043e\u043egle"} {
		_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: name})
		require.ErrorContains(t, err, "name ", "%q", name)
		h.register(`{"redirect_uris":["https://a.example.com/cb"],"client_name":`+strings.ReplaceAll(strconv.Quote(name), `\x`, `\u00`)+`}`).refused(t, 400, "invalid_client_metadata")
	}
	for _, name := range []string{"日本", "W"} {
		_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: name})
		require.NoError(t, err, "%q", name)
	}
	for _, logo := range []string{"https://*/x", "https://*.evil.example/x", "https://a;b/x", "https://a<b>/x", "javascript:alert(1)", "//x.example.com/a"} {
		_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "W", LogoURL: logo})
		require.ErrorContains(t, err, "is not an https URL", logo)
	}
}

func TestFormIsRefusedAfterAnHour(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request())
	h.clock.Add(time.Hour + time.Second)
	b.answer(page, "allow").errorPage(t, 403, "It was open for too long")

	page = b.get(app.request())
	h.clock.Add(time.Hour - time.Second)
	require.NotEmpty(t, b.answer(page, "allow").redirected(t).Get("code"))
}

// For any number of answered forms, the cookie stays small and no form can be
// sent again.
func TestManyAnsweredForms(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	var answered []*reply
	for range 60 {
		page := b.get(app.request("prompt", "consent"))
		r := b.answer(page, "allow")
		require.NotEmpty(t, r.redirected(t).Get("code"))
		for _, cookie := range r.Cookies() {
			require.Less(t, len(cookie.Value), 400)
		}
		answered = append(answered, page)
	}
	h.eventKinds()
	for _, page := range answered {
		require.NotContains(t, b.answer(page, "allow").Header.Get("Location"), "code=")
	}
	require.Empty(t, h.eventKinds())
}

// A form that could not be answered can be sent again.
func TestFormSurvivesAFault(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request())
	h.mu.Lock()
	h.down = errors.New("the user store is down")
	h.mu.Unlock()
	b.answer(page, "allow").errorPage(t, 503, "cannot answer right now")
	h.mu.Lock()
	h.down = nil
	h.mu.Unlock()
	require.NotEmpty(t, b.answer(page, "allow").redirected(t).Get("code"))
}

func TestSwitchAccountComesBackToTheSameRequest(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	link := func(r *reply) string {
		r.statusIs(t, http.StatusOK)
		m := regexp.MustCompile(`<a href="(/oauth/authorize[^"]*)">Switch account`).FindStringSubmatch(r.body)
		require.NotNil(t, m)
		return h.url + html.UnescapeString(m[1])
	}
	for _, prompt := range []string{"", "consent", "select_account", "login"} {
		page := b.get(app.request("prompt", prompt))
		if page.StatusCode != http.StatusOK {
			page = b.get(h.url + h.lastSignIn().ReturnTo)
		}
		away := b.get(link(page))
		require.Equal(t, http.StatusSeeOther, away.StatusCode, "%q %s", prompt, away.Header.Get("Location"))
		require.True(t, h.lastSignIn().SwitchAccount)
		b.signIn("user_grace")
		back := b.get(h.url + h.lastSignIn().ReturnTo)
		require.Contains(t, back.text(), "Signed in as Grace Hopper")
		b.signIn("user_ada")
	}
}

func (h *host) lastSignIn() provider.SignInRequest {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.signIns[len(h.signIns)-1]
}

// With cookies blocked, a visitor never comes back signed in.
func TestReturnWithoutSignInIsAPageAndNoLoop(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	require.Equal(t, http.StatusSeeOther, b.get(app.request()).StatusCode)
	back := h.url + h.lastSignIn().ReturnTo
	r := b.get(back)
	r.errorPage(t, 403, "couldn't confirm that you're signed in")
	require.Contains(t, r.body, `class="button primary" href="/oauth/authorize?`)
	require.NotContains(t, r.body[strings.Index(r.body, "button primary"):], "sign_in_after")

	// prompt=none is answered to the application, as always.
	silent := strings.Replace(back, "client_id", "prompt=none&client_id", 1)
	require.Equal(t, "login_required", b.get(silent).redirected(t).Get("error"))

	// Long after that, it is a new visit.
	h.clock.Add(2 * time.Hour)
	require.Equal(t, http.StatusSeeOther, b.get(back).StatusCode)
}

func TestWarningsOnTheConsentPage(t *testing.T) {
	h := newOpenHost(t)
	b := h.browser()
	b.signIn("user_ada")
	const unknown, device = "Not reviewed by", "runs on your device"
	manual := h.application(provider.ApplicationSettings{})
	require.NotContains(t, b.get(manual.request()).text(), unknown)
	require.NotContains(t, b.get(manual.request()).text(), device)
	self := h.application(provider.ApplicationSettings{LogoURL: "https://bank.example.com/logo.png"})
	selfRegistered(t, h, self)
	page := b.get(self.request())
	require.Contains(t, page.text(), unknown)
	require.NotContains(t, page.body, "bank.example.com", "the logo could be copied")
	// An app that is developed on the same machine as its applications needs no
	// warning about them.
	for uri, warns := range map[string]bool{"http://localhost:1/cb": false, "http://127.0.0.1/cb": false, "cursor://x.y/cb": true} {
		local := h.application(provider.ApplicationSettings{Public: true, RedirectURIs: []string{uri}})
		require.Equal(t, warns, strings.Contains(b.get(local.request()).text(), device), uri)
		selfRegistered(t, h, local)
		require.Contains(t, b.get(local.request()).text(), device, uri)
	}
	h = newHost(t, func(c *provider.Config) { c.Issuer = "https://acme.example.com" })
	for _, uri := range []string{"http://localhost:1/cb", "http://127.0.0.1/cb", "cursor://x.y/cb"} {
		local := h.application(provider.ApplicationSettings{Public: true, RedirectURIs: []string{uri}})
		text := h.signedIn("user_ada").get(strings.Replace(local.request(), "https://acme.example.com", h.url, 1)).text()
		require.Contains(t, text, device, uri)
		require.Contains(t, text, "You'll return to the app on this device.", uri)
	}
}

func TestLogosAreAllTheImagesThatThePolicyAllows(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Pages.LogoURL = "https://static.example.com/acme.svg"
		c.Pages.AccentColor = "#ff0055"
	})
	app := h.application(provider.ApplicationSettings{LogoURL: "https://wiki.example.com/logo.png"})
	b := h.browser()
	b.signIn("user_ada")
	r := b.get(app.request())
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "img-src https://wiki.example.com https://static.example.com")
	require.Contains(t, r.body, `<img class="tile" src="https://wiki.example.com/logo.png" alt=""`)
	require.Contains(t, r.body, "--brand:#ff0055")
}

// The error page names the application that sent the visitor, so that they know
// whom to tell. But a link alone doesn't put a stranger's words on the host's
// page.
func TestErrorPageNamesReviewedApplicationsOnly(t *testing.T) {
	h := newOpenHost(t)
	b := h.signedIn("user_ada")
	app := h.application(provider.ApplicationSettings{Name: "Call 555-0100", ClientURI: "https://wiki.example.com/"})
	wrong := app.request("redirect_uri", "https://evil.example.com/")
	b.get(wrong).errorPage(t, 400, "Call 555-0100 made a request that")
	selfRegistered(t, h, app)
	page := b.get(wrong)
	page.errorPage(t, 400, "The app that sent you here made a request that")
	require.NotContains(t, page.body, "555-0100")
	b.get(app.request("client_id", "unknown")).errorPage(t, 400, "isn't registered with")
}

// A visitor can read the reference to support, and it finds the line in the
// log.
func TestErrorReferenceIsShortAndInTheLog(t *testing.T) {
	h := newHost(t)
	seen := map[string]bool{}
	for range 20 {
		page := h.browser().get(h.application(provider.ApplicationSettings{}).request("client_id", "unknown"))
		m := regexp.MustCompile(`Error reference: ([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\b`).FindStringSubmatch(page.text())
		require.NotNil(t, m, page.text())
		require.Contains(t, h.log.String(), "reference="+m[1])
		require.False(t, seen[m[1]])
		seen[m[1]] = true
	}
}

// An application's terms and policy are on its page (RFC 7591 section 2). The
// form is valid only for those that were shown.
func TestTermsAndPolicyOnTheConsentPage(t *testing.T) {
	h := newHost(t)
	b := h.signedIn("user_ada")
	app := h.application(provider.ApplicationSettings{TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/privacy"})
	page := b.get(app.request())
	require.Contains(t, page.body, `<a href="https://wiki.example.com/privacy" rel="noopener noreferrer">Privacy policy</a>`)
	require.Contains(t, page.body, `<a href="https://wiki.example.com/terms" rel="noopener noreferrer">Terms of service</a>`)
	_, err := h.UpdateApplication(context.Background(), app.ID, func(s *provider.ApplicationSettings) error {
		s.TermsURI = "https://wiki.example.com/other-terms"
		return nil
	})
	require.NoError(t, err)
	b.answer(page, "allow").errorPage(t, 403, "was already answered")
	for _, edit := range []func(*provider.ApplicationSettings){
		func(s *provider.ApplicationSettings) { s.TermsURI = "javascript:alert(1)" },
		func(s *provider.ApplicationSettings) { s.PolicyURI = "http://wiki.example.com/" },
	} {
		_, err := h.UpdateApplication(context.Background(), app.ID, func(s *provider.ApplicationSettings) error {
			edit(s)
			return nil
		})
		require.ErrorContains(t, err, "is not an https URL")
	}
}

// A host can replace the pages.
func TestCustomPages(t *testing.T) {
	own := template.Must(template.New("").Parse(`<form method="post" action="{{.FormAction}}">{{range .FormFields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}{{range .Scopes}}<input type="hidden" name="granted" value="{{.Name}}">
{{end}}<button name="decision" value="allow">{{.Texts.Allow}} {{.Application.Name}}</button></form>`))
	h := newHost(t, func(c *provider.Config) {
		c.Pages.Consent = func(w http.ResponseWriter, r *http.Request, page pages.Consent) {
			if r.Header.Get("Accept") == "application/json" {
				w.Header().Set("Content-Type", "application/json")
				json.NewEncoder(w).Encode(page)
				return
			}
			own.Execute(w, page)
		}
		c.Pages.Error = func(w http.ResponseWriter, _ *http.Request, page pages.Error) {
			w.WriteHeader(page.Status)
			json.NewEncoder(w).Encode(page)
		}
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.browser()
	b.signIn("user_ada")

	page := b.get(app.request())
	policy := page.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "frame-ancestors 'none'")
	require.NotContains(t, policy, "form-action")
	require.NotContains(t, policy, "default-src", "what a page loads is the host's to say")
	require.Equal(t, "DENY", page.Header.Get("X-Frame-Options"))
	require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
	code := b.answer(page, "allow").redirected(t).Get("code")
	require.Equal(t, "profile email", app.redeem(code).tokens(t).Scope)

	// The same as JSON, for a single-page app.
	request, err := http.NewRequest("GET", app.request("prompt", "consent"), nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "application/json")
	var got pages.Consent
	r := send(t, b.client, request)
	require.NoError(t, json.Unmarshal([]byte(r.body), &got))
	require.Equal(t, "Ada Lovelace", got.User.Label)
	require.Equal(t, "wiki.example.com", got.RedirectHost)
	require.Equal(t, "Signed in as Ada Lovelace", got.Texts.SignedInAs)
	require.Equal(t, []pages.Scope{
		{Name: "profile", Title: "See your name, username and picture", Group: "Your account", Access: "read"},
		{Name: "email", Title: "See your email address", Group: "Your account", Access: "read"},
	}, got.Scopes)
	require.NotContains(t, r.body, "plan", "nothing of the user but what a page shows")
	form := url.Values{"decision": {"allow"}, "granted": {"email"}}
	for _, f := range got.FormFields {
		form.Set(f.Name, f.Value)
	}
	code = b.post(got.FormAction, form).redirected(t).Get("code")
	require.Equal(t, "email", app.redeem(code).tokens(t).Scope)

	refused := b.get(app.request("client_id", "unknown"))
	require.Equal(t, 400, refused.StatusCode)
	var problem pages.Error
	require.NoError(t, json.Unmarshal([]byte(refused.body), &problem))
	require.Equal(t, pages.ReasonUnknownApplication, problem.Reason)
	require.Equal(t, "invalid_client", problem.Code)
	require.Contains(t, h.log.String(), problem.Reference)
	require.Contains(t, refused.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
}

func TestFieldErrorsNameTheFields(t *testing.T) {
	h := newHost(t)
	_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{RedirectURIs: []string{"ftp://x"}, LogoURL: "http://x.example.com/a.png"})
	var wrong provider.FieldErrors
	require.ErrorAs(t, err, &wrong)
	var fields []string
	for _, f := range wrong {
		fields = append(fields, f.Field)
		require.NotEmpty(t, f.Message)
	}
	require.Equal(t, []string{"name", "redirect_uris", "client_image_url"}, fields)
}
