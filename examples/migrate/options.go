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

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// options are the command line.
type options struct {
	from    string
	file    string
	store   string
	issuer  string
	scopes  string
	secrets string
	dryRun  bool
}

func parseOptions(e *run.Example) (options, error) {
	e.About = "Migrate imports the clients of another provider into Latchkey's store."
	e.Args = "CLIENTS.json"
	var o options
	e.Flags.StringVar(&o.from, "from", "", "where the clients come from: `SOURCE` is clerk, go-oauth2, or fosite (also for Hydra)")
	e.Flags.StringVar(&o.store, "store", "", "the store to import into: sqlite:`FILE` or postgres://...")
	e.Flags.StringVar(&o.issuer, "issuer", "https://app.example.com", "Config.Issuer of your provider")
	e.Flags.StringVar(&o.scopes, "scopes", "", "the `NAMES` of your provider's scopes in addition to the built-in ones, separated by spaces")
	e.Flags.StringVar(&o.secrets, "secrets", "", "a JSON `FILE` of client secrets by client ID, for those that the source doesn't include")
	e.Flags.BoolVar(&o.dryRun, "dry-run", false, "print what would happen and change nothing; -store is optional")
	err := e.Parse()
	o.file = e.Flags.Arg(0)
	switch {
	case err != nil:
		return o, err
	case sources[o.from] == nil:
		return o, run.Usage("-from %q is not supported: use clerk, go-oauth2, or fosite", o.from)
	case o.store == "" && !o.dryRun:
		return o, run.Usage("-store is missing: name a store, or use -dry-run")
	}
	return o, nil
}

// openStore opens the store that -store names. A dry run doesn't change the
// tables, so they must exist.
func openStore(ctx context.Context, name string, dryRun bool) (store.Store, func() error, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	driver, dsn, dialect := "pgx", name, sqlstore.Postgres
	if file, ok := strings.CutPrefix(name, "sqlite:"); ok {
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, nil, err
		}
		u := url.URL{Scheme: "file", Opaque: filepath.ToSlash(path), RawQuery: "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"}
		driver, dsn, dialect = "sqlite", u.String(), sqlstore.SQLite
	} else if !strings.HasPrefix(name, "postgres://") && !strings.HasPrefix(name, "postgresql://") {
		return nil, nil, errors.New("-store is neither sqlite:FILE nor postgres://...: for another store, copy this program and open it there")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	kept, err := sqlstore.New(db, dialect, sqlstore.Options{})
	if err == nil && !dryRun {
		err = kept.Migrate(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("-store: %w", err), db.Close())
	}
	return kept, db.Close, nil
}
