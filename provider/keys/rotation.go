package keys

import (
	"cmp"
	"slices"
	"time"
)

// entry is one key in its stored form.
type entry struct {
	ID        string `json:"kid"` // RFC 7638 thumbprint
	Algorithm string `json:"alg"`
	Private   []byte `json:"private"` // PKCS #8; empty if it doesn't exist yet

	PublishedAt time.Time `json:"published"`
	SignsAt     time.Time `json:"signs"` // until the next key signs
}

// policy decides on the keys. It does no I/O and generates nothing.
type policy struct {
	algorithms []string
	rotate     time.Duration // how long a key signs
	lead       time.Duration // how long it is published before that
	keep       time.Duration // and after that
}

// maxLead is longer than any lead. If a key is to sign later than that, the
// clock of the instance that made it was wrong.
const maxLead = maxStale + maxCacheFor + 2*skew

// next returns the keys for the given time. It adds keys that must be
// generated, with an empty Private, and omits those that are no longer needed.
//
// A key is published for the lead before it signs. It signs until the next key
// of its algorithm does, and stays published until the last token that it can
// have signed has expired. The first key of an algorithm signs at once, because
// no cache lacks it.
func (p policy) next(now []entry, at time.Time) []entry {
	next := slices.Clone(now)
	for i := range next {
		if next[i].SignsAt.After(at.Add(maxLead)) {
			next[i].SignsAt = at.Add(p.lead)
		}
	}
	for _, alg := range p.algorithms {
		newest, found := newest(next, alg)
		switch {
		case !found:
			next = append(next, entry{Algorithm: alg, PublishedAt: at, SignsAt: at})
		case !at.Before(newest.SignsAt.Add(p.rotate - p.lead)):
			next = append(next, entry{Algorithm: alg, PublishedAt: at, SignsAt: at.Add(p.lead)})
		}
	}
	kept := next
	return slices.DeleteFunc(slices.Clone(next), func(e entry) bool {
		until := p.until(kept, e)
		return !until.IsZero() && !at.Before(until)
	})
}

// until returns when the key can be removed, or zero if that isn't known yet.
func (p policy) until(keys []entry, e entry) time.Time {
	stops := time.Time{}
	for _, other := range keys {
		if other.Algorithm == e.Algorithm && order(other, e) > 0 && (stops.IsZero() || other.SignsAt.Before(stops)) {
			stops = other.SignsAt
		}
	}
	if stops.IsZero() {
		if slices.Contains(p.algorithms, e.Algorithm) {
			return stops
		}
		stops = e.SignsAt.Add(p.rotate) // by an instance that still has the algorithm
	}
	return stops.Add(p.keep)
}

// retire removes a key. If it was the one that signs, the next one signs at
// once, or a new one. It reports whether there is such a key.
func (p policy) retire(now []entry, id string, at time.Time) ([]entry, bool) {
	i := slices.IndexFunc(now, func(e entry) bool { return e.ID == id })
	if i < 0 {
		return nil, false
	}
	alg := now[i].Algorithm
	signed := signing(now, alg, at) == i
	next := slices.Delete(slices.Clone(now), i, i+1)
	if !signed || !slices.Contains(p.algorithms, alg) {
		return next, true
	}
	for i := range next {
		if next[i].Algorithm == alg && next[i].SignsAt.After(at) {
			next[i].SignsAt = at
			return next, true
		}
	}
	return append(next, entry{Algorithm: alg, PublishedAt: at, SignsAt: at}), true
}

// signing returns the index of the key that signs at the given time: the newest
// one that has started to sign. If none has, because a clock is behind, it is
// the one that will start first. It is -1 if there is none.
func signing(keys []entry, alg string, at time.Time) int {
	best := -1
	for i := range keys {
		if keys[i].Algorithm != alg {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		due, later := !keys[i].SignsAt.After(at), order(keys[i], keys[best]) > 0
		if bestDue := !keys[best].SignsAt.After(at); due && (later || !bestDue) || !due && !bestDue && !later {
			best = i
		}
	}
	return best
}

// newest returns the key of the algorithm that starts to sign last.
func newest(keys []entry, alg string) (last entry, found bool) {
	for _, e := range keys {
		if e.Algorithm == alg && (!found || order(e, last) > 0) {
			last, found = e, true
		}
	}
	return last, found
}

// order compares when two keys start to sign.
func order(a, b entry) int {
	return cmp.Or(a.SignsAt.Compare(b.SignsAt), cmp.Compare(a.ID, b.ID))
}
