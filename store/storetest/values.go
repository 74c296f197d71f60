package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var valuePromises = []promise{
	{"what was passed in may be changed afterwards",
		"A caller that uses a slice again would change what is kept.",
		inputIsCopied},
	{"what was returned may be changed",
		"A caller that edits a record would change it for everybody, or race with them.",
		outputIsCopied},
	{"nothing is done once the context has ended",
		"A request that was given up costs nothing more.",
		cancelled},
	{"times come back in UTC to the microsecond",
		"Expiries are compared by them, and lists are ordered.",
		timesComeBack},
	{"a zero time stays zero",
		"It means never, or none.",
		zeroTimes},
	{"empty collections come back empty",
		"Nothing must not become something.",
		emptyCollections},
}

func inputIsCopied(t *trial) {
	app, want := t.fullApplication(), t.fullApplication()
	scribble := func() {
		app.RedirectURIs[0], app.Scopes[0], app.Secrets[0], app.Metadata["team"] = "x", "x", store.Secret{}, "x"
		clear(app.Metadata)
		app.Registration.Type, app.Registration.GrantTypes[0], app.Registration.Contacts[0] = "x", "x", "x"
	}
	app.Scopes = append(scopes.Set(nil), app.Scopes...)
	t.createApplication(app)
	scribble()
	t.findsApplication(want, "after the application that was created was changed")

	app = want.Clone()
	t.must(t.UpdateApplication(t.Context(), app), "updating")
	scribble()
	want.Version = 2
	t.findsApplication(want, "after the application that was passed to an update was changed")

	set := scopes.New("email", "notes:read", "profile")
	n := t.newGrant(someUser, someApp, func(n *store.NewGrant) { n.Grant.Scopes = set })
	rightly := t.redemption(n)
	refresh := *rightly.Refresh
	t.must(t.CreateGrant(t.Context(), n), "creating a grant")
	set[0], *n.Code = "x", store.Code{}
	n.Grant.Scopes = someScopes()
	issued := t.redeems(rightly, "redeeming a code after the one that was passed in was changed")
	*rightly.Refresh = store.NewToken{}
	t.equal(issued.Grant, n.Grant, "the grant after the scopes that were passed in were changed")
	d := device{grant: n.Grant, refresh: store.Token{
		Hash: refresh.Hash, Kind: store.KindRefresh, Scopes: someScopes(), IssuedAt: rightly.At, ExpiresAt: refresh.ExpiresAt,
	}}
	t.finds(d.refresh, d.grant, "after the refresh token that was passed in was changed")
	consent, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")
	t.equal(consent.Scopes, someScopes(), "the consent's scopes after those that were passed in were changed")

	set = scopes.New("email")
	r := t.rotation(d, time.Hour)
	r.Scopes = set
	d = t.rotates(d, r, "rotating")
	set[0] = "x"
	d.access.Scopes = scopes.New("email")
	t.keeps(d, "after the scopes that were passed to a rotation were changed")

	given := &store.NewToken{Hash: t.hash(), ExpiresAt: t.after(accessLifetime)}
	n, token := t.newGrant(otherUser, someApp), *given
	n.Code, n.Access = nil, given
	t.must(t.CreateGrant(t.Context(), n), "creating a grant with an access token")
	*given = store.NewToken{}
	t.finds(store.Token{
		Hash: token.Hash, Kind: store.KindAccess, Scopes: someScopes(), IssuedAt: n.Grant.CreatedAt, ExpiresAt: token.ExpiresAt,
	}, n.Grant, "after the access token that was passed in was changed")
}

func outputIsCopied(t *trial) {
	want := t.fullApplication()
	t.createApplication(want)
	scribble := func(app store.Application, err error) {
		t.Helper()
		t.must(err, "finding an application")
		if app.Registration == nil {
			t.fatalf("finding an application that registered itself: got no registration")
		}
		app.RedirectURIs[0], app.Scopes[0], app.Secrets[0].ID = "x", "x", "x"
		app.Metadata["x"] = "x"
		delete(app.Metadata, "team")
		app.Registration.Type, app.Registration.GrantTypes[0], app.Registration.Contacts[0] = "x", "x", "x"
		t.findsApplication(t.fullApplication(), "after an application that was returned was changed")
	}
	scribble(t.FindApplication(t.Context(), want.ID))
	scribble(t.FindClient(t.Context(), want.ClientID))
	page, _, err := t.ListApplications(t.Context(), store.ApplicationQuery{})
	t.must(err, "listing applications")
	if len(page) != 1 {
		t.fatalf("listing one application: got %d", len(page))
	}
	scribble(page[0], nil)

	blot := func(sets ...scopes.Set) {
		for _, set := range sets {
			for i := range set {
				set[i] = "x"
			}
		}
	}
	n := t.create(someUser, someApp)
	fresh := scopes.New("email", "notes:read", "profile") // as the caller may blot what it shares with its own input
	n.Grant.Scopes = fresh
	redemption := t.redemption(n)
	issued := t.redeems(redemption, "redeeming")
	blot(issued.Grant.Scopes, issued.Access.Scopes)
	first := device{grant: n.Grant, redemption: redemption, refresh: store.Token{
		Hash: redemption.Refresh.Hash, Kind: store.KindRefresh, Scopes: fresh, IssuedAt: redemption.At, ExpiresAt: redemption.Refresh.ExpiresAt,
	}}
	t.finds(first.refresh, first.grant, "after what a redemption returned was changed")

	for i := range 2 { // The second is a retry.
		r := t.rotation(first, time.Hour+time.Duration(i)*time.Second)
		issued, err := t.RotateRefresh(t.Context(), r)
		t.must(err, "rotating")
		blot(issued.Grant.Scopes, issued.Access.Scopes)
		if i == 0 {
			first.access = store.Token{
				Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: fresh, IssuedAt: r.At, ExpiresAt: r.Access.ExpiresAt,
			}
			first.grant.LastUsedAt = r.At
		}
		t.finds(first.access, first.grant, "after what a rotation returned was changed")
	}

	for range 2 {
		token, grant, err := t.FindToken(t.Context(), first.key(first.access))
		t.must(err, "finding a token")
		blot(token.Scopes)
		t.equal(grant.Scopes, fresh, "the scopes of a grant that came with a token whose scopes were changed")
		blot(grant.Scopes)
		grants, _ := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}})
		for _, g := range grants {
			blot(g.Scopes)
		}
		t.finds(first.access, first.grant, "after tokens and grants that were returned were changed")

		consent, err := t.FindConsent(t.Context(), someUser, someApp)
		t.must(err, "finding the consent")
		t.equal(consent.Scopes, fresh, "the consent's scopes after what was returned was changed")
		blot(consent.Scopes)
		t.equal(consent.Agreed, fresh, "what was agreed to after what was returned was changed")
		blot(consent.Agreed)
		consents, err := t.ListConsents(t.Context(), someUser)
		t.must(err, "listing consents")
		for _, c := range consents {
			t.equal(c.Scopes, fresh, "the consent's scopes after what was returned was changed")
			blot(c.Scopes, c.Agreed)
		}
	}
}

func cancelled(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)
	waiting, d := t.create(someUser, otherApp), t.signIn(someUser, someApp)
	consent, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused := t.newGrant(someUser, someApp, func(n *store.NewGrant) { n.Grant.Scopes = scopes.New("more") })
	redemption, rotation := t.redemption(waiting), t.rotation(d, time.Hour)
	renamed := app.Clone()
	renamed.Name = "Other"
	for name, step := range map[string]func() error{
		"CreateApplication": func() error {
			return t.CreateApplication(ctx, store.Application{ID: "app_9", ClientID: "client_9"})
		},
		"FindApplication": func() error { _, err := t.FindApplication(ctx, app.ID); return err },
		"FindClient":      func() error { _, err := t.FindClient(ctx, app.ClientID); return err },
		"ListApplications": func() error {
			_, _, err := t.ListApplications(ctx, store.ApplicationQuery{})
			return err
		},
		"UpdateApplication": func() error { return t.UpdateApplication(ctx, renamed) },
		"DeleteApplication": func() error { return t.DeleteApplication(ctx, app.ID) },
		"CreateGrant":       func() error { return t.CreateGrant(ctx, refused) },
		"RedeemCode":        func() error { _, err := t.RedeemCode(ctx, redemption); return err },
		"RotateRefresh":     func() error { _, err := t.RotateRefresh(ctx, rotation); return err },
		"FindToken":         func() error { _, _, err := t.FindToken(ctx, d.key(d.access)); return err },
		"RevokeToken, of an access token": func() error {
			return t.RevokeToken(ctx, t.revocation(d, d.access, time.Hour))
		},
		"RevokeToken, of a refresh token": func() error {
			return t.RevokeToken(ctx, t.revocation(d, d.refresh, time.Hour))
		},
		"FindConsent":  func() error { _, err := t.FindConsent(ctx, someUser, someApp); return err },
		"ListConsents": func() error { _, err := t.ListConsents(ctx, someUser); return err },
		"ListGrants": func() error {
			_, _, err := t.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}})
			return err
		},
		"RevokeGrants, by user": func() error {
			_, err := t.RevokeGrants(ctx, store.GrantFilter{UserID: someUser}, t.after(time.Hour))
			return err
		},
		"RevokeGrants, by application": func() error {
			_, err := t.RevokeGrants(ctx, store.GrantFilter{ApplicationID: someApp}, t.after(time.Hour))
			return err
		},
		"DeleteExpired": func() error {
			_, err := t.DeleteExpired(ctx, store.Expiry{Before: t.after(10_000 * time.Hour), Limit: 10})
			return err
		},
	} {
		if err := step(); !errors.Is(err, context.Canceled) {
			t.errorf("%s with a context that has ended: got error %v, want %q", name, err, context.Canceled)
		}
	}

	t.findsApplication(app, "after steps whose context had ended")
	t.noApplication("app_9", "an application created with a context that had ended")
	t.keeps(d, "after steps whose context had ended")
	t.notOffered(rotation)
	t.noRedemption(t.redemption(refused), store.ErrNotFound, "redeeming the code of a grant created with a context that had ended")
	t.consents(consent, "after steps whose context had ended")
	t.redeems(redemption, "redeeming after steps whose context had ended")
	t.rotates(d, rotation, "rotating after steps whose context had ended")
}

func timesComeBack(t *trial) {
	zone := time.FixedZone("five and a half hours ahead", 5*60*60+30*60)
	for _, at := range []time.Time{
		t.start,
		time.Date(2001, 2, 3, 4, 5, 6, 1000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 999_999_000, time.UTC), // after 2^31 seconds
		time.Date(2024, 2, 29, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2100, 12, 31, 23, 59, 59, 123_456_000, time.UTC),
	} {
		name := at.Format(time.RFC3339Nano)
		app := t.fullApplication()
		app.ID, app.ClientID, app.CreatedAt, app.UpdatedAt = "app "+name, "client "+name, at, at.Add(tick)
		app.Secrets[0].CreatedAt, app.Secrets[0].ExpiresAt = at.Add(2*tick), at.Add(3*tick)
		elsewhere := app.Clone()
		elsewhere.CreatedAt, elsewhere.UpdatedAt = app.CreatedAt.In(zone), app.UpdatedAt.In(zone)
		elsewhere.Secrets[0].ExpiresAt = app.Secrets[0].ExpiresAt.In(zone)
		t.createApplication(elsewhere)
		t.findsApplication(app, "an application of %s", name)

		n := t.newGrant(someUser, app.ID, func(n *store.NewGrant) {
			n.Grant.ID = store.NewGrantID(at, someUser)
			n.Grant.CreatedAt, n.Grant.LastUsedAt, n.Grant.AgreedAt = at, at.Add(tick), at.Add(2*tick)
			n.Grant.ExpiresAt = at.Add(1000 * time.Hour)
			n.Code.ExpiresAt = at.Add(time.Hour)
		})
		local := n
		local.Grant.CreatedAt, local.Grant.LastUsedAt = n.Grant.CreatedAt.In(zone), n.Grant.LastUsedAt.In(zone)
		local.Grant.AgreedAt, local.Grant.ExpiresAt = n.Grant.AgreedAt.In(zone), n.Grant.ExpiresAt.In(zone)
		t.must(t.CreateGrant(t.Context(), local), "creating a grant of %s", name)
		r := t.redemption(n)
		r.At, r.Access.ExpiresAt, r.Refresh.ExpiresAt = at.Add(time.Minute).In(zone), at.Add(accessLifetime+tick).In(zone), at.Add(refreshLifetime+tick).In(zone)
		issued := t.redeems(r, "redeeming a code of %s", name)
		access := store.Token{
			Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: n.Grant.Scopes, IssuedAt: at.Add(time.Minute), ExpiresAt: at.Add(accessLifetime + tick),
		}
		t.equal(issued.Grant, n.Grant, "a grant of %s", name)
		t.equal(issued.Access, access, "an access token of %s", name)
		t.finds(access, n.Grant, "a token of %s", name)
		t.consents(store.Consent{
			UserID: someUser, ApplicationID: app.ID, Scopes: n.Grant.Scopes, Agreed: n.Grant.Scopes,
			AgreedAt: at.Add(2 * tick), CreatedAt: at, LastUsedAt: at,
		}, "a consent of %s", name)

		d := device{grant: n.Grant, access: access, refresh: store.Token{
			Hash: r.Refresh.Hash, Kind: store.KindRefresh, Scopes: n.Grant.Scopes, IssuedAt: at.Add(time.Minute), ExpiresAt: at.Add(refreshLifetime + tick),
		}}
		revokedAt := at.Add(time.Hour + 3*tick)
		_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: n.Grant.ID}, revokedAt.In(zone))
		t.must(err, "revoking a grant of %s", name)
		t.revoked(d, revokedAt, "a grant of %s", name)
	}
}

func zeroTimes(t *trial) {
	app := store.Application{
		ID: someApp, ClientID: "client_1", Secrets: []store.Secret{{ID: "s", Hash: store.HashSecret("s")}}, Version: 1,
	}
	t.createApplication(app)
	t.findsApplication(app, "an application without times")
	d := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Grant.LastUsedAt, n.Grant.AgreedAt = time.Time{}, time.Time{} })
	t.keeps(d, "a grant with zero times")
	page, _ := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{ID: d.grant.ID}})
	if len(page) == 1 {
		t.equal(page[0], d.grant, "a grant with zero times in a list")
	}
	t.rotates(d, t.rotation(d, time.Hour), "rotating on a grant with zero times")
}

func emptyCollections(t *trial) {
	for i, app := range []store.Application{
		{},
		{
			RedirectURIs: []string{}, Scopes: scopes.Set{}, Secrets: []store.Secret{}, Metadata: map[string]string{},
			Registration: &store.Registration{GrantTypes: []string{}, Contacts: []string{}},
		},
	} {
		app.ID, app.ClientID, app.Version = fmt.Sprint("app_", i), fmt.Sprint("client_", i), 1
		t.createApplication(app)
		t.findsApplication(app, "an application with empty collections")
	}
	app := t.fullApplication()
	app.ID, app.ClientID = "app_9", "client_9"
	t.createApplication(app)
	app.RedirectURIs, app.Scopes, app.Secrets, app.Metadata, app.Registration = nil, nil, nil, nil, nil
	t.must(t.UpdateApplication(t.Context(), app), "updating an application so that nothing is left")
	app.Version = 2
	t.findsApplication(app, "an application of which nothing is left")

	for _, none := range []scopes.Set{nil, {}} {
		d := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Grant.Scopes = none })
		t.keeps(d, "a grant without scopes")
		d = t.rotates(d, t.rotation(d, time.Hour), "rotating on a grant without scopes")
		t.keeps(d, "after a rotation without scopes")
		r := t.rotation(d, 2*time.Hour)
		r.Scopes = scopes.New("email")
		t.noRotation(r, store.ErrScope, "rotating for a scope on a grant without any")
		consent, err := t.FindConsent(t.Context(), someUser, someApp)
		t.must(err, "finding the consent")
		t.equal(len(consent.Scopes), 0, "the number of scopes of a consent without any")
		t.equal(len(consent.Agreed), 0, "the number of scopes agreed to without any")
	}
}
