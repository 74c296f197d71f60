package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

func TestCoveringKeys(t *testing.T) {
	full := store.CutKey{UserID: "u", ApplicationID: "a", WorkspaceID: "w"}
	seen := map[store.CutKey]bool{}
	for i, key := range full.Covering() {
		require.Equal(t, i, key.Index())
		require.False(t, seen[key], "%+v is repeated", key)
		seen[key] = true

		count := 0
		for j, wider := range key.Covering() {
			require.Equal(t, j, wider.Index())
			require.True(t, wider.UserID == "" || wider.UserID == key.UserID)
			require.True(t, wider.ApplicationID == "" || wider.ApplicationID == key.ApplicationID)
			require.True(t, wider.WorkspaceID == "" || wider.WorkspaceID == key.WorkspaceID)
			count++
		}
		texts := 0
		for _, text := range []string{key.UserID, key.ApplicationID, key.WorkspaceID} {
			if text != "" {
				texts++
			}
		}
		require.Equal(t, 1<<texts, count, "the number of keys that cover %+v", key)
	}
	require.Len(t, seen, len(store.Cuts{}))
	require.True(t, seen[full] && seen[store.CutKey{}])
	for range full.Covering() {
		break // An iterator must stop when its caller does.
	}
	d := someDocument("user_1")
	require.Equal(t, store.CutKey{UserID: "user_1", ApplicationID: "app_1", WorkspaceID: "space_1"}, d.Key())
}

func TestCutKeyCheck(t *testing.T) {
	require.NoError(t, (store.CutKey{}).Check())
	require.NoError(t, (store.CutKey{UserID: "é", ApplicationID: "|", WorkspaceID: " "}).Check())
	for _, key := range []store.CutKey{{UserID: "secret\x00"}, {ApplicationID: "secret\xff"}, {WorkspaceID: "secret\x00"}} {
		err := key.Check()
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	}
}

// Numbers are compared key by key, and not by their sum or maximum.
func TestExceed(t *testing.T) {
	for _, seen := range []store.Cuts{{}, {1, 2, 3, 4, 5, 6, 7, 8}, {-1, -2, math.MinInt64}} {
		now := seen
		require.False(t, now.Exceed(&seen))
		for i := range seen {
			now = store.Cuts{}
			for j := range now {
				now[j] = seen[j] - min(1, seen[j]-math.MinInt64)
			}
			require.False(t, now.Exceed(&seen), "smaller numbers")
			now[i] = seen[i] + 1
			require.True(t, now.Exceed(&seen), "a greater number at %d, and smaller numbers at the others", i)
		}
	}
}

func TestCutNumbersAreTimes(t *testing.T) {
	number, forever := store.CutNumber(someTime), store.CutForever(someTime)
	require.Equal(t, someTime, store.CutTime(number))
	require.Equal(t, someTime, store.CutTime(forever))
	require.Equal(t, someTime.Add(time.Microsecond), store.CutTime(number+1))
	require.Equal(t, time.UTC, store.CutTime(number).Location())
	require.Less(t, number, store.CutNumber(someTime.Add(time.Microsecond)))
	require.Greater(t, forever, store.CutNumber(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)), "a later cut-off would bring the key back")

	for i := range len(store.Cuts{}) {
		c := store.Cuts{number, number, number, number, number, number, number, number}
		require.False(t, c.Forever())
		c[i] = forever
		require.True(t, c.Forever())
		c[i] = forever + 1
		require.True(t, c.Forever())
	}
	require.False(t, (&store.Cuts{}).Forever())
	user, application := store.CutKey{UserID: "u"}, store.CutKey{ApplicationID: "a"}
	var one store.Cuts
	one[user.Index()], one[application.Index()] = forever, number
	require.True(t, one.ForeverAt(user))
	require.False(t, one.ForeverAt(application))
	require.False(t, one.ForeverAt(store.CutKey{UserID: "u", ApplicationID: "a"}))
}

func TestCutsText(t *testing.T) {
	require.Empty(t, (&store.Cuts{}).String())
	extremes := []int64{0, 1, -1, 127, 128, 1 << 53, store.CutNumber(someTime), store.CutForever(someTime), math.MaxInt64, math.MinInt64}
	for i := range extremes {
		var c store.Cuts
		for j := range c {
			c[j] = extremes[(i+j*3)%len(extremes)]
		}
		again, err := store.ParseCuts(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
		for end := range len(c.String()) {
			part, err := store.ParseCuts(c.String()[:end])
			require.True(t, err != nil || part != c, "a text that was cut short is whole")
		}
	}
	for _, bad := range []string{"\x00", "\x08\x01", "\xff\x01", "\x01\x80", "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x00\x01\x07"} {
		c, err := store.ParseCuts(bad)
		require.ErrorContains(t, err, "damaged", "%q", bad)
		require.Zero(t, c)
	}
}

// Any bytes from a database give numbers or an error, and never a panic.
func FuzzParseCuts(f *testing.F) {
	for _, seed := range []string{"", "\x00\x01", "\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x01\x80", "\x09\x01", "\x01\x01\x01\x02"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := store.ParseCuts(s)
		if err != nil {
			require.Zero(t, c)
			return
		}
		again, err := store.ParseCuts(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
