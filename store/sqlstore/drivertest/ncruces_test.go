//go:build ncruces

package drivertest_test

import _ "github.com/ncruces/go-sqlite3/driver"

const sqlite3Options = "?_pragma=synchronous(off)"
