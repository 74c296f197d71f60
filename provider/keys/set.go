package keys

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// set is an instance's copy of the keys. It never changes.
type set struct {
	at      time.Time // when it was read, or earlier
	mark    int64     // of the document
	entries []entry   // without private keys
	keys    []*key    // in the order of entries
}

// newSet prepares the keys. It reuses those of the previous set.
func newSet(entries []entry, before *set, at time.Time, mark int64) (*set, error) {
	s := &set{at: at, mark: mark, entries: slices.Clone(entries)}
	for i, e := range entries {
		k := before.find(e.ID)
		if k == nil || !k.same(e) {
			var err error
			if k, err = parse(e); err != nil {
				return nil, fmt.Errorf("%w (the key %s: %w)", ErrDamaged, e.ID, err)
			}
		}
		s.keys = append(s.keys, k)
		s.entries[i].Private = nil
	}
	return s, nil
}

func (s *set) find(id string) *key {
	if s != nil {
		for _, k := range s.keys {
			if k.id == id {
				return k
			}
		}
	}
	return nil
}

// public returns the JWK Set (RFC 7517 section 5). The keys that sign come
// first, because some relying parties look only at the first key.
func (s *set) public(algorithms []string, now time.Time) []byte {
	listed := make([][]byte, 0, len(s.keys))
	signs := make([]bool, len(s.keys))
	for _, alg := range algorithms {
		if i := signing(s.entries, alg, now); i >= 0 {
			signs[i] = true
			listed = append(listed, s.keys[i].published)
		}
	}
	for i, k := range s.keys {
		if !signs[i] {
			listed = append(listed, k.published)
		}
	}
	return slices.Concat([]byte(`{"keys":[`), bytes.Join(listed, []byte(",")), []byte(`]}`))
}
