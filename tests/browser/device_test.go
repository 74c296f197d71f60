package browser

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// television is a device that waits for its user.
type television struct {
	t      testing.TB
	oauth  oauth2.Config
	codes  *oauth2.DeviceAuthResponse
	tokens chan *oauth2.Token // nil if it got none
}

// device asks for codes, for an application.
func (h *host) device(app provider.Application, scope string) *television {
	h.t.Helper()
	tv := &television{t: h.t, tokens: make(chan *oauth2.Token, 1), oauth: oauth2.Config{
		ClientID: app.ClientID, Scopes: strings.Fields(scope),
		Endpoint: oauth2.Endpoint{DeviceAuthURL: h.url + "/oauth/device_authorization", TokenURL: h.url + "/oauth/token", AuthStyle: oauth2.AuthStyleInParams},
	}}
	var err error
	tv.codes, err = tv.oauth.DeviceAuth(context.Background())
	require.NoError(h.t, err)
	return tv
}

// waits returns the error with which the wait for the user ends.
func (tv *television) waits() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return tv.oauth.DeviceAccessToken(ctx, tv.codes)
}

func (h *host) television() provider.Application {
	app, _ := h.application(provider.ApplicationSettings{Name: "Television", Public: true, RedirectURIs: []string{}, Scopes: scopes.New("profile", "email", "notes:read")})
	return app
}

func TestDeviceByMouse(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			tv := h.device(h.television(), "profile email notes:read")
			p := newPage(t)
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
			p.goes(tv.codes.VerificationURI)
			p.seen = 0
			p.signsIn(h, "ada")
			p.arrives(h.url + "/oauth/device")
			p.shows("Connect a device", "Signed in as Ada Lovelace")

			p.expects("status 400")
			p.expects("status of 400")
			p.clicks("Enter the code shown on your device")
			p.pastes("bbbb bbbb")
			p.clicks("Continue")
			p.arrives(h.url + "/oauth/device?entered=")
			p.shows("That code isn't valid.")
			require.Equal(t, "bbbb bbbb", eval[string](p, `() => document.querySelector("#user_code").value`))

			eval[bool](p, `() => (document.querySelector("#user_code").value = "", true)`)
			p.clicks("Enter the code shown on your device")
			p.pastes(strings.ToLower(strings.ReplaceAll(tv.codes.UserCode, "-", " ")))
			p.clicks("Continue")
			p.arrives(h.url + "/oauth/device?entered=")
			p.shows("Television wants access to your Acme Notes account", tv.codes.UserCode, "Never approve a code that someone sent you.")
			p.clicks("See your email address")
			p.clicks("Allow")
			p.arrives(h.url + "/oauth/device?result=")
			p.shows("Television is connected", "Go back to your device.")
			token, err := tv.waits()
			require.NoError(t, err)
			require.Equal(t, "profile notes:read", token.Extra("scope"))
		})
	}
}

func TestDeviceByKeyboard(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			tv := h.device(h.television(), "profile email")
			p := newPage(t)
			p.prefers(scheme)
			p.isSignedIn(h, "user_ada")
			p.goes(tv.codes.VerificationURI)
			require.Eventually(t, func() bool {
				return eval[bool](p, `() => document.activeElement.localName === "input"`)
			}, patience, 20*time.Millisecond, "the field has the focus at once")
			require.Equal(t, "input: Enter the code shown on your device", p.focused())
			p.press(tv.codes.UserCode)
			p.picture("typed")
			p.press(kb.Tab)
			require.Equal(t, "button: Continue", p.focused())
			p.press(kb.Enter)
			p.arrives(h.url + "/oauth/device?entered=")
			for _, want := range []string{
				"a: Switch account", "input: See your name, username and picture", "input: See your email address", "button: Cancel", "button: Allow",
			} {
				p.press(kb.Tab)
				require.Equal(t, want, p.focused())
			}
			p.picture("focus")
			p.press(kb.Enter)
			p.arrives(h.url + "/oauth/device?result=")
			p.shows("Television is connected")
			_, err := tv.waits()
			require.NoError(t, err)
		})
	}
}

// A URL with the code in it, as in a QR code, fills in the code and still asks;
// Enter allows nothing.
func TestDeviceByAddress(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	tv := h.device(h.television(), "profile")
	p := newPage(t)
	p.goes(tv.codes.VerificationURIComplete)
	p.seen = 0
	p.signsIn(h, "ada")
	p.arrives(h.url + "/oauth/device?")
	filledIn := func() {
		t.Helper()
		require.Equal(t, tv.codes.UserCode, eval[string](p, `() => document.querySelector("#user_code").value`))
		p.clicks("Continue")
		p.arrives(h.url + "/oauth/device?entered=")
		p.shows(tv.codes.UserCode, "Never approve a code that someone sent you.")
	}
	p.press(kb.Enter)
	filledIn()
	at := p.address()
	p.press(kb.Enter)
	require.Equal(t, at, p.address())
	p.clicks("Switch account")
	p.signsIn(h, "grace")
	p.arrives(h.url + "/oauth/device?")
	p.shows("Signed in as Grace Hopper")
	filledIn()
	p.clicks("Cancel")
	p.arrives(h.url + "/oauth/device?result=")
	p.shows("Request denied")
	_, err := tv.waits()
	require.ErrorContains(t, err, "access_denied")
}

// Going back from the last page to the form and submitting it again changes
// nothing, and the page tells the outcome.
func TestDeviceBackAndAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	app := h.television()
	tv := h.device(app, "profile")
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	p.goes(tv.codes.VerificationURIComplete)
	p.clicks("Continue")
	p.arrives(h.url + "/oauth/device?entered=")
	p.clicks("Allow")
	done := p.arrives(h.url + "/oauth/device?result=")
	p.allows("status 400")
	p.allows("status of 400")
	p.goesBack()
	p.arrives(h.url + "/oauth/device?entered=")
	if p.is("button[value=allow]") { // The page was cached, and not requested again.
		p.clicks("Allow")
		require.Equal(t, done, p.arrives(h.url+"/oauth/device?result="))
	} else {
		p.shows("That code isn't valid.")
	}
	grants, _, err := h.ListGrants(context.Background(), provider.GrantFilter{ApplicationID: app.ID}, "", 0)
	require.NoError(t, err)
	require.Len(t, grants, 1)
}
