package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var devicePromises = []promise{
	{"a device comes back as it was kept",
		"The page on which the user decides shows what the device asked for.",
		deviceComesBack},
	{"a device that is not there is not found",
		"A user code that was mistyped must not lead to another device.",
		absentDevice},
	{"an id and a user code are taken once",
		"A user who types a code must decide on the device that shows it.",
		takenDevice},
	{"an expired device keeps its id and user code until it is removed",
		"The user code of a device that is still found leads to it, and to no other.",
		expiredDeviceIsTaken},
	{"a device is found expired and decided on too",
		"The page tells the user why the code no longer works.",
		deviceFoundOver},
	{"finding a device changes nothing",
		"The user may look as often as they like.",
		findingIsNoStep},
	{"devices whose ids share a tag are told apart",
		"The tag says where to look, not what is there.",
		devicesOfOneTag},
	{"what no backend keeps is refused",
		"A device that is half right could never be found, decided on or polled.",
		badDevices},
}

const (
	deviceLifetime = 15 * time.Minute
	interval       = 5 * time.Second
	slowDown       = 5 * time.Second
)

// newDevice returns a device authorization, not created yet.
func (t *trial) newDevice(edits ...func(*store.Device)) store.Device {
	d := store.Device{
		Code:          t.hash(),
		UserCode:      t.hash(),
		GrantCode:     t.hash(),
		ApplicationID: someApp,
		Scopes:        someScopes(),
		Resource:      someResource,
		CreatedAt:     t.start,
		ExpiresAt:     t.after(deviceLifetime),
		Interval:      interval,
	}
	for _, edit := range edits {
		edit(&d)
	}
	if d.ID.IsZero() {
		d.ID = store.NewDeviceID(d.CreatedAt, d.UserCode)
	}
	return d
}

// createDevice keeps a new device authorization.
func (t *trial) createDevice(edits ...func(*store.Device)) store.Device {
	t.Helper()
	d := t.newDevice(edits...)
	t.must(t.CreateDevice(t.Context(), d), "creating a device")
	return d
}

// findsDevice checks that a device is kept as it should be.
func (t *trial) findsDevice(want store.Device, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	got, err := t.FindDevice(t.Context(), want.UserCode)
	if err != nil {
		t.errorf("%s: FindDevice: got error %v, want none", what, err)
		return
	}
	t.equal(got, want, "%s: FindDevice", what)
}

// noUserCode checks that no device has this user code.
func (t *trial) noUserCode(userCode store.Hash, format string, args ...any) {
	t.Helper()
	_, err := t.FindDevice(t.Context(), userCode)
	t.fails(err, store.ErrNotFound, "FindDevice: "+format, args...)
}

// noDevice checks that there is nothing of the device, whichever way it is
// looked for.
func (t *trial) noDevice(d store.Device, format string, args ...any) {
	t.Helper()
	t.noUserCode(d.UserCode, format, args...)
	_, err := t.PollDevice(t.Context(), t.poll(d, time.Second))
	t.fails(err, store.ErrNotFound, "PollDevice: "+format, args...)
	t.fails(t.DecideDevice(t.Context(), t.denial(d, time.Second)), store.ErrNotFound, "DecideDevice: "+format, args...)
}

// alike returns a hash with the first n bytes of h that is another one.
func (t *trial) alike(h store.Hash, n int) store.Hash {
	other := t.hash()
	copy(other[:n], h[:])
	other[31] = ^h[31]
	return other
}

func deviceComesBack(t *trial) {
	full := t.createDevice()
	t.findsDevice(full, "a device with something in each field")
	bare := t.createDevice(func(d *store.Device) { d.ApplicationID, d.Scopes, d.Resource, d.Interval = otherApp, nil, "", 0 })
	t.findsDevice(bare, "a device with nothing that can be left out")
	t.findsDevice(full, "after another device was created")
}

func absentDevice(t *trial) {
	t.noDevice(t.newDevice(), "in an empty store")
	d := t.createDevice()
	t.noUserCode(store.Hash{}, "no hash")
	t.noUserCode(d.Code, "the hash of a device code")
	t.noUserCode(d.GrantCode, "the hash of a grant's code")
	t.noUserCode(t.alike(d.UserCode, 31), "a user code whose hash differs in the last byte")
	t.noUserCode(t.alike(d.UserCode, 2), "a user code whose hash begins alike")

	for name, id := range map[string]store.DeviceID{
		"no id": {}, "another id of the same user code": store.NewDeviceID(t.start, d.UserCode), "an id of another user code": store.NewDeviceID(t.start, t.hash()),
	} {
		other := d
		other.ID = id
		_, err := t.PollDevice(t.Context(), t.poll(other, time.Second))
		t.fails(err, store.ErrNotFound, "polling by %s", name)
		t.fails(t.DecideDevice(t.Context(), t.denial(other, time.Second)), store.ErrNotFound, "deciding by %s", name)
	}
	t.findsDevice(d, "after others were looked for")
}

func takenDevice(t *trial) {
	d := t.createDevice()
	for name, edit := range map[string]func(*store.Device){
		"the same id":                            func(other *store.Device) { other.ID, other.UserCode = d.ID, t.alike(d.UserCode, 2) },
		"the same user code":                     func(other *store.Device) { other.UserCode = d.UserCode },
		"the same of both":                       func(other *store.Device) { other.ID, other.UserCode = d.ID, d.UserCode },
		"everything as it was":                   func(other *store.Device) { *other = d },
		"the user code, for another application": func(other *store.Device) { other.UserCode, other.ApplicationID = d.UserCode, otherApp },
	} {
		other := t.newDevice(edit)
		t.fails(t.CreateDevice(t.Context(), other), store.ErrExists, "creating a device with %s", name)
		t.findsDevice(d, "after a device with %s was refused", name)
		if other.UserCode != d.UserCode {
			t.noUserCode(other.UserCode, "of a device that was refused for %s", name)
			other.ID = store.NewDeviceID(t.start, other.UserCode)
			t.must(t.CreateDevice(t.Context(), other), "creating a device with the user code of one that was refused for %s", name)
		}
		if other.ID != d.ID && other.UserCode == d.UserCode {
			_, err := t.PollDevice(t.Context(), t.poll(other, time.Second))
			t.fails(err, store.ErrNotFound, "polling a device that was refused for %s", name)
			other.UserCode = t.alike(d.UserCode, 2)
			t.must(t.CreateDevice(t.Context(), other), "creating a device with the id of one that was refused for %s", name)
		}
	}
	t.polls(d, interval, false, "after others were refused")

	same := t.createDevice(func(other *store.Device) { other.Code, other.GrantCode = d.Code, d.GrantCode })
	t.findsDevice(same, "a device with the other hashes of another")
}

func expiredDeviceIsTaken(t *trial) {
	for name, d := range map[string]store.Device{
		"a device that expired as it was made": t.createDevice(func(d *store.Device) { d.ExpiresAt = d.CreatedAt }),
		"a device that expired long ago": t.createDevice(func(d *store.Device) {
			d.CreatedAt = t.after(-1000 * time.Hour)
			d.ExpiresAt = d.CreatedAt.Add(deviceLifetime)
		}),
	} {
		t.fails(t.CreateDevice(t.Context(), t.newDevice(func(other *store.Device) { other.UserCode = d.UserCode })), store.ErrExists,
			"creating a device with the user code of %s", name)
		t.fails(t.CreateDevice(t.Context(), t.newDevice(func(other *store.Device) { other.ID, other.UserCode = d.ID, t.alike(d.UserCode, 2) })),
			store.ErrExists, "creating a device with the id of %s", name)
		t.findsDevice(d, "%s", name)
	}
}

func deviceFoundOver(t *trial) {
	long := t.after(-24 * time.Hour)
	d := t.createDevice(func(d *store.Device) { d.CreatedAt, d.ExpiresAt = long, long.Add(deviceLifetime) })
	t.findsDevice(d, "an expired device")
	t.findsDevice(t.decides(d, t.denial(d, time.Minute-24*time.Hour), "denying"), "a denied device that has expired")
	d = t.createDevice()
	t.findsDevice(t.decides(d, t.approval(d, time.Minute), "allowing"), "an allowed device")
}

func findingIsNoStep(t *trial) {
	d := t.createDevice()
	for range 3 {
		t.findsDevice(d, "a device that was found before")
	}
	d = t.polls(d, time.Second, false, "the first poll, after a device was found")
	for range 3 {
		t.findsDevice(d, "a device that has polled")
	}
	t.polls(d, time.Second+interval, false, "a poll after a device was found")
}

func devicesOfOneTag(t *trial) {
	first := t.createDevice()
	second := t.createDevice(func(d *store.Device) {
		d.UserCode, d.ApplicationID = t.alike(first.UserCode, 2), otherApp
	})
	t.findsDevice(first, "the first of two devices with one tag")
	t.findsDevice(second, "the second of two devices with one tag")
	second = t.polls(second, time.Second, false, "polling the second of two devices with one tag")
	first = t.decides(first, t.approval(first, time.Minute), "allowing the first of two devices with one tag")
	t.findsDevice(first, "the first of two devices with one tag, allowed")
	t.findsDevice(second, "the second of two devices with one tag, polled")
	t.decides(second, t.denial(second, time.Minute), "denying the second of two devices with one tag")
	t.findsDevice(first, "the first of two devices with one tag, after the second was denied")
}

func badDevices(t *trial) {
	for name, edit := range map[string]func(*store.Device){
		"an id made for another user code": func(d *store.Device) {
			d.ID = store.NewDeviceID(t.start, d.UserCode)
			d.UserCode[0] ^= 1
		},
		"a device code without a hash":  func(d *store.Device) { d.Code = store.Hash{} },
		"a user code without a hash":    func(d *store.Device) { d.UserCode = store.Hash{} },
		"a grant's code without a hash": func(d *store.Device) { d.GrantCode = store.Hash{} },
		"no time of creation":           func(d *store.Device) { d.ID, d.CreatedAt = store.NewDeviceID(t.start, d.UserCode), time.Time{} },
		"no time of expiry":             func(d *store.Device) { d.ExpiresAt = time.Time{} },
		"a negative interval":           func(d *store.Device) { d.Interval = -time.Second },
		"a poll":                        func(d *store.Device) { d.PolledAt = t.start },
		"a decision":                    func(d *store.Device) { d.DecidedAt = t.start },
		"a grant":                       func(d *store.Device) { d.GrantID = store.NewGrantID(t.start, someUser) },
	} {
		d := t.newDevice(edit)
		if err := t.CreateDevice(t.Context(), d); err == nil {
			t.errorf("creating a device with %s: got no error", name)
		}
		t.noDevice(d, "a device that was refused for %s", name)
	}
	d := t.newDevice()
	d.ID = store.DeviceID{}
	if err := t.CreateDevice(t.Context(), d); err == nil {
		t.errorf("creating a device without an id: got no error")
	}
	t.noUserCode(d.UserCode, "of a device that was refused for its id")

	d = t.createDevice()
	decision := t.approval(d, time.Minute)
	decision.At = time.Time{}
	if err := t.DecideDevice(t.Context(), decision); err == nil {
		t.errorf("deciding at no time: got no error")
	}
	p := t.poll(d, time.Minute)
	p.At = time.Time{}
	if _, err := t.PollDevice(t.Context(), p); err == nil {
		t.errorf("polling at no time: got no error")
	}
	t.findsDevice(d, "after steps at no time")
	d = t.polls(d, time.Minute, false, "the first poll at a time")
	p = t.poll(d, time.Minute)
	p.SlowDown = -time.Second
	if _, err := t.PollDevice(t.Context(), p); err == nil {
		t.errorf("polling with an interval that would become shorter: got no error")
	}
	t.findsDevice(d, "after a poll was refused")
}
