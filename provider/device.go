package provider

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

const (
	// slowDown is added to the interval of a device that polls too often (RFC
	// 8628 section 3.5).
	slowDown = 5 * time.Second

	// deviceGrace is how much longer the grant's code lives than the device's
	// codes. If a user decides in the last moment, the device can still poll.
	deviceGrace = time.Minute
)

// DeviceAuthorizationHandler serves the device authorization endpoint (RFC 8628
// section 3.1), where devices ask for codes. It returns 404 unless
// Config.DeviceAuthorization is set.
func (p *Provider) DeviceAuthorizationHandler() http.Handler {
	if p.cfg.DeviceAuthorization == nil {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{
		name: endpointDeviceAuthorization, methods: []string{http.MethodPost}, open: true,
		serve: (*call).serveDeviceAuthorization, refuse: (*call).writeError,
	})
}

// deviceResponse is the answer of RFC 8628 section 3.2.
type deviceResponse struct {
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	CompleteURI     string `json:"verification_uri_complete"`
	ExpiresIn       int64  `json:"expires_in"` // seconds
	Interval        int64  `json:"interval"`   // seconds
}

func (c *call) serveDeviceAuthorization() *Error {
	answer, e := c.authorizeDevice()
	if e == nil {
		writeJSON(c.w, http.StatusOK, answer)
	}
	return e
}

// authorizeDevice answers a device authorization request.
func (c *call) authorizeDevice() (answer *deviceResponse, e *Error) {
	form, e := readParams(c.w, c.r, c.offer.forms.device.all)
	if e == nil {
		e = repeated(form, c.offer.forms.device.single...)
	}
	if e != nil {
		return nil, e
	}
	app, e := c.client(form)
	if e != nil {
		return nil, e
	}
	// A document is fetched later, for the user.
	if e := cmp.Or(c.admits(c.context(), app), mayUseDevices(app)); e != nil {
		return nil, e
	}
	resource, e := c.resourceFor(app, form)
	if e != nil {
		return nil, e
	}
	asked, extra, e := c.offer.read(app, resource, form.Get("scope"))
	if e != nil {
		return nil, e
	}
	workspace, e := c.offer.askedWorkspace(&app, form)
	if e != nil {
		return nil, e
	}
	now, own := c.now(), c.cfg.DeviceAuthorization
	code, userCode, e := c.createDevice(rules.Device{
		ApplicationID: app.ID,
		Scopes:        asked.Union(extra).String(),
		Resource:      resource.identifier(),
		Workspace:     workspace,
		CreatedAt:     rules.At(now),
		ExpiresAt:     rules.At(now.Add(own.CodeLifetime)),
		// A little less than the device is told, because the second of two
		// polls may be faster on the network than the first.
		Interval: own.Interval - own.Interval/10,
	})
	if e != nil {
		return nil, e
	}
	page := c.Endpoints().Device
	return &deviceResponse{
		DeviceCode:      c.prefix.encode(rules.KindDevice, code),
		UserCode:        userCode.String(),
		VerificationURI: page,
		CompleteURI:     page + "?" + url.Values{userCodeField: {userCode.String()}}.Encode(),
		ExpiresIn:       int64(own.CodeLifetime / time.Second),
		Interval:        int64((own.Interval + time.Second - 1) / time.Second),
	}, nil
}

// createDevice generates the codes of a device authorization and saves it.
func (c *call) createDevice(d rules.Device) (credential, userCode, *Error) {
	// Two devices must not show the same user code. There are so many codes
	// that even with a million in use a second draw is rare, and a fifth
	// doesn't happen.
	const draws = 5
	var err error
	for range draws {
		drawn := newUserCode()
		d.ID = rules.DeviceID(drawn.hash())
		code := newCredential(d.ID)
		grantCode := code.grantSecret()
		d.Code, d.GrantCode = code.secret.Hash(rules.KindDevice), grantCode.Hash(rules.KindCode)
		if err = c.records.create(c.context(), d.Document(newMark())); err == nil {
			return code, drawn, nil
		}
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return credential{}, userCode{}, unavailable("store", err)
}

// findDevice reads a device authorization, or returns rules.ErrNotFound.
func (k records) findDevice(ctx context.Context, id store.ID) (rules.Device, error) {
	d, _, err := k.find(ctx, id)
	if err != nil {
		return rules.Device{}, err
	}
	return rules.ReadDevice(&d)
}

// mayUseDevices refuses an application that may not use the device grant. One
// that registered itself must have named the grant.
func mayUseDevices(app store.Application) *Error {
	if app.Origin == store.OriginManual || app.Registration != nil && slices.Contains(app.Registration.GrantTypes, grantTypeDevice) {
		return nil
	}
	return refuse(codeUnauthorizedClient, "This application has not registered the device grant: name it in its grant_types.")
}

// redeemDeviceCode answers a device that polls for the user's decision (RFC
// 8628 section 3.4), with the first tokens if the user has allowed it.
func (x *exchange) redeemDeviceCode(text string) (tokenInfo, *Error) {
	const what = "device_code"
	if text == "" {
		return tokenInfo{}, refuse(codeInvalidRequest, "The parameter device_code is missing.")
	}
	if e := mayUseDevices(x.app); e != nil {
		return tokenInfo{}, e
	}
	code, ok := x.prefix.decode(rules.KindDevice, text)
	if !ok {
		return tokenInfo{}, grantRefusal(what, rules.ErrNotFound)
	}
	now := rules.At(x.now())
	device, tooSoon, err := x.pollDevice(code, now)
	decided := device.DecidedAt != 0
	switch {
	case err != nil:
		return tokenInfo{}, grantRefusal(what, err)
	case decided && device.GrantID.IsZero():
		return tokenInfo{}, refuse(codeAccessDenied, "The user declined.")
	case decided:
		issued, e := x.redeem(what, credential{device.GrantID, code.grantSecret()}, rules.Redemption{})
		if e != nil && errors.Is(e, rules.ErrExpired) {
			e = errDeviceExpired()
		}
		return issued, e
	case now >= device.ExpiresAt:
		return tokenInfo{}, errDeviceExpired()
	case tooSoon:
		return tokenInfo{}, refuse(codeSlowDown, "The device polls too often: wait 5 seconds longer between polls from now on.")
	}
	return tokenInfo{}, refuse(codeAuthorizationPending, "The user has not decided yet. Ask again after the interval.")
}

// pollDevice records a poll of a device. It tries once: if the user decides, or
// another poll arrives, at the same moment, the device must poll again.
func (x *exchange) pollDevice(code credential, now rules.Instant) (d rules.Device, tooSoon bool, err error) {
	if d, err = x.records.findDevice(x.context(), code.grantID); err != nil {
		return d, false, err
	}
	tooSoon, step, err := d.Poll(code.secret.Hash(rules.KindDevice), x.app.ID, slowDown, now)
	if err == nil && step == rules.Write {
		err = x.records.replace(x.context(), d.Document(newMark()), d.Mark())
		if errors.Is(err, store.ErrConflict) {
			err = nil
		}
	}
	return d, tooSoon, err
}

func errDeviceExpired() *Error {
	return refuse(codeExpiredToken, "The device_code has expired. Ask for a new one, and show the user its code.")
}
