package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// withResources gives a host an MCP server and a second API.
func withResources(c *provider.Config) {
	c.Scopes = append(c.Scopes, scopes.Scope{Name: "notes:write", Title: "Change your notes"})
	c.Resources = []provider.Resource{
		{URL: c.Issuer + "/mcp", Name: "Acme for agents", Scopes: []string{"notes:read", "notes:write"}},
		{URL: c.Issuer + "/reports"},
	}
}

const allScopes = "profile notes:read notes:write"

// challenged returns the parts of a challenge that a client acts on.
func (r *reply) challenged(t testing.TB, status int, parts ...string) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
	for _, part := range parts {
		require.Contains(t, r.Header.Get("WWW-Authenticate"), part)
	}
}

// RFC 8707 section 2: a token for a resource works there and nowhere else.
func TestTokenForAResource(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	mcp := app.tokens("user_ada", "resource", h.url+"/mcp")
	reports := app.tokens("user_ada", "resource", h.url+"/reports")
	unbound := app.tokens("user_ada")

	works := func(path, token string) {
		t.Helper()
		h.bearer(path, token).statusIs(t, 200)
	}
	refused := func(path, token string) {
		t.Helper()
		h.bearer(path, token).refused(t, 401, "invalid_token")
	}
	works("/mcp", mcp.AccessToken)
	refused("/mcp", reports.AccessToken)
	refused("/mcp", unbound.AccessToken)
	works("/reports", reports.AccessToken)
	refused("/reports", mcp.AccessToken)
	works("/api/notes", unbound.AccessToken)
	refused("/api/notes", mcp.AccessToken)
	refused("/api/notes", reports.AccessToken)
	works("/oauth/userinfo", unbound.AccessToken)
	refused("/oauth/userinfo", mcp.AccessToken)

	ctx := context.Background()
	_, err := h.Verify(ctx, mcp.AccessToken)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
	token, err := h.Resource(h.url+"/mcp").Verify(ctx, mcp.AccessToken, "notes:read")
	require.NoError(t, err)
	require.Equal(t, h.url+"/mcp", token.Resource)
	_, err = h.Resource(h.url+"/reports").Verify(ctx, mcp.AccessToken)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
	_, err = h.Resource(h.url+"/mcp").Verify(ctx, unbound.AccessToken)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
}

// RFC 8707 section 2.2: a refresh token gives tokens for the resource of its
// grant, and for no other.
func TestResourceOnTheTokenEndpoint(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	mcp, reports := h.url+"/mcp", h.url+"/reports"

	code := app.code("user_ada", "resource", mcp)
	app.redeem(code, "resource", reports).refused(t, 400, "invalid_target")
	app.redeem(code, "resource", "https://elsewhere.example.com").refused(t, 400, "invalid_target")
	first := app.redeem(code, "resource", mcp).tokens(t) // The refusals have spent nothing.
	h.bearer("/mcp", first.AccessToken).statusIs(t, 200)

	app.refresh(first.RefreshToken, "resource", reports).refused(t, 400, "invalid_target")
	second := app.refresh(first.RefreshToken).tokens(t)
	h.bearer("/mcp", second.AccessToken).statusIs(t, 200)
	third := app.refresh(second.RefreshToken, "resource", mcp).tokens(t)
	h.bearer("/mcp", third.AccessToken).statusIs(t, 200)
	h.bearer("/api/notes", third.AccessToken).refused(t, 401, "invalid_token")

	// A grant for no resource gives no tokens for one: its user was not asked.
	unbound := app.code("user_ada")
	app.redeem(unbound, "resource", mcp).refused(t, 400, "invalid_target")
	whole := app.redeem(unbound).tokens(t) // Nothing was spent.
	app.refresh(whole.RefreshToken, "resource", mcp).refused(t, 400, "invalid_target")
	last := app.refresh(whole.RefreshToken).tokens(t)
	app.refresh(whole.RefreshToken, "resource", mcp).refused(t, 400, "invalid_target") // nor do they as a retry,
	app.refresh(whole.RefreshToken).tokens(t)                                          // which this is again.
	h.bearer("/api/notes", last.AccessToken).statusIs(t, 200)
	app.redeem(unbound, "resource", mcp).refused(t, 400, "invalid_grant") // A thief who names one is noticed.
	h.bearer("/api/notes", last.AccessToken).refused(t, 401, "invalid_token")
	foreign := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	foreign.redeem(app.code("user_ada"), "resource", mcp).refused(t, 400, "invalid_grant")
}

// RFC 8707 section 2: what names no known resource is invalid_target.
func TestInvalidTarget(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	b := h.browser()
	b.signIn("user_ada")
	for _, resource := range []string{
		"https://elsewhere.example.com/mcp", h.url, h.url + "/", h.url + "/mcp//", h.url + "/MCP", h.url + "/mcp#x", h.url + "/mcp/..", h.url + "/x/..%2fmcp",
		h.url + "//mcp", h.url + "/mcp ", "mcp", "/mcp", "urn:mcp", strings.Replace(h.url, "//", "//user@", 1) + "/mcp", h.url + "/mcp\\",
	} {
		answer := b.get(app.request("resource", resource)).redirected(t)
		require.Equal(t, "invalid_target", answer.Get("error"), resource)
		require.NotEmpty(t, answer.Get("state"))
	}
	for _, twice := range []string{"/mcp", "/reports"} {
		answer := b.get(app.request("resource", h.url+"/mcp") + "&resource=" + h.url + twice).redirected(t)
		require.Equal(t, "invalid_target", answer.Get("error"))
	}
	form := app.code("user_ada")
	reply := h.send("POST", "/oauth/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		"grant_type=authorization_code&code="+form+"&client_id="+app.ClientID+"&client_secret="+app.secret+"&redirect_uri="+callback+
			"&resource="+h.url+"/mcp&resource="+h.url+"/reports")
	reply.refused(t, 400, "invalid_target")
}

// RFC 3986 section 6.2.2: clients write a URL in ways of their own. Tokens carry
// the one of the Config.
func TestResourceInOtherSpellings(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	for _, named := range []string{"/mcp/", "/mcp?x=1", "/mcp/?", "/%6Dcp", "/./mcp", "/x/%2e%2e/mcp", "/mcp"} {
		for _, host := range []string{h.url, strings.Replace(h.url, "http", "HTTP", 1)} {
			got := app.tokens("user_ada", "resource", host+named)
			token, err := h.Resource(h.url+"/mcp").Verify(context.Background(), got.AccessToken)
			require.NoError(t, err, named)
			require.Equal(t, h.url+"/mcp", token.Resource)
			again := app.refresh(got.RefreshToken, "resource", h.url+"/mcp").tokens(t)
			app.refresh(again.RefreshToken, "resource", host+named).tokens(t)
		}
	}
}

// Clients that parse a URL and write it again end one without a path with a
// slash.
func TestResourceWithoutAPath(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Resources = []provider.Resource{{URL: c.Issuer}} })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	for _, named := range []string{h.url, h.url + "/"} {
		got := app.tokens("user_ada", "resource", named)
		token, err := h.Resource(h.url).Verify(context.Background(), got.AccessToken)
		require.NoError(t, err)
		require.Equal(t, h.url, token.Resource)
		app.refresh(got.RefreshToken, "resource", named).tokens(t)
	}
	document := h.send("GET", "/.well-known/oauth-protected-resource", nil, "")
	require.Contains(t, document.body, `"resource":"`+h.url+`"`)
}

// Many clients always send resource, so it means nothing where no resource is
// configured.
func TestResourceIsIgnoredWhereThereAreNone(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.redeem(app.code("user_ada", "resource", "https://elsewhere.example.com"), "resource", "x").tokens(t)
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	app.refresh(got.RefreshToken, "resource", "y").tokens(t)
	b := h.browser()
	b.signIn("user_ada")
	require.Empty(t, b.authorize(app.request()+"&resource=a&resource=b").Get("error"))
	h.send("GET", "/.well-known/oauth-protected-resource", nil, "").nothing(t)
	require.NotContains(t, h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, "protected_resources")
}

// An agent that does not know of resources gets tokens for the one that there
// is, or that the host has named, and not for the host's whole API.
func TestDefaultResourceOfStrangers(t *testing.T) {
	one := func(c *provider.Config) {
		withResources(c)
		c.Resources = c.Resources[:1]
	}
	for name, tt := range map[string]struct {
		edit  []func(*provider.Config)
		wants string // path of the resource; empty: none
	}{
		"exactly one": {[]func(*provider.Config){one}, "/mcp"},
		"several":     {[]func(*provider.Config){withResources}, ""},
		"none":        {nil, ""},
		"named": {[]func(*provider.Config){withResources, func(c *provider.Config) {
			c.Registration.Resource, c.ClientIDDocuments.Resource = c.Issuer+"/reports", c.Issuer+"/reports"
		}}, "/reports"},
		"one by name": {[]func(*provider.Config){one, func(c *provider.Config) { c.Registration.Resource = c.Issuer + "/mcp" }}, "/mcp"},
	} {
		t.Run(name, func(t *testing.T) {
			edits := []func(*provider.Config){func(c *provider.Config) {
				c.Registration, c.DeviceAuthorization = &provider.Registration{}, &provider.DeviceAuthorization{}
			}}
			h, _, documented := newDocumentHost(t, append(edits, tt.edit...)...)
			registered, _ := h.clientOf(h.register(strings.TrimSuffix(native, "}") + `,"scope":"profile","grant_types":["` + grantDevice + `","authorization_code"]}`))
			tv := h.application(provider.ApplicationSettings{Public: true, Scopes: scopes.New("notes:read")})
			works := func(access string, wants string) {
				t.Helper()
				for _, path := range []string{"/mcp", "/reports", "/api/notes"} {
					want := 401
					if path == wants || path == "/api/notes" && wants == "" {
						want = 200
					}
					if r := h.bearer(path, access); r.body != "the host's own page" {
						require.Equal(t, want, r.StatusCode, path)
					}
				}
			}
			for _, app := range []*application{registered, documented} {
				got := app.tokens("user_ada", "scope", "notes:read")
				works(got.AccessToken, tt.wants)
				works(app.refresh(got.RefreshToken).tokens(t).AccessToken, tt.wants)
				if tt.wants != "" {
					works(app.redeem(app.code("user_ada", "scope", "notes:read"), "resource", h.url+tt.wants).tokens(t).AccessToken, tt.wants)
				}
			}
			d := registered.device("scope", "notes:read")
			h.signedIn("user_ada").decide(d, "allow")
			works(d.poll().tokens(t).AccessToken, tt.wants)

			// What it asks for it gets, and those of the host's own get what they ask for.
			if tt.wants == "/reports" {
				works(registered.tokens("user_ada", "scope", "notes:read", "resource", h.url+"/mcp").AccessToken, "/mcp")
			}
			works(tv.tokens("user_ada").AccessToken, "")
			if tt.wants == "/mcp" {
				require.Equal(t, "notes:read notes:write", registered.tokens("user_ada").Scope, "its own scopes mean nothing there")
			}
		})
	}

	_, err := provider.New(provider.Config{Issuer: "https://app.example.com", Resources: []provider.Resource{{URL: "https://app.example.com/mcp"}},
		Registration: &provider.Registration{Resource: "https://app.example.com/api"}, ClientIDDocuments: &provider.ClientIDDocuments{Resource: "mcp"}})
	require.ErrorContains(t, err, `Config.Registration.Resource is "https://app.example.com/api": give the URL of one of Config.Resources`)
	require.ErrorContains(t, err, `Config.ClientIDDocuments.Resource is "mcp"`)
}

// nothing checks that no endpoint answered, but the host's page for everything
// else.
func (r *reply) nothing(t testing.TB) {
	t.Helper()
	require.Equal(t, "the host's own page", r.body)
}

// RFC 9728 sections 2 and 3.1: each resource has a document, at its path behind
// the well-known one.
func TestProtectedResourceMetadata(t *testing.T) {
	h := newHost(t, withResources)
	for path, want := range map[string]map[string]any{
		"/mcp": {
			"resource": h.url + "/mcp", "authorization_servers": []any{h.url}, "scopes_supported": []any{"notes:read", "notes:write"},
			"bearer_methods_supported": []any{"header"}, "resource_name": "Acme for agents",
		},
		"/reports": {
			"resource": h.url + "/reports", "authorization_servers": []any{h.url},
			"scopes_supported":         []any{"profile", "email", "public_metadata", "private_metadata", "notes:read", "notes:write"},
			"bearer_methods_supported": []any{"header"},
		},
	} {
		r := h.send("GET", "/.well-known/oauth-protected-resource"+path, nil, "")
		r.statusIs(t, 200)
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.body), &got))
		require.Equal(t, want, got)
	}
	h.send("GET", "/.well-known/oauth-protected-resource", nil, "").nothing(t)
	h.send("GET", "/.well-known/oauth-protected-resource/api", nil, "").nothing(t)

	// RFC 9728 section 4: the authorization server names its resources.
	var server map[string]any
	require.NoError(t, json.Unmarshal([]byte(h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body), &server))
	require.Equal(t, []any{h.url + "/mcp", h.url + "/reports"}, server["protected_resources"])
}

// A resource on another host has its document there, where the host mounts it.
func TestResourceOnAnotherHost(t *testing.T) {
	const api = "https://api.example.com/v1"
	h := newHost(t, func(c *provider.Config) { c.Resources = []provider.Resource{{URL: api}} })
	for _, r := range h.Routes() {
		require.NotContains(t, r.Path, "protected-resource")
	}
	resource := h.Resource(api)
	require.Equal(t, "https://api.example.com/.well-known/oauth-protected-resource/v1", resource.MetadataURL())
	server := httptest.NewServer(resource.MetadataHandler())
	defer server.Close()
	request, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	require.Contains(t, send(t, http.DefaultClient, request).body, `"resource":"`+api+`"`)
}

// RFC 9728 section 5.1: a refusal says where the metadata is and which scopes to
// ask for. RFC 6750 section 3.1: without a token there is no error.
func TestChallengeOfAResource(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	metadata := `resource_metadata="` + h.url + `/.well-known/oauth-protected-resource/mcp"`
	realm := `Bearer realm="` + h.url + `", ` + metadata

	none := h.send("GET", "/mcp", nil, "")
	require.Equal(t, 401, none.StatusCode)
	require.Equal(t, realm+`, scope="notes:read"`, none.Header.Get("WWW-Authenticate"))
	h.bearer("/mcp", "unknown").challenged(t, 401, realm, `scope="notes:read"`, `error="invalid_token"`)
	other := app.tokens("user_ada", "resource", h.url+"/reports")
	h.bearer("/mcp", other.AccessToken).challenged(t, 401, realm, `scope="notes:read"`, `error="invalid_token"`)

	// Step-up: what the token has is asked for again, or the next one would
	// lack it.
	lacking := app.tokens("user_ada", "resource", h.url+"/mcp", "scope", "notes:write")
	stepUp := h.bearer("/mcp", lacking.AccessToken)
	stepUp.challenged(t, 403, realm, `error="insufficient_scope"`, `scope="notes:read notes:write"`)
	require.NotContains(t, stepUp.Header.Get("WWW-Authenticate"), `scope="notes:read",`)

	// The guard of the host's whole API has no such document.
	require.NotContains(t, h.send("GET", "/api/notes", nil, "").Header.Get("WWW-Authenticate"), "resource_metadata")
}

// An application that asks for no scope is given those that the resource
// understands.
func TestDefaultScopesOfAResource(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	require.Equal(t, "notes:read notes:write", app.tokens("user_ada", "resource", h.url+"/mcp").Scope)
	require.Equal(t, allScopes, sorted(app.tokens("user_ada", "resource", h.url+"/reports").Scope))
	require.Equal(t, allScopes, sorted(app.tokens("user_ada").Scope))
	require.Equal(t, "profile", app.tokens("user_ada", "resource", h.url+"/mcp", "scope", "profile").Scope)
}

func sorted(scope string) string {
	set, err := scopes.Parse(scope)
	if err != nil {
		return err.Error()
	}
	if set.Equal(scopes.New("profile", "notes:read", "notes:write")) {
		return allScopes
	}
	return scope
}

// What was agreed for one resource is not agreed for another.
func TestConsentIsForAResource(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	b := h.browser()
	b.signIn("user_ada")
	asked := func(changes ...string) bool {
		t.Helper()
		page := b.get(app.request(append([]string{"scope", "notes:read"}, changes...)...))
		if page.StatusCode != http.StatusOK {
			page.redirected(t)
			return false
		}
		b.answer(page, "allow").redirected(t)
		return true
	}
	require.True(t, asked())
	require.False(t, asked())
	require.True(t, asked("resource", h.url+"/mcp"))
	require.False(t, asked("resource", h.url+"/mcp"))
	require.True(t, asked("resource", h.url+"/reports"))
	for range 2 {
		require.False(t, asked(), "each is remembered")
		require.False(t, asked("resource", h.url+"/mcp"))
	}

	page := b.get(app.request("resource", h.url+"/mcp", "prompt", "consent"))
	require.Contains(t, page.text(), "This is for Acme for agents only.")
	require.Contains(t, b.get(app.request("resource", h.url+"/reports", "prompt", "consent")).text(), "This is for "+h.url+"/reports only.")
	require.NotContains(t, b.get(app.request("prompt", "consent")).text(), "This is for")

	// The form is for the resource that its page showed.
	form := page.form(t, "allow")
	alter(form, "resource", h.url+"/reports")
	b.post("/oauth/authorize", form).errorPage(t, 403, "Your answer does not belong")
}

// RFC 7662 section 2.2: introspection says what a token is for.
func TestIntrospectionSaysTheAudience(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	audience := func(token string) any {
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(app.post("/oauth/token_info", "token", token).body), &got))
		require.Equal(t, true, got["active"])
		return got["aud"]
	}
	bound := app.tokens("user_ada", "resource", h.url+"/mcp")
	require.Equal(t, h.url+"/mcp", audience(bound.AccessToken))
	require.Equal(t, h.url+"/mcp", audience(bound.RefreshToken))
	require.Nil(t, audience(app.tokens("user_ada").AccessToken))
}

func TestIssueTokenForAResource(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	ctx := context.Background()
	token, secret, err := h.IssueToken(ctx, provider.TokenSettings{
		UserID: "user_ada", ApplicationID: app.ID, Scopes: scopes.New("notes:read"), Resource: h.url + "/mcp", Lifetime: time.Minute})
	require.NoError(t, err)
	require.Equal(t, h.url+"/mcp", token.Resource)
	h.bearer("/mcp", secret.Reveal()).statusIs(t, 200)
	h.bearer("/api/notes", secret.Reveal()).refused(t, 401, "invalid_token")
	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{ID: token.GrantID}, "", 0)
	require.NoError(t, err)
	require.Equal(t, h.url+"/mcp", grants[0].Resource)
	_, _, err = h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Resource: "https://elsewhere.example.com"})
	require.ErrorContains(t, err, `the resource "https://elsewhere.example.com" is not in Config.Resources`)
}

func TestResourceConfig(t *testing.T) {
	for name, resources := range map[string][]provider.Resource{
		`Config.Resources[0].URL is missing`:                     {{}},
		`leave out the slash at the end`:                         {{URL: "https://app.example.com/mcp/"}},
		`use https`:                                              {{URL: "http://app.example.com/mcp"}},
		`leave out user, query and fragment`:                     {{URL: "https://app.example.com/mcp?x"}},
		`has "https://app.example.com/mcp" twice`:                {{URL: "https://app.example.com/mcp"}, {URL: "https://app.example.com/mcp"}},
		`Config.Resources[0].Scopes has "notes"`:                 {{URL: "https://app.example.com/mcp", Scopes: []string{"notes"}}},
		`write it plainly: the host in lower case, the path`:     {{URL: "https://APP.example.com/mcp"}},
		`Config.Resources[1].URL is "/mcp": give an absolute UR`: {{URL: "https://app.example.com/mcp"}, {URL: "/mcp"}},
	} {
		_, err := provider.New(provider.Config{Issuer: "https://app.example.com", Resources: resources})
		require.ErrorContains(t, err, name)
	}
	h := newHost(t, withResources)
	require.PanicsWithValue(t, `provider: Resource: "https://x" is not in Config.Resources`, func() { h.Resource("https://x") })
	require.Panics(t, func() { h.Resource(h.url + "/mcp").Require("profile") })
}
