package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The first line names the cause, and the exit status says whether there is one.
func TestDoctor(t *testing.T) {
	right := providertest.New(t)
	app, _, err := right.Provider.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{"https://wiki.example/callback"}})
	require.NoError(t, err)

	handler := http.Handler(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	walled := providertest.New(t, func(c *provider.Config) { c.Issuer = server.URL })
	handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Error(w, "CSRF token missing", http.StatusForbidden)
			return
		}
		walled.Mux.ServeHTTP(w, r)
	})
	for _, test := range []struct {
		name   string
		args   []string
		status int
		first  string
	}{
		{"all is right", []string{right.URL}, 0, "nothing found"},
		{"all is right for an application", []string{right.URL + "/", app.ClientID}, 0, "nothing found"},
		{"an application that is not there", []string{right.URL, "nobody"}, 1, "The client_id is not known there. [application-unknown]"},
		{"a check that refuses programs", []string{server.URL}, 1, "A CSRF check refuses /oauth/token, /oauth/token/revoke, /oauth/token_info, /oauth/authorize. [csrf-check]"},
		{"no URL", nil, 2, "doctor: the issuer is missing: pass it, such as https://app.example.com, and optionally a client_id (-h shows the usage)"},
		{"too many", []string{right.URL, "a", "b"}, 2, "doctor: the issuer is missing: pass it, such as https://app.example.com, and optionally a client_id (-h shows the usage)"},
		{"an unknown flag", []string{"-x"}, 2, "doctor: flag provided but not defined: -x (-h shows the usage)"},
		{"no URL to look at", []string{"ftp://app.example.com"}, 2, `doctor: "ftp://app.example.com" is not a URL to look at: give the issuer, such as https://app.example.com`},
		{"an address with a query", []string{right.URL + "/?a=b"}, 2, `doctor: "` + right.URL + `/?a=b" has more than a scheme, a host and a path: give the issuer, such as https://app.example.com`},
		{"a document", []string{right.URL + "/.well-known/oauth-authorization-server"}, 2, `doctor: "` + right.URL + `/.well-known/oauth-authorization-server" is the address of a document: give the issuer, such as https://app.example.com`},
		{"a client_id with a space", []string{right.URL, "a b"}, 2, `doctor: the client_id "a b" has a space in it: copy it from the application`},
		{"help", []string{"-h"}, 0, "Usage: doctor [-json] https://app.example.com [client_id]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			require.Equal(t, test.status, run(t.Context(), test.args, &out, &out), out.String())
			first, _, _ := strings.Cut(out.String(), "\n")
			require.Equal(t, test.first, first)
		})
	}
}

func TestJSON(t *testing.T) {
	host := providertest.New(t)
	var out strings.Builder
	require.Equal(t, 0, run(t.Context(), []string{"-json", host.URL}, &out, io.Discard))
	require.JSONEq(t, "[]", out.String())
	out.Reset()
	require.Equal(t, 1, run(t.Context(), []string{"-json", host.URL, "nobody"}, &out, io.Discard))
	var found []map[string]string
	require.NoError(t, json.Unmarshal([]byte(out.String()), &found))
	require.Len(t, found, 1)
	require.Equal(t, "application-unknown", found[0]["code"])
	for _, member := range []string{"problem", "remedy", "evidence"} {
		require.NotEmpty(t, found[0][member])
	}
}
