package redisstore

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// separator joins texts that are kept in one. It occurs in no UTF-8.
const separator = "\xff"

// errCorrupt is for what only something else than this package can have
// written.
var errCorrupt = errors.New("redisstore: a record is not in the form in which it was kept")

// timeText returns a time as it is kept: its microseconds since 1970, or
// nothing for the zero time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// A reader reads texts that were kept, and remembers if one was not in the
// right form.
type reader struct{ err error }

func (r *reader) time(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.err = errCorrupt
	}
	return time.UnixMicro(micros).UTC()
}

func (r *reader) duration(text string) time.Duration {
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.err = errCorrupt
	}
	return time.Duration(micros) * time.Microsecond
}

// split returns the n texts that were joined.
func (r *reader) split(joined string, n int) []string {
	texts := strings.SplitN(joined, separator, n)
	for len(texts) < n {
		r.err = errCorrupt
		texts = append(texts, "")
	}
	return texts
}

// setText returns a set of scopes as it is kept: its sorted names, each one
// ended by NUL, which no text contains.
func setText(set scopes.Set) string {
	var b strings.Builder
	for _, name := range scopes.New(set...) {
		b.WriteString(name)
		b.WriteByte(0)
	}
	return b.String()
}

func (*reader) set(text string) scopes.Set {
	if text == "" {
		return nil
	}
	return scopes.New(strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")...)
}

// grantFields are the fields of a grant's hash that make a [store.Grant]. The
// scripts return the same ones in the same order.
var grantFields = []string{"u", "a", "s", "r", "c", "l", "g", "e", "v"}

// grant makes a record of the values of grantFields; ok is false if there is
// no such grant.
func (r *reader) grant(id store.GrantID, values []any) (g store.Grant, ok bool) {
	text := texts(values, len(grantFields))
	return store.Grant{
		ID:            id,
		UserID:        text[0],
		ApplicationID: text[1],
		Scopes:        r.set(text[2]),
		Resource:      text[3],
		CreatedAt:     r.time(text[4]),
		LastUsedAt:    r.time(text[5]),
		AgreedAt:      r.time(text[6]),
		ExpiresAt:     r.time(text[7]),
		RevokedAt:     r.time(text[8]),
	}, values[1] != nil
}

// access makes a record of an access token on the grant. It is kept as when it
// was issued, when it expires, and its scopes if they are not the grant's.
func (r *reader) access(g store.Grant, kept string) store.Token {
	t := store.Token{Kind: store.KindAccess, Scopes: g.Scopes}
	text := r.split(kept, 2)
	expires, set, narrowed := strings.Cut(text[1], separator)
	t.IssuedAt, t.ExpiresAt = r.time(text[0]), r.time(expires)
	if narrowed {
		t.Scopes = r.set(set)
	}
	return t
}

// texts returns the values of fields as texts; those that are not there are
// empty.
func texts(values []any, n int) []string {
	list := make([]string, n)
	for i, value := range values {
		if text, ok := value.(string); ok && i < n {
			list[i] = text
		}
	}
	return list
}

// consent makes a record of a consent as the script that creates grants keeps
// it.
func (r *reader) consent(userID, applicationID, kept string) store.Consent {
	text := r.split(kept, 6)
	return store.Consent{
		UserID:        userID,
		ApplicationID: applicationID,
		CreatedAt:     r.time(text[0]),
		LastUsedAt:    r.time(text[1]),
		AgreedAt:      r.time(text[2]),
		Resource:      text[3],
		Scopes:        r.set(text[4]),
		Agreed:        r.set(text[5]),
	}
}

// newAttempt returns a text that no other call has. The client library sends a
// script again when an answer is lost; by the attempt the script knows itself
// from another call, and answers again what it answered the first time.
func newAttempt() string {
	var b [9]byte
	rand.Read(b[:]) // Never fails: it would end the program.
	return base64.RawURLEncoding.EncodeToString(b[:])
}
