//go:build !race

// These measurements, and the suite with other settings of a database, would
// take minutes with the race detector. "make budgets" runs them without it.

package drivers_test

import (
	"database/sql"
	"testing"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// No call gets slower as the store fills up.
func TestCost(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, _ := fresh(t, db, server.dialect)
		storetest.RunCost(t, func(*testing.T) store.Store { return s })
	})
}

// The host decides at which isolation level its connections work.

func TestPgxSerializable(t *testing.T) {
	suite(t, "pgx", postgresURL("default_transaction_isolation=serializable"), sqlstore.Postgres)
}

func TestPqRepeatableRead(t *testing.T) {
	suite(t, "postgres", postgresURL("default_transaction_isolation=repeatable%20read"), sqlstore.Postgres)
}

func TestMariaDBReadCommitted(t *testing.T) {
	suite(t, "mysql", mysqlDSN("tx_isolation=%27READ-COMMITTED%27"), sqlstore.MySQL)
}

func TestMariaDBSerializable(t *testing.T) {
	suite(t, "mysql", mysqlDSN("interpolateParams=true", "clientFoundRows=true", "parseTime=true", "tx_isolation=SERIALIZABLE"), sqlstore.MySQL)
}

func TestSQLite3(t *testing.T) { suite(t, sqlite3.driver, sqlite3.dsn(t), sqlite3.dialect) }
