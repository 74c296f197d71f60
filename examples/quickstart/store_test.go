package main

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// The whole walk works on each store.
func TestWalkOnEachStore(t *testing.T) {
	for _, tt := range []struct{ name, store, needs string }{
		{"memory", "memory", ""},
		{"sqlite", "sqlite:" + filepath.Join(t.TempDir(), "with space.db"), ""},
		{"postgres", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable", "127.0.0.1:5432"},
		{"mysql", "mysql://root@127.0.0.1:3306/test", "127.0.0.1:3306"},
		{"redis", "redis://127.0.0.1:6379/15", "127.0.0.1:6379"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.needs != "" {
				needService(t, tt.needs)
			}
			t.Cleanup(func() { empty(t, tt.store) })
			var out, failure strings.Builder
			require.Equal(t, 0, run(t.Context(), []string{"-walk", "-store", tt.store}, &out, &failure), failure.String())
			require.Contains(t, out.String(), `"object": "oauth_user_info"`)
		})
	}
}

// needService skips a test that cannot run here, and fails it where everything
// has to run.
func needService(t *testing.T, address string) {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		connection.Close()
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("nothing listens on %s", address)
	}
	t.Skipf("nothing listens on %s: this test needs it", address)
}

// empty removes what a walk has left in a service that is there for all tests.
func empty(t *testing.T, name string) {
	switch kind, _, _ := strings.Cut(name, ":"); kind {
	case "postgres", "mysql":
		driver, dsn := "pgx", name
		if kind == "mysql" {
			var err error
			driver = "mysql"
			dsn, err = mysqlDSN(name)
			require.NoError(t, err)
		}
		db, err := sql.Open(driver, dsn)
		require.NoError(t, err)
		defer db.Close()
		for _, table := range []string{"applications", "documents", "cuts", "migrations"} {
			_, err := db.Exec("drop table if exists latchkey_" + table)
			require.NoError(t, err)
		}
	case "redis":
		opts, err := redis.ParseURL(name)
		require.NoError(t, err)
		client := redis.NewClient(opts)
		defer client.Close()
		require.NoError(t, client.FlushDB(context.Background()).Err())
	}
}

// The application is the same after a restart, and the secret it was given then
// works no more.
func TestApplicationsSurviveARestart(t *testing.T) {
	name := "sqlite:" + filepath.Join(t.TempDir(), "kept.db")
	var ids, secrets []string
	for range 2 {
		kept, err := openStore(t.Context(), name)
		require.NoError(t, err)
		h, err := newHost("http://127.0.0.1", kept, 600)
		require.NoError(t, err)
		app, secret, err := h.registerWiki(t.Context(), "http://127.0.0.1/callback")
		require.NoError(t, err)
		ids, secrets = append(ids, app.ClientID), append(secrets, secret.Reveal())
		require.NoError(t, kept.close())
	}
	require.Equal(t, ids[0], ids[1])
	require.NotEqual(t, secrets[0], secrets[1])
}

func TestStoreThatCannotBeUsed(t *testing.T) {
	for name, says := range map[string]string{
		"oracle://x":                         "is not possible",
		"sqlite:":                            "is not possible",
		"sqlite:/nowhere/at/all.db":          "cannot be used",
		"mysql://localhost":                  "is not a URL of MySQL",
		"redis://localhost/x/y":              "is not a URL of Redis",
		"redis://127.0.0.1:1":                "does not answer",
		"postgres://u:hunter2@127.0.0.1:1/x": "cannot be used",
		"oracle://u:hunter2@x":               "is not possible",
	} {
		var out, failure strings.Builder
		require.NotZero(t, run(t.Context(), []string{"-walk", "-store", name}, &out, &failure), name)
		require.Contains(t, failure.String(), says)
		require.NotContains(t, failure.String(), "hunter2")
		require.Equal(t, 1, strings.Count(strings.TrimSpace(failure.String()), "\n")+1, failure.String())
	}
}
