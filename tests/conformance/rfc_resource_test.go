package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

const (
	mcpPath              = "/mcp"
	reportsPath          = "/reports"
	resourceMetadataPath = "/.well-known/oauth-protected-resource"
)

// newResourceHost has two more APIs besides the usual one, and a client that
// may ask for all of them.
func newResourceHost(t testing.TB) (*host, *client) {
	h := newHostWith(t, func(c *provider.Config) {
		c.Scopes = append(c.Scopes, scopes.Scope{Name: "notes:write", Title: "Change your notes"})
		c.Resources = []provider.Resource{
			{URL: c.Issuer + mcpPath, Name: "Acme for agents", Scopes: []string{"notes:read", "notes:write"}},
			{URL: c.Issuer + reportsPath},
		}
	})
	for _, path := range []string{mcpPath, reportsPath} {
		h.mux.Handle("GET "+path, h.Resource(h.url+path).Require("notes:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	}
	return h, h.client(provider.ApplicationSettings{Scopes: []string{"profile", "notes:read", "notes:write"}})
}

// codeFor returns a code for the resource at a path, or for none.
func (c *client) codeFor(t testing.TB, path string, pairs ...string) string {
	t.Helper()
	if path != "" {
		pairs = append(pairs, "resource", c.h.url+path)
	}
	return c.code(t, append([]string{"scope", omit}, pairs...)...)
}

func (c *client) tokensFor(t testing.TB, path string, pairs ...string) tokens {
	t.Helper()
	return granted(t, c.h.send(t, tokenPath, c.redemption(c.codeFor(t, path, pairs...))))
}

// RFC 8707 section 2: a token for a resource works there and nowhere else.
func TestTokenForAResource(t *testing.T) {
	h, c := newResourceHost(t)
	for named, opens := range map[string][]string{mcpPath: {mcpPath}, reportsPath: {reportsPath}, "": {notesPath, userInfoPath}} {
		access := c.tokensFor(t, named).Access
		for _, path := range []string{mcpPath, reportsPath, notesPath, userInfoPath} {
			if r := h.bearer(t, path, access); slices.Contains(opens, path) {
				require.Equal(t, http.StatusOK, r.StatusCode, "%s at %s", named, path)
			} else {
				refused(t, r, 401, "invalid_token")
			}
		}
		_, err := h.Verify(t.Context(), access)
		require.Equal(t, named == "", err == nil)
		for _, path := range []string{mcpPath, reportsPath} {
			token, err := h.Resource(h.url+path).Verify(t.Context(), access, "notes:read")
			if path != named {
				require.ErrorIs(t, err, provider.ErrInvalidToken)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, h.url+path, token.Resource)
		}
	}
}

// RFC 8707 section 2.2: a code and a refresh token give tokens for the resource
// of their grant, and for no other. A refused request doesn't spend them.
func TestResourceOnTheTokenEndpoint(t *testing.T) {
	h, c := newResourceHost(t)
	mcp, reports := h.url+mcpPath, h.url+reportsPath
	redeem := func(code string, pairs ...string) reply { return h.send(t, tokenPath, c.redemption(code, pairs...)) }
	refresh := func(token string, pairs ...string) reply { return h.send(t, tokenPath, c.refreshing(token, pairs...)) }
	opens := func(path, access string) bool { return h.bearer(t, path, access).StatusCode == http.StatusOK }

	code := c.codeFor(t, mcpPath)
	refused(t, redeem(code, "resource", reports), 400, "invalid_target")
	refused(t, redeem(code, "resource", "https://elsewhere.example.com"), 400, "invalid_target")
	first := granted(t, redeem(code, "resource", mcp))
	require.True(t, opens(mcpPath, first.Access))

	refused(t, refresh(first.Refresh, "resource", reports), 400, "invalid_target")
	second := granted(t, refresh(first.Refresh))
	require.True(t, opens(mcpPath, second.Access))
	third := granted(t, refresh(second.Refresh, "resource", mcp))
	require.True(t, opens(mcpPath, third.Access))
	require.False(t, opens(notesPath, third.Access))

	// A grant without a resource gives no tokens for one, because its user was not
	// asked.
	unbound := c.codeFor(t, "")
	refused(t, redeem(unbound, "resource", mcp), 400, "invalid_target")
	whole := granted(t, redeem(unbound))
	refused(t, refresh(whole.Refresh, "resource", mcp), 400, "invalid_target")
	last := granted(t, refresh(whole.Refresh))
	refused(t, refresh(whole.Refresh, "resource", mcp), 400, "invalid_target") // which works without a resource
	granted(t, refresh(whole.Refresh))                                         // which works without a resource
	require.True(t, opens(notesPath, last.Access))
	refused(t, redeem(unbound, "resource", mcp), 400, "invalid_grant") // A thief who names a resource is noticed.
	require.False(t, opens(notesPath, last.Access))
	refused(t, h.send(t, tokenPath, h.confidential().redemption(c.codeFor(t, ""), "resource", mcp)), 400, "invalid_grant")
}

// RFC 8707 section 2: an unknown resource, or several, is invalid_target.
func TestInvalidTarget(t *testing.T) {
	h, c := newResourceHost(t)
	mcp := h.url + mcpPath
	for _, named := range [][]string{
		{"https://elsewhere.example.com/mcp"}, {h.url}, {h.url + "/"}, {mcp + "//"}, {h.url + "/MCP"}, {mcp + "#x"}, {mcp + "/.."}, {h.url + "/x/..%2fmcp"},
		{h.url + "//mcp"}, {mcp + " "}, {"mcp"}, {"/mcp"}, {"urn:mcp"}, {strings.Replace(mcp, "//", "//user@", 1)}, {mcp + "\\"},
		{mcp, mcp}, {mcp, h.url + reportsPath},
	} {
		request := c.request("scope", omit)
		request["resource"] = named
		require.Equal(t, "xyz", c.sentBack(t, h.visit(t, request.Encode()), "invalid_target").Get("state"), named)
		form := c.redemption(c.codeFor(t, mcpPath))
		form["resource"] = named
		refused(t, h.send(t, tokenPath, form), 400, "invalid_target")
	}
}

// RFC 3986 section 6.2.2: clients spell a URL in different ways. Tokens contain
// the spelling of the Config.
func TestResourceInOtherSpellings(t *testing.T) {
	h, c := newResourceHost(t)
	for _, path := range []string{"/mcp/", "/mcp?x=1", "/mcp/?", "/%6Dcp", "/./mcp", "/x/%2e%2e/mcp", "/mcp"} {
		for _, host := range []string{h.url, strings.Replace(h.url, "http", "HTTP", 1)} {
			got := c.tokensFor(t, "", "resource", host+path)
			token, err := h.Resource(h.url+mcpPath).Verify(t.Context(), got.Access)
			require.NoError(t, err, path)
			require.Equal(t, h.url+mcpPath, token.Resource)
			again := granted(t, h.send(t, tokenPath, c.refreshing(got.Refresh, "resource", h.url+mcpPath)))
			granted(t, h.send(t, tokenPath, c.refreshing(again.Refresh, "resource", host+path)))
		}
	}
}

// RFC 7662 section 2.2: introspection returns the audience of a token.
func TestIntrospectionSaysTheAudience(t *testing.T) {
	h, c := newResourceHost(t)
	for path, want := range map[string]any{mcpPath: h.url + mcpPath, "": nil} {
		got := c.tokensFor(t, path)
		for _, token := range []string{got.Access, got.Refresh} {
			_, answer := c.post(t, introspectPath, "token", token)
			require.Equal(t, true, answer["active"])
			require.Equal(t, want, answer["aud"])
		}
	}
}

// RFC 9728 sections 2 and 3.1: each resource has a document, at its path after
// the well-known one.
func TestProtectedResourceMetadata(t *testing.T) {
	h, _ := newResourceHost(t)
	for path, want := range map[string]map[string]any{
		mcpPath: {
			"resource": h.url + mcpPath, "authorization_servers": []any{h.url}, "scopes_supported": []any{"notes:read", "notes:write"},
			"bearer_methods_supported": []any{"header"}, "resource_name": "Acme for agents",
		},
		reportsPath: {
			"resource": h.url + reportsPath, "authorization_servers": []any{h.url},
			"scopes_supported":         []any{"profile", "email", "public_metadata", "private_metadata", "notes:read", "notes:write"},
			"bearer_methods_supported": []any{"header"},
		},
	} {
		r := h.do(t, "GET", resourceMetadataPath+path, nil, "")
		require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
		require.Equal(t, jsonType, r.Header.Get("Content-Type"))
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, want, object(t, r))
	}
	for _, path := range []string{"", notesPath} {
		require.Equal(t, http.StatusNotFound, h.do(t, "GET", resourceMetadataPath+path, nil, "").StatusCode)
	}

	// RFC 9728 section 4: the authorization server names its resources.
	require.Equal(t, []any{h.url + mcpPath, h.url + reportsPath}, object(t, h.do(t, "GET", metadataPath, nil, ""))["protected_resources"])
}

// RFC 9728 section 5.1: a refusal has the URL of the metadata and the scopes to
// ask for. RFC 6750 section 3.1: without a token, it has no error.
func TestChallengeOfAResource(t *testing.T) {
	h, c := newResourceHost(t)
	// Step-up: the challenge includes the scopes that the token has, or the next
	// token would lack them.
	lacking := c.tokensFor(t, mcpPath, "scope", "notes:write").Access
	for name, tt := range map[string]struct {
		token        string
		status       int
		error, scope string
	}{
		"no token":           {"", 401, "", "notes:read"},
		"unknown":            {"unknown", 401, "invalid_token", "notes:read"},
		"another resource's": {c.tokensFor(t, reportsPath).Access, 401, "invalid_token", "notes:read"},
		"too little":         {lacking, 403, "insufficient_scope", "notes:read notes:write"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if tt.token != "" {
				header.Set("Authorization", "Bearer "+tt.token)
			}
			r := h.do(t, "GET", mcpPath, header, "")
			require.Equal(t, tt.status, r.StatusCode, brief(r))
			got := challenged(t, r, "Bearer")
			require.Equal(t, h.url, got["realm"])
			require.Equal(t, h.url+resourceMetadataPath+mcpPath, got["resource_metadata"])
			require.Equal(t, tt.scope, got["scope"])
			require.Equal(t, tt.error, got["error"])
		})
	}
	// The middleware for the host's whole API has no such document.
	require.NotContains(t, challenged(t, h.do(t, "GET", notesPath, nil, ""), "Bearer"), "resource_metadata")
}
