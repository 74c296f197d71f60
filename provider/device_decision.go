package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
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
	device, app, e := p.findDeviceOf(r, code)
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
	var grantID store.ID
	if form.Get(decisionField) == "allow" {
		grantID = sent.id
	}
	p.answerForm(w, sent)
	p.seeDeviceResult(w, sent.cookie, session.UserID, grantID, app.ID)
	return nil
}

// answerDevice does what the user has decided. The same form may be on its way
// twice: its number is the ID of the grant, so there is one.
func (p *Provider) answerDevice(r *http.Request, v rules.Device, app store.Application, userID string, form url.Values, sent *form) *Error {
	ctx := r.Context()
	allow := form.Get(decisionField) == "allow"
	now, grantID := p.now(), store.ID{}
	if allow {
		grantID = sent.id
	}
	asked := v
	switch step, err := asked.Decide(grantID, rules.At(now)); {
	case err != nil:
		return errCode()
	case step == rules.Keep:
		return nil // Just so. The grant may have ended since, and must not be made anew.
	}
	if allow {
		d := &decision{app: app, userID: userID, resource: v.Resource, form: sent.id, agreedAt: now}
		var e *Error
		if d.scopes, e = p.tickedScopes(p.offered(v, app), form[grantedField]); e != nil {
			return e
		}
		if e := p.prepare(r, d); e != nil {
			return e
		}
		// The user whom the page was shown to may be gone by now.
		if _, e := p.findUser(ctx, userID); e != nil {
			return e
		}
		if e := p.noteUse(ctx, app); e != nil {
			return e
		}
		if e := p.grantDevice(r, v, d); e != nil {
			return e
		}
	}
	err := p.keepDecision(ctx, v, grantID, rules.At(now))
	switch {
	case rules.Refused(err):
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
		// A user's own choice is an event and not a refusal to log.
		noteOutcome(ctx, codeAccessDenied)
	}
	return nil
}

// keepDecision keeps what the user has decided on the device, which was read
// before.
func (p *Provider) keepDecision(ctx context.Context, v rules.Device, grantID store.ID, now rules.Instant) error {
	ctx = context.WithoutCancel(ctx)
	mark := newMark()
	for range maxRounds {
		step, err := v.Decide(grantID, now)
		if err != nil || step == rules.Keep {
			return err
		}
		err = p.records.replace(ctx, v.Document(mark), v.Mark())
		if err == nil {
			return nil
		}
		found, failed := p.findDevice(ctx, v.ID)
		if failed != nil {
			return failed
		}
		if found.Mark() == v.Mark() && !errors.Is(err, store.ErrConflict) {
			return err // It was not written, and nobody else is in the way.
		}
		v = found
	}
	return errContended
}

// takeBack ends a grant that the form has made and the device will not get. A
// form's number is only as good as the user's own cookie, so it ends nothing
// that is not the user's.
func (p *Provider) takeBack(ctx context.Context, userID, appID string, id store.ID) *Error {
	if err := p.RevokeGrants(ctx, GrantFilter{ID: id, UserID: userID, ApplicationID: appID}); err != nil {
		return unavailable("store", err)
	}
	return nil
}

// grantDevice makes the grant whose code the device can derive.
func (p *Provider) grantDevice(r *http.Request, v rules.Device, d *decision) *Error {
	if e := p.agree(r, d); e != nil {
		return e
	}
	grant := p.newGrant(d.form, d.agreedAt, d)
	grant.WithCode(rules.NewCode{Hash: v.GrantCode, RedirectOptional: true, ExpiresAt: v.ExpiresAt.Add(deviceGrace)})
	err := p.records.create(r.Context(), grant.Document(newMark()))
	switch {
	case errors.Is(err, store.ErrExists):
		// The same form was sent at the same moment.
	case err != nil:
		return unavailable("store", err)
	default:
		p.emit(r.Context(), Event{Kind: EventGrantCreated, ApplicationID: d.app.ID, UserID: d.userID, GrantID: d.form, Request: r})
	}
	return nil
}

// seeDeviceResult sends the browser to the page that says that it is done.
func (p *Provider) seeDeviceResult(w http.ResponseWriter, c formCookie, userID string, id store.ID, appID string) {
	step := pages.StepAllowed
	if id.IsZero() {
		step = pages.StepDenied
	}
	seeOther(w, p.devicePath(url.Values{resultField: {sealNotice(c, resultField+" "+string(step), userID, appID)}}))
}

// openDeviceResult reads what seeDeviceResult has put into the address. It is
// sealed, so that a link cannot make the page say so.
func (p *Provider) openDeviceResult(r *http.Request, userID, text string) (step pages.Step, shown pages.Application, ok bool) {
	for _, step := range []pages.Step{pages.StepAllowed, pages.StepDenied} {
		if id := p.openNotice(r, resultField+" "+string(step), userID, text); id != "" {
			// A name that cannot be found is not worth an error.
			app, err := p.findApplication(r.Context(), id)
			return step, p.pageApplication(app), err == nil
		}
	}
	return "", pages.Application{}, false
}
