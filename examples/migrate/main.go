// Migrate brings the clients of another provider into the store of one made with
// Latchkey, with their client ids and secrets, so that the clients need not
// change. It reads what Clerk's Backend API lists, the rows of go-oauth2's
// client stores, and clients of fosite and Hydra, as JSON.
//
//	go run ./examples/migrate -from clerk -dry-run clerk.json
//	go run ./examples/migrate -from clerk -store sqlite:app.db clerk.json
//
// A client that cannot be brought over is named with the reason, and so is what
// it did elsewhere and cannot do here. The program may run as often as one
// likes: what is there already is left alone. What to copy into a program of
// one's own is in sources.go and clients.go.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/userinfo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

type options struct {
	from    string
	file    string
	store   string
	issuer  string
	scopes  string
	secrets string
	dryRun  bool
}

// run is the whole program but for signals. It returns the exit status: 2 for
// wrong usage, 1 when something failed or a client could not be brought over.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.from, "from", "", "where the clients are from: `SOURCE` is clerk, go-oauth2 or fosite (which is Hydra too)")
	flags.StringVar(&o.store, "store", "", "the store to import into: sqlite:`FILE` or postgres://...")
	flags.StringVar(&o.issuer, "issuer", "https://app.example.com", "Config.Issuer of your provider")
	flags.StringVar(&o.scopes, "scopes", "", "the `NAMES` of the scopes that your provider offers besides the four built-in ones, separated by spaces")
	flags.StringVar(&o.secrets, "secrets", "", "a JSON `FILE` of client secrets by client_id, for those that the source does not give")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be done and change nothing; -store may be left out")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage: migrate -from SOURCE -store STORE [flags] CLIENTS.json")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	o.file = flags.Arg(0)
	switch {
	case flags.NArg() != 1:
		fmt.Fprintln(stderr, "migrate: give one file of clients; -h lists the flags")
		return 2
	case sources[o.from] == nil:
		fmt.Fprintf(stderr, "migrate: -from %q is not possible: use clerk, go-oauth2 or fosite\n", o.from)
		return 2
	case o.store == "" && !o.dryRun:
		fmt.Fprintln(stderr, "migrate: -store is missing, or -dry-run")
		return 2
	}
	complete, err := migrate(ctx, o, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "migrate:", err)
		return 1
	}
	if !complete {
		return 1
	}
	return 0
}

// migrate reports whether all clients are in the store, or could be.
func migrate(ctx context.Context, o options, stdout io.Writer) (complete bool, err error) {
	data, err := os.ReadFile(o.file)
	if err != nil {
		return false, err
	}
	secrets := map[string]string{}
	if o.secrets != "" {
		text, err := os.ReadFile(o.secrets)
		if err == nil {
			err = json.Unmarshal(text, &secrets)
		}
		if err != nil {
			return false, fmt.Errorf("-secrets %s: %w", o.secrets, err)
		}
	}
	clients, err := sources[o.from](data)
	if err != nil {
		return false, fmt.Errorf("%s is not what %s gives: %w", o.file, o.from, err)
	}
	for i := range clients {
		if known := secrets[clients[i].ClientID]; known != "" {
			clients[i].secret, clients[i].SecretHash = known, store.SecretHash{}
		}
	}
	im := importer{dryRun: o.dryRun, out: stdout}
	if o.store != "" {
		kept, closeStore, err := openStore(ctx, o.store, o.dryRun)
		if err != nil {
			return false, err
		}
		defer func() { err = errors.Join(err, closeStore()) }()
		if im.target, err = newProvider(kept, o); err != nil {
			return false, err
		}
	}
	if o.dryRun {
		if im.rehearsal, err = newRehearsal(o); err != nil {
			return false, err
		}
	}
	return im.importAll(ctx, clients)
}

// newProvider makes a provider that only manages applications. A host calls the
// functions of the one that it has.
func newProvider(kept store.Store, o options) (*provider.Provider, error) {
	offered := scopes.Default()
	for _, name := range strings.Fields(o.scopes) {
		offered = append(offered, scopes.Scope{Name: name, Title: name})
	}
	return provider.New(provider.Config{
		Issuer:      o.issuer,
		Store:       kept,
		Scopes:      offered,
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/", "next"),
		Users: func(context.Context, string) (userinfo.User, error) {
			return userinfo.User{}, userinfo.ErrNotFound
		},
	})
}

// openStore opens the store that -store names. A dry run leaves the tables as
// they are, so they have to be there.
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
		return nil, nil, errors.New("-store is neither sqlite:FILE nor postgres://...: for another one, copy this program and open yours")
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
