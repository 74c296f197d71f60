package memory

import (
	"cmp"
	"context"
	"strings"
	"sync/atomic"

	"github.com/latchkey-go/latchkey/store"
)

// A cutOff is the number of one key, and how far its sweep is.
type cutOff struct {
	key    store.CutKey
	number int64

	// How far the sweep is. The lock of the indexes guards it.
	walked bool    // it has looked at every document, and only needs to know whether one is left
	after  *record // it continues after this place
}

// beginning is a place before every record.
var beginning record

// restart makes the next sweep examine every document of the key.
func (c *cutOff) restart() { c.walked, c.after = false, &beginning }

// covers reports whether the cut-off covers the record.
func (c *cutOff) covers(r *record) bool {
	return (c.key.UserID == "" || c.key.UserID == r.user) &&
		(c.key.ApplicationID == "" || c.key.ApplicationID == r.application.Value()) &&
		(c.key.WorkspaceID == "" || c.key.WorkspaceID == r.workspace.Value())
}

// compareCutOffs orders cut-offs by time.
func compareCutOffs(a, b *cutOff) int {
	if order := store.CutTime(a.number).Compare(store.CutTime(b.number)); order != 0 {
		return order
	}
	return cmp.Or(
		strings.Compare(a.key.UserID, b.key.UserID),
		strings.Compare(a.key.ApplicationID, b.key.ApplicationID),
		strings.Compare(a.key.WorkspaceID, b.key.WorkspaceID))
}

// cutOffs are the cut-offs of a shard.
type cutOffs struct {
	byKey map[store.CutKey]*cutOff

	// forms has a bit for each index of a key that byKey may have. Usually it is
	// zero, and then the caller can skip the lock and the lookup.
	forms atomic.Uint32
}

// covering calls do for each cut-off that covers a document with the key.
func (c *cutOffs) covering(key store.CutKey, do func(index int, cut *cutOff)) {
	forms := c.forms.Load()
	if forms == 0 {
		return
	}
	for i, k := range key.Covering() {
		if forms&(1<<i) == 0 {
			continue
		}
		if cut := c.byKey[k]; cut != nil {
			do(i, cut)
		}
	}
}

// read sets the numbers of the cut-offs that cover a document with the key.
func (c *cutOffs) read(key store.CutKey, numbers *store.Cuts) {
	c.covering(key, func(i int, cut *cutOff) { numbers[i] = cut.number })
}

// readCommon is read for the cut-offs without a user. Call it after the document
// was read, never before.
func (s *Store) readCommon(key store.CutKey, numbers *store.Cuts) {
	if s.common.cuts.forms.Load() == 0 {
		return
	}
	s.common.mu.RLock()
	s.common.cuts.read(key, numbers)
	s.common.mu.RUnlock()
}

// covering calls do for each cut-off that covers the record. s.mu must be
// locked.
func (s *Store) covering(r *record, do func(index int, cut *cutOff)) {
	s.shard(r.id).cuts.covering(r.key(), do)
	s.common.cuts.covering(r.key(), do)
}

// isCutOff reports whether the record is cut off. s.mu must be locked.
func (s *Store) isCutOff(r *record) bool {
	var numbers store.Cuts
	s.covering(r, func(i int, cut *cutOff) { numbers[i] = cut.number })
	seen := r.seen()
	return numbers.Exceed(&seen)
}

// checkSeen makes a sweep notice a record that was added or moved. s.mu must be
// locked.
func (s *Store) checkSeen(r *record) {
	seen := r.seen()
	s.covering(r, func(i int, cut *cutOff) {
		switch {
		case cut.number > seen[i]: // The record was cut off before it was written.
			cut.restart()
			s.unswept.add(cut)
		case cut.walked:
			cut.after = &beginning
		}
	})
}

// shardOfKey returns the shard that has the cut-off of the key.
func (s *Store) shardOfKey(key store.CutKey) *shard {
	if key.UserID == "" {
		return &s.common
	}
	return &s.shards[store.UserTag(key.UserID)%shardCount]
}

// CutOff implements [store.Documents].
func (s *Store) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := key.Check(); err != nil {
		return err
	}
	sh := s.shardOfKey(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	cut := sh.cuts.byKey[key]
	if cut == nil {
		cut = sh.cuts.add(key)
	}
	s.unswept.remove(cut)
	cut.number = max(number, cut.number+1)
	cut.restart()
	s.unswept.add(cut)
	return nil
}

// add adds a cut-off without a number.
func (c *cutOffs) add(key store.CutKey) *cutOff {
	cut := &cutOff{key: store.CutKey{
		UserID:        strings.Clone(key.UserID),
		ApplicationID: strings.Clone(key.ApplicationID),
		WorkspaceID:   strings.Clone(key.WorkspaceID),
	}}
	if c.byKey == nil {
		c.byKey = map[store.CutKey]*cutOff{}
	}
	c.byKey[cut.key] = cut
	c.forms.Store(c.forms.Load() | 1<<key.Index())
	return cut
}

// remove removes a cut-off.
func (c *cutOffs) remove(cut *cutOff) {
	delete(c.byKey, cut.key)
	if len(c.byKey) == 0 {
		c.byKey = nil // Go never shrinks a map, so start a new one.
		c.forms.Store(0)
	}
}
