package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var racePromises = []promise{
	{"of many concurrent creates of one ID, exactly one succeeds",
		"A form that is sent twice must sign in once.",
		raceOfCreates},
	{"of many concurrent replacements of one mark, exactly one succeeds",
		"If a code can be redeemed twice, no one notices that it was stolen.",
		raceOfReplacements},
	{"no replacement is lost when many retry",
		"Each request changes its grant in this way.",
		raceOfRetries},
	{"a document ends even while it is being replaced",
		"A thief who keeps refreshing a stolen token must not keep it from ending.",
		raceOfEndAndReplacements},
	{"of many concurrent ends, one decides the times",
		"The time at which a user was signed out must be the same for everyone.",
		raceOfEnds},
	{"each of many concurrent cut-offs makes the number grow",
		"The second of two cut-offs must end a document created between them.",
		raceOfCuts},
	{"a document created during a cut-off is cut off, or has seen it",
		"An application that asks for a token while it is being deleted must not keep the token.",
		raceOfCutsAndCreations},
	{"every read that starts after a write sees it",
		"Once a user is told that a sign-out is done, no instance may accept the token.",
		readsAreCurrent},
	{"numbers are never older than their document",
		"Otherwise a request with older numbers could create a document that survives its cut-off.",
		numbersAreCurrent},
	{"sweeps during traffic remove nothing live",
		"Sweeps run on many instances, at any time.",
		raceOfSweeps},
	{"no cut-off is lost during sweeps",
		"A sweep that read an old number must not remove the new one.",
		raceOfSweepsAndCuts},
	{"a document created after its cut-off was swept lives",
		"Another sweep that still knows the cut-off must not sign the user out.",
		raceOfSweepsAndCreations},
	{"of many concurrent creates of one client ID, exactly one succeeds",
		"Two applications with one client ID could act for each other.",
		raceOfClientIDs},
	{"of many concurrent updates of one version, exactly one succeeds",
		"The others must read the change first.",
		raceOfUpdates},
	{"no update is lost when many retry",
		"The provider edits applications in this way.",
		raceOfEdits},
}

// How often a race runs, and with how many goroutines: enough to catch a
// backend that reads and then writes in nearly every run of the suite.
const rounds, racers = 30, 16

// race runs f in n goroutines at once and waits for all of them.
func race(n int, run func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	wg.Wait()
}

// oneWins lets racers attempt something at once, checks that one succeeds and
// that the others get the sentinel, and returns which one succeeded.
func (t *trial) oneWins(sentinel error, attempt func(i int) error, format string, args ...any) (winner int) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	errs := make([]error, racers)
	race(racers, func(i int) { errs[i] = attempt(i) })
	winner = -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.fatalf("%d racers that %s: more than one succeeded", racers, what)
		case !errors.Is(err, sentinel):
			t.fatalf("%d racers that %s: got error %v, want %q", racers, what, err, sentinel)
		}
	}
	if winner < 0 {
		t.fatalf("%d racers that %s: none succeeded", racers, what)
	}
	return winner
}

func raceOfCreates(t *trial) {
	for round := range rounds {
		offered := make([]store.Document, racers)
		for i := range offered {
			offered[i] = t.consent(someKey, func(d *store.Document) { d.State = fmt.Sprint("offered by ", i) })
			if round%2 == 1 {
				offered[i].ID = offered[0].ID
				offered[i].ID[7] = byte(round) // not the ID of the consent
			} else {
				user := fmt.Sprint("user ", round)
				offered[i].UserID, offered[i].ID = user, store.ConsentID(user, someApp, someSpace)
			}
		}
		winner := t.oneWins(store.ErrExists, func(i int) error { return t.Create(t.Context(), offered[i]) }, "create one ID")
		t.finds(offered[winner], "after a race to create it")
	}
}

func raceOfReplacements(t *trial) {
	d := t.create(someKey)
	for range rounds {
		offered := make([]store.Document, racers)
		for i := range offered {
			offered[i] = d
			offered[i].Mark, offered[i].State = newMark(), fmt.Sprint("offered by ", i)
		}
		winner := t.oneWins(store.ErrConflict, func(i int) error { return t.Replace(t.Context(), offered[i], d.Mark) }, "replace one mark")
		d = offered[winner]
		t.finds(d, "after a race to replace it")
	}
}

// attempts is how often a racer tries before it gives up.
const attempts = 10_000

var errStillConflict = fmt.Errorf("still a conflict after %d attempts", attempts)

// retries reads, edits, and replaces a document until that succeeds.
func (t *trial) retries(id store.ID, edit func(*store.Document)) error {
	for range attempts {
		d, _, err := t.Find(t.Context(), id)
		if err != nil {
			return err
		}
		mark := d.Mark
		d.Mark = newMark()
		edit(&d)
		if err := t.Replace(t.Context(), d, mark); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return errStillConflict
}

func raceOfRetries(t *trial) {
	const editors, edits = 8, 10
	d := t.create(someKey, func(d *store.Document) { d.State = "0" })
	errs := make([]error, editors)
	race(editors, func(i int) {
		for range edits {
			errs[i] = errors.Join(errs[i], t.retries(d.ID, func(d *store.Document) {
				count, _ := strconv.Atoi(d.State)
				d.State = strconv.Itoa(count + 1)
			}))
		}
	})
	t.must(errors.Join(errs...), "replacing a document concurrently, with retries")
	kept, _, err := t.Find(t.Context(), d.ID)
	t.must(err, "finding a document")
	t.equal(kept.State, strconv.Itoa(editors*edits), "the count of %d racers in one document, each to %d", editors, edits)
}

func raceOfEndAndReplacements(t *trial) {
	for range rounds {
		d := t.create(someKey)
		errs := make([]error, 5)
		var ended atomic.Bool
		race(len(errs), func(i int) {
			if i == 0 {
				time.Sleep(time.Millisecond) // until the others are at work
				errs[0] = t.End(t.Context(), d.ID, t.after(time.Minute), t.after(time.Hour))
				ended.Store(true)
				return
			}
			for before := false; !before; {
				before = ended.Load() // One more attempt after the end must fail.
				found, _, err := t.Find(t.Context(), d.ID)
				if err != nil {
					errs[i] = err
					return
				}
				mark := found.Mark
				found.Mark, found.EndedAt = newMark(), time.Time{}
				switch err := t.Replace(t.Context(), found, mark); {
				case err == nil && before:
					errs[i] = errors.New("a document was replaced after it had ended")
				case err != nil && !errors.Is(err, store.ErrConflict):
					errs[i] = err
					return
				}
			}
		})
		t.must(errors.Join(errs...), "ending a document that is replaced meanwhile")
		kept, _, err := t.Find(t.Context(), d.ID)
		t.must(err, "finding a document")
		d.Mark = kept.Mark
		d.EndedAt, d.SweepAt = t.after(time.Minute), t.after(time.Hour)
		t.equal(kept, d, "a document that was ended while it was replaced")
	}
}

func raceOfEnds(t *trial) {
	for range rounds {
		d := t.create(someKey)
		errs := make([]error, racers)
		race(racers, func(i int) {
			step := time.Duration(i*7%racers) * time.Second
			errs[i] = t.End(t.Context(), d.ID, t.after(step), t.after(time.Hour-step))
		})
		t.must(errors.Join(errs...), "ending a document that others end")
		kept, _, err := t.Find(t.Context(), d.ID)
		t.must(err, "finding a document")
		if took := kept.EndedAt.Sub(t.start); kept.EndedAt.IsZero() || !kept.SweepAt.Equal(t.after(time.Hour-took)) {
			t.fatalf("%d racers that end one document: it ended at %v and is swept at %v, which no racer asked for", racers, kept.EndedAt, kept.SweepAt)
		}
	}
}

func raceOfCuts(t *trial) {
	for round, key := range append(everyForm(someKey), everyForm(otherKey)[1:]...) {
		t.create(key)
		before := t.numbersNow(key)[key]
		number := before + 1000
		if round%2 == 1 {
			number = before - 1000 // then each one increases it by one
		}
		errs := make([]error, racers)
		race(racers, func(i int) { errs[i] = t.CutOff(t.Context(), key, number) })
		t.must(errors.Join(errs...), "cutting off a key that others cut off")
		t.equal(t.numbersNow(key)[key], max(number, before+1)+racers-1, "the number of %+v after %d racers cut it off", key, racers)
	}
}

func raceOfCutsAndCreations(t *trial) {
	for round := range rounds {
		key := store.CutKey{ApplicationID: fmt.Sprint("app ", round)}
		created := make([]store.Document, racers)
		errs := make([]error, racers)
		race(racers, func(i int) {
			if i == 0 {
				errs[i] = t.CutOff(t.Context(), key, store.CutForever(t.start))
				return
			}
			_, numbers, err := t.FindConsent(t.Context(), "", key.ApplicationID, "")
			created[i] = t.document(key, func(d *store.Document) { d.Kind, d.Seen = store.KindMachine, numbers })
			errs[i] = errors.Join(err, t.Create(t.Context(), created[i]))
		})
		t.must(errors.Join(errs...), "creating documents and cutting off their application")
		for _, d := range created[1:] {
			if numbers := t.finds(d, "a document that was created while its application was cut off"); !numbers.Exceed(&d.Seen) && !d.Seen.Forever() {
				t.errorf("a document that was created while its application was cut off is live, and has seen %v", d.Seen)
			}
		}
	}
}

func raceOfClientIDs(t *trial) {
	for round := range rounds {
		offered := make([]store.Application, racers)
		for i := range offered {
			offered[i] = store.Application{ID: fmt.Sprint("app ", round, " of ", i), ClientID: fmt.Sprint("client ", round), Version: 1}
			if round%2 == 1 {
				offered[i].ID, offered[i].ClientID = fmt.Sprint("app ", round), fmt.Sprint("client ", round, " of ", i)
			}
		}
		winner := t.oneWins(store.ErrExists, func(i int) error { return t.CreateApplication(t.Context(), offered[i]) }, "create one application")
		t.findsApplication(offered[winner], "after a race to create it")
		for i, app := range offered {
			if i != winner && round%2 == 0 {
				t.noApplication(app.ID, "an application whose client ID was taken")
			} else if i != winner {
				t.noClient(app.ClientID, "an application whose ID was taken")
			}
		}
	}
}

func raceOfUpdates(t *trial) {
	app := t.fullApplication()
	t.creates(app)
	for range rounds {
		offered := make([]store.Application, racers)
		for i := range offered {
			offered[i] = app
			offered[i].Name = fmt.Sprint("offered by ", i)
		}
		winner := t.oneWins(store.ErrConflict, func(i int) error { return t.UpdateApplication(t.Context(), offered[i]) }, "update one version")
		app = offered[winner]
		app.Version++
		t.findsApplication(app, "after a race to update it")
	}
}

func raceOfEdits(t *trial) {
	const editors, edits = 8, 5
	app := t.fullApplication()
	app.Name = "0"
	t.creates(app)
	errs := make([]error, editors)
	edit := func() error {
		for range attempts {
			found, err := t.FindApplication(t.Context(), app.ID)
			if err != nil {
				return err
			}
			count, _ := strconv.Atoi(found.Name)
			found.Name = strconv.Itoa(count + 1)
			if err := t.UpdateApplication(t.Context(), found); !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return errStillConflict
	}
	race(editors, func(i int) {
		for range edits {
			errs[i] = errors.Join(errs[i], edit())
		}
	})
	t.must(errors.Join(errs...), "updating an application concurrently, with retries")
	app.Name, app.Version = strconv.Itoa(editors*edits), 1+editors*edits
	t.findsApplication(app, "after %d racers counted in it, each to %d", editors, edits)
}
