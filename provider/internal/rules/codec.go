package rules

import (
	"encoding/binary"
	"sync"
)

// The state of a document is a byte for the format and then fields: a tag, the
// length of the value, and the value. A reader keeps fields that it doesn't
// know and writes them back, so instances of two versions can work side by
// side. A change that an older version must not ignore gets another format, and
// the older version then refuses the document.
//
// Times are signed varints of microseconds since the document was created.
const format = 1

// A writer appends fields to a state.
type writer struct {
	b    []byte
	base Instant
	room *[usualState]byte
}

// usualState is room for nearly every state. Writers reuse it, so only the
// state itself is allocated.
const usualState = 2048

var rooms = sync.Pool{New: func() any { return new([usualState]byte) }}

// newWriter starts a state. The caller must call state, once.
func newWriter(base Instant) writer {
	room := rooms.Get().(*[usualState]byte)
	return writer{append(room[:0], format), base, room}
}

// state returns the state.
func (w *writer) state() string {
	state := string(w.b)
	rooms.Put(w.room)
	return state
}

// field starts a field and returns where its value starts; end ends it. Known
// values are at most 16 KiB long, except texts, which text writes.
func (w *writer) field(tag byte) (start int) {
	w.b = append(w.b, tag, 0)
	return len(w.b)
}

func (w *writer) end(start int) {
	n := len(w.b) - start
	if n < 0x80 {
		w.b[start-1] = byte(n)
		return
	}
	// The length needs more than one byte: make room.
	var size [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(size[:], uint64(n)) - 1
	w.b = append(w.b, size[:more]...)
	copy(w.b[start+more:], w.b[start:len(w.b)-more])
	copy(w.b[start-1:], size[:more+1])
}

// text writes a field with a text, unless it is empty.
func (w *writer) text(tag byte, text string) {
	if text != "" {
		w.b = binary.AppendUvarint(append(w.b, tag), uint64(len(text)))
		w.b = append(w.b, text...)
	}
}

// instant writes a field with a time, unless it is zero.
func (w *writer) instant(tag byte, at Instant) {
	if at != 0 {
		start := w.field(tag)
		w.time(at)
		w.end(start)
	}
}

func (w *writer) time(at Instant)  { w.b = binary.AppendVarint(w.b, int64(at-w.base)) }
func (w *writer) uvarint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) number(n int64)   { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) bytes(b []byte)   { w.b = append(w.b, b...) }
func (w *writer) string(s string)  { w.b = append(w.b, s...) }
func (w *writer) uint64(n uint64)  { w.b = binary.BigEndian.AppendUint64(w.b, n) }

// A reader reads a state, or the value of a field. It never fails halfway:
// damaged fields are zero, and set bad.
type reader struct {
	s    string
	base Instant
	bad  bool
}

// newReader starts to read a state.
func newReader(state string, base Instant) reader {
	r := reader{s: state, base: base}
	r.bad = r.byte() != format
	return r
}

// field reads the next field. The results share the memory of the state.
func (r *reader) field() (tag byte, value reader, raw string, ok bool) {
	if r.s == "" || r.bad {
		return 0, reader{}, "", false
	}
	whole := r.s
	tag = r.byte()
	value = reader{s: r.take(r.uvarint()), base: r.base}
	return tag, value, whole[:len(whole)-len(r.s)], !r.bad
}

// done reports whether the value was read completely and is undamaged.
func (r *reader) done() bool { return !r.bad && r.s == "" }

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.bad, r.s = true, ""
		return ""
	}
	taken := r.s[:n]
	r.s = r.s[n:]
	return taken
}

func (r *reader) byte() byte {
	if taken := r.take(1); taken != "" {
		return taken[0]
	}
	return 0
}

func (r *reader) uvarint() (n uint64) {
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return n
		}
	}
	r.bad, r.s = true, ""
	return 0
}

func (r *reader) number() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) time() Instant     { return r.base + Instant(r.number()) }
func (r *reader) bytes(into []byte) { copy(into, r.take(uint64(len(into)))) }
func (r *reader) rest() string      { return r.take(uint64(len(r.s))) }
func (r *reader) uint64() (n uint64) {
	var b [8]byte
	r.bytes(b[:])
	return binary.BigEndian.Uint64(b[:])
}
