package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

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
	// Before anything is looked up, for whoever does not come from the page.
	sent, e := p.openForm(r, form.Get(sealField), sealedDevice(session.UserID, form.Get(requestField))...)
	answered := e != nil && errors.Is(e, errAnswered)
	if e != nil && !answered {
		return p.retryDevice(e, typed)
	}
	// The seal keeps other sites out, not the user, who has its key.
	if e := p.mayGuess(session.UserID); e != nil {
		return e
	}
	code, _ := parseUserCode(typed)
	device, app, e := p.findDevice(r, code)
	if e == nil && form.Get(requestField) != deviceRequest(code, device.ID, p.offered(device, app), app) {
		// The code is another device's by now, or the application has changed.
		e = errCode()
	}
	if e == nil || !errors.Is(e, errWrongCode) {
		p.guesses.giveBack(session.UserID)
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
		if e := p.noteUse(ctx, app); e != nil {
			return e
		}
		if e := p.grantDevice(r, d, app.ID, userID, granted, sent.id, decision.At); e != nil {
			return e
		}
	}
	wctx, until := p.writing(ctx)
	defer until.stop()
	err := p.devices.DecideDevice(wctx, decision)
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrNotFound):
		// Somebody else was quicker, or it was too late: the device will never
		// know of the grant.
		if allow {
			if e := p.takeBack(ctx, userID, app.ID, sent.id); e != nil {
				return e
			}
		}
		return errCode()
	case err != nil:
		// It may have been done, so the grant stays. The user sends the form
		// again, and if not, the grant ends with its code, which nobody has.
		return unavailable("store", err)
	}
	if !allow {
		// The same form may have allowed it before, in a request that failed
		// half way.
		if e := p.takeBack(ctx, userID, app.ID, sent.id); e != nil {
			return e
		}
		p.emit(ctx, Event{Kind: EventGrantDenied, ApplicationID: app.ID, UserID: userID, Request: r})
		// A user's own choice is an event and no refusal to log.
		noteOutcome(ctx, codeAccessDenied)
	}
	return nil
}

// takeBack revokes a grant that the form has made and the device will not get. A
// form's number is only as good as the user's own cookie, so it ends nothing
// that is not the user's.
func (p *Provider) takeBack(ctx context.Context, userID, appID string, id store.GrantID) *Error {
	if _, err := p.RevokeGrants(ctx, store.GrantFilter{ID: id, UserID: userID, ApplicationID: appID}); err != nil {
		return unavailable("store", err)
	}
	return nil
}

// grantDevice makes the grant whose code the device can derive.
func (p *Provider) grantDevice(r *http.Request, d store.Device, appID, userID string, granted scopes.Set, id store.GrantID, now time.Time) *Error {
	ctx, until := p.writing(r.Context())
	defer until.stop()
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
