package provider

import (
	"context"
	"errors"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// decideDevice handles the user's answer.
func (c *call) decideDevice(fields url.Values) *Error {
	asked := fields.Get(requestField)
	request, e := parseParams(asked, []string{userCodeField, deviceField, "scope"})
	if e != nil {
		return e
	}
	v, e := c.visitDevice(request.Get(userCodeField), nil)
	switch {
	case e != nil:
		return e
	case v.anonymous():
		return v.signIn(SignInRequest{})
	}
	// Check the seal before any lookup, so that requests from other sites cost
	// nothing. The seal doesn't protect against the user, who has its key.
	sent, e := c.openForm(fields.Get(sealField), v.sealed(asked)...)
	answered := e != nil && errors.Is(e, errAnswered)
	if e != nil && !answered {
		return v.retry(e)
	}
	if e := c.limit(""); e != nil {
		return e
	}
	v.code, _ = parseUserCode(v.typed())
	// The code may belong to another device by now, or the application may have
	// changed.
	e = v.lookUp(func() bool { return v.request() == asked })
	if e == nil && answered {
		// The browser knows that the form was answered, and gets the saved
		// answer.
		c.refused(errStaleForm(errAnswered))
		cookie, _ := c.readFormCookie() // It was read just now.
		v.seeResult(cookie, v.device.GrantID)
		return nil
	}
	var grantID store.ID
	if fields.Get(decisionField) == "allow" && sent != nil {
		grantID = sent.id
	}
	if e == nil {
		e = v.decide(sent.id, grantID, fields)
	}
	switch {
	case e != nil && errors.Is(e, errNoChoice):
		c.refused(e)
		if gone := v.open(); gone != nil {
			return gone
		}
		unticked := v.offered().Minus(fields[grantedField])
		return v.confirm(&unticked)
	case e != nil && errors.Is(e, errWrongCode):
		if gone := v.open(); gone != nil {
			return gone
		}
		return v.wrongCode(e)
	case e != nil:
		return v.retry(e)
	}
	c.answerForm(sent)
	v.seeResult(sent.cookie, grantID)
	return nil
}

// decide carries out the user's decision: it allows the grant with the ID, or
// denies if the ID is zero. The same form may be sent twice at once; its number
// is the ID of the grant, so only one grant is made.
func (v *deviceVisit) decide(formID, grantID store.ID, fields url.Values) *Error {
	now, allow := v.now(), !grantID.IsZero()
	asked := v.device
	switch step, err := asked.Decide(grantID, rules.At(now)); {
	case err != nil:
		return errCode()
	case step == rules.Keep:
		return nil // The same decision was saved. Its grant may have ended since, and must not be made again.
	}
	d := v.decision(formID)
	var e *Error
	if d.workspaceID, e = v.workspace.take(fields); e != nil && (allow || !errors.Is(e, errNoChoice)) {
		return e
	}
	if e := v.keepAnswer(d, allow, fields[grantedField]); e != nil {
		return e
	}
	err := v.records.keepDecision(v.context(), v.device, grantID, rules.At(now))
	switch {
	case rules.Refused(err):
		// Another request was faster, or the code expired: the device will
		// never learn of the grant.
		if allow {
			if e := v.takeBack(d, formID); e != nil {
				return e
			}
		}
		return errCode()
	case err != nil:
		// The write may have succeeded, so the grant stays. The user sends the
		// form again; if not, the grant ends with its code, which no one has.
		return unavailable("store", err)
	case allow:
		return nil
	}
	// An earlier request with the same form may have allowed it and failed
	// halfway.
	if e := v.takeBack(d, formID); e != nil {
		return e
	}
	v.event(Event{Kind: EventGrantDenied, ApplicationID: v.app.ID, UserID: v.session.UserID, WorkspaceID: d.workspaceID})
	v.outcome = codeAccessDenied // A user's choice is an event, not a refusal to log.
	return nil
}

// keepAnswer makes the grant that the user allowed, or withdraws what they
// agreed to before.
func (v *deviceVisit) keepAnswer(d *decision, allow bool, ticked []string) *Error {
	if !allow {
		return v.withdraw(d)
	}
	d.agreedAt = v.now()
	return v.allow(d, ticked)
}

// allow makes the grant that the user has agreed to.
func (v *deviceVisit) allow(d *decision, ticked []string) (e *Error) {
	if d.scopes, e = v.offer.ticked(d.shown, ticked); e != nil {
		return e
	}
	if e := staleIfNotMember(v.prepare(d)); e != nil {
		return e
	}
	// The user may have been deleted since the page was shown.
	if _, e := v.findUser(d.userID); e != nil {
		return e
	}
	if e := v.noteUse(v.app); e != nil {
		return e
	}
	if e := v.agree(d); e != nil {
		return e
	}
	grant := v.newGrant(d.form, d.agreedAt, d)
	grant.WithCode(rules.NewCode{Hash: v.device.GrantCode, RedirectOptional: true, ExpiresAt: v.device.ExpiresAt.Add(deviceGrace)})
	_, e = v.keepGrant(d, &grant)
	return e
}

// keepDecision saves the user's decision on the device that was read before.
func (k records) keepDecision(ctx context.Context, v rules.Device, grantID store.ID, now rules.Instant) error {
	ctx = detached(ctx)
	mark := newMark()
	for range maxRounds {
		step, err := v.Decide(grantID, now)
		if err != nil || step == rules.Keep {
			return err
		}
		err = k.replace(ctx, v.Document(mark), v.Mark())
		if err == nil {
			return nil
		}
		found, failed := k.findDevice(ctx, v.ID)
		if failed != nil {
			return failed
		}
		if found.Mark() == v.Mark() && !errors.Is(err, store.ErrConflict) {
			return err // It was not written, although no other request interfered.
		}
		v = found
	}
	return errContended
}

// seeResult redirects the browser to the page that confirms the result.
func (v *deviceVisit) seeResult(cookie formCookie, id store.ID) {
	step := pages.StepAllowed
	if id.IsZero() {
		step = pages.StepDenied
	}
	notice := sealNotice(cookie, resultField+" "+string(step), v.session.UserID, v.app.ID)
	seeOther(v.w, withQuery(v.path, url.Values{resultField: {notice}}))
}

// openResult reads what seeResult put into the address, and shows that result.
// The text is sealed, so a link can't fake a result.
func (v *deviceVisit) openResult(text string) bool {
	for _, step := range []pages.Step{pages.StepAllowed, pages.StepDenied} {
		id := v.openNotice(resultField+" "+string(step), v.session.UserID, text)
		if id == "" {
			continue
		}
		app, err := v.records.findApplication(v.context(), id)
		if err != nil {
			return false // A missing name isn't worth an error.
		}
		v.page.Step, v.page.Application = step, v.pageApplication(app)
		return true
	}
	return false
}
