package drivers_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A log records the statements that are sent to a database.
type log struct {
	mu   sync.Mutex
	sent []sent
	held bool // record statements that write, but don't send them
}

// errHeld is the error of a statement that is not sent.
var errHeld = errors.New("recorded, but not sent")

func (l *log) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// A sent statement is its text and its arguments.
type sent struct {
	text string
	args []any
}

func (l *log) note(text string, args []driver.NamedValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := sent{text: text}
	for _, arg := range args {
		s.args = append(s.args, arg.Value)
	}
	l.sent = append(l.sent, s)
}

// take returns what was sent since the last call.
func (l *log) take() []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := slices.Clone(l.sent)
	l.sent = nil
	return sent
}

// spied opens the database of db again, with its driver, and records what is
// sent.
func spied(t testing.TB, db *sql.DB, dsn string) (*sql.DB, *log) {
	t.Helper()
	l := &log{}
	other := sql.OpenDB(spyConnector{db.Driver(), dsn, l})
	t.Cleanup(func() { other.Close() })
	require.NoError(t, other.PingContext(t.Context()))
	l.take()
	return other, l
}

type spyConnector struct {
	driver driver.Driver
	dsn    string
	log    *log
}

func (c spyConnector) Driver() driver.Driver { return c.driver }

func (c spyConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	return spyConn{conn.(fullConn), c.log}, err
}

// A fullConn has the methods that the connections of all drivers here have.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
}

type spyConn struct {
	fullConn
	log *log
}

func (c spyConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.log.note(text, args)
	if c.log.holds() {
		return nil, errHeld
	}
	return c.fullConn.ExecContext(ctx, text, args)
}

func (c spyConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.log.note(text, args)
	return c.fullConn.QueryContext(ctx, text, args)
}

func (c spyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}
