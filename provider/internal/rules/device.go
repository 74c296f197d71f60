package rules

import (
	"fmt"
	"math"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// Device is a device that waits for a user's decision (RFC 8628).
type Device struct {
	ID            store.ID // derived from the user code: see DeviceID
	ApplicationID string
	Scopes        string // requested
	Resource      string
	Workspace     string // requested; empty if the user chooses

	// Code is the hash of the device code. GrantCode is the hash of the
	// authorization code that the device can derive from it: the code of the
	// grant that will follow.
	Code, GrantCode Hash

	CreatedAt, ExpiresAt Instant
	Interval             time.Duration // the minimum time between two polls
	PolledAt             Instant       // the last poll; zero if none

	DecidedAt Instant  // zero if undecided
	GrantID   store.ID // the grant that was allowed; zero if none, or not yet

	mark    int64
	unknown string
}

// DeviceID returns the ID of the device that shows the user code with the hash.
// Two devices can't show the same code at the same time.
func DeviceID(userCode Hash) store.ID { return store.ID(userCode[:16]) }

const (
	deviceApplication = iota + 1
	deviceScopes
	deviceResource
	deviceCodes
	deviceExpires
	deviceInterval
	devicePolled
	deviceDecided
	deviceGrant
	deviceWorkspace
)

// deviceMargin is how long an expired device is kept, so that it gets the right
// error.
const deviceMargin = time.Minute

// ReadDevice reads a device authorization. The error wraps ErrState, or is
// ErrNotFound if the document is not one.
func ReadDevice(d *store.Document) (v Device, err error) {
	if d.Kind != store.KindDevice {
		return v, ErrNotFound
	}
	v.ID, v.CreatedAt, v.mark = d.ID, At(d.CreatedAt), d.Mark
	r := newReader(d.State, v.CreatedAt)
	for {
		tag, f, raw, ok := r.field()
		if !ok {
			break
		}
		switch tag {
		case deviceApplication:
			v.ApplicationID = f.rest()
		case deviceScopes:
			v.Scopes = f.rest()
		case deviceResource:
			v.Resource = f.rest()
		case deviceCodes:
			f.bytes(v.Code[:])
			f.bytes(v.GrantCode[:])
		case deviceExpires:
			v.ExpiresAt = f.time()
		case deviceInterval:
			micros := f.number()
			v.Interval = time.Duration(micros) * time.Microsecond
			f.bad = f.bad || micros < 0 || micros > math.MaxInt64/int64(time.Microsecond)
		case devicePolled:
			v.PolledAt = f.time()
		case deviceDecided:
			v.DecidedAt = f.time()
		case deviceGrant:
			f.bytes(v.GrantID[:])
		case deviceWorkspace:
			v.Workspace = f.rest()
		default:
			v.unknown += raw
			continue
		}
		if !f.done() {
			r.bad = true
		}
	}
	if !r.done() {
		return v, fmt.Errorf("rules: the device %s: %w", d.ID, ErrState)
	}
	return v, nil
}

// Document returns the device as a document with the mark, to be stored. It has
// no user, and no cut-off covers it: a grant follows only from a decision,
// which has seen the numbers.
func (v *Device) Document(mark int64) store.Document {
	d := store.Document{
		ID: v.ID, Kind: store.KindDevice, CreatedAt: v.CreatedAt.Time(), LastUsedAt: v.CreatedAt.Time(),
		SweepAt: v.ExpiresAt.Add(deviceMargin).Time(), Mark: mark,
	}
	w := newWriter(v.CreatedAt)
	w.text(deviceApplication, v.ApplicationID)
	w.text(deviceScopes, v.Scopes)
	w.text(deviceResource, v.Resource)
	start := w.field(deviceCodes)
	w.bytes(v.Code[:])
	w.bytes(v.GrantCode[:])
	w.end(start)
	w.instant(deviceExpires, v.ExpiresAt)
	start = w.field(deviceInterval)
	w.number(int64(v.Interval / time.Microsecond))
	w.end(start)
	w.instant(devicePolled, v.PolledAt)
	w.instant(deviceDecided, v.DecidedAt)
	if !v.GrantID.IsZero() {
		start = w.field(deviceGrant)
		w.bytes(v.GrantID[:])
		w.end(start)
	}
	w.text(deviceWorkspace, v.Workspace)
	w.string(v.unknown)
	d.State = w.state()
	return d
}

// ScopeSet returns the requested scopes as a set.
func (v *Device) ScopeSet() scopes.Set { return set(v.Scopes) }

// Mark returns the mark of the document that the device was read from.
func (v *Device) Mark() int64 { return v.mark }

// Waits reports whether the device still waits for a decision.
func (v *Device) Waits(now Instant) bool { return v.DecidedAt == 0 && now < v.ExpiresAt }

// Decide records a user's decision: the grant that they allowed, or the zero
// ID. A repeated decision changes nothing. It refuses with ErrDecided, then
// with ErrExpired.
func (v *Device) Decide(grant store.ID, now Instant) (Step, error) {
	switch {
	case v.DecidedAt != 0 && v.GrantID == grant:
		return Keep, nil
	case v.DecidedAt != 0:
		return Keep, ErrDecided
	case v.ExpiresAt <= now:
		return Keep, ErrExpired
	}
	v.DecidedAt, v.GrantID = now, grant
	return Write, nil
}

// Poll records a poll of the device. It is too soon if less than the interval
// has passed since the last poll; then the interval grows (RFC 8628 section
// 3.5). It refuses with ErrNotFound if the code is not the device's, then with
// ErrMismatch. Nothing is recorded for a device that was decided on, or has
// expired.
func (v *Device) Poll(code Hash, applicationID string, slowDown time.Duration, now Instant) (tooSoon bool, step Step, err error) {
	switch {
	case !v.Code.Equal(code):
		return false, Keep, ErrNotFound
	case v.ApplicationID != applicationID:
		return false, Keep, ErrOtherApplication
	case !v.Waits(now):
		return false, Keep, nil
	}
	if v.PolledAt != 0 && v.PolledAt.Add(v.Interval) > now {
		tooSoon = true
		v.Interval += slowDown
	}
	v.PolledAt = now
	return tooSoon, Write, nil
}
