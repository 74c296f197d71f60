package memory

import (
	"iter"
	"slices"
)

// ordered keeps values in the order of compare, for which no two values are
// equal. Values are kept in chunks, so adding one moves only a few others. A
// pointer takes about ten bytes.
type ordered[T any] struct {
	compare func(a, b T) int
	chunks  [][]T // a chunk is never empty
}

// chunkSize is the most values in a chunk.
const chunkSize = 256

// search returns the chunk and the index in it where v is, or would be added.
func (o *ordered[T]) search(v T) (chunk, place int, found bool) {
	chunk, found = slices.BinarySearchFunc(o.chunks, v, func(c []T, v T) int { return o.compare(c[0], v) })
	if found || len(o.chunks) == 0 {
		return chunk, 0, found
	}
	chunk = max(chunk-1, 0) // the last chunk that doesn't begin after v
	place, found = slices.BinarySearchFunc(o.chunks[chunk], v, o.compare)
	return chunk, place, found
}

// add adds v, unless it is present.
func (o *ordered[T]) add(v T) {
	if len(o.chunks) == 0 {
		o.chunks = [][]T{{v}}
		return
	}
	i, place, found := o.search(v)
	if found {
		return
	}
	if chunk := o.chunks[i]; len(chunk) == chunkSize {
		// The copies have no spare capacity, because if values arrive in order, one
		// half never grows again.
		const half = chunkSize / 2
		o.chunks[i] = slices.Clone(chunk[:half])
		o.chunks = slices.Insert(o.chunks, i+1, slices.Clone(chunk[half:]))
		if place > half {
			i, place = i+1, place-half
		}
	}
	o.chunks[i] = slices.Insert(o.chunks[i], place, v)
}

// remove removes v, if present.
func (o *ordered[T]) remove(v T) {
	i, place, found := o.search(v)
	if !found {
		return
	}
	o.chunks[i] = slices.Delete(o.chunks[i], place, place+1)
	rest := o.chunks[i]
	if i+1 < len(o.chunks) && len(rest)+len(o.chunks[i+1]) <= chunkSize/2 {
		o.chunks[i] = slices.Concat(rest, o.chunks[i+1])
		o.chunks = slices.Delete(o.chunks, i+1, i+2)
	} else if len(rest) == 0 {
		o.chunks = slices.Delete(o.chunks, i, i+1)
	}
}

// from returns the values from the place of v to the end, in order. Nothing may
// be added or removed meanwhile.
func (o *ordered[T]) from(v T) iter.Seq[T] {
	return func(yield func(T) bool) {
		i, place, _ := o.search(v)
		for ; i < len(o.chunks); i, place = i+1, 0 {
			for _, v := range o.chunks[i][place:] {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// next returns the value at the place of v or after it, or the zero value at
// the end.
func (o *ordered[T]) next(v T) (next T) {
	i, place, _ := o.search(v)
	if i < len(o.chunks) && place == len(o.chunks[i]) {
		i, place = i+1, 0
	}
	if i < len(o.chunks) {
		next = o.chunks[i][place]
	}
	return next
}

// first returns the first value, or the zero value if o is empty.
func (o *ordered[T]) first() (v T) {
	if len(o.chunks) > 0 {
		v = o.chunks[0][0]
	}
	return v
}
