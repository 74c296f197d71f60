package storetest

import (
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var endingPromises = []promise{
	{"a document with any mark ends",
		"A stolen token must end, no matter what happens to its grant meanwhile.",
		endEnds},
	{"an ended document keeps its content",
		"Until the sweep, the provider tells a revoked token from one that never existed.",
		endKeeps},
	{"an end moves the sweep only to an earlier time",
		"An ended document is needed only while a form that could create it again is valid.",
		endMovesSweep},
	{"a document ends once",
		"The time at which a user was signed out must not change.",
		endIsFirst},
	{"ending a missing document returns nil",
		"Signing out may be repeated, and a missing document has ended.",
		endOfAbsent},
	{"no replacement undoes an end",
		"A request that read the document earlier must not sign the user in again.",
		endIsFinal},
}

func endEnds(t *trial) {
	d, bystander := t.create(someKey), t.create(someKey)
	d = t.replaces(t.replaces(d)) // Its mark has moved on.
	d = t.ends(d, t.after(time.Hour), t.after(2*time.Hour))
	t.finds(d, "after it was ended")
	t.finds(bystander, "a document that was not ended")
	t.lists(store.Query{Kind: d.Kind, UserID: someUser}, []store.Document{bystander}, "after a document was ended")

	cut := t.create(someKey)
	t.cuts(store.CutKey{UserID: someUser}, 7)
	cut = t.ends(cut, t.after(time.Hour), t.after(2*time.Hour))
	t.finds(cut, "a document that was cut off and then ended")
}

func endKeeps(t *trial) {
	for _, kind := range []store.Kind{store.KindGrant, store.KindConsent, store.KindDevice, 77} {
		d := t.fullDocument(someKey)
		d.Kind = kind
		t.must(t.Create(t.Context(), d), "creating a document")
		d = t.ends(d, t.after(tick), t.after(time.Hour+tick))
		t.finds(d, "a document with something in each field that has ended")
	}
	bare := t.bareDocument()
	t.must(t.Create(t.Context(), bare), "creating a document")
	t.finds(t.ends(bare, t.after(tick), t.after(tick)), "a document with only the required fields that has ended")
}

func endMovesSweep(t *trial) {
	for name, sweepAt := range map[string]time.Time{
		"never": {}, "later": t.after(time.Hour + tick), "at the same time": t.after(time.Hour), "earlier": t.after(time.Hour - tick),
	} {
		d := t.create(someKey, func(d *store.Document) { d.SweepAt = sweepAt })
		d = t.ends(d, t.start, t.after(time.Hour))
		t.finds(d, "a document whose SweepAt, compared with that of its end, was %s", name)
	}
	early := t.create(someKey, func(d *store.Document) { d.SweepAt = t.after(time.Minute) })
	late := t.create(someKey, func(d *store.Document) { d.SweepAt = t.after(3 * time.Hour) })
	t.ends(early, t.start, t.after(2*time.Hour))
	t.ends(late, t.start, t.after(2*time.Hour))
	t.sweeps(t.after(time.Minute))
	t.gone(early.ID, "a document that was ended with a later sweepAt")
	t.sweeps(t.after(2*time.Hour - tick))
	t.finds(t.ends(late, t.start, t.after(2*time.Hour)), "before the sweepAt of its end")
	t.sweeps(t.after(2 * time.Hour))
	t.gone(late.ID, "a document that was ended with an earlier sweepAt")
}

func endIsFirst(t *trial) {
	d := t.ends(t.create(someKey), t.after(time.Hour), t.after(3*time.Hour))
	for _, other := range []time.Duration{0, time.Hour, 2 * time.Hour, 5 * time.Hour} {
		t.must(t.End(t.Context(), d.ID, t.after(other), t.after(other)), "ending a document again")
		t.finds(d, "after it was ended again")
	}
}

func endOfAbsent(t *trial) {
	d := t.create(someKey)
	absent := store.NewID(t.start, someUser)
	for _, id := range []store.ID{absent, {}} {
		t.must(t.End(t.Context(), id, t.start, t.start), "ending a document that never existed")
		t.gone(id, "a document that only an end named")
	}
	t.finds(d, "after others were ended")
	created := t.document(someKey)
	created.ID = absent
	t.must(t.Create(t.Context(), created), "creating a document whose ID was ended before")
	t.finds(created, "a document whose ID was ended before")
}

func endIsFinal(t *trial) {
	before := t.create(someKey)
	ended := t.ends(before, t.after(time.Minute), t.after(time.Hour))
	for name, edit := range map[string]func(*store.Document){
		"as it was before": func(d *store.Document) { d.EndedAt = time.Time{} },
		"as it has ended":  func(*store.Document) {},
		"to be swept late": func(d *store.Document) { d.EndedAt, d.SweepAt = time.Time{}, t.after(9*time.Hour) },
	} {
		other := ended
		edit(&other)
		other.Mark = newMark()
		t.fails(t.Replace(t.Context(), other, before.Mark), store.ErrConflict, "replacing an ended document, %s", name)
		t.finds(ended, "after it was not replaced, %s", name)
	}
	t.lists(store.Query{Kind: ended.Kind, UserID: someUser}, nil, "after attempts to undo an end")
}
