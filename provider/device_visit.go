package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// A deviceVisit is a visit to the device page. It has the code that was typed,
// and the device and its application once they are found.
type deviceVisit struct {
	visit
	code   userCode
	device rules.Device
	app    store.Application
	page   pages.Device

	workspace workspaceChoice
}

const (
	deviceField  = "device"  // the device's ID, in the request of the form
	enteredField = "entered" // on the decision page: the user has entered the code
	resultField  = "result"  // on the result page
)

// maxTyped is how long a code can be with everything that a user may type
// between its letters. Longer texts count as empty.
const maxTyped = 32

// visitDevice starts a visit. After signing in, the visitor returns with only
// the code.
func (c *call) visitDevice(typed string, params url.Values) (*deviceVisit, *Error) {
	v, e := c.visit(c.devicePath(), params)
	if e != nil {
		return nil, e
	}
	v.params = url.Values{}
	if typed != "" && len(typed) <= maxTyped {
		v.params.Set(userCodeField, typed)
	}
	return &deviceVisit{visit: v}, nil
}

// typed returns the code that the user typed, or that a link contains.
func (v *deviceVisit) typed() string { return v.params.Get(userCodeField) }

// open prepares the page to enter a code for the user.
func (v *deviceVisit) open() *Error {
	user, e := v.findUser(v.session.UserID)
	if e != nil {
		return v.retry(e)
	}
	v.page = pages.Device{
		Status: http.StatusOK, Step: pages.StepEnter, User: pageUser(user, v.session.UserID),
		SwitchAccountURL: v.switchURL("select_account"), ConnectionsURL: v.connectionsPath(), FormAction: v.path,
	}
	return nil
}

// show shows the page.
func (v *deviceVisit) show() {
	if v.page.Step == pages.StepEnter {
		v.page.UserCode = v.typed()
		v.page.FormFields = []pages.Field{{Name: sealField, Value: v.sealForm(v.session.UserID, v.sealedEntry()...)}}
	}
	v.pages.Device(v.w, v.r, v.page)
}

// confirm shows the decision page. It asks every user each time, even if they
// or the host agreed before, because it may be someone else's device, with a
// link that was sent to them (RFC 8628 section 5.4). without is set if the user
// pressed Allow without choosing a workspace, and has the scopes they unchecked.
func (v *deviceVisit) confirm(without *scopes.Set) *Error {
	d := v.decision(store.ID{})
	if e := v.recall(&v.workspace, d); e != nil {
		return e
	}
	var err error
	if d.consent, err = v.records.findConsent(v.context(), d.key()); err != nil {
		return unavailable("store", err)
	}
	request, declined := v.request(), d.declined()
	if v.page.Workspace = v.workspace.onPage(); v.page.Workspace != nil && without != nil {
		v.page.Workspace.Missing, declined = true, *without
	}
	v.page.Step, v.page.UserCode = pages.StepConfirm, v.code.String()
	v.page.Application, v.page.Scopes = v.pageApplication(v.app), v.askScopes(d.shown, declined)
	if resource := v.findResource(v.device.Resource); resource != nil {
		v.page.Resource = resource.name
	}
	v.page.FormFields = []pages.Field{
		{Name: requestField, Value: request},
		{Name: sealField, Value: v.sealForm(v.session.UserID, v.sealed(request)...)},
	}
	v.show()
	return nil
}

// retry adds to the error page for e how the visitor can continue.
func (v *deviceVisit) retry(e *Error) *Error {
	switch e.reason {
	case pages.ReasonNoAccount, pages.ReasonNoWorkspace:
		e.retryURL = v.switchURL("select_account")
	case pages.ReasonStaleForm, pages.ReasonNoCookies:
		e.retryURL = v.again()
	}
	return e
}

// errWrongCode is the only answer to a code that is unknown, expired, or
// already decided on, so guesses reveal nothing.
var errWrongCode = errors.New("no device is waiting with this user code")

func errCode() *Error {
	return refuse(codeInvalidRequest, "No device is waiting with this user code.").because(errWrongCode)
}

// lookUp finds the device that shows the code. If there is none, or fits
// rejects it, that counts as a wrong guess of the user.
func (v *deviceVisit) lookUp(fits func() bool) *Error {
	if wait := v.guesses.take(v.session.UserID, v.now()); wait > 0 {
		return &Error{Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: wait,
			Description: "The user has entered too many codes that are not valid. Wait as long as Retry-After says."}
	}
	e := v.find()
	if e == nil && !fits() {
		e = errCode()
	}
	if e == nil || !errors.Is(e, errWrongCode) {
		v.guesses.giveBack(v.session.UserID)
	}
	if e == nil {
		v.application, v.sender = v.app.ID, &v.app
	}
	return e
}

// find finds the device authorization with the user code, in any state, and its
// application in its current form.
func (v *deviceVisit) find() *Error {
	var err error
	v.device, err = v.records.findDevice(v.context(), rules.DeviceID(v.code.hash()))
	if err == nil {
		v.app, err = v.records.findApplication(v.context(), v.device.ApplicationID)
	}
	switch {
	case errors.Is(err, rules.ErrNotFound), errors.Is(err, store.ErrNotFound):
		return errCode()
	case err != nil:
		return unavailable("store", err)
	}
	if v.app.Origin == store.OriginDocument {
		var e *Error
		if v.app, e = v.findClientFor(v.session.UserID, v.app.ClientID); e != nil {
			return e
		}
	}
	if e := v.offer.admits(v.app); e != nil {
		return e
	}
	if e := mayUseDevices(v.app); e != nil {
		return e
	}
	v.workspace = workspaceChoice{use: v.offer.workspaceUse(&v.app), named: v.device.Workspace}
	return v.workspace.load(&v.visit)
}

// wrongCode shows the page to enter a code again if e says that the code was
// wrong. Its status lets a proxy in front of the host count guesses too.
func (v *deviceVisit) wrongCode(e *Error) *Error {
	if !errors.Is(e, errWrongCode) {
		return e
	}
	v.page.WrongCode, v.page.Status = true, e.Status
	v.refused(e)
	v.show()
	return nil
}

// offered returns the requested scopes that the application may still ask for.
func (v *deviceVisit) offered() scopes.Set {
	return v.offer.mayAskFor(v.app).Intersect(v.device.ScopeSet())
}

// decision starts the decision on the offered scopes.
func (v *deviceVisit) decision(form store.ID) *decision {
	return &decision{
		app: v.app, userID: v.session.UserID, shown: v.offered(), extra: v.offer.extra.Intersect(v.device.ScopeSet()),
		resource: v.device.Resource, form: form, signIn: v.signedIn(openIDRequest{}),
		chooses: v.workspace.there(),
	}
}

// request encodes everything that the decision page showed, to detect changes.
func (v *deviceVisit) request() string {
	said := append([]string{v.app.Name, v.app.LogoURL, v.app.ClientURI, v.app.TermsURI, v.app.PolicyURI, strconv.FormatBool(v.app.Reviewed)}, v.workspace.sealed()...)
	shown := sha256.Sum256([]byte(strings.Join(said, "\x00")))
	return url.Values{
		userCodeField: {v.code.String()}, deviceField: {hex.EncodeToString(v.device.ID[:])},
		"scope": {v.offered().String()}, "application": {hex.EncodeToString(shown[:16])},
	}.Encode()
}

// sealedEntry returns the parts that the seal of the form with the code covers.
// The code is not one of them, because the user enters it.
func (v *deviceVisit) sealedEntry() []string { return []string{enteredField, v.session.UserID} }

// sealed returns the parts that the seal of the decision covers.
func (v *deviceVisit) sealed(request string) []string {
	return []string{"device", v.session.UserID, request}
}
