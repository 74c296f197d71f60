package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Registrations are rate-limited, so they can't fill the store.
func TestRegistrationsAreLimited(t *testing.T) {
	w := newWorld(t)
	register := func() reply {
		return w.send("POST", "/oauth/register", "", `{"redirect_uris":["`+redirectURI+`"],"token_endpoint_auth_method":"none"}`)
	}
	for range 30 {
		require.Equal(t, 201, register().StatusCode)
	}
	refused := register()
	require.Equal(t, 429, refused.StatusCode)
	require.Equal(t, "2", refused.Header.Get("Retry-After"))
	require.Equal(t, 401, w.send("POST", "/mcp", "", listNotes).StatusCode, "other requests still work")
}
