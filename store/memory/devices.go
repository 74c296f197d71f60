package memory

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// devices are the device authorizations. There are few at a time, as each
// lives for some minutes, so one lock is enough.
type devices struct {
	mu     sync.Mutex
	byID   map[store.DeviceID]*store.Device
	byCode map[store.Hash]*store.Device // by user code
}

var _ store.Devices = (*Store)(nil)

// CreateDevice implements [store.Devices].
func (s *Store) CreateDevice(ctx context.Context, d store.Device) error {
	if err := cmp.Or(ctx.Err(), d.Check()); err != nil {
		return err
	}
	d = copyOf(d)
	d.CreatedAt, d.ExpiresAt, d.Interval = cut(d.CreatedAt), cut(d.ExpiresAt), d.Interval.Truncate(time.Microsecond)
	ds := &s.devices
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.byID[d.ID] != nil || ds.byCode[d.UserCode] != nil {
		return store.ErrExists
	}
	ds.byID[d.ID], ds.byCode[d.UserCode] = &d, &d
	return nil
}

// FindDevice implements [store.Devices].
func (s *Store) FindDevice(ctx context.Context, userCode store.Hash) (store.Device, error) {
	if err := ctx.Err(); err != nil {
		return store.Device{}, err
	}
	ds := &s.devices
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.byCode[userCode]
	if d == nil {
		return store.Device{}, store.ErrNotFound
	}
	return copyOf(*d), nil
}

// DecideDevice implements [store.Devices].
func (s *Store) DecideDevice(ctx context.Context, decision store.DeviceDecision) error {
	if err := cmp.Or(ctx.Err(), decision.Check()); err != nil {
		return err
	}
	at := cut(decision.At)
	ds := &s.devices
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.byID[decision.ID]
	switch {
	case d == nil:
		return store.ErrNotFound
	case !d.DecidedAt.IsZero() && d.GrantID == decision.GrantID:
		return nil
	case !d.DecidedAt.IsZero():
		return store.ErrConflict
	case !at.Before(d.ExpiresAt):
		return store.ErrExpired
	}
	d.DecidedAt, d.GrantID = at, decision.GrantID
	return nil
}

// PollDevice implements [store.Devices].
func (s *Store) PollDevice(ctx context.Context, poll store.DevicePoll) (store.PolledDevice, error) {
	if err := cmp.Or(ctx.Err(), poll.Check()); err != nil {
		return store.PolledDevice{}, err
	}
	at := cut(poll.At)
	ds := &s.devices
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.byID[poll.ID]
	switch {
	case d == nil || !d.Code.Equal(poll.Code):
		return store.PolledDevice{}, store.ErrNotFound
	case d.ApplicationID != poll.ApplicationID:
		return store.PolledDevice{}, store.ErrMismatch
	}
	tooSoon := !d.PolledAt.IsZero() && at.Sub(d.PolledAt) < d.Interval
	if tooSoon {
		d.Interval += poll.SlowDown.Truncate(time.Microsecond)
	}
	d.PolledAt = at
	return store.PolledDevice{Device: copyOf(*d), TooSoon: tooSoon}, nil
}

// DeleteDevices implements [store.Devices].
func (s *Store) DeleteDevices(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, fmt.Errorf("memory: the limit of a cleanup must be positive, not %d", limit)
	}
	ds := &s.devices
	ds.mu.Lock()
	defer ds.mu.Unlock()
	deleted := 0
	for id, d := range ds.byID {
		if d.ExpiresAt.After(before) {
			continue
		}
		delete(ds.byID, id)
		delete(ds.byCode, d.UserCode)
		if deleted++; deleted == limit {
			break
		}
	}
	return deleted, nil
}

// copyOf returns a copy that shares nothing with d.
func copyOf(d store.Device) store.Device {
	d.Scopes = d.Scopes.Union(nil)
	return d
}
