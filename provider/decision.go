package provider

import (
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// A decision is what a user, or the host for them, is about to allow an
// application. It becomes a consent and a grant.
type decision struct {
	app      store.Application
	userID   string
	scopes   scopes.Set
	shown    scopes.Set   // on the page; scopes has the ones that were left checked
	extra    scopes.Set   // granted too, without a question
	signIn   rules.SignIn // for ID tokens
	resource string
	form     store.ID // the form that was answered, and the ID of the grant; zero if no page was shown

	workspaceID string // the workspace that the application acts for; empty if for the user alone
	chooses     bool   // the user chooses the workspace

	consent  rules.Consent // before the decision
	agreedAt time.Time     // when the user agreed on a page; zero if never
}

// key returns the user, application, and workspace of the decision.
func (d *decision) key() store.CutKey {
	return store.CutKey{UserID: d.userID, ApplicationID: d.app.ID, WorkspaceID: d.workspaceID}
}

// prepare reads the cut-off numbers and the consent first. Then it checks that
// the application and the user still exist, and that the user is a member of
// the workspace. In this order, a later cut-off covers the grant, and an
// earlier one shows in the checks: the user is signed out, deleted, or not a
// member. If the user is not a member, the error wraps errNotMember.
func (c *call) prepare(d *decision) *Error {
	var err error
	if d.consent, err = c.records.findConsent(c.context(), d.key()); err != nil {
		return unavailable("store", err)
	}
	switch seen := d.consent.Seen(); {
	case seen.ForeverAt(store.CutKey{UserID: d.userID}):
		return errNoAccount(errors.New("EraseUser was called for this user, and Config.CurrentUser says that they are still signed in"))
	case seen.ForeverAt(store.CutKey{WorkspaceID: d.workspaceID}):
		return errNoWorkspace(errWorkspaceErased)
	case seen.Forever():
		return errNotRegistered(errors.New("the application was deleted meanwhile"))
	}
	session, err := c.cfg.CurrentUser(c.r)
	switch {
	case err != nil:
		return unavailable("Config.CurrentUser", err)
	case session.UserID != d.userID:
		return errSignedOut()
	}
	switch err := c.checkMember(c.context(), d.userID, d.workspaceID); {
	case errors.Is(err, errNotMember):
		return errNoWorkspace(err)
	case err != nil:
		return unavailable("Config.Workspaces", err)
	}
	return nil
}

// errWorkspaceErased is final, even if the host says that the user is a member.
var errWorkspaceErased = fmt.Errorf("%w: EraseWorkspace was called for it", errNotMember)

// errSignedOut means that the visitor signed out, or was signed out, during
// their request.
func errSignedOut() *Error {
	return errStaleForm(errors.New("the user has signed out meanwhile"))
}

// declined returns the scopes that the user unchecked before.
func (d *decision) declined() scopes.Set { return d.consent.Answer(d.resource).DeclinedSet() }

// answer returns the decision in the form that package rules takes.
func (d *decision) answer() rules.Decision {
	return rules.Decision{Form: d.form, Resource: d.resource, Shown: d.shown, Ticked: d.scopes, Now: rules.At(d.agreedAt)}
}

// agree saves what the user has agreed to on the page. It comes before the
// grant, because a consent without a grant gives no access.
func (c *call) agree(d *decision) *Error {
	for range maxRounds {
		step, err := d.consent.Agree(d.key(), d.answer())
		if err != nil {
			return errStaleForm(err) // The user has withdrawn what the form granted.
		}
		if step == rules.Write {
			err = c.records.keepConsent(c.context(), &d.consent)
		}
		if err == nil {
			return c.rememberChosen(d, step)
		}
		if !errors.Is(err, store.ErrConflict) {
			return unavailable("store", err)
		}
		// The user has answered another form at the same time.
		if e := c.prepare(d); e != nil {
			return e
		}
	}
	return unavailable("store", errContended)
}

// rememberChosen saves the workspace that the user chose on the page whose
// answer the step saved. A repeated form is not a newer choice, unless the
// first attempt failed halfway: then there is no grant yet.
func (c *call) rememberChosen(d *decision, step rules.Step) *Error {
	if !d.chooses {
		return nil
	}
	if step == rules.Keep {
		_, _, err := c.records.find(c.context(), d.form)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, rules.ErrNotFound):
			return unavailable("store", err)
		}
	}
	return c.remember(d, rules.Choice{Made: true, WorkspaceID: d.workspaceID})
}

// remember saves what the user chose on a page, or that they chose nothing, for
// later sign-ins.
func (c *call) remember(d *decision, choice rules.Choice) *Error {
	key := store.CutKey{UserID: d.userID, ApplicationID: d.app.ID}
	for range maxRounds {
		consent, err := c.records.findConsent(c.context(), key)
		if err == nil {
			if consent.Choose(key, choice, rules.At(c.now())) == rules.Keep {
				return nil
			}
			err = c.records.keepConsent(c.context(), &consent)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return unavailable("store", err)
		}
	}
	return unavailable("store", errContended)
}

// withdraw withdraws the user's earlier consent to everything on the page that
// they cancel, and what they chose there. If they pressed Allow on the same
// form a moment ago, it gives no access either.
func (c *call) withdraw(d *decision) *Error {
	if d.chooses {
		if e := c.takeBackChoice(d); e != nil {
			return e
		}
	}
	for range maxRounds {
		var err error
		if d.consent, err = c.records.findConsent(c.context(), d.key()); err != nil {
			return unavailable("store", err)
		}
		if d.consent.Gave(d.form) {
			if e := c.takeBack(d, d.form); e != nil {
				return e
			}
		}
		if d.consent.Cancel(d.answer()) == rules.Keep {
			return nil
		}
		err = c.records.keepConsent(c.context(), &d.consent)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return unavailable("store", err)
		}
	}
	return unavailable("store", errContended)
}

// takeBackChoice forgets the workspace that the user chose. If they just
// allowed the form for another workspace, that is the one they cancel.
func (c *call) takeBackChoice(d *decision) *Error {
	var g rules.Grant
	err := c.records.findGrant(c.context(), d.form, &g)
	switch {
	case err == nil && g.UserID == d.userID && g.ApplicationID == d.app.ID:
		d.workspaceID = g.WorkspaceID
	case err != nil && !errors.Is(err, rules.ErrNotFound):
		return unavailable("store", err)
	}
	return c.remember(d, rules.Choice{})
}

// takeBack ends a grant that a form has made and that the application won't
// get. A form's number comes from the user's cookie and can be forged, so
// takeBack ends only grants of this user.
func (c *call) takeBack(d *decision, id store.ID) *Error {
	if err := c.RevokeGrants(c.context(), GrantFilter{ID: id, UserID: d.userID, ApplicationID: d.app.ID}); err != nil {
		return unavailable("store", err)
	}
	return nil
}

// newGrant starts the grant of a decision.
func (p *Provider) newGrant(id store.ID, now time.Time, d *decision) rules.Grant {
	g := rules.NewGrant(id, d.key(), d.consent.Seen(), rules.At(now))
	g.Scopes, g.Resource, g.AgreedAt = d.scopes.Union(d.extra).String(), d.resource, rules.At(d.agreedAt)
	if d.extra.Has(openID) {
		g.SignIn = d.signIn
	}
	if l := p.offer.lifetimesFor(&d.app, d.resource); l.Grant > 0 {
		g.ExpiresAt = rules.At(now.Add(l.Grant))
	}
	return g
}

// keepGrant saves the grant of a decision. It may exist already if the form, or
// the write, was sent twice.
func (c *call) keepGrant(d *decision, grant *rules.Grant) (already bool, _ *Error) {
	err := c.records.create(c.context(), grant.Document(newMark()))
	already = errors.Is(err, store.ErrExists)
	if err != nil && !already {
		return false, unavailable("store", err)
	}
	if e := c.stillConnected(d, grant.ID); e != nil {
		return already, e
	}
	if !already {
		c.event(Event{Kind: EventGrantCreated, ApplicationID: d.app.ID, UserID: d.userID, GrantID: grant.ID, WorkspaceID: d.workspaceID})
	}
	return already, nil
}

// stillConnected ends a grant if the user disconnected the application while it
// was made. With workspaces, no cut-off covers only what the application has
// for the user alone. So endConnection withdraws the consent first and then
// looks for grants. Either it finds this grant, or stillConnected finds the
// consent withdrawn.
func (c *call) stillConnected(d *decision, grantID store.ID) *Error {
	if !d.chooses || d.workspaceID != "" || !d.consent.Stands() {
		return nil
	}
	now, err := c.records.findConsent(c.context(), d.key())
	if err == nil && !now.Stands() {
		if err = c.records.endGrant(c.context(), grantID); err == nil {
			return errStaleForm(errors.New("the user has disconnected the application meanwhile"))
		}
	}
	if err != nil {
		return unavailable("store", err)
	}
	return nil
}
