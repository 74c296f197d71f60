package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

func withMachines(c *provider.Config) { c.Machines = &provider.Machines{} }

// machine is an application with some machine scopes and other scopes for
// users.
func (h *host) machine() *application {
	return h.application(provider.ApplicationSettings{
		Name: "Nightly reports", Scopes: scopes.New("profile", "email"), MachineScopes: scopes.New("notes:read", "public_metadata"),
	})
}

// asMachine asks for a token without a user.
func (a *application) asMachine(form ...string) *reply {
	return a.post("/oauth/token", append([]string{"grant_type", "client_credentials"}, form...)...)
}

// machines serves a handler behind a guard that allows machines. It answers
// with the token.
func (h *host) machines(guard func(http.Handler) http.Handler) func(token string) *reply {
	server := httptest.NewServer(guard(http.HandlerFunc(showToken)))
	h.t.Cleanup(server.Close)
	return func(token string) *reply {
		r, err := http.NewRequest("GET", server.URL, nil)
		require.NoError(h.t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		return send(h.t, server.Client(), r)
	}
}

func TestMachineGetsATokenAndNoRefreshToken(t *testing.T) {
	h := newHost(t, withMachines)
	app := h.machine()
	r := app.asMachine()
	got := r.tokens(t)
	require.Equal(t, tokens{AccessToken: got.AccessToken, TokenType: "Bearer", ExpiresIn: 7200, Scope: "public_metadata notes:read"}, got)
	require.NotContains(t, r.body, "refresh_token")
	require.NotContains(t, r.body, "id_token")
	require.Equal(t, "notes:read", app.asMachine("scope", "notes:read openid offline_access").tokens(t).Scope)

	api := h.machines(h.AllowMachines().Require("notes:read"))
	seen := api(got.AccessToken)
	seen.statusIs(t, 200)
	var token provider.Token
	require.NoError(t, json.Unmarshal([]byte(seen.body), &token))
	require.True(t, token.Machine())
	require.Empty(t, token.UserID)
	require.Equal(t, app.ID, token.ApplicationID)
	verified, err := h.AllowMachines().Verify(ctx, got.AccessToken, "notes:read")
	require.NoError(t, err)
	require.Equal(t, &token, verified)
	require.Equal(t, h.clock.Now().Add(2*time.Hour).UTC().Truncate(time.Microsecond), verified.ExpiresAt)

	// Users are accepted there too, and need the scopes.
	person := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")}).tokens("user_ada").AccessToken
	require.Contains(t, api(person).body, "user_ada")
	narrow := app.asMachine("scope", "public_metadata").tokens(t).AccessToken
	api(narrow).refused(t, 403, "insufficient_scope")

	h.clock.Add(2*time.Hour - time.Second)
	api(got.AccessToken).statusIs(t, 200)
	h.clock.Add(time.Second)
	api(got.AccessToken).refused(t, 401, "invalid_token")
	require.Panics(t, func() { h.AllowMachines().Require("notes:write") })
}

func TestMachineAuthenticatesByAKey(t *testing.T) {
	h := newHost(t, withMachines, withKeys)
	k := h.keyed()
	h.change(k.application, func(app *store.Application) { app.MachineScopes = scopes.New("notes:read") })
	ask := func(jti string) *reply {
		return h.post("/oauth/token", "grant_type", "client_credentials",
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", k.assertion(jti))
	}
	got := ask("1").tokens(t)
	require.Equal(t, "notes:read", got.Scope)
	ask("1").refused(t, 401, "invalid_client")
	h.machines(h.AllowMachines().Require("notes:read"))(got.AccessToken).statusIs(t, 200)
}

// Without Config.Machines the grant is not offered to any application, and
// earlier tokens don't work.
func TestWithoutMachinesThereAreNone(t *testing.T) {
	kept := memory.New()
	on := newHost(t, withMachines, func(c *provider.Config) { c.Store = kept })
	app := on.machine()
	got := app.asMachine().tokens(t)
	require.Contains(t, on.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, `"grant_types_supported":["authorization_code","refresh_token","client_credentials"]`)

	off := newHost(t, func(c *provider.Config) { c.Store, c.Introspection = kept, provider.BearerKey(introspectionKey) })
	require.NotContains(t, off.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, "client_credentials")
	app.h = off
	app.asMachine().refused(t, 400, "unsupported_grant_type")
	off.machines(off.AllowMachines().Require())(got.AccessToken).refused(t, 401, "invalid_token")
	require.JSONEq(t, `{"active":false}`, off.post("/oauth/token_info", "token", got.AccessToken, "Header:Authorization", "Bearer "+introspectionKey).body)
	found := off.lookUp(got.AccessToken)
	require.False(t, found.Live)
	require.True(t, found.Revoked)
	_, _, err := off.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", MachineScopes: scopes.New("notes:read")})
	require.ErrorContains(t, err, "machine scopes are not offered")
}

const introspectionKey = "a-key-of-a-resource-server-0123456789"

// A guard without AllowMachines refuses machines, and says why. No other token
// would help, so the code isn't invalid_token.
func TestGuardRefusesMachinesUnlessTheHostLetsThemIn(t *testing.T) {
	h := newHost(t, withMachines, withResources)
	app := h.machine()
	plain, bound := app.asMachine().tokens(t).AccessToken, app.asMachine("resource", h.url+"/mcp").tokens(t).AccessToken
	for path, token := range map[string]string{"/api/notes": plain, "/mcp": bound} {
		r := h.bearer(path, token)
		r.refused(t, 403, "insufficient_scope")
		require.Contains(t, r.body, "This API is for people")
		challenge := r.Header.Get("WWW-Authenticate")
		require.Contains(t, challenge, `error="insufficient_scope"`)
		require.NotContains(t, challenge, ` scope=`, "no scope would help")
	}
	for _, verify := range []func() (*provider.Token, error){
		func() (*provider.Token, error) { return h.Verify(ctx, plain) },
		func() (*provider.Token, error) { return h.Resource(h.url+"/mcp").Verify(ctx, bound) },
	} {
		_, err := verify()
		require.ErrorIs(t, err, provider.ErrInsufficientScope)
		require.ErrorContains(t, err, "AllowMachines")
	}

	// Even a guard that allows machines requires a token for the right
	// resource.
	mcp := h.machines(h.Resource(h.url + "/mcp").AllowMachines().Require("notes:read"))
	api := h.machines(h.AllowMachines().Require("notes:read"))
	mcp(bound).statusIs(t, 200)
	api(plain).statusIs(t, 200)
	mcp(plain).refused(t, 401, "invalid_token")
	api(bound).refused(t, 401, "invalid_token")
	_, err := h.Resource(h.url+"/mcp").AllowMachines().Verify(ctx, bound, "notes:read")
	require.NoError(t, err)
}

// A machine gets the scopes that the resource understands, and never a token
// without scopes.
func TestMachineScopesAreThoseOfTheResource(t *testing.T) {
	h := newHost(t, withMachines, func(c *provider.Config) {
		c.Resources = []provider.Resource{{URL: c.Issuer + "/mcp", Scopes: []string{"notes:read"}}, {URL: c.Issuer + "/mail", Scopes: []string{"email", "notes:read"}}}
	})
	app := h.machine()
	require.Equal(t, "notes:read", app.asMachine("resource", h.url+"/mcp").tokens(t).Scope)
	app.asMachine("resource", h.url+"/other").refused(t, 400, "invalid_target")
	h.change(app, func(app *store.Application) { app.MachineScopes = scopes.New("public_metadata") })
	app.asMachine("resource", h.url+"/mail").says(t, 400, "invalid_scope", "understands none of the scopes")
}

func TestUserinfoRefusesMachines(t *testing.T) {
	h := newHost(t, withMachines)
	r := h.bearer("/oauth/userinfo", h.machine().asMachine().tokens(t).AccessToken)
	r.says(t, 403, "insufficient_scope", "for people")
	require.Contains(t, r.Header.Get("WWW-Authenticate"), "insufficient_scope")
}

func TestMachineTokenIsNeitherRefreshTokenNorCode(t *testing.T) {
	h := newHost(t, withMachines)
	app := h.machine()
	access := app.asMachine().tokens(t).AccessToken
	h.eventKinds()
	for _, text := range []string{access, strings.Replace(access, "oat_", "ort_", 1), strings.Replace(access, "oat_", "oac_", 1)} {
		app.refresh(text).refused(t, 400, "invalid_grant")
		app.redeem(text).refused(t, 400, "invalid_grant")
	}
	require.Empty(t, h.eventKinds())
	h.machines(h.AllowMachines().Require())(access).statusIs(t, 200)
}

// On the connections page, a machine's token is not a session, and its grants
// are on no user's page, even if the user has the same application.
func TestConnectionsPageKnowsNoMachines(t *testing.T) {
	h := newHost(t, withMachines)
	app := h.machine()
	access := app.asMachine().tokens(t).AccessToken
	r := h.bearer("/oauth/connections", access)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.Contains(t, r.Header.Get("Location"), "/login")
	b := h.signedIn("user_ada")
	require.NotContains(t, b.get(h.url+"/oauth/connections").body, app.Name)

	app.tokens("user_ada")
	page := b.get(h.url + "/oauth/connections")
	require.Contains(t, page.body, app.Name)
	require.NotContains(t, page.body, "notes", "what the machine may do")
	b.disconnect(t, page, app.ID)
	h.machines(h.AllowMachines().Require())(access).statusIs(t, 200)
	connections, err := h.ListConnections(ctx, "")
	require.NoError(t, err)
	require.Empty(t, connections)
}

// A machine's subject can't be a user's, so a resource server that introspects
// can't confuse them.
func TestIntrospectionTellsMachineAndPersonApart(t *testing.T) {
	h := newHost(t, withMachines, func(c *provider.Config) { c.Introspection = provider.BearerKey(introspectionKey) })
	app := h.machine()
	issued := h.clock.Now().Unix()
	machine, person := app.asMachine().tokens(t).AccessToken, app.tokens("user_ada").AccessToken
	want := fmt.Sprintf(`{"active":true,"scope":"public_metadata notes:read","client_id":%q,"token_type":"Bearer","exp":%d,"iat":%d,"sub":%q,"iss":%q}`,
		app.ClientID, issued+7200, issued, "client:"+app.ClientID, h.url)
	require.JSONEq(t, want, app.post("/oauth/token_info", "token", machine).body)
	require.JSONEq(t, want, h.post("/oauth/token_info", "token", machine, "Header:Authorization", "Bearer "+introspectionKey).body)
	require.Contains(t, app.post("/oauth/token_info", "token", person).body, `"sub":"user_ada"`)
	other := h.machine()
	require.JSONEq(t, `{"active":false}`, other.post("/oauth/token_info", "token", machine).body)
}

// The event of its issue, the lookup, and the grant say whose token it is.
func TestEventsAndLookupTellMachineAndPersonApart(t *testing.T) {
	h := newHost(t, withMachines)
	app := h.machine()
	h.eventKinds()
	access := app.asMachine().tokens(t).AccessToken
	found := h.lookUp(access)
	require.True(t, found.Machine())
	require.True(t, found.Live)
	require.False(t, found.UserGone)

	app.post("/oauth/token/revoke", "token", access).statusIs(t, 200)
	second := h.lookUp(app.asMachine().tokens(t).AccessToken)
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: second.GrantID}))
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []provider.EventKind
	for _, e := range h.events {
		if e.Kind == provider.EventRequest {
			continue
		}
		kinds = append(kinds, e.Kind)
		require.True(t, e.Machine, e.Kind)
		require.Empty(t, e.UserID)
		require.Equal(t, app.ID, e.ApplicationID)
	}
	require.Equal(t, []provider.EventKind{provider.EventTokenIssued, provider.EventTokenRevoked, provider.EventTokenIssued, provider.EventGrantRevoked}, kinds)
	require.Equal(t, second.GrantID, h.events[len(h.events)-1].GrantID)
}

// A list of an application's sign-ins has only users. A machine's grant is
// found and revoked by its ID, and revoked with its application.
func TestMachineGrantsAreListedByTheirIDOnly(t *testing.T) {
	h := newHost(t, withMachines)
	app := h.machine()
	access := app.asMachine().tokens(t).AccessToken
	person := app.tokens("user_ada")
	page, _, err := h.ListGrants(ctx, provider.GrantFilter{ApplicationID: app.ID}, "", 0)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Equal(t, "user_ada", page[0].UserID)
	require.False(t, page[0].Machine())

	id := h.lookUp(access).GrantID
	page, _, err = h.ListGrants(ctx, provider.GrantFilter{ID: id}, "", 0)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.True(t, page[0].Machine())
	require.Equal(t, h.clock.Now().Add(2*time.Hour).UTC().Truncate(time.Microsecond), page[0].ExpiresAt)
	page, _, err = h.ListGrants(ctx, provider.GrantFilter{ID: id, UserID: "user_ada"}, "", 0)
	require.NoError(t, err)
	require.Empty(t, page, "it is not Ada's")

	// Revoking a user's grants doesn't affect machines.
	api := h.machines(h.AllowMachines().Require())
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: id, UserID: "user_ada"}))
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada", ApplicationID: app.ID}))
	require.NoError(t, h.EraseUser(ctx, "user_grace"))
	require.NoError(t, h.EraseUser(ctx, ""))
	api(access).statusIs(t, 200)
	h.bearer("/oauth/userinfo", person.AccessToken).refused(t, 401, "invalid_token")

	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ApplicationID: app.ID}))
	api(access).refused(t, 401, "invalid_token")
	again := app.asMachine().tokens(t).AccessToken
	api(again).statusIs(t, 200)
	require.NoError(t, h.RevokeAllGrants(ctx))
	api(again).refused(t, 401, "invalid_token")
	last := app.asMachine().tokens(t).AccessToken
	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	api(last).refused(t, 401, "invalid_token")
	app.asMachine().refused(t, 401, "invalid_client")
}

// If the host removes something from an application while it requests a token,
// and then cuts it off, the token doesn't have it. That holds before and after
// each call of the store.
func TestMachineThatIsCutOffWhileItAsksGetsNothing(t *testing.T) {
	for name, end := range map[string]func(h *host, app *application) error{
		"deleted": func(h *host, app *application) error { return h.DeleteApplication(ctx, app.ID) },
		"its scopes taken, and cut off": func(h *host, app *application) error {
			_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
				s.MachineScopes = nil
				return nil
			})
			require.NoError(h.t, err)
			return h.RevokeGrants(ctx, provider.GrantFilter{ApplicationID: app.ID})
		},
		"its secret retired, and cut off": func(h *host, app *application) error {
			_, err := h.AddSecret(ctx, app.ID, time.Time{})
			require.NoError(h.t, err)
			return h.RevokeGrants(ctx, provider.GrantFilter{ApplicationID: app.ID})
		},
		"made public": func(h *host, app *application) error {
			_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
				s.Public, s.MachineScopes = true, nil
				return nil
			})
			return err
		},
	} {
		for n, step := range []string{"FindClient", "FindConsent", "FindApplication", "Create"} {
			t.Run(name+" before "+step, func(t *testing.T) {
				faulty := storetest.NewBreakable(memory.New())
				h := newHost(t, withMachines, func(c *provider.Config) { c.Store = faulty })
				app := h.machine()
				h.eventKinds()
				var steps []string
				faulty.Before(func(_ context.Context, s string) error {
					steps = append(steps, s)
					if s != step {
						return nil
					}
					faulty.Heal() // The host's own steps are none of the machine's.
					return end(h, app)
				})
				r := app.asMachine()
				require.Len(t, steps, n+1)
				if r.StatusCode == 200 {
					h.machines(h.AllowMachines().Require())(r.tokens(t).AccessToken).refused(t, 401, "invalid_token")
					return
				}
				if name == "deleted" {
					r.refused(t, 401, "invalid_client")
				}
				require.Contains(t, []int{400, 401, 503}, r.StatusCode, r.body)
			})
		}
	}
}

// In a race, no token of a deleted application works.
func TestMachinesRaceWithTheDeletionOfTheirApplication(t *testing.T) {
	h := newHost(t, withMachines)
	for range 10 {
		app := h.machine()
		got := make([]string, 16)
		atOnce(len(got), func(i int) bool {
			if i == 0 {
				return h.DeleteApplication(ctx, app.ID) == nil
			}
			var answer tokens
			_ = json.Unmarshal([]byte(app.asMachine().body), &answer)
			got[i] = answer.AccessToken
			return true
		})
		for _, token := range got {
			if token == "" {
				continue
			}
			_, err := h.AllowMachines().Verify(ctx, token)
			require.ErrorIs(t, err, provider.ErrInvalidToken)
		}
	}
}
