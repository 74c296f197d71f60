package store

import (
	"encoding/binary"
	"errors"
	"iter"
	"time"
)

// CutKey selects the documents that a cut-off covers: those that match every
// non-empty field. With a user, those of the user; with a user and an
// application, those that they have in common. The zero CutKey covers every
// document.
type CutKey struct {
	UserID, ApplicationID, WorkspaceID string
}

// Key returns the narrowest key that covers the document.
func (d *Document) Key() CutKey { return CutKey{d.UserID, d.ApplicationID, d.WorkspaceID} }

// The bits of an index of [Cuts].
const (
	byUser = 1 << iota
	byApplication
	byWorkspace
)

// Index returns where [Cuts] keeps the number of a key of this form.
func (k CutKey) Index() int {
	i := 0
	if k.UserID != "" {
		i |= byUser
	}
	if k.ApplicationID != "" {
		i |= byApplication
	}
	if k.WorkspaceID != "" {
		i |= byWorkspace
	}
	return i
}

// Covering returns each key that covers a document with the key k, and its
// index: one for each combination of the non-empty fields.
func (k CutKey) Covering() iter.Seq2[int, CutKey] {
	return func(yield func(int, CutKey) bool) {
		all := k.Index()
		for i := range len(Cuts{}) {
			if i&^all != 0 {
				continue // the combination uses a field that is empty
			}
			var key CutKey
			if i&byUser != 0 {
				key.UserID = k.UserID
			}
			if i&byApplication != 0 {
				key.ApplicationID = k.ApplicationID
			}
			if i&byWorkspace != 0 {
				key.WorkspaceID = k.WorkspaceID
			}
			if !yield(i, key) {
				return
			}
		}
	}
}

// Check returns an error if k breaks a rule that every backend enforces.
func (k CutKey) Check() error {
	return checkTexts("cut-off", k.UserID, k.ApplicationID, k.WorkspaceID)
}

// Cuts are the numbers of the cut-offs that cover a document, each at the
// [CutKey.Index] of its key. Zero means that the key was never cut off.
//
// They are numbers instead of times because the clocks of instances differ. A
// document is cut off if any number is now greater than the one that the
// document has seen. Clocks don't matter.
type Cuts [8]int64

// Exceed reports whether the current numbers c cut off a document that has seen
// the numbers seen.
func (c *Cuts) Exceed(seen *Cuts) bool {
	for i, number := range c {
		if number > seen[i] {
			return true
		}
	}
	return false
}

// forever is the bit of a number that marks a key that never comes back. A
// number with it is greater than any time.
const forever = 1 << 62

// CutNumber returns the number that cuts off a key at the given time.
func CutNumber(at time.Time) int64 { return at.UnixMicro() }

// CutForever returns the number that cuts off a key that never comes back, such
// as that of a deleted application. [Cuts.Forever] then stops a request that
// read the application before it was deleted from creating a document
// afterwards.
func CutForever(at time.Time) int64 { return at.UnixMicro() | forever }

// CutTime returns when a key was cut off, by the clock of the instance that did
// it. It is off by microseconds if several cut-offs came at once.
func CutTime(number int64) time.Time { return time.UnixMicro(number &^ forever).UTC() }

// Forever reports whether a key that covers the document never comes back.
func (c *Cuts) Forever() bool {
	for _, number := range c {
		if number&forever != 0 {
			return true
		}
	}
	return false
}

// ForeverAt reports whether the key itself, which must cover the document,
// never comes back. The key of an erased user is an example.
func (c *Cuts) ForeverAt(k CutKey) bool { return c[k.Index()]&forever != 0 }

// String returns the numbers in a compact binary form for [ParseCuts]. It is
// empty if all are zero, the usual case.
func (c *Cuts) String() string {
	var b []byte
	for i, number := range c {
		if number != 0 {
			b = binary.AppendUvarint(append(b, byte(i)), uint64(number))
		}
	}
	return string(b)
}

// ParseCuts parses what [Cuts.String] returned.
func ParseCuts(s string) (c Cuts, err error) {
	b := []byte(s)
	for len(b) > 0 {
		i := b[0]
		number, n := binary.Uvarint(b[1:])
		if int(i) >= len(c) || n <= 0 {
			return Cuts{}, errors.New("store: the stored numbers of cut-offs are damaged")
		}
		c[i] = int64(number)
		b = b[1+n:]
	}
	return c, nil
}
