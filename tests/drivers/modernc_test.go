//go:build !race

package drivers_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// This driver is SQLite itself in Go, which takes twenty times as long under the
// race detector, and that would look at little else. What it can find in sqlstore
// it finds with the other drivers; make budgets runs this one without it.
//
// Waiting for the disk would only make the tests slower. The other drivers'
// files have another journal.
func TestModernc(t *testing.T) {
	suite(t, "sqlite", sqliteFile(t, "?_pragma=synchronous(off)&_pragma=journal_mode(wal)"), sqlstore.SQLite)
}
