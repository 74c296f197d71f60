package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// A trial checks one promise with the store under test.
type trial struct {
	reporter
	store.Store
	why   string
	start time.Time // the present time of the trial
}

func (t *trial) errorf(format string, args ...any) {
	t.Helper()
	t.Errorf("%s", t.message(format, args...))
}

func (t *trial) fatalf(format string, args ...any) {
	t.Helper()
	t.Fatalf("%s", t.message(format, args...))
}

// message returns the failure, truncated if it is long, and the explanation.
func (t *trial) message(format string, args ...any) string {
	message := fmt.Sprintf(format, args...)
	if len(message) > 2_000 {
		message = message[:2_000] + "..."
	}
	return message + "\n\tWhy it matters: " + t.why
}

// must ends the trial if a step failed that must succeed.
func (t *trial) must(err error, format string, args ...any) {
	t.Helper()
	if err != nil {
		t.fatalf("%s: got error %v, want none", fmt.Sprintf(format, args...), err)
	}
}

// fails checks that a step returned the sentinel.
func (t *trial) fails(err, want error, format string, args ...any) {
	t.Helper()
	if !errors.Is(err, want) {
		t.errorf("%s: got error %v, want %q", fmt.Sprintf(format, args...), err, want)
	}
}

// refuses checks that a step returned an error that is none of the sentinels.
func (t *trial) refuses(err error, format string, args ...any) {
	t.Helper()
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) {
		t.errorf("%s: got error %v, want one that says why it can't be done", fmt.Sprintf(format, args...), err)
	}
}

// equal checks that a value is what it should be. An empty collection equals a
// nil one.
func (t *trial) equal(got, want any, format string, args ...any) {
	t.Helper()
	if d := difference(reflect.ValueOf(got), reflect.ValueOf(want)); d != "" {
		t.errorf("%s:%s", fmt.Sprintf(format, args...), d)
	}
}

// difference describes how two values of one type differ. It is empty if they
// are equal, and names only the fields of a record that differ.
func difference(got, want reflect.Value) string {
	switch got.Kind() {
	case reflect.Slice, reflect.Map:
		if got.Len() == 0 && want.Len() == 0 {
			return ""
		}
	case reflect.Pointer:
		if !got.IsNil() && !want.IsNil() {
			return difference(got.Elem(), want.Elem())
		}
	}
	switch got.Interface().(type) {
	case store.Application, store.RegistrationRecord, store.Document:
		var fields strings.Builder
		for i := range got.NumField() {
			if d := difference(got.Field(i), want.Field(i)); d != "" {
				fmt.Fprintf(&fields, "\n\t%s:%s", got.Type().Field(i).Name, d)
			}
		}
		return fields.String()
	}
	if reflect.DeepEqual(got.Interface(), want.Interface()) {
		return ""
	}
	if got.Kind() == reflect.String {
		return fmt.Sprintf(" got %q, want %q", got, want)
	}
	return fmt.Sprintf(" got %+v, want %+v", got, want)
}

// The values for trials that can use any value.
const (
	someUser   = "user_1"
	someApp    = "app_1"
	someSpace  = "space_1"
	otherUser  = "user_2"
	otherApp   = "app_2"
	otherSpace = "space_2"

	day = 24 * time.Hour

	// tick is the smallest difference between two times.
	tick = time.Microsecond
)

// after returns the time d after the start.
func (t *trial) after(d time.Duration) time.Time { return t.start.Add(d) }

// newMark returns a mark that no other write has.
func newMark() int64 {
	for {
		if mark := int64(rand.Uint64()); mark != 0 { //nolint:gosec // A mark needs no secrecy.
			return mark
		}
	}
}

// document returns a document that isn't stored yet.
func (t *trial) document(key store.CutKey, edits ...func(*store.Document)) store.Document {
	d := store.Document{
		ID: store.NewID(t.start, key.UserID), Kind: store.KindGrant,
		UserID: key.UserID, ApplicationID: key.ApplicationID, WorkspaceID: key.WorkspaceID,
		CreatedAt: t.start, LastUsedAt: t.start.Add(tick), Mark: newMark(), State: "some state",
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

// create creates a document.
func (t *trial) create(key store.CutKey, edits ...func(*store.Document)) store.Document {
	t.Helper()
	d := t.document(key, edits...)
	t.must(t.Create(t.Context(), d), "creating a document")
	return d
}

// The key of most documents, and one that has no text in common with it.
var (
	someKey  = store.CutKey{UserID: someUser, ApplicationID: someApp, WorkspaceID: someSpace}
	otherKey = store.CutKey{UserID: otherUser, ApplicationID: otherApp, WorkspaceID: otherSpace}
)

// replaces replaces a document by one with a new mark, and returns the new one.
func (t *trial) replaces(d store.Document, edits ...func(*store.Document)) store.Document {
	t.Helper()
	mark := d.Mark
	d.Mark = newMark()
	for _, edit := range edits {
		edit(&d)
	}
	t.must(t.Replace(t.Context(), d, mark), "replacing a document")
	return d
}

// ends ends a document, and returns it as it should be stored.
func (t *trial) ends(d store.Document, at, sweepAt time.Time) store.Document {
	t.Helper()
	t.must(t.End(t.Context(), d.ID, at, sweepAt), "ending a document")
	d.EndedAt = at
	if d.SweepAt.IsZero() || sweepAt.Before(d.SweepAt) {
		d.SweepAt = sweepAt
	}
	return d
}

// cuts cuts off a key.
func (t *trial) cuts(key store.CutKey, number int64) {
	t.Helper()
	t.must(t.CutOff(t.Context(), key, number), "cutting off %+v", key)
}

// finds checks that a document is stored correctly, and returns the numbers of
// its cut-offs.
func (t *trial) finds(want store.Document, format string, args ...any) store.Cuts {
	t.Helper()
	got, numbers, err := t.Find(t.Context(), want.ID)
	if err != nil {
		t.errorf("%s: finding the document: got error %v, want none", fmt.Sprintf(format, args...), err)
		return store.Cuts{}
	}
	t.equal(got, want, "%s: the document", fmt.Sprintf(format, args...))
	return numbers
}

// gone checks that no document has the ID.
func (t *trial) gone(id store.ID, format string, args ...any) {
	t.Helper()
	_, _, err := t.Find(t.Context(), id)
	t.fails(err, store.ErrNotFound, "finding "+format, args...)
}
