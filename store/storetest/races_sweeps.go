package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// sweepers run sweeps until the traffic is over, and return how many records
// they removed.
func (t *trial) sweepers(traffic ...func() error) (removed int) {
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
			n, err := t.Sweep(t.Context(), t.start, 3)
			sum.Add(int64(n))
			errs[i] = err
		}
	})
	t.must(errors.Join(errs...), "traffic next to sweeps")
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

	// Each worker creates documents, and saves each one by a replacement unless
	// a sweep is first. What was saved must stay.
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
	removed := t.sweepers(
		worker(&tallies[0], func() store.Document { return due(otherKey) }, later),
		worker(&tallies[1], func() store.Document { return t.document(someKey) }, again),
		worker(&tallies[2], func() store.Document { return due(otherKey) }, func(*store.Document) {}),
		worker(&tallies[3], func() store.Document { return t.document(otherKey, later) }, later),
	)
	for i, tally := range tallies {
		if i == 2 {
			continue // They are due all the time.
		}
		for _, d := range tally.live {
			t.finds(d, "a document that was saved next to sweeps")
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
		t.gone(d.ID, "a document that was due next to sweeps")
	}
	if removed < gone {
		t.errorf("sweeps on four instances removed %d documents and said that it was %d in all", gone, removed)
	}
	t.lists(store.Query{Kind: store.KindGrant, UserID: someUser, Limit: 100}, tallies[1].live, "next to sweeps")
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
	t.sweepers(worker(keys[:2*rounds]), worker(keys[2*rounds:]))
	for _, key := range keys {
		if number := t.numbersNow(key)[key]; number != now {
			t.errorf("the number of a user who was cut off next to sweeps: got %d, want %d", number, now)
		}
	}
}
