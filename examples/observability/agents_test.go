package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// Agents can register and sign in.
func TestAgents(t *testing.T) {
	w := newWorld(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	signedIn, err := browser.PostForm(w.url+"/login", url.Values{"login": {"ada"}, "password": {acme.Password}})
	require.NoError(t, err)
	require.NoError(t, signedIn.Body.Close())
	providertest.TryAgents(t, w.host.Provider, browser)
}
