package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log"
	"time"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// Pass your own database, and let the store create its tables.
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

// Move from memory to your own database, with any driver.
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

// Delete a user and everything that was allowed for them, or neither.
func ExampleStore_In() {
	deleteUser := func(ctx context.Context, db *sql.DB, kept *sqlstore.Store, id string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "delete from users where id = $1", id); err != nil {
			return err
		}
		if err := kept.In(tx).CutOff(ctx, store.CutKey{UserID: id}, store.CutForever(time.Now())); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = deleteUser
}

// Change a password and log the user out of every application, or neither.
func ExampleStore_In_password() {
	setPassword := func(ctx context.Context, db *sql.DB, kept *sqlstore.Store, id, hash string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "update users set password = $1 where id = $2", hash, id); err != nil {
			return err
		}
		if err := kept.In(tx).CutOff(ctx, store.CutKey{UserID: id}, store.CutNumber(time.Now())); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = setPassword
}

// If you have your own migration tool, give it the files.
func ExampleSchema() {
	files, err := fs.Glob(sqlstore.Schema(sqlstore.SQLite), "*.sql")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(files)
	// Output: [0001_initial.up.sql]
}
