package memory

import (
	"bytes"
	"cmp"
	"strings"
	"time"
	"unique"

	"github.com/latchkey-go/latchkey/store"
)

// An instant is a time in microseconds since the zero time.Time, so the zero
// instant is the zero time. It takes a third of the memory of a time.Time.
type instant int64

// unixEpoch is 1 January 1970 as an instant.
const unixEpoch = 62_135_596_800_000_000

func instantOf(t time.Time) instant { return instant(t.UnixMicro() + unixEpoch) }

func (i instant) time() time.Time { return time.UnixMicro(int64(i) - unixEpoch).UTC() }

// A record is a packed store.Document. The lock of its shard guards it. All
// fields but the last three never change, or change only while the lock of the
// indexes is held too.
type record struct {
	id   store.ID
	user string

	// Many documents name the same ones, so each text is stored once.
	application, workspace unique.Handle[string]

	kind      store.Kind
	createdAt instant
	sweepAt   instant
	fate      *fate // nil: not ended, and nothing seen

	lastUsedAt instant
	mark       int64
	state      string
}

// A fate has the fields that few documents use. It is never changed, only
// replaced.
type fate struct {
	endedAt instant
	seen    store.Cuts
}

func (r *record) endedAt() instant {
	if r.fate == nil {
		return 0
	}
	return r.fate.endedAt
}

func (r *record) seen() store.Cuts {
	if r.fate == nil {
		return store.Cuts{}
	}
	return r.fate.seen
}

func newRecord(d *store.Document) *record {
	r := &record{
		id:          d.ID,
		user:        d.UserID,
		application: unique.Make(d.ApplicationID),
		workspace:   unique.Make(d.WorkspaceID),
		kind:        d.Kind,
	}
	r.move(d)
	r.write(d)
	return r
}

// write sets the fields that each write changes, and move those that few writes
// change.
func (r *record) write(d *store.Document) {
	r.lastUsedAt, r.mark, r.state = instantOf(d.LastUsedAt), d.Mark, d.State
}

func (r *record) move(d *store.Document) {
	r.createdAt, r.sweepAt = instantOf(d.CreatedAt), instantOf(d.SweepAt)
	if d.Seen != r.seen() {
		r.fate = &fate{seen: d.Seen}
	}
}

// moves reports whether writing d would change what move sets.
func (r *record) moves(d *store.Document) bool {
	return r.createdAt != instantOf(d.CreatedAt) || r.sweepAt != instantOf(d.SweepAt) || r.seen() != d.Seen
}

// document returns the record as a store.Document.
func (r *record) document() store.Document {
	return store.Document{
		ID:            r.id,
		Kind:          r.kind,
		UserID:        r.user,
		ApplicationID: r.application.Value(),
		WorkspaceID:   r.workspace.Value(),
		CreatedAt:     r.createdAt.time(),
		LastUsedAt:    r.lastUsedAt.time(),
		EndedAt:       r.endedAt().time(),
		SweepAt:       r.sweepAt.time(),
		Seen:          r.seen(),
		Mark:          r.mark,
		State:         r.state,
	}
}

// key returns the narrowest key that covers the document.
func (r *record) key() store.CutKey {
	return store.CutKey{UserID: r.user, ApplicationID: r.application.Value(), WorkspaceID: r.workspace.Value()}
}

// place returns a copy of r that marks its present place, even if r is moved or
// removed.
func (r *record) place() *record {
	return &record{id: r.id, user: r.user, application: r.application, workspace: r.workspace, kind: r.kind, createdAt: r.createdAt}
}

// The orders of the indexes. Documents with one text are adjacent: kind by
// kind, newest first.

func compareUsers(a, b *record) int {
	if order := strings.Compare(a.user, b.user); order != 0 {
		return order
	}
	return compareKinds(a, b)
}

func compareApplications(a, b *record) int {
	if a.application != b.application {
		return strings.Compare(a.application.Value(), b.application.Value())
	}
	return compareKinds(a, b)
}

func compareWorkspaces(a, b *record) int {
	if a.workspace != b.workspace {
		return strings.Compare(a.workspace.Value(), b.workspace.Value())
	}
	return compareKinds(a, b)
}

func compareKinds(a, b *record) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	if a.createdAt != b.createdAt {
		return cmp.Compare(b.createdAt, a.createdAt)
	}
	return bytes.Compare(b.id[:], a.id[:])
}

func compareSweeps(a, b *record) int {
	if a.sweepAt != b.sweepAt {
		return cmp.Compare(a.sweepAt, b.sweepAt)
	}
	return bytes.Compare(a.id[:], b.id[:])
}
