package rules

import (
	"fmt"
	"slices"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// maxForms is how many of the last forms a consent remembers, and maxAnswers
// for how many resources it remembers the user's answer.
const (
	maxForms   = 8
	maxAnswers = 8
)

// Consent is what a user has answered an application on the consent page. It
// outlives the grants, until the user withdraws it or a cut-off ends it.
type Consent struct {
	UserID, ApplicationID, WorkspaceID string

	CreatedAt, LastUsedAt Instant

	choice Choice

	answers  [maxAnswers]Answer // one for each resource, the newest last
	answered int

	forms   [maxForms]store.ID // the last answered forms
	count   int
	void    uint8 // a bit for each of the forms that was withdrawn
	seen    store.Cuts
	mark    int64 // zero if it is not stored yet
	unknown string
}

// An Answer is what a user has answered an application, for one resource.
// Scopes in neither list were never asked about, or were withdrawn.
type Answer struct {
	Resource         string
	Agreed, Declined string

	// AgreedAt is when the user last agreed. It is zero if they never did, or
	// canceled since, so they are asked before anything is granted.
	AgreedAt Instant
}

// A Choice is the workspace that a user chose on the page that they answered
// last, or themselves alone, which is an empty WorkspaceID. It is stored with
// the consent without a workspace.
type Choice struct {
	Made        bool
	WorkspaceID string
}

// A Decision is the user's answer on a page that showed scopes for a resource.
type Decision struct {
	Form          store.ID // of the page; the ID of the grant that may follow
	Resource      string
	Shown, Ticked scopes.Set // Ticked is ignored if they cancel
	Now           Instant
}

// AgreedSet returns the scopes that the user agreed to as a set.
func (a Answer) AgreedSet() scopes.Set { return set(a.Agreed) }

// DeclinedSet returns the scopes that the user left unticked as a set.
func (a Answer) DeclinedSet() scopes.Set { return set(a.Declined) }

// allow returns the answer after the user has allowed what they left ticked. It
// changes only the scopes that were shown.
func (a Answer) allow(q *Decision) Answer {
	ticked := q.Shown.Intersect(q.Ticked)
	return Answer{
		q.Resource, set(a.Agreed).Minus(q.Shown).Union(ticked).String(),
		set(a.Declined).Minus(q.Shown).Union(q.Shown.Minus(ticked)).String(), q.Now,
	}
}

// cancel returns the answer after the user has canceled. That withdraws the
// shown scopes, and makes the next request ask in any case.
func (a Answer) cancel(q *Decision) Answer {
	return Answer{Resource: q.Resource, Agreed: set(a.Agreed).Minus(q.Shown).String(), Declined: a.Declined}
}

// covers returns which of the scopes the user gives. ok is false unless they
// have answered about each of them, and agreed to the required ones.
func (a Answer) covers(asked, required scopes.Set) (agreed scopes.Set, ok bool) {
	agreed = asked.Intersect(set(a.Agreed))
	ok = a.AgreedAt != 0 && agreed.Contains(asked.Intersect(required)) && agreed.Union(set(a.Declined)).Contains(asked)
	return agreed, ok
}

const (
	consentAnswer = iota + 1
	consentForms
	consentVoid
	consentChoice
)

// ReadConsent reads a consent. If it doesn't exist, or is cut off by the
// numbers, it is an empty one that has seen them: earlier answers are gone, and
// their forms are void. The error wraps ErrState.
func ReadConsent(d *store.Document, now store.Cuts) (c Consent, err error) {
	c.seen, c.mark = now, d.Mark
	if d.Mark == 0 {
		return c, nil
	}
	c.UserID, c.ApplicationID, c.WorkspaceID = d.UserID, d.ApplicationID, d.WorkspaceID
	c.CreatedAt, c.LastUsedAt = At(d.CreatedAt), At(d.LastUsedAt)
	r := newReader(d.State, c.CreatedAt)
	for {
		tag, v, raw, ok := r.field()
		if !ok {
			break
		}
		switch tag {
		case consentAnswer:
			c.keep(Answer{AgreedAt: v.time(), Resource: v.take(v.uvarint()), Agreed: v.take(v.uvarint()), Declined: v.rest()})
		case consentForms:
			for v.s != "" && c.count < maxForms {
				v.bytes(c.forms[c.count][:])
				c.count++
			}
		case consentVoid:
			c.void = v.byte()
		case consentChoice:
			c.choice = Choice{true, v.rest()}
		default:
			c.unknown += raw
			continue
		}
		if !v.done() {
			r.bad = true
		}
	}
	if !r.done() || d.Kind != store.KindConsent || c.void>>c.count != 0 {
		return c, fmt.Errorf("rules: the consent %s: %w", d.ID, ErrState)
	}
	if now.Exceed(&d.Seen) {
		c = Consent{forms: c.forms, count: c.count, void: 1<<c.count - 1, seen: now, mark: d.Mark}
	}
	return c, nil
}

// keep replaces the answer for its resource. If there are too many, it drops
// the oldest one.
func (c *Consent) keep(a Answer) {
	at := slices.IndexFunc(c.answers[:c.answered], func(kept Answer) bool { return kept.Resource == a.Resource })
	if at < 0 && c.answered < maxAnswers {
		at = c.answered
		c.answered++
	}
	copy(c.answers[max(at, 0):c.answered], c.answers[max(at, 0)+1:c.answered])
	c.answers[c.answered-1] = a
}

// Answer returns what the user has answered for the resource.
func (c *Consent) Answer(resource string) Answer {
	for _, a := range c.answers[:c.answered] {
		if a.Resource == resource {
			return a
		}
	}
	return Answer{Resource: resource}
}

// Answers returns what the user has answered, the newest last.
func (c *Consent) Answers() []Answer { return slices.Clone(c.answers[:c.answered]) }

// Covers returns which of the scopes the user gives for the resource. If ok is
// false, they must be asked first.
func (c *Consent) Covers(asked, required scopes.Set, resource string) (agreed scopes.Set, ok bool) {
	return c.Answer(resource).covers(asked, required)
}

// Stands reports whether the user has agreed to anything that neither they nor
// a cut-off have withdrawn.
func (c *Consent) Stands() bool {
	return slices.ContainsFunc(c.answers[:c.answered], func(a Answer) bool { return a.AgreedAt != 0 })
}

// ScopeSet returns all scopes that the user agreed to, for any resource.
func (c *Consent) ScopeSet() (agreed scopes.Set) {
	for _, a := range c.answers[:c.answered] {
		agreed = agreed.Union(set(a.Agreed))
	}
	return agreed
}

// Agree records what the user has allowed. A form that is sent again is not a
// newer decision, so it changes nothing. If what it gave was withdrawn since,
// by a cut-off or by the user on another page, Agree refuses with ErrRevoked.
func (c *Consent) Agree(key store.CutKey, q Decision) (Step, error) {
	before := c.Answer(q.Resource)
	if i := c.form(q.Form); i >= 0 {
		if c.void>>i&1 != 0 || before.AgreedAt == 0 || !set(before.Agreed).Contains(q.Shown.Intersect(q.Ticked)) {
			return Keep, ErrRevoked
		}
		return Keep, nil
	}
	c.UserID, c.ApplicationID, c.WorkspaceID = key.UserID, key.ApplicationID, key.WorkspaceID
	if c.CreatedAt == 0 {
		c.CreatedAt = q.Now
	}
	c.LastUsedAt = max(c.LastUsedAt, q.Now)
	c.keep(before.allow(&q))
	c.remember(q.Form)
	return Write, nil
}

// Cancel records that the user canceled. It withdraws what they agreed to
// before; if they had not agreed, nothing changes. If they allowed the same
// form first, the form becomes void.
func (c *Consent) Cancel(q Decision) Step {
	before, i := c.Answer(q.Resource), c.form(q.Form)
	after := before.cancel(&q)
	if after == before || i >= 0 && c.void>>i&1 != 0 {
		return Keep
	}
	c.keep(after)
	if i < 0 {
		i = c.remember(q.Form)
	}
	c.void |= 1 << i
	return Write
}

// Withdraw withdraws everything that the user has agreed to, for any resource,
// and makes the forms of these answers void.
func (c *Consent) Withdraw() Step {
	if !c.Stands() {
		return Keep
	}
	for i := range c.answers[:c.answered] {
		c.answers[i].Agreed, c.answers[i].AgreedAt = "", 0
	}
	c.void = 1<<c.count - 1
	c.choice = Choice{}
	return Write
}

// Choice returns the user's last choice.
func (c *Consent) Choice() Choice { return c.choice }

// Choose records the user's choice, or that they withdrew it. The key is that
// of the consent, without a workspace.
func (c *Consent) Choose(key store.CutKey, choice Choice, now Instant) Step {
	if c.choice == choice {
		return Keep
	}
	c.UserID, c.ApplicationID, c.WorkspaceID, c.choice = key.UserID, key.ApplicationID, "", choice
	if c.CreatedAt == 0 {
		c.CreatedAt = now
	}
	c.LastUsedAt = max(c.LastUsedAt, now)
	return Write
}

// Gave reports whether the user has allowed something with the form.
func (c *Consent) Gave(form store.ID) bool {
	i := c.form(form)
	return i >= 0 && c.void>>i&1 == 0
}

// form returns the index of a form among the remembered ones, or -1.
func (c *Consent) form(id store.ID) int { return slices.Index(c.forms[:c.count], id) }

// remember remembers a form, and returns its index.
func (c *Consent) remember(form store.ID) int {
	if c.count == maxForms {
		copy(c.forms[:], c.forms[1:])
		c.count--
		c.void >>= 1
	}
	c.forms[c.count] = form
	c.count++
	return c.count - 1
}

// Seen returns the cut-off numbers at the time when the consent was read. A
// grant that is based on it has seen these, and no later ones.
func (c *Consent) Seen() store.Cuts { return c.seen }

// Mark returns the mark of the document that the consent was read from, or zero
// if there was none.
func (c *Consent) Mark() int64 { return c.mark }

// Document returns the consent as a document with the mark, to be stored.
func (c *Consent) Document(mark int64) store.Document {
	d := store.Document{
		ID: store.ConsentID(c.UserID, c.ApplicationID, c.WorkspaceID), Kind: store.KindConsent,
		UserID: c.UserID, ApplicationID: c.ApplicationID, WorkspaceID: c.WorkspaceID,
		CreatedAt: c.CreatedAt.Time(), LastUsedAt: c.LastUsedAt.Time(), Seen: c.seen, Mark: mark,
	}
	w := newWriter(c.CreatedAt)
	for _, a := range c.answers[:c.answered] {
		start := w.field(consentAnswer)
		w.time(a.AgreedAt)
		w.uvarint(uint64(len(a.Resource)))
		w.string(a.Resource)
		w.uvarint(uint64(len(a.Agreed)))
		w.string(a.Agreed)
		w.string(a.Declined)
		w.end(start)
	}
	if c.count > 0 {
		start := w.field(consentForms)
		for _, form := range c.forms[:c.count] {
			w.bytes(form[:])
		}
		w.end(start)
	}
	if c.void > 0 {
		start := w.field(consentVoid)
		w.bytes([]byte{c.void})
		w.end(start)
	}
	if c.choice.Made {
		start := w.field(consentChoice)
		w.string(c.choice.WorkspaceID)
		w.end(start)
	}
	w.string(c.unknown)
	d.State = w.state()
	return d
}
