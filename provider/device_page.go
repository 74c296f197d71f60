package provider

import (
	"net/http"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
)

// The user's part of the device authorization grant (RFC 8628 section 3.3): a
// page to enter the code, a page to decide on what it stands for, and a page
// that says that it is done. Nothing is ever granted by following a link: a
// link with a code in it shows the second page, and that has a sealed form.

// deviceParams are the parameters of the page.
var deviceParams = []string{userCodeField, resultField, "prompt", signInAfter}

// DeviceHandler serves the page on which the signed-in user enters the code
// that a device shows, and decides. Visitors who are not signed in are sent to
// Config.SignIn first. Without Config.DeviceAuthorization there is nothing.
func (p *Provider) DeviceHandler() http.Handler {
	if p.cfg.DeviceAuthorization == nil {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{name: endpointDevice, methods: pageMethods, serve: (*call).serveDevice, refuse: (*call).errorPage})
}

func (c *call) serveDevice() *Error {
	if c.r.Method == http.MethodPost {
		return c.decideDevice()
	}
	return c.showDevice()
}

// showDevice shows the page that fits: it is a GET and changes nothing.
func (c *call) showDevice() *Error {
	params, e := parseParams(c.r.URL.RawQuery, deviceParams)
	if e == nil {
		e = repeated(params, deviceParams...)
	}
	typed := params.Get(userCodeField)
	if e == nil && typed != "" {
		e = c.limit("")
	}
	if e != nil {
		return e
	}
	v, e := c.visitDevice(typed, params)
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
	if v.openResult(params.Get(resultField)) || typed == "" {
		v.show()
		return nil
	}
	code, ok := parseUserCode(typed)
	if !ok {
		return v.wrongCode(errCode())
	}
	v.code = code
	if e := v.lookUp(func() bool { return v.device.Waits(rules.At(v.now())) }); e != nil {
		return v.wrongCode(e)
	}
	v.confirm()
	return nil
}

// confirm shows the page to decide. Everybody is always asked, whatever they or
// the host have agreed to before: it may be somebody else's device, with a link
// that was sent to them (RFC 8628 section 5.4).
func (v *deviceVisit) confirm() {
	request := v.request()
	v.page.Step, v.page.UserCode = pages.StepConfirm, v.code.String()
	v.page.Application, v.page.Scopes = v.pageApplication(v.app), v.pageScopes(v.offered())
	if resource := v.findResource(v.device.Resource); resource != nil {
		v.page.Resource = resource.name
	}
	v.page.FormFields = []pages.Field{
		{Name: requestField, Value: request},
		{Name: sealField, Value: v.sealForm(v.session.UserID, v.sealed(request)...)},
	}
	v.show()
}
