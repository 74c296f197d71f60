package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
)

// Whoever registers can sign in here, as agents do.
func TestAgents(t *testing.T) {
	w := newWorld(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	signedIn, err := browser.PostForm(w.url+"/login", url.Values{"login": {"ada"}, "password": {password}})
	require.NoError(t, err)
	require.NoError(t, signedIn.Body.Close())
	providertest.TryAgents(t, w.host.provider, browser)
}
