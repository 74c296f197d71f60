package provider_test

import (
	"context"
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

// Clients that parse and format a URL add a slash to one without a path.
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

// Many clients always send resource, so it is ignored if no resource is
// configured.
func TestResourceIsIgnoredWithoutResources(t *testing.T) {
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

// An agent that doesn't know about resources gets tokens for the only one, or
// for the default one, and not for the host's whole API.
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

			// If it names scopes, it gets those, and so do the host's
			// applications.
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

// nothing checks that the host's fallback page answered, not an endpoint.
func (r *reply) nothing(t testing.TB) {
	t.Helper()
	require.Equal(t, "the host's own page", r.body)
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

// An application that asks for no scope gets those that the resource
// understands.
func TestDefaultScopesOfAResource(t *testing.T) {
	h := newHost(t, withResources)
	app := h.application(provider.ApplicationSettings{Scopes: strings.Fields(allScopes)})
	require.Equal(t, "notes:read notes:write", app.tokens("user_ada", "resource", h.url+"/mcp").Scope)
	require.Equal(t, allScopes, sorted(app.tokens("user_ada", "resource", h.url+"/reports").Scope))
	require.Equal(t, allScopes, sorted(app.tokens("user_ada").Scope))
	require.Equal(t, "profile", app.tokens("user_ada", "resource", h.url+"/mcp", "scope", "profile").Scope)
}

// A scope that was removed from the Config doesn't lock out applications that
// name none.
func TestDefaultScopesAreThoseThatAreLeft(t *testing.T) {
	before := newOpenHost(t, withResources)
	own := before.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:write")})
	stranger, _ := before.clientOf(before.register(strings.TrimSuffix(native, "}") + `,"scope":"notes:write"}`))
	after := newOpenHost(t, func(c *provider.Config) { c.Store = before.store })
	for app, want := range map[*application]string{own: "profile", stranger: "profile email public_metadata private_metadata notes:read"} {
		app.h = after
		require.Equal(t, want, app.tokens("user_ada").Scope)
	}
	answer := after.signedIn("user_ada").get(own.request("scope", "notes:write")).redirected(t)
	require.Equal(t, "invalid_scope", answer.Get("error"))
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

// Consent for one resource doesn't count for another.
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
	require.Contains(t, page.text(), "Access is limited to Acme for agents.")
	require.Contains(t, b.get(app.request("resource", h.url+"/reports", "prompt", "consent")).text(), "Access is limited to "+h.url+"/reports.")
	require.NotContains(t, b.get(app.request("prompt", "consent")).text(), "This is for")

	// The form is valid only for the resource that its page showed.
	form := page.form(t, "allow")
	alter(form, "resource", h.url+"/reports")
	b.post("/oauth/authorize", form).errorPage(t, 403, "was already answered")
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
		`Config.Resources[0].URL is missing`:                    {{}},
		`remove the trailing slash`:                             {{URL: "https://app.example.com/mcp/"}},
		`use https`:                                             {{URL: "http://app.example.com/mcp"}},
		`remove the user, query, and fragment`:                  {{URL: "https://app.example.com/mcp?x"}},
		`has "https://app.example.com/mcp" twice`:               {{URL: "https://app.example.com/mcp"}, {URL: "https://app.example.com/mcp"}},
		`Config.Resources[0].Scopes has "notes"`:                {{URL: "https://app.example.com/mcp", Scopes: []string{"notes"}}},
		`normalize it: the host in lower case, the path`:        {{URL: "https://APP.example.com/mcp"}},
		`Config.Resources[1].URL is "/mcp": use an absolute UR`: {{URL: "https://app.example.com/mcp"}, {URL: "/mcp"}},
	} {
		_, err := provider.New(provider.Config{Issuer: "https://app.example.com", Resources: resources})
		require.ErrorContains(t, err, name)
	}
	h := newHost(t, withResources)
	require.PanicsWithValue(t, `provider: Resource: "https://x" is not in Config.Resources: add it there`, func() { h.Resource("https://x") })
	require.Panics(t, func() { h.Resource(h.url + "/mcp").Require("profile") })
}
