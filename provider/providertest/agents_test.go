package providertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store"
)

// tried is a test that records the reports of TryAgents.
type tried struct {
	*testing.T
	refused []string
}

func (t *tried) Errorf(text string, args ...any) {
	t.refused = append(t.refused, fmt.Sprintf(text, args...))
}

// try tries the agents at a host with this Config, and returns the reports on
// refused ones.
func try(t *testing.T, edit func(*provider.Config), agents ...providertest.Agent) []string {
	t.Helper()
	host := providertest.New(t, edit)
	host.SignIn("user_ada")
	noting := &tried{T: t}
	providertest.TryAgents(noting, host.Provider, host.Client, agents...)
	return noting.refused
}

// forAgents allows all of them.
func forAgents(c *provider.Config) {
	withNotes(c)
	c.Registration = &provider.Registration{}
	c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{}, providertest.AgentDocuments()
}

func with(edits ...func(*provider.Config)) func(*provider.Config) {
	return func(c *provider.Config) {
		for _, edit := range edits {
			edit(c)
		}
	}
}

func onlyRegistration(c *provider.Config) { c.ClientIDDocuments = nil }
func onlyDocuments(c *provider.Config)    { c.Registration = nil }

// resources are MCP servers: one on the host, and one on another host.
func resources(c *provider.Config) {
	c.Resources = []provider.Resource{
		{URL: c.Issuer + "/mcp", Scopes: []string{"notes:read"}},
		{URL: "https://mcp.example.com/mcp", Scopes: []string{"profile"}},
	}
	c.Registration.Resource, c.ClientIDDocuments.Resource = c.Issuer+"/mcp", c.Issuer+"/mcp"
}

// workspaces makes the users of agents choose a workspace.
func workspaces(c *provider.Config) {
	c.Workspaces = &provider.Workspaces{
		Agents: store.WorkspaceRequired,
		List: func(context.Context, string) ([]provider.Workspace, error) {
			return []provider.Workspace{{ID: "red"}, {ID: "blue"}}, nil
		},
		Member: func(context.Context, string, string) (bool, error) { return true, nil },
	}
}

func TestAgentsAreLetIn(t *testing.T) {
	for name, edit := range map[string]func(*provider.Config){
		"registration and documents": forAgents,
		"registration":               with(forAgents, onlyRegistration),
		"resources":                  with(forAgents, resources),
		"resources and registration": with(forAgents, resources, onlyRegistration),
		// ChatGPT prefers to sign, but doesn't require it.
		"keys":       with(forAgents, func(c *provider.Config) { c.Keys = hosttest.NewKeys() }),
		"workspaces": with(forAgents, workspaces),
		"few scopes": with(forAgents, func(c *provider.Config) {
			c.Registration.Scopes, c.ClientIDDocuments.Scopes = []string{"notes:read"}, []string{"notes:read"}
		}),
	} {
		t.Run(name, func(t *testing.T) { require.Empty(t, try(t, edit)) })
	}
}

// Each refused agent is reported, with the field that refuses it.
func TestAgentsThatAreRefused(t *testing.T) {
	registering := []string{"Cursor", "Cursor Agents", "MCP Inspector"}
	var all, documented []string
	for _, a := range providertest.Agents() {
		all = append(all, a.Name)
		if a.ClientID != "" {
			documented = append(documented, a.Name)
		}
	}
	no := func(*http.Request, provider.Application) error { return errors.New("no") }
	for _, test := range []struct {
		name    string
		edit    func(*provider.Config)
		refused []string
		change  string
	}{
		{"no registration", onlyDocuments, registering, "Change Config.Registration."},
		{"not allowed to register", func(c *provider.Config) { c.Registration.Allow = no }, registering, "Change Config.Registration.Allow."},
		{"documents not allowed", func(c *provider.Config) {
			c.ClientIDDocuments.Allow = func(context.Context, *url.URL) error { return errors.New("no") }
		}, documented, "Change Config.ClientIDDocuments.Allow."},
		{"one document not allowed", func(c *provider.Config) {
			c.ClientIDDocuments.Allow = func(_ context.Context, u *url.URL) error {
				if u.Host == "vscode.dev" {
					return errors.New("no")
				}
				return nil
			}
		}, []string{"VS Code"}, "Change Config.ClientIDDocuments.Allow."},
		{"documents out of reach", func(c *provider.Config) {
			c.Transport = http.NewFileTransport(http.Dir(t.TempDir()))
		}, documented, "Change Config.Transport: in a test it is AgentDocuments()."},
		{"no default resource", func(c *provider.Config) {
			resources(c)
			c.ClientIDDocuments.Resource = ""
		}, []string{"Claude Code"}, "Change Config.ClientIDDocuments.Resource."},
		{"limited", func(c *provider.Config) {
			c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
				if l.Endpoint == "register" {
					return time.Second
				}
				return 0
			}
		}, registering, "Change Config.Limit."},
		{"neither", func(c *provider.Config) { c.Registration, c.ClientIDDocuments = nil, nil }, all, "Config.Registration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused := try(t, with(forAgents, test.edit))
			require.Len(t, refused, len(test.refused), "%s", refused)
			for i, name := range test.refused {
				require.Contains(t, refused[i], "providertest: TryAgents: "+name+" would be refused: ")
				require.Contains(t, refused[i], test.change)
			}
		})
	}
}

// A host can choose the agents to try, and add others.
func TestTryChosenAgents(t *testing.T) {
	documented := slices.DeleteFunc(providertest.Agents(), func(a providertest.Agent) bool { return a.ClientID == "" })
	require.Empty(t, try(t, with(forAgents, onlyDocuments), documented...))

	evil := documented[0]
	evil.Name, evil.RedirectURI = "Evil", "https://evil.example.com/"
	thief := providertest.Agent{Name: "Thief", Registration: `{"redirect_uris":["javascript:alert(1)"],"token_endpoint_auth_method":"none"}`}
	refused := try(t, forAgents, evil, thief)
	require.Len(t, refused, 2)
	require.Contains(t, refused[0], "Evil would be refused")
	require.Contains(t, refused[1], "Thief would be refused: its registration is answered with status 400")
	require.NotContains(t, strings.Join(refused, ""), "Change Config", "no field lets these in")
}

// An error of the host itself is reported once.
func TestTryAgentsWithoutAWay(t *testing.T) {
	host := providertest.New(t, forAgents, func(c *provider.Config) { c.Paths.NoMetadata = true })
	text := fatal(t, func(t testing.TB) { providertest.TryAgents(t, host.Provider, host.Client) })
	require.Contains(t, text, "Change Config.Paths.NoMetadata.")

	// A proxy that doesn't pass requests below /.well-known on.
	host = providertest.New(t, forAgents, resources)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"} {
		browser := &http.Client{Jar: host.Client.Jar, Transport: without{host.Client.Transport, path}}
		text = fatal(t, func(t testing.TB) { providertest.TryAgents(t, host.Provider, browser) })
		require.Contains(t, text, "no agent can find the endpoints: the metadata at "+host.URL+path+" is answered with status 404")
	}

	host = providertest.New(t, forAgents)
	refused := &tried{T: t}
	providertest.TryAgents(refused, host.Provider, host.Client)
	require.Len(t, refused.refused, len(providertest.Agents()))
	require.Contains(t, refused.refused[0], "No one is signed in in this browser")
	require.NotContains(t, refused.refused[0], "Change Config", "it is the test that is wrong")
}

// without returns 404 at a path.
type without struct {
	http.RoundTripper
	path string
}

func (w without) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == w.path {
		return &http.Response{StatusCode: 404, Body: http.NoBody, Request: r}, nil
	}
	return w.RoundTripper.RoundTrip(r)
}

func TestAgentsLeaveNothing(t *testing.T) {
	host := providertest.New(t, forAgents)
	host.SignIn("user_ada")
	t.Run("", func(t *testing.T) { providertest.TryAgents(t, host.Provider, host.Client) })
	_, n, err := host.Provider.ListApplications(t.Context(), store.ApplicationQuery{})
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestAgentsAreWellFormed(t *testing.T) {
	names := map[string]bool{}
	for _, a := range providertest.Agents() {
		require.False(t, names[a.Name], a.Name)
		names[a.Name] = true
		require.Contains(t, a.Source, "https://", a.Name)
		require.Regexp(t, `20\d\d`, a.Source, a.Name)
		require.NotEmpty(t, a.RedirectURI, a.Name)
		require.True(t, json.Valid([]byte(a.Registration)), a.Name)
		if a.ClientID != "" {
			var document struct {
				ClientID string `json:"client_id"`
			}
			require.NoError(t, json.Unmarshal([]byte(a.Document), &document), a.Name)
			require.Equal(t, a.ClientID, document.ClientID)
		}
	}
	for _, name := range strings.Split("ChatGPT,Claude,Claude Code,Cursor,VS Code,Copilot CLI,Codex,MCP Inspector", ",") {
		require.True(t, names[name], name)
	}
}
