package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var applicationPromises = []promise{
	{"an application comes back as it was kept",
		"The provider decides by these fields who may ask for what.",
		applicationComesBack},
	{"a registration is kept whole, replaced and cleared with its application",
		"It says how the application may be used, and by which token it manages itself.",
		registrationKept},
	{"the store sets the version of a new application",
		"Compare-and-swap needs a version that nobody but the store sets.",
		firstVersion},
	{"an absent application is not found",
		"The provider tells a client that is unknown from a store that is down.",
		absentApplication},
	{"an id and a client id are taken once",
		"Two applications with one id could act for each other.",
		takenApplication},
	{"an update replaces the application but for what never changes",
		"Tokens and links name the application by its ids.",
		updateReplaces},
	{"an update of another version is a conflict",
		"Of two administrators, the second would silently undo what the first did.",
		updateConflict},
	{"an update of an absent application is not found",
		"An application that was deleted must not come back by an update.",
		updateAbsent},
	{"a deleted application is gone and its ids are free",
		"Deleting is also how a registration is undone, and may be repeated.",
		deleteApplication},
	{"grants and applications are not connected",
		"A host may keep applications in one place and grants in another.",
		notConnected},
}

// fullApplication has something in each field.
func (t *trial) fullApplication() store.Application {
	imported, err := store.ParseSecretHash("$2b$10$" + strings.Repeat("k", 53))
	t.must(err, "reading a bcrypt hash")
	return store.Application{
		ID:           someApp,
		ClientID:     "client_1",
		Name:         "Wiki",
		RedirectURIs: []string{someRedirect, "https://b.example/cb", "https://a.example/cb"},
		Scopes:       someScopes(),
		Secrets: []store.Secret{
			{ID: "s2", Hash: store.HashSecret("a generated secret"), CreatedAt: t.start, ExpiresAt: t.after(time.Hour)},
			{ID: "s1", Hash: imported, CreatedAt: t.after(-time.Hour)},
		},
		Registration: t.fullRegistration(),
		Public:       true,
		PKCERequired: true,
		SkipConsent:  true,
		Origin:       store.OriginRegistration,
		OwnerID:      "owner_1",
		ClientURI:    "https://wiki.example.com",
		LogoURL:      "https://wiki.example.com/logo.png",
		Metadata:     map[string]string{"team": "docs", "": "no key", "empty": ""},
		CreatedAt:    t.start,
		UpdatedAt:    t.after(tick),
		Version:      1,
	}
}

// fullRegistration has something in each field.
func (t *trial) fullRegistration() *store.Registration {
	return &store.Registration{
		Token:           store.HashSecret("a registration access token"),
		Type:            "native",
		AuthMethod:      "none",
		GrantTypes:      []string{"refresh_token", "authorization_code"},
		Contacts:        []string{"b@wiki.example.com", "a@wiki.example.com"},
		TermsURI:        "https://wiki.example.com/terms",
		PolicyURI:       "https://wiki.example.com/privacy",
		SoftwareID:      "wiki",
		SoftwareVersion: "2.1",
	}
}

// createApplication keeps an application.
func (t *trial) createApplication(app store.Application) {
	t.Helper()
	t.must(t.CreateApplication(t.Context(), app), "creating application %q", app.ID)
}

// findsApplication checks that an application is kept as it should be,
// whichever way it is looked for.
func (t *trial) findsApplication(want store.Application, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	got, err := t.FindApplication(t.Context(), want.ID)
	if err != nil {
		t.errorf("%s: FindApplication: got error %v, want none", what, err)
		return
	}
	t.equal(got, want, "%s: FindApplication", what)
	got, err = t.FindClient(t.Context(), want.ClientID)
	if err != nil {
		t.errorf("%s: FindClient: got error %v, want none", what, err)
		return
	}
	t.equal(got, want, "%s: FindClient", what)
}

// noApplication checks that there is no application with this id.
func (t *trial) noApplication(id, format string, args ...any) {
	t.Helper()
	_, err := t.FindApplication(t.Context(), id)
	t.fails(err, store.ErrNotFound, "FindApplication: "+format, args...)
}

// noClient checks that there is no application with this client id.
func (t *trial) noClient(clientID, format string, args ...any) {
	t.Helper()
	_, err := t.FindClient(t.Context(), clientID)
	t.fails(err, store.ErrNotFound, "FindClient: "+format, args...)
}

func applicationComesBack(t *trial) {
	full := t.fullApplication()
	t.createApplication(full)
	t.findsApplication(full, "an application with something in each field")

	bare := store.Application{ID: "app_2", ClientID: "client_2", Version: 1}
	t.createApplication(bare)
	t.findsApplication(bare, "an application with nothing but ids")
	t.findsApplication(full, "after another one was created")
}

func registrationKept(t *trial) {
	for i, r := range []*store.Registration{
		nil, {}, t.fullRegistration(), {Type: "web"}, {Token: store.HashSecret("t")}, {GrantTypes: []string{"b", "a", ""}}, {Contacts: []string{""}},
	} {
		app := store.Application{ID: fmt.Sprint("registered_", i), ClientID: fmt.Sprint("its_client_", i), Registration: r, Version: 1}
		t.createApplication(app)
		t.findsApplication(app, "an application that registered itself with %+v", r)
		page, _, err := t.ListApplications(t.Context(), store.ApplicationQuery{Name: app.ClientID})
		t.must(err, "listing applications")
		if len(page) == 1 {
			t.equal(page[0], app, "an application in a list that registered itself with %+v", r)
		} else {
			t.errorf("listing an application by its client id: got %d, want 1", len(page))
		}
	}

	app := t.fullApplication()
	t.createApplication(app)
	for _, r := range []*store.Registration{{Type: "web", Contacts: []string{"c@wiki.example.com"}}, {}, nil, t.fullRegistration(), nil} {
		app.Registration = r
		t.must(t.UpdateApplication(t.Context(), app), "updating an application")
		app.Version++
		t.findsApplication(app, "after an update that brought the registration %+v", r)
	}
}

func firstVersion(t *trial) {
	for i, version := range []int64{0, 1, 7, -1} {
		app := store.Application{ID: fmt.Sprint("app_", i), ClientID: fmt.Sprint("client_", i), Version: version}
		t.createApplication(app)
		app.Version = 1
		t.findsApplication(app, "an application created with version %d", version)
	}
}

func absentApplication(t *trial) {
	t.noApplication(someApp, "in an empty store")
	t.noClient("client_1", "in an empty store")
	app := t.fullApplication()
	t.createApplication(app)
	t.noApplication("app_", "part of an id")
	t.noApplication("", "no id")
	t.noApplication(app.ClientID, "a client id")
	t.noClient("", "no client id")
	t.noClient("client_10", "a longer client id")
	t.noClient(app.ID, "an id")
}

func takenApplication(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)

	for _, other := range []store.Application{
		{ID: app.ID, ClientID: "client_2", Name: "same id"},
		{ID: "app_2", ClientID: app.ClientID, Name: "same client id"},
		{ID: app.ID, ClientID: app.ClientID, Name: "same ids"},
	} {
		t.fails(t.CreateApplication(t.Context(), other), store.ErrExists, "creating an application with the %s", other.Name)
		t.findsApplication(app, "after an application with the %s was refused", other.Name)
	}
	t.noApplication("app_2", "the id of an application that was refused")
	t.noClient("client_2", "the client id of an application that was refused")

	t.createApplication(store.Application{ID: "app_2", ClientID: "client_2"})
	t.createApplication(store.Application{ID: app.ClientID, ClientID: app.ID, Name: "ids the other way round"})
}

func updateReplaces(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)
	bystander := store.Application{ID: "app_2", ClientID: "client_2", Name: "Bystander", Version: 1}
	t.createApplication(bystander)

	changed := store.Application{
		ID: app.ID, ClientID: "client_9", Name: "Wiki 2", RedirectURIs: []string{"https://new.example/cb"},
		Scopes: scopes.New("email"), Origin: store.OriginManual, OwnerID: "owner_2", Metadata: map[string]string{"new": "note"},
		CreatedAt: t.after(time.Hour), UpdatedAt: t.after(2 * time.Hour), Version: 1,
	}
	t.must(t.UpdateApplication(t.Context(), changed), "updating an application")
	changed.ClientID, changed.CreatedAt, changed.Version = app.ClientID, app.CreatedAt, 2
	t.findsApplication(changed, "after an update")
	t.noClient("client_9", "a client id that an update named")

	app.Version = 2
	t.must(t.UpdateApplication(t.Context(), app), "updating an application again")
	app.Version = 3
	t.findsApplication(app, "after a second update")
	t.findsApplication(bystander, "an application that was not updated")
}

func updateConflict(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)
	t.must(t.UpdateApplication(t.Context(), app), "updating an application")
	app.Version = 2
	for _, version := range []int64{1, 3, 0, -1} {
		other := store.Application{ID: app.ID, ClientID: app.ClientID, Name: "Other", Version: version}
		t.fails(t.UpdateApplication(t.Context(), other), store.ErrConflict, "updating version 2 as version %d", version)
		t.findsApplication(app, "after an update of version %d was refused", version)
	}
}

func updateAbsent(t *trial) {
	app := t.fullApplication()
	t.fails(t.UpdateApplication(t.Context(), app), store.ErrNotFound, "updating an application that never was")
	t.createApplication(app)
	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application")
	t.fails(t.UpdateApplication(t.Context(), app), store.ErrNotFound, "updating a deleted application")
	t.noApplication(app.ID, "an application that only an update named")
	t.noClient(app.ClientID, "an application that only an update named")
}

func deleteApplication(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)
	bystander := store.Application{ID: "app_2", ClientID: "client_2", Version: 1}
	t.createApplication(bystander)

	t.must(t.DeleteApplication(t.Context(), "app_9"), "deleting an application that never was")
	t.must(t.DeleteApplication(t.Context(), app.ClientID), "deleting by a client id, which is no id")
	t.findsApplication(app, "after others were deleted")

	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application")
	t.noApplication(app.ID, "a deleted application")
	t.noClient(app.ClientID, "a deleted application")
	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application again")
	t.findsApplication(bystander, "an application that was not deleted")
	_, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{})
	t.must(err, "listing applications")
	t.equal(total, 1, "the number of applications after one of two was deleted")

	t.createApplication(app)
	t.findsApplication(app, "an application with the ids of a deleted one")
}

func notConnected(t *trial) {
	orphan := t.signIn(someUser, "no_such_application")
	t.keeps(orphan, "a grant to an application that is kept elsewhere")

	app := t.fullApplication()
	t.createApplication(app)
	d := t.signIn(someUser, app.ID)
	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application")
	t.keeps(d, "after its application was deleted")
	_, err := t.FindConsent(t.Context(), someUser, app.ID)
	t.must(err, "finding a consent to a deleted application")
}
