package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var deviceValuePromises = []promise{
	{"what was passed in or returned may be changed",
		"A caller that uses a slice again would change what is kept.",
		devicesAreCopied},
	{"nothing is done to a device once the context has ended",
		"A request that was given up costs nothing more.",
		cancelledDevice},
	{"times are kept in UTC to the microsecond",
		"Expiries and polls are compared by them.",
		deviceTimes},
	{"intervals are kept to the microsecond",
		"A device that keeps to its interval must not be told that it polls too soon.",
		deviceIntervals},
	{"texts of a device come back byte for byte",
		"The grant that follows is for just these scopes and this resource.",
		deviceTexts},
	{"long texts of a device are kept whole",
		"A resource is as long as its owner needs.",
		longDeviceTexts},
	{"texts of a device with NUL or invalid UTF-8 are refused",
		"A text that is cut or mended on the way names something else.",
		badDeviceTexts},
	{"hashes of all bytes are kept for a device",
		"A hash has zero bytes and quotation marks like any others.",
		deviceHashes},
}

func devicesAreCopied(t *trial) {
	set := someScopes()
	d := t.createDevice(func(d *store.Device) { d.Scopes = set })
	d.Scopes = someScopes()
	set[0] = "x"
	t.findsDevice(d, "after the scopes that were passed in were changed")

	blot := func(set scopes.Set) {
		for i := range set {
			set[i] = "x"
		}
	}
	found, err := t.FindDevice(t.Context(), d.UserCode)
	t.must(err, "finding a device")
	blot(found.Scopes)
	t.findsDevice(d, "after the scopes of a device that was found were changed")

	polled, err := t.PollDevice(t.Context(), t.poll(d, time.Second))
	t.must(err, "polling")
	blot(polled.Scopes)
	d.PolledAt = t.after(time.Second)
	t.findsDevice(d, "after the scopes of a device that was polled were changed")
}

func cancelledDevice(t *trial) {
	d, expired := t.createDevice(), t.createDevice(func(d *store.Device) { d.ExpiresAt = t.start })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused := t.newDevice()
	for name, step := range map[string]func() error{
		"CreateDevice":  func() error { return t.CreateDevice(ctx, refused) },
		"FindDevice":    func() error { _, err := t.FindDevice(ctx, d.UserCode); return err },
		"DecideDevice":  func() error { return t.DecideDevice(ctx, t.approval(d, time.Minute)) },
		"PollDevice":    func() error { _, err := t.PollDevice(ctx, t.poll(d, time.Minute)); return err },
		"DeleteDevices": func() error { _, err := t.DeleteDevices(ctx, t.start, 10); return err },
	} {
		if err := step(); !errors.Is(err, context.Canceled) {
			t.errorf("%s with a context that has ended: got error %v, want %q", name, err, context.Canceled)
		}
	}
	t.noDevice(refused, "a device created with a context that had ended")
	t.findsDevice(d, "after steps whose context had ended")
	t.findsDevice(expired, "after a cleanup whose context had ended")
}

func deviceTimes(t *trial) {
	const fine = 789 * time.Nanosecond // is cut
	zone := time.FixedZone("five and a half hours ahead", 5*60*60+30*60)
	for _, at := range []time.Time{
		t.start,
		time.Date(2001, 2, 3, 4, 5, 6, 1000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 999_999_000, time.UTC), // after 2^31 seconds
		time.Date(2100, 12, 31, 23, 59, 59, 123_456_000, time.UTC),
	} {
		name := at.Format(time.RFC3339Nano)
		d := t.createDevice(func(d *store.Device) {
			d.CreatedAt, d.ExpiresAt = at.Add(fine).In(zone), at.Add(time.Hour+tick+fine).In(zone)
		})
		d.CreatedAt, d.ExpiresAt = at, at.Add(time.Hour+tick)
		t.findsDevice(d, "a device of %s", name)

		p := t.poll(d, 0)
		p.At = at.Add(2*tick + fine).In(zone)
		d.PolledAt = at.Add(2 * tick)
		polled, err := t.PollDevice(t.Context(), p)
		t.must(err, "polling a device of %s", name)
		t.equal(polled.Device, d, "a device of %s that polled", name)
		p.At = at.Add(2*tick + interval).In(zone)
		d.PolledAt = at.Add(2*tick + interval)
		polled, err = t.PollDevice(t.Context(), p)
		t.must(err, "polling a device of %s again", name)
		if polled.TooSoon {
			t.errorf("polling a device of %s an interval later, the microsecond counted: got too soon", name)
		}

		decision := t.approval(d, 0)
		decision.At = at.Add(time.Hour + fine).In(zone)
		t.must(t.DecideDevice(t.Context(), decision), "deciding on a device of %s", name)
		d.DecidedAt, d.GrantID = at.Add(time.Hour), decision.GrantID
		t.findsDevice(d, "a device of %s that was decided on", name)
	}
}

func deviceIntervals(t *trial) {
	for _, every := range []time.Duration{0, tick, time.Second + tick, interval, 1000 * time.Hour} {
		d := t.createDevice(func(d *store.Device) { d.Interval = every + 999*time.Nanosecond })
		d.Interval = every
		t.findsDevice(d, "a device with an interval of %v and 999 ns", every)
		d = t.polls(d, time.Second, false, "the first poll, with an interval of %v", every)
		d = t.polls(d, time.Second+every, false, "a poll after the interval of %v", every)
		p := t.poll(d, every) // before the last one
		p.SlowDown = tick + 999*time.Nanosecond
		d.PolledAt, d.Interval = p.At, every+tick
		polled, err := t.PollDevice(t.Context(), p)
		t.must(err, "polling too soon, with an interval of %v", every)
		t.equal(polled.Device, d, "a device that polled too soon, with an interval of %v and 1.999 microseconds more", every)
	}
}

func deviceTexts(t *trial) {
	for name, text := range oddTexts() {
		d := t.createDevice(func(d *store.Device) { d.ApplicationID, d.Resource = text, text })
		t.findsDevice(d, "a device with %s", name)
		t.polls(d, time.Second, false, "polling a device with %s", name)
	}

	set := scopes.New("a,b", "{}", "null", "'", "`", "!#$%&()*+-./:;<=>?@[]^_|~", "A", "a", "{a,b}")
	d := t.createDevice(func(d *store.Device) { d.Scopes = set })
	t.findsDevice(d, "a device with odd scopes")
	d = t.polls(d, time.Second, false, "polling a device with odd scopes")
	t.decides(d, t.approval(d, time.Minute), "allowing a device with odd scopes")

	for _, none := range []scopes.Set{nil, {}} {
		d := t.createDevice(func(d *store.Device) { d.Scopes, d.Resource = none, "" })
		t.findsDevice(d, "a device without scopes and resource")
		t.polls(d, time.Second, false, "polling a device without scopes and resource")
	}
}

func longDeviceTexts(t *trial) {
	d := t.createDevice(func(d *store.Device) {
		d.ApplicationID = strings.Repeat("i", 512)
		d.Resource = "https://" + strings.Repeat("é", (8<<10-8)/2)
		for i := range 100 {
			d.Scopes = d.Scopes.Union(scopes.New(fmt.Sprintf("long:scope:number:%03d:of:a:hundred", i)))
		}
	})
	t.findsDevice(d, "a device with long texts")
	other := d
	other.ApplicationID = d.ApplicationID[:511] + "j"
	t.noPoll(d, t.poll(other, time.Second), store.ErrMismatch, "polling as an application whose long id differs in the last byte")
	t.polls(d, time.Second, false, "polling a device with long texts")
}

func badDeviceTexts(t *trial) {
	for what, bad := range map[string]string{"NUL": "a\x00b", "NUL at the end": "a\x00", "invalid UTF-8": "a\xffb", "half a rune": "a\xe2\x82"} {
		for field, edit := range map[string]func(*store.Device){
			"ApplicationID": func(d *store.Device) { d.ApplicationID = bad },
			"Scopes":        func(d *store.Device) { d.Scopes = scopes.Set{"ok", bad} },
			"Resource":      func(d *store.Device) { d.Resource = bad },
		} {
			d := t.newDevice(edit)
			if err := t.CreateDevice(t.Context(), d); err == nil {
				t.errorf("creating a device with %s in its %s: got no error", what, field)
			}
			t.noDevice(d, "a device that was refused for %s in its %s", what, field)
		}
	}
}

func deviceHashes(t *trial) {
	for name, hash := range map[string]store.Hash{
		"a last byte": {31: 1}, "a first byte": {1}, "quotation marks": {'\'', '"', '\\', 0, '\'', 31: ' '}, "bytes that are no UTF-8": {0xff, 0xfe, 0x80, 31: 0xc0},
		"digits": store.Hash([]byte("00000000000000000000000000000000")), "spaces": store.Hash([]byte(strings.Repeat(" ", 32))),
	} {
		d := t.createDevice(func(d *store.Device) {
			d.Code, d.UserCode, d.GrantCode = hash, hash, hash
			d.Code[16], d.GrantCode[16] = 1, 2
		})
		t.findsDevice(d, "a device whose hashes have %s", name)
		t.polls(d, time.Second, false, "polling a device whose hashes have %s", name)
		for i := range 2 {
			other := d
			other.Code[16*i+8] ^= 1
			if _, err := t.PollDevice(t.Context(), t.poll(other, time.Hour)); !errors.Is(err, store.ErrNotFound) {
				t.errorf("polling with a code whose hash is nearly one with %s: got error %v, want %q", name, err, store.ErrNotFound)
			}
		}
	}
}
