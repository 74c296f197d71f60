package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var applicationPromises = []promise{
	{"an application comes back as it was stored",
		"These fields decide what an application may ask for.",
		applicationComesBack},
	{"a registration is stored whole, replaced, and cleared with its application",
		"It says how the application may be used, and has the hash of the token that manages it.",
		registrationKept},
	{"the store sets the version of a new application",
		"Compare-and-swap needs a version that only the store sets.",
		firstVersion},
	{"a missing application is not found",
		"The provider must tell an unknown client from a store that is down.",
		absentApplication},
	{"an ID and a client ID can be taken only once",
		"Two applications with one ID could act for each other.",
		takenApplication},
	{"an update replaces an application, except for its fixed fields",
		"Tokens and links name the application by its IDs.",
		updateReplaces},
	{"an update of another version is a conflict",
		"Otherwise the second of two administrators would silently undo the first one's change.",
		updateConflict},
	{"an update of a missing application is not found",
		"An update must not bring back a deleted application.",
		updateAbsent},
	{"a deleted application is gone and its IDs are free",
		"The provider deletes an application to undo a registration, and may repeat that.",
		deleteApplication},
	{"documents and applications are independent",
		"A host may keep applications in one place and documents in another.",
		notConnected},
}

const someRedirect = "https://wiki.example.com/callback"

// fullApplication has a value in each field.
func (t *trial) fullApplication() store.Application {
	imported, err := store.ParseSecretHash("$2b$10$" + strings.Repeat("k", 53))
	t.must(err, "reading a bcrypt hash")
	return store.Application{
		ID:            someApp,
		ClientID:      "client_1",
		Name:          "Wiki",
		RedirectURIs:  []string{someRedirect, "https://b.example/cb", "https://a.example/cb"},
		Scopes:        scopes.New("email", "notes:read", "profile"),
		MachineScopes: scopes.New("reports:read", "notes:read"),
		Lifetimes:     store.ApplicationLifetimes{Code: time.Minute, Access: time.Hour, Refresh: 2 * time.Hour, Grant: 3 * time.Hour, Grace: time.Nanosecond},
		Workspace:     store.WorkspaceRequired,
		Secrets: []store.ClientSecret{
			{ID: "s2", Hash: store.HashSecret("a generated secret"), CreatedAt: t.start, ExpiresAt: t.after(time.Hour)},
			{ID: "s1", Hash: imported, CreatedAt: t.after(-time.Hour)},
		},
		Registration:           fullRegistration(),
		Applied:                []store.AppliedSettings{{Digest: "b", At: t.after(tick)}, {Digest: "a", At: t.start}, {Digest: "b", At: t.start}},
		Public:                 true,
		PKCERequired:           true,
		SkipConsent:            true,
		Reviewed:               true,
		Disabled:               true,
		Origin:                 store.OriginRegistration,
		Keys:                   store.ClientKeys{Set: `{"keys":[]}`, URI: "https://wiki.example.com/jwks"},
		PostLogoutRedirectURIs: []string{"https://wiki.example.com/bye", "https://a.example/bye"},
		IDTokenAlg:             "ES256",
		OwnerID:                "owner_1",
		ClientURI:              "https://wiki.example.com",
		LogoURL:                "https://wiki.example.com/logo.png",
		TermsURI:               "https://wiki.example.com/terms",
		PolicyURI:              "https://wiki.example.com/privacy",
		Metadata:               map[string]string{"team": "docs", "": "no key", "empty": ""},
		CreatedAt:              t.start,
		UpdatedAt:              t.after(tick),
		Version:                1,
	}
}

// fullRegistration has a value in each field.
func fullRegistration() *store.RegistrationRecord {
	return &store.RegistrationRecord{
		Token:           store.HashSecret("a registration access token"),
		Type:            "native",
		AuthMethod:      "none",
		GrantTypes:      []string{"refresh_token", "authorization_code"},
		Contacts:        []string{"b@wiki.example.com", "a@wiki.example.com"},
		SoftwareID:      "wiki",
		SoftwareVersion: "2.1",
	}
}

// creates creates an application.
func (t *trial) creates(app store.Application) {
	t.Helper()
	t.must(t.CreateApplication(t.Context(), app), "creating application %q", app.ID)
}

// updates updates an application, and returns it as it should be stored.
func (t *trial) updates(app store.Application) store.Application {
	t.Helper()
	t.must(t.UpdateApplication(t.Context(), app), "updating application %q", app.ID)
	app.Version++
	return app
}

// findsApplication checks that an application is stored correctly, with each
// way of finding it.
func (t *trial) findsApplication(want store.Application, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	got, err := t.FindApplication(t.Context(), want.ID)
	t.must(err, "%s: FindApplication", what)
	t.equal(got, want, "%s: FindApplication", what)
	got, err = t.FindClient(t.Context(), want.ClientID)
	t.must(err, "%s: FindClient", what)
	t.equal(got, want, "%s: FindClient", what)
	page, _, err := t.ListApplications(t.Context(), store.ApplicationQuery{Name: want.ClientID, Limit: 1000})
	t.must(err, "%s: ListApplications", what)
	for _, app := range page {
		if app.ID == want.ID {
			t.equal(app, want, "%s: ListApplications", what)
			return
		}
	}
	t.errorf("%s: it is missing from ListApplications by its client ID", what)
}

// noApplication checks that no application has this ID.
func (t *trial) noApplication(id, format string, args ...any) {
	t.Helper()
	_, err := t.FindApplication(t.Context(), id)
	t.fails(err, store.ErrNotFound, "FindApplication: "+format, args...)
}

// noClient checks that no application has this client ID.
func (t *trial) noClient(clientID, format string, args ...any) {
	t.Helper()
	_, err := t.FindClient(t.Context(), clientID)
	t.fails(err, store.ErrNotFound, "FindClient: "+format, args...)
}

func applicationComesBack(t *trial) {
	full := t.fullApplication()
	t.creates(full)
	t.findsApplication(full, "an application with something in each field")

	bare := store.Application{ID: otherApp, ClientID: "client_2", Version: 1}
	t.creates(bare)
	t.findsApplication(bare, "an application with nothing but IDs")
	t.findsApplication(full, "after another one was created")
}

func registrationKept(t *trial) {
	registrations := []*store.RegistrationRecord{
		nil, {}, fullRegistration(), {Type: "web"}, {Token: store.HashSecret("t")}, {GrantTypes: []string{"b", "a", ""}}, {Contacts: []string{""}},
	}
	updated := t.fullApplication()
	t.creates(updated)
	for i, r := range registrations {
		app := store.Application{ID: fmt.Sprint("registered_", i), ClientID: fmt.Sprint("its_client_", i), Registration: r, Version: 1}
		t.creates(app)
		t.findsApplication(app, "an application created with the registration %+v", r)
		updated.Registration = r
		updated = t.updates(updated)
		t.findsApplication(updated, "an application updated with the registration %+v", r)
	}
}

func firstVersion(t *trial) {
	for i, version := range []int64{0, 1, 7, -1} {
		app := store.Application{ID: fmt.Sprint("app_", i), ClientID: fmt.Sprint("client_", i), Version: version}
		t.creates(app)
		app.Version = 1
		t.findsApplication(app, "an application created with version %d", version)
	}
}

func absentApplication(t *trial) {
	t.noApplication(someApp, "in an empty store")
	t.noClient("client_1", "in an empty store")
	app := t.fullApplication()
	t.creates(app)
	t.noApplication("app_", "part of an ID")
	t.noApplication("", "no ID")
	t.noApplication(app.ClientID, "a client ID")
	t.noClient("", "no client ID")
	t.noClient("client_10", "a longer client ID")
	t.noClient(app.ID, "an ID")
}

func takenApplication(t *trial) {
	app := t.fullApplication()
	t.creates(app)
	for _, other := range []store.Application{
		{ID: app.ID, ClientID: "client_2", Name: "same ID"},
		{ID: otherApp, ClientID: app.ClientID, Name: "same client ID"},
		{ID: app.ID, ClientID: app.ClientID, Name: "same IDs"},
	} {
		t.fails(t.CreateApplication(t.Context(), other), store.ErrExists, "creating an application with the %s", other.Name)
		t.findsApplication(app, "after an application with the %s was refused", other.Name)
	}
	t.noApplication(otherApp, "the ID of an application that was refused")
	t.noClient("client_2", "the client ID of an application that was refused")

	t.creates(store.Application{ID: otherApp, ClientID: "client_2"})
	t.creates(store.Application{ID: app.ClientID, ClientID: app.ID, Name: "IDs the other way around"})
}

func updateReplaces(t *trial) {
	app := t.fullApplication()
	t.creates(app)
	bystander := store.Application{ID: otherApp, ClientID: "client_2", Name: "Bystander", Version: 1}
	t.creates(bystander)

	changed := store.Application{
		ID: app.ID, ClientID: "client_9", Name: "Wiki 2", RedirectURIs: []string{"https://new.example/cb"},
		Scopes: scopes.New("email"), Origin: store.OriginManual, OwnerID: "owner_2", Metadata: map[string]string{"new": "note"},
		CreatedAt: t.after(time.Hour), UpdatedAt: t.after(2 * time.Hour), Version: 1,
	}
	changed = t.updates(changed)
	changed.ClientID, changed.CreatedAt = app.ClientID, app.CreatedAt
	t.findsApplication(changed, "after an update")
	t.noClient("client_9", "a client ID that an update named")

	app.Version = 2
	app = t.updates(app)
	t.findsApplication(app, "after a second update")
	t.findsApplication(bystander, "an application that was not updated")
}

func updateConflict(t *trial) {
	app := t.fullApplication()
	t.creates(app)
	app = t.updates(app)
	for _, version := range []int64{1, 3, 0, -1} {
		other := store.Application{ID: app.ID, ClientID: app.ClientID, Name: "Other", Version: version}
		t.fails(t.UpdateApplication(t.Context(), other), store.ErrConflict, "updating version 2 as version %d", version)
		t.findsApplication(app, "after an update of version %d was refused", version)
	}
}

func updateAbsent(t *trial) {
	app := t.fullApplication()
	t.fails(t.UpdateApplication(t.Context(), app), store.ErrNotFound, "updating an application that never existed")
	t.creates(app)
	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application")
	t.fails(t.UpdateApplication(t.Context(), app), store.ErrNotFound, "updating a deleted application")
	t.noApplication(app.ID, "an application that only an update named")
	t.noClient(app.ClientID, "an application that only an update named")
}

func deleteApplication(t *trial) {
	app := t.fullApplication()
	t.creates(app)
	bystander := store.Application{ID: otherApp, ClientID: "client_2", Version: 1}
	t.creates(bystander)
	t.must(t.DeleteApplication(t.Context(), "app_9"), "deleting an application that never existed")
	t.must(t.DeleteApplication(t.Context(), app.ClientID), "deleting by a client ID, which is not an ID")
	t.findsApplication(app, "after others were deleted")

	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application")
	t.noApplication(app.ID, "a deleted application")
	t.noClient(app.ClientID, "a deleted application")
	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application again")
	t.findsApplication(bystander, "an application that was not deleted")
	_, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{})
	t.must(err, "listing applications")
	t.equal(total, 1, "the number of applications after one of two was deleted")

	t.creates(app)
	t.findsApplication(app, "an application with the IDs of a deleted one")
}

func notConnected(t *trial) {
	orphan := t.create(otherKey)
	t.finds(orphan, "a document of an application that is kept elsewhere")

	app := t.fullApplication()
	t.creates(app)
	d := t.create(someKey)
	t.must(t.DeleteApplication(t.Context(), app.ID), "deleting an application")
	t.equal(t.finds(d, "after its application was deleted"), store.Cuts{}, "the numbers after an application was deleted")
	t.lists(store.Query{Kind: d.Kind, ApplicationID: app.ID}, []store.Document{d}, "after the application was deleted")
}
