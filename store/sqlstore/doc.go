// Package sqlstore keeps a provider's records in PostgreSQL, MySQL, MariaDB, or
// SQLite, through the host's own [database/sql.DB] and driver. It brings no
// driver along.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // github.com/jackc/pgx/v5/stdlib
//	s, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{})
//	err = s.Migrate(ctx)
//	p, err := provider.New(provider.Config{Store: s /* ... */})
//
// # Databases and drivers
//
// Each call is one statement outside a transaction, except [Store.Sweep], an
// update of an application that fails, and [Store.Migrate].
//
// PostgreSQL 13 or later, through github.com/jackc/pgx/v5/stdlib or
// github.com/lib/pq. pgx prepares what it sends again, so a call is one round
// trip. lib/pq takes two unless its connection string has
// binary_parameters=yes, and PostgreSQL then plans each statement anew, which
// takes longer than running it.
//
// MySQL 8 or later and MariaDB 10.6 or later, through
// github.com/go-sql-driver/mysql. With interpolateParams=true in the DSN each
// statement is one round trip instead of two. What the DSN says about
// parseTime, loc, charset, and clientFoundRows makes no difference: times are
// kept as numbers and texts as bytes. To read them by hand, convert them, as in
// convert(name using utf8mb4) and from_unixtime(created_at / 1000000).
//
// SQLite 3.24 or later, through modernc.org/sqlite,
// github.com/mattn/go-sqlite3, or github.com/ncruces/go-sqlite3/driver. Use the
// WAL journal, so that readers don't wait for the writer, and a busy timeout for
// the sake of other processes:
// "file:app.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)" with
// modernc.org/sqlite and ncruces/go-sqlite3,
// "file:app.db?_journal_mode=WAL&_busy_timeout=5000" with mattn/go-sqlite3. Every connection to ":memory:" has a separate database, so
// it needs db.SetMaxOpenConns(1).
//
// # Tables
//
// [Store.Migrate] makes the tables and brings them up to date. Call it when the
// program starts, in any number of processes at once. It needs the right to
// create tables only when there is something to create. Each migration works
// under the version before it and after it, so instances may be replaced one by
// one, and nothing is ever migrated back. A migration that changes a table
// waits for the transactions that use it, and later statements wait for the
// migration: give it a deadline, and start it while no long dump is running.
//
// If you have your own migration tool, [Schema] returns the files for it, and
// [Store.CheckSchema] tells whether the tables are there. With goose:
//
//	provider, err := goose.NewProvider(goose.DialectPostgres, db, sqlstore.Schema(sqlstore.Postgres),
//		goose.WithTableName("latchkey_goose"))
//	_, err = provider.Up(ctx)
//
// With golang-migrate, here for MySQL, which needs multiStatements=true in its
// DSN:
//
//	source, err := iofs.New(sqlstore.Schema(sqlstore.MySQL), ".") // golang-migrate/migrate/v4/source/iofs
//	target, err := mysql.WithInstance(db, &mysql.Config{MigrationsTable: "latchkey_versions"})
//	m, err := migrate.NewWithInstance("iofs", source, "mysql", target)
//	err = m.Up()
//
// Other tools run the files in the order of their names, or get a copy of them.
// A statement ends with a semicolon at the end of a line.
//
// All names begin with "latchkey_", or with [Options].TablePrefix. In
// PostgreSQL the tables are where the connection's search_path leads to.
//
// # Your own transactions
//
// [Store.In] is the store inside a transaction of the host: delete a user and
// cut the user off, or change an application and write it to your audit log,
// in one commit.
//
// # Isolation and poolers
//
// The store works at every isolation level that the host's connections may
// have by default. If the database gives a statement up in favor of another one
// (serialization failures, deadlocks, SQLITE_BUSY), the store sends it again
// after a short random pause, until it succeeds or its context ends. So give
// writes a deadline. READ COMMITTED is the fastest on PostgreSQL and MySQL.
//
// Nothing depends on the state of a session, so PgBouncer may pool
// transactions. Before its version 1.21, and without its setting
// max_prepared_statements, drivers must not prepare statements: connect with
// default_query_exec_mode=exec (pgx) or binary_parameters=yes (lib/pq).
//
// # Size and sweeping
//
// A grant with two live tokens takes just under 1 KB in PostgreSQL, indexes
// included, and about 1.1 KB after 36 rotations in three days. A consent takes
// as much as a new grant. A rotation rewrites one row in its page; about nine
// in ten touch no index. Leave autovacuum on.
//
// Nothing is removed by itself: call Sweep, or the provider's Cleanup, every
// few minutes, in as many processes as you like. It finds what is due with
// indexes, so its cost is that of what it removes. Documents that were cut off
// go by the batch a day later, and then the cut-off; it may take a few calls
// until their turn comes. Where a cut-off is of everything, its documents stay
// until their own time comes.
//
// # What is tested
//
// The conformance suite of the contract, with its races, runs with each change
// on PostgreSQL 15 with both drivers and behind PgBouncer 1.18, on MariaDB 10.11,
// and on SQLite with modernc's and mattn's drivers. "make engines" runs it on
// SQLite with ncruces', on PostgreSQL 13,
// 15, 17, and 18, MariaDB 10.5, 10.11, and 11.8, and MySQL 9.7, with each way of
// the drivers to send parameters, at read committed, repeatable read, and
// serializable, and on the tables that goose, golang-migrate, and Atlas make of
// the files of [Schema]. It doesn't run on MySQL 8, which has everything that is
// used.
package sqlstore
