package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const (
	deviceLifetime = 15 * time.Minute
	interval       = 5 * time.Second
)

// authorization returns a device authorization, not created yet.
func authorization(at time.Time) store.Device {
	userCode := randomHash()
	return store.Device{
		ID: store.NewDeviceID(at, userCode), Code: randomHash(), UserCode: userCode, GrantCode: randomHash(), ApplicationID: application,
		Scopes: scopes.New("profile", "email"), CreatedAt: at, ExpiresAt: at.Add(deviceLifetime), Interval: interval,
	}
}

func pollOf(d store.Device, at time.Time) store.DevicePoll {
	return store.DevicePoll{ID: d.ID, Code: d.Code, ApplicationID: application, SlowDown: interval, At: at}
}

// deviceKeys returns the keys of a device authorization, without its index.
func deviceKeys(prefix string, d store.Device) []string {
	sh := fmt.Sprintf("%s{%03x}:", prefix, d.ID.Tag()>>6)
	return []string{sh + "d:" + string(d.ID[:]), sh + "u:" + string(d.UserCode[:])}
}

// Redis lets a device authorization go by its own clock, so how long it keeps
// it must depend on nothing but the times that the steps bring.
func TestRedisKeepsDevices(t *testing.T) {
	const day = 24 * time.Hour
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx := t.Context()
	for _, at := range []time.Time{
		time.Now().UTC(), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		about := func(want time.Duration, d store.Device, format string, args ...any) {
			t.Helper()
			for _, key := range deviceKeys(prefix, d) {
				left := client.PTTL(ctx, key).Val()
				require.InDelta(t, want.Seconds(), left.Seconds(), 60, fmt.Sprintf(format, args...))
			}
		}
		d := authorization(at)
		require.NoError(t, s.CreateDevice(ctx, d))
		about(deviceLifetime+day, d, "a device authorization made at %v", at)
		_, err := s.PollDevice(ctx, pollOf(d, at.Add(time.Minute)))
		require.NoError(t, err)
		require.NoError(t, s.DecideDevice(ctx, store.DeviceDecision{ID: d.ID, At: at.Add(time.Minute)}))
		about(deviceLifetime+day, d, "a device authorization made at %v that was polled and decided on", at)

		d = authorization(at)
		d.ExpiresAt = at.Add(-time.Hour)
		require.NoError(t, s.CreateDevice(ctx, d))
		about(day, d, "a device authorization that had expired at %v", at)
	}
	checkKeys(t, client, prefix)
}

// Where no cleanup runs for a day, the index outlives device authorizations. A
// cleanup clears what is left of them, counts what is there, and leaves alone
// who has one of their user codes by now.
func TestIndexOutlivesDevices(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	const all, let = 450, 250
	var heir store.Device
	for i := range all {
		d := authorization(at)
		require.NoError(t, s.CreateDevice(ctx, d))
		if i < let {
			require.EqualValues(t, 2, client.Del(ctx, deviceKeys(prefix, d)...).Val())
		}
		if i == 0 {
			heir = authorization(at.Add(time.Hour))
			heir.ID, heir.UserCode = store.NewDeviceID(at, d.UserCode), d.UserCode
			require.NoError(t, s.CreateDevice(ctx, heir))
		}
	}

	deleted, err := s.DeleteDevices(ctx, at.Add(deviceLifetime), 2*all)
	require.NoError(t, err)
	require.Equal(t, all-let, deleted)
	checkKeys(t, client, prefix)
	found, err := s.FindDevice(ctx, heir.UserCode)
	require.NoError(t, err)
	require.Equal(t, heir.ID, found.ID)

	deleted, err = s.DeleteDevices(ctx, heir.ExpiresAt, 1)
	require.NoError(t, err)
	require.Equal(t, 1, deleted)
	require.Empty(t, client.Keys(ctx, prefix+"*").Val(), "keys that are left of nothing")
}

// A device authorization that is removed while it is being found is not found,
// even if its id leads to another one by then.
func TestDeviceThatGoesWhileItIsFound(t *testing.T) {
	client := single(t)
	s, _ := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	d := authorization(at)
	require.NoError(t, s.CreateDevice(ctx, d))
	other := authorization(at)
	copy(other.UserCode[:2], d.UserCode[:2])
	other.ID = d.ID

	client.AddHook(&between{name: "get", run: func() {
		deleted, err := s.DeleteDevices(ctx, d.ExpiresAt, 10)
		require.NoError(t, err)
		require.Equal(t, 1, deleted)
		require.NoError(t, s.CreateDevice(ctx, other))
	}})
	_, err := s.FindDevice(ctx, d.UserCode)
	require.ErrorIs(t, err, store.ErrNotFound)
	found, err := s.FindDevice(ctx, other.UserCode)
	require.NoError(t, err)
	require.Equal(t, other.UserCode, found.UserCode)
}

// A cleanup that has seen an expired device authorization leaves alone what has
// come in its place before it is removed.
func TestDeviceThatComesWhileAnotherIsRemoved(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	ctx, at := t.Context(), time.Now().UTC()
	d := authorization(at)
	require.NoError(t, s.CreateDevice(ctx, d))
	later := d
	later.ExpiresAt = d.ExpiresAt.Add(time.Hour)

	client.AddHook(&between{name: "zrangebyscore", run: func() {
		deleted, err := s.DeleteDevices(ctx, d.ExpiresAt, 10)
		require.NoError(t, err)
		require.Equal(t, 1, deleted)
		require.NoError(t, s.CreateDevice(ctx, later))
	}})
	deleted, err := s.DeleteDevices(ctx, d.ExpiresAt, 10)
	require.NoError(t, err)
	require.Zero(t, deleted)
	found, err := s.FindDevice(ctx, d.UserCode)
	require.NoError(t, err)
	require.Equal(t, cutTime(later.ExpiresAt), found.ExpiresAt)
	checkKeys(t, client, prefix)
}

// A between does something once, after the first command of the name, or the
// first pipeline in which one finds something.
type between struct {
	name string
	run  func()
	done atomic.Bool
}

func (*between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == b.name && b.done.CompareAndSwap(false, true) {
			b.run()
		}
		return err
	}
}

func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		found := func(cmd redis.Cmder) bool {
			list, ok := cmd.(*redis.StringSliceCmd)
			return ok && cmd.Name() == b.name && len(list.Val()) > 0
		}
		if slices.ContainsFunc(cmds, found) && b.done.CompareAndSwap(false, true) {
			b.run()
		}
		return err
	}
}

// A promisedDevice is what a worker was told about one device authorization
// before the crash.
type promisedDevice struct {
	d                                 store.Device
	created, polled, decided, removed bool
	decision                          store.DeviceDecision
}

// workOnDevices uses the store until a step fails.
func workOnDevices(s store.Devices, at time.Time, done *atomic.Int64) (all []*promisedDevice) {
	const limit = 1_000
	ctx := context.Background()
	for i := 0; ; i++ {
		p := &promisedDevice{d: authorization(at)}
		p.decision = store.DeviceDecision{ID: p.d.ID, GrantID: store.NewGrantID(at, "user_1"), At: at}
		all = append(all, p)
		if i%5 == 4 {
			p.d.CreatedAt, p.d.ExpiresAt = at.Add(-2*time.Hour), at.Add(-time.Hour)
		}
		if s.CreateDevice(ctx, p.d) != nil {
			return all
		}
		p.created = true
		if i%5 == 4 {
			n, err := s.DeleteDevices(ctx, at.Add(-time.Hour), limit)
			if err != nil {
				return all
			}
			p.removed = n < limit
			done.Add(1)
			continue
		}
		if _, err := s.PollDevice(ctx, pollOf(p.d, at)); err != nil {
			return all
		}
		p.polled = true
		if s.DecideDevice(ctx, p.decision) != nil {
			return all
		}
		p.decided = true
		done.Add(1)
	}
}

// check checks that everything is there that the worker was told.
func (p *promisedDevice) check(t *testing.T, s store.Devices) {
	t.Helper()
	found, err := s.FindDevice(t.Context(), p.d.UserCode)
	if p.d.ExpiresAt.Before(p.decision.At) { // Any worker may have removed it.
		require.True(t, !p.removed || err != nil, "a device authorization that was removed before the crash is there")
		return
	}
	if err != nil {
		require.ErrorIs(t, err, store.ErrNotFound)
		require.False(t, p.created, "a device authorization that was acknowledged is gone")
		return
	}
	require.Equal(t, p.d.Code, found.Code)
	require.True(t, !p.polled || !found.PolledAt.IsZero(), "a poll that was acknowledged is forgotten")
	require.True(t, !p.decided || !found.DecidedAt.IsZero(), "a decision that was acknowledged is forgotten")
	require.Equal(t, !found.DecidedAt.IsZero(), found.GrantID == p.decision.GrantID, "half a decision")
}

// A host plans its memory by how many devices may ask in a day.
func TestBytesPerDevice(t *testing.T) {
	const devices = 10_000
	client := newServer(t).client(t)
	s, prefix := openWithPrefix(t, client)
	at := time.Now().UTC()
	before := usedMemory(t, client)
	var last store.Device
	for range devices {
		last = authorization(at)
		require.NoError(t, s.CreateDevice(t.Context(), last))
		_, err := s.PollDevice(t.Context(), pollOf(last, at))
		require.NoError(t, err)
		require.NoError(t, s.DecideDevice(t.Context(), store.DeviceDecision{ID: last.ID, GrantID: store.NewGrantID(at, "user_1"), At: at}))
	}
	each := (usedMemory(t, client) - before) / devices
	encoding := client.ObjectEncoding(t.Context(), deviceKeys(prefix, last)[0]).Val()
	t.Logf("%d bytes per device authorization with its user code and index, kept as %s", each, encoding)
	require.LessOrEqual(t, each, int64(1_100), "bytes per device authorization")
}
