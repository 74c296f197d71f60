package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var cutPromises = []promise{
	{"a cut-off covers the documents of its texts, and no others",
		"Signing out one user, or deleting one application, must not affect others.",
		cutCovers},
	{"no two keys share a number, even with similar texts",
		"A user who picks a name with a separator in it must not sign out another user.",
		cutKeysApart},
	{"the number of a key only grows",
		"A slow clock must not undo a cut-off.",
		cutGrows},
	{"a number is stored exactly",
		"If two numbers are rounded to the same value, a cut-off goes unnoticed.",
		cutIsExact},
	{"the numbers of a consent are found before it exists",
		"A request that is about to create a consent must know what was cut off.",
		cutBeforeDocument},
	{"a cut-off changes no document",
		"A cut-off is one write, no matter how many documents it covers, and the user may allow them again.",
		cutChangesNothing},
	{"a document is cut off by each number that has grown since, and by no other",
		"A grant survives a cut-off that came before it, and is ended by the next one.",
		cutCompares},
	{"a key that can't be stored is refused",
		"A key that is truncated or repaired would cut off another user.",
		cutRefused},
}

// keyOf returns the key with a user, an application, and a workspace.
func keyOf(texts [3]string) store.CutKey {
	return store.CutKey{UserID: texts[0], ApplicationID: texts[1], WorkspaceID: texts[2]}
}

// everyForm returns the eight forms of a key with its texts.
func everyForm(key store.CutKey) (forms []store.CutKey) {
	for _, form := range key.Covering() {
		forms = append(forms, form)
	}
	return forms
}

// A ledger has the expected numbers of keys.
type ledger map[store.CutKey]int64

func (l ledger) cut(key store.CutKey, number int64) { l[key] = max(number, l[key]+1) }

// numbers returns the numbers of a document with the key.
func (l ledger) numbers(key store.CutKey) (c store.Cuts) {
	for i, covering := range key.Covering() {
		c[i] = l[covering]
	}
	return c
}

// numbersOf checks the numbers of a document, and of a consent with its key.
func (t *trial) numbersOf(l ledger, d store.Document, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	t.equal(t.finds(d, "%s", what), l.numbers(d.Key()), "%s: the numbers of a document of %+v", what, d.Key())
	t.equal(t.findsConsent(d.Key(), store.Document{}, "%s", what), l.numbers(d.Key()), "%s: the numbers of a consent of %+v", what, d.Key())
}

func cutCovers(t *trial) {
	var documents []store.Document
	for _, user := range []string{"", someUser, otherUser, twin(someUser)} {
		for _, app := range []string{"", someApp, otherApp} {
			for _, space := range []string{"", someSpace, otherSpace} {
				documents = append(documents, t.create(store.CutKey{UserID: user, ApplicationID: app, WorkspaceID: space}))
			}
		}
	}
	l := ledger{}
	for i, key := range everyForm(someKey) {
		l.cut(key, int64(1000+i))
		t.cuts(key, int64(1000+i))
		for _, d := range documents {
			t.numbersOf(l, d, "after %+v was cut off", key)
		}
	}
	// Conversely, the number of another key is not returned.
	for i, key := range everyForm(otherKey) {
		l.cut(key, int64(2000+i))
		t.cuts(key, int64(2000+i))
	}
	for _, d := range documents {
		t.numbersOf(l, d, "after many keys were cut off")
	}
}

// similarKeys returns keys that a careless encoding confuses.
func similarKeys() []store.CutKey {
	var keys []store.CutKey
	for _, texts := range [][3]string{
		{"a", "b", ""}, {"ab", "", ""}, {"", "ab", ""}, {"a", "", "b"}, {"", "a", "b"}, {"b", "a", ""}, {"", "", "ab"}, {"a", "b", "c"}, {"ab", "c", ""}, {"a", "bc", ""},
		{"A", "b", ""}, {"a", "B", ""}, {"a ", "b", ""}, {" a", "b", ""}, {"a", "b ", ""}, {"a\t", "b", ""}, {"á", "b", ""}, {"a\u0301", "b", ""},
		{"1", "1", ""}, {"11", "", ""}, {"a%", "b", ""}, {"_", "b", ""}, {"*", "b", ""}, {"null", "b", ""}, {"ſ", "b", ""}, {"s", "b", ""}, {"ß", "b", ""}, {"ss", "b", ""},
		{"user", "application", "workspace"},
	} {
		keys = append(keys, keyOf(texts))
	}
	for _, separator := range []string{
		"|", ":", ",", ";", "/", `\`, "-", ".", "_", "#", "&", "=", "+", "@", "~", "\x01", "\x1e", "\x1f", "\n", "\t", " ", `"`, "'", `","`, "','", "}:{", "{}", "%00", `\x00`, `\0`, "\u200b",
	} {
		for _, texts := range [][3]string{
			{"a" + separator + "b"}, {"a" + separator, "b"}, {"a", separator + "b"}, {"a", "b" + separator}, {"a", "b", separator}, {"a" + separator + "b", "", "c"},
		} {
			keys = append(keys, keyOf(texts))
		}
	}
	return keys
}

func cutKeysApart(t *trial) {
	l := ledger{}
	var documents []store.Document
	for i, key := range similarKeys() {
		documents = append(documents, t.create(key))
		t.cuts(key, int64(1000+i))
		l.cut(key, int64(1000+i))
	}
	for _, d := range documents {
		t.numbersOf(l, d, "among keys with similar texts")
	}
}

func cutGrows(t *trial) {
	for _, key := range append(everyForm(someKey), store.CutKey{UserID: otherUser}) {
		d := t.create(key)
		l := ledger{}
		for other, number := range t.numbersNow(key) {
			l[other] = number
		}
		for _, number := range []int64{100, 50, 101, 102, 200, 200, 1, 0, -1, 203, 205} {
			t.cuts(key, number)
			l.cut(key, number)
			t.numbersOf(l, d, "after %+v was cut off with the number %d", key, number)
		}
	}
	fresh := store.CutKey{UserID: "fresh"}
	d := t.create(fresh)
	t.cuts(fresh, 0)
	if numbers := t.finds(d, "after a first cut-off"); numbers[fresh.Index()] != 1 {
		t.errorf("the first cut-off of a key, with the number 0: got the number %d, want 1", numbers[fresh.Index()])
	}
}

// numbersNow returns the number of each key that covers a document of the key.
func (t *trial) numbersNow(key store.CutKey) ledger {
	t.Helper()
	_, numbers, err := t.FindConsent(t.Context(), key.UserID, key.ApplicationID, key.WorkspaceID)
	t.must(err, "finding the numbers of %+v", key)
	l := ledger{}
	for i, covering := range key.Covering() {
		if numbers[i] != 0 {
			l[covering] = numbers[i]
		}
	}
	return l
}

func cutIsExact(t *trial) {
	now := store.CutNumber(t.start)
	for _, key := range []store.CutKey{{UserID: someUser}, {ApplicationID: someApp}, {UserID: someUser, ApplicationID: someApp}, {}} {
		d := t.create(someKey)
		l := t.numbersNow(someKey)
		for _, number := range []int64{
			1, now, now + 1, now, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<53 + 3, 1<<53 + 3, store.CutForever(t.start), now, store.CutForever(t.after(tick)) + 1, 1<<63 - 3, 1, 2,
		} {
			t.cuts(key, number)
			l.cut(key, number)
			t.numbersOf(l, d, "after %+v was cut off with the number %d", key, number)
		}
	}
}

func cutBeforeDocument(t *trial) {
	l := ledger{}
	for i, key := range everyForm(someKey) {
		t.cuts(key, int64(1000+i))
		l.cut(key, int64(1000+i))
	}
	t.equal(t.findsConsent(someKey, store.Document{}, "before there is a consent"), l.numbers(someKey), "the numbers before there is a consent")
	d := t.consent(someKey)
	t.must(t.Create(t.Context(), d), "creating a consent")
	t.equal(t.findsConsent(someKey, d, "after it was created"), l.numbers(someKey), "the numbers with the consent")
	t.numbersOf(l, t.create(store.CutKey{UserID: someUser, ApplicationID: otherApp}), "a document that was created after its cut-off")
}

func cutChangesNothing(t *trial) {
	d := t.fullDocument(someKey)
	t.must(t.Create(t.Context(), d), "creating a document")
	for i, key := range everyForm(someKey) {
		t.cuts(key, int64(1000+i))
		t.finds(d, "a document that was cut off by %+v", key)
	}
	d = t.replaces(d, func(d *store.Document) { d.State = "allowed again" })
	t.finds(d, "a document that was cut off and replaced")
}

func cutCompares(t *trial) {
	for _, key := range everyForm(someKey) {
		now := t.numbersNow(someKey)
		seen := now.numbers(someKey)
		document := func(edit func(*store.Cuts)) store.Document {
			t.Helper()
			return t.create(someKey, func(d *store.Document) { d.Seen = seen; edit(&d.Seen) })
		}
		before := document(func(*store.Cuts) {})
		above := document(func(c *store.Cuts) { c[key.Index()] += 5_000_000 })
		q := store.Query{Kind: store.KindGrant, UserID: someUser}
		t.lists(q, []store.Document{before, above}, "before %+v was cut off", key)
		t.cuts(key, seen[key.Index()]+1000)
		t.lists(q, []store.Document{above}, "after %+v was cut off", key)

		after := document(func(c *store.Cuts) { c[key.Index()] += 1000 })
		below := document(func(c *store.Cuts) { c[key.Index()] += 999 })
		elsewhere := document(func(c *store.Cuts) {
			for i := range c {
				c[i] += 5_000_000
			}
			c[key.Index()] = seen[key.Index()]
		})
		t.lists(q, []store.Document{above, after}, "after %+v was cut off and others were created", key)
		for _, d := range []store.Document{before, above, after, below, elsewhere} {
			t.finds(d, "a document whether or not it is cut off")
			t.ends(d, t.start, t.after(time.Hour)) // The next round lists only its own documents.
		}
	}
}

func cutRefused(t *trial) {
	for _, bad := range []string{"a\x00b", "\x00", "a\x00", "a\xffb", "a\xe2\x82"} {
		for _, key := range []store.CutKey{{UserID: bad}, {ApplicationID: bad}, {WorkspaceID: bad}, {UserID: someUser, ApplicationID: bad}} {
			t.refuses(t.CutOff(t.Context(), key, 7), "cutting off %+q", key)
		}
	}
	for _, key := range []store.CutKey{someKey, {UserID: "a"}, {UserID: "a", ApplicationID: "b"}, {ApplicationID: "ab"}} {
		t.equal(t.findsConsent(key, store.Document{}, "after keys were refused"), store.Cuts{}, "the numbers after keys were refused")
	}
}
