package keys

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// documentID is the ID of the one document with the keys. It is derived like a
// consent's, without a user.
var documentID = func() store.ID {
	id := store.ID([]byte("latchkey signing"))
	id[6] = 0x80 | id[6]&0x0f // version 8 (RFC 9562): a custom ID
	id[8] = 0x80 | id[8]&0x3f
	binary.BigEndian.PutUint16(id[14:], store.UserTag(""))
	return id
}()

// ErrLost means that the document with the keys existed before and is gone.
var ErrLost = fmt.Errorf("keys: the document %s, which has the signing keys, is gone from the store."+
	" Restore it from a backup. If there is none, restart every instance: that makes new keys,"+
	" and nothing that the old ones signed can be verified anymore", documentID)

// maxRounds bounds how often the document is read again because another
// instance has changed it.
const maxRounds = 8

// callTimeout bounds one call of the store, so that a hanging store is an error
// even if the host has set no deadline.
const callTimeout = 10 * time.Second

// document reads and writes the keys in the store.
type document struct {
	store   store.Documents
	secrets []string
	policy  policy
	now     func() time.Time
	turn    chan struct{} // held by the writer
}

// read returns the document, its cut-off numbers, and its keys. If the document
// still has the given mark, read doesn't open the keys.
func (d *document) read(ctx context.Context, mark int64) (kept store.Document, cuts store.Cuts, keys []entry, secret int, err error) {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	kept, cuts, err = d.store.Find(ctx, documentID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return kept, cuts, nil, 0, ErrLost
	case err != nil:
		return kept, cuts, nil, 0, fmt.Errorf("keys: reading the signing keys: %w", err)
	case kept.Kind != store.KindKeys:
		return kept, cuts, nil, 0, fmt.Errorf("keys: the document %s is of the kind %s, so it has no signing keys", documentID, kept.Kind)
	case !kept.EndedAt.IsZero():
		return kept, cuts, nil, 0, fmt.Errorf("keys: the document %s was ended."+
			" Delete it (in SQL: delete from latchkey_documents where kind = 4), then restart every instance: that makes new keys,"+
			" and nothing that the old ones signed can be verified anymore", documentID)
	case kept.Mark == mark:
		return kept, cuts, nil, 0, nil
	}
	keys, secret, err = open(d.secrets, kept.State)
	if err != nil {
		return kept, cuts, nil, 0, fmt.Errorf("keys: the document %s has the signing keys, but %w", documentID, err)
	}
	return kept, cuts, keys, secret, nil
}

// write updates the keys according to the policy, after change if that isn't
// nil, and saves them if they changed. If there are none yet, create makes
// them.
func (k *Keys) write(ctx context.Context, create bool, change func([]entry, time.Time) ([]entry, error)) error {
	d := k.kept
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	made := maker{}
	for range maxRounds {
		at := store.Micro(d.now())
		kept, cuts, keys, secret, err := d.read(ctx, 0)
		if create && errors.Is(err, ErrLost) {
			if err = d.create(ctx, at, made); err == nil || errors.Is(err, store.ErrExists) {
				continue // Use the current document and cut-offs.
			}
		}
		if err != nil {
			return err
		}
		next := keys
		if change != nil {
			if next, err = change(next, at); err != nil {
				return err
			}
		}
		next = d.policy.next(next, at)
		// A cut-off of everything doesn't concern the keys, but would have them
		// deleted after a day.
		if secret == 0 && !cuts.Exceed(&kept.Seen) && equal(keys, next) {
			return k.adopt(keys, at, kept.Mark)
		}
		mark := kept.Mark
		if err := d.fill(&kept, next, at, made); err != nil {
			return err
		}
		kept.Seen = cuts
		err = d.replace(ctx, kept, mark)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("keys: keeping the signing keys: %w", err)
		}
		return k.adopt(next, at, kept.Mark)
	}
	return fmt.Errorf("keys: the document %s keeps changing: try again", documentID)
}

// create saves the first keys.
func (d *document) create(ctx context.Context, at time.Time, made maker) error {
	first := store.Document{ID: documentID, Kind: store.KindKeys, CreatedAt: at}
	if err := d.fill(&first, d.policy.next(nil, at), at, made); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	if err := d.store.Create(ctx, first); err != nil {
		return fmt.Errorf("keys: keeping the first signing keys: %w", err)
	}
	return nil
}

func (d *document) replace(ctx context.Context, kept store.Document, mark int64) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	return d.store.Replace(ctx, kept, mark)
}

// fill generates the keys that don't exist yet, and seals all.
func (d *document) fill(kept *store.Document, keys []entry, at time.Time, made maker) (err error) {
	if err := made.make(keys); err != nil {
		return err
	}
	var mark [8]byte
	rand.Read(mark[:]) // It never fails; it would end the program.
	kept.Mark = int64(binary.BigEndian.Uint64(mark[:]) | 1)
	kept.LastUsedAt = at
	kept.State, err = seal(d.secrets[0], keys)
	return err
}

// maker has the keys that one write has generated, by algorithm, so that
// another round reuses them.
type maker map[string]*key

// make generates the keys with an empty Private: at most one for each
// algorithm.
func (m maker) make(keys []entry) error {
	for i := range keys {
		if len(keys[i].Private) > 0 {
			continue
		}
		alg := keys[i].Algorithm
		if m[alg] == nil {
			made, err := generate(alg)
			if err != nil {
				return fmt.Errorf("keys: making a key for %s: %w", alg, err)
			}
			m[alg] = made
		}
		keys[i].ID, keys[i].Private = m[alg].id, m[alg].private
	}
	return nil
}

// equal reports whether nothing has changed. It compares IDs; keys that don't
// exist yet have none.
func equal(a, b []entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID || !a[i].SignsAt.Equal(b[i].SignsAt) {
			return false
		}
	}
	return true
}
