package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Options are the optional settings of a [Store].
type Options struct {
	// TablePrefix begins the name of every table and index. Empty: "oauth_".
	// It consists of at most 32 lower-case letters, digits and underscores and
	// begins with a letter.
	TablePrefix string
}

// Store keeps everything in a database. [New] makes one. It is safe for
// concurrent use.
type Store struct {
	db      *sql.DB
	dialect Dialect
	prefix  string
	steps   steps

	// statements are the texts of this package as they are sent, so that each
	// one is made once.
	statements sync.Map
}

var _ store.Store = (*Store)(nil)

// steps are the steps of the contract that change records. PostgreSQL does each
// in one statement, the others in a short transaction.
type steps interface {
	createGrant(ctx context.Context, n store.NewGrant) error
	redeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error)
	rotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error)
	revokeToken(ctx context.Context, r store.TokenRevocation) error
	revokeGrants(ctx context.Context, r revocation) (int, error)
	deleteExpired(ctx context.Context, e store.Expiry) (int, error)
	insertOne(ctx context.Context, text string, row []any) (bool, error)
	updateApplication(ctx context.Context, row []any) error
	decideDevice(ctx context.Context, d store.DeviceDecision) error
	pollDevice(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error)
	deleteDevices(ctx context.Context, before time.Time, limit int) (int64, error)
}

var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// New returns a store that keeps its records in db, a database of the dialect.
// It does not touch the database: its tables are made by the host's own
// migrations with [Schema], or by [Store.Migrate]. The Store never closes db.
func New(db *sql.DB, d Dialect, o Options) (*Store, error) {
	var problems []error
	if db == nil {
		problems = append(problems, errors.New("sqlstore: the *sql.DB is nil"))
	}
	if d != Postgres && d != MySQL && d != SQLite {
		problems = append(problems, fmt.Errorf("sqlstore: there is no dialect %d: use Postgres, MySQL or SQLite", d))
	}
	if o.TablePrefix == "" {
		o.TablePrefix = defaultPrefix
	}
	if !prefixForm.MatchString(o.TablePrefix) {
		problems = append(problems, fmt.Errorf("sqlstore: the TablePrefix %q does not consist of at most 32 lower-case letters, digits and underscores beginning with a letter", o.TablePrefix))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s := &Store{db: db, dialect: d, prefix: o.TablePrefix}
	if d == Postgres {
		s.steps = postgres{s}
	} else {
		s.steps = newTransactions(s)
	}
	return s, nil
}

// statement returns a text of this package as it is sent.
func (s *Store) statement(text string) statement {
	if known, ok := s.statements.Load(text); ok {
		return known.(statement)
	}
	made := s.dialect.statement(s.prefix, text)
	s.statements.Store(text, made)
	return made
}

// A querier is a *sql.DB, *sql.Conn or *sql.Tx.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// row reads one row. It returns [store.ErrNotFound] if there is none.
func (s *Store) row(ctx context.Context, q querier, text string, args, into []any) error {
	st := s.statement(text)
	err := q.QueryRowContext(ctx, st.text, st.args(args)...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// rows calls read for each row.
func (s *Store) rows(ctx context.Context, q querier, text string, args []any, read func(scan func(into ...any) error) error) (err error) {
	st := s.statement(text)
	rows, err := q.QueryContext(ctx, st.text, st.args(args)...)
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

// exec runs a statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, q querier, text string, args ...any) (int64, error) {
	st := s.statement(text)
	result, err := q.ExecContext(ctx, st.text, st.args(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// create inserts a record, or returns [store.ErrExists] if one of its keys is
// taken.
func (s *Store) create(ctx context.Context, name, text string, row []any) error {
	return s.try(ctx, name, func(ctx context.Context) error {
		created, err := s.steps.insertOne(ctx, text, row)
		if err == nil && !created {
			err = store.ErrExists
		}
		return err
	})
}
