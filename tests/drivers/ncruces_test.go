//go:build ncruces

package drivers_test

import _ "github.com/ncruces/go-sqlite3/driver"

const sqlite3Options = "?_pragma=synchronous(off)"
