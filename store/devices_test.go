package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

func TestDeviceIDsCarryTheTagOfTheUserCode(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 123_456_000, time.UTC)
	userCode := store.Hash{0xab, 0xcd, 0xef}
	seen := map[store.DeviceID]bool{}
	for range 1000 {
		id := store.NewDeviceID(at, userCode)
		require.Equal(t, uint16(0xabcd), id.Tag())
		require.False(t, seen[id], "an id was made twice")
		require.False(t, id.IsZero())
		seen[id] = true

		laidOut := store.GrantID(id)
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, laidOut.String())
		later := store.NewDeviceID(at.Add(time.Microsecond), store.Hash{})
		require.Less(t, string(id[:8]), string(later[:8]), "ids do not sort by time")
	}
	require.Equal(t, uint16(0xabcd), store.DeviceTag(userCode))
	require.NotEqual(t, store.DeviceTag(userCode), store.DeviceTag(store.Hash{0xab, 0xce}))
	require.True(t, store.DeviceID{}.IsZero())
}

func TestDeviceCheckRefusesWhatNoBackendKeeps(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	userCode := store.Hash{1, 2, 3}
	right := store.Device{
		ID: store.NewDeviceID(at, userCode), Code: store.Hash{4}, UserCode: userCode, GrantCode: store.Hash{5},
		ApplicationID: "app_1", Scopes: []string{"email"}, Resource: "https://api.example.com",
		CreatedAt: at, ExpiresAt: at.Add(time.Minute), Interval: 5 * time.Second,
	}
	require.NoError(t, right.Check())
	bare := right
	bare.ApplicationID, bare.Scopes, bare.Resource, bare.Interval = "", nil, "", 0
	require.NoError(t, bare.Check())

	for name, tt := range map[string]struct {
		edit func(*store.Device)
		want string
	}{
		"no id":                      {func(d *store.Device) { d.ID = store.DeviceID{} }, "NewDeviceID"},
		"an id of another user code": {func(d *store.Device) { d.ID = store.NewDeviceID(at, store.Hash{9}) }, "NewDeviceID"},
		"another user code":          {func(d *store.Device) { d.UserCode = store.Hash{9} }, "NewDeviceID"},
		"no user code":               {func(d *store.Device) { d.UserCode, d.ID = store.Hash{}, store.NewDeviceID(at, store.Hash{}) }, "without a hash"},
		"no id and no user code":     {func(d *store.Device) { d.UserCode, d.ID = store.Hash{}, store.DeviceID{} }, "NewDeviceID"},
		"no device code":             {func(d *store.Device) { d.Code = store.Hash{} }, "without a hash"},
		"no code of a grant":         {func(d *store.Device) { d.GrantCode = store.Hash{} }, "without a hash"},
		"a negative interval":        {func(d *store.Device) { d.Interval = -1 }, "interval"},
		"a decision":                 {func(d *store.Device) { d.DecidedAt = at }, "decided"},
		"a grant":                    {func(d *store.Device) { d.GrantID = store.NewGrantID(at, "user_1") }, "decided"},
		"a poll":                     {func(d *store.Device) { d.PolledAt = at }, "polled"},
		"no creation":                {func(d *store.Device) { d.CreatedAt = time.Time{} }, "time"},
		"no expiry":                  {func(d *store.Device) { d.ExpiresAt = time.Time{} }, "time"},
		"NUL in the application":     {func(d *store.Device) { d.ApplicationID = "a\x00b" }, "text of the device"},
		"a scope that is no UTF-8":   {func(d *store.Device) { d.Scopes = []string{"email", "\xff"} }, "text of the device"},
		"half a rune at the end":     {func(d *store.Device) { d.Resource = "\xe2\x82" }, "text of the device"},
	} {
		d := right
		tt.edit(&d)
		require.ErrorContains(t, d.Check(), tt.want, name)
	}
}

func TestDeviceStepsAtNoTimeAreRefused(t *testing.T) {
	at := time.Now()
	require.NoError(t, store.DeviceDecision{At: at}.Check())
	require.ErrorContains(t, store.DeviceDecision{}.Check(), "time of the step is zero")

	require.NoError(t, store.DevicePoll{At: at}.Check())
	require.NoError(t, store.DevicePoll{At: at, SlowDown: time.Second}.Check())
	require.ErrorContains(t, store.DevicePoll{}.Check(), "time of the step is zero")
	require.ErrorContains(t, store.DevicePoll{At: at, SlowDown: -1}.Check(), "shorter")
}
