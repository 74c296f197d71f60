//go:build !ncruces

package drivertest_test

import _ "github.com/mattn/go-sqlite3"

const sqlite3Options = "?_synchronous=off"
