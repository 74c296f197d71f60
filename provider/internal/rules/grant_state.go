package rules

import (
	"fmt"
	"math"

	"github.com/latchkey-go/latchkey/store"
)

// The fields of a grant's state. A number is never reused for another field.
const (
	grantScopes = iota + 1
	grantResource
	grantAgreed
	grantExpires
	grantCode
	grantChain
	grantRotations
	grantRecent
	grantAccess // once for each access token, oldest first
	grantSignIn
	grantLabel
)

// ReadGrant reads a grant into g, which must be zero. The numbers are those
// that the store returned with the document. The error wraps ErrState, or is
// ErrNotFound if the document is not a grant. A grant without a user is damaged
// unless it is stored as a machine's; a machine's grant is damaged if it has a
// code or a refresh token.
func ReadGrant(g *Grant, d *store.Document, now *store.Cuts) error {
	if d.Kind != store.KindGrant && d.Kind != store.KindMachine {
		return ErrNotFound
	}
	g.ID, g.UserID, g.ApplicationID, g.WorkspaceID = d.ID, d.UserID, d.ApplicationID, d.WorkspaceID
	g.CreatedAt, g.LastUsedAt, g.EndedAt = At(d.CreatedAt), At(d.LastUsedAt), At(d.EndedAt)
	g.CutOff, g.seen, g.mark = now.Exceed(&d.Seen), d.Seen, d.Mark
	r := newReader(d.State, g.CreatedAt)
	for {
		tag, v, raw, ok := r.field()
		if !ok {
			break
		}
		switch tag {
		case grantScopes:
			g.Scopes = v.rest()
		case grantResource:
			g.Resource = v.rest()
		case grantAgreed:
			g.AgreedAt = v.time()
		case grantExpires:
			g.ExpiresAt = v.time()
		case grantCode:
			v.bytes(g.code.hash[:])
			v.bytes(g.code.redirect[:])
			v.bytes(g.code.challenge[:])
			g.code.flags, g.code.expiresAt = v.byte(), v.time()
			v.bad = v.bad || g.code.hash.IsZero()
		case grantChain:
			v.bytes(g.family[:])
			v.bytes(g.current.hash[:])
			generation := v.uvarint()
			g.generation = uint32(generation)
			g.current.issuedAt, g.current.expiresAt = v.time(), v.time()
			v.bad = v.bad || generation == 0 || generation > math.MaxUint32
		case grantRotations:
			for v.s != "" && g.rotationCount < maxRotations {
				o := &g.rotations[g.rotationCount]
				g.rotationCount++
				v.bytes(o.salt[:])
				secretID := v.uvarint()
				o.secretID, o.at = uint32(secretID), v.time()
				v.bad = v.bad || secretID > math.MaxUint32
			}
		case grantRecent:
			for v.s != "" && g.recentCount < maxRecent {
				g.recent[g.recentCount] = v.uint64()
				g.recentCount++
			}
		case grantAccess:
			if g.accessCount == maxAccess {
				r.bad = true
				break
			}
			a := &g.access[g.accessCount]
			g.accessCount++
			v.bytes(a.Hash[:])
			a.IssuedAt = v.time()
			a.ExpiresAt = a.IssuedAt + Instant(v.number())
			a.ended = v.byte() != 0
			a.Scopes = v.rest()
		case grantSignIn:
			g.SignIn = v.signIn()
		case grantLabel:
			g.Label = v.rest()
		default:
			g.unknown += raw
			continue
		}
		if !v.done() {
			r.bad = true
		}
	}
	if !r.done() || g.rotationCount > 0 && (g.accessCount == 0 || uint64(g.generation) <= uint64(g.rotationCount)) ||
		d.Kind != g.kind() || g.Machine() && (!g.code.hash.IsZero() || g.generation != 0) {
		return fmt.Errorf("rules: the grant %s: %w", d.ID, ErrState)
	}
	return nil
}

// Document returns the grant as a document with the mark, to be stored.
func (g *Grant) Document(mark int64) store.Document {
	d := store.Document{
		ID: g.ID, Kind: g.kind(), UserID: g.UserID, ApplicationID: g.ApplicationID, WorkspaceID: g.WorkspaceID,
		CreatedAt: g.CreatedAt.Time(), LastUsedAt: g.LastUsedAt.Time(), SweepAt: g.sweepAt().Time(),
		Seen: g.seen, Mark: mark,
	}
	w := newWriter(g.CreatedAt)
	w.text(grantScopes, g.Scopes)
	w.text(grantResource, g.Resource)
	w.instant(grantAgreed, g.AgreedAt)
	w.instant(grantExpires, g.ExpiresAt)
	if !g.code.hash.IsZero() {
		start := w.field(grantCode)
		w.bytes(g.code.hash[:])
		w.bytes(g.code.redirect[:])
		w.bytes(g.code.challenge[:])
		w.bytes([]byte{g.code.flags})
		w.time(g.code.expiresAt)
		w.end(start)
	}
	if g.generation != 0 {
		start := w.field(grantChain)
		w.bytes(g.family[:])
		w.bytes(g.current.hash[:])
		w.uvarint(uint64(g.generation))
		w.time(g.current.issuedAt)
		w.time(g.current.expiresAt)
		w.end(start)
	}
	if g.rotationCount > 0 {
		start := w.field(grantRotations)
		for i := range g.rotationCount {
			o := &g.rotations[i]
			w.bytes(o.salt[:])
			w.uvarint(uint64(o.secretID))
			w.time(o.at)
		}
		w.end(start)
	}
	if g.recentCount > 0 {
		start := w.field(grantRecent)
		for _, prefix := range g.recent[:g.recentCount] {
			w.uint64(prefix)
		}
		w.end(start)
	}
	for i := range g.accessCount {
		a := &g.access[i]
		start := w.field(grantAccess)
		w.bytes(a.Hash[:])
		w.time(a.IssuedAt)
		w.number(int64(a.ExpiresAt - a.IssuedAt))
		if a.ended {
			w.bytes([]byte{1})
		} else {
			w.bytes([]byte{0})
		}
		w.string(a.Scopes)
		w.end(start)
	}
	if g.SignIn != (SignIn{}) {
		start := w.field(grantSignIn)
		w.signIn(&g.SignIn)
		w.end(start)
	}
	w.text(grantLabel, g.Label)
	w.string(g.unknown)
	d.State = w.state()
	return d
}

// Mark returns the mark of the document that the grant was read from.
func (g *Grant) Mark() int64 { return g.mark }

// kind returns the kind of document that stores the grant.
func (g *Grant) kind() store.Kind {
	if g.Machine() {
		return store.KindMachine
	}
	return store.KindGrant
}

// NewGrant makes a grant of the user to the application, at the given time,
// that has seen the numbers. Without a user it is a machine's.
func NewGrant(id store.ID, key store.CutKey, seen store.Cuts, now Instant) Grant {
	return Grant{ID: id, UserID: key.UserID, ApplicationID: key.ApplicationID, WorkspaceID: key.WorkspaceID,
		CreatedAt: now, LastUsedAt: now, seen: seen}
}
