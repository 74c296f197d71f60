package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// The user's part of the device authorization grant (RFC 8628 section 3.3): a
// page to enter the code, a page to decide on what it stands for, and a page
// that says that it is done. Nothing is ever granted by following a link: a
// link with a code in it shows the second page, and that has a sealed form.

const (
	endpointDevice = "device"

	userCodeField = "user_code"
	deviceField   = "device" // of the request in the form: the device's id
	resultField   = "result" // of the page that comes afterwards
)

// deviceParams are the parameters of the page.
var deviceParams = []string{userCodeField, resultField, "prompt", signInAfter}

// DeviceHandler serves the page on which the signed-in user enters the code
// that a device shows, and decides. Visitors who are not signed in are sent to
// Config.SignIn first. Without Config.DeviceAuthorization there is nothing.
func (p *Provider) DeviceHandler() http.Handler {
	if p.cfg.DeviceAuthorization == nil {
		return http.NotFoundHandler()
	}
	return p.watched(endpointDevice, p.serveDevice)
}

func (p *Provider) serveDevice(w http.ResponseWriter, r *http.Request) {
	var e *Error
	switch r.Method {
	case http.MethodGet:
		e = p.showDevice(w, r)
	case http.MethodPost:
		e = p.decideDevice(w, r)
	default:
		methodNotAllowed(w, r, "GET, POST")
	}
	if e != nil {
		p.errorPage(w, r, endpointDevice, e)
	}
}

// devicePath is the path of the page, with a query if there are params.
func (p *Provider) devicePath(params url.Values) string {
	path := p.issuer.Path + p.cfg.Paths.Device
	if len(params) > 0 {
		path += "?" + params.Encode()
	}
	return path
}

// maxTyped is how long a code can be with all that somebody may type between
// its letters. What is longer is not shown or passed on.
const maxTyped = 32

// codeParams are the parameters of the page for a code as it was typed.
func codeParams(typed string) url.Values {
	params := url.Values{}
	if typed != "" && len(typed) <= maxTyped {
		params.Set(userCodeField, typed)
	}
	return params
}

// signInForDevice sends the visitor to sign in and back to the page.
func (p *Provider) signInForDevice(w http.ResponseWriter, r *http.Request, typed string, switchAccount bool) {
	back := codeParams(typed)
	back.Set(signInAfter, p.signInMark())
	w.Header().Set("Cache-Control", "no-store")
	p.cfg.SignIn(w, r, SignInRequest{ReturnTo: p.devicePath(back), SwitchAccount: switchAccount})
}

// showDevice shows the page that fits: it is a GET and changes nothing.
func (p *Provider) showDevice(w http.ResponseWriter, r *http.Request) *Error {
	params, e := parseParams(r.URL.RawQuery, deviceParams)
	if e == nil {
		e = repeated(params, deviceParams...)
	}
	if e != nil {
		return e
	}
	typed := params.Get(userCodeField)
	if typed != "" {
		if e := p.limit(r, endpointDevice, ""); e != nil {
			return e
		}
	}
	session, e := p.currentUser(r)
	switch {
	case e != nil:
		return e
	case params.Get("prompt") == "select_account":
		p.signInForDevice(w, r, typed, true)
		return nil
	case session.UserID == "" && p.sentToSignIn(params, loopTime):
		return notSignedIn(p.devicePath(codeParams(typed)))
	case session.UserID == "":
		p.signInForDevice(w, r, typed, false)
		return nil
	}
	page, e := p.newDevicePage(r, session.UserID, typed)
	if e != nil {
		return e
	}
	if step, app, ok := p.openDeviceResult(r, session.UserID, params.Get(resultField)); ok {
		page.Step, page.Application = step, app
		p.pages.Device(w, r, page)
		return nil
	}
	if typed == "" {
		p.pages.Device(w, r, page)
		return nil
	}
	device, app, e := p.guessDevice(r, session.UserID, typed)
	if e != nil {
		return p.wrongCode(w, r, page, typed, e)
	}
	noteApplication(r.Context(), app.ID)
	code, _ := parseUserCode(typed) // It was found.
	p.confirmDevice(w, r, page, code, device, app, session.UserID)
	return nil
}

// newDevicePage returns the page to enter a code, for the user.
func (p *Provider) newDevicePage(r *http.Request, userID, typed string) (pages.Device, *Error) {
	user, e := p.findUser(r.Context(), userID)
	if e != nil {
		return pages.Device{}, p.retryDevice(e, typed)
	}
	return pages.Device{
		Status: http.StatusOK, Step: pages.StepEnter,
		User: pageUser(user, userID), SwitchAccountURL: p.switchDeviceAccount(typed), FormAction: p.devicePath(nil),
	}, nil
}

// switchDeviceAccount is the page with the wish to sign in as somebody else.
func (p *Provider) switchDeviceAccount(typed string) string {
	params := codeParams(typed)
	params.Set("prompt", "select_account")
	return p.devicePath(params)
}

// retryDevice says on the error page for e where the visitor can go on.
func (p *Provider) retryDevice(e *Error, typed string) *Error {
	switch e.reason {
	case pages.ReasonNoAccount:
		e.retryURL = p.switchDeviceAccount(typed)
	case pages.ReasonStaleForm, pages.ReasonNoCookies:
		e.retryURL = p.devicePath(codeParams(typed))
	}
	return e
}

// errWrongCode is the one answer to a code that is unknown, has expired or was
// decided on, so that guessing tells nothing.
var errWrongCode = errors.New("there is no device that waits with this user code")

// guessDevice finds the device that waits with a code as it was typed, and the
// application that asks. It counts against the user if there is none.
func (p *Provider) guessDevice(r *http.Request, userID, typed string) (rules.Device, store.Application, *Error) {
	code, ok := parseUserCode(typed)
	if !ok {
		return rules.Device{}, store.Application{}, errCode()
	}
	if e := p.mayGuess(userID); e != nil {
		return rules.Device{}, store.Application{}, e
	}
	device, app, e := p.findDeviceOf(r, code)
	if e == nil && !device.Waits(rules.At(p.now())) {
		e = errCode()
	}
	if e == nil || !errors.Is(e, errWrongCode) {
		p.guesses.giveBack(userID)
	}
	return device, app, e
}

// mayGuess counts a guess of the user, or says that it is one too many.
func (p *Provider) mayGuess(userID string) *Error {
	wait := p.guesses.take(userID, p.now())
	if wait <= 0 {
		return nil
	}
	return &Error{Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: wait,
		Description: "The user has entered too many codes that are not valid. Wait as long as Retry-After says."}
}

func errCode() *Error {
	return refuse(codeInvalidRequest, "The user code is not one that a device waits with.").because(errWrongCode)
}

// findDeviceOf finds the device authorization with a user code, whatever its
// state, and its application, as it is now.
func (p *Provider) findDeviceOf(r *http.Request, code userCode) (device rules.Device, app store.Application, e *Error) {
	device, err := p.findDevice(r.Context(), rules.DeviceID(code.hash()))
	if err == nil {
		app, err = p.findApplication(r.Context(), device.ApplicationID)
	}
	switch {
	case errors.Is(err, rules.ErrNotFound), errors.Is(err, store.ErrNotFound):
		return device, app, errCode()
	case err != nil:
		return device, app, unavailable("store", err)
	}
	if app.Origin == store.OriginDocument {
		if app, e = p.findClientFor(r, app.ClientID); e != nil {
			return device, app, e
		}
	}
	return device, app, mayUseDevices(app)
}

// wrongCode shows the page to enter a code again if e says that it was wrong.
// Its status lets a proxy in front of the host count guesses too.
func (p *Provider) wrongCode(w http.ResponseWriter, r *http.Request, page pages.Device, typed string, e *Error) *Error {
	if !errors.Is(e, errWrongCode) {
		return e
	}
	if len(typed) <= maxTyped {
		page.UserCode = typed
	}
	page.WrongCode, page.Status = true, e.Status
	p.refused(r.Context(), endpointDevice, e)
	p.pages.Device(w, r, page)
	return nil
}

// offered is what the user can allow: what was asked for and what the
// application may still ask for.
func (p *Provider) offered(d rules.Device, app store.Application) scopes.Set {
	return d.ScopeSet().Intersect(p.mayAskFor(app))
}

// deviceRequest is what the form of the page to decide says that it is for: all
// that the page said, which may have changed since.
func deviceRequest(code userCode, id store.ID, offered scopes.Set, app store.Application) string {
	shown := sha256.Sum256([]byte(strings.Join([]string{app.Name, app.LogoURL, app.ClientURI}, "\x00")))
	return url.Values{
		userCodeField: {code.String()}, deviceField: {hex.EncodeToString(id[:])}, "scope": {offered.String()}, "application": {hex.EncodeToString(shown[:16])},
	}.Encode()
}

// sealedDevice is what the seal of that form holds for.
func sealedDevice(userID, request string) []string {
	return []string{endpointDevice, userID, request}
}

// confirmDevice shows the page to decide. Everybody is always asked, whatever
// they or the host have agreed to before: it may be somebody else's device,
// with a link that was sent to them (RFC 8628 section 5.4).
func (p *Provider) confirmDevice(w http.ResponseWriter, r *http.Request, page pages.Device, code userCode, d rules.Device, app store.Application, userID string) {
	offered := p.offered(d, app)
	request := deviceRequest(code, d.ID, offered, app)
	page.Step, page.UserCode = pages.StepConfirm, code.String()
	page.Application, page.Scopes = p.pageApplication(app), p.pageScopes(offered)
	if resource := p.findResource(d.Resource); resource != nil {
		page.Resource = resource.name
	}
	page.SelfRegistered = app.Origin != store.OriginManual
	page.FormFields = []pages.Field{
		{Name: requestField, Value: request},
		{Name: sealField, Value: p.sealForm(w, r, userID, sealedDevice(userID, request)...)},
	}
	p.pages.Device(w, r, page)
}
