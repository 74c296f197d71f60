package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/latchkey-go/latchkey/store"
)

// Options are the optional settings of a [Store].
type Options struct {
	// TablePrefix begins the name of every table and index. It has at most 32
	// lower-case letters, digits, and underscores, and begins with a letter. The
	// default is "latchkey_".
	TablePrefix string
}

// Store keeps everything in a database. Create one with [New]. It is safe for
// concurrent use.
type Store struct {
	core
	pool *sql.DB

	// The statements of Find, of FindConsent, and of List by column.
	findText, consentText string
	lists                 map[string]string
}

var _ store.Store = (*Store)(nil)

// Tx is the part of a [Store] that works inside a transaction of the host:
// cut-offs and applications. Get one from [Store.In].
type Tx struct{ core }

var _ store.Applications = (*Tx)(nil)

// core is what Store and Tx have in common.
type core struct {
	db      querier
	dialect Dialect
	prefix  string
	inTx    bool // in a transaction of the host, which must try again itself

	// statements caches the texts of this package in the form in which they are
	// sent.
	statements *sync.Map

	// writing is held while a goroutine writes to SQLite, which has one writer at
	// a time. Waiting here costs less than polling for its lock. It is nil for
	// other databases.
	writing chan struct{}
}

// A querier is a *sql.DB or *sql.Tx.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// New returns a store that keeps its records in db, a database of the given
// dialect. It doesn't connect: create the tables with [Store.Migrate], or with
// your migration tool from the files of [Schema]. The Store never closes db.
//
// New returns an error if db is nil, or if the dialect or the prefix is
// invalid.
func New(db *sql.DB, d Dialect, o Options) (*Store, error) {
	var problems []error
	if db == nil {
		problems = append(problems, errors.New("sqlstore: the *sql.DB is nil: pass that of sql.Open"))
	}
	if d != Postgres && d != MySQL && d != SQLite {
		problems = append(problems, fmt.Errorf("sqlstore: unknown dialect %d: use Postgres, MySQL, or SQLite", d))
	}
	if o.TablePrefix == "" {
		o.TablePrefix = defaultPrefix
	}
	if !prefixForm.MatchString(o.TablePrefix) {
		problems = append(problems, fmt.Errorf("sqlstore: invalid TablePrefix %q: use at most 32 lower-case letters, digits, and underscores, and begin with a letter", o.TablePrefix))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s := &Store{pool: db, lists: listTexts(d), core: core{db: db, dialect: d, prefix: o.TablePrefix, statements: &sync.Map{}}}
	s.findText, s.consentText = findTexts(d)
	if d == SQLite {
		s.writing = make(chan struct{}, 1)
	}
	return s, nil
}

// In returns the store inside tx, a transaction on the same database. Use it to
// delete a user and cut them off together, or not at all:
//
//	_, err = tx.ExecContext(ctx, "delete from users where id = $1", id)
//	err = kept.In(tx).CutOff(ctx, store.CutKey{UserID: id}, store.CutForever(time.Now()))
//	err = tx.Commit()
//
// Changes take effect when tx commits. Then call EraseUser of the provider,
// which deletes the rest, such as the applications that the user owned.
//
// If the database rolls tx back because of another transaction, such as in a
// deadlock, the methods of Tx return the error without trying again: roll back, and
// repeat the whole transaction.
//
// A Tx has no documents. A provider reads a document again if it has changed,
// and a transaction with a snapshot would return the same old version each
// time.
func (s *Store) In(tx *sql.Tx) *Tx {
	t := &Tx{s.core}
	t.db, t.inTx, t.writing = tx, true, nil
	return t
}

// statement returns a text of this package as it is sent.
func (c *core) statement(text string) statement {
	if known, ok := c.statements.Load(text); ok {
		return known.(statement)
	}
	made := c.dialect.statement(c.prefix, text)
	c.statements.Store(text, made)
	return made
}

// row reads one row. It returns [store.ErrNotFound] if the query returns none.
func (c *core) row(ctx context.Context, text string, args []any, into ...any) error {
	st := c.statement(text)
	err := c.db.QueryRowContext(ctx, st.text, st.args(args)...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// rows calls read for each row.
func (c *core) rows(ctx context.Context, text string, args []any, read func(scan func(into ...any) error) error) (err error) {
	st := c.statement(text)
	rows, err := c.db.QueryContext(ctx, st.text, st.args(args)...)
	if err != nil {
		return err
	}
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// exec runs a statement that writes, as the step with the given name, and
// returns how many rows it changed.
func (c *core) exec(ctx context.Context, name, text string, args ...any) (changed int64, err error) {
	if c.writing == nil {
		return c.send(ctx, name, text, args)
	}
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("sqlstore: %s: %w", name, ctx.Err())
	}
	// While another process holds the lock, the drivers wait for the host's busy
	// timeout, even if the context has ended.
	type outcome struct {
		changed int64
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-c.writing }()
		changed, err := c.send(ctx, name, text, args)
		done <- outcome{changed, err}
	}()
	select {
	case o := <-done:
		return o.changed, o.err
	case <-ctx.Done():
		return 0, fmt.Errorf("sqlstore: %s: %w", name, ctx.Err())
	}
}

// send sends a statement that writes.
func (c *core) send(ctx context.Context, name, text string, args []any) (changed int64, err error) {
	st := c.statement(text)
	err = c.try(ctx, name, func(ctx context.Context) error {
		result, err := c.db.ExecContext(ctx, st.text, st.args(args)...)
		if err == nil {
			changed, err = result.RowsAffected()
		}
		return err
	})
	return changed, err
}

// insert adds a record. It returns [store.ErrExists] if a key is taken.
func (c *core) insert(ctx context.Context, name, text string, args ...any) error {
	if c.dialect != MySQL {
		text += " on conflict do nothing"
	}
	n, err := c.exec(ctx, name, text, args...)
	switch {
	case c.dialect == MySQL && mysqlNumber(err) == mysqlDuplicate: // INSERT IGNORE would also truncate long texts.
		return store.ErrExists
	case err == nil && n == 0:
		return store.ErrExists
	}
	return err
}
