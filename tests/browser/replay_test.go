package browser

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/latchkey-go/latchkey/provider"
)

// A double click is one answer, and the client is signed in.
func TestDoubleClick(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		wiki := newClient(h, provider.ApplicationSettings{})
		p := newPage(t)
		p.comesTo(wiki, "ada")
		p.allows("net::ERR_ABORTED") // if the first click was answered before the second
		x, y := p.point("Allow")
		p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(1)), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
		time.Sleep(time.Second)
		if p.is("button[value=allow]") { // The second came after the answer, and an application on this device is asked about every time.
			p.clicks("Allow")
		}
		p.arrives(wiki.url)
		p.shows("userinfo: 200 user_ada")
	})
	// The page stays until the client has answered, and the client must ask Acme
	// first. So there is time for a second click after the first one has taken
	// effect.
	t.Run("while the client takes its time", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		wiki := newClient(h, provider.ApplicationSettings{})
		reached := make(chan struct{})
		wiki.callbacks = func(n int, gone <-chan struct{}) {
			if n == 1 {
				close(reached)
				<-gone
			}
		}
		p := newPage(t)
		p.comesTo(wiki, "ada")
		p.expects("net::ERR_ABORTED")
		x, y := p.point("Allow")
		p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(1)))
		<-reached
		p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
		p.arrives(h.url + "/oauth/authorize") // The form was answered, and an application on this device is asked about every time.
		p.clicks("Allow")
		p.arrives(wiki.url)
		p.shows("userinfo: 200 user_ada")
	})
}

// The same on the page of connected applications, with the second click before
// the first one's answer.
func TestDoubleClickOnDisconnect(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.goes(h.url + "/oauth/connections")
	p.clicksOn("summary")
	reached := make(chan struct{})
	h.slow.Store(ptr(func(r *http.Request) {
		if r.URL.Query().Has("disconnected") {
			h.slow.Store(nil)
			close(reached)
			<-r.Context().Done()
		}
	}))
	p.expects("net::ERR_ABORTED")
	x, y := p.point("Disconnect Wiki")
	p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(1)))
	<-reached
	p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
	p.arrives(h.url + "/oauth/connections")
	p.shows("Wiki was disconnected", "No connected apps yet")
}

// The Back button leads past the answered form. The browser requests the page
// again, with a new form.
func TestBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{Public: true})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.goesBack()
	p.arrives(h.url + "/oauth/authorize")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada")
}

// The answer to a native application's private-use scheme leaves the page in
// place, with an answered form. Answering it again leads to a new form.
func TestAnsweredForm(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	const callback = "com.example.wiki:/callback"
	app, _ := h.application(provider.ApplicationSettings{Name: "Wiki", Public: true, RedirectURIs: []string{callback}})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	p.goes(h.authorizeURL(app, callback))
	p.shows("This app runs on your device", "You'll return to the app on this device.")
	// No application has this scheme here.
	p.clicks("Allow")
	p.fails("GET com.example.wiki:/callback?code=")
	p.shows("Wiki wants access to your Acme Notes account")
	p.clicks("Allow")
	p.arrives(h.url + "/oauth/authorize")
	p.shows("Wiki wants access to your Acme Notes account")
	// In this window, Chromium now asks whether to open the application.
	q := p.another()
	q.goes(h.authorizeURL(app, callback))
	q.clicks("Cancel")
	q.fails("GET com.example.wiki:/callback?error=access_denied")
}

// A form is for the user who was asked, and only for a while.
func TestStaleForm(t *testing.T) {
	for name, happens := range map[string]func(*host, *page){
		"another user has signed in": func(h *host, p *page) { p.isSignedIn(h, "user_grace") },
		"the page is too old":        func(h *host, _ *page) { h.advance(2 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			wiki := newClient(h, provider.ApplicationSettings{})
			p := newPage(t)
			p.comesTo(wiki, "ada")
			happens(h, p)
			p.expects("status 403")
			p.expects("status of 403")
			p.clicks("Allow")
			p.arrives(h.url + "/oauth/authorize")
			p.shows("was already answered")
			p.clicks("Try again")
			p.arrives(h.url + "/oauth/authorize")
			p.clicks("Allow")
			p.arrives(wiki.url)
			p.shows("userinfo: 200 user_")
		})
	}
}

// Two clients at once, each in a tab: answering one doesn't affect the other's
// form.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	board := newClient(h, provider.ApplicationSettings{Name: "Board", Public: true})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	q := p.another()
	q.comesTo(board, "")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada")
	q.clicks("Allow")
	q.arrives(board.url)
	q.shows("userinfo: 200 user_ada")
}
