package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is what a [Document] is about.
type Kind uint8

// The kinds of documents. A backend treats all alike, and must keep kinds that
// it doesn't know.
const (
	KindGrant   Kind = iota + 1 // one sign-in of one user to one application
	KindConsent                 // what one user has agreed to give one application
	KindDevice                  // one device that waits for its user (RFC 8628)
	KindKeys                    // the sealed signing keys
	KindOnce                    // something that works once, such as an assertion (RFC 7523)
	KindMachine                 // one access token of an application without a user (RFC 6749 section 4.4)
)

// String returns "grant", "consent", "device", "keys", "once", or "machine".
func (k Kind) String() string {
	switch k {
	case KindGrant:
		return "grant"
	case KindConsent:
		return "consent"
	case KindDevice:
		return "device"
	case KindKeys:
		return "keys"
	case KindOnce:
		return "once"
	case KindMachine:
		return "machine"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Document is one record of the provider. A backend finds, lists, and sweeps
// documents by these fields. Everything else is in State, which only the
// provider reads.
type Document struct {
	ID   ID
	Kind Kind

	// UserID, ApplicationID, and WorkspaceID are whom the document is about.
	// They never change, and may be empty.
	UserID, ApplicationID, WorkspaceID string

	CreatedAt  time.Time
	LastUsedAt time.Time
	EndedAt    time.Time // zero if not ended; only End sets it
	SweepAt    time.Time // if zero, kept until it is cut off

	// Seen has the numbers of the cut-offs when the document was decided on. The
	// document is cut off if any has grown since.
	Seen Cuts

	// Mark is the document's version: a random number that changes with each
	// write and is never zero.
	Mark int64

	State string // binary; only the provider reads it
}

// Check returns an error if d breaks a rule that every backend enforces.
func (d *Document) Check() error {
	switch {
	case d.ID.IsZero():
		return errors.New("store: the document has no ID")
	case d.UserID != "" && d.ID.Tag() != UserTag(d.UserID):
		return errors.New("store: the document's ID was not made for its user: use NewID or ConsentID")
	case d.Kind == 0 || d.Mark == 0 || d.CreatedAt.IsZero():
		return errors.New("store: the document has no kind, no mark, or no creation time")
	}
	return checkTexts("document", d.UserID, d.ApplicationID, d.WorkspaceID)
}

// Newer compares two documents in the order of [Documents.List]. It is negative
// if a comes first: a was created later, or at the same time with a greater ID.
func Newer(a, b Document) int { return Cursor{a.CreatedAt, a.ID}.compare(Cursor{b.CreatedAt, b.ID}) }

// Query selects one page of documents: those of the kind that match every
// non-empty ID. At least one ID must be set.
type Query struct {
	Kind                               Kind
	UserID, ApplicationID, WorkspaceID string

	After Cursor // the next cursor of the previous page; if zero, starts at the newest
	Limit int    // how many documents to examine; must be positive
}

// Check returns an error if the query is invalid.
func (q Query) Check() error {
	if q.UserID == "" && q.ApplicationID == "" && q.WorkspaceID == "" {
		return errors.New("store: a list of documents needs a user, an application, or a workspace")
	}
	if q.Limit <= 0 {
		return fmt.Errorf("store: the limit of a list must be positive, not %d", q.Limit)
	}
	return nil
}

// Matches reports whether the query selects the document. It ignores After and
// Limit, and whether the document has ended or is cut off.
func (q Query) Matches(d *Document) bool {
	return d.Kind == q.Kind &&
		(q.UserID == "" || d.UserID == q.UserID) &&
		(q.ApplicationID == "" || d.ApplicationID == q.ApplicationID) &&
		(q.WorkspaceID == "" || d.WorkspaceID == q.WorkspaceID)
}

// Cursor is a place in a list: after the document with this time and ID. The
// zero Cursor is the start, and as the next cursor the end.
type Cursor struct {
	CreatedAt time.Time
	ID        ID
}

// IsZero reports whether c is the zero Cursor.
func (c Cursor) IsZero() bool { return c.ID.IsZero() }

// Before reports whether the document comes after the cursor in a list.
func (c Cursor) Before(d *Document) bool {
	return c.IsZero() || c.compare(Cursor{d.CreatedAt, d.ID}) < 0
}

func (c Cursor) compare(other Cursor) int {
	if order := other.CreatedAt.Compare(c.CreatedAt); order != 0 {
		return order
	}
	return bytes.Compare(other.ID[:], c.ID[:])
}

// ID identifies a document. It is not secret. Its last 16 bits are the
// [UserTag] of the document's user, if it has one, so a backend can keep
// everything about a user together: in one slot of a Redis Cluster, or in one
// shard. The IDs of documents without a user are spread over all of them.
type ID [16]byte

// NewID returns an ID for a new document about the user, or about no user if
// userID is empty. It has the layout of a UUID version 7 (RFC 9562), so IDs
// sort by creation time. At least 46 of its bits are random.
func NewID(at time.Time, userID string) ID {
	var id ID
	millis, rest := at.UnixMilli(), at.Nanosecond()%int(time.Millisecond)
	binary.BigEndian.PutUint64(id[:8], uint64(millis)<<16|uint64(rest)<<12/uint64(time.Millisecond))
	rand.Read(id[8:])         // Never fails: it would end the program.
	id[6] = 0x70 | id[6]&0x0f // version 7
	id[8] = 0x80 | id[8]&0x3f // variant of RFC 9562
	if userID != "" {
		binary.BigEndian.PutUint16(id[14:], UserTag(userID))
	}
	return id
}

// ConsentID returns the ID of the document with a user's consent to an
// application in a workspace. Without a user no document has this ID, but it
// may be passed to [Documents.FindConsent].
func ConsentID(userID, applicationID, workspaceID string) ID {
	b := make([]byte, 0, 256)
	for _, text := range [...]string{userID, applicationID, workspaceID} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	sum := sha256.Sum256(b)
	id := ID(sum[:16])
	id[6] = 0x80 | id[6]&0x0f // version 8: a custom layout
	id[8] = 0x80 | id[8]&0x3f
	if userID != "" {
		binary.BigEndian.PutUint16(id[14:], UserTag(userID))
	}
	return id
}

// OnceID returns the ID of the document that records the use of something that
// works once, such as an assertion of an application.
func OnceID(applicationID, name string) ID {
	b := append(binary.AppendUvarint([]byte("once\x00"), uint64(len(applicationID))), applicationID...)
	sum := sha256.Sum256(append(b, name...))
	id := ID(sum[:16])        // With no user to match, the hash spreads the tag.
	id[6] = 0x80 | id[6]&0x0f // version 8
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// UserTag returns the last 16 bits of the ID of every document about the user.
func UserTag(userID string) uint16 {
	sum := sha256.Sum256([]byte(userID))
	return binary.BigEndian.Uint16(sum[:2])
}

// Tag returns the last 16 bits of the ID.
func (id ID) Tag() uint16 { return binary.BigEndian.Uint16(id[14:]) }

// IsZero reports whether id is the zero ID, which no document has.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the ID in the form of a UUID.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseID parses what [ID.String] returns, and nothing else.
func ParseID(s string) (ID, error) {
	var id ID
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err == nil && len(raw) == len(id) {
		copy(id[:], raw)
		if id.String() == s {
			return id, nil
		}
	}
	return ID{}, errors.New("store: the ID is not in the form of a UUID")
}

// MarshalText returns the ID in the form of a UUID.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses what MarshalText returns.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}
