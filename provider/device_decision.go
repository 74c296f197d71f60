package provider

import (
	"context"
	"errors"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// decideDevice takes the user's answer.
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
	// Before anything is looked up, for a request that does not come from the page. The
	// seal keeps other sites out, not the user, who has its key.
	sent, e := c.openForm(fields.Get(sealField), v.sealed(asked)...)
	answered := e != nil && errors.Is(e, errAnswered)
	if e != nil && !answered {
		return v.retry(e)
	}
	if e := c.limit(""); e != nil {
		return e
	}
	v.code, _ = parseUserCode(v.typed())
	// The code may be another device's by now, or the application have changed.
	e = v.lookUp(func() bool { return v.request() == asked })
	if e == nil && answered {
		// The browser knows the answer, which is the one that was kept.
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

// decide does what the user has decided: it allows the grant with the ID, or
// nothing if that is zero. The same form may be on its way twice: its number is
// the ID of the grant, so there is one.
func (v *deviceVisit) decide(formID, grantID store.ID, fields url.Values) *Error {
	now, allow := v.now(), !grantID.IsZero()
	asked := v.device
	switch step, err := asked.Decide(grantID, rules.At(now)); {
	case err != nil:
		return errCode()
	case step == rules.Keep:
		return nil // Just so. The grant may have ended since, and must not be made anew.
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
		// Another request was quicker, or it was too late: the device will never
		// know of the grant.
		if allow {
			if e := v.takeBack(d, formID); e != nil {
				return e
			}
		}
		return errCode()
	case err != nil:
		// It may have been done, so the grant stays. The user sends the form
		// again, and if not, the grant ends with its code, which no one has.
		return unavailable("store", err)
	case allow:
		return nil
	}
	// The same form may have allowed it before, in a request that failed half
	// way.
	if e := v.takeBack(d, formID); e != nil {
		return e
	}
	v.event(Event{Kind: EventGrantDenied, ApplicationID: v.app.ID, UserID: v.session.UserID, WorkspaceID: d.workspaceID})
	v.outcome = codeAccessDenied // A user's own choice is an event and not a refusal to log.
	return nil
}

// keepAnswer makes the grant that the user has allowed, or takes back what they
// have agreed to before.
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
	// The user whom the page was shown to may be gone by now.
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

// keepDecision keeps what the user has decided on the device, which was read
// before.
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
			return err // It was not written, and no other request is in the way.
		}
		v = found
	}
	return errContended
}

// seeResult sends the browser to the page that says that it is done.
func (v *deviceVisit) seeResult(cookie formCookie, id store.ID) {
	step := pages.StepAllowed
	if id.IsZero() {
		step = pages.StepDenied
	}
	notice := sealNotice(cookie, resultField+" "+string(step), v.session.UserID, v.app.ID)
	seeOther(v.w, withQuery(v.path, url.Values{resultField: {notice}}))
}

// openResult reads what seeResult has put into the address, and makes the page
// say so. It is sealed, so that a link cannot do that.
func (v *deviceVisit) openResult(text string) bool {
	for _, step := range []pages.Step{pages.StepAllowed, pages.StepDenied} {
		id := v.openNotice(resultField+" "+string(step), v.session.UserID, text)
		if id == "" {
			continue
		}
		app, err := v.records.findApplication(v.context(), id)
		if err != nil {
			return false // A name that cannot be found is not worth an error.
		}
		v.page.Step, v.page.Application = step, v.pageApplication(app)
		return true
	}
	return false
}
