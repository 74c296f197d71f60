package provider

import (
	"maps"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
)

// The user's part of the device authorization grant (RFC 8628 section 3.3) has
// three pages: to enter the code, to decide, and to confirm the result.
// Following a link never looks up or grants anything: a link with a code only
// fills in the form, and the forms of the first two pages are sealed. Otherwise
// links with wrong codes, on any other site, could lock a user out.

// deviceParams are the parameters of the page, and deviceFields the fields of
// its forms.
var (
	deviceParams = []string{userCodeField, enteredField, resultField, "prompt", signInAfter}
	deviceFields = append([]string{userCodeField}, consentFields...)
)

// DeviceHandler serves the page where the signed-in user enters the code that a
// device shows, and decides. Other visitors are sent to Config.SignIn first. It
// returns 404 unless Config.DeviceAuthorization is set.
func (p *Provider) DeviceHandler() http.Handler {
	if p.cfg.DeviceAuthorization == nil {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{name: endpointDevice, methods: pageMethods, serve: (*call).serveDevice, refuse: (*call).errorPage})
}

func (c *call) serveDevice() *Error {
	if c.r.Method != http.MethodPost {
		return c.showDevice()
	}
	fields, e := readParams(c.w, c.r, deviceFields)
	if e == nil {
		e = repeated(fields, userCodeField, requestField, decisionField, sealField, workspaceParam)
	}
	switch {
	case e != nil:
		return e
	case fields.Has(requestField):
		return c.decideDevice(fields)
	}
	return c.enterCode(fields)
}

// enterCode handles the code that the user entered, or that was filled in. The
// next page looks it up; no link can have the address of that page.
func (c *call) enterCode(fields url.Values) *Error {
	v, e := c.visitDevice(fields.Get(userCodeField), nil)
	switch {
	case e != nil:
		return e
	case v.anonymous():
		return v.signIn(SignInRequest{})
	}
	sent, e := c.openForm(fields.Get(sealField), v.sealedEntry()...)
	if e != nil {
		return v.retry(e)
	}
	address := maps.Clone(v.params)
	address.Set(enteredField, sealNotice(sent.cookie, enteredField, v.session.UserID, v.typed()))
	seeOther(v.w, withQuery(v.path, address))
	return nil
}

// showDevice shows the right page. It is a GET and changes nothing.
func (c *call) showDevice() *Error {
	params, e := parseParams(c.r.URL.RawQuery, deviceParams)
	if e == nil {
		e = repeated(params, deviceParams...)
	}
	if e != nil {
		return e
	}
	v, e := c.visitDevice(params.Get(userCodeField), params)
	switch {
	case e != nil:
		return e
	case params.Get("prompt") == "select_account":
		return v.signIn(SignInRequest{SwitchAccount: true})
	case v.anonymous():
		return v.signIn(SignInRequest{})
	}
	if e := v.open(); e != nil {
		return e
	}
	entered := v.openNotice(enteredField, v.session.UserID, params.Get(enteredField))
	if v.openResult(params.Get(resultField)) || entered == "" || entered != v.typed() {
		v.show()
		return nil
	}
	if e := c.limit(""); e != nil {
		return e
	}
	code, ok := parseUserCode(entered)
	if !ok {
		return v.wrongCode(errCode())
	}
	v.code = code
	if e := v.lookUp(func() bool { return v.device.Waits(rules.At(v.now())) }); e != nil {
		return v.wrongCode(v.retry(e))
	}
	return v.confirm(nil)
}
