package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

const decideDeviceSQL = `
with found as materialized (
  select * from oauth_devices where id = $1::uuid for update
), d as materialized (
  select id, case
    when decided_at is not null and grant_id is not distinct from $2::uuid then 'decided before'
    when decided_at is not null then 'conflict'
    when expires_at <= $3::timestamptz then 'expired'
    else 'decided' end as outcome
  from found
), decide as (
  update oauth_devices t set decided_at = $3::timestamptz, grant_id = $2::uuid
  from d where t.id = d.id and d.outcome = 'decided'
)
select outcome from d`

func (p postgres) decideDevice(ctx context.Context, d store.DeviceDecision) error {
	var outcome string
	err := p.row(ctx, decideDeviceSQL, []any{p.dialect.deviceID(d.ID), p.dialect.idOrNull(d.GrantID), p.dialect.time(d.At)}, []any{&outcome})
	if err == nil {
		err = refusals[outcome]
	}
	return err
}

const pollDeviceSQL = `
with found as materialized (
  select * from oauth_devices where id = $1::uuid and code = $2::bytea for update
), d as materialized (
  select found.*, application_id = $3::text as own,
    coalesce(polled_at + poll_interval * interval '1 microsecond' > $4::timestamptz, false) as too_soon
  from found
), poll as (
  update oauth_devices t set polled_at = $4::timestamptz,
    poll_interval = d.poll_interval + case when d.too_soon then $5::bigint else 0 end
  from d where t.id = d.id and d.own
)
select d.own, d.too_soon, ` + deviceColumns + ` from d`

func (p postgres) pollDevice(ctx context.Context, poll store.DevicePoll) (store.PolledDevice, error) {
	var d store.Device
	var own, tooSoon bool
	err := p.row(ctx, pollDeviceSQL, []any{
		p.dialect.deviceID(poll.ID), poll.Code[:], poll.ApplicationID, p.dialect.time(poll.At), poll.SlowDown.Microseconds(),
	}, append([]any{&own, &tooSoon}, intoDevice(&d)...))
	if err == nil && !own {
		err = store.ErrMismatch
	}
	return polled(d, poll, tooSoon), err
}

// deleteDevicesSQL waits for rows that somebody else has locked, each for as
// long as one statement, and looks for others in place of those that are gone
// by then: so if it finds too few, none is left.
const deleteDevicesSQL = `
with due as materialized (
  select id from oauth_devices where expires_at <= $1::timestamptz order by expires_at limit %d for update
)
delete from oauth_devices d using due where d.id = due.id`

func (p postgres) deleteDevices(ctx context.Context, before time.Time, limit int) (int64, error) {
	return p.exec(ctx, p.db, fmt.Sprintf(deleteDevicesSQL, limit), p.dialect.time(before))
}
