package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
)

// Devices keeps device authorizations (RFC 8628): requests for access by
// devices that have no browser, until a user decides on them elsewhere. It is
// an optional third part of a store. A provider whose Store has it can offer
// the device authorization grant; a host that composes its store embeds it
// beside [Applications] and [Grants].
//
// What a user allows is a grant like any other. It is made by
// [Grants.CreateGrant] with a code that only the device can know, before
// DecideDevice tells the device of it, and is redeemed by [Grants.RedeemCode].
// So there is one way to tokens, and this interface issues none.
type Devices interface {
	// CreateDevice keeps a new device authorization on which nobody has
	// decided. ErrExists when its ID or its UserCode is that of one that has
	// not been removed.
	CreateDevice(ctx context.Context, d Device) error

	// FindDevice finds a device authorization by its user code and returns it
	// as it is, expired or decided on too. ErrNotFound.
	FindDevice(ctx context.Context, userCode Hash) (Device, error)

	// DecideDevice notes what a user has decided. Of many that race exactly one
	// decides; for the others it is ErrConflict, but nil and no change for who
	// has decided just so before. ErrNotFound when there is no such ID, and
	// ErrExpired when the time of expiry is reached; ErrConflict comes before
	// ErrExpired.
	DecideDevice(ctx context.Context, d DeviceDecision) error

	// PollDevice notes that a device asked what has become of its
	// authorization, and returns it as it now is, expired or decided on too.
	// ErrNotFound when there is no such ID or Code is not its own, and
	// ErrMismatch when it is another application's; neither changes anything.
	//
	// A poll is too soon if less than Interval has passed since the one before
	// it. The Interval then grows by SlowDown (RFC 8628 section 3.5). The first
	// poll never is, and one that seems to lie before the last is.
	PollDevice(ctx context.Context, p DevicePoll) (PolledDevice, error)

	// DeleteDevices removes device authorizations that have expired at the
	// given time, and returns how many: at most limit, which must be positive.
	// Fewer means that none is left. It may run beside traffic and in many
	// processes at once.
	DeleteDevices(ctx context.Context, before time.Time, limit int) (int, error)
}

// Device is a device authorization.
type Device struct {
	ID DeviceID

	Code     Hash // of the device code, which the device polls with
	UserCode Hash // of the user code, which the user types

	// GrantCode is the hash of the authorization code of the grant that will
	// follow: the device can derive that code from its device code.
	GrantCode Hash

	ApplicationID string
	Scopes        scopes.Set // what is asked for
	Resource      string     // RFC 8707; empty: none

	CreatedAt time.Time
	ExpiresAt time.Time

	Interval time.Duration // the least time between two polls, to the microsecond
	PolledAt time.Time     // the last poll; zero: none

	DecidedAt time.Time // zero: nobody has decided
	GrantID   GrantID   // what the user has allowed; zero: nothing, or not yet
}

// DeviceDecision is the input of [Devices.DecideDevice].
type DeviceDecision struct {
	ID      DeviceID
	GrantID GrantID // zero: the user said no
	At      time.Time
}

// DevicePoll is the input of [Devices.PollDevice].
type DevicePoll struct {
	ID            DeviceID
	Code          Hash
	ApplicationID string
	SlowDown      time.Duration
	At            time.Time
}

// PolledDevice is the result of [Devices.PollDevice].
type PolledDevice struct {
	Device
	TooSoon bool
}

// DeviceID names a device authorization. It is no secret. It is laid out like a
// [GrantID], and its last 16 bits are the first ones of the user code's hash,
// so that a backend finds the place of a device authorization from either.
type DeviceID [16]byte

// NewDeviceID returns the id for a new device authorization at the given time.
func NewDeviceID(at time.Time, userCode Hash) DeviceID {
	id := DeviceID(NewGrantID(at, ""))
	copy(id[14:], userCode[:2])
	return id
}

// Tag returns the 16 bits that the id shares with the hash of its user code.
func (id DeviceID) Tag() uint16 { return binary.BigEndian.Uint16(id[14:]) }

// IsZero reports whether id is the zero DeviceID, which no device has.
func (id DeviceID) IsZero() bool { return id == DeviceID{} }

// DeviceTag returns the tag of the id of every device authorization with the
// user code.
func DeviceTag(userCode Hash) uint16 { return binary.BigEndian.Uint16(userCode[:2]) }

// Check refuses a device authorization that no backend keeps.
func (d Device) Check() error {
	switch {
	case d.ID.IsZero() || d.ID.Tag() != DeviceTag(d.UserCode):
		return errors.New("store: the device's id was not made by NewDeviceID for its user code")
	case d.Interval < 0:
		return errors.New("store: the interval of a device is negative")
	case !d.DecidedAt.IsZero() || !d.GrantID.IsZero() || !d.PolledAt.IsZero():
		return errors.New("store: a new device was decided on or has polled already")
	}
	texts := append([]string{d.ApplicationID, d.Resource}, d.Scopes...)
	return cmp.Or(checkHash(d.Code), checkHash(d.UserCode), checkHash(d.GrantCode), CheckTime(d.CreatedAt), CheckTime(d.ExpiresAt),
		checkTexts("device", texts...))
}

// Check refuses a decision at no time.
func (d DeviceDecision) Check() error { return CheckTime(d.At) }

// Check refuses a poll at no time, or one that would make the interval shorter.
func (p DevicePoll) Check() error {
	if p.SlowDown < 0 {
		return errors.New("store: a poll would make the interval of a device shorter")
	}
	return CheckTime(p.At)
}
