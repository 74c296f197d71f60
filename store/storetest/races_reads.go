package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/latchkey-go/latchkey/store"
)

// readers runs one check many times at once.
func (t *trial) readers(check func(ctx context.Context) error, format string, args ...any) {
	t.Helper()
	errs := make([]error, racers)
	race(racers, func(i int) { errs[i] = check(t.Context()) })
	for _, err := range errs {
		if err != nil {
			t.fatalf("%d readers after %s: %v", racers, fmt.Sprintf(format, args...), err)
		}
	}
}

// see checks that a document is found, by its ID and as a consent, with a
// number, and in lists if it is live.
func (t *trial) see(ctx context.Context, want store.Document, key store.CutKey, number int64) error {
	is := func(step string, d store.Document, numbers store.Cuts, err error) error {
		if err == nil && (d != want || numbers[key.Index()] != number) {
			err = fmt.Errorf("got mark %d, end %v, and number %d; want mark %d, end %v, and number %d",
				d.Mark, d.EndedAt, numbers[key.Index()], want.Mark, want.EndedAt, number)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		return nil
	}
	d, numbers, err := t.Find(ctx, want.ID)
	if err := is("Find", d, numbers, err); err != nil {
		return err
	}
	d, numbers, err = t.FindConsent(ctx, want.UserID, want.ApplicationID, want.WorkspaceID)
	if err := is("FindConsent", d, numbers, err); err != nil {
		return err
	}
	var listed []store.Document
	if want.EndedAt.IsZero() && want.Seen[key.Index()] >= number {
		listed = append(listed, want)
	}
	page, _, err := t.List(ctx, store.Query{Kind: want.Kind, UserID: want.UserID, Limit: 10})
	if err == nil && !slices.Equal(page, listed) {
		err = fmt.Errorf("List: got %d documents, want %d as they are kept", len(page), len(listed))
	}
	return err
}

func readsAreCurrent(t *trial) {
	forms := everyForm(someKey)
	for round := range rounds / 2 {
		user := fmt.Sprint("user ", round)
		key := forms[round%len(forms)]
		if key.UserID != "" {
			key.UserID = user
		}
		d := t.consent(store.CutKey{UserID: user, ApplicationID: someApp, WorkspaceID: someSpace})
		for i, number := range t.numbersNow(d.Key()).numbers(d.Key()) {
			d.Seen[i] = number
		}
		number := d.Seen[key.Index()]
		seen := func(what string) {
			t.Helper()
			t.readers(func(ctx context.Context) error { return t.see(ctx, d, key, number) }, "a %s", what)
		}
		t.must(t.Create(t.Context(), d), "creating a consent")
		seen("Create")
		d = t.replaces(d)
		seen("Replace")
		number++
		t.cuts(key, number)
		seen("CutOff")
		d = t.replaces(d, func(d *store.Document) { d.Seen[key.Index()] = number })
		seen("Replace")
		d = t.ends(d, t.start, t.after(-day))
		seen("End")
		t.sweeps(t.after(-day))
		t.readers(func(ctx context.Context) error {
			if _, _, err := t.Find(ctx, d.ID); !errors.Is(err, store.ErrNotFound) {
				return errors.Join(errors.New("a document is found that was swept"), err)
			}
			return nil
		}, "a Sweep")
	}
}

func numbersAreCurrent(t *trial) {
	const readers, reads = 4, 50
	key := store.CutKey{UserID: someUser}
	d := t.consent(someKey, func(d *store.Document) { d.State = "0" })
	t.must(t.Create(t.Context(), d), "creating a consent")
	var reading atomic.Int64
	reading.Store(readers)
	errs := make([]error, 1+readers)
	race(len(errs), func(i int) {
		if i == 0 { // cuts off first, and only then says so in the document
			for number := int64(1); reading.Load() > 0 && errs[0] == nil; number++ {
				mark := d.Mark
				d.Mark, d.State = newMark(), strconv.FormatInt(number, 10)
				errs[0] = errors.Join(t.CutOff(t.Context(), key, number), t.Replace(t.Context(), d, mark))
			}
			return
		}
		defer reading.Add(-1)
		for read := 0; read < reads && errs[i] == nil; read++ {
			found, numbers, err := t.Find(t.Context(), d.ID)
			if i%2 == 0 {
				found, numbers, err = t.FindConsent(t.Context(), someUser, someApp, someSpace)
			}
			said, _ := strconv.ParseInt(found.State, 10, 64)
			if err == nil && numbers[key.Index()] < said {
				err = fmt.Errorf("a document from after the cut-off with the number %d came with the number %d", said, numbers[key.Index()])
			}
			errs[i] = err
		}
	})
	t.must(errors.Join(errs...), "finding a document while its user is cut off and it is replaced")
}
