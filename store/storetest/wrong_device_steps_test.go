package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// polling makes every poll pass through edit first.
func polling(f *faulty, edit func(*store.DevicePoll)) {
	f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
		edit(&p)
		return f.Devices.PollDevice(ctx, p)
	}
}

// judging makes what a poll returns pass through edit, which is told when the
// device polled before; zero: never.
func judging(f *faulty, edit func(polled *store.PolledDevice, last time.Time)) {
	var polls cell[store.DeviceID, time.Time]
	f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
		polled, err := f.Devices.PollDevice(ctx, p)
		if err == nil {
			last, _ := polls.get(p.ID)
			polls.set(p.ID, p.At)
			edit(&polled, last)
		}
		return polled, err
	}
}

var wrongDecisions = []wrong{
	{"a no is not noted", []string{"decisions/a user allows or denies a device"}, func(f *faulty) {
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			if d.GrantID.IsZero() {
				return nil
			}
			return f.Devices.DecideDevice(ctx, d)
		}
	}},
	{"a decision forgets the last poll", []string{"decisions/a user allows or denies a device"}, func(f *faulty) {
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			if !d.DecidedAt.IsZero() {
				d.PolledAt = time.Time{}
			}
			return d, err
		}
	}},
	{"the same decision again is a conflict", []string{
		"decisions/the same decision again changes nothing", "device races/many that decide alike all succeed",
	}, func(f *faulty) {
		var decided cell[store.DeviceID, bool]
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			before, _ := decided.get(d.ID)
			err := f.Devices.DecideDevice(ctx, d)
			decided.set(d.ID, before || err == nil)
			if err == nil && before {
				err = store.ErrConflict
			}
			return err
		}
	}},
	{"the same decision again moves its time", []string{"decisions/the same decision again changes nothing"}, func(f *faulty) {
		decided := map[store.DeviceID]time.Time{}
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			err := f.Devices.DecideDevice(ctx, d)
			if err == nil {
				decided[d.ID] = d.At
			}
			return err
		}
		returned(f, func(d *store.Device) { d.DecidedAt = decided[d.ID] })
	}},
	{"expiry comes before the same decision again and before a conflict", []string{
		"decisions/the same decision again changes nothing", "decisions/a conflict comes before expiry",
	}, func(f *faulty) {
		devices := known(f)
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			if kept, ok := devices.get(d.ID); ok && !d.At.Before(kept.ExpiresAt) {
				return store.ErrExpired
			}
			return f.Devices.DecideDevice(ctx, d)
		}
	}},
	{"the last decision wins", []string{
		"decisions/another decision is a conflict", "device races/of many that decide differently on one device exactly one decides",
	}, func(f *faulty) {
		var decided cell[store.DeviceID, store.DeviceDecision]
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			err := f.Devices.DecideDevice(ctx, d)
			if err == nil || errors.Is(err, store.ErrConflict) {
				decided.set(d.ID, d)
				err = nil
			}
			return err
		}
		returned(f, func(d *store.Device) {
			if last, ok := decided.get(d.ID); ok {
				d.DecidedAt, d.GrantID = last.At, last.GrantID
			}
		})
	}},
	{"a no to what was allowed is taken for the same", []string{"decisions/another decision is a conflict"}, func(f *faulty) {
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			err := f.Devices.DecideDevice(ctx, d)
			if errors.Is(err, store.ErrConflict) && d.GrantID.IsZero() {
				err = nil
			}
			return err
		}
	}},
	{"a decision at the time of expiry is in time", []string{"decisions/a decision at the time of expiry is too late"}, func(f *faulty) {
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			err := f.Devices.DecideDevice(ctx, d)
			if errors.Is(err, store.ErrExpired) {
				d.At = d.At.Add(-tick)
				err = f.Devices.DecideDevice(ctx, d)
			}
			return err
		}
	}},
	{"an absent device is decided on", []string{
		"decisions/a decision on a device that is not there is not found", "devices/a device that is not there is not found",
	}, func(f *faulty) {
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			err := f.Devices.DecideDevice(ctx, d)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return err
		}
	}},
}

var wrongPolls = []wrong{
	{"a poll just after the device was made is too soon", []string{"polls/the first poll is never too soon"}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, _ time.Time) {
			polled.TooSoon = polled.TooSoon || polled.PolledAt.Sub(polled.CreatedAt) < polled.Interval
		})
	}},
	{"a poll just after the interval is too soon", []string{"polls/a poll after the interval is not too soon"}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, last time.Time) {
			polled.TooSoon = polled.TooSoon || polled.PolledAt.Sub(last) == polled.Interval
		})
	}},
	{"no poll is too soon", []string{
		"polls/a poll before the interval has passed is too soon and the interval grows", "polls/a poll before the last one is too soon",
		"polls/expired and decided devices are polled like any other",
	}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, _ time.Time) { polled.TooSoon = false })
	}},
	{"a poll a microsecond too soon is in time", []string{"polls/a poll before the interval has passed is too soon and the interval grows"}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, last time.Time) {
			if polled.PolledAt.Add(tick).Sub(last) == polled.Interval-slowDown {
				polled.TooSoon = false
			}
		})
	}},
	{"an interval does not grow", []string{"polls/a poll before the interval has passed is too soon and the interval grows"}, func(f *faulty) {
		polling(f, func(p *store.DevicePoll) { p.SlowDown = 0 })
	}},
	{"an interval grows once", []string{"polls/a poll before the interval has passed is too soon and the interval grows"}, func(f *faulty) {
		grown := map[store.DeviceID]bool{}
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			if grown[p.ID] {
				p.SlowDown = 0
			}
			polled, err := f.Devices.PollDevice(ctx, p)
			grown[p.ID] = grown[p.ID] || polled.TooSoon
			return polled, err
		}
	}},
	{"a poll that is too soon is not noted", []string{"polls/a poll before the interval has passed is too soon and the interval grows"}, func(f *faulty) {
		var noted cell[store.DeviceID, time.Time]
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			polled, err := f.Devices.PollDevice(ctx, p)
			if err == nil && !polled.TooSoon {
				noted.set(p.ID, p.At)
			}
			polled.PolledAt, _ = noted.get(p.ID)
			return polled, err
		}
	}},
	{"a poll returns the device as it was before", []string{
		"polls/the first poll is never too soon", "polls/a poll after the interval is not too soon",
	}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, last time.Time) { polled.PolledAt = last })
	}},
	{"a poll before the last is in time", []string{"polls/a poll before the last one is too soon"}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, last time.Time) {
			polled.TooSoon = polled.TooSoon && !polled.PolledAt.Before(last)
		})
	}},
	{"whoever knows the id may poll", []string{"polls/a poll with another code is not found and changes nothing"}, func(f *faulty) {
		devices := known(f)
		polling(f, func(p *store.DevicePoll) {
			if d, ok := devices.get(p.ID); ok {
				p.Code = d.Code
			}
		})
	}},
	{"a poll with another code is noted", []string{"polls/a poll with another code is not found and changes nothing"}, func(f *faulty) {
		devices := known(f)
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			polled, err := f.Devices.PollDevice(ctx, p)
			if d, ok := devices.get(p.ID); ok && errors.Is(err, store.ErrNotFound) {
				p.Code = d.Code
				f.Devices.PollDevice(ctx, p)
			}
			return polled, err
		}
	}},
	{"another application learns of a device by its id", []string{"polls/a poll with another code is not found and changes nothing"}, func(f *faulty) {
		devices := known(f)
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			if d, ok := devices.get(p.ID); ok && d.ApplicationID != p.ApplicationID {
				return store.PolledDevice{}, store.ErrMismatch
			}
			return f.Devices.PollDevice(ctx, p)
		}
	}},
	{"any application may poll", []string{
		"polls/a poll by another application is a mismatch and changes nothing",
	}, func(f *faulty) {
		devices := known(f)
		polling(f, func(p *store.DevicePoll) {
			if d, ok := devices.get(p.ID); ok {
				p.ApplicationID = d.ApplicationID
			}
		})
	}},
	{"a poll by another application is noted", []string{"polls/a poll by another application is a mismatch and changes nothing"}, func(f *faulty) {
		devices := known(f)
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			polled, err := f.Devices.PollDevice(ctx, p)
			if errors.Is(err, store.ErrMismatch) {
				d, _ := devices.get(p.ID)
				p.ApplicationID = d.ApplicationID
				f.Devices.PollDevice(ctx, p)
			}
			return polled, err
		}
	}},
	{"applications poll without regard to case", []string{"polls/a poll by another application is a mismatch and changes nothing"}, func(f *faulty) {
		polling(f, func(p *store.DevicePoll) { p.ApplicationID = strings.ToLower(p.ApplicationID) })
	}},
	{"an absent device may poll", []string{"polls/a poll of a device that is not there is not found"}, func(f *faulty) {
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			polled, err := f.Devices.PollDevice(ctx, p)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return polled, err
		}
	}},
	{"an expired device may not poll", []string{"polls/expired and decided devices are polled like any other"}, func(f *faulty) {
		devices := known(f)
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			if d, ok := devices.get(p.ID); ok && !p.At.Before(d.ExpiresAt) {
				return store.PolledDevice{}, store.ErrExpired
			}
			return f.Devices.PollDevice(ctx, p)
		}
	}},
	{"a device that was decided on need not slow down", []string{"polls/expired and decided devices are polled like any other"}, func(f *faulty) {
		judging(f, func(polled *store.PolledDevice, _ time.Time) {
			polled.TooSoon = polled.TooSoon && polled.DecidedAt.IsZero()
		})
	}},
}

// deviceCleaning makes every cleanup of devices be asked for in another way.
func deviceCleaning(f *faulty, edit func(before *time.Time, limit *int)) {
	f.deleteDevices = func(ctx context.Context, before time.Time, limit int) (int, error) {
		edit(&before, &limit)
		return f.Devices.DeleteDevices(ctx, before, limit)
	}
}

var wrongDeviceCleanup = []wrong{
	{"a cleanup removes devices that live", []string{"device cleanup/devices are removed that have expired, and the others stay"}, func(f *faulty) {
		deviceCleaning(f, func(before *time.Time, _ *int) { *before = before.Add(time.Hour) })
	}},
	{"a cleanup does not count devices", []string{"device cleanup/devices are removed that have expired, and the others stay"}, func(f *faulty) {
		f.deleteDevices = func(ctx context.Context, before time.Time, limit int) (int, error) {
			_, err := f.Devices.DeleteDevices(ctx, before, limit)
			return 0, err
		}
	}},
	{"a cleanup leaves what expires just then", []string{"device cleanup/a device is removed at the time of its expiry"}, func(f *faulty) {
		deviceCleaning(f, func(before *time.Time, _ *int) { *before = before.Add(-tick) })
	}},
	{"a cleanup takes what expires a microsecond later", []string{"device cleanup/a device is removed at the time of its expiry"}, func(f *faulty) {
		deviceCleaning(f, func(before *time.Time, _ *int) { *before = before.Add(tick) })
	}},
	{"a removed device keeps its user code", []string{"device cleanup/nothing is left of a device that was removed"}, func(f *faulty) {
		taken := map[store.Hash]bool{}
		f.createDevice = func(ctx context.Context, d store.Device) error {
			if taken[d.UserCode] {
				return store.ErrExists
			}
			taken[d.UserCode] = true
			return f.Devices.CreateDevice(ctx, d)
		}
	}},
	{"a removed device may still be polled", []string{"device cleanup/nothing is left of a device that was removed"}, func(f *faulty) {
		devices := known(f)
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			polled, err := f.Devices.PollDevice(ctx, p)
			if d, ok := devices.get(p.ID); ok && errors.Is(err, store.ErrNotFound) {
				return store.PolledDevice{Device: d}, nil
			}
			return polled, err
		}
	}},
	{"a device inherits what a removed one with its user code was told", []string{"device cleanup/nothing is left of a device that was removed"}, func(f *faulty) {
		told := map[store.Hash]store.DeviceDecision{}
		devices := known(f)
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			kept, _ := devices.get(d.ID)
			told[kept.UserCode] = d
			return f.Devices.DecideDevice(ctx, d)
		}
		returned(f, func(d *store.Device) {
			if last, ok := told[d.UserCode]; ok {
				d.DecidedAt, d.GrantID = last.At, last.GrantID
			}
		})
	}},
	{"a cleanup of devices ignores its limit", []string{
		"device cleanup/a cleanup removes no more devices than its limit, and less only when none is left",
	}, func(f *faulty) {
		deviceCleaning(f, func(_ *time.Time, limit *int) { *limit = max(*limit, 1000) })
	}},
	{"a cleanup of devices stops one short of its limit", []string{
		"device cleanup/a cleanup removes no more devices than its limit, and less only when none is left",
	}, func(f *faulty) {
		deviceCleaning(f, func(_ *time.Time, limit *int) { *limit = max(*limit-1, 1) })
	}},
	{"a cleanup of devices without a limit removes all", []string{"device cleanup/a cleanup of devices without a limit is an error"}, func(f *faulty) {
		deviceCleaning(f, func(_ *time.Time, limit *int) {
			if *limit <= 0 {
				*limit = 1000
			}
		})
	}},
}
