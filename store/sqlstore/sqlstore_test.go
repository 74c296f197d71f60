package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

func TestNewReportsEveryProblem(t *testing.T) {
	_, err := New(nil, 0, Options{TablePrefix: "Robert'; --"})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"the *sql.DB is nil", "unknown dialect 0", `"Robert'; --"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got error %q, want %q in it", err, want)
		}
	}
}

func TestNewChecksThePrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"": true, "latchkey_": true, "a": true, "my_app_2_": true, strings.Repeat("a", 32): true,
		strings.Repeat("a", 33): false, "_a": false, "2a": false, "A": false, "a.b": false, "a b": false, `a"`: false, "a-": false, "é": false, "a;": false, "a\n": false,
	} {
		_, err := New(&sql.DB{}, SQLite, Options{TablePrefix: prefix})
		if (err == nil) != ok {
			t.Errorf("prefix %q: got error %v, want it to be allowed: %v", prefix, err, ok)
		}
	}
}

func TestStatementOfADialect(t *testing.T) {
	const text = "select $2::text from latchkey_documents where id = $1::uuid and $1 = $11"
	if got := Postgres.statement("x_", text); got.text != strings.Replace(text, "latchkey_", "x_", 1) || got.order != nil {
		t.Errorf("got %+v", got)
	}
	got := MySQL.statement("x_", text)
	if got.text != "select ? from x_documents where id = ? and ? = ?" {
		t.Errorf("got %q", got.text)
	}
	args := make([]any, 11)
	for i := range args {
		args[i] = i + 1
	}
	if s := fmt.Sprint(got.args(args)); s != "[2 1 1 11]" {
		t.Errorf("got the arguments %s", s)
	}
}

type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

type codeError int

func (e codeError) Error() string { return "code" }
func (e codeError) Code() int     { return int(e) }

func TestWhatIsTriedAgain(t *testing.T) {
	for _, tt := range []struct {
		dialect Dialect
		err     error
		want    bool
	}{
		{Postgres, stateError("40001"), true},
		{Postgres, fmt.Errorf("wrapped: %w", stateError("40P01")), true},
		{Postgres, stateError("23505"), false},
		{Postgres, stateError("57014"), false},
		{Postgres, errors.New("broken pipe"), false},
		{MySQL, errors.New("Error 1213 (40001): Deadlock found when trying to get lock"), true},
		{MySQL, fmt.Errorf("wrapped: %w", errors.New("Error 1205 (HY000): Lock wait timeout exceeded")), true},
		{MySQL, errors.New("Error 1020: Record has changed since last read"), true},
		{MySQL, errors.New("Error 1406 (22001): Data too long"), false},
		{MySQL, errors.New("invalid connection"), false},
		{SQLite, codeError(5), true},
		{SQLite, codeError(517), true}, // SQLITE_BUSY_SNAPSHOT
		{SQLite, codeError(6), true},
		{SQLite, codeError(19), false},
		{SQLite, errors.New("database is locked"), true},
		{SQLite, errors.New("no such table"), false},
	} {
		if got := tt.dialect.gaveUp(tt.err); got != tt.want {
			t.Errorf("%s, %v: got %v, want %v", tt.dialect, tt.err, got, tt.want)
		}
	}
}

func TestTry(t *testing.T) {
	c := &core{dialect: Postgres}
	tries := 0
	err := c.try(context.Background(), "step", func(context.Context) error {
		if tries++; tries < 5 {
			return stateError("40001")
		}
		return store.ErrNotFound
	})
	if !errors.Is(err, store.ErrNotFound) || tries != 5 {
		t.Errorf("got error %v after %d tries", err, tries)
	}

	tries = 0
	err = c.try(context.Background(), "step", func(context.Context) error { tries++; return stateError("53300") })
	if tries != 1 || err == nil || !strings.Contains(err.Error(), "sqlstore: step: state 53300") {
		t.Errorf("another error: got %v after %d tries", err, tries)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = c.try(ctx, "step", func(context.Context) error { return stateError("40001") })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without end: got error %v", err)
	}

	c.inTx, tries = true, 0
	err = c.try(context.Background(), "step", func(context.Context) error { tries++; return stateError("40001") })
	if tries != 1 || err == nil {
		t.Errorf("in the host's transaction: got %v after %d tries", err, tries)
	}
}

// A text from a request is compared with stored texts, and never makes a
// statement fail.
func TestPresented(t *testing.T) {
	if got := presented("é text"); got != "é text" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"\x00", "a\xff"} {
		if got := presented(bad); !store.IsText(got) || got == bad {
			t.Errorf("%q: got %q", bad, got)
		}
	}
	if presented("\x00") == presented("\x00\x00") {
		t.Error("two different texts become the same one")
	}
}

// Texts that are too long for MySQL's indexes are refused on every database,
// before anything is sent.
func TestWhatIsTooLong(t *testing.T) {
	s, err := New(&sql.DB{}, MySQL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, long := context.Background(), strings.Repeat("a", maxID+1)
	d := store.Document{ID: store.NewID(time.Now(), ""), Kind: store.KindGrant, CreatedAt: time.Now(), Mark: 1}
	for name, spoil := range map[string]func(*store.Document){
		"application": func(d *store.Document) { d.ApplicationID = long },
		"workspace":   func(d *store.Document) { d.WorkspaceID = long },
		"state":       func(d *store.Document) { d.State = strings.Repeat("a", maxText+1) },
	} {
		d := d
		spoil(&d)
		for _, err := range []error{s.Create(ctx, d), s.Replace(ctx, d, 1)} {
			if err == nil || !strings.Contains(err.Error(), "longer than") {
				t.Errorf("%s: got error %v", name, err)
			}
		}
	}
	for name, err := range map[string]error{
		"cut-off":     s.CutOff(ctx, store.CutKey{UserID: long}, 1),
		"application": s.CreateApplication(ctx, store.Application{ID: "a", ClientID: long}),
		"name":        s.UpdateApplication(ctx, store.Application{ID: "a", ClientID: "a", Name: strings.Repeat("a", maxText+1)}),
	} {
		if err == nil || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// Each number of a cut-off comes with its index in store.Cuts.
func TestCutNumbers(t *testing.T) {
	for i, key := range (store.CutKey{UserID: "u", ApplicationID: "a", WorkspaceID: "w"}).Covering() {
		index := 0
		for column, text := range map[string]string{"user_id": key.UserID, "application_id": key.ApplicationID, "workspace_id": key.WorkspaceID} {
			_, rest, found := strings.Cut(cutIndex, "c."+column+" = '' then 0 else ")
			if text != "" && found {
				index += int(rest[0] - '0')
			}
		}
		if index != i {
			t.Errorf("%+v has the index %d in SQL", key, index)
		}
	}
	for text, want := range map[string]store.Cuts{
		"":                          {},
		"0 7":                       {7},
		"3 5 7 9223372036854775807": {3: 5, 7: math.MaxInt64},
	} {
		var got store.Cuts
		if err := cutNumbers(&got, text); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, damaged := range []string{"8 1", "-1 1", "1", "1 ", " 1", "a 1", "1 a", "1 2  3", "1 9223372036854775808"} {
		if cutNumbers(&store.Cuts{}, damaged) == nil {
			t.Errorf("%q is accepted", damaged)
		}
	}
}

// The three dialects have the same tables with the same columns.
func TestSchemasAgree(t *testing.T) {
	column := regexp.MustCompile(`(?m)^  ([a-z_]+) +(?:text|boolean|bigint|timestamptz|uuid|bytea|smallint|integer|blob|mediumblob|longblob|tinyint|varbinary|binary)\b`)
	table := regexp.MustCompile(`(?s)create table if not exists (\w+) \((.*?)\n\)`)
	tables := func(d Dialect) map[string]string {
		found := map[string]string{}
		files, err := fs.Glob(Schema(d), "*.sql")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", d, files, err)
		}
		for _, name := range files {
			text, err := fs.ReadFile(Schema(d), name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range table.FindAllStringSubmatch(string(text), -1) {
				var names []string
				for _, c := range column.FindAllStringSubmatch(m[2], -1) {
					names = append(names, c[1])
				}
				found[m[1]] = strings.Join(names, " ")
			}
		}
		return found
	}
	want := tables(Postgres)
	if len(want) != 3 || !strings.HasSuffix(want["latchkey_documents"], " seen state") {
		t.Fatalf("got the tables %v", want)
	}
	for _, d := range []Dialect{MySQL, SQLite} {
		got := tables(d)
		for name, names := range want {
			if got[name] != names {
				t.Errorf("%s of %s:\n\tgot  %s\n\twant %s", name, d, got[name], names)
			}
		}
	}
}
