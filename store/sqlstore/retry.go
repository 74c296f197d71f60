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

// How often a step is tried that the database keeps giving up, and how long a
// pause before the next try may be.
const (
	maxTries = 200
	maxWait  = 50 * time.Millisecond
)

// try runs a step, and runs it again while the database has given it up in
// favor of another one and certainly undone all of it. It continues until the
// context ends, or until so many tries have failed that something else must be
// wrong. A transaction of the host can't be continued after such an error, so
// there it is the host that tries again.
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
			// What a driver makes of it may not say so.
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

// pause waits a random time, longer after more tries, so that those who got in
// each other's way don't do so again.
func pause(ctx context.Context, tries int) {
	longest := min(time.Millisecond<<min(tries, 10), maxWait)
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // It need not be unpredictable.
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// gaveUp reports whether the error says that the database gave up a step
// because another one got in its way, so that nothing of it was done. Drivers
// are the host's, so their errors are known by what they have in common.
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
		// The driver in pure Go has this method, the one in C says it in words.
		var code interface{ Code() int }
		if errors.As(err, &code) {
			return code.Code()&0xff == 5 || code.Code()&0xff == 6 // SQLITE_BUSY, SQLITE_LOCKED
		}
		return strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "database table is locked")
	}
	return false
}

// runMigrate is what to do where a table is not as it must be.
const runMigrate = "run Migrate, or the files of Schema"

// unmigrated reports whether the error says that a table or a column isn't
// there.
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
