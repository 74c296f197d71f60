package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// The two lists of an application are independent: it can't ask a user for its
// machine scopes, or ask for its other scopes without a user.
func TestMachineScopesAndScopesOfPeopleAreApart(t *testing.T) {
	h := newDeviceHost(t, withMachines)
	app := h.machine() // profile and email of people, notes:read and public_metadata by itself
	b := h.signedIn("user_ada")

	// A user's scope, requested by the machine.
	for _, scope := range []string{"email", "notes:read email", "email profile", "unheard-of"} {
		r := app.asMachine("scope", scope)
		r.refused(t, 400, "invalid_scope")
		require.Contains(t, r.body, "It may ask for: public_metadata notes:read.")
	}
	require.Contains(t, h.log.String(), `scope="notes:read email" scope_allowed="public_metadata notes:read"`)
	app.asMachine("scope", "notes:read\n").refused(t, 400, "invalid_scope")

	// The machine's scope, requested of a user: at the authorization endpoint,
	// in the returned form, by a device, and by the host for a user.
	require.Equal(t, "invalid_scope", b.get(app.request("scope", "notes:read")).redirected(t).Get("error"))
	form := b.get(app.request("prompt", "consent")).form(t, "allow")
	form.Add("granted", "notes:read")
	b.post("/oauth/authorize", form).errorPage(t, 403, "")
	app.post("/oauth/device_authorization", "scope", "notes:read").refused(t, 400, "invalid_scope")
	_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Scopes: scopes.New("notes:read")})
	require.ErrorContains(t, err, "notes:read")
	require.NotContains(t, app.tokens("user_ada").Scope, "notes:read", "it is not what it gets when it asks for nothing either")

	// A refresh doesn't widen to it either.
	got := app.tokens("user_ada")
	app.refresh(got.RefreshToken, "scope", "notes:read").refused(t, 400, "invalid_scope")

	// An application without machine scopes gets nothing without a user.
	plain := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	for _, scope := range []string{"", "notes:read", "openid"} {
		plain.asMachine("scope", scope).says(t, 400, "unauthorized_client", "must give it machine scopes")
	}
}

// Only the host can set machine scopes: an application that registers itself
// can't, with any name of the member, and neither can one with a document.
func TestOnlyTheHostGivesMachineScopes(t *testing.T) {
	h := newOpenHost(t, withMachines)
	const body = `"redirect_uris":["https://wiki.example.com/callback"],"scope":"notes:read","grant_types":["client_credentials"],
		"machine_scopes":["notes:read"],"MachineScopes":["notes:read"],"machineScopes":"notes:read","token_endpoint_auth_method":"client_secret_basic"`
	r := h.register(`{` + body + `}`)
	app, token := h.clientOf(r)
	require.NotContains(t, r.body, "client_credentials")
	require.NotContains(t, r.body, "achine")
	app.asMachine().refused(t, 400, "unauthorized_client")
	changed := h.manage("PUT", app.ClientID, token, `{"client_id":"`+app.ClientID+`",`+body+`}`)
	require.Equal(t, 200, changed.StatusCode, changed.body)
	app.asMachine().refused(t, 400, "unauthorized_client")
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Empty(t, kept.MachineScopes)
	require.NotContains(t, kept.Registration.GrantTypes, "client_credentials")

	// Even the host can't set them for an application that it didn't create,
	// and those in the store are ignored.
	_, err = h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.MachineScopes = scopes.New("notes:read")
		return nil
	})
	require.ErrorContains(t, err, "the host didn't make")
	h.change(app, func(app *store.Application) { app.MachineScopes = scopes.New("notes:read") })
	app.asMachine().refused(t, 400, "unauthorized_client")

	d, site, document := newDocumentHost(t, withMachines)
	site.document(map[string]any{"machine_scopes": []string{"notes:read"}, "grant_types": []string{"authorization_code", "client_credentials"}, "scope": "notes:read"})
	document.tokens("user_ada")
	require.Len(t, d.kept(), 1)
	require.Empty(t, d.kept()[0].MachineScopes)
	d.post("/oauth/token", "grant_type", "client_credentials", "client_id", document.ClientID).says(t, 400, "unauthorized_client", "A public client")
}

func TestMachineScopesNeedAConfidentialApplication(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Machines = &provider.Machines{Scopes: []string{"notes:read"}} })
	for name, tt := range map[string]struct {
		s    provider.ApplicationSettings
		says string
	}{
		"a public application":            {provider.ApplicationSettings{Public: true, MachineScopes: scopes.New("notes:read")}, "can't prove who it is"},
		"a scope that is not for them":    {provider.ApplicationSettings{MachineScopes: scopes.New("notes:read", "email")}, `machine scope "email" is not one that this provider offers: it offers notes:read`},
		"a scope that there is not":       {provider.ApplicationSettings{MachineScopes: scopes.New("notes write")}, `machine scope "notes write"`},
		"a scope of the protocol's own":   {provider.ApplicationSettings{MachineScopes: scopes.New("openid")}, `machine scope "openid"`},
		"one for refresh, which is never": {provider.ApplicationSettings{MachineScopes: scopes.New("offline_access")}, `machine scope "offline_access"`},
	} {
		tt.s.Name = "Wiki"
		_, _, err := h.CreateApplication(ctx, tt.s)
		var wrong provider.FieldErrors
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, "machine_scopes", wrong[0].Field, name)
		require.ErrorContains(t, err, tt.says, name)
		_, err = h.ImportApplication(ctx, "wiki", tt.s, store.SecretHash{})
		require.ErrorAs(t, err, &wrong, name)
	}
	app := h.application(provider.ApplicationSettings{MachineScopes: scopes.New("notes:read")})
	_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.Public = true
		return nil
	})
	require.ErrorContains(t, err, "can't prove who it is")

	// A public application gets nothing, even if the store has machine scopes
	// for it.
	public := h.application(provider.ApplicationSettings{Public: true})
	h.change(public, func(app *store.Application) { app.MachineScopes = scopes.New("notes:read") })
	public.asMachine("client_secret", "").says(t, 400, "unauthorized_client", "A public client")

	// Scopes that the Config no longer offers don't count.
	h.change(app, func(app *store.Application) { app.MachineScopes = scopes.New("email", "notes:read") })
	require.Equal(t, "notes:read", app.asMachine().tokens(t).Scope)
}

// Machine scopes are saved in the Config's order, and the application may have
// redirect URIs too.
func TestMachineScopesAreSettings(t *testing.T) {
	h := newHost(t, withMachines)
	s := provider.ApplicationSettings{Name: "Reports", RedirectURIs: []string{callback}, MachineScopes: scopes.New("notes:read", "email")}
	app, err := h.EnsureApplication(ctx, "reports", s, provider.NewSecret(ownSecret))
	require.NoError(t, err)
	require.Equal(t, scopes.New("email", "notes:read"), app.MachineScopes)
	same, err := h.EnsureApplication(ctx, "reports", s, provider.NewSecret(ownSecret))
	require.NoError(t, err)
	require.Equal(t, app.Version, same.Version)
	s.MachineScopes = scopes.New("email")
	changed, err := h.EnsureApplication(ctx, "reports", s, provider.NewSecret(ownSecret))
	require.NoError(t, err)
	require.Equal(t, scopes.New("email"), changed.MachineScopes)
	shown, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		require.Equal(t, scopes.New("email"), s.MachineScopes)
		s.Name = "Nightly reports"
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, scopes.New("email"), shown.MachineScopes)
	ensured := &application{shown, ownSecret, h}
	ensured.asMachine().tokens(t)
	ensured.tokens("user_ada")
}

const ownSecret = "7b1f0c5d9e8a4b6c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a"

// A user whose ID looks like a machine's would be one in introspection. Such a
// user is refused everywhere, but not signed out, because it is the host's
// mistake.
func TestNoUserIsCalledLikeAMachine(t *testing.T) {
	const id = "client:wiki"
	kept := memory.New()
	open := func(edit ...func(*provider.Config)) *host {
		h := newHost(t, append(edit, func(c *provider.Config) { c.Store = kept })...)
		u := h.users["user_ada"]
		u.ID = id
		h.users[id] = u
		return h
	}
	off := open()
	app := off.application(provider.ApplicationSettings{})
	got := app.tokens(id)
	off.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)

	on := open(withMachines)
	app.h = on
	b := on.signedIn(id)
	b.get(app.request()).errorPage(t, 403, "")
	b.get(on.url+"/oauth/connections").errorPage(t, 403, "")
	require.Contains(t, on.log.String(), `begins with \"client:\"`)
	_, _, err := on.IssueToken(ctx, provider.TokenSettings{UserID: id, ApplicationID: app.ID})
	require.ErrorContains(t, err, "give the user another ID")
	require.ErrorIs(t, err, userinfo.ErrNotFound)
	on.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
	require.JSONEq(t, `{"active":false}`, app.post("/oauth/token_info", "token", got.AccessToken).body)
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	app.h = off
	app.refresh(got.RefreshToken).tokens(t)
}
