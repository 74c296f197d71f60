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
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/acme/acmetest"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
	"github.com/latchkey-go/latchkey/examples/internal/wiki"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost // The race detector makes it slow.
	m.Run()
}

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
			require.Equal(t, 0, run.Run(t.Context(), start, []string{"-walk", "-store", tt.store}, &out, &failure), failure.String())
			require.Contains(t, out.String(), `"object": "oauth_user_info"`)
		})
	}
}

// needService skips a test if a service isn't here. In CI it fails the test.
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

// empty removes the records of a walk from a service that all tests share.
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

// After a restart Wiki has the same application, another secret, and the user's
// grant.
func TestRestart(t *testing.T) {
	name := "sqlite:" + filepath.Join(t.TempDir(), "kept.db")
	p := acmetest.NewPerson(t)
	t.Run("first", func(t *testing.T) {
		says := runtest.Start(t, start, "-addr", "127.0.0.1:0", "-client-addr", "127.0.0.1:0", "-store", name)
		require.Contains(t, says, "kept.db")
		at := runtest.URLs(says)[0]
		page := p.Arrive(p.SignIn(p.Arrive(p.Press(p.Open(at), "Sign in with Acme", nil)), "ada"))
		require.Contains(t, p.Arrive(p.Press(page, "Allow", nil)).Text(), "Welcome, Ada Lovelace")
	})
	var secrets []string
	for range 2 {
		kept, err := openStore(t.Context(), name)
		require.NoError(t, err)
		host, err := acme.New(provider.Config{Issuer: "http://127.0.0.1", Store: kept})
		require.NoError(t, err)
		app, secret, err := register(t.Context(), host.Provider, wiki.Callback("http://127.0.0.1"))
		require.NoError(t, err)
		secrets = append(secrets, secret.Reveal())
		grants, _, err := host.Provider.ListGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"}, "", 0)
		require.NoError(t, err)
		require.Len(t, grants, 1)
		require.Equal(t, app.ID, grants[0].ApplicationID)
		require.NoError(t, kept.close())
	}
	require.NotEqual(t, secrets[0], secrets[1])
}

// The doctor finds no problems in the example.
func TestDoctorFindsNothing(t *testing.T) {
	listener, issuer := acmetest.Listen(t)
	kept, err := openStore(t.Context(), "memory")
	require.NoError(t, err)
	host, err := acme.New(provider.Config{Issuer: issuer, Store: kept})
	require.NoError(t, err)
	acmetest.Serve(t, listener, handler(host))
	require.Empty(t, providertest.Diagnose(t, nil, issuer))
}

func TestStoreThatCannotBeUsed(t *testing.T) {
	for name, says := range map[string]string{
		"oracle://x":                         "isn't supported",
		"sqlite:":                            "isn't supported",
		"sqlite:/nowhere/at/all.db":          "cannot keep records",
		"mysql://localhost":                  "isn't a MySQL URL",
		"redis://localhost/x/y":              "isn't a Redis URL",
		"redis://127.0.0.1:1":                "cannot reach Redis",
		"postgres://u:hunter2@127.0.0.1:1/x": "cannot keep records",
		"oracle://u:hunter2@x":               "isn't supported",
	} {
		var out, failure strings.Builder
		require.NotZero(t, run.Run(t.Context(), start, []string{"-walk", "-store", name}, &out, &failure), name)
		require.Contains(t, failure.String(), says)
		require.NotContains(t, failure.String(), "hunter2")
		require.Equal(t, 1, strings.Count(strings.TrimSpace(failure.String()), "\n")+1, failure.String())
	}
}
