package clerkapi_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

func TestRevokeToken(t *testing.T) {
	a := newAdmin(t)
	app, other := a.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")}), a.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	revoke := func(app *application, token string) *reply {
		return a.call("POST", "/v1/oauth_applications/"+app.ID+"/revoke_token", `{"token":"`+token+`"}`)
	}
	for name, which := range map[string]func(tokens) string{
		"access":  func(t tokens) string { return t.AccessToken },
		"refresh": func(t tokens) string { return t.RefreshToken },
	} {
		t.Run(name, func(t *testing.T) {
			got, sibling := app.tokens("user_ada"), app.tokens("user_ada")
			a.refused(revoke(other, which(got)), 404, "resource_not_found")
			a.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
			r := revoke(app, which(got))
			require.Equal(t, 204, r.StatusCode)
			require.Empty(t, r.body)
			require.Empty(t, r.Header.Get("Content-Type"))
			a.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
			app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
			a.bearer("/api/notes", sibling.AccessToken).statusIs(t, 200)
			require.Equal(t, 204, revoke(app, which(got)).StatusCode, "it may be said again")
		})
	}
	code := app.code("user_ada")
	for _, token := range []string{"x", "oat_x", code, app.tokens("user_ada").AccessToken + "x"} {
		a.refused(revoke(app, token), 404, "resource_not_found")
	}
	app.redeem(code).tokens(t)
	path := "/v1/oauth_applications/" + app.ID + "/revoke_token"
	for body, want := range map[string][]string{
		`{}`:                       {"form_param_missing token"},
		`{"token":""}`:             {"form_param_missing token"},
		`{"token":null}`:           {"form_param_missing token"},
		`{"token":1}`:              {"form_param_value_invalid token"},
		`{"token":"x","hint":"y"}`: {"form_param_unknown hint"},
	} {
		a.refused(a.call("POST", path, body), 422, want...)
	}
}

func TestVerifyToken(t *testing.T) {
	a := newAdmin(t)
	a.clock.Set(time.Unix(1680809847, 940e6))
	app := a.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read", "profile")})
	got := app.tokens("user_ada")
	const path = "/oauth_applications/access_tokens/verify"
	verify := func(token string) map[string]any {
		return a.call("POST", path, `{"access_token":"`+token+`"}`).object(t)
	}
	shown := verify(got.AccessToken)
	require.Regexp(t, `^oat_[0-9a-f]{32}$`, shown["id"])
	want := map[string]any{
		"object": "clerk_idp_oauth_access_token", "id": shown["id"], "client_id": app.ClientID, "subject": "user_ada",
		"scopes": []any{"profile", "notes:read"}, "revoked": false, "revocation_reason": nil, "expired": false,
		"expiration": 1680809847.0 + 7200, "created_at": 1680809847.0, "updated_at": 1680809847.0,
	}
	require.Equal(t, want, shown)
	require.Equal(t, want, a.call("POST", "/v1"+path, `{"access_token":"`+got.AccessToken+`"}`).object(t))
	require.Equal(t, want, a.call("POST", "/v1"+path, `{"secret":"`+got.AccessToken+`"}`).object(t), "the older name")
	require.Equal(t, want, a.call("POST", "/v1"+path, `{"access_token":"`+got.AccessToken+`","secret":null,"unheard_of":1}`).object(t))
	next := app.refresh(got.RefreshToken).tokens(t)
	require.NotEqual(t, shown["id"], verify(next.AccessToken)["id"])

	a.clock.Add(2*time.Hour - time.Second)
	require.Equal(t, want, verify(got.AccessToken))
	a.clock.Add(time.Second)
	want["expired"] = true
	require.Equal(t, want, verify(got.AccessToken))

	a.users = userinfo.ErrNotFound
	want["revoked"], want["revocation_reason"] = true, "The user no longer exists."
	require.Equal(t, want, verify(got.AccessToken))
	a.users = errors.New("the users are on fire")
	r := a.call("POST", path, `{"access_token":"`+got.AccessToken+`"}`)
	a.refused(r, 503, "service_unavailable")
	require.NotContains(t, r.body, "fire")
	a.users = nil

	err := a.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"})
	require.NoError(t, err)
	want["revocation_reason"] = "The sign-in was revoked."
	require.Equal(t, want, verify(got.AccessToken))
	require.Equal(t, true, verify(next.AccessToken)["revoked"])

	for _, token := range []string{"x", next.RefreshToken, got.AccessToken[:len(got.AccessToken)-1], "\u0000", app.code("user_ada")} {
		for _, name := range []string{"access_token", "secret"} {
			a.refused(a.call("POST", path, `{"`+name+`":`+quote(t, token)+`}`), 404, "resource_not_found")
		}
	}
	for body, want := range map[string][]string{
		`{}`:                            {"form_param_missing access_token"},
		`{"access_token":""}`:           {"form_param_missing access_token"},
		`{"token":"x"}`:                 {"form_param_missing access_token"},
		`{"access_token":["x"]}`:        {"form_param_value_invalid access_token"},
		`{"access_token":1,"secret":2}`: {"form_param_value_invalid access_token", "form_param_value_invalid secret"},
	} {
		a.refused(a.call("POST", path, body), 422, want...)
	}
	for _, token := range []string{got.AccessToken, next.RefreshToken} {
		require.NotContains(t, a.log.String(), token)
	}
}

// The answer has no audience, so a token for another API must be refused.
func TestVerifyRefusesTokensOfResources(t *testing.T) {
	var mcp string
	a := newAdmin(t, func(c *provider.Config) {
		mcp = c.Issuer + "/mcp"
		c.Resources = []provider.Resource{{URL: mcp, Scopes: []string{"notes:read"}}}
	})
	app := a.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read", "profile")})
	verify := func(token string) *reply {
		return a.call("POST", "/v1/oauth_applications/access_tokens/verify", `{"access_token":"`+token+`"}`)
	}
	verify(app.tokens("user_ada").AccessToken).object(t)
	a.refused(verify(app.tokens("user_ada", "resource", mcp).AccessToken), 404, "resource_not_found")
}

// Clerk's API has no machines: applications can't get machine scopes there, and
// a token without a user is refused.
func TestClerkKnowsNoMachines(t *testing.T) {
	a := newAdmin(t, func(c *provider.Config) { c.Machines = &provider.Machines{} })
	for _, name := range []string{"machine_scopes", "machineScopes", "MachineScopes"} {
		for _, value := range []string{`"notes:read"`, `["notes:read"]`} {
			app := a.create(`{"name":"Reports","` + name + `":` + value + `}`)
			a.call("PATCH", a.path(app), `{"`+name+`":`+value+`}`)
			kept, err := a.FindApplication(ctx, app["id"].(string))
			require.NoError(t, err)
			require.Empty(t, kept.MachineScopes)
			a.as(app, app["client_secret"].(string)).post("/oauth/token", "grant_type", "client_credentials").refused(t, 400, "unauthorized_client")
		}
	}

	machine := a.application(provider.ApplicationSettings{MachineScopes: scopes.New("notes:read")})
	shown := a.call("PATCH", "/v1/oauth_applications/"+machine.ID, `{"name":"Nightly reports"}`).object(t)
	require.NotContains(t, shown, "machine_scopes")
	got := machine.post("/oauth/token", "grant_type", "client_credentials").tokens(t)
	a.refused(a.call("POST", "/v1/oauth_applications/access_tokens/verify", `{"access_token":"`+got.AccessToken+`"}`), 404, "resource_not_found")
	a.refused(a.call("PATCH", "/v1/oauth_applications/"+machine.ID, `{"public":true}`), 422, "form_param_value_invalid machine_scopes")
	a.call("POST", "/v1/oauth_applications/"+machine.ID+"/revoke_token", `{"token":"`+got.AccessToken+`"}`)
	_, err := a.AllowMachines().Verify(ctx, got.AccessToken)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
}

var errFire = errors.New("dial tcp: the database is on fire")

// A store that fails gives 503 in Clerk's format, and only the log has the
// cause.
func TestStoreFaults(t *testing.T) {
	broken := storetest.NewBreakable(memory.New())
	options := clerkapi.Options{StoreLogo: func(context.Context, provider.Application, string, []byte) (string, error) {
		return "https://x.example/", nil
	}}
	a := newAdminWith(t, options, func(c *provider.Config) { c.Store = broken })
	app := a.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.tokens("user_ada")
	path := "/v1/oauth_applications/" + app.ID
	picture, multipartType := logo(t, "file", []byte("GIF89a"))
	for _, tt := range []struct {
		step, method, path, body string
		header                   []string
	}{
		{"ListApplications", "GET", "/v1/oauth_applications", "", nil},
		{"CreateApplication", "POST", "/v1/oauth_applications", `{"name":"x"}`, nil},
		{"FindApplication", "GET", path, "", nil},
		{"FindApplication", "PATCH", path, `{"name":"x"}`, nil},
		{"UpdateApplication", "PATCH", path, `{"name":"x"}`, nil},
		{"FindApplication", "DELETE", path, "", nil},
		{"DeleteApplication", "DELETE", path, "", nil},
		{"FindApplication", "POST", path + "/rotate_secret", "", nil},
		{"UpdateApplication", "POST", path + "/rotate_secret", "", nil},
		{"FindApplication", "POST", path + "/revoke_token", `{"token":"` + got.AccessToken + `"}`, nil},
		{"Find", "POST", path + "/revoke_token", `{"token":"` + got.AccessToken + `"}`, nil},
		{"End", "POST", path + "/revoke_token", `{"token":"` + got.AccessToken + `"}`, nil},
		{"Find", "POST", "/v1/oauth_applications/access_tokens/verify", `{"access_token":"` + got.AccessToken + `"}`, nil},
		{"FindApplication", "POST", "/v1/oauth_applications/access_tokens/verify", `{"access_token":"` + got.AccessToken + `"}`, nil},
		{"UpdateApplication", "PUT", path + "/logo", picture, []string{"Content-Type", multipartType}},
	} {
		t.Run(tt.step+" "+tt.method+" "+tt.path, func(t *testing.T) {
			broken.Fail(errFire, tt.step)
			r := a.call(tt.method, tt.path, tt.body, tt.header...)
			a.refused(r, 503, "service_unavailable")
			require.Equal(t, "5", r.Header.Get("Retry-After"))
			require.NotContains(t, r.body, "fire")
			require.Contains(t, a.log.String(), "the database is on fire")
		})
	}
	broken.Heal()
	a.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	kept, err := a.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, app.Application, kept)

	// Deleting has two steps. If the second fails, repeating the request
	// completes it although the application no longer exists.
	broken.Fail(errFire, "CutOff")
	a.refused(a.call("DELETE", path, ""), 503, "service_unavailable")
	broken.Heal()
	a.refused(a.call("DELETE", path, ""), 404, "resource_not_found")
	a.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
}

// A confidential application gets its secret from the request that makes it
// confidential, or from the next one if that fails halfway.
func TestTurningConfidentialIsFinishedAfterAFault(t *testing.T) {
	broken := storetest.NewBreakable(memory.New())
	a := newAdmin(t, func(c *provider.Config) { c.Store = broken })
	app := a.create(`{"name":"CLI","public":true}`)
	updates := 0
	broken.Before(func(_ context.Context, step string) error {
		if step != "UpdateApplication" {
			return nil
		}
		if updates++; updates == 2 {
			return errFire
		}
		return nil
	})
	a.refused(a.call("PATCH", a.path(app), `{"public":false}`), 503, "service_unavailable")
	require.Equal(t, false, a.read(app)["public"])
	require.NotContains(t, a.call("PATCH", a.path(app), `{"name":"Server"}`).object(t), "client_secret")
	require.NotEmpty(t, a.call("PATCH", a.path(app), `{"public":false}`).object(t)["client_secret"])
	require.NotContains(t, a.call("PATCH", a.path(app), `{"public":false}`).object(t), "client_secret")
}
