package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var documentPromises = []promise{
	{"a document comes back as it was stored",
		"The provider decides by these fields only.",
		documentComesBack},
	{"a document of any kind is stored",
		"A newer provider may store kinds that this backend doesn't know.",
		everyKind},
	{"a missing document is not found",
		"The provider must tell an invalid token from a store that is down.",
		absentDocument},
	{"an ID can be taken only once",
		"A form that is sent twice must not sign in twice, nor bring back what has ended.",
		takenID},
	{"a document that can't be stored is refused",
		"A document without an ID, a mark, or a time can't be found, replaced, or listed.",
		uselessDocument},
	{"a consent is found by its user, application, and workspace",
		"The consent page looks up what the user has agreed to, which may be nothing.",
		consentFound},
	{"a document is replaced only if it still has the given mark",
		"Otherwise the second of two requests would silently undo the first one's change.",
		replaceCompares},
	{"a document is replaced whole, except for its fixed fields",
		"Lists and cut-offs find a document by its fixed fields, and the provider decides the rest.",
		replaceReplaces},
	{"a document that doesn't exist is not replaced",
		"A request that read a document must not bring it back after it was removed.",
		replaceAbsent},
}

// fullDocument has a value in each field that a new document may have.
func (t *trial) fullDocument(key store.CutKey) store.Document {
	return t.document(key, func(d *store.Document) {
		d.Kind = store.KindDevice
		d.CreatedAt, d.LastUsedAt, d.SweepAt = t.after(-time.Hour), t.after(tick), t.after(day+3*tick)
		d.Seen = store.Cuts{1, 2, 3, 4, 5, 6, 7, 8}
		d.State = "\x01a state\x00\xff"
	})
}

// bareDocument has only the required fields.
func (t *trial) bareDocument() store.Document {
	return store.Document{ID: store.ID{15: byte(newMark()) | 1}, Kind: store.KindGrant, CreatedAt: t.start, Mark: newMark()}
}

func documentComesBack(t *trial) {
	full, bare := t.fullDocument(someKey), t.bareDocument()
	t.must(t.Create(t.Context(), full), "creating a document with something in each field")
	t.must(t.Create(t.Context(), bare), "creating a document with only the required fields")
	for _, d := range []store.Document{full, bare} {
		numbers := t.finds(d, "a new document")
		t.equal(numbers, store.Cuts{}, "the numbers where nothing was cut off")
	}

	ended := t.document(someKey, func(d *store.Document) { d.EndedAt = t.start })
	t.must(t.Create(t.Context(), ended), "creating a document")
	ended.EndedAt = time.Time{}
	t.finds(ended, "a document that was created with a time of its end, which only End sets")
}

func everyKind(t *trial) {
	for _, kind := range []store.Kind{store.KindGrant, store.KindConsent, store.KindDevice, 4, 100, 127, 128, 255} {
		d := t.create(someKey, func(d *store.Document) { d.Kind = kind })
		t.finds(d, "a document of %v", kind)
		d = t.replaces(d)
		t.finds(d, "a document of %v that was replaced", kind)
		d = t.ends(d, t.start, t.after(time.Hour))
		t.finds(d, "a document of %v that has ended", kind)
	}
}

func absentDocument(t *trial) {
	d := t.document(someKey)
	t.gone(d.ID, "a document in an empty store")
	t.gone(store.ID{}, "the zero ID")
	t.must(t.Create(t.Context(), d), "creating a document")
	for i := range d.ID {
		for _, bit := range []byte{1, 0x20, 0x80} {
			other := d.ID
			other[i] ^= bit
			t.gone(other, "an ID that differs in byte %d", i)
		}
	}
	t.gone(store.ID{}, "the zero ID")
}

func takenID(t *trial) {
	for _, first := range []store.Kind{store.KindGrant, store.KindConsent, store.KindDevice} {
		d := t.create(someKey, func(d *store.Document) { d.Kind = first })
		refused := func(what string) {
			t.Helper()
			for _, kind := range []store.Kind{store.KindGrant, store.KindConsent, store.KindDevice, 77} {
				other := t.document(store.CutKey{UserID: someUser, ApplicationID: otherApp}, func(d *store.Document) { d.Kind = kind })
				other.ID = d.ID
				t.fails(t.Create(t.Context(), other), store.ErrExists, "creating a %v with the ID of %s %v", kind, what, first)
				t.finds(d, "after a %v with its ID was refused", kind)
			}
			t.fails(t.Create(t.Context(), d), store.ErrExists, "creating %s %v a second time", what, first)
		}
		refused("a")
		d = t.ends(d, t.after(time.Minute), t.after(time.Hour))
		refused("an ended")
		t.cuts(store.CutKey{UserID: someUser}, 1)
		refused("a cut-off")
	}
	t.lists(store.Query{Kind: 77, UserID: someUser}, nil, "documents that were refused")
}

func uselessDocument(t *trial) {
	for name, spoil := range map[string]func(*store.Document){
		"without an ID":                         func(d *store.Document) { d.ID = store.ID{} },
		"with an ID that is not its user's":     func(d *store.Document) { d.ID[15] ^= 1 },
		"without a kind":                        func(d *store.Document) { d.Kind = 0 },
		"without a mark":                        func(d *store.Document) { d.Mark = 0 },
		"without the time when it was created":  func(d *store.Document) { d.CreatedAt = time.Time{} },
		"with a user that isn't valid UTF-8":    func(d *store.Document) { d.UserID = "\xff"; d.ID = store.NewID(t.start, "\xff") },
		"with an application that contains NUL": func(d *store.Document) { d.ApplicationID = "\x00" },
		"with a workspace that contains NUL":    func(d *store.Document) { d.WorkspaceID = "a\x00" },
	} {
		d := t.document(someKey, spoil)
		t.refuses(t.Create(t.Context(), d), "creating a document %s", name)
		t.gone(d.ID, "a document %s that was refused", name)
	}
	t.lists(store.Query{Kind: store.KindGrant, ApplicationID: someApp}, nil, "documents that were refused")
}

// consent returns a consent that isn't stored yet.
func (t *trial) consent(key store.CutKey, edits ...func(*store.Document)) store.Document {
	d := t.document(key, edits...)
	d.Kind, d.ID = store.KindConsent, store.ConsentID(key.UserID, key.ApplicationID, key.WorkspaceID)
	return d
}

// findsConsent checks the document of a consent, and returns the numbers of its
// cut-offs. The zero document means that it must not exist.
func (t *trial) findsConsent(key store.CutKey, want store.Document, format string, args ...any) store.Cuts {
	t.Helper()
	got, numbers, err := t.FindConsent(t.Context(), key.UserID, key.ApplicationID, key.WorkspaceID)
	if err != nil {
		t.errorf("%s: finding a consent: got error %v, want none", fmt.Sprintf(format, args...), err)
		return store.Cuts{}
	}
	t.equal(got, want, "%s: the consent", fmt.Sprintf(format, args...))
	return numbers
}

func consentFound(t *trial) {
	// These have texts in common, and some differ only in where a text ends.
	var keys []store.CutKey
	for _, texts := range [][3]string{
		{"ann", "wiki", ""}, {"ann", "wiki", "acme"}, {"ann", "acme", "wiki"}, {"wiki", "ann", ""}, {"annw", "iki", ""}, {"ann", "", "wiki"},
		{"ann", "", ""}, {"", "wiki", ""}, {"bob", "wiki", ""}, {"ann", "wiki2", ""}, {"ann", "wik", "i"},
	} {
		keys = append(keys, keyOf(texts))
	}
	none := store.Document{}
	var consents []store.Document
	for i, key := range keys {
		t.findsConsent(key, none, "before it exists")
		t.create(key) // A grant with the same texts is not a consent.
		t.findsConsent(key, none, "if only a grant exists")
		d := t.consent(key, func(d *store.Document) { d.State = fmt.Sprint("consent ", i) })
		t.must(t.Create(t.Context(), d), "creating a consent")
		consents = append(consents, d)
	}
	for i, d := range consents {
		numbers := t.findsConsent(keys[i], d, "among consents with similar texts")
		t.equal(numbers, store.Cuts{}, "the numbers where nothing was cut off")
		t.finds(d, "a consent that is found by its ID")
	}

	d := t.replaces(consents[0], func(d *store.Document) { d.State = "something else" })
	t.findsConsent(keys[0], d, "after it was replaced")
	t.cuts(store.CutKey{UserID: "ann"}, 7)
	t.findsConsent(keys[0], d, "after it was cut off")
	d = t.ends(d, t.start, t.after(time.Hour))
	t.findsConsent(keys[0], d, "after it has ended")
	t.findsConsent(keys[1], consents[1], "after another one has ended")
}

func replaceCompares(t *trial) {
	first := t.create(someKey)
	bystander := t.create(someKey)
	second := t.replaces(first, func(d *store.Document) { d.State = "second" })
	t.finds(second, "after it was replaced")
	for name, mark := range map[string]int64{
		"the mark before": first.Mark, "no mark": 0, "the next mark": second.Mark + 1, "the other sign": -second.Mark,
		"a mark with other low bits": second.Mark ^ 1, "a mark with other high bits": second.Mark ^ 1<<62,
	} {
		other := second
		other.Mark, other.State = newMark(), "other"
		t.fails(t.Replace(t.Context(), other, mark), store.ErrConflict, "replacing with %s", name)
		t.finds(second, "after it was not replaced with %s", name)
	}
	third := t.replaces(second, func(d *store.Document) { d.State = "third" })
	t.finds(third, "after it was replaced again")
	t.cuts(store.CutKey{UserID: someUser}, 7)
	fourth := t.replaces(third, func(d *store.Document) { d.Seen[1] = 7 })
	t.finds(fourth, "a document that was cut off, and allowed again")
	t.finds(bystander, "a document that was not replaced")
}

func replaceReplaces(t *trial) {
	full, bare := t.fullDocument(someKey), t.document(someKey)
	bare.LastUsedAt, bare.State = time.Time{}, ""
	d := t.create(someKey)
	for _, next := range []store.Document{full, bare, full} {
		d = t.replaces(d, func(d *store.Document) {
			d.CreatedAt, d.LastUsedAt, d.SweepAt, d.Seen, d.State = next.CreatedAt, next.LastUsedAt, next.SweepAt, next.Seen, next.State
		})
		t.finds(d, "a document with each replaceable field replaced")
	}

	for name, edit := range map[string]func(*store.Document){
		"another kind":        func(d *store.Document) { d.Kind = store.KindConsent },
		"no user":             func(d *store.Document) { d.UserID = "" },
		"another user":        func(d *store.Document) { d.UserID = twin(someUser) },
		"another application": func(d *store.Document) { d.ApplicationID = otherApp },
		"no workspace":        func(d *store.Document) { d.WorkspaceID = "" },
		"a time of its end":   func(d *store.Document) { d.EndedAt = t.start },
	} {
		other, mark := d, d.Mark
		edit(&other)
		other.Mark, other.State = newMark(), name
		t.must(t.Replace(t.Context(), other, mark), "replacing a document by one with %s", name)
		d.Mark, d.State = other.Mark, name
		t.finds(d, "after it was replaced by one with %s", name)
	}
	t.lists(store.Query{Kind: d.Kind, UserID: someUser, ApplicationID: someApp, WorkspaceID: someSpace}, []store.Document{d}, "by what never changes")
	t.lists(store.Query{Kind: d.Kind, ApplicationID: otherApp}, nil, "by an application that only a replacement named")
	t.lists(store.Query{Kind: d.Kind, UserID: twin(someUser)}, nil, "by a user that only a replacement named")
}

// twin returns another user whose documents have IDs with the same tag.
func twin(userID string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint(userID, "_twin_", i); store.UserTag(other) == store.UserTag(userID) {
			return other
		}
	}
}

func replaceAbsent(t *trial) {
	d := t.document(someKey)
	for _, mark := range []int64{d.Mark, 0, 1} {
		t.fails(t.Replace(t.Context(), d, mark), store.ErrConflict, "replacing a document that never existed")
		t.gone(d.ID, "a document that only a replacement named")
	}
	d.SweepAt = t.after(-tick)
	t.must(t.Create(t.Context(), d), "creating a document")
	t.sweeps(t.start)
	t.fails(t.Replace(t.Context(), d, d.Mark), store.ErrConflict, "replacing a document that was swept")
	t.gone(d.ID, "a document that was swept")
	t.lists(store.Query{Kind: d.Kind, UserID: someUser}, nil, "after a document was swept")
}
