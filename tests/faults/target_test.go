package faults

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// target says where a host keeps its records. The host's process gets it as
// JSON.
type target struct {
	Kind   string // "postgres", "lib/pq", "mysql", "sqlite", "redis", "cluster", or "sentinel"
	Source string // the driver's connection string, or the addresses of a Redis server or of its sentinels
	Prefix string // of tables or keys
}

var sqlKinds = map[string]struct {
	driver  string
	dialect sqlstore.Dialect
}{
	"postgres": {"pgx", sqlstore.Postgres},
	"lib/pq":   {"postgres", sqlstore.Postgres},
	"mysql":    {"mysql", sqlstore.MySQL},
	"sqlite":   {"sqlite", sqlstore.SQLite},
}

// poolSize is the most connections of each process. It is small, so that
// requests also wait for a connection, and so that all tests together stay far
// below what a database allows.
const poolSize = 5

// opened is a store and its pool or Redis client.
type opened struct {
	store.Store
	db    *sql.DB
	redis redis.UniversalClient
}

func (o opened) close() {
	if o.db != nil {
		o.db.Close()
	}
	if o.redis != nil {
		o.redis.Close()
	}
}

// open opens the store and creates its tables.
func (at target) open(ctx context.Context) (opened, error) {
	if !at.isSQL() {
		client := redis.NewUniversalClient(&redis.UniversalOptions{
			Addrs: strings.Split(at.Source, ","), IsClusterMode: at.Kind == "cluster",
			MasterName: map[string]string{"sentinel": sentinelName}[at.Kind], PoolSize: poolSize,
		})
		s, err := redisstore.New(client, redisstore.Options{Prefix: at.Prefix})
		return opened{Store: s, redis: client}, err
	}
	db, err := at.connect()
	if err != nil {
		return opened{}, err
	}
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	s, err := sqlstore.New(db, sqlKinds[at.Kind].dialect, sqlstore.Options{TablePrefix: at.Prefix})
	if err != nil {
		return opened{}, err
	}
	return opened{Store: s, db: db}, s.Migrate(ctx)
}

// connect opens the database without a store.
func (at target) connect() (*sql.DB, error) { return sql.Open(sqlKinds[at.Kind].driver, at.Source) }

func (at target) isSQL() bool { return sqlKinds[at.Kind].driver != "" }

// address is the host and port of the service.
func (at target) address() string {
	switch at.Kind {
	case "postgres", "lib/pq":
		u, err := url.Parse(at.Source)
		if err != nil {
			panic(err)
		}
		return u.Host
	case "mysql":
		c, err := mysql.ParseDSN(at.Source)
		if err != nil {
			panic(err)
		}
		return c.Addr
	}
	return at.Source
}

// through returns the same target with another address.
func (at target) through(address string) target {
	at.Source = strings.Replace(at.Source, at.address(), address, 1)
	return at
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// newTarget returns an empty target of the kind, which is dropped after the
// test. It skips the test if the service is missing, or fails it in CI.
func newTarget(t testing.TB, kind string) target {
	t.Helper()
	at := target{Kind: kind, Prefix: "f" + strings.ToLower(rand.Text()[:10]) + "_"}
	switch kind {
	case "postgres", "lib/pq":
		at.Source = env("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
	case "mysql":
		at.Source = env("MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test")
	case "sqlite":
		at.Source = "file:" + filepath.Join(t.TempDir(), "latchkey.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"
		return at
	case "postgres serializable":
		at = newTarget(t, "postgres")
		at.Source += "&default_transaction_isolation=serializable"
		return at
	case "cluster":
		at.Source = joined(startCluster(t))
		return at
	case "redis":
		at.Source = env("REDIS_ADDR", "127.0.0.1:6379")
		at.Prefix = "latchkey-" + at.Prefix + ":"
	}
	if err := at.ping(t.Context()); err != nil {
		missing(t, "no %s at %s: %v", kind, at.address(), err)
	}
	t.Cleanup(func() { at.drop(t) })
	return at
}

// missing skips the test because something isn't installed, or fails it in CI.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func (at target) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if at.Kind == "redis" {
		client := redis.NewClient(&redis.Options{Addr: at.Source})
		defer client.Close()
		return client.Ping(ctx).Err()
	}
	db, err := at.connect()
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}

// drop removes everything that the test has created.
func (at target) drop(t testing.TB) {
	ctx := context.Background() // The test's context has ended during cleanup.
	if at.Kind == "redis" {
		client := redis.NewClient(&redis.Options{Addr: at.Source})
		defer client.Close()
		keys := client.Scan(ctx, 0, at.Prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			require.NoError(t, client.Unlink(ctx, keys.Val()).Err())
		}
		require.NoError(t, keys.Err())
		return
	}
	db, err := at.connect()
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(ctx, "select table_name from information_schema.tables where table_name like '"+strings.ReplaceAll(at.Prefix, "_", "|_")+"%' escape '|'")
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	for _, name := range tables {
		_, err := db.ExecContext(ctx, "drop table if exists "+name)
		require.NoError(t, err)
	}
}

// count returns the number from a query of the tests. In it, "p_" stands for
// the prefix of the tables.
func count(t *testing.T, o opened, at target, query string) int {
	t.Helper()
	n := -1
	require.NoError(t, o.db.QueryRowContext(t.Context(), strings.ReplaceAll(query, "p_", at.Prefix)).Scan(&n), "%s", query)
	return n
}

func (at target) String() string { return fmt.Sprintf("%s %s", at.Kind, at.Prefix) }
