package redisstore

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// maxWalks bounds how many walks a Store remembers. The others begin again.
const maxWalks = 1000

// A walk looks at every document that a cut-off may cover: those in the index
// of its user, else of its application, else of its workspace, else all. A long
// walk takes several sweeps.
type walk struct {
	key    store.CutKey
	kept   string // as it is stored
	at     time.Time
	index  int    // which of the indexes
	after  string // the last entry that was examined
	covers bool   // whether the cut-off covers a document that stays
	moved  bool   // whether a document was replaced just before it would have been removed
}

// walked ends the stored form of a cut-off once a walk has removed everything
// that it cut off. Later walks only look for a document that it covers.
const walked = "walked"

func (k *walk) isOver() bool { return k.covers && strings.HasSuffix(k.kept, walked) }

// cutOff removes documents that were cut off a day or more ago, from those that
// a cut-off may cover, and then the cut-off itself if it covers none. It stops
// when the sweep's budget is spent.
func (w *sweep) cutOff(ctx context.Context, member string) error {
	k, err := w.begin(ctx, member)
	if err != nil {
		return err
	}
	w.at = shardOfCut(k.key)
	if w.stays(k.at) {
		_, err := w.settleCut(ctx, k, k.kept, score(k.at.Add(cutsKeptFor)))
		return err
	}
	done, err := w.finish(ctx, &k)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.walks, k.key)
	if !done && len(w.walks) < maxWalks {
		w.walks[k.key] = k
	}
	return err
}

// stays reports whether the time is less than a day ago.
func (w *sweep) stays(at time.Time) bool { return at.After(w.before.Add(-cutsKeptFor)) }

// begin begins the walk of a cut-off, or continues it.
func (w *sweep) begin(ctx context.Context, member string) (k walk, err error) {
	if k.key, err = parseCutMember(member); err != nil {
		return walk{}, err
	}
	commands, err := w.exec(ctx, func(p pipe) { p.Do(ctx, "get", w.keys.cutOff(k.key)) })
	if err != nil {
		return walk{}, err
	}
	kept := answer(commands[0])
	number, err := parseNumber(kept)
	if err != nil {
		return walk{}, err
	}
	k.kept, _ = kept.(string)
	k.at = store.CutTime(number)
	w.mu.Lock()
	defer w.mu.Unlock()
	if stopped, ok := w.walks[k.key]; ok && stopped.kept == k.kept {
		k = stopped
	}
	return k, nil
}

// finish walks to the end.
func (w *sweep) finish(ctx context.Context, k *walk) (done bool, err error) {
	for indexes := w.indexes(k.key); k.kept != "" && k.index < len(indexes) && !k.isOver(); {
		if w.budget <= 0 || w.removed >= w.limit {
			return false, nil
		}
		more, err := w.step(ctx, k, indexes[k.index])
		if err != nil {
			return false, err
		}
		if !more {
			k.index, k.after = k.index+1, ""
		}
	}
	if k.covers {
		form := k.kept
		if !k.moved && !strings.HasSuffix(form, walked) {
			form += walked
		}
		// Removing a document that it covers makes the next sweep look again. In case
		// that was lost, look again after twice the time.
		_, err = w.settleCut(ctx, *k, form, score(w.before.Add(w.before.Sub(k.at))))
		return err == nil, err
	}
	if w.removed >= w.limit {
		return false, nil
	}
	removed, err := w.settleCut(ctx, *k)
	w.removed += removed
	return err == nil, err
}

// indexes returns the indexes that have every document that the key covers.
func (w *sweep) indexes(key store.CutKey) []string {
	switch {
	case key.UserID != "":
		return []string{w.keys.user(key.UserID)}
	case key.ApplicationID != "":
		return []string{w.keys.application(key.ApplicationID)}
	case key.WorkspaceID != "":
		return []string{w.keys.workspace(key.WorkspaceID)}
	}
	all := make([]string, shardCount)
	for i := range all {
		all[i] = w.keys.due(shard(i))
	}
	return all
}

// step examines the next entries of an index.
func (w *sweep) step(ctx context.Context, k *walk, index string) (more bool, err error) {
	n := min(w.limit-w.removed, w.budget, atOnce)
	from := "-"
	if k.after != "" {
		from = "(" + k.after
	}
	commands, err := w.exec(ctx, func(p pipe) {
		p.ZRangeByLex(ctx, index, &redis.ZRangeBy{Min: from, Max: "+", Count: int64(n)})
	})
	if err != nil {
		return false, err
	}
	entries := commands[0].(*redis.StringSliceCmd).Val()
	if len(entries) == 0 {
		return false, nil
	}
	all, err := w.findEntries(ctx, entries)
	if err != nil {
		return false, err
	}
	var dead []doomed
	for i := range all {
		switch d := &all[i].document; {
		case d.ID.IsZero():
		case w.isDead(&all[i]):
			dead = append(dead, doomed{id: d.ID, offset: markOffset, expected: markText(d.Mark)})
		case covers(k.key, d):
			k.covers = true
		}
	}
	removed, err := w.remove(ctx, dead)
	w.removed += removed
	w.budget -= len(entries)
	if err != nil {
		return false, err
	}
	if removed < len(dead) {
		k.covers, k.moved = true, true
	}
	k.after = entries[len(entries)-1]
	return len(entries) == n, nil
}

// isDead reports whether a sweep removes the document.
func (w *sweep) isDead(f *found) bool {
	if d := &f.document; !d.SweepAt.IsZero() && !d.SweepAt.After(w.before) {
		return true
	}
	for i, number := range f.cuts {
		if number > f.document.Seen[i] && !w.stays(store.CutTime(number)) {
			return true
		}
	}
	return false
}

// covers reports whether the key covers the document.
func covers(key store.CutKey, d *store.Document) bool {
	for _, k := range d.Key().Covering() {
		if k == key {
			return true
		}
	}
	return false
}

// settleCut stores a cut-off in a new form and says when to look at it again,
// or removes it if neither is given, unless it has changed. It returns how many
// it removed.
func (w *sweep) settleCut(ctx context.Context, k walk, formAndLook ...any) (removed int, err error) {
	keys := []string{w.keys.cutOff(k.key), w.keys.cuts(shardOfCut(k.key))}
	gone, err := w.run(ctx, w.scripts.settleCut, keys, append([]any{k.kept, cutMember(k.key)}, formAndLook...)...)
	if gone == int64(1) {
		removed = 1
	}
	return removed, err
}
