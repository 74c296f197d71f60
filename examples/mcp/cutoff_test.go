package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// Revoked grants are rejected at the next request, and all others still work.
func TestCutOff(t *testing.T) {
	filters := func(token *provider.Token) map[string]provider.GrantFilter {
		return map[string]provider.GrantFilter{
			"this sign-in":                 {ID: token.GrantID},
			"this agent, for this user":    {ApplicationID: token.ApplicationID, UserID: token.UserID},
			"this agent, for all users":    {ApplicationID: token.ApplicationID},
			"all applications of the user": {UserID: token.UserID},
		}
	}
	for name := range filters(&provider.Token{}) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ada, grace := w.agent("ada", w.registersItself()), w.agent("grace", w.registersItself())
			works := func(a *agent) bool { return w.send("POST", "/mcp", a.token, listNotes).StatusCode == 200 }
			require.True(t, works(ada) && works(grace))
			token, err := w.Provider.Resource(w.url+"/mcp").Verify(t.Context(), ada.token)
			require.NoError(t, err)
			require.NoError(t, w.Provider.RevokeGrants(t.Context(), filters(token)[name]))
			require.False(t, works(ada))
			require.True(t, works(grace))
		})
	}
	t.Run("deleted", func(t *testing.T) {
		w := newWorld(t)
		ada := w.agent("ada", w.registersItself())
		agents, n, err := w.Provider.ListApplications(t.Context(), store.ApplicationQuery{Origin: store.OriginRegistration})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, w.Provider.DeleteApplication(t.Context(), agents[0].ID))
		require.Equal(t, 401, w.send("POST", "/mcp", ada.token, listNotes).StatusCode)
	})
}
