package memory

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The values stay in order, and chunks get neither too long nor too many, in
// any order of additions and removals.
func TestOrdered(t *testing.T) {
	const most = 20 * chunkSize
	o := ordered[int]{compare: cmp.Compare[int]}
	var want []int
	add := func(v int) {
		o.add(v)
		if i, found := slices.BinarySearch(want, v); !found {
			want = slices.Insert(want, i, v)
		}
	}
	remove := func(v int) {
		o.remove(v)
		if i, found := slices.BinarySearch(want, v); found {
			want = slices.Delete(want, i, i+1)
		}
	}
	check := func(when string) {
		t.Helper()
		require.Equal(t, want, slices.AppendSeq([]int{}, o.from(-1)), when)
		require.Equal(t, append([]int{0}, want...)[min(1, len(want))], o.first(), when)
		for _, v := range []int{0, most / 3, most / 2, most} {
			i, _ := slices.BinarySearch(want, v)
			require.Equal(t, want[i:], slices.AppendSeq([]int{}, o.from(v)), "%s, from %d", when, v)
			require.Equal(t, append(want[i:len(want):len(want)], 0)[0], o.next(v), "%s, next to %d", when, v)
		}
		for i, chunk := range o.chunks {
			require.NotEmpty(t, chunk, when)
			require.LessOrEqual(t, cap(chunk), chunkSize, when)
			if i > 0 {
				require.Greater(t, len(o.chunks[i-1])+len(chunk), chunkSize/4, when)
			}
		}
	}
	want = []int{}
	check("empty")
	for v := range most {
		add(2 * (v % (most / 2)))
	}
	check("after values came in order, and again")
	for range 4 * most {
		add(rand.IntN(most))
		remove(rand.IntN(most))
	}
	check("after values came and went")
	for _, v := range rand.Perm(most) {
		remove(v)
		if len(want) < 100 || len(want)%100 == 0 {
			check("while values went")
		}
	}
	for v := most; v > 0; v-- {
		add(v)
	}
	check("after values came from the end")
}
