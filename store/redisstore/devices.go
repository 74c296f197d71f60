package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// deviceFields are the fields of a device authorization's hash that make a
// [store.Device].
var deviceFields = []string{"a", "s", "r", "h", "u", "j", "c", "e", "i", "p", "d", "g"}

// device makes a record of the values of deviceFields; ok is false if there is
// no such device authorization.
func (r *reader) device(id store.DeviceID, values []any) (d store.Device, ok bool) {
	text := texts(values, len(deviceFields))
	d = store.Device{
		ID:            id,
		ApplicationID: text[0],
		Scopes:        r.set(text[1]),
		Resource:      text[2],
		Code:          hashOf(text[3]),
		UserCode:      hashOf(text[4]),
		GrantCode:     hashOf(text[5]),
		CreatedAt:     r.time(text[6]),
		ExpiresAt:     r.time(text[7]),
		Interval:      r.duration(text[8]),
		PolledAt:      r.time(text[9]),
		DecidedAt:     r.time(text[10]),
	}
	copy(d.GrantID[:], text[11])
	return d, text[4] != ""
}

// CreateDevice implements [store.Devices].
func (s *Store) CreateDevice(ctx context.Context, d store.Device) error {
	if err := cmp.Or(ctx.Err(), d.Check()); err != nil {
		return err
	}
	args := []any{newAttempt(), deviceMember(d.ID, d.UserCode), number(d.CreatedAt), number(d.ExpiresAt)}
	add := func(field, value string) {
		if value != "" {
			args = append(args, field, value)
		}
	}
	add("a", d.ApplicationID)
	add("s", setText(d.Scopes))
	add("r", d.Resource)
	add("h", string(d.Code[:]))
	add("u", string(d.UserCode[:]))
	add("j", string(d.GrantCode[:]))
	add("c", timeText(d.CreatedAt))
	add("e", timeText(d.ExpiresAt))
	add("i", durationText(d.Interval))
	answer, err := s.run(ctx, createDevice, s.deviceKeys(d.ID, d.UserCode), args...)
	if err != nil {
		return err
	}
	return outcome(answer)
}

// durationText returns a duration as it is kept: its microseconds.
func durationText(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// deviceKeys are all keys that name a device authorization.
func (s *Store) deviceKeys(id store.DeviceID, userCode store.Hash) []string {
	return []string{s.keys.device(id), s.keys.userCode(userCode), s.keys.ends(shardOf(id.Tag()))}
}

// FindDevice implements [store.Devices]. It reads which id has the user code,
// and then what has that id, which may have been removed in between.
func (s *Store) FindDevice(ctx context.Context, userCode store.Hash) (store.Device, error) {
	found, err := await(ctx, func() (string, error) { return s.client.Get(ctx, s.keys.userCode(userCode)).Result() })
	if errors.Is(err, redis.Nil) {
		return store.Device{}, store.ErrNotFound
	}
	if err != nil {
		return store.Device{}, fmt.Errorf("redisstore: %w", err)
	}
	var id store.DeviceID
	copy(id[:], found)
	values, err := await(ctx, func() ([]any, error) { return s.client.HMGet(ctx, s.keys.device(id), deviceFields...).Result() })
	if err != nil {
		return store.Device{}, fmt.Errorf("redisstore: %w", err)
	}
	var r reader
	d, ok := r.device(id, values)
	if !ok || !d.UserCode.Equal(userCode) {
		return store.Device{}, store.ErrNotFound
	}
	return d, r.err
}

// DecideDevice implements [store.Devices].
func (s *Store) DecideDevice(ctx context.Context, d store.DeviceDecision) error {
	if err := cmp.Or(ctx.Err(), d.Check()); err != nil {
		return err
	}
	grant := ""
	if !d.GrantID.IsZero() {
		grant = string(d.GrantID[:])
	}
	answer, err := s.run(ctx, decideDevice, []string{s.keys.device(d.ID)}, grant, number(d.At))
	if err != nil {
		return err
	}
	return outcome(answer)
}

// PollDevice implements [store.Devices].
func (s *Store) PollDevice(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
	if err := cmp.Or(ctx.Err(), p.Check()); err != nil {
		return store.PolledDevice{}, err
	}
	args := []any{newAttempt(), string(p.Code[:]), p.ApplicationID, durationText(p.SlowDown), number(p.At)}
	for _, field := range deviceFields {
		args = append(args, field)
	}
	answer, err := s.run(ctx, pollDevice, []string{s.keys.device(p.ID)}, args...)
	if err != nil {
		return store.PolledDevice{}, err
	}
	list, _ := answer.([]any)
	if len(list) == 0 {
		return store.PolledDevice{}, outcome(answer)
	}
	if err := outcome(list[0]); err != nil {
		return store.PolledDevice{}, err
	}
	var values []any
	if len(list) > 1 {
		values, _ = list[1].([]any)
	}
	var r reader
	d, ok := r.device(p.ID, values)
	if !ok {
		return store.PolledDevice{}, errCorrupt
	}
	return store.PolledDevice{Device: d, TooSoon: list[0] == "too soon"}, r.err
}

// DeleteDevices implements [store.Devices]. One that Redis has let go by itself
// does not count, but its place in the index is cleared.
func (s *Store) DeleteDevices(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, &s.nextDevice, limit, sweepDevice, func(first uint32, n int) ([]call, error) {
		members, err := s.dueIn(ctx, first, n, func(pipe redis.Pipeliner, sh shard) {
			pipe.ZRangeByScore(ctx, s.keys.ends(sh), &redis.ZRangeBy{Min: "-inf", Max: number(before), Count: int64(n)})
		})
		calls := make([]call, len(members))
		for i, m := range members {
			id, userCode := splitDeviceMember(m)
			calls[i] = call{s.deviceKeys(id, userCode), []any{m, string(id[:]), number(before)}}
		}
		return calls, err
	})
}
