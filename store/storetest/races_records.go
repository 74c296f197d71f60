package storetest

import (
	"errors"
	"fmt"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

func raceOfUpdates(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)
	for round := range rounds {
		errs := make([]error, racers)
		race(racers, func(i int) {
			update := app.Clone()
			update.Version, update.Name = int64(round+1), fmt.Sprintf("round %d, racer %d", round, i)
			errs[i] = t.UpdateApplication(t.Context(), update)
		})
		counts, other := tally(errs, store.ErrConflict)
		if other != nil || counts[nil] != 1 {
			t.fatalf("%d racers that update one version: got %d successes, %d of %q and error %v; want 1 success and conflicts",
				racers, counts[nil], counts[store.ErrConflict], store.ErrConflict, other)
		}
		for i, err := range errs {
			if err == nil {
				app.Name, app.Version = fmt.Sprintf("round %d, racer %d", round, i), int64(round+2)
			}
		}
		t.findsApplication(app, "after a race of updates")
	}
}

func raceOfEdits(t *trial) {
	app := t.fullApplication()
	app.Metadata = map[string]string{}
	t.createApplication(app)
	errs := make([]error, racers)
	race(racers, func(i int) {
		for {
			current, err := t.FindApplication(t.Context(), app.ID)
			if err != nil {
				errs[i] = err
				return
			}
			if current.Metadata == nil {
				current.Metadata = map[string]string{}
			}
			current.Metadata[fmt.Sprint("racer ", i)] = "was here"
			if err = t.UpdateApplication(t.Context(), current); !errors.Is(err, store.ErrConflict) {
				errs[i] = err
				return
			}
		}
	})
	for i, err := range errs {
		t.must(err, "editing as racer %d", i)
		app.Metadata[fmt.Sprint("racer ", i)] = "was here"
	}
	app.Version = racers + 1
	t.findsApplication(app, "after many edits at once")
}

func raceOfClientIDs(t *trial) {
	for round := range rounds {
		errs := make([]error, racers)
		clientID := fmt.Sprint("client_", round)
		id := func(i int) string { return fmt.Sprintf("app_%d_%d", round, i) }
		race(racers, func(i int) {
			errs[i] = t.CreateApplication(t.Context(), store.Application{ID: id(i), ClientID: clientID})
		})
		counts, other := tally(errs, store.ErrExists)
		if other != nil || counts[nil] != 1 {
			t.fatalf("%d racers that create one client id: got %d successes, %d of %q and error %v; want 1 and the rest",
				racers, counts[nil], counts[store.ErrExists], store.ErrExists, other)
		}
		for i, err := range errs {
			if err == nil {
				t.findsApplication(store.Application{ID: id(i), ClientID: clientID, Version: 1}, "after a race for a client id")
			} else {
				t.noApplication(id(i), "the id of a racer that was refused")
			}
		}
	}
	_, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{})
	t.must(err, "listing applications")
	t.equal(total, rounds, "the number of applications after races for their client ids")
}

func raceOfGrantIDs(t *trial) {
	for round := range rounds {
		first := t.newGrant(fmt.Sprint("user_", round), someApp)
		grants := make([]store.NewGrant, racers)
		for i := range grants {
			grants[i] = t.newGrant(first.Grant.UserID, someApp, func(n *store.NewGrant) {
				n.Grant.ID = first.Grant.ID
				n.Grant.Scopes = scopes.New(fmt.Sprint("racer:", i))
			})
		}
		errs := make([]error, racers)
		race(racers, func(i int) { errs[i] = t.CreateGrant(t.Context(), grants[i]) })
		counts, other := tally(errs, store.ErrExists)
		if other != nil || counts[nil] != 1 {
			t.fatalf("%d racers that create one grant: got %d successes, %d of %q and error %v; want 1 and the rest",
				racers, counts[nil], counts[store.ErrExists], store.ErrExists, other)
		}
		for i, err := range errs {
			if err == nil {
				consent, err := t.FindConsent(t.Context(), first.Grant.UserID, someApp)
				t.must(err, "finding the consent")
				t.equal(consent.Scopes, grants[i].Grant.Scopes, "the consent after a race to create one grant")
				issued := t.redeems(t.redemption(grants[i]), "redeeming the code of the racer that created the grant")
				t.equal(issued.Grant, grants[i].Grant, "the grant after a race to create it")
			}
		}
	}
}

func raceOfConsents(t *trial) {
	const apps = 2
	errs := make([]error, racers*apps)
	var all [apps]scopes.Set
	grants := make([]store.NewGrant, racers*apps)
	for i := range grants {
		grants[i] = t.newGrant(someUser, fmt.Sprint("app_", i%apps), func(n *store.NewGrant) { n.Grant.Scopes = scopes.New(fmt.Sprint("scope:", i)) })
		all[i%apps] = all[i%apps].Union(grants[i].Grant.Scopes)
	}
	race(len(grants), func(i int) { errs[i] = t.CreateGrant(t.Context(), grants[i]) })
	for _, err := range errs {
		t.must(err, "creating a grant beside others of the same user")
	}
	for i := range apps {
		t.consents(store.Consent{
			UserID: someUser, ApplicationID: fmt.Sprint("app_", i), Scopes: all[i], Agreed: all[i],
			AgreedAt: grants[0].Grant.AgreedAt, CreatedAt: t.start, LastUsedAt: t.start,
		}, "after %d grants at once", len(grants))
	}
	list, err := t.ListConsents(t.Context(), someUser)
	t.must(err, "listing consents")
	t.equal(len(list), apps, "the number of consents after grants to %d applications", apps)
	_, total := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}})
	t.equal(total, len(grants), "the number of grants created at once")
}
