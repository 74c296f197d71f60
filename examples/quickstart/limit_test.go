package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client that calls too often must wait. Others don't.
func TestLimit(t *testing.T) {
	d := newDemo(t)
	ask := func(client string) int {
		answer, err := http.PostForm(d.acmeURL+"/oauth/token", url.Values{"client_id": {client}, "client_secret": {"wrong"}, "grant_type": {"refresh_token"}})
		require.NoError(t, err)
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusTooManyRequests {
			require.Equal(t, "1", answer.Header.Get("Retry-After"))
		}
		return answer.StatusCode
	}
	limited := false
	for range 1000 {
		limited = limited || ask("eager") == http.StatusTooManyRequests
	}
	require.True(t, limited)
	require.Equal(t, http.StatusUnauthorized, ask("patient"))
}

func TestHigherLimit(t *testing.T) {
	_, acmeURL := started(t, "-limit", "1000000")
	for range 700 {
		answer, err := http.PostForm(acmeURL+"/oauth/token", url.Values{"client_id": {"eager"}, "client_secret": {"wrong"}, "grant_type": {"refresh_token"}})
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	}
}
