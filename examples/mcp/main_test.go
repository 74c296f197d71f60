package main

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
)

// The metadata documents list every feature and endpoint (RFC 8414 section 2,
// RFC 9728 section 2).
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"/.well-known/oauth-protected-resource/mcp": `{
			"resource": "ISSUER/mcp",
			"resource_name": "Acme Notes for agents",
			"authorization_servers": ["ISSUER"],
			"scopes_supported": ["notes:read", "notes:write"],
			"bearer_methods_supported": ["header"]
		}`,
		"/.well-known/oauth-authorization-server": `{
			"issuer": "ISSUER",
			"authorization_endpoint": "ISSUER/oauth/authorize",
			"token_endpoint": "ISSUER/oauth/token",
			"registration_endpoint": "ISSUER/oauth/register",
			"userinfo_endpoint": "ISSUER/oauth/userinfo",
			"revocation_endpoint": "ISSUER/oauth/token/revoke",
			"introspection_endpoint": "ISSUER/oauth/token_info",
			"scopes_supported": ["profile", "email", "public_metadata", "private_metadata", "notes:read", "notes:write"],
			"response_types_supported": ["code"],
			"response_modes_supported": ["query", "form_post"],
			"grant_types_supported": ["authorization_code", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
			"revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
			"introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"client_id_metadata_document_supported": true,
			"code_challenge_methods_supported": ["S256"],
			"authorization_response_iss_parameter_supported": true,
			"protected_resources": ["ISSUER/mcp"]
		}`,
	} {
		got := w.send("GET", path, "", "")
		require.Equal(t, 200, got.StatusCode)
		require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		require.JSONEq(t, strings.ReplaceAll(want, "ISSUER", w.url), got.body)
	}
	require.NotContains(t, w.send("GET", "/.well-known/oauth-protected-resource", "", "").body, "authorization_servers")
}

// The demo client opens the browser twice. It prints the expected refusals, and
// nothing is logged.
func TestDemo(t *testing.T) {
	out, stdout := io.Pipe()
	status := make(chan int, 1)
	var stderr strings.Builder
	go func() {
		status <- run.Run(t.Context(), start, []string{"-demo", "-no-browser", "-addr", "localhost:0"}, stdout, &stderr)
		stdout.Close()
	}()
	b, said := browser.New(nil), ""
	for range 2 {
		found := ""
		for buffer := make([]byte, 4096); found == ""; {
			n, err := out.Read(buffer)
			said += string(buffer[:n])
			require.NoError(t, err, "%s%s", said, &stderr)
			found = regexp.MustCompile(`(?m)^http://localhost\S+state=\S+\n`).FindString(said)
		}
		said = strings.Replace(said, found, "", 1)
		page, err := b.Open(t.Context(), strings.TrimSpace(found))
		require.NoError(t, err)
		if strings.Contains(page.Leads(), "/login") {
			page, err = b.Follow(t.Context(), page)
			require.NoError(t, err)
			page, err = b.Press(t.Context(), page, "Sign in", map[string]string{"login": "grace", "password": acme.Password})
			require.NoError(t, err)
			page, err = b.Follow(t.Context(), page)
			require.NoError(t, err)
		}
		require.Contains(t, page.Text(), "Demo agent wants access to your Acme Notes account")
		page, err = b.Press(t.Context(), page, "Allow", nil)
		require.NoError(t, err)
		back := page.Leads()
		// A request from another page to the callback is ignored.
		_, err = b.Open(t.Context(), regexp.MustCompile(`\?.*`).ReplaceAllString(back, "?code=x&state=x"))
		require.NoError(t, err)
		page, err = b.Open(t.Context(), back)
		require.NoError(t, err)
		require.Contains(t, page.Text(), "You can close this page")
	}
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	said += string(rest)
	require.Zero(t, <-status, "%s", &stderr)
	require.Empty(t, stderr.String())
	require.Contains(t, said, "POST /mcp: 401 Unauthorized, as expected: the client has no token yet")
	require.Contains(t, said, "POST /mcp: 403 Forbidden, as expected: the token lacks the scope notes:write")
	require.Contains(t, said, `whoami: {"id":"user_1906","scopes":["notes:read"]}`)
	lists := regexp.MustCompile(`list_notes: (.*)`).FindAllStringSubmatch(said, -1)
	require.Len(t, lists, 2)
	for i, n := range []int{2, 3} {
		var got struct{ Notes []acme.Note }
		require.NoError(t, json.Unmarshal([]byte(lists[i][1]), &got))
		require.Len(t, got.Notes, n)
	}
}

func TestProgram(t *testing.T) {
	says := runtest.Start(t, start, "-addr", "localhost:0")
	require.Regexp(t, `"url": "http://localhost:\d+/mcp"`, says)
	require.Contains(t, says, acme.Password)
}
