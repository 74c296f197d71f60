package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// creating makes every device pass through edit before it is created.
func creating(f *faulty, edit func(*store.Device)) {
	f.createDevice = func(ctx context.Context, d store.Device) error {
		edit(&d)
		return f.Devices.CreateDevice(ctx, d)
	}
}

// returned makes every device that is found or polled pass through edit.
func returned(f *faulty, edit func(*store.Device)) {
	f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
		d, err := f.Devices.FindDevice(ctx, userCode)
		edit(&d)
		return d, err
	}
	f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
		polled, err := f.Devices.PollDevice(ctx, p)
		edit(&polled.Device)
		return polled, err
	}
}

// known remembers the devices as they were created.
func known(f *faulty) *cell[store.DeviceID, store.Device] {
	var devices cell[store.DeviceID, store.Device]
	f.createDevice = func(ctx context.Context, d store.Device) error {
		err := f.Devices.CreateDevice(ctx, d)
		if err == nil {
			devices.set(d.ID, d)
		}
		return err
	}
	return &devices
}

var wrongDevices = []wrong{
	{"a device loses its resource", []string{"devices/a device comes back as it was kept"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Resource = "" })
	}},
	{"a grant's code is taken for the device's", []string{"devices/a device comes back as it was kept"}, func(f *faulty) {
		returned(f, func(d *store.Device) { d.GrantCode = d.Code })
	}},
	{"an absent device is the zero one", []string{"devices/a device that is not there is not found"}, func(f *faulty) {
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return d, err
		}
	}},
	{"a device is found by its tag", []string{
		"devices/a device that is not there is not found", "devices/an id and a user code are taken once", "device cleanup/nothing is left of a device that was removed",
	}, func(f *faulty) {
		codes := map[uint16]store.Hash{}
		creating(f, func(d *store.Device) { codes[d.ID.Tag()] = d.UserCode })
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			return f.Devices.FindDevice(ctx, codes[store.DeviceTag(userCode)])
		}
	}},
	{"a device is decided on by its tag", []string{"devices/devices whose ids share a tag are told apart"}, func(f *faulty) {
		ids := map[uint16]store.DeviceID{}
		creating(f, func(d *store.Device) { ids[d.ID.Tag()] = d.ID })
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			d.ID = ids[d.ID.Tag()]
			return f.Devices.DecideDevice(ctx, d)
		}
	}},
	{"creating a device that is there is no error", []string{
		"devices/an id and a user code are taken once", "devices/an expired device keeps its id and user code until it is removed",
	}, func(f *faulty) {
		f.createDevice = func(ctx context.Context, d store.Device) error {
			err := f.Devices.CreateDevice(ctx, d)
			if errors.Is(err, store.ErrExists) {
				err = nil
			}
			return err
		}
	}},
	{"a device with a taken id gets another one", []string{"devices/an id and a user code are taken once"}, func(f *faulty) {
		f.createDevice = func(ctx context.Context, d store.Device) error {
			err := f.Devices.CreateDevice(ctx, d)
			if errors.Is(err, store.ErrExists) {
				d.ID = store.NewDeviceID(d.CreatedAt, d.UserCode)
				err = f.Devices.CreateDevice(ctx, d)
			}
			return err
		}
	}},
	{"a device that was refused keeps its user code", []string{"devices/an id and a user code are taken once"}, func(f *faulty) {
		taken := map[store.Hash]bool{}
		f.createDevice = func(ctx context.Context, d store.Device) error {
			if taken[d.UserCode] {
				return store.ErrExists
			}
			taken[d.UserCode] = true
			return f.Devices.CreateDevice(ctx, d)
		}
	}},
	{"expired devices make room", []string{"devices/an expired device keeps its id and user code until it is removed"}, func(f *faulty) {
		f.createDevice = func(ctx context.Context, d store.Device) error {
			f.Devices.DeleteDevices(ctx, d.CreatedAt, 1000)
			return f.Devices.CreateDevice(ctx, d)
		}
	}},
	{"expired devices are hidden", []string{"devices/a device is found expired and decided on too"}, func(f *faulty) {
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			if err == nil && d.ExpiresAt.Before(time.Now()) {
				return store.Device{}, store.ErrNotFound
			}
			return d, err
		}
	}},
	{"decided devices are hidden", []string{
		"devices/a device is found expired and decided on too", "decisions/a user allows or denies a device",
	}, func(f *faulty) {
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			if err == nil && !d.DecidedAt.IsZero() {
				return store.Device{}, store.ErrNotFound
			}
			return d, err
		}
	}},
	{"finding a device is a poll", []string{"devices/finding a device changes nothing"}, func(f *faulty) {
		f.findDevice = func(ctx context.Context, userCode store.Hash) (store.Device, error) {
			d, err := f.Devices.FindDevice(ctx, userCode)
			f.Devices.PollDevice(ctx, store.DevicePoll{ID: d.ID, Code: d.Code, ApplicationID: d.ApplicationID, At: d.CreatedAt})
			return d, err
		}
	}},
	{"an id is mended", []string{"devices/what no backend keeps is refused"}, func(f *faulty) {
		creating(f, func(d *store.Device) {
			if d.ID.Tag() != store.DeviceTag(d.UserCode) {
				d.ID = store.NewDeviceID(d.CreatedAt, d.UserCode)
			}
		})
	}},
	{"a negative interval is none", []string{"devices/what no backend keeps is refused"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Interval = max(d.Interval, 0) })
	}},
	{"a device that was decided on may be created", []string{"devices/what no backend keeps is refused"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.DecidedAt = time.Time{} })
	}},
	{"a decision at no time is one now", []string{"devices/what no backend keeps is refused"}, func(f *faulty) {
		f.decideDevice = func(ctx context.Context, d store.DeviceDecision) error {
			if d.At.IsZero() {
				d.At = time.Now()
			}
			return f.Devices.DecideDevice(ctx, d)
		}
	}},
	{"a poll at no time is one now", []string{"devices/what no backend keeps is refused"}, func(f *faulty) {
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			if p.At.IsZero() {
				p.At = time.Now()
			}
			return f.Devices.PollDevice(ctx, p)
		}
	}},
	{"an interval may be asked to become shorter", []string{"devices/what no backend keeps is refused"}, func(f *faulty) {
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			p.SlowDown = max(p.SlowDown, 0)
			return f.Devices.PollDevice(ctx, p)
		}
	}},
}

var wrongDeviceValues = []wrong{
	{"the scopes of a device that was passed in are kept as they are", []string{"device values/what was passed in or returned may be changed"}, func(f *faulty) {
		devices := known(f)
		returned(f, func(d *store.Device) {
			kept, _ := devices.get(d.ID)
			d.Scopes = kept.Scopes
		})
	}},
	{"the scopes of a device that is returned are the kept ones", []string{"device values/what was passed in or returned may be changed"}, func(f *faulty) {
		kept := map[store.DeviceID]scopes.Set{}
		returned(f, func(d *store.Device) {
			if _, ok := kept[d.ID]; !ok {
				kept[d.ID] = d.Scopes
			}
			d.Scopes = kept[d.ID]
		})
	}},
	{"a poll does not look at the context", []string{"device values/nothing is done to a device once the context has ended"}, func(f *faulty) {
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			return f.Devices.PollDevice(context.WithoutCancel(ctx), p)
		}
	}},
	{"a cleanup of devices looks at the context when it is done", []string{"device values/nothing is done to a device once the context has ended"}, func(f *faulty) {
		f.deleteDevices = func(ctx context.Context, before time.Time, limit int) (int, error) {
			n, err := f.Devices.DeleteDevices(context.WithoutCancel(ctx), before, limit)
			if err == nil {
				err = ctx.Err()
			}
			return n, err
		}
	}},
	{"times of a device are kept to the millisecond", []string{
		"device values/times are kept in UTC to the microsecond", "devices/a device comes back as it was kept",
	}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.ExpiresAt = d.ExpiresAt.Truncate(time.Millisecond) })
	}},
	{"times of a device are rounded", []string{"device values/times are kept in UTC to the microsecond"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.ExpiresAt = d.ExpiresAt.Round(time.Microsecond) })
	}},
	{"the time of a poll is rounded", []string{"device values/times are kept in UTC to the microsecond"}, func(f *faulty) {
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			p.At = p.At.Round(time.Microsecond)
			return f.Devices.PollDevice(ctx, p)
		}
	}},
	{"times of a device come back in another zone", []string{"device values/times are kept in UTC to the microsecond"}, func(f *faulty) {
		returned(f, func(d *store.Device) { d.CreatedAt = d.CreatedAt.In(time.FixedZone("", 3600)) })
	}},
	{"intervals are kept to the second", []string{"device values/intervals are kept to the microsecond"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Interval = d.Interval.Truncate(time.Second) })
	}},
	{"an interval grows by whole seconds", []string{"device values/intervals are kept to the microsecond"}, func(f *faulty) {
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			p.SlowDown = p.SlowDown.Truncate(time.Second)
			return f.Devices.PollDevice(ctx, p)
		}
	}},
	{"a device's resource is trimmed", []string{"device values/texts of a device come back byte for byte"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Resource = strings.TrimSpace(d.Resource) })
	}},
	{"a device's scopes are kept with commas between", []string{"device values/texts of a device come back byte for byte"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Scopes = scopes.New(strings.Split(strings.Join(d.Scopes, ","), ",")...) })
	}},
	{"a device's resource is cut after 255 bytes", []string{"device values/long texts of a device are kept whole"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Resource = d.Resource[:min(len(d.Resource), 255)] })
	}},
	{"a device's resource is mended", []string{"device values/texts of a device with NUL or invalid UTF-8 are refused"}, func(f *faulty) {
		creating(f, func(d *store.Device) { d.Resource = strings.ToValidUTF8(d.Resource, "?") })
	}},
	{"a device's scopes end at NUL", []string{"device values/texts of a device with NUL or invalid UTF-8 are refused"}, func(f *faulty) {
		creating(f, func(d *store.Device) {
			set := scopes.New(d.Scopes...)
			for i := range set {
				set[i], _, _ = strings.Cut(set[i], "\x00")
			}
			d.Scopes = set
		})
	}},
	{"the hashes of a device end at NUL", []string{"device values/hashes of all bytes are kept for a device"}, func(f *faulty) {
		cut := func(h store.Hash) (short store.Hash) {
			before, _, _ := bytes.Cut(h[:], []byte{0})
			copy(short[:], before)
			return short
		}
		creating(f, func(d *store.Device) { d.Code = cut(d.Code) })
		f.pollDevice = func(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
			p.Code = cut(p.Code)
			return f.Devices.PollDevice(ctx, p)
		}
	}},
}
