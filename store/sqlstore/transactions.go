package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// transactions does each step in a short transaction that locks the row of the
// grant or device first and decides in Go. It is for databases that cannot change data in
// the middle of a statement: MySQL and SQLite.
type transactions struct {
	*Store

	// writing is held by whoever writes to SQLite, which has one writer at a
	// time anyway: to wait here costs less than to ask for its lock again and
	// again.
	writing chan struct{}
}

func newTransactions(s *Store) transactions { return transactions{s, make(chan struct{}, 1)} }

// errRaced is a transaction that has to be done again, because another one
// inserted what this one found absent.
var errRaced = errors.New("another transaction was faster")

// do runs a step in a transaction, which is undone if the step returns an
// error.
func (t transactions) do(ctx context.Context, step func(q querier) error) error {
	if t.dialect == SQLite {
		return t.immediately(ctx, step)
	}
	// At READ COMMITTED each statement reads what is committed, and locks rows
	// but no gaps between them.
	return t.isolated(ctx, sql.LevelReadCommitted, step)
}

func (t transactions) isolated(ctx context.Context, level sql.IsolationLevel, step func(q querier) error) error {
	tx, err := t.db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // After Commit there is nothing to undo.
	if err := step(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// immediately runs a step in a transaction of SQLite that is a writer from its
// beginning: one that becomes a writer later fails if there is another. The
// host's settings of the driver decide what BeginTx does, so it is not used.
func (t transactions) immediately(ctx context.Context, step func(q querier) error) (err error) {
	select {
	case t.writing <- struct{}{}:
		defer func() { <-t.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closed := conn.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := conn.ExecContext(ctx, "begin immediate"); err != nil {
		return err
	}
	if err = step(conn); err == nil {
		_, err = conn.ExecContext(ctx, "commit")
	}
	if err != nil {
		undo(ctx, conn)
	}
	return err
}

// undo ends a transaction that has failed, if need be together with its
// connection, so that nobody goes on in it.
func undo(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "rollback"); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // drops the connection
	}
}

// locking ends a query of rows that are to be locked.
func (t transactions) locking() string {
	if t.dialect == SQLite {
		return "" // The transaction has the whole database.
	}
	return " for update"
}

// duplicate reports whether an insertion failed because the key is taken.
func (t transactions) duplicate(err error) bool {
	return t.dialect == MySQL && mysqlNumber(err) == 1062
}

// insert inserts a row and reports whether its key was free.
func (t transactions) insert(ctx context.Context, q querier, text string, args ...any) (bool, error) {
	if t.dialect == SQLite {
		n, err := t.exec(ctx, q, text+" on conflict do nothing", args...)
		return n == 1, err
	}
	// INSERT IGNORE would cut what is too long.
	_, err := t.exec(ctx, q, text, args...)
	if t.duplicate(err) {
		return false, nil
	}
	return err == nil, err
}

func (t transactions) insertOne(ctx context.Context, text string, row []any) (created bool, err error) {
	err = t.do(ctx, func(q querier) (err error) {
		created, err = t.insert(ctx, q, text, row...)
		return err
	})
	return created, err
}

func (t transactions) updateApplication(ctx context.Context, row []any) error {
	return t.do(ctx, func(q querier) error {
		n, err := t.exec(ctx, q, updateApplicationSQL, row...)
		if err != nil || n == 1 {
			return err
		}
		there := 0
		err = t.row(ctx, q, `select count(*) from oauth_applications where id = $1::text`, row[:1], []any{&there})
		return updateOutcome(false, there == 1, err)
	})
}

const (
	insertGrantSQL = `
insert into oauth_grants (id, user_id, application_id, scopes, resource, created_at, last_used_at, agreed_at, expires_at, revoked_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

	insertCodeSQL = `
insert into oauth_codes (grant_id, hash, redirect_uri, redirect_optional, challenge, expires_at)
values ($1, $2, $3, $4, $5, $6)`

	keepSQL = `
insert into oauth_tokens (grant_id, hash, kind, scopes, issued_at, expires_at)
values ($1, $2, $3, $4, $5, $6)`

	insertConsentSQL = `
insert into oauth_consents (` + consentColumns + `, user_id)
values ($1, $2, $3, $4, $5, $6, $7, $8)`

	updateConsentSQL = `
update oauth_consents set scopes = $2, agreed = $3, resource = $4, agreed_at = $5, created_at = $6, last_used_at = $7
where application_id = $1 and user_id = $8`
)

func (t transactions) createGrant(ctx context.Context, n store.NewGrant) error {
	return t.do(ctx, func(q querier) error {
		// The consent comes first, as in revokeGrants.
		if err := t.agree(ctx, q, n.Grant); err != nil {
			return err
		}
		g := n.Grant
		created, err := t.insert(ctx, q, insertGrantSQL,
			t.dialect.id(g.ID), g.UserID, g.ApplicationID, joinSet(g.Scopes), g.Resource, t.dialect.time(g.CreatedAt), t.dialect.time(g.LastUsedAt),
			t.dialect.timeOrNull(g.AgreedAt), t.dialect.timeOrNull(g.ExpiresAt), t.dialect.timeOrNull(g.RevokedAt))
		switch {
		case err != nil:
			return err
		case !created:
			return store.ErrExists
		case n.Access != nil:
			return t.keep(ctx, q, issued(g, *n.Access, nil, g.CreatedAt))
		}
		_, err = t.exec(ctx, q, insertCodeSQL, t.dialect.id(g.ID), n.Code.Hash[:],
			n.Code.RedirectURI, n.Code.RedirectOptional, n.Code.Challenge, t.dialect.time(n.Code.ExpiresAt))
		return err
	})
}

// agree notes in the user's consent what a new grant allows.
func (t transactions) agree(ctx context.Context, q querier, g store.Grant) error {
	c := store.Consent{UserID: g.UserID}
	err := t.row(ctx, q, findConsentSQL+t.locking(), []any{g.UserID, g.ApplicationID}, intoConsent(&c))
	absent := errors.Is(err, store.ErrNotFound)
	if absent {
		c = store.Consent{UserID: g.UserID, ApplicationID: g.ApplicationID, CreatedAt: g.CreatedAt}
	} else if err != nil {
		return err
	}
	c.Scopes = c.Scopes.Union(g.Scopes)
	c.LastUsedAt = g.CreatedAt
	if !g.AgreedAt.IsZero() {
		if c.AgreedAt.IsZero() || c.Resource != g.Resource {
			c.Agreed = nil
		}
		c.Agreed, c.Resource, c.AgreedAt = c.Agreed.Union(g.Scopes), g.Resource, g.AgreedAt
	}

	row := []any{
		c.ApplicationID, joinSet(c.Scopes), joinSet(c.Agreed), c.Resource,
		t.dialect.timeOrNull(c.AgreedAt), t.dialect.time(c.CreatedAt), t.dialect.time(c.LastUsedAt), c.UserID,
	}
	if !absent {
		_, err = t.exec(ctx, q, updateConsentSQL, row...)
		return err
	}
	inserted, err := t.insert(ctx, q, insertConsentSQL, row...)
	if err == nil && !inserted {
		err = errRaced
	}
	return err
}

// keep keeps the access token that was issued.
func (t transactions) keep(ctx context.Context, q querier, out store.Issued) error {
	g, token := out.Grant, out.Access
	var narrowed any
	if set := joinSet(token.Scopes); set != joinSet(g.Scopes) {
		narrowed = set
	}
	_, err := t.exec(ctx, q, keepSQL, t.dialect.id(g.ID), token.Hash[:], int(token.Kind), narrowed,
		t.dialect.time(token.IssuedAt), t.dialect.time(token.ExpiresAt))
	return err
}

// keepRefresh keeps the refresh token that was issued with it.
func (t transactions) keepRefresh(ctx context.Context, q querier, g store.Grant, n store.NewToken, at time.Time) error {
	out := issued(g, n, nil, at)
	out.Access.Kind = store.KindRefresh
	return t.keep(ctx, q, out)
}

// revokeSQL revokes the grant $2.
const revokeSQL = `update oauth_grants set revoked_at = $1, salt = null where id = $2 and revoked_at is null`

func (t transactions) revokeGrants(ctx context.Context, r revocation) (int, error) {
	var revoked int64
	step := func(q querier) (err error) {
		if r.consents {
			if _, err := t.exec(ctx, q, `delete from oauth_consents where `+r.grants.text, r.grants.args...); err != nil {
				return err
			}
		}
		revoked, err = t.exec(ctx, q, `update oauth_grants set revoked_at = $1, salt = null where `+r.grants.text+` and revoked_at is null`, r.grants.args...)
		return err
	}
	var err error
	if t.dialect == MySQL && r.consents {
		// At REPEATABLE READ the deletion also locks the gaps where there is
		// no consent, so that whoever is about to grant something waits.
		err = t.isolated(ctx, sql.LevelRepeatableRead, step)
	} else {
		err = t.do(ctx, step)
	}
	if err != nil {
		return 0, err
	}
	return int(revoked), nil
}
