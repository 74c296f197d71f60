// Package sqlstore keeps a provider's records in PostgreSQL, MySQL, MariaDB or
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
// PostgreSQL 13 or later, through github.com/jackc/pgx/v5/stdlib or
// github.com/lib/pq. Each operation is one statement, and with pgx, which
// prepares what it sends again, one round trip. lib/pq takes two unless its
// connection string has binary_parameters=yes.
//
// MySQL 8 or later and MariaDB 10.6 or later, through
// github.com/go-sql-driver/mysql. What changes a grant is a short transaction
// at READ COMMITTED, and the revocation of many at REPEATABLE READ. With
// interpolateParams=true in the DSN each statement is one round trip instead
// of two. Whatever the DSN says about parseTime, loc and charset makes no
// difference: times are kept as numbers and texts as bytes, so to read them by
// hand convert them, as in convert(name using utf8mb4) and
// from_unixtime(created_at / 1000000).
//
// SQLite 3.24 or later, through modernc.org/sqlite or
// github.com/mattn/go-sqlite3. What changes a grant is a transaction that
// begins with BEGIN IMMEDIATE, whatever the DSN says. Use the WAL journal, so
// that readers do not wait for the writer, and a busy timeout for the sake of
// other processes: "file:app.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"
// with modernc.org/sqlite, "file:app.db?_journal_mode=WAL&_busy_timeout=5000"
// with mattn/go-sqlite3. Every connection to ":memory:" has a database of its
// own, so it needs db.SetMaxOpenConns(1).
//
// # Tables
//
// [Store.Migrate] makes the tables and brings them up to date. Call it as the
// program starts, in as many processes at once as there are. Each migration
// works under the version before it and after it, so instances may be replaced
// one by one, and nothing is ever migrated back. A migration that changes a
// table waits for the transactions that use it, and whoever comes next waits
// for the migration: so give it a deadline, and start it while no long dump is
// running.
//
// A host with a migration tool of its own gets the same files from [Schema].
// With goose:
//
//	provider, err := goose.NewProvider(goose.DialectPostgres, db, sqlstore.Schema(sqlstore.Postgres),
//		goose.WithTableName("oauth_goose"))
//	_, err = provider.Up(ctx)
//
// With golang-migrate, here for MySQL, which needs multiStatements=true in its
// DSN:
//
//	source, err := iofs.New(sqlstore.Schema(sqlstore.MySQL), ".") // golang-migrate/migrate/v4/source/iofs
//	target, err := mysql.WithInstance(db, &mysql.Config{MigrationsTable: "oauth_versions"})
//	m, err := migrate.NewWithInstance("iofs", source, "mysql", target)
//	err = m.Up()
//
// Other tools run the files in the order of their names, or get a copy of them.
// A statement ends with a semicolon at the end of a line.
//
// All names begin with "oauth_", or with [Options].TablePrefix. In PostgreSQL
// the tables are where the connection's search_path leads to.
//
// # Isolation and poolers
//
// The store works at every isolation level that the host's connections may
// have by default. A step that the database gives up in favour of another one
// (serialization failures, deadlocks, SQLITE_BUSY) is done again, after a short
// random pause, until it succeeds or its context ends, so give writes a
// deadline. On PostgreSQL READ COMMITTED is the fastest, as nothing is ever
// given up there.
//
// Nothing depends on the state of a session, so PgBouncer may pool
// transactions. Before its version 1.21, and without its setting
// max_prepared_statements, drivers must not prepare statements: connect with
// default_query_exec_mode=exec (pgx) or binary_parameters=yes (lib/pq).
//
// # Size and cleanup
//
// A grant with two live tokens and its user's consent takes about 1.1 KB in
// PostgreSQL and 0.8 KB in SQLite, indexes included. Each rotation adds an
// access token and a refresh token, about 0.2 KB each, until they have
// expired.
//
// Nothing is removed by itself: call DeleteExpired, or the provider's Cleanup,
// every few minutes, in as many processes as you like. It finds what is dead
// by indexes of time, so its cost is that of what it removes. On PostgreSQL a
// batch is one statement, on the others a few short transactions, and it
// passes over grants that somebody else has locked. A device authorization
// takes about 0.5 KB in PostgreSQL until DeleteDevices removes it, in one
// statement on every database. That one waits for what is locked.
//
// # What is tested
//
// The conformance suite of the contract, with its races, runs on PostgreSQL 15
// with both drivers, in all their ways to send parameters, at each isolation
// level, and behind PgBouncer 1.18; on MariaDB 10.11; and on SQLite with both
// drivers. MySQL itself is not among them: it is only known that what is used
// is the same there.
package sqlstore
