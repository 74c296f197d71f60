package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/acme/acmetest"
)

// A client can require a fresh sign-in.
func TestFreshSignIn(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	p.Press(p.Arrive(p.SignIn(p.Arrive(p.Press(p.Open(d.wikiURL), "Sign in with Acme", nil)), "ada")), "Allow", nil)
	start := p.Press(p.Open(d.wikiURL), "Sign in with Acme", nil)
	page := p.Open(start.Leads() + "&prompt=login&login_hint=ada")
	page = p.Arrive(page)
	require.True(t, page.HasButton("Sign in"), page.Text())
	require.Contains(t, p.Arrive(p.Press(p.Arrive(p.SignIn(page, "ada")), "Allow", nil)).Text(), "Welcome, Ada Lovelace")
}

func TestNotesAPI(t *testing.T) {
	d := newDemo(t)
	api := d.acmeURL + "/api/notes"
	answer, _ := acmetest.Request(t, http.MethodGet, api, "", nil)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "Bearer")
	answer, _ = acmetest.Request(t, http.MethodGet, api, "", http.Header{"Authorization": {"Bearer oat_nonsense"}})
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`)

	narrow := d.token(t, "ada", "profile")
	answer, _ = acmetest.Request(t, http.MethodGet, api, "", http.Header{"Authorization": {"Bearer " + narrow}})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `scope="notes:read"`)

	for login, userID := range map[string]string{"ada": "user_1815", "grace": "user_1906"} {
		token := d.token(t, login, "profile notes:read")
		answer, body := acmetest.Request(t, http.MethodGet, api, "", http.Header{"Authorization": {"Bearer " + token}})
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
		var content struct{ Notes []acme.Note }
		require.NoError(t, json.Unmarshal([]byte(body), &content))
		require.Equal(t, d.app.Notes(userID), content.Notes)
	}
}
