package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

const (
	// sweepAge is how old a cut-off must be before a sweep deletes what it covers.
	sweepAge = 24 * time.Hour

	// sweepRest is how long a cut-off that covers live documents is left alone
	// after a sweep has examined it. However, one random Sweep in sweepEarly
	// examines some that were examined within the last day.
	sweepRest  = 48 * time.Hour
	sweepEarly = 4

	// sweepLooks is how many cut-offs one Sweep examines at a time. It continues
	// while that deletes something.
	sweepLooks = 20

	// sweepBatch is how many documents of a cut-off are read, and deleted, at
	// once. sweepReads is the most batches for each kind.
	sweepBatch = 100
	sweepReads = 100

	// sweepSkew is how much later than a cut-off a document that doesn't know it
	// may have been created, by the clock of another instance.
	sweepSkew = 5 * time.Minute
)

// oldFrom returns the time from which a cut-off may be swept.
func oldFrom(number int64) time.Time { return store.CutTime(number).Add(sweepAge) }

// Sweep implements [store.Documents].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	if err := store.CheckSweep(limit); err != nil {
		return 0, err
	}
	due, err := s.exec(ctx, "sweep", s.dialect.sweepText(limit), before.UnixMicro())
	removed = int(due)
	if err != nil || removed >= limit {
		return removed, err
	}
	n, err := s.sweepCuts(ctx, time.Time{}, before, before, limit-removed)
	if removed += n; err != nil || removed >= limit || rand.N(sweepEarly) > 0 { //nolint:gosec // It need not be unpredictable.
		return removed, err
	}
	n, err = s.sweepCuts(ctx, before.Add(sweepAge), before.Add(sweepRest), before, limit-removed)
	return removed + n, err
}

// sweepText returns the statement that deletes documents that are due. It waits
// for locked ones, each for as long as one statement takes, and replaces those
// that were deleted meanwhile. So if it deletes fewer than the limit, nothing
// else is due.
//
// The limit is in the text because hosts sweep with the same one each time: see
// [Store.listText].
func (d Dialect) sweepText(limit int) string {
	due := `latchkey_documents where sweep_at <= $1::bigint order by sweep_at limit ` + strconv.Itoa(limit)
	switch d {
	case Postgres: // ARRAY makes the plan use the primary key, for any number of rows.
		return `delete from latchkey_documents where id = any(array(select id from ` + due + ` for update))`
	case SQLite:
		return `delete from latchkey_documents where id in (select id from ` + due + `)`
	}
	return `delete from ` + due
}

// A cut is a stored cut-off.
type cut struct {
	store.CutKey
	number int64
}

// covers reports whether the cut-off covers the documents of the key.
func (c cut) covers(key store.CutKey) bool {
	for _, covering := range key.Covering() {
		if covering == c.CutKey {
			return true
		}
	}
	return false
}

// sweepCuts sweeps the cut-offs that are due between two times, and what they
// cover, longest waiting first.
func (s *Store) sweepCuts(ctx context.Context, from, to, before time.Time, limit int) (removed int, err error) {
	for useful := true; useful; {
		cuts, err := s.readCuts(ctx, from, to)
		if err != nil {
			return removed, err
		}
		useful = false
		for _, c := range cuts {
			n, err := s.sweepCut(ctx, c, before, limit-removed)
			if removed += n; err != nil || removed >= limit {
				return removed, err
			}
			useful = useful || n > 0
		}
	}
	return removed, nil
}

// readCuts returns cut-offs that are due between two times.
func (s *Store) readCuts(ctx context.Context, from, to time.Time) (cuts []cut, err error) {
	const text = `
select user_id, application_id, workspace_id, number from latchkey_cuts
where sweep_at > $1::bigint and sweep_at <= $2::bigint order by sweep_at limit $3::bigint`
	err = s.try(ctx, "sweep", func(ctx context.Context) error {
		cuts = nil
		return s.rows(ctx, text, []any{from.UnixMicro(), to.UnixMicro(), sweepLooks}, func(scan func(into ...any) error) error {
			var c cut
			err := scan(&c.UserID, &c.ApplicationID, &c.WorkspaceID, &c.number)
			cuts = append(cuts, c)
			return err
		})
	})
	return cuts, err
}

// sweepCut deletes documents that a cut-off has cut off, and then the cut-off
// itself if it covers none. Otherwise it postpones the cut-off's next sweep.
func (s *Store) sweepCut(ctx context.Context, c cut, before time.Time, limit int) (removed int, err error) {
	next := oldFrom(c.number)
	if !next.After(before) {
		next = before.Add(sweepRest)
		var living bool
		removed, living, err = s.sweepCovered(ctx, c, limit)
		if err != nil || removed >= limit {
			return removed, err
		}
		if !living {
			dropped, err := s.dropCut(ctx, c)
			if removed += dropped; err != nil || dropped > 0 {
				return removed, err
			}
		}
	}
	_, err = s.exec(ctx, "sweep", `
update latchkey_cuts set sweep_at = $5::bigint
where user_id = $1::text and application_id = $2::text and workspace_id = $3::text and number = $4::bigint`,
		c.UserID, c.ApplicationID, c.WorkspaceID, c.number, next.UnixMicro())
	return removed, err
}

// sweepCovered deletes documents that a cut-off has cut off, and reports
// whether it covers live ones. It works kind by kind, because the kind comes
// before the time in the indexes.
func (s *Store) sweepCovered(ctx context.Context, c cut, limit int) (removed int, living bool, err error) {
	column, text := listColumn(c.CutKey)
	if column == "" {
		return 0, false, nil
	}
	kindText := fmt.Sprintf(`select min(kind) from latchkey_documents where %[1]s = $1::text and %[1]s <> '' and kind > $2::smallint`, column)
	for kind := int64(-1); removed < limit; {
		var next sql.NullInt64
		err := s.try(ctx, "sweep", func(ctx context.Context) error {
			return s.row(ctx, kindText, []any{text, kind}, &next)
		})
		if err != nil || !next.Valid {
			return removed, living, err
		}
		kind = next.Int64
		n, others, err := s.sweepKind(ctx, c, kind, limit-removed)
		removed, living = removed+n, living || others
		if err != nil {
			return removed, living, err
		}
	}
	return removed, living, nil
}

// sweepKind does the same for one kind, from the oldest document. It stops
// after a batch with nothing to delete whose documents were all created after
// the cut-off, because later ones know its number too.
func (s *Store) sweepKind(ctx context.Context, c cut, kind int64, limit int) (removed int, living bool, err error) {
	var after store.Cursor
	known := store.CutTime(c.number).Add(sweepSkew)
	for range sweepReads {
		b, err := s.readBatch(ctx, c, kind, after)
		if err != nil {
			return removed, living, err
		}
		dead := b.dead[:min(len(b.dead), 2*(limit-removed))]
		living = living || b.living || len(dead) < len(b.dead)
		if len(dead) > 0 {
			n, err := s.exec(ctx, "sweep", removeText, pad(dead, 2*sweepBatch)...)
			if removed += int(n); err != nil {
				return removed, living, err
			}
		}
		if b.read < sweepBatch || removed >= limit || len(dead) == 0 && after.CreatedAt.After(known) {
			break
		}
		after = b.last
	}
	return removed, living, nil
}

// A batch is one read of documents that may be cut off.
type batch struct {
	read   int
	dead   []any // the IDs and marks of documents to delete
	living bool  // the cut-off covers live documents
	last   store.Cursor
}

// readBatch reads the documents of a kind after a place. It returns none if the
// cut-off no longer exists: another sweep may have deleted it, and a document
// created since has seen no number, which is less than this one.
func (s *Store) readBatch(ctx context.Context, c cut, kind int64, after store.Cursor) (b batch, err error) {
	column, text := listColumn(c.CutKey)
	query := `select * from (` + s.dialect.page("id, user_id, application_id, workspace_id, created_at, mark, seen", column, "asc", strconv.Itoa(sweepBatch)) + `) page
where exists (select 1 from latchkey_cuts
	where user_id = $5::text and application_id = $6::text and workspace_id = $7::text and number = $8::bigint)
order by created_at, id`
	args := []any{text, kind, after.CreatedAt.UnixMicro(), s.dialect.id(after.ID), c.UserID, c.ApplicationID, c.WorkspaceID, c.number}
	err = s.try(ctx, "sweep", func(ctx context.Context) error {
		b = batch{}
		return s.rows(ctx, query, args, func(scan func(into ...any) error) error { return b.scan(scan, s.dialect, c) })
	})
	return b, err
}

// scan adds a document to the batch.
func (b *batch) scan(scan func(into ...any) error, d Dialect, c cut) error {
	var id []byte
	var key store.CutKey
	var created, mark sql.NullInt64
	var kept sql.NullString
	err := scan(&id, &key.UserID, &key.ApplicationID, &key.WorkspaceID, &created, &mark, &kept)
	if err != nil {
		return err
	}
	if b.last.ID, err = parseID(id); err != nil {
		return err
	}
	b.last.CreatedAt = timeOf(created)
	b.read++
	seen, err := store.ParseCuts(kept.String)
	switch {
	case err != nil:
		return fmt.Errorf("the document %s: %w", b.last.ID, err)
	case !c.covers(key):
	case c.number > seen[c.Index()]:
		b.dead = append(b.dead, d.id(b.last.ID), mark.Int64)
	default:
		b.living = true
	}
	return nil
}

// removeText removes documents by their IDs, but only if they still have the
// marks that were read: a user may have allowed an application again after it
// was cut off.
var removeText = func() string {
	var ids, pairs []string
	for i := range sweepBatch {
		ids = append(ids, fmt.Sprintf("$%d::uuid", 2*i+1))
		pairs = append(pairs, fmt.Sprintf("(id = $%d::uuid and mark = $%d::bigint)", 2*i+1, 2*i+2))
	}
	return `delete from latchkey_documents where id in (` + strings.Join(ids, ", ") + `) and (` + strings.Join(pairs, " or ") + `)`
}()

// pad repeats the last pair of arguments until args has n elements.
func pad(args []any, n int) []any {
	for len(args) < n {
		args = append(args, args[len(args)-2:]...)
	}
	return args
}

// dropCut removes a cut-off that covers no document and has not grown
// meanwhile, and returns how many it removed.
func (s *Store) dropCut(ctx context.Context, c cut) (int, error) {
	w, covered := &where{}, []string{"1 = 1"}
	for _, text := range []struct{ column, value string }{
		{"user_id", c.UserID}, {"application_id", c.ApplicationID}, {"workspace_id", c.WorkspaceID},
	} {
		w.and(text.column+" = ?::text", text.value)
		if text.value != "" {
			covered = append(covered, fmt.Sprintf("%[1]s = $%[2]d::text and %[1]s <> ''", text.column, len(w.args)))
		}
	}
	w.and("number = ?::bigint", c.number)
	n, err := s.exec(ctx, "sweep", `delete from latchkey_cuts where `+w.text+
		` and not exists (select 1 from latchkey_documents where `+strings.Join(covered, " and ")+`)`, w.args...)
	return int(n), err
}
