package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
)

// chromium starts a headless Chromium and returns the context that tabs come
// from.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		const missing = "no chromium, chromium-browser or google-chrome in PATH, so the SPA is not tested in a browser"
		require.NotEqual(t, "true", os.Getenv("CI"), missing)
		t.Skip(missing)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], // headless, with a new profile
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // Otherwise it does not start as root. It opens only our own pages.
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	require.NoError(t, chromedp.Do(ctx), "%s does not start", program)
	return ctx
}

// tab is a tab of a browser without cookies.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	noise []string // errors and warnings of the console
}

func newTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	p := &tab{t: t}
	require.NoError(t, chromedp.Listen(ctx, p.hear))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	p.ctx = ctx
	return p
}

// hear records the errors and warnings of the browser.
func (p *tab) hear(event any) {
	text := ""
	switch e := event.(type) {
	case *log.EventEntryAdded: // by the browser: requests, policies
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			text = fmt.Sprintf("%s %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled: // by scripts
		text = fmt.Sprintf("console.%s", e.Type)
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	}
	if text != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.noise = append(p.noise, text)
	}
}

// complaints returns the errors and warnings since the last call.
func (p *tab) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	noise := p.noise
	p.noise = nil
	return noise
}

// do runs steps. If one fails, the test fails and prints the page.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 15*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		at, _ := chromedp.Run(p.ctx, chromedp.Location())
		require.NoError(p.t, err, "at %s, which says: %s\n%s", at, p.text("body"), strings.Join(p.complaints(), "\n"))
	}
}

func (p *tab) text(selector string) string {
	text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS(selector)))
	require.NoError(p.t, err)
	return text
}

func (p *tab) address() string {
	at, err := chromedp.Run(p.ctx, chromedp.Location())
	require.NoError(p.t, err)
	return at
}

func (p *tab) script(expression string) string {
	result, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	require.NoError(p.t, err)
	return result
}

// The elements of the pages.
const (
	signInButton  = chromedp.CSS("#sign-in:enabled")
	readButton    = chromedp.CSS("#read-again:enabled")
	signOutButton = chromedp.CSS("#sign-out:enabled")
	message       = "#message:not([hidden])"
	loginField    = chromedp.CSS("input[name=login]")
	passwordField = chromedp.CSS("input[name=password]")
	signInSubmit  = chromedp.CSS("form[action='/login'] button")
	allowButton   = chromedp.CSS("button[value=allow]")
	cancelButton  = chromedp.CSS("button[value=deny]")
)

// toConsent starts at the SPA's button, signs in, and ends at the consent page.
func (p *tab) toConsent(login string) {
	p.t.Helper()
	p.do(chromedp.Click(signInButton),
		chromedp.SendKeys(loginField, login), chromedp.SendKeys(passwordField, acme.Password), chromedp.Click(signInSubmit),
		chromedp.WaitVisible(allowButton))
}

func TestInBrowser(t *testing.T) {
	browser := chromium(t)
	t.Run("the same site", func(t *testing.T) { testSignIn(t, browser, newDemo(t, "127.0.0.1")) })
	t.Run("two sites", func(t *testing.T) { testSignIn(t, browser, newDemo(t, "localhost")) })
	t.Run("denied", func(t *testing.T) { testDenied(t, browser) })
	t.Run("allowed in part", func(t *testing.T) { testAllowedInPart(t, browser) })
	t.Run("unexpected responses", func(t *testing.T) { testForeignAnswers(t, browser) })
	t.Run("ended by Acme", func(t *testing.T) { testEndedByAcme(t, browser) })
	t.Run("Acme is down", func(t *testing.T) { testAcmeIsDown(t, browser) })
}

// presses presses Enter on a button. The consent page ignores early clicks.
func presses(button chromedp.CSS) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(button, kb.Enter)
}

// A sign-in from start to end.
func testSignIn(t *testing.T, browser context.Context, d *demo) {
	p := newTab(t, browser)
	p.do(chromedp.Navigate(d.spaURL), chromedp.WaitVisible(signInButton))
	p.toConsent("ada")
	require.True(t, strings.HasPrefix(p.address(), d.acmeURL+"/oauth/authorize?"))
	require.Contains(t, p.text("body"), "Notes Reader")
	p.do(presses(allowButton), chromedp.WaitVisible(readButton))
	require.Contains(t, p.text("#signed-in"), "Ada Lovelace")
	require.Contains(t, p.text("#notes"), "Bernoulli numbers")
	require.Contains(t, p.text("#notes"), "Measure a pigeon first")
	require.Equal(t, map[provider.EventKind]int{provider.EventGrantCreated: 1, provider.EventTokenIssued: 1}, d.happened())

	require.Equal(t, d.spaURL+"/", p.address(), "no code in the address bar")
	require.Empty(t, p.complaints())

	// The access token expires. Both calls get a 401, and they share a refresh.
	for range 2 {
		d.later(2*time.Hour + time.Second)
		p.do(chromedp.Click(readButton), chromedp.WaitVisible(readButton))
		require.Contains(t, p.text("#notes"), "Bernoulli numbers")
		require.Equal(t, map[provider.EventKind]int{provider.EventTokenRefreshed: 1}, d.happened())
		complaints := p.complaints()
		require.Len(t, complaints, 2, "the browser reports each 401")
		for _, c := range complaints {
			require.Contains(t, c, "status of 401")
		}
	}
	// Another page of the origin can't find the tokens.
	require.Equal(t, `[{},{},""]`, p.script("JSON.stringify([localStorage, sessionStorage, document.cookie])"))

	// A reload loses the tokens. The user still has a session at Acme.
	p.do(chromedp.Reload(), chromedp.Click(signInButton), presses(allowButton), chromedp.WaitVisible(readButton))
	require.Contains(t, p.text("#signed-in"), "Ada Lovelace")
	d.happened()

	before, _, err := d.Provider.ListGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"}, "", 10)
	require.NoError(t, err)
	p.do(chromedp.Click(signOutButton), chromedp.WaitVisible(signInButton))
	require.NotContains(t, p.text("body"), "Ada Lovelace")
	require.Equal(t, map[provider.EventKind]int{provider.EventGrantRevoked: 1}, d.happened())
	after, _, err := d.Provider.ListGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"}, "", 10)
	require.NoError(t, err)
	require.Equal(t, before[1:], after, "the newest sign-in has ended")
	require.Empty(t, p.complaints())

	// Another user signs in and sees other notes.
	p.do(chromedp.Navigate(d.acmeURL), chromedp.Click(chromedp.CSS("form[action='/logout'] button")),
		chromedp.WaitVisible(chromedp.CSS("a[href='/login']")), chromedp.Navigate(d.spaURL))
	p.toConsent("grace")
	p.do(presses(allowButton), chromedp.WaitVisible(readButton))
	require.Contains(t, p.text("#signed-in"), "Grace Hopper")
	require.Contains(t, p.text("#notes"), "Nanoseconds")
	require.Empty(t, p.complaints())
}

func testDenied(t *testing.T, browser context.Context) {
	d := newDemo(t, "127.0.0.1")
	p := newTab(t, browser)
	p.do(chromedp.Navigate(d.spaURL))
	p.toConsent("ada")
	p.do(presses(cancelButton), chromedp.WaitVisible(signInButton))
	require.Equal(t, "You did not allow Notes Reader to see your notes.", p.text(message))
	require.Equal(t, d.spaURL+"/", p.address())
	require.Empty(t, p.complaints())
}

// A user can allow only some scopes. Without the notes, the app ends the sign-in.
// Without the name, it works.
func testAllowedInPart(t *testing.T, browser context.Context) {
	d := newDemo(t, "127.0.0.1")
	p := newTab(t, browser)
	box := func(scope string) chromedp.CSS { return chromedp.CSS("input[type=checkbox][value='" + scope + "']") }
	p.do(chromedp.Navigate(d.spaURL))
	p.toConsent("ada")
	p.do(chromedp.Click(box("notes:read")), presses(allowButton), chromedp.WaitVisible(signInButton))
	require.Equal(t, "You did not allow Notes Reader to see your notes.", p.text(message))
	require.Equal(t, 1, d.happened()[provider.EventGrantRevoked])
	// Scopes that the user declined before are unchecked.
	p.do(chromedp.Click(signInButton), chromedp.Click(box("profile")), chromedp.Click(box("notes:read")), presses(allowButton), chromedp.WaitVisible(readButton))
	require.Contains(t, p.text("#signed-in"), "an Acme user")
	require.Contains(t, p.text("#notes"), "Bernoulli numbers")
	require.Empty(t, p.complaints())
}

// A response to another request is ignored: its code isn't sent to Acme.
func testForeignAnswers(t *testing.T, browser context.Context) {
	d := newDemo(t, "127.0.0.1")
	p := newTab(t, browser)
	answer := func(state, iss string) string {
		return d.spaURL + "/?" + url.Values{"code": {"x"}, "state": {state}, "iss": {iss}}.Encode()
	}
	const notStarted = "This sign-in was not started in this tab. Start again."
	p.do(chromedp.Navigate(answer("x", d.acmeURL)), chromedp.WaitVisible(signInButton))
	require.Equal(t, notStarted, p.text(message))

	// ask starts a sign-in with the button and returns its state.
	ask := func() string {
		p.do(chromedp.Navigate(d.spaURL), chromedp.Click(signInButton), chromedp.WaitVisible(loginField))
		at, err := url.Parse(p.address())
		require.NoError(t, err)
		next, err := url.Parse(at.Query().Get("next"))
		require.NoError(t, err)
		require.NotEmpty(t, next.Query().Get("state"))
		return next.Query().Get("state")
	}
	for _, test := range []struct{ name, prefix, iss, says string }{
		{"another state", "x", d.acmeURL, notStarted},
		{"another issuer", "", "https://evil.example", "This response did not come from Acme. Start again."},
		{"no issuer", "", "", "This response did not come from Acme. Start again."},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := answer(test.prefix+ask(), test.iss)
			p.do(chromedp.Navigate(address), chromedp.WaitVisible(signInButton))
			require.Equal(t, test.says, p.text(message))
			require.Equal(t, d.spaURL+"/", p.address())
			p.do(chromedp.Navigate(address), chromedp.WaitVisible(signInButton))
			require.Equal(t, notStarted, p.text(message), "a state works once")
		})
	}
	require.Empty(t, d.happened())
	require.Empty(t, p.complaints())
}

func testEndedByAcme(t *testing.T, browser context.Context) {
	d := newDemo(t, "127.0.0.1")
	p := newTab(t, browser)
	p.do(chromedp.Navigate(d.spaURL))
	p.toConsent("ada")
	p.do(presses(allowButton), chromedp.WaitVisible(readButton))
	err := d.Provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"})
	require.NoError(t, err)
	p.do(chromedp.Click(readButton), chromedp.WaitVisible(signInButton))
	require.Equal(t, "Acme has ended this sign-in. Sign in again.", p.text(message))
}

func testAcmeIsDown(t *testing.T, browser context.Context) {
	down := httptest.NewServer(nil)
	down.Close()
	spa := httptest.NewServer(spaHandler(down.URL, "x"))
	defer spa.Close()
	p := newTab(t, browser)
	p.do(chromedp.Navigate(spa.URL), chromedp.Click(signInButton), chromedp.WaitVisible(chromedp.CSS(message)), chromedp.WaitVisible(signInButton))
	require.Equal(t, "Can't reach Acme right now. Try again.", p.text(message))
}
