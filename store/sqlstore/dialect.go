package sqlstore

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Dialect is the kind of a database.
type Dialect uint8

// The dialects.
const (
	// Postgres is PostgreSQL 13 or later.
	Postgres Dialect = iota + 1
	// MySQL is MySQL 8 or later, or MariaDB 10.6 or later.
	MySQL
	// SQLite is SQLite 3.24 or later.
	SQLite
)

// String returns "postgres", "mysql" or "sqlite".
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case MySQL:
		return "mysql"
	case SQLite:
		return "sqlite"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// id returns a grant's id as the database takes it. PostgreSQL has a type for
// it, whose text all drivers take.
func (d Dialect) id(id store.GrantID) any {
	if d == Postgres {
		return id.String()
	}
	return id[:]
}

// idOrNull is id for a column in which NULL stands for the zero id.
func (d Dialect) idOrNull(id store.GrantID) any {
	if id.IsZero() {
		return nil
	}
	return d.id(id)
}

// deviceID is id for a device authorization, whose id has the same form.
func (d Dialect) deviceID(id store.DeviceID) any { return d.id(store.GrantID(id)) }

// time returns a time as the database takes it: PostgreSQL as its timestamptz,
// the others as a number of microseconds since 1970, which no setting of a
// driver or a session changes.
func (d Dialect) time(t time.Time) any {
	t = cut(t)
	if d == Postgres {
		return t
	}
	return t.UnixMicro()
}

// timeOrNull is time for a column in which NULL stands for the zero time.
func (d Dialect) timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return d.time(t)
}

// cut returns t in UTC and without what is finer than a microsecond.
func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// A statement is a text for the database and the order in which it takes the
// arguments; nil is the order in which they are given.
type statement struct {
	text  string
	order []int
}

// defaultPrefix is the prefix of all names in the SQL of this package, which
// is written for PostgreSQL.
const defaultPrefix = "oauth_"

var parameter = regexp.MustCompile(`\$(\d+)(::\w+)?`)

// statement returns the text for the dialect and with the prefix. MySQL and
// SQLite get a question mark for each parameter, and no types, which only
// PostgreSQL wants to know.
func (d Dialect) statement(prefix, text string) statement {
	text = strings.ReplaceAll(text, defaultPrefix, prefix)
	if d == Postgres {
		return statement{text: text}
	}
	var order []int
	text = parameter.ReplaceAllStringFunc(text, func(p string) string {
		number, _, _ := strings.Cut(p[1:], "::")
		n, _ := strconv.Atoi(number)
		order = append(order, n-1)
		return "?"
	})
	return statement{text: text, order: order}
}

// args returns the arguments in the order in which the statement takes them.
func (s statement) args(args []any) []any {
	if s.order == nil {
		return args
	}
	ordered := make([]any, len(s.order))
	for i, from := range s.order {
		ordered[i] = args[from]
	}
	return ordered
}
