package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// How often a step is tried, and the longest pause before the next try.
const (
	maxTries = 200
	maxWait  = 50 * time.Millisecond
)

// try runs a step, and runs it again if the database has rolled it back because
// of another one. It stops when the context ends, or after maxTries, when
// something else must be wrong. A transaction of the host can't continue after
// such an error, so there try returns the error, and the host must try again.
func (c *core) try(ctx context.Context, name string, step func(ctx context.Context) error) error {
	for tries := 1; ; tries++ {
		err := ctx.Err()
		if err == nil {
			err = step(ctx)
		}
		if err == nil || errors.Is(err, store.ErrNotFound) {
			return err
		}
		if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
			// The driver's error may not wrap that of the context.
			err = fmt.Errorf("%w: %w", ended, err)
		}
		if c.dialect.unmigrated(err) && !strings.Contains(err.Error(), runMigrate) {
			err = fmt.Errorf("%s: %w", runMigrate, err)
		}
		if ctx.Err() != nil || tries == maxTries || c.inTx || !c.dialect.gaveUp(err) {
			return fmt.Errorf("sqlstore: %s: %w", name, err)
		}
		pause(ctx, tries)
	}
}

// pause waits a random time, longer after more tries, so that conflicting
// statements don't meet again.
func pause(ctx context.Context, tries int) {
	longest := min(time.Millisecond<<min(tries, 10), maxWait)
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // It need not be unpredictable.
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// gaveUp reports whether the error says that the database rolled a step back
// because of another one, so that it had no effect. The host chooses the
// driver, so the error is recognized by what all drivers have in common.
func (d Dialect) gaveUp(err error) bool {
	switch d {
	case Postgres:
		// Both pgx and lib/pq have this method.
		var state interface{ SQLState() string }
		if errors.As(err, &state) {
			switch state.SQLState() {
			case "40001", "40P01": // serialization failure, deadlock
				return true
			}
		}
	case MySQL:
		switch mysqlNumber(err) {
		case 1213, 1205, 1020: // deadlock, lock wait timeout, record has changed
			return true
		}
	case SQLite:
		// The driver in pure Go has this method. The driver in C has only a message.
		var code interface{ Code() int }
		if errors.As(err, &code) {
			return code.Code()&0xff == 5 || code.Code()&0xff == 6 // SQLITE_BUSY, SQLITE_LOCKED
		}
		return strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "database table is locked")
	}
	return false
}

// runMigrate tells the host how to fix a table that is missing or out of date.
const runMigrate = "run Migrate, or the files of Schema"

// unmigrated reports whether the error says that a table or a column doesn't
// exist.
func (d Dialect) unmigrated(err error) bool {
	switch d {
	case Postgres:
		var state interface{ SQLState() string }
		return errors.As(err, &state) && (state.SQLState() == "42P01" || state.SQLState() == "42703")
	case MySQL:
		number := mysqlNumber(err)
		return number == 1146 || number == 1054
	case SQLite:
		return strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column") || strings.Contains(err.Error(), "has no column named")
	}
	return false
}

// mysqlDuplicate is the number of the error that a key is taken.
const mysqlDuplicate = 1062

// mysqlNumber returns the number in an error of MySQL, such as "Error 1213
// (40001): Deadlock found", or 0.
func mysqlNumber(err error) (number int) {
	for ; err != nil; err = errors.Unwrap(err) {
		if n, _ := fmt.Sscanf(err.Error(), "Error %d", &number); n == 1 {
			return number
		}
	}
	return 0
}
