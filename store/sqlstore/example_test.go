package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log"

	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// A host hands over its own database and lets the store make its tables.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://localhost/app") // with github.com/jackc/pgx/v5/stdlib
	if err != nil {
		log.Fatal(err)
	}
	s, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{TablePrefix: "auth_"})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	// provider.New(provider.Config{Store: s, ...})
}

// From memory to the host's own database, whatever driver it uses.
func ExampleNew() {
	ctx, db := context.Background(), (*sql.DB)(nil)
	kept, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{}) // your *sql.DB, your driver
	if err == nil {
		err = kept.Migrate(ctx) // or hand sqlstore.Schema to your migration tool
	}
	if err != nil {
		log.Fatal(err)
	}
	// provider.New(provider.Config{Store: kept, ...})
}

// A host with its own migration tool gets the files.
func ExampleSchema() {
	files, err := fs.Glob(sqlstore.Schema(sqlstore.SQLite), "*.sql")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(files)
	// Output: [0001_initial.up.sql 0002_devices.up.sql]
}
