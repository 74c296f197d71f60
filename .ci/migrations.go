// The program migrates with a tool that hosts use, in the way that the
// documentation of sqlstore shows. It does so twice: the second time must find
// nothing to do. Then it prints the version of the tool.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"runtime/debug"
	"slices"

	"ariga.io/atlas/sql/migrate"
	atlasmysql "ariga.io/atlas/sql/mysql"
	atlaspostgres "ariga.io/atlas/sql/postgres"
	"ariga.io/atlas/sql/schema"
	atlassqlite "ariga.io/atlas/sql/sqlite"
	"ariga.io/atlas/sql/sqltool"
	_ "github.com/go-sql-driver/mysql"
	golangmigrate "github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/database/mysql"
	pgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"

	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// A target is a dialect as database/sql and the tools need it.
type target struct {
	dialect sqlstore.Dialect
	driver  string
	dsn     *string
	goose   goose.Dialect
	migrate func(*sql.DB) (database.Driver, error)
	atlas   func(schema.ExecQuerier) (migrate.Driver, error)
}

var targets = []target{
	{
		sqlstore.Postgres, "pgx", flag.String("postgres", "", "the URL of PostgreSQL"), goose.DialectPostgres,
		func(db *sql.DB) (database.Driver, error) {
			return pgx.WithInstance(db, &pgx.Config{MigrationsTable: "latchkey_versions"})
		},
		atlaspostgres.Open,
	},
	{
		sqlstore.MySQL, "mysql", flag.String("mysql", "", "the DSN of MySQL"), goose.DialectMySQL,
		func(db *sql.DB) (database.Driver, error) {
			return mysql.WithInstance(db, &mysql.Config{MigrationsTable: "latchkey_versions"})
		},
		atlasmysql.Open,
	},
	{
		sqlstore.SQLite, "sqlite", flag.String("sqlite", "", "the file of SQLite"), goose.DialectSQLite3,
		func(db *sql.DB) (database.Driver, error) {
			return sqlite.WithInstance(db, &sqlite.Config{MigrationsTable: "latchkey_versions"})
		},
		atlassqlite.Open,
	},
}

// A tool returns a function that brings the tables up to date and returns how
// many files it ran.
type tool struct {
	module string
	up     func(ctx context.Context, db *sql.DB, t target) (func() (int, error), error)
}

var tools = map[string]tool{
	"goose":          {"github.com/pressly/goose/v3", upGoose},
	"golang-migrate": {"github.com/golang-migrate/migrate/v4", upMigrate},
	"atlas":          {"ariga.io/atlas", upAtlas},
}

func main() {
	name := flag.String("tool", "", "goose, golang-migrate, or atlas")
	dialect := flag.String("dialect", "", "postgres, mysql, or sqlite")
	flag.Parse()
	i := slices.IndexFunc(targets, func(t target) bool { return t.dialect.String() == *dialect })
	chosen, ok := tools[*name]
	if i < 0 || !ok {
		log.Fatal("unknown tool or dialect")
	}
	version, err := run(context.Background(), chosen, targets[i])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", *name, version)
}

func run(ctx context.Context, chosen tool, t target) (version string, err error) {
	dsn := *t.dsn
	if t.dialect == sqlstore.MySQL {
		dsn += "&multiStatements=true" // for golang-migrate
	}
	db, err := sql.Open(t.driver, dsn)
	if err != nil {
		return "", err
	}
	defer db.Close()
	for _, table := range []string{"applications", "documents", "cuts", "migrations", "goose", "versions"} {
		if _, err := db.ExecContext(ctx, "drop table if exists latchkey_"+table); err != nil {
			return "", err
		}
	}
	files, err := fs.Glob(sqlstore.Schema(t.dialect), "*")
	if err != nil {
		return "", err
	}
	up, err := chosen.up(ctx, db, t)
	if err != nil {
		return "", err
	}
	for _, want := range []int{len(files), 0} {
		if n, err := up(); err != nil || n != want {
			return "", fmt.Errorf("it ran %d files, want %d: error %w", n, want, err)
		}
	}
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == chosen.module {
			version = m.Version
		}
	}
	return version, nil
}

func upGoose(ctx context.Context, db *sql.DB, t target) (func() (int, error), error) {
	provider, err := goose.NewProvider(t.goose, db, sqlstore.Schema(t.dialect), goose.WithTableName("latchkey_goose"))
	return func() (int, error) {
		results, err := provider.Up(ctx)
		return len(results), err
	}, err
}

func upMigrate(_ context.Context, db *sql.DB, t target) (func() (int, error), error) {
	source, err := iofs.New(sqlstore.Schema(t.dialect), ".")
	if err != nil {
		return nil, err
	}
	to, err := t.migrate(db)
	if err != nil {
		return nil, err
	}
	m, err := golangmigrate.NewWithInstance("iofs", source, "database", to)
	return func() (int, error) {
		if err := m.Up(); errors.Is(err, golangmigrate.ErrNoChange) {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
		version, dirty, err := m.Version()
		if dirty {
			err = errors.New("the database is dirty")
		}
		return int(version), err
	}, err
}

// Atlas needs a folder with a file of checksums, such as "atlas migrate hash"
// creates. Its command records what it has run in a table, with code that its
// module doesn't export.
func upAtlas(ctx context.Context, db *sql.DB, t target) (func() (int, error), error) {
	folder, err := os.MkdirTemp("", "atlas")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(folder, sqlstore.Schema(t.dialect)); err != nil {
		return nil, err
	}
	dir, err := sqltool.NewGolangMigrateDir(folder)
	if err != nil {
		return nil, err
	}
	sum, err := dir.Checksum()
	if err == nil {
		err = migrate.WriteSumFile(dir, sum)
	}
	if err != nil {
		return nil, err
	}
	driver, err := t.atlas(db)
	if err != nil {
		return nil, err
	}
	done := &revisions{}
	executor, err := migrate.NewExecutor(driver, dir, done, migrate.WithAllowDirty(true))
	return func() (int, error) {
		before := len(done.list)
		err := executor.ExecuteN(ctx, 0)
		if errors.Is(err, migrate.ErrNoPendingFiles) {
			err = os.RemoveAll(folder)
		}
		return len(done.list) - before, err
	}, err
}

// revisions are the files that Atlas has run.
type revisions struct{ list []*migrate.Revision }

func (r *revisions) Ident() *migrate.TableIdent { return &migrate.TableIdent{Name: "revisions"} }

func (r *revisions) ReadRevisions(context.Context) ([]*migrate.Revision, error) { return r.list, nil }

func (r *revisions) find(version string) int {
	return slices.IndexFunc(r.list, func(known *migrate.Revision) bool { return known.Version == version })
}

func (r *revisions) ReadRevision(_ context.Context, version string) (*migrate.Revision, error) {
	if i := r.find(version); i >= 0 {
		return r.list[i], nil
	}
	return nil, migrate.ErrRevisionNotExist
}

func (r *revisions) WriteRevision(_ context.Context, revision *migrate.Revision) error {
	if i := r.find(revision.Version); i >= 0 {
		r.list[i] = revision
	} else {
		r.list = append(r.list, revision)
	}
	return nil
}

func (r *revisions) DeleteRevision(_ context.Context, version string) error {
	r.list = slices.DeleteFunc(r.list, func(known *migrate.Revision) bool { return known.Version == version })
	return nil
}
