package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var valuePromises = []promise{
	{"times come back in UTC, cut to the microsecond",
		"Lists are ordered by them, and sweeps compare them.",
		timesComeBack},
	{"a zero time stays zero",
		"It means never, or none.",
		zeroTimes},
	{"a State may have any bytes, and at least 64 KiB of them",
		"State is binary, and a lost byte makes it unreadable.",
		stateBytes},
	{"numbers of any size come back",
		"A rounded mark could equal that of another write.",
		numbersComeBack},
	{"a caller may change what it passed in",
		"A caller that reuses a slice would change the stored record.",
		inputIsCopied},
	{"a caller may change what was returned",
		"A caller that edits a record would change it for all others, or race with them.",
		outputIsCopied},
	{"empty collections come back empty",
		"A missing value must not turn into an empty text or a zero.",
		emptyCollections},
	{"nothing happens once the context has ended",
		"An abandoned request must cost nothing more, and must not get a made-up answer.",
		contextEnded},
}

func timesComeBack(t *trial) {
	zone := time.FixedZone("five and a half hours ahead", 5*60*60+30*60)
	for _, at := range []time.Time{
		t.start,
		time.Date(2001, 2, 3, 4, 5, 6, 1000, time.UTC),
		time.Date(2024, 2, 29, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 999_999_000, time.UTC), // after 2^31 seconds
		time.Date(2100, 12, 31, 23, 59, 59, 123_456_000, time.UTC),
	} {
		name := at.Format(time.RFC3339Nano)
		d := t.document(someKey, func(d *store.Document) {
			d.CreatedAt, d.LastUsedAt, d.SweepAt = at, at.Add(tick), at.Add(1000*time.Hour+2*tick)
		})
		// The same, with an offset and with digits that are cut off, not rounded.
		local := func(at time.Time) time.Time { return at.Add(999 * time.Nanosecond).In(zone) }
		passed := d
		passed.CreatedAt, passed.LastUsedAt, passed.SweepAt = local(d.CreatedAt), local(d.LastUsedAt), local(d.SweepAt)
		t.must(t.Create(t.Context(), passed), "creating a document of %s", name)
		t.finds(d, "a document of %s", name)
		passed.Mark = newMark()
		t.must(t.Replace(t.Context(), passed, d.Mark), "replacing a document of %s", name)
		d.Mark = passed.Mark
		t.finds(d, "a document of %s that was replaced", name)
		d.EndedAt, d.SweepAt = at.Add(time.Hour+3*tick), at.Add(999*time.Hour+4*tick)
		t.must(t.End(t.Context(), d.ID, local(d.EndedAt), local(d.SweepAt)), "ending a document of %s", name)
		t.finds(d, "a document of %s that has ended", name)

		app := t.fullApplication()
		app.ID, app.ClientID, app.CreatedAt, app.UpdatedAt = "app "+name, "client "+name, at, at.Add(tick)
		app.Secrets[0].CreatedAt, app.Secrets[0].ExpiresAt = at.Add(2*tick), at.Add(3*tick)
		given := app.Clone()
		given.CreatedAt, given.UpdatedAt, given.Secrets[0].ExpiresAt = local(app.CreatedAt), local(app.UpdatedAt), local(app.Secrets[0].ExpiresAt)
		t.creates(given)
		t.findsApplication(app, "an application of %s", name)
		given.UpdatedAt = local(app.UpdatedAt.Add(tick))
		t.updates(given)
		app.UpdatedAt, app.Version = app.UpdatedAt.Add(tick), 2
		t.findsApplication(app, "an application of %s that was updated", name)
	}
}

func zeroTimes(t *trial) {
	app := store.Application{ID: someApp, ClientID: "client_1", Secrets: []store.ClientSecret{{ID: "s", Hash: store.HashSecret("s")}}, Version: 1}
	t.creates(app)
	t.findsApplication(app, "an application without times")
	d := t.create(someKey, func(d *store.Document) { d.LastUsedAt, d.SweepAt = time.Time{}, time.Time{} })
	t.finds(d, "a document with zero times")
	t.lists(store.Query{Kind: d.Kind, UserID: someUser}, []store.Document{d}, "with zero times")
	d = t.replaces(d, func(d *store.Document) { d.LastUsedAt, d.SweepAt = t.start, t.start })
	d = t.replaces(d, func(d *store.Document) { d.LastUsedAt, d.SweepAt = time.Time{}, time.Time{} })
	t.finds(d, "a document that was replaced by one with zero times")
	t.equal(t.sweeps(t.after(10_000*day)), 0, "the number of records swept, when none has a SweepAt")
	t.finds(d, "a document with zero times")
}

func stateBytes(t *trial) {
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	states := map[string]string{
		"no bytes": "", "each byte": all.String(), "a zero byte": "\x00", "zero bytes": strings.Repeat("\x00", 100), "a zero byte at the end": "a\x00",
		"half a rune": "\xe2\x82", "bytes that aren't UTF-8": "\xff\xfe\x80\xc0", "spaces at the end": "a  ", "line ends": "\r\n\r", "quotation marks": `'"\` + "`", "a number": "007",
		"64 KiB": strings.Repeat(all.String(), 256), "64 KiB of one byte": strings.Repeat("\xff", 64<<10), "64 KiB of zero bytes": strings.Repeat("\x00", 64<<10),
	}
	i := 0
	replaced := t.create(otherKey)
	for name, state := range states {
		i++
		d := t.create(store.CutKey{UserID: fmt.Sprint("user ", i)}, func(d *store.Document) { d.State = state })
		t.finds(d, "a state of %s", name)
		t.lists(store.Query{Kind: d.Kind, UserID: d.UserID, Limit: 10}, []store.Document{d}, "a state of %s", name)
		replaced = t.replaces(replaced, func(d *store.Document) { d.State = state })
		t.finds(replaced, "a state that was replaced by %s", name)
		consent := t.consent(d.Key(), func(d *store.Document) { d.State = state })
		t.must(t.Create(t.Context(), consent), "creating a consent with a state of %s", name)
		t.findsConsent(d.Key(), consent, "a consent with a state of %s", name)
	}
}

func numbersComeBack(t *trial) {
	numbers := []int64{1, -1, 255, -256, 1<<31 - 1, -1 << 31, 1 << 32, 1<<53 - 1, 1<<53 + 1, -1<<53 - 1, 1<<62 + 1, math.MaxInt64 - 1, math.MaxInt64, math.MinInt64 + 1, math.MinInt64}
	replaced := t.create(otherKey)
	for i, number := range numbers {
		fill := func(d *store.Document) {
			d.Mark = number
			for j := range d.Seen {
				d.Seen[j] = numbers[(i+j)%len(numbers)]
			}
		}
		t.finds(t.create(someKey, fill), "a document with the mark %d", number)
		replaced = t.replaces(replaced, fill)
		t.finds(replaced, "a document that was replaced by one with the mark %d", number)
		for j := range len(store.Cuts{}) {
			d := t.create(someKey, func(d *store.Document) { d.Seen[j] = number })
			t.finds(d, "a document that has seen the number %d at index %d", number, j)
		}
	}
}

func inputIsCopied(t *trial) {
	app, want := t.fullApplication(), t.fullApplication()
	scribble := func() {
		app.RedirectURIs[0], app.Scopes[0], app.Secrets[0], app.Metadata["team"] = "x", "x", store.ClientSecret{}, "x"
		app.Applied[0] = store.AppliedSettings{}
		clear(app.Metadata)
		app.Registration.Type, app.Registration.GrantTypes[0], app.Registration.Contacts[0] = "x", "x", "x"
	}
	t.creates(app)
	scribble()
	t.findsApplication(want, "after the application that was passed in was changed")

	app = want.Clone()
	want = t.updates(app)
	want = want.Clone()
	scribble()
	t.findsApplication(want, "after the application that was passed to an update was changed")
}

func outputIsCopied(t *trial) {
	want := t.fullApplication()
	t.creates(want)
	scribble := func(app store.Application, err error) {
		t.Helper()
		t.must(err, "finding an application")
		if app.Registration == nil {
			t.fatalf("finding an application that registered itself: got no registration")
		}
		if len(app.Applied) == 0 {
			t.fatalf("finding an application with applied settings: got none")
		}
		app.RedirectURIs[0], app.Scopes[0], app.Secrets[0].ID, app.Applied[0].Digest, app.PostLogoutRedirectURIs[0] = "x", "x", "x", "x", "x"
		app.Metadata["x"] = "x"
		delete(app.Metadata, "team")
		app.Registration.Type, app.Registration.GrantTypes[0], app.Registration.Contacts[0] = "x", "x", "x"
		t.findsApplication(t.fullApplication(), "after an application that was returned was changed")
	}
	scribble(t.FindApplication(t.Context(), want.ID))
	scribble(t.FindClient(t.Context(), want.ClientID))
	page, _, err := t.ListApplications(t.Context(), store.ApplicationQuery{})
	t.must(err, "listing applications")
	for _, app := range page {
		scribble(app, nil)
	}
}

func emptyCollections(t *trial) {
	for i, app := range []store.Application{
		{},
		{
			RedirectURIs: []string{}, Scopes: scopes.Set{}, Secrets: []store.ClientSecret{}, Applied: []store.AppliedSettings{}, Metadata: map[string]string{},
			Registration: &store.RegistrationRecord{GrantTypes: []string{}, Contacts: []string{}},
		},
	} {
		app.ID, app.ClientID, app.Version = fmt.Sprint("app_", i), fmt.Sprint("client_", i), 1
		t.creates(app)
		t.findsApplication(app, "an application with empty collections")
	}
	app := t.fullApplication()
	app.ID, app.ClientID = "app_9", "client_9"
	t.creates(app)
	app.RedirectURIs, app.Scopes, app.Secrets, app.Metadata, app.Registration = nil, nil, nil, nil, nil
	app = t.updates(app)
	t.findsApplication(app, "an application that was emptied")
}

func contextEnded(t *trial) {
	app, added := t.fullApplication(), store.Application{ID: "app_9", ClientID: "client_9"}
	t.creates(app)
	d := t.create(someKey, func(d *store.Document) { d.SweepAt = t.start })
	fresh, replaced := t.document(someKey), d
	replaced.Mark, replaced.State = newMark(), "replaced"
	updated := app.Clone()
	updated.Name = "Updated"

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, step := range map[string]func() error{
		"CreateApplication": func() error { return t.CreateApplication(ctx, added) },
		"FindApplication":   func() error { _, err := t.FindApplication(ctx, app.ID); return err },
		"FindClient":        func() error { _, err := t.FindClient(ctx, app.ClientID); return err },
		"ListApplications":  func() error { _, _, err := t.ListApplications(ctx, store.ApplicationQuery{}); return err },
		"UpdateApplication": func() error { return t.UpdateApplication(ctx, updated) },
		"DeleteApplication": func() error { return t.DeleteApplication(ctx, app.ID) },
		"Create":            func() error { return t.Create(ctx, fresh) },
		"Find":              func() error { _, _, err := t.Find(ctx, d.ID); return err },
		"FindConsent":       func() error { _, _, err := t.FindConsent(ctx, someUser, someApp, someSpace); return err },
		"Replace":           func() error { return t.Replace(ctx, replaced, d.Mark) },
		"End":               func() error { return t.End(ctx, d.ID, t.start, t.start) },
		"CutOff":            func() error { return t.CutOff(ctx, store.CutKey{UserID: someUser}, 7) },
		"List": func() error {
			_, _, err := t.List(ctx, store.Query{Kind: d.Kind, UserID: someUser, Limit: 10})
			return err
		},
		"Sweep": func() error { _, err := t.Sweep(ctx, t.start, 10); return err },
	} {
		t.refuses(step(), "%s with a context that has ended", name)
	}
	// A missing record must not be reported as missing.
	_, err := t.FindApplication(ctx, "absent")
	t.refuses(err, "FindApplication of a missing application with a context that has ended")
	_, _, err = t.Find(ctx, fresh.ID)
	t.refuses(err, "Find of a missing document with a context that has ended")
	if err = t.Replace(ctx, fresh, 1); err == nil || errors.Is(err, store.ErrConflict) {
		t.errorf("Replace of a missing document with a context that has ended: got error %v", err)
	}

	t.findsApplication(app, "after steps whose context had ended")
	t.noApplication(added.ID, "an application created with a context that had ended")
	t.equal(t.finds(d, "after steps whose context had ended"), store.Cuts{}, "the numbers after a cut-off whose context had ended")
	t.gone(fresh.ID, "a document created with a context that had ended")
}
