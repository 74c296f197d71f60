package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// cleanupBatch is how much is dealt with in one transaction, so that nobody
// waits for it for long.
const cleanupBatch = 200

func (t transactions) deleteExpired(ctx context.Context, e store.Expiry) (touched int, err error) {
	for touched < e.Limit {
		batch := e
		batch.Limit = min(e.Limit-touched, cleanupBatch)
		n := 0
		err := t.do(ctx, func(q querier) (err error) {
			c := cleanup{transactions: t, q: q, Expiry: batch}
			n, err = c.run(ctx)
			return err
		})
		if err != nil {
			return touched, err
		}
		touched += n
		if n < batch.Limit {
			break
		}
	}
	return touched, nil
}

// A cleanup is the removal of one batch, in a transaction.
type cleanup struct {
	transactions
	store.Expiry
	q   querier
	due map[store.GrantID]int // how much there is to do on which grant
}

// A candidate is a grant that may be dead, whose row is locked.
type candidate struct {
	refresh   store.Hash
	revokedAt time.Time
	redeemed  bool
	lives     bool
}

// run looks for what is due on the indexes of time, locks the grants that it
// is on but for those that another step has locked, and judges and clears
// them. What has lost its grant, because somebody has deleted grants by hand,
// goes too.
func (c *cleanup) run(ctx context.Context) (touched int, err error) {
	if err := c.findDue(ctx); err != nil || len(c.due) == 0 {
		return 0, err
	}
	lost := map[store.GrantID]bool{}
	for id := range c.due {
		lost[id] = true
	}
	if err := c.each(ctx, `select id from oauth_grants where id in`, keys(c.due), "", func(scan func(into ...any) error) error {
		var id store.GrantID
		err := scan(idInto{&id})
		delete(lost, id)
		return err
	}); err != nil {
		return 0, err
	}
	candidates, err := c.lock(ctx)
	if err != nil {
		return 0, err
	}

	var dead, alive []store.GrantID
	for id, g := range candidates {
		if g.lives {
			alive = append(alive, id)
		} else {
			dead = append(dead, id)
		}
	}
	if _, err := c.bury(ctx, dead); err != nil {
		return 0, err
	}
	// Another process may have removed what was due in the meantime, so only
	// what is deleted here counts.
	touched, err = c.bury(ctx, keys(lost))
	if err != nil {
		return 0, err
	}
	if err := c.tidy(ctx, alive); err != nil {
		return 0, err
	}
	for _, id := range append(dead, alive...) {
		touched += c.due[id]
	}
	return touched, nil
}

// findDue counts what is due on which grant, up to the limit.
func (c *cleanup) findDue(ctx context.Context) error {
	c.due = map[store.GrantID]int{}
	left := c.Limit
	before, rotatedBefore := c.dialect.time(c.Before), c.dialect.timeOrNull(c.RotatedBefore)
	for _, due := range []struct {
		text string
		time any
	}{
		{`select grant_id from oauth_rotations where rotated_at < $1 order by rotated_at limit $2`, rotatedBefore},
		{`select id from oauth_grants where revoked_at <= $1 order by revoked_at limit $2`, before},
		{`select grant_id from oauth_codes where expires_at <= $1 order by expires_at limit $2`, before},
		{`select grant_id from oauth_tokens where expires_at <= $1 order by expires_at limit $2`, before},
	} {
		if left == 0 {
			break
		}
		err := c.rows(ctx, c.q, due.text, []any{due.time, left}, func(scan func(into ...any) error) error {
			var id store.GrantID
			err := scan(idInto{&id})
			c.due[id]++
			left--
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lock locks the grants on which something is due and finds out which of them
// live.
func (c *cleanup) lock(ctx context.Context) (map[store.GrantID]*candidate, error) {
	candidates := map[store.GrantID]*candidate{}
	skip := ""
	if c.dialect == MySQL {
		skip = " for update skip locked"
	}
	err := c.each(ctx, `select id, redeemed, refresh_hash, revoked_at from oauth_grants where id in`, keys(c.due), skip, func(scan func(into ...any) error) error {
		var id store.GrantID
		var g candidate
		err := scan(idInto{&id}, &g.redeemed, bytesInto{g.refresh[:]}, timeInto{&g.revokedAt})
		candidates[id] = &g
		return err
	})
	if err != nil {
		return nil, err
	}
	// Whoever gives a grant something to live by locks it first.
	before := c.dialect.time(c.Before)
	err = c.each(ctx, `select grant_id from oauth_codes where expires_at > $1 and grant_id in`, keys(candidates), "", func(scan func(into ...any) error) error {
		var id store.GrantID
		err := scan(idInto{&id})
		if g := candidates[id]; g != nil {
			g.lives = g.lives || !g.redeemed
		}
		return err
	}, before)
	if err != nil {
		return nil, err
	}
	err = c.each(ctx, `select grant_id, hash, kind from oauth_tokens where expires_at > $1 and grant_id in`, keys(candidates), "", func(scan func(into ...any) error) error {
		var id store.GrantID
		var hash store.Hash
		var kind store.Kind
		err := scan(idInto{&id}, bytesInto{hash[:]}, &kind)
		if g := candidates[id]; g != nil {
			g.lives = g.lives || kind == store.KindAccess || kind == store.KindRefresh && hash.Equal(g.refresh)
		}
		return err
	}, before)
	for _, g := range candidates {
		if !g.revokedAt.IsZero() && !g.revokedAt.After(cut(c.Before)) {
			g.lives = false
		}
	}
	return candidates, err
}

// bury removes grants with all that is on them.
func (c *cleanup) bury(ctx context.Context, ids []store.GrantID) (removed int, err error) {
	for _, text := range []string{
		`delete from oauth_tokens where grant_id in`,
		`delete from oauth_codes where grant_id in`,
		`delete from oauth_rotations where grant_id in`,
		`delete from oauth_grants where id in`,
	} {
		n, err := c.change(ctx, text, ids)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// tidy removes what is dead on grants that live.
func (c *cleanup) tidy(ctx context.Context, ids []store.GrantID) error {
	before, rotatedBefore := c.dialect.time(c.Before), c.dialect.timeOrNull(c.RotatedBefore)
	if _, err := c.change(ctx, `delete from oauth_tokens where expires_at <= $1 and grant_id in`, ids, before); err != nil {
		return err
	}
	if _, err := c.change(ctx, `delete from oauth_codes where expires_at <= $1 and grant_id in`, ids, before); err != nil {
		return err
	}
	if _, err := c.change(ctx, `update oauth_grants set salt = null where rotated_at < $1 and id in`, ids, rotatedBefore); err != nil {
		return err
	}
	_, err := c.change(ctx, `delete from oauth_rotations where rotated_at < $1 and grant_id in`, ids, rotatedBefore)
	return err
}

// each calls read for each row of a query about the ids, whose text ends with
// the word in.
func (c *cleanup) each(ctx context.Context, text string, ids []store.GrantID, end string, read func(scan func(into ...any) error) error, args ...any) error {
	if len(ids) == 0 {
		return nil
	}
	text, args = c.in(text, ids, args)
	return c.rows(ctx, c.q, text+end, args, read)
}

// change runs a statement about the ids, whose text ends with the word in.
func (c *cleanup) change(ctx context.Context, text string, ids []store.GrantID, args ...any) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	text, args = c.in(text, ids, args)
	n, err := c.exec(ctx, c.q, text, args...)
	return int(n), err
}

// in adds the ids to a statement.
func (c *cleanup) in(text string, ids []store.GrantID, args []any) (string, []any) {
	parameters := make([]string, len(ids))
	for i, id := range ids {
		args = append(args, c.dialect.id(id))
		parameters[i] = fmt.Sprintf("$%d", len(args))
	}
	return text + " (" + strings.Join(parameters, ", ") + ")", args
}

func keys[V any](m map[store.GrantID]V) []store.GrantID {
	list := make([]store.GrantID, 0, len(m))
	for id := range m {
		list = append(list, id)
	}
	return list
}
