package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var decisionPromises = []promise{
	{"a user allows or denies a device",
		"The device learns what became of its request, and nothing else of it changes.",
		decided},
	{"the same decision again changes nothing",
		"A form may be sent twice, and a provider may try again.",
		decidedAgain},
	{"another decision is a conflict",
		"A device that was told no must not get in by a second form, nor two grants come of one code.",
		decidedOtherwise},
	{"a decision at the time of expiry is too late",
		"A user code that lies around must not be good for ever.",
		decidedTooLate},
	{"a conflict comes before expiry",
		"The user is told what was decided, which stays true.",
		conflictBeforeExpiry},
	{"a decision on a device that is not there is not found",
		"The page tells a code that is unknown from a store that is down.",
		decidedOnNothing},
}

// approval returns a user's yes to the device, that long after the start.
func (t *trial) approval(d store.Device, after time.Duration) store.DeviceDecision {
	at := t.after(after)
	return store.DeviceDecision{ID: d.ID, GrantID: store.NewGrantID(at, someUser), At: at}
}

// denial returns a user's no to the device, that long after the start.
func (t *trial) denial(d store.Device, after time.Duration) store.DeviceDecision {
	return store.DeviceDecision{ID: d.ID, At: t.after(after)}
}

// decides checks that a decision is noted and returns the device as it is then.
func (t *trial) decides(d store.Device, decision store.DeviceDecision, format string, args ...any) store.Device {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	t.must(t.DecideDevice(t.Context(), decision), "%s", what)
	d.DecidedAt, d.GrantID = decision.At, decision.GrantID
	t.findsDevice(d, "%s", what)
	return d
}

// noDecision checks that a decision is refused, or done before if want is nil,
// and that the device is as it was.
func (t *trial) noDecision(d store.Device, decision store.DeviceDecision, want error, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	if err := t.DecideDevice(t.Context(), decision); want != nil {
		t.fails(err, want, "%s", what)
	} else if err != nil {
		t.errorf("%s: got error %v, want none", what, err)
	}
	t.findsDevice(d, "%s", what)
}

func decided(t *trial) {
	bystander := t.createDevice()
	allowed, denied := t.createDevice(), t.createDevice()
	allowed = t.decides(allowed, t.approval(allowed, time.Minute), "allowing a device")
	denied = t.decides(denied, t.denial(denied, time.Minute), "denying a device")
	t.polls(allowed, 2*time.Minute, false, "polling a device that was allowed")
	t.polls(denied, 2*time.Minute, false, "polling a device that was denied")
	t.findsDevice(bystander, "a device that nobody has decided on")

	polled := t.createDevice()
	polled = t.polls(polled, time.Second, false, "polling a device")
	polled = t.polls(polled, 2*time.Second, true, "polling a device too soon")
	t.decides(polled, t.approval(polled, time.Minute), "allowing a device that has polled")

	late := t.createDevice()
	t.decides(late, t.approval(late, deviceLifetime-tick), "allowing a device at the last moment")
}

func decidedAgain(t *trial) {
	allowed, denied := t.createDevice(), t.createDevice()
	yes, no := t.approval(allowed, time.Minute), t.denial(denied, time.Minute)
	allowed, denied = t.decides(allowed, yes, "allowing a device"), t.decides(denied, no, "denying a device")
	for _, after := range []time.Duration{0, time.Minute, 2 * time.Minute, deviceLifetime, deviceLifetime + time.Hour} {
		yes.At, no.At = t.after(after), t.after(after)
		t.noDecision(allowed, yes, nil, "allowing a device again, %v after it was made", after)
		t.noDecision(denied, no, nil, "denying a device again, %v after it was made", after)
	}
}

func decidedOtherwise(t *trial) {
	d := t.createDevice()
	d = t.decides(d, t.approval(d, time.Minute), "allowing a device")
	t.noDecision(d, t.denial(d, 2*time.Minute), store.ErrConflict, "denying a device that was allowed")
	t.noDecision(d, t.approval(d, 2*time.Minute), store.ErrConflict, "allowing a device with another grant")
	t.noDecision(d, t.approval(d, time.Second), store.ErrConflict, "allowing a device with another grant, by a clock that is behind")
	near := t.approval(d, 2*time.Minute)
	near.GrantID = d.GrantID
	near.GrantID[15] ^= 1
	t.noDecision(d, near, store.ErrConflict, "allowing a device with a grant whose id differs in one bit")

	d = t.createDevice()
	d = t.decides(d, t.denial(d, time.Minute), "denying a device")
	t.noDecision(d, t.approval(d, time.Minute), store.ErrConflict, "allowing a device that was denied")
	t.noDecision(d, t.denial(d, 2*time.Minute), nil, "denying a device that was denied")
}

func decidedTooLate(t *trial) {
	d := t.createDevice()
	for _, after := range []time.Duration{deviceLifetime, deviceLifetime + tick, 1000 * time.Hour} {
		t.noDecision(d, t.approval(d, after), store.ErrExpired, "allowing a device %v after it was made", after)
		t.noDecision(d, t.denial(d, after), store.ErrExpired, "denying a device %v after it was made", after)
	}
	t.decides(d, t.denial(d, deviceLifetime-tick), "denying a device before it expires")
}

func conflictBeforeExpiry(t *trial) {
	allowed, denied := t.createDevice(), t.createDevice()
	allowed = t.decides(allowed, t.approval(allowed, time.Minute), "allowing a device")
	denied = t.decides(denied, t.denial(denied, time.Minute), "denying a device")
	for _, after := range []time.Duration{deviceLifetime, deviceLifetime + time.Hour} {
		t.noDecision(allowed, t.denial(allowed, after), store.ErrConflict, "denying a device that was allowed, %v after it was made", after)
		t.noDecision(denied, t.approval(denied, after), store.ErrConflict, "allowing a device that was denied, %v after it was made", after)
	}
}

func decidedOnNothing(t *trial) {
	d := t.createDevice()
	absent := t.newDevice()
	for name, id := range map[string]store.DeviceID{
		"no id": {}, "the id of no device": absent.ID, "another id of the same user code": store.NewDeviceID(t.start, d.UserCode),
	} {
		other := d
		other.ID = id
		for _, after := range []time.Duration{time.Minute, deviceLifetime} {
			t.noDecision(d, t.approval(other, after), store.ErrNotFound, "allowing %s", name)
			t.noDecision(d, t.denial(other, after), store.ErrNotFound, "denying %s", name)
		}
	}
	t.noUserCode(absent.UserCode, "of a device that was only decided on")
}
