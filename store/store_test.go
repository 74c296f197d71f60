package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

func TestMicro(t *testing.T) {
	zone := time.FixedZone("one hour ahead", 3600)
	require.Equal(t, time.Date(2026, 11, 22, 11, 0, 0, 123_456_000, time.UTC), store.Micro(time.Date(2026, 11, 22, 12, 0, 0, 123_456_999, zone)))
	require.True(t, store.Micro(time.Time{}).IsZero())
}

func TestIsText(t *testing.T) {
	for _, text := range []string{"", "a", "é", "日本語", "\x01", "\x7f", "\ufffd", "\U0010ffff"} {
		require.True(t, store.IsText(text), "%q", text)
	}
	for _, text := range []string{"\x00", "a\x00", "\xff", "a\xe2\x82", "\xed\xa0\x80"} {
		require.False(t, store.IsText(text), "%q", text)
	}
}

func TestCheckPage(t *testing.T) {
	for _, tt := range []struct{ limit, offset, want int }{{0, 0, store.DefaultLimit}, {1, 5, 1}, {1000, 0, 1000}} {
		limit, err := store.CheckPage(tt.limit, tt.offset)
		require.NoError(t, err)
		require.Equal(t, tt.want, limit)
	}
	for _, tt := range []struct{ limit, offset int }{{-1, 0}, {0, -1}, {-1, -1}} {
		_, err := store.CheckPage(tt.limit, tt.offset)
		require.Error(t, err)
	}
}

func TestCheckSweep(t *testing.T) {
	require.NoError(t, store.CheckSweep(1))
	require.Error(t, store.CheckSweep(0))
	require.Error(t, store.CheckSweep(-1))
}

// A host may keep applications in one place and documents in another.
func ExampleStore() {
	var applications store.Applications = plain.New() // such as the host's database
	var documents store.Documents = plain.New()       // such as Redis

	var both store.Store = struct {
		store.Applications
		store.Documents
	}{applications, documents}

	ctx := context.Background()
	d := store.Document{
		ID: store.NewID(time.Now(), "ann"), Kind: store.KindGrant, UserID: "ann", ApplicationID: "wiki", CreatedAt: time.Now(), Mark: 1,
	}
	fmt.Println(both.CreateApplication(ctx, store.Application{ID: "wiki", ClientID: "wiki"}), both.Create(ctx, d))
	_, err := applications.FindApplication(ctx, "wiki")
	found, _, _ := documents.Find(ctx, d.ID)
	fmt.Println(err, found.UserID)
	// Output:
	// <nil> <nil>
	// <nil> ann
}
