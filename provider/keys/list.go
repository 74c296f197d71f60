package keys

import (
	"context"
	"time"
)

// State is the state of a [Key].
type State string

// The states of a key, in the order in which it has them.
const (
	Next    State = "next"    // published; will sign
	Signing State = "signing" // signs
	Past    State = "past"    // published only, until everything it signed has expired
)

// Key describes one key, without its private part.
type Key struct {
	ID        string // the kid: its thumbprint (RFC 7638)
	Algorithm string
	State     State

	PublishedAt time.Time // zero if the key is static
	SignsAt     time.Time // when it began to sign, or will; zero if the key is static
	RemovedAt   time.Time // when it will be removed; zero if not known yet
}

// List returns the keys that this instance knows, for the people who run the
// provider.
//
// It returns an error if the keys couldn't be read for an hour.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	s, err := k.current(ctx, publishEvery)
	if err != nil {
		return nil, err
	}
	now := k.now()
	list := make([]Key, len(s.entries))
	for i, e := range s.entries {
		list[i] = Key{ID: e.ID, Algorithm: e.Algorithm, State: Past}
		if signing(s.entries, e.Algorithm, now) == i {
			list[i].State = Signing
		} else if e.SignsAt.After(now) {
			list[i].State = Next
		}
		if k.kept != nil {
			list[i].PublishedAt, list[i].SignsAt = e.PublishedAt, e.SignsAt
			list[i].RemovedAt = k.kept.policy.until(s.entries, e)
		}
	}
	return list, nil
}
