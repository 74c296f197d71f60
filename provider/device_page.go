package provider

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

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

// DeviceStep says what a [DevicePage] is for.
type DeviceStep string

// The steps of the device page.
const (
	// DeviceEnter: the user enters the code that the device shows. The page has
	// a form that is sent to FormAction by GET, with a field "user_code".
	DeviceEnter DeviceStep = "enter"
	// DeviceConfirm: the user compares the code and decides. The page has a
	// form that is posted to FormAction, and consists of what the form of
	// [ConsentPage] does.
	DeviceConfirm DeviceStep = "confirm"
	// DeviceAllowed: the user has allowed it and goes back to the device.
	DeviceAllowed DeviceStep = "allowed"
	// DeviceDenied: the user has said no.
	DeviceDenied DeviceStep = "denied"
)

// DevicePage is what the pages show on which a user decides on a device, for
// Config.DevicePage to show them in the host's own way. What does not apply to
// the Step is empty.
type DevicePage struct {
	Host   PageHost   `json:"host"`
	Texts  Texts      `json:"texts"` // in the visitor's language, with the names filled in
	Status int        `json:"status"`
	Step   DeviceStep `json:"step"`

	// User is who is signed in, and SwitchAccountURL lets the visitor sign in
	// as somebody else and come back.
	User             PageUser `json:"user"`
	SwitchAccountURL string   `json:"switch_account_url"`

	// UserCode is the code that the device shows. The page of DeviceConfirm
	// must show it, so that the user can compare the two (RFC 8628 section
	// 3.3.1). At DeviceEnter it is what the visitor has entered before, if that
	// was wrong, and WrongCode is set.
	UserCode  string `json:"user_code"`
	WrongCode bool   `json:"wrong_code"`

	// Application is the one that asks, and Scopes what it asks for, at
	// DeviceConfirm. Afterwards Application is the one that has asked.
	Application PageApplication `json:"application"`
	Scopes      []PageScope     `json:"scopes"`   // empty: only who the user is
	Resource    string          `json:"resource"` // as on [ConsentPage]

	// SelfRegistered is set if nobody at the host knows the application. The
	// page must warn of it. It must warn of something else in any case: whoever
	// was sent the link or the code by somebody has to cancel (RFC 8628 section
	// 5.4).
	SelfRegistered bool `json:"self_registered"`

	FormAction string      `json:"form_action"`
	FormFields []PageField `json:"form_fields"`
}

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
		p.writeDevicePage(w, r, page)
		return nil
	}
	if typed == "" {
		p.writeDevicePage(w, r, page)
		return nil
	}
	device, app, e := p.guessDevice(r.Context(), session.UserID, typed)
	if e != nil {
		return p.wrongCode(w, r, page, typed, e)
	}
	noteApplication(r.Context(), app.ID)
	code, _ := parseUserCode(typed) // It was found.
	p.confirmDevice(w, r, page, code, device, app, session.UserID)
	return nil
}

// newDevicePage returns the page to enter a code, for the user.
func (p *Provider) newDevicePage(r *http.Request, userID, typed string) (DevicePage, *Error) {
	user, e := p.findUser(r.Context(), userID)
	if e != nil {
		return DevicePage{}, p.retryDevice(e, typed)
	}
	return DevicePage{
		Host: p.pageHost(), Texts: p.texts(r), Status: http.StatusOK, Step: DeviceEnter,
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
	case ReasonNoAccount:
		e.retryURL = p.switchDeviceAccount(typed)
	case ReasonStaleForm, ReasonNoCookies:
		e.retryURL = p.devicePath(codeParams(typed))
	}
	return e
}

// errWrongCode is the one answer to a code that is unknown, has expired or was
// decided on, so that guessing tells nothing.
var errWrongCode = errors.New("there is no device that waits with this user code")

// guessDevice finds the device that waits with a code as it was typed, and the
// application that asks. It counts against the user if there is none.
func (p *Provider) guessDevice(ctx context.Context, userID, typed string) (store.Device, store.Application, *Error) {
	code, ok := parseUserCode(typed)
	if !ok {
		return store.Device{}, store.Application{}, errCode()
	}
	if wait := p.guesses.take(userID, p.now()); wait > 0 {
		return store.Device{}, store.Application{}, &Error{Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: wait,
			Description: "The user has entered too many codes that are not valid. Wait as long as Retry-After says."}
	}
	device, app, e := p.findDevice(ctx, code)
	if e == nil && (!device.DecidedAt.IsZero() || !p.now().Before(device.ExpiresAt)) {
		e = errCode()
	}
	if e == nil || !errors.Is(e, errWrongCode) {
		p.guesses.giveBack(userID)
	}
	return device, app, e
}

func errCode() *Error {
	return refuse(codeInvalidRequest, "The user code is not one that a device waits with.").because(errWrongCode)
}

// findDevice finds a device authorization, whatever its state, and its
// application.
func (p *Provider) findDevice(ctx context.Context, code userCode) (device store.Device, app store.Application, e *Error) {
	ctx, cancel := p.reading(ctx)
	defer cancel()
	device, err := p.devices.FindDevice(ctx, code.hash())
	if err == nil {
		app, err = p.cfg.Store.FindApplication(ctx, device.ApplicationID)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return device, app, errCode()
	case err != nil:
		return device, app, unavailable("store", err)
	}
	return device, app, nil
}

// wrongCode shows the page to enter a code again if e says that it was wrong.
// Its status lets a proxy in front of the host count guesses too.
func (p *Provider) wrongCode(w http.ResponseWriter, r *http.Request, page DevicePage, typed string, e *Error) *Error {
	if !errors.Is(e, errWrongCode) {
		return e
	}
	if len(typed) <= maxTyped {
		page.UserCode = typed
	}
	page.WrongCode, page.Status = true, e.Status
	p.refused(r.Context(), endpointDevice, e)
	p.writeDevicePage(w, r, page)
	return nil
}

// offered is what the user can allow: what was asked for and what the
// application may still ask for.
func (p *Provider) offered(d store.Device, app store.Application) scopes.Set {
	return d.Scopes.Intersect(app.Scopes).Intersect(p.scopes)
}

// deviceRequest is what the form of the page to decide says that it is for.
func deviceRequest(code userCode, id store.DeviceID, offered scopes.Set) string {
	return url.Values{userCodeField: {code.String()}, deviceField: {hex.EncodeToString(id[:])}, "scope": {offered.String()}}.Encode()
}

// sealedDevice is what the seal of that form holds for.
func sealedDevice(userID, request string) []string {
	return []string{endpointDevice, userID, request}
}

// confirmDevice shows the page to decide. Everybody is always asked, whatever
// they or the host have agreed to before: it may be somebody else's device,
// with a link that was sent to them (RFC 8628 section 5.4).
func (p *Provider) confirmDevice(w http.ResponseWriter, r *http.Request, page DevicePage, code userCode, d store.Device, app store.Application, userID string) {
	offered := p.offered(d, app)
	request := deviceRequest(code, d.ID, offered)
	page.Step, page.UserCode = DeviceConfirm, code.String()
	page.Application, page.Scopes = p.pageApplication(app), p.pageScopes(offered, page.Texts)
	if resource := p.findResource(d.Resource); resource != nil {
		page.Resource = resource.name
	}
	page.SelfRegistered = app.Origin != store.OriginManual
	page.FormFields = []PageField{
		{requestField, request},
		{sealField, p.sealForm(w, r, userID, sealedDevice(userID, request)...)},
	}
	p.writeDevicePage(w, r, page)
}

func (p *Provider) writeDevicePage(w http.ResponseWriter, r *http.Request, page DevicePage) {
	if p.cfg.DevicePage != nil {
		page.Texts = page.Texts.fill("application", page.Application.Name, "host", p.name, "user", page.User.Label, "resource", page.Resource, "publisher", page.Application.Publisher)
		w.Header().Add("Content-Security-Policy", guardPage(w.Header(), "'self'"))
		p.cfg.DevicePage(w, r, page)
		return
	}
	p.pages.write(w, page.Status, "device.html", page, "'self'", []string{page.Host.LogoURL, page.Application.LogoURL}, "")
}

// decideDevice takes the user's answer.
func (p *Provider) decideDevice(w http.ResponseWriter, r *http.Request) *Error {
	form, e := readParams(w, r, consentFields)
	if e == nil {
		e = repeated(form, requestField, decisionField, sealField)
	}
	if e != nil {
		return e
	}
	if e := p.limit(r, endpointDevice, ""); e != nil {
		return e
	}
	request, e := parseParams(form.Get(requestField), []string{userCodeField, deviceField, "scope"})
	if e != nil {
		return e
	}
	session, e := p.currentUser(r)
	if e != nil {
		return e
	}
	typed := request.Get(userCodeField)
	if session.UserID == "" {
		p.signInForDevice(w, r, typed, false)
		return nil
	}
	// Before anything is looked up: only who was shown the code's page learns
	// what has become of it.
	sent, e := p.openForm(r, form.Get(sealField), sealedDevice(session.UserID, form.Get(requestField))...)
	answered := e != nil && errors.Is(e, errAnswered)
	if e != nil && !answered {
		return p.retryDevice(e, typed)
	}
	code, _ := parseUserCode(typed) // It is sealed.
	device, app, e := p.findDevice(r.Context(), code)
	if e == nil && form.Get(requestField) != deviceRequest(code, device.ID, p.offered(device, app)) {
		// The code is another device's by now, or the application has changed.
		e = errCode()
	}
	if e == nil {
		noteApplication(r.Context(), app.ID)
		if answered {
			// The browser knows the answer, which is the one that was kept.
			p.refused(r.Context(), endpointDevice, errStaleForm(errAnswered), "application", app.ID)
			cookie, _ := p.readFormCookie(r) // It was read just now.
			p.seeDeviceResult(w, cookie, session.UserID, device.GrantID, app.ID)
			return nil
		}
		e = p.answerDevice(r, device, app, session.UserID, form, sent)
	}
	if e != nil && errors.Is(e, errWrongCode) {
		page, gone := p.newDevicePage(r, session.UserID, typed)
		if gone != nil {
			return gone
		}
		return p.wrongCode(w, r, page, typed, e)
	}
	if e != nil {
		return p.retryDevice(e, typed)
	}
	var grantID store.GrantID
	if form.Get(decisionField) == "allow" {
		grantID = sent.id
	}
	p.answerForm(w, sent)
	p.seeDeviceResult(w, sent.cookie, session.UserID, grantID, app.ID)
	return nil
}

// answerDevice does what the user has decided. The same form may be on its way
// twice: its number is the id of the grant, so that there is one.
func (p *Provider) answerDevice(r *http.Request, d store.Device, app store.Application, userID string, form url.Values, sent *form) *Error {
	ctx := r.Context()
	allow := form.Get(decisionField) == "allow"
	decision := store.DeviceDecision{ID: d.ID, At: p.now()}
	if allow {
		decision.GrantID = sent.id
	}
	switch {
	case !d.DecidedAt.IsZero() && d.GrantID == decision.GrantID:
		return nil // Just so. The grant may have ended since, and must not be made anew.
	case !d.DecidedAt.IsZero() || !decision.At.Before(d.ExpiresAt):
		return errCode()
	}
	if allow {
		granted, e := p.tickedScopes(p.offered(d, app), form[grantedField])
		if e != nil {
			return e
		}
		// The user whom the page was shown to may be gone by now.
		if _, e := p.findUser(ctx, userID); e != nil {
			return e
		}
		if e := p.grantDevice(r, d, app.ID, userID, granted, sent.id, decision.At); e != nil {
			return e
		}
	}
	wctx, cancel := p.writing(ctx)
	defer cancel()
	err := p.devices.DecideDevice(wctx, decision)
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrNotFound):
		// Somebody else was quicker, or it was too late: the device will never
		// know of the grant.
		if allow {
			if _, err := p.RevokeGrants(ctx, store.GrantFilter{ID: sent.id}); err != nil {
				return unavailable("store", err)
			}
		}
		return errCode()
	case err != nil:
		// It may have been done, so the grant stays. The user sends the form
		// again, and if not, the grant ends with its code, which nobody has.
		return unavailable("store", err)
	}
	if !allow {
		p.emit(ctx, Event{Kind: EventGrantDenied, ApplicationID: app.ID, UserID: userID, Request: r})
		// A user's own choice is an event and no refusal to log.
		noteOutcome(ctx, codeAccessDenied)
	}
	return nil
}

// grantDevice makes the grant whose code the device can derive.
func (p *Provider) grantDevice(r *http.Request, d store.Device, appID, userID string, granted scopes.Set, id store.GrantID, now time.Time) *Error {
	ctx, cancel := p.writing(r.Context())
	defer cancel()
	grant := p.newGrant(id, now, userID, appID, granted)
	grant.Resource, grant.AgreedAt = d.Resource, now
	err := p.cfg.Store.CreateGrant(ctx, store.NewGrant{Grant: grant, Code: &store.Code{
		Hash:             d.GrantCode,
		RedirectOptional: true,
		ExpiresAt:        d.ExpiresAt.Add(deviceGrace),
	}})
	switch {
	case errors.Is(err, store.ErrExists):
		// The same form was sent at the same moment.
	case err != nil:
		return unavailable("store", err)
	default:
		p.emit(r.Context(), Event{Kind: EventGrantCreated, ApplicationID: appID, UserID: userID, GrantID: id, Request: r})
	}
	return nil
}

// seeDeviceResult sends the browser to the page that says that it is done.
func (p *Provider) seeDeviceResult(w http.ResponseWriter, c formCookie, userID string, id store.GrantID, appID string) {
	step := DeviceAllowed
	if id.IsZero() {
		step = DeviceDenied
	}
	seeOther(w, p.devicePath(url.Values{resultField: {sealNotice(c, resultField+" "+string(step), userID, appID)}}))
}

// openDeviceResult reads what seeDeviceResult has put into the address. It is
// sealed, so that a link cannot make the page say so.
func (p *Provider) openDeviceResult(r *http.Request, userID, text string) (step DeviceStep, shown PageApplication, ok bool) {
	for _, step := range []DeviceStep{DeviceAllowed, DeviceDenied} {
		if id := p.openNotice(r, resultField+" "+string(step), userID, text); id != "" {
			// A name that cannot be found is not worth an error.
			app, err := p.FindApplication(r.Context(), id)
			return step, p.pageApplication(app), err == nil
		}
	}
	return "", PageApplication{}, false
}
