package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

var togetherPromises = []promise{
	{"random steps give the same results as package plain",
		"A correct step may leave something behind that makes the next one fail.",
		anyOrder},
}

// anyOrder does random steps on a few documents, in the store under test and in
// package plain's, and compares all results.
func anyOrder(t *trial) {
	const walks, steps = 8, 150
	for walk := range walks {
		w := walker{trial: t, plain: plain.New(), random: rand.New(rand.NewPCG(uint64(walk), steps))} //nolint:gosec // A failure must be repeatable.
		for i := range 12 {
			// Each walk has its own users. Each cut-off names one, so it affects no
			// other walk.
			key := keyOf([3]string{fmt.Sprint("user ", walk, i%2), []string{"x", "y"}[i/2%2], []string{"", "s"}[i/4%2]})
			d := t.consent(key)
			if i >= 8 {
				d = t.document(key)
			}
			w.documents = append(w.documents, d)
		}
		for step := range steps {
			what, same := w.step()
			if !same {
				t.fatalf("walk %d, step %d, %s: %s", walk, step, what, w.got)
			}
		}
	}
}

type walker struct {
	*trial
	plain     store.Store
	random    *rand.Rand
	documents []store.Document // as last passed in
	got       string           // what was returned, and what plain returned
}

// same compares what both stores returned.
func (w *walker) same(got, want any, gotErr, wantErr error) bool {
	w.got = fmt.Sprintf("got %+v and error %v, want %+v and error %v", got, gotErr, want, wantErr)
	for _, sentinel := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict} {
		if errors.Is(gotErr, sentinel) != errors.Is(wantErr, sentinel) {
			return false
		}
	}
	return (gotErr == nil) == (wantErr == nil) && fmt.Sprint(got) == fmt.Sprint(want)
}

// at returns one of a few times.
func (w *walker) at() time.Time { return w.after(time.Duration(w.random.IntN(6)) * time.Second) }

// step does a random step. It reports whether both stores returned the same.
func (w *walker) step() (what string, same bool) {
	ctx := w.Context()
	d := &w.documents[w.random.IntN(len(w.documents))]
	switch step := w.random.IntN(16); step {
	case 0, 1, 2, 3:
		return "Create", w.same(nil, nil, w.Create(ctx, *d), w.plain.Create(ctx, *d))
	case 4, 5, 6, 7:
		mark := newMark()
		if kept, numbers, err := w.plain.Find(ctx, d.ID); err == nil && step < 7 {
			mark = kept.Mark
			if step < 6 {
				d.Seen = numbers // allowed again
			}
		}
		d.Mark, d.CreatedAt, d.LastUsedAt, d.SweepAt, d.State = newMark(), w.at(), w.at(), w.at().Add(time.Hour), fmt.Sprint(w.random.Int())
		return "Replace", w.same(nil, nil, w.Replace(ctx, *d, mark), w.plain.Replace(ctx, *d, mark))
	case 8:
		at, sweepAt := w.at(), w.at().Add(time.Hour)
		return "End", w.same(nil, nil, w.End(ctx, d.ID, at, sweepAt), w.plain.End(ctx, d.ID, at, sweepAt))
	case 9:
		key := d.Key()
		if w.random.IntN(2) == 0 {
			key.ApplicationID = ""
		}
		if w.random.IntN(2) == 0 {
			key.WorkspaceID = ""
		}
		number := store.CutNumber(w.at())
		return fmt.Sprintf("CutOff of %+v", key), w.same(nil, nil, w.CutOff(ctx, key, number), w.plain.CutOff(ctx, key, number))
	case 10:
		before := w.at().Add(time.Hour) // No number is a day older.
		return "Sweep", w.same(nil, nil, w.sweepAll(w.Store, before), w.sweepAll(w.plain, before))
	case 11, 12:
		return w.list(*d)
	case 13:
		got, gotNumbers, gotErr := w.FindConsent(ctx, d.UserID, d.ApplicationID, d.WorkspaceID)
		want, wantNumbers, wantErr := w.plain.FindConsent(ctx, d.UserID, d.ApplicationID, d.WorkspaceID)
		return "FindConsent", w.same(got, want, gotErr, wantErr) && w.same(gotNumbers, wantNumbers, nil, nil)
	default:
		got, gotNumbers, gotErr := w.Find(ctx, d.ID)
		want, wantNumbers, wantErr := w.plain.Find(ctx, d.ID)
		return "Find", w.same(got, want, gotErr, wantErr) && w.same(gotNumbers, wantNumbers, nil, nil)
	}
}

// sweepAll sweeps until nothing is due.
func (w *walker) sweepAll(s store.Store, before time.Time) error {
	for {
		if n, err := s.Sweep(w.Context(), before, 3); n < 3 || err != nil {
			return err
		}
	}
}

// list compares a list by some of a document's texts.
func (w *walker) list(d store.Document) (what string, same bool) {
	q := store.Query{Kind: d.Kind, UserID: d.UserID, ApplicationID: d.ApplicationID, WorkspaceID: d.WorkspaceID, Limit: 1 + w.random.IntN(5)}
	if w.random.IntN(2) == 0 {
		q.ApplicationID = ""
	}
	if w.random.IntN(2) == 0 {
		q.WorkspaceID = ""
	}
	other := &trial{reporter: w.reporter, Store: w.plain, why: w.why, start: w.start}
	return fmt.Sprintf("List by %+v", q), w.same(w.walk(q, nil), other.walk(q, nil), nil, nil)
}
