package storetest

import (
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var deviceCleanupPromises = []promise{
	{"devices are removed that have expired, and the others stay",
		"Most devices are over in minutes, and some are just being decided on.",
		expiredDevicesRemoved},
	{"a device is removed at the time of its expiry",
		"A cleanup and a decision agree on when it is over.",
		deviceCleanupBoundary},
	{"nothing is left of a device that was removed",
		"Its user code is free for another device, which must not inherit anything.",
		removedDevice},
	{"a cleanup removes no more devices than its limit, and less only when none is left",
		"It runs beside traffic, in small bites, and the caller goes on until then.",
		deviceCleanupBounded},
	{"a cleanup of devices without a limit is an error",
		"A zero or negative limit that means all would lock the tables.",
		deviceCleanupWithoutLimit},
}

// deletes checks how many devices a cleanup removes.
func (t *trial) deletes(want int, before time.Time, limit int, format string, args ...any) {
	t.Helper()
	n, err := t.DeleteDevices(t.Context(), before, limit)
	t.must(err, format, args...)
	t.equal(n, want, "the number of devices removed by "+format, args...)
}

func expiredDevicesRemoved(t *trial) {
	t.deletes(0, t.start, 10, "a cleanup of an empty store")
	living := t.createDevice()
	t.deletes(0, t.start, 10, "a cleanup while nothing has expired")
	t.findsDevice(living, "a device that lives, after a cleanup")

	expiring := func(d *store.Device) { d.ExpiresAt = t.after(time.Minute) }
	waiting, polled, allowed, denied := t.createDevice(expiring), t.createDevice(expiring), t.createDevice(expiring), t.createDevice(expiring)
	t.polls(polled, time.Second, false, "polling")
	t.decides(allowed, t.approval(allowed, time.Second), "allowing")
	t.decides(denied, t.denial(denied, time.Second), "denying")
	used := t.createDevice()
	used = t.polls(used, time.Second, false, "polling")
	used = t.polls(used, 2*time.Second, true, "polling too soon")
	used = t.decides(used, t.approval(used, time.Minute), "allowing")

	t.deletes(4, t.after(2*time.Minute), 10, "a cleanup after four have expired")
	t.noDevice(waiting, "an expired device that was removed")
	t.noDevice(polled, "an expired device that had polled")
	t.noDevice(allowed, "an expired device that was allowed")
	t.noDevice(denied, "an expired device that was denied")
	t.findsDevice(living, "a device that lives, after others were removed")
	t.findsDevice(used, "a device that lives and was decided on, after others were removed")
	t.deletes(0, t.after(2*time.Minute), 10, "a cleanup after a cleanup")
}

func deviceCleanupBoundary(t *trial) {
	d := t.createDevice()
	t.deletes(0, d.ExpiresAt.Add(-tick), 10, "a cleanup a microsecond before the time of expiry")
	t.findsDevice(d, "a device before the time of its expiry, after a cleanup")
	t.deletes(1, d.ExpiresAt, 10, "a cleanup at the time of expiry")
	t.noDevice(d, "a device that was removed at the time of its expiry")

	for _, after := range []time.Duration{-1000 * time.Hour, 1000 * time.Hour} {
		d := t.createDevice(func(d *store.Device) { d.ExpiresAt = t.after(after) })
		t.deletes(1, t.after(after+tick).In(time.FixedZone("far ahead", 14*60*60)), 10, "a cleanup a microsecond after the time of expiry")
		t.noDevice(d, "a device that was removed after its expiry")
	}
}

func removedDevice(t *trial) {
	old := t.createDevice()
	neighbour := t.createDevice(func(d *store.Device) {
		d.UserCode, d.ExpiresAt = t.alike(old.UserCode, 2), t.after(2*deviceLifetime)
	})
	used := t.polls(old, time.Second, false, "polling")
	used = t.polls(used, time.Second, true, "polling too soon")
	t.decides(used, t.approval(used, time.Minute), "allowing")
	t.deletes(1, old.ExpiresAt, 10, "a cleanup")
	t.noDevice(old, "a device that was removed")
	t.findsDevice(neighbour, "a device with the tag of one that was removed")

	next := t.createDevice(func(d *store.Device) {
		d.UserCode, d.ApplicationID, d.ExpiresAt = old.UserCode, otherApp, t.after(2*deviceLifetime)
	})
	t.findsDevice(next, "a device with the user code of one that was removed")
	t.noPoll(next, t.poll(old, time.Second), store.ErrNotFound, "polling a device that was removed and whose user code is another one's")
	next = t.polls(next, time.Second, false, "the first poll of a device with the user code of one that was removed")
	t.decides(next, t.denial(next, time.Minute), "denying a device with the user code of one that was removed")

	again := t.createDevice(func(d *store.Device) {
		d.ID, d.UserCode, d.ExpiresAt = old.ID, t.alike(old.UserCode, 2), t.after(2*deviceLifetime)
	})
	t.findsDevice(again, "a device with the id of one that was removed")
	again = t.polls(again, 0, false, "the first poll of a device with the id of one that was removed")
	t.decides(again, t.denial(again, time.Minute), "denying a device with the id of one that was removed")

	t.deletes(3, t.after(2*deviceLifetime), 10, "a cleanup of the later devices")
	t.noDevice(again, "a later device that was removed")
}

func deviceCleanupBounded(t *trial) {
	const many = 23
	living := t.createDevice()
	var expired []store.Device
	for range many {
		expired = append(expired, t.createDevice(func(d *store.Device) { d.ExpiresAt = t.start }))
	}
	for removed := 0; removed < many; {
		want := min(5, many-removed)
		t.deletes(want, t.start, 5, "a cleanup of at most 5 when %d are left", many-removed)
		removed += want
		left := 0
		for _, d := range expired {
			if _, err := t.FindDevice(t.Context(), d.UserCode); err == nil {
				left++
			} else {
				t.fails(err, store.ErrNotFound, "finding a device that may have been removed")
			}
		}
		t.equal(left, many-removed, "the number of devices left when %d of %d were removed", removed, many)
	}
	t.deletes(0, t.start, 5, "a cleanup after the last")
	t.findsDevice(living, "a device that lives, after many were removed")

	t.createDevice(func(d *store.Device) { d.ExpiresAt = t.start })
	t.createDevice(func(d *store.Device) { d.ExpiresAt = t.start })
	t.deletes(2, t.start, 2, "a cleanup of at most 2 when 2 are left")
	t.deletes(0, t.start, 2, "a cleanup of at most 2 when none is left")
}

func deviceCleanupWithoutLimit(t *trial) {
	d := t.createDevice(func(d *store.Device) { d.ExpiresAt = t.start })
	for _, limit := range []int{0, -1, -1000} {
		if n, err := t.DeleteDevices(t.Context(), t.after(time.Hour), limit); err == nil {
			t.errorf("a cleanup with a limit of %d: got %d and no error", limit, n)
		}
		t.findsDevice(d, "after a cleanup with a limit of %d", limit)
	}
}
