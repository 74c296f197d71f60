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
// application. It turns into a consent and a grant.
type decision struct {
	app      store.Application
	userID   string
	scopes   scopes.Set
	shown    scopes.Set   // on the page; scopes are those that were left ticked
	extra    scopes.Set   // granted too, without being asked about
	signIn   rules.SignIn // for ID tokens
	resource string
	form     store.ID // the form that was answered, and the ID of the grant; zero: no page was shown

	workspaceID string // for which the application acts; empty: for the user alone
	chooses     bool   // the user chooses that

	consent  rules.Consent // as it is before
	agreedAt time.Time     // when the user agreed on a page; zero: never
}

// key is what the decision is about.
func (d *decision) key() store.CutKey {
	return store.CutKey{UserID: d.userID, ApplicationID: d.app.ID, WorkspaceID: d.workspaceID}
}

// prepare reads the numbers of the cut-offs and the consent, and only then asks
// whether application and user are still there, and the user is a member of the
// workspace: so if a cut-off comes later than that, it covers the grant, and if it
// came before, the user who is cut off is found to be signed out, gone, or no
// member. The error wraps errNotMember then.
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

// errWorkspaceErased is final, whatever the host says of the user.
var errWorkspaceErased = fmt.Errorf("%w: EraseWorkspace was called for it", errNotMember)

// errSignedOut: the visitor has signed out, or was, while their request was on
// its way.
func errSignedOut() *Error {
	return errStaleForm(errors.New("the user has signed out meanwhile"))
}

// declined is what the user has left unticked before.
func (d *decision) declined() scopes.Set { return d.consent.Answer(d.resource).DeclinedSet() }

// answer is the decision as the rules of consents see it.
func (d *decision) answer() rules.Decision {
	return rules.Decision{Form: d.form, Resource: d.resource, Shown: d.shown, Ticked: d.scopes, Now: rules.At(d.agreedAt)}
}

// agree keeps what the user has agreed to on the page. It comes before the
// grant: a consent without a grant gives no access.
func (c *call) agree(d *decision) *Error {
	for range maxRounds {
		step, err := d.consent.Agree(d.key(), d.answer())
		if err != nil {
			return errStaleForm(err) // The user has taken back what the form gave.
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
		// The user has answered another form at the same moment.
		if e := c.prepare(d); e != nil {
			return e
		}
	}
	return unavailable("store", errContended)
}

// rememberChosen keeps what the user has chosen on the page whose answer was kept
// by the step. A form that is sent again is no newer choice, unless the first time
// it has failed half way: then there is no grant yet.
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

// remember keeps what the user has chosen on a page, for sign-ins to come, or
// that they have chosen nothing.
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

// withdraw takes back what the user has agreed to before, of what they are shown
// on the page that they cancel, and what they have chosen there. A form that they have allowed a moment ago, by
// another click, gives nothing either.
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

// takeBackChoice takes back what the user has chosen. If they have allowed the
// form for another workspace a moment ago, that is what they cancel.
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

// takeBack ends a grant that a form has made and the application will not get.
// A form's number is only as good as the user's own cookie, so it ends nothing
// that is not the user's.
func (c *call) takeBack(d *decision, id store.ID) *Error {
	if err := c.RevokeGrants(c.context(), GrantFilter{ID: id, UserID: d.userID, ApplicationID: d.app.ID}); err != nil {
		return unavailable("store", err)
	}
	return nil
}

// newGrant begins the grant of a decision.
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

// keepGrant keeps the grant of a decision. It is there already if the form, or the
// statement, was sent twice.
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

// stillConnected ends a grant whose user has disconnected the application while it
// was made. Where there are workspaces, no cut-off covers only what the application
// has of the user alone. So endConnection takes the consent back first, and then
// looks for grants: it finds this one, or this finds the consent taken back.
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
