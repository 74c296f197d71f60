package docs_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// openStore opens the store of an app that has a pgx pool.
func openStore(ctx context.Context, pool *pgxpool.Pool) (*sqlstore.Store, error) {
	db := stdlib.OpenDBFromPool(pool)
	kept, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{TablePrefix: "acme_oauth_"})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return kept, kept.Migrate(ctx)
}

// docs/howto/choose-a-store.md shows openStore. The test runs it on a real database.
func TestStoreOverPgxPool(t *testing.T) {
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		url = "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"
	}
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	if err := pool.Ping(t.Context()); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "PostgreSQL does not answer: %v", err)
		t.Skipf("PostgreSQL at %s does not answer: %v", url, err)
	}
	// A separate schema, so that the test touches nothing else.
	const schema = "latchkey_docs_pool"
	drop := func() {
		_, err := pool.Exec(context.WithoutCancel(t.Context()), "drop schema if exists "+schema+" cascade")
		require.NoError(t, err)
	}
	drop()
	_, err = pool.Exec(t.Context(), "create schema "+schema)
	require.NoError(t, err)
	defer drop()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.ConnConfig.RuntimeParams["search_path"] = schema
	mine, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer mine.Close()

	kept, err := openStore(t.Context(), mine)
	require.NoError(t, err)
	_, total, err := kept.ListApplications(t.Context(), store.ApplicationQuery{Limit: 1})
	require.NoError(t, err)
	require.Zero(t, total)
	var tables int
	db := stdlib.OpenDBFromPool(mine)
	require.NoError(t, db.QueryRow("select count(*) from pg_tables where schemaname = $1 and tablename like 'acme\\_oauth\\_%'", schema).Scan(&tables))
	require.Positive(t, tables)
	_, err = openStore(t.Context(), mine)
	require.NoError(t, err, "it may run at each start")
	require.NoError(t, db.Close())
}
