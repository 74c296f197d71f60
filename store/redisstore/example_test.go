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

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// Applications stay where the host has them, and only grants are in Redis.
func Example_grantsOnly() {
	client := redis.NewClient(&redis.Options{Addr: cmp.Or(os.Getenv("REDIS_ADDR"), "localhost:6379")})
	defer client.Close()
	grants, err := redisstore.New(client, redisstore.Options{Prefix: "latchkey-example:"})
	if err != nil {
		log.Panic(err)
	}
	var both store.Store = struct {
		store.Applications
		store.Grants
	}{
		Applications: memory.New(), // or the host's SQL database
		Grants:       grants,
	}

	ctx, now := context.Background(), time.Now().UTC()
	if err := both.CreateApplication(ctx, store.Application{ID: "app_1", ClientID: "wiki", Name: "Wiki"}); err != nil {
		log.Panic(err)
	}
	err = both.CreateGrant(ctx, store.NewGrant{
		Grant: store.Grant{
			ID: store.NewGrantID(now, "user_1"), UserID: "user_1", ApplicationID: "app_1",
			Scopes: scopes.New("email"), CreatedAt: now, LastUsedAt: now, AgreedAt: now,
		},
		Access: &store.NewToken{Hash: store.HashOf(store.KindAccess, [32]byte{1}), ExpiresAt: now.Add(time.Hour)},
	})
	if err != nil {
		log.Panic(err)
	}

	app, err := both.FindClient(ctx, "wiki")
	if err != nil {
		log.Panic(err)
	}
	if err := both.DeleteApplication(ctx, app.ID); err != nil {
		log.Panic(err)
	}
	revoked, err := both.RevokeGrants(ctx, store.GrantFilter{ApplicationID: app.ID}, now)
	if err != nil {
		log.Panic(err)
	}
	fmt.Println(app.Name, "is gone, and so are its grants:", revoked)

	if _, err := both.DeleteExpired(ctx, store.Expiry{Before: now, Limit: 100}); err != nil {
		log.Panic(err)
	}
}

// The example needs a Redis, so it is run by a test, which can do without.
func TestExample(t *testing.T) {
	client := single(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = write
	func() {
		defer func() { os.Stdout = stdout }()
		Example_grantsOnly()
	}()
	write.Close()
	printed, err := io.ReadAll(read)
	require.NoError(t, err)
	require.Equal(t, "Wiki is gone, and so are its grants: 1\n", string(printed))
	require.Empty(t, client.Keys(t.Context(), "latchkey-example:*").Val())
}

// The two halves have no connection.
func TestSplitStore(t *testing.T) {
	client := single(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return struct {
			store.Applications
			store.Grants
		}{memory.New(), open(t, client)}
	})
}
