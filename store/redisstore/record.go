package redisstore

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// errDamaged means that another program must have changed the record.
var errDamaged = errors.New("redisstore: a record is damaged")

// The parts of a document, as in lua/document.lua. The head is what changes
// with each write.
const (
	markOffset    = 0
	sweepOffset   = 16
	attemptSize   = 4
	createdOffset = 28
	headSize      = 36
)

// lexTime returns the time as eight bytes that sort by time. Only the zero time
// gives zero bytes.
func lexTime(t time.Time) string {
	var micros int64 = math.MinInt64
	if !t.IsZero() {
		micros = t.UnixMicro()
	}
	return lexMicros(micros)
}

func lexMicros(micros int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(micros)^1<<63))
}

func markText(mark int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(mark))) }

// entry represents a document in the indexes of its user, application, and
// workspace.
func entry(kind store.Kind, created string, id store.ID) string {
	return string([]byte{byte(kind)}) + created + string(id[:])
}

// entryID returns the ID at the end of an entry of any index.
func entryID(entry string) (id store.ID) {
	copy(id[:], entry[max(0, len(entry)-len(id)):])
	return id
}

// newAttempt returns random bytes for one call. The client library sends a
// script again if its answer was lost, and the script recognizes the attempt.
func newAttempt() string {
	var b [attemptSize]byte
	rand.Read(b[:]) // Never fails: it would end the program.
	return string(b[:])
}

// A subject is the part of a document that other slots may need: when it was
// created, and what it is about.
type subject struct {
	created string
	kind    store.Kind
	store.CutKey
}

func subjectOf(d *store.Document) subject { return subject{lexTime(d.CreatedAt), d.Kind, d.Key()} }

func (j subject) entry(id store.ID) string { return entry(j.kind, j.created, id) }

func (j subject) appendTo(b []byte) []byte {
	b = append(b, j.created...)
	b = append(b, byte(j.kind))
	b = binary.BigEndian.AppendUint16(b, uint16(shardOf(j.ApplicationID)))
	b = binary.BigEndian.AppendUint16(b, uint16(shardOf(j.WorkspaceID)))
	for _, text := range []string{j.UserID, j.ApplicationID, j.WorkspaceID} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
		b = append(b, text...)
	}
	return b
}

// check returns an error if a text is too long to be stored.
func (j subject) check() error {
	for _, text := range []string{j.UserID, j.ApplicationID, j.WorkspaceID} {
		if len(text) > math.MaxUint16 {
			return fmt.Errorf("redisstore: an ID is %d bytes long; the limit is %d", len(text), math.MaxUint16)
		}
	}
	return nil
}

// headOf returns the head of a document that hasn't ended, for a new attempt to
// write it.
func headOf(d *store.Document) string {
	b := make([]byte, 0, headSize)
	b = append(b, markText(d.Mark)...)
	b = append(b, lexTime(time.Time{})...)
	b = append(b, lexTime(d.SweepAt)...)
	b = append(b, newAttempt()...)
	return string(append(b, lexTime(d.CreatedAt)...))
}

// tailOf returns the part after the subject.
func tailOf(d *store.Document) string {
	seen := d.Seen.String()
	return lexTime(d.LastUsedAt) + string([]byte{byte(len(seen))}) + seen + d.State
}

// recordOf returns the stored form of a new document.
func recordOf(d *store.Document) string {
	b := make([]byte, 0, 256+len(d.State))
	b = append(b, headOf(d)[:createdOffset]...)
	b = subjectOf(d).appendTo(b)
	return string(append(b, tailOf(d)...))
}

// A reader reads fields from a stored record. It remembers if the record is too
// short.
type reader struct {
	left    string
	damaged bool
}

func (r *reader) take(n int) string {
	if n > len(r.left) {
		r.damaged = true
		r.left += string(make([]byte, n-len(r.left)))
	}
	taken := r.left[:n]
	r.left = r.left[n:]
	return taken
}

func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64([]byte(r.take(8))) }
func (r *reader) uint16() int    { return int(binary.BigEndian.Uint16([]byte(r.take(2)))) }
func (r *reader) text() string   { return r.take(r.uint16()) }

func (r *reader) time() time.Time {
	micros := int64(r.uint64() ^ 1<<63)
	if micros == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func (r *reader) subject() (j subject) {
	j.created = r.take(8)
	j.kind = store.Kind(r.take(1)[0])
	r.take(4) // the shards, which are for the scripts
	j.UserID, j.ApplicationID, j.WorkspaceID = r.text(), r.text(), r.text()
	return j
}

// parseDocument parses a stored document.
func parseDocument(id store.ID, kept string) (d store.Document, err error) {
	r := &reader{left: kept}
	d = store.Document{ID: id, Mark: int64(r.uint64()), EndedAt: r.time(), SweepAt: r.time()}
	r.take(attemptSize)
	j := r.subject()
	d.CreatedAt = (&reader{left: j.created}).time()
	d.Kind, d.UserID, d.ApplicationID, d.WorkspaceID = j.kind, j.UserID, j.ApplicationID, j.WorkspaceID
	d.LastUsedAt = r.time()
	d.Seen, err = store.ParseCuts(r.take(int(r.take(1)[0])))
	d.State = r.left
	if r.damaged || err != nil {
		return store.Document{}, fmt.Errorf("%w: the document %s", errDamaged, id)
	}
	return d, nil
}

// numberDigits is the number of digits in which lua/cut_off.lua stores the
// number of a cut-off.
const numberDigits = 20

// parseNumber parses the number of a cut-off. Nil means that the key was never
// cut off.
func parseNumber(kept any) (int64, error) {
	text, ok := kept.(string)
	if !ok {
		return 0, nil
	}
	if len(text) < numberDigits {
		return 0, errDamaged
	}
	number, err := strconv.ParseInt(text[:numberDigits], 10, 64)
	if err != nil {
		return 0, errDamaged
	}
	return number, nil
}
