package browser

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// pressable is a button that a person must not press by accident.
type pressable struct {
	button string // its text
	opens  func(h *host, p *page)
	after  string // what the browser shows after it was pressed
}

// pressables are all buttons that send a form.
var pressables = map[string]pressable{
	"allow":      {"Allow", opensConsent, "Signed in"},
	"cancel":     {"Cancel", opensConsent, "Not signed in: access_denied"},
	"disconnect": {"Disconnect Wiki", opensDisconnect, "Wiki was disconnected"},
	"enter a code": {"Continue", func(h *host, p *page) {
		p.goes(h.device(h.television(), "profile").codes.VerificationURIComplete)
	}, "Check that your device shows this code"},
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
	p.clicksOn("summary")
}

// opened opens the page for a signed-in user, and returns the middle of the
// button.
func (b pressable) opened(t *testing.T) (p *page, x, y float64) {
	t.Helper()
	h := newHost(t)
	p = newPage(t)
	p.isSignedIn(h, "user_ada")
	b.opens(h, p)
	at := eval[[]float64](p, "text => "+middle+"("+findByText+"(text))", b.button)
	return p, at[0], at[1]
}

// posts is how many forms the page has sent.
func (p *page) posts() int {
	p.t.Helper()
	eval[bool](p, `() => true`) // This call makes sure that all events of the page have arrived.
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posted
}

// leads does something, and checks that the browser then shows the text.
func (p *page) leads(to string, do func()) {
	p.t.Helper()
	p.mu.Lock()
	p.seen = len(p.loaded)
	p.mu.Unlock()
	do()
	p.arrives("")
	p.shows(to)
}

// presses clicks without moving the mouse.
func (p *page) presses(x, y float64) {
	p.t.Helper()
	p.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
	p.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
}

// doubleClicks clicks twice, as fast as people do.
func (p *page) doubleClicks(x, y float64) {
	p.t.Helper()
	p.presses(x, y)
	time.Sleep(110 * time.Millisecond)
	p.presses(x, y)
	time.Sleep(110 * time.Millisecond)
}

// A page may appear under a mouse in the middle of a double click: on an
// attacker's page the first click closes a window, and the second would decide.
// So a mouse must rest on the buttons first.
func TestButtonsAppearUnderTheMouse(t *testing.T) {
	for name, button := range pressables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, x, y := button.opened(t)
			if name == "allow" { // People who turn off animations are protected too.
				call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
			}
			before := p.posts()
			p.doubleClicks(x, y)
			require.Equal(t, before, p.posts(), "at once")

			time.Sleep(time.Second)
			p.mouse(input.DispatchMouseEventTypeMouseMoved, 1, 1)
			p.doubleClicks(x, y)
			require.Equal(t, before, p.posts(), "it starts again when the mouse comes back")

			p.mouse(input.DispatchMouseEventTypeMouseMoved, 1, 1)
			p.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
			time.Sleep(time.Second)
			p.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
			require.Equal(t, before, p.posts(), "a press that began on the shield")

			time.Sleep(time.Second)
			p.leads(button.after, func() { p.presses(x, y) })
		})
	}
}

// The mouse need not move for that: it may already be there when the page
// appears.
func TestButtonsUnderARestingMouse(t *testing.T) {
	t.Parallel()
	p, x, y := pressables["allow"].opened(t)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, x, y)
	time.Sleep(time.Second) // The previous page may have such a button there too.
	p.goes(p.address())
	before := p.posts()
	p.doubleClicks(x, y)
	require.Equal(t, before, p.posts())
	time.Sleep(time.Second)
	p.leads(pressables["allow"].after, func() { p.presses(x, y) })
}

// The shield doesn't affect keys and fingers, on a phone or on a computer that
// has a mouse as well.
func TestButtonsWithoutAMouse(t *testing.T) {
	ways := map[string]func(p *page, button string, x, y float64){
		"Enter": func(p *page, button string, _, _ float64) {
			p.focuses(button)
			p.press(kb.Enter)
		},
		"space": func(p *page, button string, _, _ float64) {
			p.focuses(button)
			p.press(" ")
		},
		"a finger": func(p *page, _ string, x, y float64) { p.taps(x, y) },
		"a finger on a phone": func(p *page, _ string, x, y float64) {
			call(p, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
			require.True(p.t, eval[bool](p, `() => matchMedia("(pointer: coarse)").matches`))
			p.taps(x, y)
		},
	}
	for name, button := range pressables {
		for way, press := range ways {
			t.Run(name+" by "+way, func(t *testing.T) {
				t.Parallel()
				p, x, y := button.opened(t)
				p.leads(button.after, func() { press(p, button.button, x, y) })
			})
		}
	}
}

// focuses moves the focus to the element with the text, as a screen reader
// does.
func (p *page) focuses(text string) {
	p.t.Helper()
	eval[bool](p, "text => { const e = "+findByText+"(text); (e.control ?? e).focus(); return true; }", text)
}

// taps taps with a finger.
func (p *page) taps(x, y float64) {
	p.t.Helper()
	call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{{X: x, Y: y}}})
	time.Sleep(50 * time.Millisecond)
	call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}})
}

// Enter presses the first button of a form. In every field of it, that decides
// nothing. To decide with the keyboard, move to the button.
func TestEnterDecidesNothing(t *testing.T) {
	for _, name := range []string{"allow", "allow a device"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, _ := pressables[name].opened(t)
			before := p.posts()
			p.press(kb.Enter) // before anything has the focus
			p.focuses("See your name, username and picture")
			p.press(" ")
			p.press(kb.Enter)
			time.Sleep(200 * time.Millisecond)
			require.Equal(t, before, p.posts())
			require.Equal(t, "input: See your name, username and picture", p.focused(), "and moves nothing")
			p.tabsTo("Allow")
			p.leads(pressables[name].after, func() { p.press(kb.Enter) })
		})
	}
	// If there is only a code to enter, it submits the code.
	t.Run("enter a code", func(t *testing.T) {
		t.Parallel()
		p, _, _ := pressables["enter a code"].opened(t)
		p.focuses("Enter the code shown on your device")
		p.leads(pressables["enter a code"].after, func() { p.press(kb.Enter) })
	})
}
