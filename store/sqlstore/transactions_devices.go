package sqlstore

import (
	"context"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

const lockDeviceSQL = `select ` + deviceColumns + ` from oauth_devices d where d.id = $1`

func (t transactions) decideDevice(ctx context.Context, decision store.DeviceDecision) error {
	return t.do(ctx, func(q querier) error {
		id := t.dialect.deviceID(decision.ID)
		var d store.Device
		if err := t.row(ctx, q, lockDeviceSQL+t.locking(), []any{id}, intoDevice(&d)); err != nil {
			return err
		}
		switch {
		case !d.DecidedAt.IsZero() && d.GrantID == decision.GrantID:
			return nil
		case !d.DecidedAt.IsZero():
			return store.ErrConflict
		case !cut(decision.At).Before(d.ExpiresAt):
			return store.ErrExpired
		}
		_, err := t.exec(ctx, q, `update oauth_devices set decided_at = $1, grant_id = $2 where id = $3`,
			t.dialect.time(decision.At), t.dialect.idOrNull(decision.GrantID), id)
		return err
	})
}

func (t transactions) pollDevice(ctx context.Context, p store.DevicePoll) (out store.PolledDevice, err error) {
	err = t.do(ctx, func(q querier) error {
		id := t.dialect.deviceID(p.ID)
		var d store.Device
		if err := t.row(ctx, q, lockDeviceSQL+` and d.code = $2`+t.locking(), []any{id, p.Code[:]}, intoDevice(&d)); err != nil {
			return err
		}
		if d.ApplicationID != p.ApplicationID {
			return store.ErrMismatch
		}
		out = polled(d, p, !d.PolledAt.IsZero() && cut(p.At).Sub(d.PolledAt) < d.Interval)
		_, err := t.exec(ctx, q, `update oauth_devices set polled_at = $1, poll_interval = $2 where id = $3`,
			t.dialect.time(out.PolledAt), out.Interval.Microseconds(), id)
		return err
	})
	return out, err
}

func (t transactions) deleteDevices(ctx context.Context, before time.Time, limit int) (deleted int64, err error) {
	text := `delete from oauth_devices where expires_at <= $1 order by expires_at limit $2`
	if t.dialect == SQLite {
		text = `delete from oauth_devices where id in (select id from oauth_devices where expires_at <= $1 order by expires_at limit $2)`
	}
	err = t.do(ctx, func(q querier) (err error) {
		deleted, err = t.exec(ctx, q, text, t.dialect.time(before), limit)
		return err
	})
	return deleted, err
}
