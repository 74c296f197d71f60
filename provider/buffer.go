package provider

import (
	"bytes"
	"sync"
)

// A buffer is for a body that is being read or written, and is used again.
type buffer struct{ bytes.Buffer }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// takeBuffer returns an empty buffer. Who takes it releases it.
func takeBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.Reset()
	return b
}

// release gives the buffer back. A large one is not kept for small bodies.
func (b *buffer) release() {
	if b.Cap() <= 64<<10 {
		buffers.Put(b)
	}
}
