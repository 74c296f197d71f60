//go:build !ncruces

package drivers_test

import _ "github.com/mattn/go-sqlite3"

const sqlite3Options = "?_synchronous=off"
