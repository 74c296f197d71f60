package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// The columns of a grant, of the table or query g, in the order in which
// intoGrant takes them.
const grantColumns = `g.id, g.user_id, g.application_id, g.scopes, g.resource,
  g.created_at, g.last_used_at, g.agreed_at, g.expires_at, g.revoked_at`

// intoGrant returns what to scan the columns of a grant into.
func intoGrant(g *store.Grant) []any {
	return []any{
		idInto{&g.ID}, &g.UserID, &g.ApplicationID, setInto{&g.Scopes}, &g.Resource,
		timeInto{&g.CreatedAt}, timeInto{&g.LastUsedAt}, timeInto{&g.AgreedAt}, timeInto{&g.ExpiresAt}, timeInto{&g.RevokedAt},
	}
}

// A timeInto scans a time as any dialect and driver gives it. NULL is the zero
// time.
type timeInto struct{ t *time.Time }

func (into timeInto) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*into.t = time.Time{}
	case time.Time:
		*into.t = v.UTC()
	case int64:
		*into.t = time.UnixMicro(v).UTC()
	case []byte:
		micros, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return errors.New("a time is not a number of microseconds")
		}
		*into.t = time.UnixMicro(micros).UTC()
	default:
		return fmt.Errorf("a time cannot be read from %T", v)
	}
	return nil
}

// An idInto scans a grant's id, as its bytes or as text.
type idInto struct{ id *store.GrantID }

func (into idInto) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return into.id.UnmarshalText([]byte(v))
	case []byte:
		if len(v) == len(into.id) {
			copy(into.id[:], v)
			return nil
		}
		return into.id.UnmarshalText(v)
	}
	return fmt.Errorf("a grant's id cannot be read from %T", v)
}

// A bytesInto scans a hash or salt. NULL leaves it zero.
type bytesInto struct{ b []byte }

func (into bytesInto) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		if len(v) == len(into.b) {
			copy(into.b, v)
			return nil
		}
	}
	return errors.New("a hash or salt has the wrong length")
}

// A setInto scans a set of scopes. NULL leaves it as it is.
type setInto struct{ set *scopes.Set }

func (into setInto) Scan(v any) error {
	switch v := v.(type) {
	case nil:
	case string:
		*into.set = splitSet(v)
	case []byte:
		*into.set = splitSet(string(v))
	default:
		return fmt.Errorf("scopes cannot be read from %T", v)
	}
	return nil
}

// joinSet returns a set of scopes as it is kept: its sorted names, separated by
// single spaces, so that equal sets are equal texts.
func joinSet(set scopes.Set) string { return scopes.New(set...).String() }

func splitSet(s string) scopes.Set {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

// hashOrNull returns NULL for the zero hash.
func hashOrNull(h store.Hash) any {
	if h.IsZero() {
		return nil
	}
	return h[:]
}

// expiry returns when a token of the grant expires that is to expire at t: no
// token outlives its grant.
func expiry(g store.Grant, t time.Time) time.Time {
	t = cut(t)
	if !g.ExpiresAt.IsZero() && g.ExpiresAt.Before(t) {
		return g.ExpiresAt
	}
	return t
}

// issued returns the result of a step that issued an access token on g.
func issued(g store.Grant, n store.NewToken, set scopes.Set, at time.Time) store.Issued {
	access := store.Token{
		Hash:      n.Hash,
		Kind:      store.KindAccess,
		Scopes:    append(scopes.Set(nil), g.Scopes...),
		IssuedAt:  cut(at),
		ExpiresAt: expiry(g, n.ExpiresAt),
	}
	if len(set) > 0 {
		access.Scopes = scopes.New(set...)
	}
	return store.Issued{Grant: g, Access: access}
}

// An orAbsent scans into something and leaves it as it is for NULL, which is
// in every column where an outer join has found no row.
type orAbsent struct{ into any }

func (o orAbsent) Scan(v any) error {
	if v == nil {
		return nil
	}
	switch into := o.into.(type) {
	case sql.Scanner:
		return into.Scan(v)
	case *string:
		return scanInto(into, v)
	case *bool:
		return scanInto(into, v)
	case *int64:
		return scanInto(into, v)
	}
	return fmt.Errorf("nothing is scanned into %T", o.into)
}

func scanInto[T any](into *T, v any) error {
	var value sql.Null[T]
	err := value.Scan(v)
	*into = value.V
	return err
}
