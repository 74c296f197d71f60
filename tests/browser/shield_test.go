package browser

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// pressable is a button that a person must not press by accident.
type pressable struct {
	button string // the words on it
	opens  func(h *host, p *page)
	after  string // what the browser shows once it was pressed
}

// pressables are all buttons of the pages that send a form.
var pressables = map[string]pressable{
	"allow":      {"Allow", opensConsent, "Signed in"},
	"cancel":     {"Cancel", opensConsent, "Not signed in: access_denied"},
	"disconnect": {"Yes, disconnect Wiki", opensDisconnect, "Wiki is disconnected."},
	"enter a code": {"Continue", func(h *host, p *page) {
		p.goes(h.device(h.television(), "profile").codes.VerificationURIComplete)
	}, "Your device has to show this very code"},
	"allow a device": {"Allow", func(h *host, p *page) {
		p.goes(h.device(h.television(), "profile").codes.VerificationURIComplete)
		p.clicks("Continue")
		p.arrives(h.url + "/oauth/device?entered=")
	}, "Television is connected"},
}

func opensConsent(h *host, p *page) { p.comesTo(newClient(h, provider.ApplicationSettings{}), "") }

func opensDisconnect(h *host, p *page) {
	wiki := newClient(h, provider.ApplicationSettings{})
	p.comesTo(wiki, "")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.goes(h.url + "/oauth/connections")
	p.clicks("Disconnect Wiki")
}

// opened opens the page for somebody who is signed in, and returns the middle of
// the button.
func (b pressable) opened(t *testing.T) (p *page, x, y float64) {
	t.Helper()
	h := newHost(t)
	p = newPage(t)
	p.isSignedIn(h, "user_ada")
	b.opens(h, p)
	at := eval[[]float64](p, "text => "+middle+"("+findByText+"(text))", b.button)
	return p, at[0], at[1]
}

// stays says that nothing was pressed.
func (b pressable) stays(p *page) {
	p.t.Helper()
	time.Sleep(300 * time.Millisecond)
	require.NotContains(p.t, eval[string](p, `() => document.body.innerText`), b.after)
	require.True(p.t, eval[bool](p, "text => !!"+findByText+"(text)", b.button))
}

// doubleClicks clicks twice, as fast as people do, without moving the mouse.
func (p *page) doubleClicks(x, y float64) {
	p.t.Helper()
	for range 2 {
		p.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
		p.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
		time.Sleep(110 * time.Millisecond)
	}
}

// A page may appear under a mouse that is just being clicked twice: on a
// stranger's page the first click closes a window, and the second would decide.
// So a mouse has to rest on the buttons first.
func TestButtonsAppearUnderTheMouse(t *testing.T) {
	for name, button := range pressables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, x, y := button.opened(t)
			if name == "allow" {
				call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
			}
			p.doubleClicks(x, y)
			button.stays(p)

			// It begins anew whenever the mouse comes from elsewhere.
			time.Sleep(time.Second)
			p.mouse(input.DispatchMouseEventTypeMouseMoved, 1, 1)
			p.doubleClicks(x, y)
			button.stays(p)

			// A press that began on the shield is none.
			p.mouse(input.DispatchMouseEventTypeMouseMoved, 1, 1)
			p.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
			time.Sleep(time.Second)
			p.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
			button.stays(p)
			p.picture("shielded")

			time.Sleep(time.Second)
			p.mu.Lock()
			loaded := len(p.loaded)
			p.mu.Unlock()
			p.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
			p.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
			p.until("what the button does", func() bool { return len(p.loaded) > loaded })
			p.shows(button.after)
		})
	}
}
