package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// listColumn returns the column whose index finds the documents of a key, and
// the text to look for. A user has fewer documents than a workspace, and a
// workspace usually fewer than an application. The column is empty for the key
// that covers everything.
func listColumn(k store.CutKey) (column, text string) {
	switch {
	case k.UserID != "":
		return "user_id", k.UserID
	case k.WorkspaceID != "":
		return "workspace_id", k.WorkspaceID
	case k.ApplicationID != "":
		return "application_id", k.ApplicationID
	}
	return "", ""
}

// page returns the query for a page of documents from an index. It selects at
// most limit documents with the text $1 in the column and the kind $2, from the
// place $3, $4, in ascending ("asc") or descending ("desc") order.
func (d Dialect) page(columns, column, order, limit string) string {
	comparison := map[string]string{"asc": ">", "desc": "<"}[order]
	if d == MySQL {
		// MariaDB uses the index from the place only if all its columns have ranges.
		return fmt.Sprintf(`
select %[1]s from latchkey_documents
where %[2]s >= $1 and %[2]s <= $1 and kind >= $2 and kind <= $2 and (created_at %[3]s $3 or created_at = $3 and id %[3]s $4)
order by %[2]s %[4]s, kind %[4]s, created_at %[4]s, id %[4]s limit %[5]s`, columns, column, comparison, order, limit)
	}
	return fmt.Sprintf(`
select %[1]s from latchkey_documents
where %[2]s = $1::text and %[2]s <> '' and kind = $2::smallint and (created_at, id) %[3]s ($3::bigint, $4::uuid)
order by created_at %[4]s, id %[4]s limit %[5]s`, columns, column, comparison, order, limit)
}

// listTexts returns the statements of List, by column. They read only the
// documents of one page, and the numbers of the cut-offs only for those.
// listLimit stands for the limit.
func listTexts(d Dialect) map[string]string {
	texts := map[string]string{}
	for _, column := range []string{"user_id", "application_id", "workspace_id"} {
		numbers, joins := d.pageNumbers("page")
		texts[column] = `select page.id, ` + columns("page", "page", numbers) + ` from (` + d.page("*", column, "desc", listLimit) + `) page` + joins +
			` order by page.created_at desc, page.id desc`
	}
	return texts
}

const listLimit = "$5::bigint"

// listText returns the statement of List for a page of limit documents. For
// PostgreSQL the limit is in the text, rounded up to keep the number of texts
// small. With the limit as a parameter, PostgreSQL's generic plan assumes a
// tenth of the table. That looks worse than a custom plan if there are many
// documents, so PostgreSQL would plan each call again, which takes longer than
// reading the page.
func (s *Store) listText(column string, limit int) string {
	if s.dialect != Postgres {
		return s.lists[column]
	}
	rounded := uint64(1) << bits.Len64(uint64(limit-1))
	return strings.Replace(s.lists[column], listLimit, strconv.FormatUint(min(rounded, math.MaxInt64), 10), 1)
}

// newest is an ID that comes before every document of a list.
var newest = store.ID(bytes.Repeat([]byte{0xff}, len(store.ID{})))

// List implements [store.Documents]. If q has several texts, List reads a page
// by one of them and drops what doesn't match the others. So the page bounds
// what it reads, no matter how much it drops.
func (s *Store) List(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
	if err := q.Check(); err != nil {
		return nil, store.Cursor{}, err
	}
	after, created := q.After.ID, int64(math.MaxInt64)
	if q.After.IsZero() {
		after = newest
	} else {
		created = q.After.CreatedAt.UnixMicro()
	}
	column, text := listColumn(store.CutKey{UserID: q.UserID, ApplicationID: q.ApplicationID, WorkspaceID: q.WorkspaceID})
	args := []any{presented(text), int64(q.Kind), created, s.dialect.id(after)}
	if s.dialect != Postgres {
		args = append(args, int64(q.Limit))
	}
	err = s.try(ctx, "list", func(ctx context.Context) error {
		page, next = nil, store.Cursor{}
		read, last := 0, store.Cursor{}
		err := s.rows(ctx, s.listText(column, q.Limit), args, func(scan func(into ...any) error) error {
			if read == q.Limit {
				return nil // The statement selects a few more.
			}
			d, cuts, err := scanListed(scan)
			if err != nil {
				return err
			}
			read, last = read+1, store.Cursor{CreatedAt: d.CreatedAt, ID: d.ID}
			if q.Matches(&d) && d.EndedAt.IsZero() && !cuts.Exceed(&d.Seen) {
				page = append(page, d)
			}
			return nil
		})
		if read == q.Limit {
			next = last
		}
		return err
	})
	if err != nil {
		return nil, store.Cursor{}, err
	}
	return page, next, nil
}

func scanListed(scan func(into ...any) error) (d store.Document, cuts store.Cuts, err error) {
	var r documentRow
	var raw []byte
	if err := scan(append([]any{&raw}, r.into()...)...); err != nil {
		return d, cuts, err
	}
	id, err := parseID(raw)
	if err == nil {
		d, err = r.document(id)
	}
	return d, cuts, cmp.Or(err, cutNumbers(&cuts, r.numbers.String))
}
