package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// columns returns the columns to read for a document, in the order of
// [documentRow.into]. The document is in the table or query doc, and its user,
// application, and workspace are in key.
func columns(doc, key, numbers string) string {
	list := []string{key + ".user_id", key + ".application_id", key + ".workspace_id"}
	for _, column := range []string{"kind", "created_at", "last_used_at", "ended_at", "sweep_at", "seen", "mark", "state"} {
		list = append(list, doc+"."+column)
	}
	return strings.Join(append(list, numbers), ", ")
}

// Conditions for the cut-offs c of one document, whose user, application, and
// workspace are in key, and the index of a cut-off in [store.Cuts].
const (
	cutsOf = `c.user_id in ('', %[1]s.user_id) and c.application_id in ('', %[1]s.application_id) and c.workspace_id in ('', %[1]s.workspace_id)`

	cutIndex = `(case when c.user_id = '' then 0 else 1 end + case when c.application_id = '' then 0 else 2 end + case when c.workspace_id = '' then 0 else 4 end)`
)

// numbers returns the expression for the numbers of the cut-offs of a document,
// for [cutNumbers], and what to join for it.
//
// One statement reads the document and its numbers, because a subquery or a
// join mostly costs its start, not the lookup, which usually finds nothing.
// PostgreSQL and SQLite get one subquery. MySQL gets one join with a row for
// each cut-off, because MariaDB makes a table in memory for the results of a
// subquery.
func (d Dialect) numbers(key string) (numbers, join string) {
	where := fmt.Sprintf(cutsOf, key)
	switch d {
	case Postgres:
		return `array_to_string(array(select ` + cutIndex + ` || ' ' || c.number from latchkey_cuts c where ` + where + `), ' ')`, ""
	case SQLite:
		return `(select group_concat(` + cutIndex + ` || ' ' || c.number, ' ') from latchkey_cuts c where ` + where + `)`, ""
	}
	return `concat(` + cutIndex + `, ' ', c.number)`, ` left join latchkey_cuts c on ` + where
}

// pageNumbers is numbers for many documents, one row for each. MySQL then needs
// a join for each form of key, because it uses an index for one of several
// texts only if it knows them beforehand.
func (d Dialect) pageNumbers(key string) (numbers, joins string) {
	if d != MySQL {
		return d.numbers(key)
	}
	var all []string
	for i, covering := range (store.CutKey{UserID: "u", ApplicationID: "a", WorkspaceID: "w"}).Covering() {
		cut := fmt.Sprintf("c%d", i)
		var given, where []string
		for _, text := range []struct{ column, covers string }{
			{"user_id", covering.UserID}, {"application_id", covering.ApplicationID}, {"workspace_id", covering.WorkspaceID},
		} {
			if text.covers == "" {
				where = append(where, cut+"."+text.column+" = ''")
				continue
			}
			given = append(given, key+"."+text.column+" <> ''")
			where = append(where, cut+"."+text.column+" = "+key+"."+text.column)
		}
		all = append(all, fmt.Sprintf("concat('%d ', %s.number)", i, cut))
		joins += " left join latchkey_cuts " + cut + " on " + strings.Join(append(where, given...), " and ")
	}
	return "concat_ws(' ', " + strings.Join(all, ", ") + ")", joins
}

// cutNumbers parses the numbers that a statement returned: the index and the
// number of each cut-off, separated by spaces.
func cutNumbers(numbers *store.Cuts, text string) error {
	for text != "" {
		var index, number string
		index, text, _ = strings.Cut(text, " ")
		number, text, _ = strings.Cut(text, " ")
		i, err := strconv.ParseUint(index, 10, 8)
		n, err2 := strconv.ParseInt(number, 10, 64)
		if err := cmp.Or(err, err2); err != nil {
			return err
		}
		if i >= uint64(len(numbers)) {
			return fmt.Errorf("the index %d of a cut-off is out of range", i)
		}
		numbers[i] = n
	}
	return nil
}

// findTexts returns the statements of Find and FindConsent.
func findTexts(d Dialect) (find, consent string) {
	numbers, join := d.numbers("d")
	find = `select ` + columns("d", "d", numbers) + ` from latchkey_documents d` + join + ` where d.id = $1::uuid`
	numbers, join = d.numbers("k")
	consent = `
select ` + columns("d", "k", numbers) + `
from (select $2::text as user_id, $3::text as application_id, $4::text as workspace_id) k
left join latchkey_documents d on d.id = $1::uuid` + join
	return find, consent
}

// A documentRow is one row of a query of documents. Its columns are NULL if a
// consent doesn't exist.
type documentRow struct {
	key                                     store.CutKey
	kind, created, used, ended, swept, mark sql.NullInt64
	seen, state, numbers                    sql.NullString
}

// into returns what to scan the columns into.
func (r *documentRow) into() []any {
	return []any{
		&r.key.UserID, &r.key.ApplicationID, &r.key.WorkspaceID,
		&r.kind, &r.created, &r.used, &r.ended, &r.swept, &r.seen, &r.mark, &r.state, &r.numbers,
	}
}

// document returns the document with the ID.
func (r *documentRow) document(id store.ID) (store.Document, error) {
	seen, err := store.ParseCuts(r.seen.String)
	if err != nil {
		return store.Document{}, fmt.Errorf("sqlstore: the document %s: %w", id, err)
	}
	return store.Document{
		ID: id, Kind: store.Kind(r.kind.Int64),
		UserID: r.key.UserID, ApplicationID: r.key.ApplicationID, WorkspaceID: r.key.WorkspaceID,
		CreatedAt: timeOf(r.created), LastUsedAt: timeOf(r.used), EndedAt: timeOf(r.ended), SweepAt: timeOf(r.swept),
		Seen: seen, Mark: r.mark.Int64, State: r.state.String,
	}, nil
}

// timeOf returns the time of a number of microseconds, and the zero time for
// NULL.
func timeOf(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.Int64).UTC()
}

// seenOf returns the column of the numbers that a document has seen: NULL if
// all are zero.
func seenOf(d *store.Document) any {
	if d.Seen == (store.Cuts{}) {
		return nil
	}
	return []byte(d.Seen.String())
}

const insertDocumentSQL = `
insert into latchkey_documents (id, kind, user_id, application_id, workspace_id, created_at, last_used_at, sweep_at, seen, mark, state)
values ($1::uuid, $2::smallint, $3::text, $4::text, $5::text, $6::bigint, $7::bigint, $8::bigint, $9::bytea, $10::bigint, $11::bytea)`

// Create implements [store.Documents].
func (s *Store) Create(ctx context.Context, d store.Document) error {
	if err := checkDocument(d); err != nil {
		return err
	}
	return s.insert(ctx, "create", insertDocumentSQL, s.dialect.id(d.ID), int64(d.Kind), d.UserID, d.ApplicationID, d.WorkspaceID,
		d.CreatedAt.UnixMicro(), d.LastUsedAt.UnixMicro(), micros(d.SweepAt), seenOf(&d), d.Mark, []byte(d.State))
}

// Find implements [store.Documents].
func (s *Store) Find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	return s.find(ctx, "find", id, s.findText, s.dialect.id(id))
}

// FindConsent implements [store.Documents].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (store.Document, store.Cuts, error) {
	id := store.ConsentID(userID, applicationID, workspaceID)
	return s.find(ctx, "find consent", id, s.consentText, s.dialect.id(id), presented(userID), presented(applicationID), presented(workspaceID))
}

// find reads a document from its rows: one, or one for each of its cut-offs.
func (s *Store) find(ctx context.Context, name string, id store.ID, text string, args ...any) (d store.Document, cuts store.Cuts, err error) {
	var r documentRow
	into := r.into()
	err = s.try(ctx, name, func(ctx context.Context) error {
		found := false
		cuts = store.Cuts{}
		err := s.rows(ctx, text, args, func(scan func(into ...any) error) error {
			found = true
			if err := scan(into...); err != nil {
				return err
			}
			return cutNumbers(&cuts, r.numbers.String)
		})
		if err == nil && !found {
			return store.ErrNotFound
		}
		return err
	})
	if err == nil && r.mark.Valid {
		d, err = r.document(id)
	}
	if err != nil {
		return store.Document{}, store.Cuts{}, err
	}
	return d, cuts, nil
}

const replaceSQL = `
update latchkey_documents
set created_at = $2::bigint, last_used_at = $3::bigint, sweep_at = $4::bigint, seen = $5::bytea, mark = $6::bigint, state = $7::bytea
where id = $1::uuid and mark = $8::bigint and ended_at is null`

// Replace implements [store.Documents].
func (s *Store) Replace(ctx context.Context, d store.Document, mark int64) error {
	if err := checkDocument(d); err != nil {
		return err
	}
	n, err := s.exec(ctx, "replace", replaceSQL, s.dialect.id(d.ID),
		d.CreatedAt.UnixMicro(), d.LastUsedAt.UnixMicro(), micros(d.SweepAt), seenOf(&d), d.Mark, []byte(d.State), mark)
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	return err
}

const endSQL = `
update latchkey_documents
set ended_at = $2::bigint, sweep_at = case when sweep_at <= $3::bigint then sweep_at else coalesce($3::bigint, sweep_at) end
where id = $1::uuid and ended_at is null`

// End implements [store.Documents].
func (s *Store) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	_, err := s.exec(ctx, "end", endSQL, s.dialect.id(id), micros(at), micros(sweepAt))
	return err
}

// The number of a key always grows, even the first one. The sweep_at that is
// written may be too early, which Sweep notices.
const (
	insertCutSQL = `
insert into latchkey_cuts (user_id, application_id, workspace_id, number, sweep_at)
values ($1::text, $2::text, $3::text, $4::bigint, $5::bigint)`
	growCutSQL = `
on conflict (user_id, application_id, workspace_id) do update set sweep_at = excluded.sweep_at, number = case
  when excluded.number > latchkey_cuts.number then excluded.number else latchkey_cuts.number + 1 end`
	growCutMySQL = `
on duplicate key update sweep_at = values(sweep_at), number = case
  when values(number) > number then values(number) else number + 1 end`
)

// CutOff implements [store.Documents].
func (c *core) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	if err := checkKey(key); err != nil {
		return err
	}
	number = max(number, 1)
	text := insertCutSQL + growCutSQL
	if c.dialect == MySQL {
		text = insertCutSQL + growCutMySQL
	}
	_, err := c.exec(ctx, "cut off", text, key.UserID, key.ApplicationID, key.WorkspaceID, number, oldFrom(number).UnixMicro())
	return err
}
