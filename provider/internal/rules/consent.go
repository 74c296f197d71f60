package rules

import (
	"fmt"
	"slices"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// maxForms is how many of the last forms a consent remembers.
const maxForms = 8

// Consent is what a user has agreed to give an application on the consent page.
// It outlives the grants, until the user or a cut-off takes it back.
type Consent struct {
	UserID, ApplicationID, WorkspaceID string

	Scopes string // all that was ever agreed to

	// Agreed is what the user said yes to for Resource, most recently at
	// AgreedAt. While it covers what is asked, the page need not be shown again.
	Agreed   string
	Resource string
	AgreedAt Instant

	CreatedAt, LastUsedAt Instant

	forms   [maxForms]store.ID // the last forms that it was given by
	count   int
	void    int // how many of the forms, from the first, were answered before a cut-off
	seen    store.Cuts
	mark    int64 // zero: it is not kept yet
	unknown string
}

const (
	consentScopes = iota + 1
	consentAgreed
	consentResource
	consentAgreedAt
	consentForms
	consentVoid
)

// ReadConsent reads a consent. A consent that doesn't exist, or that is cut off
// by the numbers, is an empty one that has seen them: nothing that was agreed
// to before carries over, and the forms that it was given by are void. The error
// wraps ErrState.
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
		case consentScopes:
			c.Scopes = v.rest()
		case consentAgreed:
			c.Agreed = v.rest()
		case consentResource:
			c.Resource = v.rest()
		case consentAgreedAt:
			c.AgreedAt = v.time()
		case consentForms:
			for v.s != "" && c.count < maxForms {
				v.bytes(c.forms[c.count][:])
				c.count++
			}
		case consentVoid:
			c.void = int(v.byte())
		default:
			c.unknown += raw
			continue
		}
		if !v.done() {
			r.bad = true
		}
	}
	if !r.done() || d.Kind != store.KindConsent || c.void > c.count {
		return c, fmt.Errorf("rules: the consent %s: %w", d.ID, ErrState)
	}
	if now.Exceed(&d.Seen) {
		c = Consent{forms: c.forms, count: c.count, void: c.count, seen: now, mark: d.Mark}
	}
	return c, nil
}

// Covers reports whether the user has agreed to give the scopes for the
// resource.
func (c *Consent) Covers(asked scopes.Set, resource string) bool {
	return c.AgreedAt != 0 && c.Resource == resource && set(c.Agreed).Contains(asked)
}

// ScopeSet returns all scopes that were ever agreed to as a set.
func (c *Consent) ScopeSet() scopes.Set { return set(c.Scopes) }

// Agreement is the user's yes on a page.
type Agreement struct {
	Form     store.ID // of the page; the ID of the grant that follows
	Scopes   scopes.Set
	Resource string
	Now      Instant
}

// Agree notes an agreement. A form that is sent again is not a newer decision,
// so it changes nothing. It is refused with ErrRevoked if a cut-off has come
// since it was sent first.
func (c *Consent) Agree(key store.CutKey, q Agreement) (Step, error) {
	if i := slices.Index(c.forms[:c.count], q.Form); i >= 0 {
		if i < c.void {
			return Keep, ErrRevoked
		}
		return Keep, nil
	}
	c.UserID, c.ApplicationID, c.WorkspaceID = key.UserID, key.ApplicationID, key.WorkspaceID
	if c.CreatedAt == 0 {
		c.CreatedAt = q.Now
	}
	if c.AgreedAt == 0 || c.Resource != q.Resource {
		c.Agreed = ""
	}
	c.Agreed = set(c.Agreed).Union(q.Scopes).String()
	c.Scopes = set(c.Scopes).Union(q.Scopes).String()
	c.Resource, c.AgreedAt, c.LastUsedAt = q.Resource, q.Now, max(c.LastUsedAt, q.Now)
	if c.count == maxForms {
		copy(c.forms[:], c.forms[1:])
		c.count--
		c.void = max(0, c.void-1)
	}
	c.forms[c.count] = q.Form
	c.count++
	return Write, nil
}

// Seen returns the numbers of the cut-offs when the consent was read. A grant
// that rests on it has seen these, and no later ones.
func (c *Consent) Seen() store.Cuts { return c.seen }

// Mark returns the mark of the document that the consent was read from, or zero
// if there was none.
func (c *Consent) Mark() int64 { return c.mark }

// Document returns the consent as it is to be kept, with the mark.
func (c *Consent) Document(mark int64) store.Document {
	d := store.Document{
		ID: store.ConsentID(c.UserID, c.ApplicationID, c.WorkspaceID), Kind: store.KindConsent,
		UserID: c.UserID, ApplicationID: c.ApplicationID, WorkspaceID: c.WorkspaceID,
		CreatedAt: c.CreatedAt.Time(), LastUsedAt: c.LastUsedAt.Time(), Seen: c.seen, Mark: mark,
	}
	w := newWriter(c.CreatedAt)
	w.text(consentScopes, c.Scopes)
	w.text(consentAgreed, c.Agreed)
	w.text(consentResource, c.Resource)
	w.instant(consentAgreedAt, c.AgreedAt)
	if c.count > 0 {
		start := w.field(consentForms)
		for _, form := range c.forms[:c.count] {
			w.bytes(form[:])
		}
		w.end(start)
	}
	if c.void > 0 {
		start := w.field(consentVoid)
		w.bytes([]byte{byte(c.void)})
		w.end(start)
	}
	w.string(c.unknown)
	d.State = w.state()
	return d
}
