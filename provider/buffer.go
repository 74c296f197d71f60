package provider

import (
	"bytes"
	"sync"
)

// A buffer holds a body that is being read or written. Buffers are pooled.
type buffer struct{ bytes.Buffer }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// takeBuffer returns an empty buffer. The caller must release it.
func takeBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.Reset()
	return b
}

// release returns the buffer to the pool. Large buffers are dropped.
func (b *buffer) release() {
	if b.Cap() <= 64<<10 {
		buffers.Put(b)
	}
}
