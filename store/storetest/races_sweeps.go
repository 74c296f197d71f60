package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// sweepers run sweeps of at most limit until the traffic is over, and return
// how many records they removed.
func (t *trial) sweepers(limit int, traffic ...func() error) (removed int) {
	t.Helper()
	const sweepers = 4
	var busy atomic.Int64
	var sum atomic.Int64
	busy.Store(int64(len(traffic)))
	errs := make([]error, sweepers+len(traffic))
	race(len(errs), func(i int) {
		if i >= sweepers {
			defer busy.Add(-1)
			errs[i] = traffic[i-sweepers]()
			return
		}
		for busy.Load() > 0 && errs[i] == nil {
			n, err := t.Sweep(t.Context(), t.start, limit)
			sum.Add(int64(n))
			errs[i] = err
		}
	})
	t.must(errors.Join(errs...), "traffic during sweeps")
	return int(sum.Load())
}

func raceOfSweeps(t *trial) {
	user := store.CutKey{UserID: someUser}
	number := store.CutNumber(t.after(-2 * day))
	t.cuts(user, number)
	due := func(key store.CutKey, edits ...func(*store.Document)) store.Document {
		return t.document(key, append(edits, func(d *store.Document) { d.SweepAt = t.start })...)
	}
	later := func(d *store.Document) { d.SweepAt = t.after(day) }
	again := func(d *store.Document) { d.Seen[user.Index()] = number }

	// Each worker creates documents, and saves each one by a replacement unless a
	// sweep is first. Saved documents must stay.
	type tally struct{ live, all []store.Document }
	tallies := make([]tally, 4)
	worker := func(tally *tally, document func() store.Document, save func(*store.Document)) func() error {
		return func() error {
			for range 2 * rounds {
				d := document()
				if err := t.Create(t.Context(), d); err != nil {
					return err
				}
				tally.all = append(tally.all, d)
				saved := d
				saved.Mark = newMark()
				save(&saved)
				switch err := t.Replace(t.Context(), saved, d.Mark); {
				case err == nil:
					tally.live = append(tally.live, saved)
				case !errors.Is(err, store.ErrConflict):
					return err
				}
			}
			return nil
		}
	}
	removed := t.sweepers(3,
		worker(&tallies[0], func() store.Document { return due(otherKey) }, later),
		worker(&tallies[1], func() store.Document { return t.document(someKey) }, again),
		worker(&tallies[2], func() store.Document { return due(otherKey) }, func(*store.Document) {}),
		worker(&tallies[3], func() store.Document { return t.document(otherKey, later) }, later),
	)
	for i, tally := range tallies {
		if i == 2 {
			continue // These are due all the time.
		}
		for _, d := range tally.live {
			t.finds(d, "a document that was saved during sweeps")
		}
	}
	removed += t.sweeps(t.start)
	gone := 0
	for _, tally := range tallies {
		for _, d := range tally.all {
			if !t.exists(d.ID) {
				gone++
			}
		}
	}
	for _, d := range tallies[2].all {
		t.gone(d.ID, "a document that was due during sweeps")
	}
	if removed < gone {
		t.errorf("sweeps on four instances removed %d documents and returned %d in all", gone, removed)
	}
	t.lists(store.Query{Kind: store.KindGrant, UserID: someUser, Limit: 100}, tallies[1].live, "during sweeps")
}

func raceOfSweepsAndCuts(t *trial) {
	old, now := store.CutNumber(t.after(-2*day)), store.CutNumber(t.start)
	keys := make([]store.CutKey, 4*rounds)
	for i := range keys {
		keys[i].UserID = fmt.Sprint("user ", i)
	}
	worker := func(keys []store.CutKey) func() error {
		return func() error {
			for i, key := range keys {
				if err := t.CutOff(t.Context(), key, old); err != nil {
					return err
				}
				time.Sleep(time.Duration(i%4) * 50 * time.Microsecond) // until a sweep may have found it
				if err := t.CutOff(t.Context(), key, now); err != nil {
					return err
				}
			}
			return nil
		}
	}
	t.sweepers(3, worker(keys[:2*rounds]), worker(keys[2*rounds:]))
	for _, key := range keys {
		if number := t.numbersNow(key)[key]; number != now {
			t.errorf("the number of a user who was cut off during sweeps: got %d, want %d", number, now)
		}
	}
}

// raceOfSweepsAndCreations tests that once a cut-off was swept, its number is
// zero, which the next document has seen.
func raceOfSweepsAndCreations(t *trial) {
	const workers, tries, limit = 8, 2000, 100
	old := store.CutNumber(t.after(-2 * day))
	// swept waits for a sweep of the cut-off, and returns the numbers after it.
	swept := func(key store.CutKey) (numbers store.Cuts, err error) {
		for range tries {
			if _, numbers, err = t.FindConsent(t.Context(), key.UserID, "", ""); err != nil || numbers == (store.Cuts{}) {
				break
			}
			time.Sleep(50 * time.Microsecond)
		}
		return numbers, err
	}
	created := make([][]store.Document, workers)
	traffic := make([]func() error, workers)
	for i := range traffic {
		traffic[i] = func() error {
			for n := range 2 * rounds / workers {
				key := store.CutKey{UserID: fmt.Sprint("user ", i, " ", n)}
				if err := t.CutOff(t.Context(), key, old); err != nil {
					return err
				}
				numbers, err := swept(key)
				d := t.document(key, func(d *store.Document) { d.Seen = numbers })
				if err := errors.Join(err, t.Create(t.Context(), d)); err != nil {
					return err
				}
				created[i] = append(created[i], d)
			}
			return nil
		}
	}
	t.sweepers(limit, traffic...)
	for _, documents := range created {
		for _, d := range documents {
			t.finds(d, "a document that was created after its user's cut-off was swept")
		}
	}
}
