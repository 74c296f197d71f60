package sqlstore

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/schema.md anew")

const schemaPage = "../../docs/reference/schema.md"

// tablePurposes say what each table is for, and columnPurposes what each column is. The rest of
// the page is read from the migrations.
var tablePurposes = []struct{ name, what string }{
	{"latchkey_applications", "The registered applications (clients)."},
	{"latchkey_documents", "One row for each grant, consent, waiting device, and machine's token, and one for the signing keys."},
	{"latchkey_cuts", "Cut-offs: one row ends every document that it covers, such as all grants of a user."},
}

var columnPurposes = map[string]string{
	"latchkey_applications.id":          "primary key",
	"latchkey_applications.client_id":   "unique; what the client sends",
	"latchkey_applications.name":        "shown to users",
	"latchkey_applications.folded_name": "the name in lower case, for search",
	"latchkey_applications.origin":      "`manual`, `registration`, or `document`",
	"latchkey_applications.owner_id":    "the user who registered it in your portal; may be empty",
	"latchkey_applications.created_at":  "",
	"latchkey_applications.updated_at":  "",
	"latchkey_applications.version":     "grows with each change; an update compares it",
	"latchkey_applications.details":     "all other settings, as JSON; secrets are hashed",
	"latchkey_documents.created_at":     "",
	"latchkey_documents.last_used_at":   "",
	"latchkey_documents.sweep_at":       "when `Cleanup` may delete it; null: only after it is cut off",
	"latchkey_documents.ended_at":       "when it ended, by revocation or replay; null: it hasn't",
	"latchkey_documents.mark":           "version: a new random number with each write",
	"latchkey_documents.id":             "primary key",
	"latchkey_documents.kind":           "1 grant, 2 consent, 3 device, 4 signing keys, 5 works once, 6 machine's token",
	"latchkey_documents.user_id":        "your ID of the user; may be empty",
	"latchkey_documents.application_id": "may be empty",
	"latchkey_documents.workspace_id":   "may be empty",
	"latchkey_documents.seen":           "numbers of the cut-offs that it knew; null: none",
	"latchkey_documents.state":          "binary, for Latchkey only: scopes, hashes of codes and tokens",
	"latchkey_cuts.user_id":             "empty: any user",
	"latchkey_cuts.application_id":      "empty: any application",
	"latchkey_cuts.workspace_id":        "empty: any workspace",
	"latchkey_cuts.number":              "a document that has seen a smaller number is dead",
	"latchkey_cuts.sweep_at":            "when `Cleanup` checks whether the row is still needed",
}

// docs/reference/schema.md shows the tables that the migrations make. To write it
// anew:
//
//	go test ./store/sqlstore -run TestSchemaPage -update
func TestSchemaPage(t *testing.T) {
	known := map[string]bool{}
	var lines []string
	for _, table := range tablePurposes {
		lines = append(lines, "", "## "+table.name, "", table.what, "", "| column | PostgreSQL | MySQL, MariaDB | SQLite | content |", "| --- | --- | --- | --- | --- |")
		postgres, order := columnsOf(t, Postgres, table.name)
		mysql, _ := columnsOf(t, MySQL, table.name)
		sqlite, _ := columnsOf(t, SQLite, table.name)
		for _, column := range order {
			name := table.name + "." + column
			what, ok := columnPurposes[name]
			if !ok {
				t.Errorf("say in columnPurposes what %s is", name)
			}
			known[name] = true
			row := fmt.Sprintf("| `%s` | %s | %s | %s | %s |", column, postgres[column], mysql[column], sqlite[column], what)
			lines = append(lines, strings.ReplaceAll(row, "|  |", "| |"))
		}
		if len(mysql) != len(order) || len(sqlite) != len(order) {
			t.Errorf("%s has other columns in another dialect", table.name)
		}
		if list := indexes(t, table.name); len(list) > 0 {
			lines = append(append(lines, "", "Indexes, besides the primary key:", ""), list...)
		}
	}
	for name := range columnPurposes {
		if !known[name] {
			t.Errorf("%s is not a column any more: take it out of columnPurposes", name)
		}
	}
	compareSchemaPage(t, strings.Join(lines, "\n")+"\n\n")
}

// compareSchemaPage compares the generated part of the page, or writes it.
func compareSchemaPage(t *testing.T, want string) {
	t.Helper()
	const begin, end = "<!-- tables -->\n", "<!-- end of tables -->"
	page, err := os.ReadFile(schemaPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	got, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no %s or no %s", schemaPage, begin, end)
	case *update:
		if err := os.WriteFile(schemaPage, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	case got != want:
		t.Errorf("%s is out of date: go test ./store/sqlstore -run TestSchemaPage -update", schemaPage)
	}
}

// schemaText returns all migrations of a dialect.
func schemaText(t *testing.T, d Dialect) string {
	t.Helper()
	names, err := fs.Glob(Schema(d), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := fs.ReadFile(Schema(d), name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

var (
	columnLine = regexp.MustCompile(`(?m)^  ([a-z_]+) +([a-z]+(?:\(\d+\))?)`)
	indexLine  = regexp.MustCompile(`create index if not exists (\w+) on (\w+) \(([^)]*)\)`)
)

// columnsOf returns the types of a table's columns, and their names in order.
func columnsOf(t *testing.T, d Dialect, table string) (types map[string]string, order []string) {
	t.Helper()
	_, text, ok := strings.Cut(schemaText(t, d), "create table if not exists "+table+" (\n")
	text, _, ok2 := strings.Cut(text, "\n)")
	if !ok || !ok2 {
		t.Fatalf("%s has no table %s", d, table)
	}
	types = map[string]string{}
	for _, m := range columnLine.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "primary", "unique", "key", "constraint":
			continue
		}
		types[m[1]] = m[2]
		order = append(order, m[1])
	}
	return types, order
}

// indexes returns the indexes of a table in PostgreSQL, as lines of a list.
func indexes(t *testing.T, table string) []string {
	t.Helper()
	var all []string
	for _, m := range indexLine.FindAllStringSubmatch(schemaText(t, Postgres), -1) {
		if m[2] == table {
			all = append(all, fmt.Sprintf("- `%s` (%s)", m[1], m[3]))
		}
	}
	return all
}
