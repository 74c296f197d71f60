package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var pollPromises = []promise{
	{"the first poll is never too soon",
		"A device may ask as soon as it has its code.",
		firstPoll},
	{"a poll after the interval is not too soon",
		"A device that does as it was told must not be slowed down.",
		pollInTime},
	{"a poll before the interval has passed is too soon and the interval grows",
		"A device that asks without pause is a burden, and RFC 8628 tells it to slow down each time.",
		pollTooSoon},
	{"a poll before the last one is too soon",
		"A clock that is behind must not be a way to poll without pause.",
		pollBackwards},
	{"a poll with another code is not found and changes nothing",
		"The id is no secret: who knows only that must neither learn nor disturb anything.",
		pollWithForeignCode},
	{"a poll by another application is a mismatch and changes nothing",
		"A device code is worth nothing to any application but its own.",
		pollByForeignApplication},
	{"a poll of a device that is not there is not found",
		"The device is told that its code is not known, and stops.",
		pollOfNothing},
	{"expired and decided devices are polled like any other",
		"Judging that is the caller's, and a device that is over may still poll too soon.",
		pollWhenOver},
}

// poll returns how a device polls, that long after the start.
func (t *trial) poll(d store.Device, after time.Duration) store.DevicePoll {
	return store.DevicePoll{ID: d.ID, Code: d.Code, ApplicationID: d.ApplicationID, SlowDown: slowDown, At: t.after(after)}
}

// polls checks that a poll is noted and returns the device as it is then.
func (t *trial) polls(d store.Device, after time.Duration, tooSoon bool, format string, args ...any) store.Device {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	p := t.poll(d, after)
	polled, err := t.PollDevice(t.Context(), p)
	t.must(err, "%s", what)
	if polled.TooSoon != tooSoon {
		t.errorf("%s: got TooSoon %v, want %v", what, polled.TooSoon, tooSoon)
	}
	d.PolledAt = p.At
	if tooSoon {
		d.Interval += p.SlowDown
	}
	t.equal(polled.Device, d, "%s: the device that is returned", what)
	t.findsDevice(d, "%s", what)
	return d
}

// noPoll checks that a poll is refused and that the device is as it was.
func (t *trial) noPoll(d store.Device, p store.DevicePoll, want error, format string, args ...any) {
	t.Helper()
	_, err := t.PollDevice(t.Context(), p)
	t.fails(err, want, format, args...)
	t.findsDevice(d, "after "+format, args...)
}

func firstPoll(t *trial) {
	for _, after := range []time.Duration{0, tick, time.Second, -time.Hour, deviceLifetime, 1000 * time.Hour} {
		d := t.createDevice()
		t.polls(d, after, false, "the first poll, %v after the device was made", after)
	}
}

func pollInTime(t *trial) {
	d := t.createDevice()
	after := time.Second
	d = t.polls(d, after, false, "the first poll")
	for i := range 5 {
		after += interval
		d = t.polls(d, after, false, "poll %d, just an interval after the one before", i+2)
	}
	after += interval + time.Hour
	t.polls(d, after, false, "a poll long after the one before")

	eager := t.createDevice(func(d *store.Device) { d.Interval = 0 })
	for range 3 {
		eager = t.polls(eager, time.Second, false, "a poll at the time of the one before, with no interval to keep to")
	}
}

func pollTooSoon(t *trial) {
	d := t.createDevice()
	after := time.Second
	d = t.polls(d, after, false, "the first poll")
	d = t.polls(d, after, true, "a poll at the time of the first")
	for i := range 5 {
		after += d.Interval - tick
		d = t.polls(d, after, true, "poll %d, a microsecond too soon", i+3)
	}
	t.equal(d.Interval, interval+6*slowDown, "the interval after six polls that were too soon")
	after += d.Interval
	d = t.polls(d, after, false, "a poll after the interval that has grown")
	after += interval
	t.polls(d, after, true, "a poll after the interval as it was at first")

	d = t.polls(t.createDevice(), 0, false, "the first poll")
	p := t.poll(d, time.Second)
	p.SlowDown = 0
	d.PolledAt = p.At
	polled, err := t.PollDevice(t.Context(), p)
	t.must(err, "polling too soon without slowing down")
	t.equal(polled, store.PolledDevice{Device: d, TooSoon: true}, "a poll that is too soon and does not slow down")
	t.findsDevice(d, "after a poll that was too soon and did not slow down")
}

func pollBackwards(t *trial) {
	for _, back := range []time.Duration{tick, time.Second, interval, 1000 * time.Hour} {
		d := t.polls(t.createDevice(), time.Minute, false, "the first poll")
		d = t.polls(d, time.Minute-back, true, "a poll %v before the first", back)
		t.polls(d, time.Minute-back+d.Interval, false, "a poll an interval after one that was %v before the first", back)

		d = t.polls(t.createDevice(func(d *store.Device) { d.Interval = 0 }), time.Minute, false, "the first poll")
		t.polls(d, time.Minute-back, true, "a poll %v before the first, with no interval to keep to", back)
	}
}

func pollWithForeignCode(t *trial) {
	d, other := t.createDevice(), t.createDevice()
	refused := func(when string) {
		t.Helper()
		for name, code := range map[string]store.Hash{
			"no hash": {}, "the hash of its user code": d.UserCode, "the hash of its grant's code": d.GrantCode, "another device's hash": other.Code,
			"a hash that differs in the last byte": t.alike(d.Code, 31), "a hash that begins alike": t.alike(d.Code, 2),
		} {
			p := t.poll(d, time.Second)
			p.Code = code
			t.noPoll(d, p, store.ErrNotFound, "polling a device %s with %s", when, name)
			p.ApplicationID = otherApp
			t.noPoll(d, p, store.ErrNotFound, "polling a device %s with %s, as another application", when, name)
		}
	}
	refused("that has not polled")
	d = t.polls(d, time.Second, false, "the first poll with the right code")
	refused("that has polled")
	d = t.decides(d, t.approval(d, time.Minute), "allowing the device")
	refused("that was allowed")
	t.findsDevice(other, "a device with whose code another one was polled")
}

func pollByForeignApplication(t *trial) {
	d := t.createDevice(func(d *store.Device) { d.ApplicationID = "app" })
	refused := func(when string) {
		t.Helper()
		for _, id := range []string{otherApp, "", "App", "app ", "ap", "app\x00", "app\xff", "äpp"} {
			p := t.poll(d, time.Second)
			p.ApplicationID = id
			t.noPoll(d, p, store.ErrMismatch, "polling a device of the application %q %s as %q", "app", when, id)
		}
	}
	refused("that has not polled")
	d = t.polls(d, time.Second, false, "the first poll by the right application")
	refused("that has polled")
	d = t.decides(d, t.approval(d, time.Minute), "allowing the device")
	refused("that was allowed")
}

func pollOfNothing(t *trial) {
	d, absent := t.createDevice(), t.newDevice()
	t.noPoll(d, t.poll(absent, time.Second), store.ErrNotFound, "polling a device that never was")
	t.noUserCode(absent.UserCode, "of a device that was only polled")
	for name, id := range map[string]store.DeviceID{
		"no id": {}, "another id of the same user code": store.NewDeviceID(t.start, d.UserCode), "an id of another user code": store.NewDeviceID(t.start, t.hash()),
	} {
		p := t.poll(d, time.Second)
		p.ID = id
		t.noPoll(d, p, store.ErrNotFound, "polling by %s with the code of a device", name)
	}
}

func pollWhenOver(t *trial) {
	allowed, denied, expired := t.createDevice(), t.createDevice(), t.createDevice()
	allowed = t.decides(allowed, t.approval(allowed, time.Minute), "allowing a device")
	denied = t.decides(denied, t.denial(denied, time.Minute), "denying a device")
	for name, d := range map[string]store.Device{"that was allowed": allowed, "that was denied": denied, "that nobody decided on": expired} {
		for _, after := range []time.Duration{2 * time.Minute, deviceLifetime, deviceLifetime + time.Hour} {
			d = t.polls(d, after, false, "polling a device %s, %v after it was made", name, after)
			d = t.polls(d, after+time.Second, true, "polling a device %s too soon, %v after it was made", name, after)
		}
	}
}
