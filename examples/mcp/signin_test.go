package main

import (
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// A client that knows only an address gets a 401, which says where to look.
var (
	discovery = []string{
		"POST /mcp",
		"GET /.well-known/oauth-protected-resource/mcp",
		"GET /.well-known/oauth-authorization-server",
	}
	registration = []string{"POST /oauth/register"}
	afterConsent = []string{"POST /oauth/token", "POST /mcp"}
)

func path(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// The SDK's client starts with an address and gets a tool's result, with every
// kind of registration.
func TestSignIn(t *testing.T) {
	for _, test := range []struct {
		name     string
		register func(*world) func(*auth.AuthorizationCodeHandlerConfig)
		requests []string // between the discovery and the consent
		stranger int      // 1 for a client that no one has registered
		warned   string   // on the consent page
	}{
		{"registered beforehand", (*world).registered, nil, 0, "Reviewed by Acme Notes"},
		{"registered beforehand, with a secret", (*world).registeredWithSecret, nil, 0, "Known agent wants access to"},
		{"registers itself", (*world).registersItself, registration, 1, "Not reviewed by Acme Notes"},
		{"has a document", (*world).isDocumented, nil, 1, "Not reviewed by Acme Notes"},
		{"registers itself, with a secret", (*world).registersItselfWithSecret, registration, 1, "Not reviewed by Acme Notes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.agent("ada", test.register(w))
			require.Equal(t, path(discovery, test.requests, afterConsent), w.requested())
			require.Equal(t, notesOfAda, a.titles())
			var user struct {
				ID     string
				Scopes []string
			}
			a.call("whoami", nil, &user)
			require.Equal(t, "user_1815", user.ID)
			require.Equal(t, []string{"notes:read"}, user.Scopes)

			require.Len(t, a.asked, 1)
			asked := a.asked[0]
			require.Equal(t, w.url+"/mcp", asked.Get("resource"))
			require.Equal(t, "S256", asked.Get("code_challenge_method"))
			require.NotEmpty(t, asked.Get("code_challenge"))
			require.Equal(t, "notes:read", asked.Get("scope"), "only the scopes in WWW-Authenticate")
			require.Contains(t, a.consent[0], "Access is limited to Acme Notes for agents")
			require.Contains(t, a.consent[0], "127.0.0.1:3142")
			require.Contains(t, a.consent[0], test.warned)
			happened := w.happened()
			require.Equal(t, test.stranger, happened[provider.EventApplicationRegistered])
			require.Equal(t, 1, happened[provider.EventGrantCreated])
			require.Equal(t, 1, happened[provider.EventTokenIssued])
		})
	}
}

// A client document is fetched for a signed-in user, and saved when the user
// agrees.
func TestDocumentIsFetched(t *testing.T) {
	w := newWorld(t)
	a := w.agent("ada", w.isDocumented())
	require.Equal(t, documentURL, a.asked[0].Get("client_id"))
	require.Equal(t, int32(1), w.documents.Load())
	require.Contains(t, a.consent[0], "agent.example.com", "who vouches for the name")
	a.addNote("x")
	require.Equal(t, int32(1), w.documents.Load(), "it is remembered")
	kept, n, err := w.Provider.ListApplications(t.Context(), store.ApplicationQuery{Origin: store.OriginDocument})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, documentURL, kept[0].ClientID)
}

// The SDK refreshes with x/oauth2, which treats a token as expired ten seconds
// early. A token that lives for five seconds is refreshed before each request.
func TestRefresh(t *testing.T) {
	w := newWorld(t, func(c *provider.Config) { c.Lifetimes.Access = 5 * time.Second })
	a := w.agent("ada", w.registered())
	w.happened()
	w.requested()
	for range 3 {
		require.Equal(t, notesOfAda, a.titles())
		require.Equal(t, map[provider.EventKind]int{provider.EventTokenRefreshed: 1}, w.happened())
		require.Equal(t, []string{"POST /oauth/token", "POST /mcp"}, w.requested())
	}
	require.Len(t, a.asked, 1, "the user was not asked again")

	// When the refresh token no longer works, the client signs in again.
	require.NoError(t, w.Provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"}))
	require.Equal(t, notesOfAda, a.titles())
	require.Len(t, a.asked, 2)
}

func TestRevokedTokenIsSignedInAgain(t *testing.T) {
	w := newWorld(t)
	a := w.agent("ada", w.registered())
	before := a.token
	w.requested()
	require.NoError(t, w.Provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"}))
	refused := w.send("POST", "/mcp", before, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	require.Equal(t, 401, refused.StatusCode)
	require.Contains(t, refused.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
	w.requested()

	require.Equal(t, notesOfAda, a.titles())
	require.Equal(t, path(discovery, afterConsent), w.requested())
	require.Equal(t, []string{"notes:read", "notes:read"}, a.scopes())
	require.NotEqual(t, before, a.token)
}

// A client that reads requests only that. When it writes, its user is asked for
// the other scope, and afterwards it can do both.
func TestStepUp(t *testing.T) {
	t.Run("registered beforehand", func(t *testing.T) { testStepUp(t, (*world).registered, nil) })
	t.Run("has a document", func(t *testing.T) { testStepUp(t, (*world).isDocumented, nil) })
	// This client registers again each time.
	t.Run("registers itself", func(t *testing.T) { testStepUp(t, (*world).registersItself, registration) })
}

func testStepUp(t *testing.T, register func(*world) func(*auth.AuthorizationCodeHandlerConfig), requests []string) {
	w := newWorld(t)
	a := w.agent("ada", register(w))
	require.Equal(t, notesOfAda, a.titles())
	require.Equal(t, []string{"notes:read"}, a.scopes())
	require.NotContains(t, a.consent[0], "Write notes in your name")
	w.requested()

	a.addNote("Written by an agent")
	require.Equal(t, []string{"notes:read", "notes:read notes:write"}, a.scopes())
	require.Equal(t, w.url+"/mcp", a.asked[1].Get("resource"))
	require.Contains(t, a.consent[1], "Write notes in your name")
	require.Equal(t, path(discovery, requests, afterConsent), w.requested())

	now := append(notesOfAda[:2:2], "Written by an agent")
	require.Equal(t, now, a.titles())
	a.addNote("And another")
	require.Equal(t, append(now, "And another"), a.titles())
	require.Len(t, a.asked, 2, "the user was not asked again")
}
