package browser

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// frame opens a page with another page in a frame, and returns the URL of the
// document that the frame shows.
func (p *page) frame(at, url string) string {
	p.t.Helper()
	around := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		show(w, `<iframe title="Acme" width="600" height="600" src="{{.}}"></iframe>`, url)
	}))
	p.t.Cleanup(around.Close)
	p.goes(strings.Replace(around.URL, "127.0.0.1", at, 1)) // A page has loaded when its frames have.
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, shown := range p.frames {
		return shown
	}
	// A frame of another site has a separate process.
	targets, err := chromedp.Targets(p.ctx)
	require.NoError(p.t, err)
	for _, other := range targets {
		if other.Type == "iframe" && other.URL == url {
			inside, leave := chromedp.NewContext(p.ctx, chromedp.WithTargetID(other.TargetID), chromedp.WithDetachOnCancel())
			defer leave()
			shown, err := chromedp.Run(inside, chromedp.Evaluate[string](`location.href`))
			require.NoError(p.t, err)
			return shown
		}
	}
	p.t.Fatal("the frame is missing")
	return ""
}

// No page can be put in a frame, on another site or on the same, even though
// the browser sends the visitor's cookies.
func TestFrames(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	app, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}})
	takesCookies(t, h, "allow")
	for name, at := range map[string]string{"of another site": "localhost", "of the same site": "127.0.0.1"} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{h.url + "/", h.authorizeURL(app, callback), h.url + "/oauth/connections"} {
				p := newPage(t)
				call(p, network.SetCookie, network.SetCookieParams{Name: sessionCookie, Value: h.newSession("user_ada"), URL: h.url,
					Secure: ptr(true), HTTPOnly: ptr(true), SameSite: network.CookieSameSiteNone})
				if path == h.url+"/" {
					require.Equal(t, path, p.frame(at, path), "the host's own page can be framed")
					continue
				}
				p.expects("net::ERR_BLOCKED_BY_RESPONSE")
				p.expects(`violates the following Content Security Policy directive: "frame-ancestors 'none'"`)
				p.expects(`"violatedDirective":"frame-ancestors"`)
				require.Equal(t, "chrome-error://chromewebdata/", p.frame(at, path))
			}
		})
	}
}

// newTLSServer starts a server with an untrusted certificate.
func newTLSServer(t *testing.T, handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium rejects it at first.
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// Browsers apply form-action to all redirects that follow a form. A client may
// redirect its users anywhere, such as from the server with its callback to the
// one with its pages.
func TestRedirectsAfterTheForm(t *testing.T) {
	end := newTLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { show(w, "<h1>At the end</h1>", nil) }))
	second := httptest.NewServer(http.RedirectHandler(end.URL+"/end", http.StatusSeeOther))
	t.Cleanup(second.Close)
	first := httptest.NewServer(http.RedirectHandler(second.URL+"/second", http.StatusSeeOther))
	t.Cleanup(first.Close)
	next := strings.Replace(first.URL, "127.0.0.1", "localhost", 1) + "/first"

	for name, test := range map[string]struct {
		at     string
		public bool
	}{"confidential": {"localhost", false}, "public": {"127.0.0.1", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			wiki := newClientAt(h, test.at, provider.ApplicationSettings{Public: test.public})
			wiki.next = next
			p := newPage(t)
			call(p, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
			p.comesTo(wiki, "ada")
			p.clicks("Allow")
			p.arrives(end.URL + "/end")
			p.shows("At the end")
			p.goes(wiki.url)
			p.shows("userinfo: 200 user_ada")
		})
	}
}

// A callback on the web may redirect anywhere: to another site, to a program on
// this device, or to an app's private-use scheme. Nothing blocks that, with
// each response mode.
func TestCallbackContinues(t *testing.T) {
	site := newTLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { show(w, "<h1>At the end</h1>", nil) }))
	program := httptest.NewServer(site.Config.Handler)
	t.Cleanup(program.Close)
	for name, end := range map[string]string{
		"to another site":             site.URL + "/end",
		"to a program on this device": strings.Replace(program.URL, "127.0.0.1", "localhost", 1) + "/end",
		"to a scheme with a period":   "com.example.wiki:/done",
		"to a scheme without one":     "wiki://done",
	} {
		for _, mode := range []string{"query", "form_post"} {
			t.Run(name+" from "+mode, func(t *testing.T) {
				t.Parallel()
				server := newTLSServer(t, http.RedirectHandler(end, http.StatusSeeOther))
				h := newHost(t)
				callback := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/callback"
				app, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}})
				p := newPage(t)
				call(p, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
				p.isSignedIn(h, "user_ada")
				p.goes(h.authorizeURL(app, callback, "response_mode", mode))
				p.clicks("Allow")
				if strings.HasPrefix(end, "http") {
					p.arrives(end)
					p.shows("At the end")
					return
				}
				// No application has this scheme here, so the attempt ends there. Between
				// two of them, Chromium wants a click, in any window.
				p.allows("Not allowed to launch '" + end + "' because a user gesture is required")
				p.fails("GET " + end)
			})
		}
	}
}

// isSignedIn gives the browser a session of the host, without the sign-in page.
func (p *page) isSignedIn(h *host, userID string) {
	p.t.Helper()
	call(p, network.SetCookie, network.SetCookieParams{Name: sessionCookie, Value: h.newSession(userID), URL: h.url,
		HTTPOnly: ptr(true), SameSite: network.CookieSameSiteLax})
}

// settings is the tab with the browser's settings.
var settings struct {
	mu  sync.Mutex
	ctx context.Context
}

// takesCookies sets whether the browser accepts a host's cookies, "allow" or
// "block", as people do it in its settings. "allow" also sends them from frames
// in other sites, which private windows don't do by default.
func takesCookies(t testing.TB, h *host, setting string) {
	t.Helper()
	parent := browser(t)
	settings.mu.Lock()
	defer settings.mu.Unlock()
	if settings.ctx == nil {
		ctx, _ := chromedp.NewContext(parent) // The setting is for all tests and ends with the browser.
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("chrome://settings/content/cookies")))
		settings.ctx = ctx
	}
	require.NoError(t, chromedp.Do(settings.ctx, chromedp.Evaluate[chromedp.Void](
		`chrome.send("setCategoryPermissionForPattern", ["`+h.url+`", "", "cookies", "`+setting+`", false])`)))
	// It takes a moment to take effect.
	probe := newPage(t)
	probe.goes(h.url + "/")
	const cookieCame = `async () => { await fetch("/has-cookie"); return (await fetch("/has-cookie")).json(); }`
	for deadline := time.Now().Add(patience); eval[bool](probe, cookieCame) != (setting == "allow"); {
		require.True(t, time.Now().Before(deadline), "the setting doesn't take effect")
	}
}

// Without cookies there is no redirect loop, and the page offers a way to
// continue.
func TestBlockedCookies(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	takesCookies(t, h, "block")
	p := newPage(t)
	p.expects("status 403")
	p.expects("status of 403")
	p.goes(wiki.url)
	p.clicks("Sign in with Acme")
	p.signsIn(h, "ada")
	refused := func() {
		p.arrives(h.url + "/oauth/authorize")
		p.shows("We couldn't confirm that you're signed in to Acme Notes.", "If your browser blocks cookies, allow them for Acme Notes.")
	}
	refused()
	p.picture("")
	p.clicks("Try again")
	p.signsIn(h, "ada")
	refused()

	takesCookies(t, h, "allow")
	p.clicks("Try again")
	p.signsIn(h, "ada")
	p.arrives(h.url + "/oauth/authorize")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada")
}

// The user deletes the cookies of the form while it is open.
func TestDeletedCookie(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	for _, cookie := range call(p, network.GetCookies, network.GetCookiesParams{}).Cookies {
		if cookie.Name != sessionCookie {
			call(p, network.DeleteCookies, network.DeleteCookiesParams{Name: cookie.Name, URL: h.url})
		}
	}
	p.expects("status 403")
	p.expects("status of 403")
	p.clicks("Allow")
	p.arrives(h.url + "/oauth/authorize")
	p.shows("Your browser didn't send the cookie that Acme Notes needs to check your answer.")
	p.clicks("Try again")
	p.arrives(h.url + "/oauth/authorize")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada")
}

// The logos of the host and of the applications that it knows are shown.
func TestLogos(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *provider.Config) { c.Pages.LogoURL = c.Issuer + "/logo.svg" })
	app, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, LogoURL: h.url + "/apps/wiki.svg"})
	_, _, err := h.IssueToken(context.Background(), provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
	require.NoError(t, err)
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	drawn := func(url string) []string {
		p.goes(url)
		return eval[[]string](p, `() => [...document.images].map(i => new URL(i.src).pathname + (i.complete && i.naturalWidth > 0 ? "" : " is broken"))`)
	}
	consent := h.authorizeURL(app, callback, "prompt", "consent")
	require.Equal(t, []string{"/apps/wiki.svg", "/logo.svg"}, drawn(consent))
	require.Equal(t, []string{"/logo.svg", "/apps/wiki.svg"}, drawn(h.url+"/oauth/connections"))
	// An application that the host doesn't know shows no picture.
	h.change(app, func(a *store.Application) { a.Origin, a.Reviewed = store.OriginRegistration, false })
	require.Equal(t, []string{"/logo.svg"}, drawn(consent))
	p.expects("status 400")
	p.expects("status of 400")
	require.Equal(t, []string{"/logo.svg"}, drawn(h.url+"/oauth/authorize"))
}
