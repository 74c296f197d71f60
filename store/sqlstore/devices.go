package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var _ store.Devices = (*Store)(nil)

// The columns of a device authorization, of the table or query d, in the order
// in which intoDevice takes them and insertDeviceSQL has them.
const deviceColumns = `d.id, d.code, d.user_code, d.grant_code, d.application_id, d.scopes, d.resource,
  d.created_at, d.expires_at, d.poll_interval, d.polled_at, d.decided_at, d.grant_id`

// intoDevice returns what to scan the columns of a device authorization into.
func intoDevice(d *store.Device) []any {
	return []any{
		idInto{(*store.GrantID)(&d.ID)}, bytesInto{d.Code[:]}, bytesInto{d.UserCode[:]}, bytesInto{d.GrantCode[:]},
		&d.ApplicationID, setInto{&d.Scopes}, &d.Resource, timeInto{&d.CreatedAt}, timeInto{&d.ExpiresAt},
		durationInto{&d.Interval}, timeInto{&d.PolledAt}, timeInto{&d.DecidedAt}, orAbsent{idInto{&d.GrantID}},
	}
}

// A durationInto scans a duration from its number of microseconds.
type durationInto struct{ d *time.Duration }

func (into durationInto) Scan(v any) error {
	err := scanInto((*int64)(into.d), v)
	*into.d *= time.Microsecond
	return err
}

const insertDeviceSQL = `
insert into oauth_devices (id, code, user_code, grant_code, application_id, scopes, resource, created_at, expires_at, poll_interval)
values ($1::uuid, $2::bytea, $3::bytea, $4::bytea, $5::text, $6::text, $7::text, $8::timestamptz, $9::timestamptz, $10::bigint)`

// CreateDevice implements [store.Devices].
func (s *Store) CreateDevice(ctx context.Context, d store.Device) error {
	if err := checkDevice(d); err != nil {
		return err
	}
	row := []any{
		s.dialect.deviceID(d.ID), d.Code[:], d.UserCode[:], d.GrantCode[:], d.ApplicationID, joinSet(d.Scopes), d.Resource,
		s.dialect.time(d.CreatedAt), s.dialect.time(d.ExpiresAt), d.Interval.Microseconds(),
	}
	return s.create(ctx, "create device", insertDeviceSQL, row)
}

// FindDevice implements [store.Devices].
func (s *Store) FindDevice(ctx context.Context, userCode store.Hash) (store.Device, error) {
	var d store.Device
	err := s.try(ctx, "find device", func(ctx context.Context) error {
		return s.row(ctx, s.db, `select `+deviceColumns+` from oauth_devices d where d.user_code = $1::bytea`, []any{userCode[:]}, intoDevice(&d))
	})
	if err != nil {
		return store.Device{}, err
	}
	return d, nil
}

// DecideDevice implements [store.Devices].
func (s *Store) DecideDevice(ctx context.Context, d store.DeviceDecision) error {
	if err := d.Check(); err != nil {
		return err
	}
	return s.try(ctx, "decide device", func(ctx context.Context) error { return s.steps.decideDevice(ctx, d) })
}

// PollDevice implements [store.Devices].
func (s *Store) PollDevice(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
	if err := p.Check(); err != nil {
		return store.PolledDevice{}, err
	}
	p.ApplicationID = presented(p.ApplicationID)

	var out store.PolledDevice
	err := s.try(ctx, "poll device", func(ctx context.Context) (err error) {
		out, err = s.steps.pollDevice(ctx, p)
		return err
	})
	if err != nil {
		return store.PolledDevice{}, err
	}
	return out, nil
}

// polled returns what becomes of a device authorization when it is polled for.
func polled(d store.Device, p store.DevicePoll, tooSoon bool) store.PolledDevice {
	if tooSoon {
		d.Interval += p.SlowDown.Truncate(time.Microsecond)
	}
	d.PolledAt = cut(p.At)
	return store.PolledDevice{Device: d, TooSoon: tooSoon}
}

// DeleteDevices implements [store.Devices].
func (s *Store) DeleteDevices(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, fmt.Errorf("sqlstore: the limit of a cleanup must be positive, not %d", limit)
	}
	var deleted int64
	err := s.try(ctx, "delete devices", func(ctx context.Context) (err error) {
		deleted, err = s.steps.deleteDevices(ctx, before, limit)
		return err
	})
	return int(deleted), err
}

func checkDevice(d store.Device) error {
	return cmp.Or(d.Check(), checkLength(maxID, "device", d.ApplicationID), checkLength(maxText, "device", d.Resource), checkSet("device", d.Scopes))
}
