package redisstore_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

// Keep applications in your database, and only documents in Redis.
func Example_documentsOnly() {
	client := redis.NewClient(&redis.Options{Addr: cmp.Or(os.Getenv("REDIS_ADDR"), "localhost:6379")})
	defer client.Close()
	documents, err := redisstore.New(client, redisstore.Options{Prefix: "latchkey-example:"})
	if err != nil {
		log.Panic(err)
	}
	var both store.Store = struct {
		store.Applications
		store.Documents
	}{
		Applications: plain.New(), // or the host's SQL database
		Documents:    documents,
	}

	ctx, now := context.Background(), time.Now()
	err = both.Create(ctx, store.Document{
		ID: store.NewID(now, "user_1"), Kind: store.KindGrant, UserID: "user_1", ApplicationID: "app_1",
		CreatedAt: now, LastUsedAt: now, SweepAt: now.Add(time.Hour), Mark: 1,
	})
	if err != nil {
		log.Panic(err)
	}
	count := func() int {
		page, _, err := both.List(ctx, store.Query{Kind: store.KindGrant, ApplicationID: "app_1", Limit: 10})
		if err != nil {
			log.Panic(err)
		}
		return len(page)
	}
	fmt.Println(count(), "grant to the application")
	if err := both.CutOff(ctx, store.CutKey{ApplicationID: "app_1"}, store.CutNumber(now)); err != nil {
		log.Panic(err)
	}
	fmt.Println(count(), "after it was cut off")
	if _, err := both.Sweep(ctx, now.Add(25*time.Hour), 100); err != nil {
		log.Panic(err)
	}
}

// The example needs a Redis server, so a test runs it, which skips without one.
func TestExample(t *testing.T) {
	client := single(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = write
	func() {
		defer func() { os.Stdout = stdout }()
		Example_documentsOnly()
	}()
	write.Close()
	printed, err := io.ReadAll(read)
	require.NoError(t, err)
	require.Equal(t, "1 grant to the application\n0 after it was cut off\n", string(printed))
	require.Empty(t, client.Keys(t.Context(), "latchkey-example:*").Val())
}

// The two halves work independently.
func TestSplitStore(t *testing.T) {
	client := single(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return struct {
			store.Applications
			store.Documents
		}{plain.New(), open(t, client)}
	})
}
