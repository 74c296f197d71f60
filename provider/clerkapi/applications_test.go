package clerkapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// Every answer has every field, as at Clerk, and the secret only if it was just
// generated.
func TestApplicationObject(t *testing.T) {
	a := newAdmin(t)
	a.clock.Set(time.UnixMilli(1680809847940))
	app := a.create(`{"name":"Wiki <&> Ä"}`)
	require.Regexp(t, `^oa_[0-9A-Za-z]{27}$`, app["id"])
	require.Regexp(t, `^[0-9A-Za-z]{16}$`, app["client_id"])
	require.Regexp(t, `^ins_[0-9A-Za-z]{27}$`, app["instance_id"])
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, app["client_secret"])
	want := map[string]any{
		"object": "oauth_application", "id": app["id"], "instance_id": app["instance_id"], "client_id": app["client_id"],
		"name": "Wiki <&> Ä", "client_uri": nil, "client_image_url": nil,
		"dynamically_registered": false, "consent_screen_enabled": true, "pkce_required": false, "public": false,
		"scopes": "profile email", "redirect_uris": []any{}, "callback_url": "",
		"authorize_url": a.host.URL + "/oauth/authorize", "token_fetch_url": a.host.URL + "/oauth/token", "user_info_url": a.host.URL + "/oauth/userinfo",
		"discovery_url": a.host.URL + "/.well-known/oauth-authorization-server", "token_introspection_url": a.host.URL + "/oauth/token_info",
		"created_at": 1680809847940.0, "updated_at": 1680809847940.0, "client_secret": app["client_secret"],
	}
	require.Equal(t, want, app)
	a.bearer("/.well-known/oauth-authorization-server", "").statusIs(t, 200)

	delete(want, "client_secret")
	require.Equal(t, want, a.read(app))
	list := map[string]any{"data": []any{want}, "total_count": 1.0}
	require.Equal(t, list, a.call("GET", "/v1/oauth_applications", "").object(t))

	a.clock.Add(time.Hour)
	patched := a.call("PATCH", a.path(app), `{"scopes":"profile notes:read","redirect_uris":["https://wiki.example.com/a","https://wiki.example.com/b?x=1&y"],
		"name":"Knowledge","consent_screen_enabled":false,"pkce_required":true}`).object(t)
	for name, value := range map[string]any{
		"scopes": "profile notes:read", "redirect_uris": []any{"https://wiki.example.com/a", "https://wiki.example.com/b?x=1&y"},
		"callback_url": "https://wiki.example.com/a", "name": "Knowledge", "consent_screen_enabled": false, "pkce_required": true,
		"updated_at": 1680809847940.0 + 3600_000,
	} {
		want[name] = value
	}
	require.Equal(t, want, patched)
	require.Equal(t, want, a.read(app))

	a.clock.Add(time.Hour)
	rotated := a.call("POST", a.path(app)+"/rotate_secret", "null").object(t)
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, rotated["client_secret"])
	require.NotEqual(t, app["client_secret"], rotated["client_secret"])
	want["updated_at"], want["client_secret"] = 1680809847940.0+7200_000, rotated["client_secret"]
	require.Equal(t, want, rotated)

	deleted := a.call("DELETE", a.path(app), "null")
	require.JSONEq(t, `{"object":"oauth_application","id":"`+app["id"].(string)+`","deleted":true}`, deleted.body)
	require.Equal(t, 200, deleted.StatusCode)
	for _, method := range []string{"GET", "DELETE"} {
		a.refused(a.call(method, a.path(app), ""), 404, "resource_not_found")
	}
	require.JSONEq(t, `{"data":[],"total_count":0}`, a.call("GET", "/v1/oauth_applications", "").body)
}

// The API shows what only the host's code or a registration can set.
func TestShowsWhatTheHostMade(t *testing.T) {
	a := newAdmin(t, func(c *provider.Config) {
		c.Paths = provider.Paths{Introspect: "-", NoMetadata: true, Token: "/token"}
		c.InstanceID = "ins_acme"
	})
	app, secret, err := a.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", ClientURI: "https://wiki.example.com"})
	require.NoError(t, err)
	r := a.call("GET", "/v1/oauth_applications/"+app.ID, "")
	shown := r.object(t)
	require.NotContains(t, r.body, secret.Reveal())
	for name, want := range map[string]any{
		"instance_id": "ins_acme", "client_uri": "https://wiki.example.com", "discovery_url": "", "token_introspection_url": "", "token_fetch_url": a.host.URL + "/token",
	} {
		require.Equal(t, want, shown[name], name)
	}

	kept, err := a.store.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	kept.ID, kept.ClientID, kept.Origin = "oa_registered", "registered", store.OriginRegistration
	require.NoError(t, a.store.CreateApplication(ctx, kept))
	registered := a.call("GET", "/v1/oauth_applications/oa_registered", "").object(t)
	require.Equal(t, true, registered["dynamically_registered"])
	a.refused(a.call("PATCH", a.path(registered), `{"consent_screen_enabled":false,"name":"Other"}`), 422,
		"oauth_application_consent_screen_cannot_be_disabled consent_screen_enabled")
	require.Equal(t, registered, a.read(registered))
	require.Equal(t, "Other", a.call("PATCH", a.path(registered), `{"consent_screen_enabled":true,"name":"Other"}`).object(t)["name"])
}

func TestCreate(t *testing.T) {
	a := newAdmin(t)
	uri := "https://wiki.example.com/callback"
	name := strings.Repeat("ä", 256)
	long := uri + "?" + strings.Repeat("x", 1023-len(uri))
	for _, tt := range []struct {
		name, body string
		want       map[string]any
	}{
		{"callback_url", `{"name":"x","callback_url":"` + uri + `"}`, map[string]any{"callback_url": uri, "redirect_uris": []any{uri}}},
		{"redirect_uris", `{"name":"x","redirect_uris":["` + uri + `","http://localhost:1/"]}`,
			map[string]any{"callback_url": uri, "redirect_uris": []any{uri, "http://localhost:1/"}}},
		{"both", `{"name":"x","callback_url":"` + uri + `","redirect_uris":["` + uri + `","http://localhost:1/"]}`,
			map[string]any{"callback_url": uri, "redirect_uris": []any{uri, "http://localhost:1/"}}},
		{"what the Go SDK sends when nothing is set", `{"name":"x","callback_url":"","scopes":"","public":false,"consent_screen_enabled":null}`,
			map[string]any{"callback_url": "", "redirect_uris": []any{}, "scopes": "profile email", "public": false, "consent_screen_enabled": true}},
		{"null", `{"name":"x","callback_url":null,"redirect_uris":null,"scopes":null,"public":null,"consent_screen_enabled":null,"pkce_required":null}`,
			map[string]any{"redirect_uris": []any{}, "scopes": "profile email", "public": false, "consent_screen_enabled": true, "pkce_required": false}},
		{"unknown parameters", `{"name":"x","unheard_of":{"a":[1]},"instance_id":"ins_mine","id":"oa_mine","client_id":"mine","dynamically_registered":true}`,
			map[string]any{"dynamically_registered": false}},
		{"no consent page", `{"name":"x","consent_screen_enabled":false}`, map[string]any{"consent_screen_enabled": false}},
		{"PKCE", `{"name":"x","pkce_required":true}`, map[string]any{"pkce_required": true, "public": false}},
		{"public", `{"name":"x","public":true,"redirect_uris":["myapp:/callback"]}`,
			map[string]any{"public": true, "pkce_required": true, "callback_url": "myapp:/callback", "client_secret": ""}},
		{"public with PKCE", `{"name":"x","public":true,"pkce_required":true}`, map[string]any{"public": true, "pkce_required": true}},
		{"scopes", `{"name":"x","scopes":"profile notes:read openid"}`, map[string]any{"scopes": "profile notes:read"}},
		{"the longest", `{"name":"` + name + `","redirect_uris":["` + long + `"]}`, map[string]any{"name": name, "callback_url": long}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := a.create(tt.body)
			for field, want := range tt.want {
				require.Equal(t, want, app[field], field)
			}
			require.Contains(t, app, "client_secret")
			require.NotContains(t, []any{"oa_mine", "mine", "ins_mine"}, app["id"], app["client_id"], app["instance_id"])
			delete(app, "client_secret")
			require.Equal(t, app, a.read(app))
		})
	}
}

// An application made by the API works, and a public one needs no secret.
func TestMadeApplicationsWork(t *testing.T) {
	a := newAdmin(t)
	for _, body := range []string{`{"name":"x","callback_url":"` + callback + `"}`, `{"name":"x","public":true,"redirect_uris":["` + callback + `"]}`} {
		app := a.create(body)
		client := a.as(app, app["client_secret"].(string))
		a.bearer("/oauth/userinfo", client.tokens("user_ada").AccessToken).statusIs(t, 200)
	}
}

func TestUpdate(t *testing.T) {
	a := newAdmin(t)
	const one, two, three = "https://x.example/1", "https://x.example/2", "https://x.example/3"
	for _, tt := range []struct {
		name, body string
		want       map[string]any
	}{
		{"nothing", `{}`, nil},
		{"null", `{"name":null,"callback_url":null,"redirect_uris":null,"scopes":null,"public":null,"consent_screen_enabled":null,"pkce_required":null}`, nil},
		{"name", `{"name":"y"}`, map[string]any{"name": "y"}},
		{"callback_url takes the place of the first", `{"callback_url":"` + three + `"}`, map[string]any{"callback_url": three, "redirect_uris": []any{three, two}}},
		{"callback_url that is the first", `{"callback_url":"` + one + `"}`, nil},
		{"callback_url that is another", `{"callback_url":"` + two + `"}`, map[string]any{"callback_url": two, "redirect_uris": []any{two}}},
		{"empty, which is not set", `{"callback_url":"","scopes":""}`, nil},
		{"redirect_uris", `{"redirect_uris":["` + three + `"]}`, map[string]any{"callback_url": three, "redirect_uris": []any{three}}},
		{"no redirect_uris", `{"redirect_uris":[]}`, map[string]any{"callback_url": "", "redirect_uris": []any{}}},
		{"both", `{"redirect_uris":["` + three + `","` + two + `"],"callback_url":"` + three + `"}`, map[string]any{"callback_url": three, "redirect_uris": []any{three, two}}},
		{"scopes", `{"scopes":"email"}`, map[string]any{"scopes": "email"}},
		{"the same kind", `{"public":false}`, nil},
		{"PKCE", `{"pkce_required":true}`, map[string]any{"pkce_required": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := a.create(`{"name":"x","redirect_uris":["` + one + `","` + two + `"]}`)
			want := a.read(app)
			for field, value := range tt.want {
				want[field] = value
			}
			a.clock.Add(time.Second)
			got := a.call("PATCH", a.path(app), tt.body).object(t)
			want["updated_at"] = got["updated_at"]
			require.Equal(t, want, got)
			require.Equal(t, want, a.read(app))
		})
	}
}

func TestList(t *testing.T) {
	a := newAdmin(t)
	require.JSONEq(t, `{"data":[],"total_count":0}`, a.call("GET", "/v1/oauth_applications", "").body)
	var clientID string
	for i := range 12 {
		a.clock.Add(time.Second)
		// The order of names is the reverse of the order of times.
		app := a.create(fmt.Sprintf(`{"name":"App %c"}`, 'L'-rune(i)))
		if i == 3 {
			clientID = app["client_id"].(string)
		}
	}
	a.clock.Add(time.Second)
	a.create(`{"name":"50% off_"}`)
	names := func(query string) (string, float64) {
		answer := a.call("GET", "/v1/oauth_applications"+query, "").object(t)
		require.Len(t, answer, 2)
		var names strings.Builder
		for _, app := range answer["data"].([]any) {
			names.WriteString(strings.TrimPrefix(app.(map[string]any)["name"].(string), "App "))
		}
		return names.String(), answer["total_count"].(float64)
	}
	for _, tt := range []struct {
		query, want string
		total       float64
	}{
		{"", "50% off_ABCDEFGHI", 13},
		{"?offset=10", "JKL", 13},
		{"?limit=4&offset=0", "50% off_ABC", 13},
		{"?limit=4&offset=11", "KL", 13},
		{"?limit=500&offset=13", "", 13},
		{"?limit=1&offset=2147483647", "", 13},
		{"?limit=3&order_by=created_at", "LKJ", 13},
		{"?limit=3&order_by=%2Bcreated_at", "LKJ", 13},
		{"?limit=3&order_by=+created_at", "LKJ", 13},
		{"?limit=3&order_by=-created_at", "50% off_AB", 13},
		{"?limit=3&order_by=name", "50% off_AB", 13},
		{"?limit=3&order_by=%2Bname", "50% off_AB", 13},
		{"?limit=3&order_by=+name", "50% off_AB", 13},
		{"?limit=3&order_by=-name", "LKJ", 13},
		{"?limit=3&order_by=-name,%2Bcreated_at", "LKJ", 13},
		{"?limit=3&order_by=name,nonsense", "50% off_AB", 13},
		{"?limit=3&order_by=-name&order_by=name", "LKJ", 13},
		{"?limit=&offset=&order_by=&name_query=", "50% off_ABCDEFGHI", 13},
		{"?name_query=app+&limit=2", "AB", 12},
		{"?name_query=aPP%20c", "C", 1},
		{"?name_query=%25", "50% off_", 1},
		{"?name_query=_", "50% off_", 1},
		{"?name_query=nothing", "", 0},
		{"?name_query=" + clientID, "I", 1},
		{"?name_query=" + clientID[:15], "", 0},
		{"?unheard_of=1&limit=1", "50% off_", 13},
	} {
		t.Run(tt.query, func(t *testing.T) {
			got, total := names(tt.query)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.total, total)
		})
	}
	for _, tt := range []struct{ query, want string }{
		{"limit=0", "form_param_value_invalid limit"},
		{"limit=501", "form_param_value_invalid limit"},
		{"limit=-1", "form_param_value_invalid limit"},
		{"limit=+1", "form_param_value_invalid limit"},
		{"limit=ten", "form_param_value_invalid limit"},
		{"limit=1e1", "form_param_value_invalid limit"},
		{"limit=99999999999999999999", "form_param_value_invalid limit"},
		{"offset=-1", "form_param_value_invalid offset"},
		{"offset=2147483648", "form_param_value_invalid offset"},
		{"order_by=id", "form_param_value_invalid order_by"},
		{"order_by=,name", ""},
		{"order_by=--name", "form_param_value_invalid order_by"},
		{"order_by=%2B%2Bname", "form_param_value_invalid order_by"},
		{"name_query=%00", "form_param_value_invalid name_query"},
		{"name_query=%ff", "form_param_value_invalid name_query"},
		{"name_query=" + strings.Repeat("x", 1025), "form_param_value_invalid name_query"},
	} {
		t.Run(tt.query, func(t *testing.T) {
			r := a.call("GET", "/v1/oauth_applications?"+tt.query, "")
			if tt.want == "" {
				r.object(t)
				return
			}
			a.refused(r, 422, tt.want)
		})
	}
	a.refused(a.call("GET", "/v1/oauth_applications?limit=0&offset=x&order_by=z&name_query=%00", ""), 422, "form_param_value_invalid limit",
		"form_param_value_invalid offset", "form_param_value_invalid name_query", "form_param_value_invalid order_by")
	// Ignoring an invalid part would list all applications.
	a.refused(a.call("GET", "/v1/oauth_applications?name_query=%zz", ""), 422, "form_param_format_invalid query")
}

// Rotating disables the old secret for the next request, and nothing else.
func TestRotateSecret(t *testing.T) {
	a := newAdmin(t)
	app := a.create(`{"name":"Wiki","callback_url":"` + callback + `","scopes":"notes:read"}`)
	before := a.as(app, app["client_secret"].(string))
	got, code := before.tokens("user_ada"), before.code("user_ada")
	// An overlap in progress ends too.
	overlapping, err := a.AddSecret(ctx, before.ID, a.clock.Now().Add(time.Hour))
	require.NoError(t, err)
	before.redeem(before.code("user_ada")).tokens(t)

	rotated := a.call("POST", a.path(app)+"/rotate_secret", "").object(t)
	after := a.as(app, rotated["client_secret"].(string))
	for _, old := range []string{before.secret, overlapping.Reveal()} {
		old := &application{before.Application, old, a}
		old.redeem(code).refused(t, 401, "invalid_client")
		old.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
		old.post("/oauth/token_info", "token", got.AccessToken).refused(t, 401, "invalid_client")
		old.post("/oauth/token/revoke", "token", got.AccessToken).refused(t, 401, "invalid_client")
	}
	after.redeem(code).tokens(t)
	a.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	after.refresh(got.RefreshToken).tokens(t)
	kept, err := a.FindApplication(ctx, before.ID)
	require.NoError(t, err)
	require.Len(t, kept.Secrets, 1)

	public := a.create(`{"name":"CLI","public":true}`)
	r := a.call("POST", a.path(public)+"/rotate_secret", "")
	a.refused(r, 422, "form_public_client_requires_pkce public")
	require.NotContains(t, r.body, "client_secret")
	require.Equal(t, public["updated_at"], a.read(public)["updated_at"])
}

// Deleting takes effect with the next request, at every endpoint.
func TestDelete(t *testing.T) {
	a := newAdmin(t, func(c *provider.Config) { c.Introspection = provider.BearerKey("resource server") })
	app := a.create(`{"name":"Wiki","callback_url":"` + callback + `","scopes":"profile notes:read"}`)
	client, other := a.as(app, app["client_secret"].(string)), a.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got, code, kept := client.tokens("user_ada"), client.code("user_ada"), other.tokens("user_ada")
	page := a.open(client.request("prompt", "consent"))
	page.statusIs(t, 200)
	ask := func(token string) string {
		return a.post("/oauth/token_info", http.Header{"Authorization": {"Bearer resource server"}}, "token", token).body
	}
	require.Contains(t, ask(got.AccessToken), `"active":true`)

	a.call("DELETE", a.path(app), "").object(t)
	client.redeem(code).refused(t, 401, "invalid_client")
	client.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
	client.post("/oauth/token_info", "token", got.AccessToken).refused(t, 401, "invalid_client")
	client.post("/oauth/token/revoke", "token", got.AccessToken).refused(t, 401, "invalid_client")
	a.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
	a.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	for _, token := range []string{got.AccessToken, got.RefreshToken} {
		require.JSONEq(t, `{"active":false}`, ask(token))
	}
	a.open(client.request()).errorPage(t, 400)
	a.allow(page).errorPage(t, 400)
	a.refused(a.call("POST", "/v1/oauth_applications/access_tokens/verify", `{"access_token":"`+got.AccessToken+`"}`), 404, "resource_not_found")
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"DELETE", "", ""}, {"PATCH", "", `{"name":"x"}`}, {"POST", "/rotate_secret", ""}, {"POST", "/revoke_token", `{"token":"x"}`},
	} {
		a.refused(a.call(tt.method, a.path(app)+tt.path, tt.body), 404, "resource_not_found")
	}
	a.bearer("/api/notes", kept.AccessToken).statusIs(t, 200)
}

// Changing between public and confidential removes or makes the secret, and
// revokes what was issued.
func TestSwitchingPublic(t *testing.T) {
	a := newAdmin(t)
	app := a.create(`{"name":"Wiki","callback_url":"` + callback + `","scopes":"notes:read"}`)
	confidential := a.as(app, app["client_secret"].(string))
	got, code := confidential.tokens("user_ada"), confidential.code("user_ada")

	public := a.call("PATCH", a.path(app), `{"public":true}`).object(t)
	require.Equal(t, true, public["public"])
	require.Equal(t, true, public["pkce_required"])
	require.NotContains(t, public, "client_secret")
	a.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	confidential.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
	client := a.as(app, "")
	client.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	client.post("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier).refused(t, 400, "invalid_grant")
	got, code = client.tokens("user_ada"), client.code("user_ada")

	again := a.call("PATCH", a.path(app), `{"public":true,"name":"Still public"}`).object(t)
	require.NotContains(t, again, "client_secret")
	a.bearer("/api/notes", got.AccessToken).statusIs(t, 200)

	back := a.call("PATCH", a.path(app), `{"public":false,"pkce_required":false}`).object(t)
	require.Equal(t, false, back["public"])
	require.Equal(t, false, back["pkce_required"])
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, back["client_secret"])
	require.NotEqual(t, app["client_secret"], back["client_secret"])
	a.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	client.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
	client.redeem(code).refused(t, 401, "invalid_client")
	confidential.redeem(code).refused(t, 401, "invalid_client")
	client = a.as(app, back["client_secret"].(string))
	client.redeem(code, "code_verifier", verifier).refused(t, 400, "invalid_grant")
	a.bearer("/api/notes", client.tokens("user_ada").AccessToken).statusIs(t, 200)
	require.NotContains(t, a.call("PATCH", a.path(app), `{"public":false}`).object(t), "client_secret")
}

// Parallel creations, changes, and rotations lose nothing.
func TestAtOnce(t *testing.T) {
	a := newAdmin(t)
	app := a.create(`{"name":"Wiki"}`)
	done := make(chan *reply)
	for i := range 16 {
		go func() {
			switch i % 4 {
			case 0:
				done <- a.call("PATCH", a.path(app), fmt.Sprintf(`{"name":"Wiki %d"}`, i))
			case 1:
				done <- a.call("POST", a.path(app)+"/rotate_secret", "")
			case 2:
				done <- a.call("PATCH", a.path(app), `{"redirect_uris":["`+callback+`"]}`)
			default:
				done <- a.call("POST", "/v1/oauth_applications", `{"name":"Other"}`)
			}
		}()
	}
	for range 16 {
		(<-done).statusIs(t, 200)
	}
	got := a.read(app)
	require.Contains(t, got["name"], "Wiki ")
	require.Equal(t, callback, got["callback_url"])
	var list struct {
		Total int `json:"total_count"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.call("GET", "/v1/oauth_applications?limit=1&name_query="+url.QueryEscape("other"), "").body), &list))
	require.Equal(t, 4, list.Total)
}

// registration sends a request to the registration endpoint, or about a client.
func (a *admin) registration(method, clientID, token, body string) *reply {
	a.t.Helper()
	r, err := http.NewRequest(method, strings.TrimSuffix(a.Endpoints().Register+"/"+clientID, "/"), strings.NewReader(body))
	require.NoError(a.t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return send(a.t, hosttest.Program, r)
}

func TestManagesSelfRegisteredApplications(t *testing.T) {
	a := newAdmin(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	registered := a.registration("POST", "", "", `{"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none","client_name":"Agent"}`)
	registered.statusIs(t, 201)
	var client struct {
		ID    string `json:"client_id"`
		Token string `json:"registration_access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(registered.body), &client))
	app, err := a.FindClient(ctx, client.ID)
	require.NoError(t, err)
	a.application(provider.ApplicationSettings{})
	listed := a.call("GET", "/v1/oauth_applications?name_query=Agent", "").object(t)
	require.EqualValues(t, 1, listed["total_count"])
	shown := listed["data"].([]any)[0].(map[string]any)
	require.Equal(t, app.ID, shown["id"])
	require.Equal(t, true, shown["dynamically_registered"])
	require.Equal(t, true, shown["consent_screen_enabled"])
	require.Equal(t, true, shown["pkce_required"])
	require.Equal(t, true, shown["public"])

	a.refused(a.call("PATCH", a.path(shown), `{"consent_screen_enabled":false}`), 422, "oauth_application_consent_screen_cannot_be_disabled consent_screen_enabled")
	a.refused(a.call("PATCH", a.path(shown), `{"public":false,"pkce_required":false}`), 422, "form_param_value_invalid pkce_required")
	patched := a.call("PATCH", a.path(shown), `{"name":"Known agent","public":false,"pkce_required":true}`).object(t)
	require.Equal(t, "Known agent", patched["name"])
	require.NotEmpty(t, patched["client_secret"])
	mine := a.registration("GET", client.ID, client.Token, "").object(t)
	require.Equal(t, "Known agent", mine["client_name"])
	require.Equal(t, "client_secret_basic", mine["token_endpoint_auth_method"])

	a.call("DELETE", a.path(shown), "").statusIs(t, 200)
	a.registration("GET", client.ID, client.Token, "").refused(t, 401, "invalid_token")
}
