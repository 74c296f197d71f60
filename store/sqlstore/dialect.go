package sqlstore

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Dialect is the kind of database.
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

// String returns "postgres", "mysql", or "sqlite".
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

// id returns a document's ID as the database takes it. PostgreSQL has a type
// for it, whose text all drivers take.
func (d Dialect) id(id store.ID) any {
	if d == Postgres {
		return id.String()
	}
	return id[:]
}

// parseID reads a document's ID as a database returns it.
func parseID(b []byte) (id store.ID, err error) {
	if len(b) == len(id) {
		return store.ID(b), nil
	}
	return store.ParseID(string(b))
}

// micros returns a time as the database takes it, and NULL for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// A statement is a text for the database and the order in which it takes the
// arguments. A nil order is the one in which they are given.
type statement struct {
	text  string
	order []int
}

// defaultPrefix is the prefix of all names in the SQL of this package, which
// is written for PostgreSQL.
const defaultPrefix = "latchkey_"

var parameter = regexp.MustCompile(`\$(\d+)(::\w+)?`)

// statement returns the text for the dialect and with the prefix. MySQL and
// SQLite get a question mark for each parameter, and no types: only PostgreSQL
// wants to know them. In MySQL an empty text must be one of bytes, because one
// of characters equals a space.
func (d Dialect) statement(prefix, text string) statement {
	text = strings.ReplaceAll(text, defaultPrefix, prefix)
	if d == Postgres {
		return statement{text: text}
	}
	if d == MySQL {
		text = strings.ReplaceAll(text, "''", "x''")
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

// A where is a condition and its arguments.
type where struct {
	text string
	args []any
}

// and adds a condition, in which a question mark stands for each argument.
func (w *where) and(text string, args ...any) {
	if w.text != "" {
		text = " and " + text
	}
	for _, arg := range args {
		w.args = append(w.args, arg)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.text += text
}

// orAll returns the condition, or one that is always true if there is none.
func (w *where) orAll() string { return cmp.Or(w.text, "1 = 1") }
