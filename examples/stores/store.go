package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

const storeForms = "memory, sqlite:FILE, postgres://..., mysql://..., or redis://..."

// openedStore is the store that -store names.
type openedStore struct {
	store.Store
	where string // for messages
	close func() error
}

// openStore opens the store that -store names, and creates or updates its tables.
func openStore(ctx context.Context, name string) (openedStore, error) {
	open, err := parseStore(name)
	if err != nil {
		return openedStore{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return open(ctx)
}

// parseStore checks a -store value, and returns a function that opens the store.
func parseStore(name string) (open func(context.Context) (openedStore, error), err error) {
	kind, rest, _ := strings.Cut(name, ":")
	inSQL := func(driver, dsn string, dialect sqlstore.Dialect, where string) func(context.Context) (openedStore, error) {
		return func(ctx context.Context) (openedStore, error) { return openSQL(ctx, driver, dsn, dialect, where) }
	}
	switch {
	case name == "memory":
		return func(context.Context) (openedStore, error) {
			return openedStore{memory.New(), "in memory, until the program ends", func() error { return nil }}, nil
		}, nil
	case kind == "sqlite" && rest != "":
		file, err := filepath.Abs(rest)
		dsn := url.URL{Scheme: "file", Opaque: filepath.ToSlash(file), RawQuery: "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"}
		return inSQL("sqlite", dsn.String(), sqlstore.SQLite, "in the file "+file), err
	case kind == "postgres" || kind == "postgresql":
		return inSQL("pgx", name, sqlstore.Postgres, "in PostgreSQL at "+hostOf(name)), nil
	case kind == "mysql":
		dsn, err := mysqlDSN(name)
		return inSQL("mysql", dsn, sqlstore.MySQL, "in MySQL at "+hostOf(name)), err
	case kind == "redis" || kind == "rediss":
		opts, err := redis.ParseURL(name)
		if err != nil {
			return nil, run.Usage("-store %s isn't a Redis URL, such as redis://localhost:6379/0", hide(name))
		}
		return func(ctx context.Context) (openedStore, error) { return openRedis(ctx, opts) }, nil
	}
	return nil, run.Usage("-store %s isn't supported: use %s", hide(name), storeForms)
}

func openRedis(ctx context.Context, opts *redis.Options) (openedStore, error) {
	client := redis.NewClient(opts)
	if err := client.Ping(ctx).Err(); err != nil {
		return openedStore{}, errors.Join(fmt.Errorf("-store: cannot reach Redis at %s: %w", opts.Addr, err), client.Close())
	}
	kept, err := redisstore.New(client, redisstore.Options{})
	return openedStore{kept, "in Redis at " + opts.Addr, client.Close}, err
}

func openSQL(ctx context.Context, driver, dsn string, dialect sqlstore.Dialect, where string) (openedStore, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return openedStore{}, run.Usage("-store: %w", err)
	}
	kept, err := sqlstore.New(db, dialect, sqlstore.Options{})
	if err == nil {
		// If your app has its own migrations, use sqlstore.Schema instead.
		err = kept.Migrate(ctx)
	}
	if err != nil {
		return openedStore{}, errors.Join(fmt.Errorf("-store: cannot keep records %s: %w", where, err), db.Close())
	}
	return openedStore{kept, where, db.Close}, nil
}

// mysqlDSN turns mysql://user:password@host:port/database into the driver's format.
func mysqlDSN(name string) (string, error) {
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || len(u.Path) < 2 {
		return "", run.Usage("-store %s isn't a MySQL URL, such as mysql://user:password@localhost:3306/database", hide(name))
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User = "tcp", u.Host, u.Path[1:], u.User.Username()
	c.Passwd, _ = u.User.Password()
	if u.Port() == "" {
		c.Addr = u.Hostname() + ":3306"
	}
	return c.FormatDSN(), nil
}

// hostOf returns the parts of a database's URL that aren't secret.
func hostOf(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "an unreadable URL"
	}
	return u.Host + u.Path
}

// hide returns a -store value without its password.
func hide(name string) string {
	if u, err := url.Parse(name); err == nil && u.User != nil {
		return fmt.Sprintf("%q", u.Redacted())
	}
	return fmt.Sprintf("%q", name)
}
