package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

func withAgents(c *provider.Config) { c.Transport = providertest.AgentDocuments() }

// Well-known agents are accepted, each with its own document or registration.
func TestAgents(t *testing.T) {
	w := newWorld(t, withAgents)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	signedIn, err := browser.PostForm(w.url+"/login", url.Values{"login": {"ada"}, "password": {acme.Password}})
	require.NoError(t, err)
	require.NoError(t, signedIn.Body.Close())
	providertest.TryAgents(t, w.Provider, browser)
}

// is makes the SDK's client look like an agent: it has the agent's document, or
// registers with the agent's request.
func (w *world) is(name string) func(*auth.AuthorizationCodeHandlerConfig) {
	w.t.Helper()
	all := providertest.Agents()
	i := slices.IndexFunc(all, func(a providertest.Agent) bool { return a.Name == name })
	require.GreaterOrEqual(w.t, i, 0, name)
	return func(c *auth.AuthorizationCodeHandlerConfig) {
		c.RedirectURL = all[i].RedirectURI
		if all[i].ClientID != "" {
			c.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: all[i].ClientID}
			return
		}
		registered := w.send("POST", "/oauth/register", "", all[i].Registration)
		require.Equal(w.t, 201, registered.StatusCode, registered.body)
		var client struct {
			ID string `json:"client_id"`
		}
		require.NoError(w.t, json.Unmarshal([]byte(registered.body), &client))
		c.PreregisteredClient = &oauthex.ClientCredentials{ClientID: client.ID, Issuer: w.url}
	}
}

// Agents start with the address alone, sign their user in, and use the tools,
// including those that need another consent.
func TestAgentsUseTools(t *testing.T) {
	for name, sentTo := range map[string]string{
		"ChatGPT":     "You'll be sent back to chatgpt.com",
		"Claude Code": "You'll be sent back to localhost:58135",
		"Cursor":      "the app on this device",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withAgents)
			a := w.agent("ada", w.is(name))
			require.Equal(t, notesOfAda, a.titles())
			a.addNote("From " + name)
			require.Equal(t, append(notesOfAda[:2:2], "From "+name), a.titles())
			require.Equal(t, []string{"notes:read", "notes:read notes:write"}, a.scopes())
			for _, page := range a.consent {
				require.Contains(t, page, name+" wants access to your Acme Notes account")
				require.Contains(t, page, sentTo)
			}
		})
	}
}
