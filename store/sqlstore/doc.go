// Package sqlstore keeps a provider's records in PostgreSQL, MySQL, MariaDB, or
// SQLite. You pass your own [database/sql.DB] and driver; the package includes
// none.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // github.com/jackc/pgx/v5/stdlib
//	s, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{})
//	err = s.Migrate(ctx)
//	p, err := provider.New(provider.Config{Store: s /* ... */})
//
// # Databases and drivers
//
// PostgreSQL 13 or later, with github.com/jackc/pgx/v5/stdlib or
// github.com/lib/pq. If you have a pgx pool, pass stdlib.OpenDBFromPool(pool)
// instead of opening a second one. With pgx, a call is one round trip. With
// lib/pq it is two, or one if the connection string has binary_parameters=yes;
// PostgreSQL then plans each statement again, which takes longer than running
// it.
//
// MySQL 8 or later and MariaDB 10.6 or later, with
// github.com/go-sql-driver/mysql. Set interpolateParams=true in the DSN, so that
// each statement is one round trip instead of two. The settings parseTime, loc,
// charset, and clientFoundRows make no difference, because times are stored as
// numbers and texts as bytes. To read them by hand, write
// convert(name using utf8mb4) and from_unixtime(created_at / 1000000).
//
// SQLite 3.24 or later, with modernc.org/sqlite, github.com/mattn/go-sqlite3, or
// github.com/ncruces/go-sqlite3/driver. Use the WAL journal, so that readers
// don't wait for the writer, and a busy timeout, in case another process writes:
//
//	file:app.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)  // modernc, ncruces
//	file:app.db?_journal_mode=WAL&_busy_timeout=5000&_synchronous=FULL                          // mattn
//
// Set synchronous, because with mattn's driver its default is NORMAL in WAL mode.
//
// Each connection to ":memory:" has a separate database, so it needs
// db.SetMaxOpenConns(1).
//
// # Migrations
//
// Choose one of two ways and keep to it, because neither knows what the other
// has done.
//
// [Store.Migrate] creates the tables and brings them up to date. Call it at
// startup, on any number of instances: one migrates, and the others wait. It
// needs the right to create tables only if there is something to create. Give
// it a deadline, and don't run it during a long dump: a migration that changes a
// table waits for the transactions that use it, and later statements wait for
// the migration.
//
// Or use your own tool with the files of [Schema], and call [Store.CheckSchema]
// at startup. With goose:
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
// Other tools run the files in the order of their names, or a copy of them.
// Atlas reads a copy as a golang-migrate directory. A statement ends with a
// semicolon at the end of a line.
//
// To upgrade, migrate first, and then replace the instances one by one. Each
// migration works with the version before it and after it, so you never migrate
// down, and an old instance that restarts leaves newer tables alone.
//
// All names begin with "latchkey_", or with [Options].TablePrefix. In
// PostgreSQL, the tables are in the schema that search_path selects.
//
// # Your own transactions
//
// [Store.In] returns the store inside your transaction. For example, delete a
// user and cut them off, or change an application and write it to your audit
// log, in one commit.
//
// # Isolation levels and poolers
//
// The store works at every isolation level that your connections have by
// default. READ COMMITTED is the fastest on PostgreSQL and MySQL. Each call is
// one statement outside a transaction, except [Store.Sweep], [Store.Migrate], and
// an update of an application that fails.
//
// If the database rolls a statement back because of another one (serialization
// failure, deadlock, lock timeout, SQLITE_BUSY), the store sends it again after
// a short random pause, up to 200 times or until the context ends. So give
// writes a deadline. The provider does, with Config.StoreTimeout.
//
// The store keeps no state in sessions, so PgBouncer may pool by transaction.
// Before its version 1.21, and without its setting max_prepared_statements,
// drivers must not prepare statements: connect with
// default_query_exec_mode=exec (pgx) or binary_parameters=yes (lib/pq).
//
// # Durability
//
// With these settings, a crash of the program, the database, or the machine
// loses no acknowledged write on one server:
//
//   - PostgreSQL: synchronous_commit = on, which is the default
//   - MySQL and MariaDB: innodb_flush_log_at_trx_commit = 1, which is the default
//   - SQLite: the WAL journal and synchronous=FULL; with NORMAL, a power failure
//     loses the last moments
//
// A failover to a PostgreSQL standby loses nothing if synchronous_standby_names
// is set and synchronous_commit is on or remote_apply. With an asynchronous
// standby it loses the last moments: new sign-ins are unknown, codes can be
// redeemed again, and revocations are undone, so repeat those. Failover has not
// been tried on MySQL and MariaDB.
//
// When a disk is full, new sign-ins fail and existing ones keep working. Whether
// a sign-in can still be ended depends on the database, so repeat each
// revocation that returns an error:
//
//   - PostgreSQL, the disk of the tables: one sign-in can be ended; a user or an
//     application can't be cut off
//   - PostgreSQL, the disk of the WAL: the server stops until there is room
//   - MariaDB, the tablespace: usually both work, but InnoDB may stop the server
//   - SQLite, a limit on its pages: cutting off works, and ending nearly always
//   - SQLite, the disk: neither works
//
// # Size and cleanup
//
// A grant takes just under 1 KB in PostgreSQL, indexes included, and about 1.1
// KB after 36 rotations of its refresh token. A consent takes as much as a new
// grant. A rotation rewrites one row in its page; about nine in ten touch no
// index. Leave autovacuum on, and end long transactions: while one is open,
// PostgreSQL can't reclaim deleted rows, and sweeps get slower, up to six times
// in our test.
//
// Calls take about as long with a million grants as with a thousand: 0.94 to
// 1.09 times on PostgreSQL and MariaDB, and 0.92 to 1.22 times on SQLite.
// Deleting 1,000 records took 1.25 times on MariaDB and 1.31 times on SQLite.
//
// The store deletes nothing by itself. Start the provider's Run, or call its
// Cleanup every few minutes, on as many instances as you like. A sweep finds
// what is due with indexes, so its cost depends on what it deletes. Documents
// that were cut off are deleted in batches a day later, and then the cut-off.
// Documents cut off by the zero [store.CutKey] stay until they expire.
//
// # What is tested
//
// The conformance suite runs with each change on PostgreSQL 15 with both drivers
// and behind PgBouncer 1.18, on MariaDB 10.11, and on SQLite with modernc's and
// mattn's drivers. "make engines" runs it on PostgreSQL 13, 15, 17, and 18,
// MariaDB 10.5, 10.11, and 11.8, and MySQL 9.7, with each way in which the
// drivers send parameters, at READ COMMITTED, REPEATABLE READ, and SERIALIZABLE,
// and on SQLite with ncruces's driver. It also runs on the tables that goose
// 3.30, golang-migrate 4.20, and Atlas (as a library) make from the files of
// [Schema]. MySQL 8 and managed services such as RDS and Cloud SQL have not been
// tried.
package sqlstore
