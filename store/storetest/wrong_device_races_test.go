package storetest

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var wrongDeviceRaces = []wrong{
	{"a device is read, then decided on", []string{"device races/of many that decide differently on one device exactly one decides"}, func(f *faulty) {
		var decided cell[store.DeviceID, bool]
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			if _, ok := decided.get(d.ID); ok {
				return f.Devices.DecideDevice(ctx, d)
			}
			pause()
			decided.set(d.ID, true)
			if err := f.Devices.DecideDevice(ctx, d); !errors.Is(err, store.ErrConflict) {
				return err
			}
			return nil
		}
	}},
	{"a user code is looked for, then taken", []string{"device races/of many that create a device with one user code exactly one succeeds"}, func(f *faulty) {
		f.createDevice = func(ctx context.Context, d store.Device) error {
			if _, err := f.Devices.FindDevice(ctx, d.UserCode); err == nil {
				return store.ErrExists
			}
			pause()
			if err := f.Devices.CreateDevice(ctx, d); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}},
	{"a device id is looked for, then taken", []string{"device races/of many that create one device id exactly one succeeds"}, func(f *faulty) {
		var taken cell[store.DeviceID, bool]
		f.createDevice = func(ctx context.Context, d store.Device) error {
			if _, ok := taken.get(d.ID); ok {
				return store.ErrExists
			}
			pause()
			taken.set(d.ID, true)
			if err := f.Devices.CreateDevice(ctx, d); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}},
	{"a device is read, then polled", []string{"device races/of many first polls at one time exactly one is not too soon"}, func(f *faulty) {
		var polled cell[store.DeviceID, bool]
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			_, ok := polled.get(p.ID)
			pause()
			polled.set(p.ID, true)
			result, err := f.Devices.PollDevice(ctx, p)
			if !ok {
				result.TooSoon = false
			}
			return result, err
		}
	}},
	{"an interval is read, then written back", []string{"device races/of many first polls at one time exactly one is not too soon"}, func(f *faulty) {
		var intervals cell[store.DeviceID, time.Duration]
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			before, ok := intervals.get(p.ID)
			pause()
			result, err := f.Devices.PollDevice(ctx, p)
			if !ok {
				before = interval
			}
			if result.TooSoon {
				before += p.SlowDown
			}
			intervals.set(p.ID, before)
			result.Interval = before
			return result, err
		}
	}},
	{"a device is read, then written back by a poll", []string{"device races/a decision beside polls is not lost, nor a poll"}, func(f *faulty) {
		devices := known(f)
		var written cell[store.Hash, store.Device]
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			created, _ := devices.get(p.ID)
			before, _ := f.Devices.FindDevice(ctx, created.UserCode)
			pause()
			result, err := f.Devices.PollDevice(ctx, p)
			written.set(created.UserCode, before)
			return result, err
		}
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			if last, ok := written.get(userCode); ok {
				d.DecidedAt, d.GrantID = last.DecidedAt, last.GrantID
			}
			return d, err
		}
	}},
	{"a cleanup frees user codes after the devices", []string{"device races/a cleanup beside traffic loses no device"}, func(f *faulty) {
		var gone, created cell[store.Hash, bool]
		f.createDevice = func(ctx context.Context, d store.Device) error {
			err := f.Devices.CreateDevice(ctx, d)
			if err == nil {
				created.set(d.UserCode, true)
				gone.set(d.UserCode, false)
			}
			return err
		}
		f.deleteDevices = func(ctx context.Context, before time.Time, limit int) (int, error) {
			created.mu.Lock()
			all := maps.Clone(created.values)
			created.mu.Unlock()
			n, err := f.Devices.DeleteDevices(ctx, before, limit)
			var freed []store.Hash
			for userCode := range all {
				if _, err := f.Devices.FindDevice(ctx, userCode); err != nil {
					freed = append(freed, userCode)
				}
			}
			pause()
			for _, userCode := range freed {
				gone.set(userCode, true)
			}
			return n, err
		}
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			if freed, _ := gone.get(userCode); freed {
				return store.Device{}, store.ErrNotFound
			}
			return f.Devices.FindDevice(ctx, userCode)
		}
	}},
	{"two cleanups count the same device", []string{"device races/a cleanup beside traffic loses no device"}, func(f *faulty) {
		var left cell[string, int]
		f.createDevice = func(ctx context.Context, d store.Device) error {
			err := f.Devices.CreateDevice(ctx, d)
			if err == nil && d.ExpiresAt.Before(d.CreatedAt.Add(tick)) {
				n, _ := left.get("expired")
				left.set("expired", n+1)
			}
			return err
		}
		f.deleteDevices = func(ctx context.Context, before time.Time, limit int) (int, error) {
			n, _ := left.get("expired")
			pause()
			_, err := f.Devices.DeleteDevices(ctx, before, limit)
			counted := min(n, limit)
			left.set("expired", n-counted)
			return counted, err
		}
	}},
	{"a device is read, then written back by a poll, though it was removed", []string{"device races/a step beside a cleanup brings nothing back"}, func(f *faulty) {
		var back cell[store.Hash, store.Device]
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			result, err := f.Devices.PollDevice(ctx, p)
			if err == nil {
				pause()
				back.set(result.UserCode, result.Device)
			}
			return result, err
		}
		f.deleteDevices = func(ctx context.Context, before time.Time, limit int) (int, error) {
			n, err := f.Devices.DeleteDevices(ctx, before, limit)
			back.mu.Lock()
			defer back.mu.Unlock()
			maps.DeleteFunc(back.values, func(_ store.Hash, d store.Device) bool { return !d.ExpiresAt.After(before) })
			return n, err
		}
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			if kept, ok := back.get(userCode); ok && errors.Is(err, store.ErrNotFound) {
				return kept, nil
			}
			return d, err
		}
	}},
}
