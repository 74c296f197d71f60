package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var sweepPromises = []promise{
	{"a sweep removes what is due, and nothing else",
		"A grant that is removed too soon signs its user out, and one that stays fills the disk.",
		sweepDue},
	{"a swept document is gone, and its ID is free",
		"No list may still have it.",
		sweepIsWhole},
	{"a sweep removes at most its limit, and says how many",
		"The provider sweeps in small steps, and stops when a step removes less than its limit.",
		sweepLimit},
	{"a sweep without a positive limit is an error",
		"A sweep that can't remove anything would look like one with nothing to remove.",
		sweepRefused},
	{"a replacement moves SweepAt",
		"A grant in use must not be swept, and an unused one must be.",
		sweepMoves},
	{"a document that was cut off is swept a day later, and not before",
		"For a day, the provider must be able to tell that a token was revoked. A consent that was cut off has no other time to be swept.",
		sweepCut},
	{"a live document stays, even if its cut-offs are old",
		"A user who was signed out everywhere and signed in again must stay signed in.",
		sweepSparesLiving},
	{"a cut-off stays while it is young or covers a document",
		"Without its number, the documents that it cut off would work again.",
		sweepKeepsCuts},
	{"an old cut-off that covers nothing is swept",
		"Otherwise the store keeps a record of each user who ever signed out.",
		sweepOldCuts},
}

// sweepStep is the limit of a sweep if any limit will do.
const sweepStep = 10

// sweeps sweeps until nothing is due, and returns how many records it removed.
func (t *trial) sweeps(before time.Time) (removed int) {
	t.Helper()
	for range 10_000 {
		n, err := t.Sweep(t.Context(), before, sweepStep)
		t.must(err, "sweeping")
		if n < 0 || n > sweepStep {
			t.errorf("sweeping with a limit of %d: it returned %d", sweepStep, n)
		}
		removed += n
		if n < sweepStep {
			return removed
		}
	}
	t.fatalf("sweeping with a limit of %d: still not done after 10,000 sweeps", sweepStep)
	return removed
}

// patience is how often the suite sweeps for records that a later call may
// remove.
const patience = 100

// sweepsUntil sweeps until done returns true, which may take several calls.
func (t *trial) sweepsUntil(before time.Time, done func() bool, format string, args ...any) {
	t.Helper()
	for range patience {
		t.sweeps(before)
		if done() {
			return
		}
	}
	t.errorf("%s: it still exists after %d sweeps", fmt.Sprintf(format, args...), patience)
}

// exists reports whether a document exists.
func (t *trial) exists(id store.ID) bool {
	t.Helper()
	_, _, err := t.Find(t.Context(), id)
	return err == nil
}

func sweepDue(t *trial) {
	t.equal(t.sweeps(t.start), 0, "the number of records swept in an empty store")
	var due, stay []store.Document
	kinds := []store.Kind{store.KindGrant, store.KindConsent, store.KindDevice, store.KindMachine, 77}
	for _, kind := range kinds {
		at := func(at time.Time) store.Document {
			key := someKey
			if kind == store.KindMachine { // These have no user.
				key = store.CutKey{ApplicationID: someApp}
			}
			return t.create(key, func(d *store.Document) { d.Kind, d.SweepAt = kind, at })
		}
		due = append(due, at(t.after(-time.Hour)), at(t.after(-tick)), at(t.start), t.ends(at(t.after(time.Hour)), t.start, t.start))
		stay = append(stay, at(t.after(tick)), at(t.after(time.Hour)), at(time.Time{}), t.ends(at(time.Time{}), t.start, t.after(tick)))
	}
	t.equal(t.sweeps(t.start), len(due), "the number of records swept")
	for _, d := range due {
		t.gone(d.ID, "a document of %v to be swept at %v, after a sweep of %v", d.Kind, d.SweepAt, t.start)
	}
	for _, d := range stay {
		t.finds(d, "a document that is not due at %v", t.start)
	}
	t.equal(t.sweeps(t.start), 0, "the number of records swept a second time")
	t.equal(t.sweeps(t.after(10_000*day)), len(stay)-len(kinds), "the number of records swept years later, when only those without SweepAt are left")
}

func sweepIsWhole(t *trial) {
	d := t.consent(someKey, func(d *store.Document) { d.SweepAt = t.start })
	t.must(t.Create(t.Context(), d), "creating a consent")
	t.sweeps(t.start)
	t.gone(d.ID, "a document that was swept")
	t.findsConsent(someKey, store.Document{}, "after it was swept")
	for _, q := range []store.Query{{UserID: someUser}, {ApplicationID: someApp}, {WorkspaceID: someSpace}} {
		q.Kind = d.Kind
		t.lists(q, nil, "after a document was swept")
	}
	t.fails(t.Replace(t.Context(), d, d.Mark), store.ErrConflict, "replacing a swept document")
	t.must(t.End(t.Context(), d.ID, t.start, t.after(time.Hour)), "ending a swept document")
	t.gone(d.ID, "a document that was swept")

	d.SweepAt, d.State = t.after(time.Hour), "again"
	t.must(t.Create(t.Context(), d), "creating a document with the ID of one that was swept")
	t.findsConsent(someKey, d, "a document with the ID of one that was swept")
	t.lists(store.Query{Kind: d.Kind, UserID: someUser}, []store.Document{d}, "a document with the ID of one that was swept")
}

func sweepLimit(t *trial) {
	var due []store.Document
	for i := range 25 {
		due = append(due, t.create(someKey, func(d *store.Document) { d.SweepAt = t.after(-time.Duration(i) * time.Second) }))
	}
	t.create(someKey)
	left := len(due)
	for _, limit := range []int{1, 10, 3, 10, 10, 1} {
		n, err := t.Sweep(t.Context(), t.start, limit)
		t.must(err, "sweeping")
		t.equal(n, min(limit, left), "the number of records swept with a limit of %d, when %d were due", limit, left)
		left -= n
		found := 0
		for _, d := range due {
			if t.exists(d.ID) {
				found++
			}
		}
		t.equal(found, left, "the number of records left, by what the sweeps returned")
	}
}

func sweepRefused(t *trial) {
	d := t.create(someKey, func(d *store.Document) { d.SweepAt = t.start })
	for _, limit := range []int{0, -1} {
		_, err := t.Sweep(t.Context(), t.after(day), limit)
		t.refuses(err, "sweeping with a limit of %d", limit)
		t.finds(d, "after a sweep with a limit of %d", limit)
	}
}

func sweepMoves(t *trial) {
	at := func(at time.Time) func(*store.Document) { return func(d *store.Document) { d.SweepAt = at } }
	later, never := t.create(someKey, at(t.start)), t.create(someKey, at(t.start))
	later, never = t.replaces(later, at(t.after(time.Hour))), t.replaces(never, at(time.Time{}))
	earlier, once := t.replaces(t.create(someKey, at(t.after(time.Hour))), at(t.start)), t.replaces(t.create(someKey), at(t.start))
	t.equal(t.sweeps(t.start), 2, "the number of records swept, when two were due")
	t.finds(later, "a document that was replaced by one to be swept later")
	t.finds(never, "a document that was replaced by one that is never swept")
	t.gone(earlier.ID, "a document that was replaced by one to be swept earlier")
	t.gone(once.ID, "a document that was replaced by one to be swept")
	t.equal(t.sweeps(t.after(time.Hour)), 1, "the number of records swept, when one was due")
	t.gone(later.ID, "a document that was replaced by one to be swept later, when it was due")
	t.finds(never, "a document that was replaced by one that is never swept")
}

// narrowForms returns the forms of a key, with new texts, whose cut-offs are
// swept: they have a user or an application.
func narrowForms() (keys []store.CutKey) {
	for i, key := range everyForm(someKey) {
		if key.UserID == "" && key.ApplicationID == "" {
			continue
		}
		for _, text := range []*string{&key.UserID, &key.ApplicationID, &key.WorkspaceID} {
			if *text != "" {
				*text = fmt.Sprint(*text, " of form ", i)
			}
		}
		keys = append(keys, key)
	}
	return keys
}

// filled returns the key with a value for each empty text.
func filled(key store.CutKey) store.CutKey {
	for _, text := range []*string{&key.UserID, &key.ApplicationID, &key.WorkspaceID} {
		if *text == "" {
			*text = "any"
		}
	}
	return key
}

// cutNumbers returns two numbers of cut-offs at a time: one for a key that may
// come back, and one for a key that never does.
func cutNumbers(at time.Time) []int64 { return []int64{store.CutNumber(at), store.CutForever(at)} }

func sweepCut(t *trial) {
	for i, key := range narrowForms() {
		number := cutNumbers(t.after(-day))[i%2]
		grant, ended, consent := t.create(filled(key)), t.create(key), t.consent(filled(key))
		ended = t.ends(ended, t.start, t.after(1000*day))
		t.must(t.Create(t.Context(), consent), "creating a consent")
		t.cuts(key, number)
		t.sweeps(t.after(-tick))
		for _, d := range []store.Document{grant, ended, consent} {
			t.finds(d, "a document that was cut off by %+v a little less than a day ago", key)
		}
		for _, d := range []store.Document{grant, ended, consent} {
			t.sweepsUntil(t.start, func() bool { return !t.exists(d.ID) }, "a document that was cut off by %+v a day ago", key)
		}
	}

	// Of several cut-offs, only those count that the document has not seen.
	user, app := store.CutKey{UserID: someUser}, store.CutKey{ApplicationID: someApp}
	old, young := store.CutNumber(t.after(-2*day)), store.CutNumber(t.after(-time.Hour))
	both := t.create(someKey)
	onlyYoung := t.create(someKey, func(d *store.Document) { d.Seen[user.Index()] = old })
	t.cuts(user, old)
	t.cuts(app, young)
	t.sweepsUntil(t.start, func() bool { return !t.exists(both.ID) }, "a document that was cut off two days ago, and an hour ago by another key")
	t.finds(onlyYoung, "a document that was cut off an hour ago, and has seen an older cut-off by another key")
}

func sweepSparesLiving(t *trial) {
	var live []store.Document
	l := ledger{}
	for i, key := range append(everyForm(someKey), narrowForms()...) {
		number := cutNumbers(t.after(-time.Duration(i+2) * day))[i%2]
		t.cuts(key, number)
		l.cut(key, number)
	}
	for _, key := range append(narrowForms(), someKey, otherKey, store.CutKey{}, store.CutKey{WorkspaceID: someSpace}) {
		for _, key := range []store.CutKey{key, filled(key)} {
			for _, above := range []int64{0, 1000} {
				live = append(live, t.create(key, func(d *store.Document) {
					d.Seen = l.numbers(key)
					for i := range d.Seen {
						d.Seen[i] += above
					}
				}))
			}
		}
	}
	for range 10 {
		t.equal(t.sweeps(t.start), 0, "the number of records swept when all are live")
	}
	for _, d := range live {
		t.equal(t.finds(d, "a document that has seen its cut-offs"), l.numbers(d.Key()), "the numbers of a document that has seen its cut-offs")
	}
}

func sweepKeepsCuts(t *trial) {
	t.cuts(store.CutKey{UserID: "young"}, store.CutNumber(t.after(-day+tick)))
	t.cuts(store.CutKey{UserID: "forever"}, store.CutForever(t.after(-day+tick)))
	l := ledger{}
	var live []store.Document
	for i, key := range narrowForms() {
		number := cutNumbers(t.after(-3 * day))[i%2]
		live = append(live, t.create(filled(key), func(d *store.Document) { d.Seen[key.Index()] = number }))
		dead := t.create(filled(key))
		t.cuts(key, number)
		l.cut(key, number)
		t.sweepsUntil(t.start, func() bool { return !t.exists(dead.ID) }, "a document that was cut off by %+v days ago", key)
	}
	for range 10 {
		t.sweeps(t.start)
	}
	for _, d := range live {
		t.equal(t.finds(d, "a document under an old cut-off"), l.numbers(d.Key()), "the numbers of a document under an old cut-off")
	}
	for user, number := range map[string]int64{"young": store.CutNumber(t.after(-day + tick)), "forever": store.CutForever(t.after(-day + tick))} {
		numbers := t.findsConsent(store.CutKey{UserID: user}, store.Document{}, "the user whose cut-off is young")
		t.equal(numbers[store.CutKey{UserID: user}.Index()], number, "the number of a cut-off that is a little less than a day old")
	}
}

func sweepOldCuts(t *trial) {
	for i, key := range narrowForms() {
		number := cutNumbers(t.after(-day))[i%2]
		t.cuts(key, number)
		last := t.create(filled(key), func(d *store.Document) { d.Seen[key.Index()] = number })
		t.sweeps(t.start)
		t.equal(t.numbersNow(key), ledger{key: number}, "the numbers of %+v while it covers a document", key)
		t.ends(last, t.start, t.start)
		t.sweepsUntil(t.start, func() bool { return len(t.numbersNow(key)) == 0 }, "an old cut-off of %+v that covers nothing", key)

		later := t.create(filled(key))
		t.equal(t.finds(later, "a document created after its cut-off was swept"), store.Cuts{}, "the numbers after a cut-off was swept")
		t.lists(store.Query{Kind: later.Kind, UserID: later.UserID, ApplicationID: later.ApplicationID, WorkspaceID: later.WorkspaceID},
			[]store.Document{later}, "a document created after its cut-off was swept")
		t.cuts(key, 7)
		t.equal(t.numbersNow(key), ledger{key: 7}, "the numbers of %+v after it was cut off again", key)
	}
	t.sweeps(t.after(10_000 * day))
}
