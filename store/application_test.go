package store_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

func fullApplication() store.Application {
	return store.Application{
		ID: "oa_1", ClientID: "1",
		RedirectURIs: []string{"a"}, Scopes: []string{"s"}, Secrets: []store.ClientSecret{{ID: "1"}}, Metadata: map[string]string{"k": "v"},
		Registration: &store.RegistrationRecord{Type: "web", GrantTypes: []string{"g"}, Contacts: []string{"c"}},
		Applied:      []store.AppliedSettings{{Digest: "d"}},
	}
}

func TestCloneSharesNothing(t *testing.T) {
	app := fullApplication()
	for _, c := range []store.Application{app.Clone(), app.Micro()} {
		require.Equal(t, app, c)
		c.RedirectURIs[0], c.Scopes[0], c.Secrets[0].ID, c.Metadata["k"], c.Applied[0].Digest = "x", "x", "x", "x", "x"
		c.Registration.Type, c.Registration.GrantTypes[0], c.Registration.Contacts[0] = "x", "x", "x"
		require.Equal(t, fullApplication(), app)
	}
	require.Nil(t, store.Application{}.Clone().Registration)
}

func TestApplicationMicro(t *testing.T) {
	app := fullApplication()
	local := someTime.Add(999 * time.Nanosecond).In(time.FixedZone("one hour ahead", 3600))
	app.CreatedAt, app.UpdatedAt, app.Secrets[0].CreatedAt, app.Secrets[0].ExpiresAt, app.Applied[0].At = local, local, local, local, local
	cut := app.Micro()
	require.Equal(t, []time.Time{someTime, someTime, someTime, someTime}, []time.Time{cut.CreatedAt, cut.UpdatedAt, cut.Secrets[0].CreatedAt, cut.Secrets[0].ExpiresAt})
	require.Equal(t, someTime, cut.Applied[0].At)
	require.Equal(t, local, app.Secrets[0].CreatedAt, "the application itself was changed")
}

func TestApplicationCheck(t *testing.T) {
	require.NoError(t, fullApplication().Check())
	for name, spoil := range map[string]func(*store.Application){
		"ID": func(app *store.Application) { app.ID = "\x00" }, "client ID": func(app *store.Application) { app.ClientID = "\xff" },
		"name": func(app *store.Application) { app.Name = "\x00" }, "redirect URIs": func(app *store.Application) { app.RedirectURIs = []string{"a", "\xff"} },
		"scopes": func(app *store.Application) { app.Scopes = []string{"\x00"} }, "secrets": func(app *store.Application) { app.Secrets[0].ID = "\xff" },
		"origin": func(app *store.Application) { app.Origin = "\x00" }, "owner": func(app *store.Application) { app.OwnerID = "\xff" },
		"home page": func(app *store.Application) { app.ClientURI = "\xff" }, "logo": func(app *store.Application) { app.LogoURL = "\x00" },
		"key": func(app *store.Application) { app.Metadata["\xff"] = "" }, "value": func(app *store.Application) { app.Metadata["k"] = "\x00" },
		"type": func(app *store.Application) { app.Registration.Type = "\xff" }, "method": func(app *store.Application) { app.Registration.AuthMethod = "\x00" },
		"grant types": func(app *store.Application) { app.Registration.GrantTypes[0] = "\xff" },
		"applied":     func(app *store.Application) { app.Applied[0].Digest = "\xff" },
		"contacts":    func(app *store.Application) { app.Registration.Contacts[0] = "\x00" },
		"terms":       func(app *store.Application) { app.TermsURI = "\xff" }, "policy": func(app *store.Application) { app.PolicyURI = "\xff" },
		"software": func(app *store.Application) { app.Registration.SoftwareID = "\xff" }, "version": func(app *store.Application) { app.Registration.SoftwareVersion = "\x00" },
	} {
		app := fullApplication()
		spoil(&app)
		require.ErrorContains(t, app.Check(), "text of the application", name)
	}
	for _, app := range []store.Application{{ID: "oa_1"}, {ClientID: "1"}} {
		require.ErrorContains(t, app.Check(), "has no ID or no client ID")
	}
}

func TestApplicationQueryMatches(t *testing.T) {
	app := store.Application{ClientID: "AbC123", Name: "Café Wiki", OwnerID: "ann", Origin: store.OriginManual, UpdatedAt: someTime}
	for _, q := range []store.ApplicationQuery{
		{}, {OwnerID: "ann"}, {Name: "CAFÉ"}, {Name: "wiki"}, {Name: "AbC123"}, {Origin: store.OriginManual}, {UpdatedBefore: someTime.Add(1)},
		{OwnerID: "ann", Name: "é w", Origin: store.OriginManual, UpdatedBefore: someTime.Add(1)},
	} {
		require.True(t, q.Matches(&app), "%+v", q)
	}
	for _, q := range []store.ApplicationQuery{
		{OwnerID: "Ann"}, {Name: "cafe"}, {Name: "abc123"}, {Name: "AbC"}, {Origin: store.OriginDocument}, {UpdatedBefore: someTime}, {OwnerID: "ann", Name: "notes"},
	} {
		require.False(t, q.Matches(&app), "%+v", q)
	}
}

func TestApplicationOrder(t *testing.T) {
	apps := []store.Application{
		{ID: "d", Name: "b", CreatedAt: someTime}, {ID: "a", Name: "B", CreatedAt: someTime},
		{ID: "C", Name: "a", CreatedAt: someTime.Add(1)}, {ID: "c", Name: "a", CreatedAt: someTime.Add(-1)}, {ID: "b", Name: "é", CreatedAt: someTime.Add(-2)},
	}
	for order, want := range map[store.ApplicationOrder]string{store.OldestFirst: "bcadC", store.NewestFirst: "Cdacb", store.NameAscending: "aCcdb", store.NameDescending: "bdcCa"} {
		slices.SortFunc(apps, func(a, b store.Application) int { return order.Compare(&a, &b) })
		var got string
		for _, app := range apps {
			got += app.ID
		}
		require.Equal(t, want, got, "order %d", order)
	}
}

// Some backends keep a registration as JSON, under the names of RFC 7591.
func TestRegistrationText(t *testing.T) {
	r := store.RegistrationRecord{
		Token: store.HashSecret("a registration access token"), Type: "native", AuthMethod: "none", GrantTypes: []string{"refresh_token"},
		Contacts:   []string{"a@example.com"},
		SoftwareID: "wiki", SoftwareVersion: "2.1",
	}
	text, err := json.Marshal(store.Application{Registration: &r}.Revealed().Registration)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"token": "`+r.Token.Reveal()+`", "application_type": "native", "token_endpoint_auth_method": "none",
		"grant_types": ["refresh_token"], "contacts": ["a@example.com"], "software_id": "wiki", "software_version": "2.1"
	}`, string(text))
	var again store.RegistrationRecord
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, r, again)
	text, err = json.Marshal(store.RegistrationRecord{})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(text))
}
