//go:build !race

package drivers_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// This driver is SQLite translated to Go, which takes twenty times as long
// under the race detector. The other drivers find races in sqlstore just as
// well, so "make budgets" runs this one without the race detector.
//
// Syncing to disk would only make the tests slower. The files of the other
// drivers have another journal mode.
func TestModernc(t *testing.T) {
	suite(t, "sqlite", sqliteFile(t, "?_pragma=synchronous(off)&_pragma=journal_mode(wal)"), sqlstore.SQLite)
}
