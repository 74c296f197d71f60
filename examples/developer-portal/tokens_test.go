package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

func TestPersonalToken(t *testing.T) {
	p := newPortal(t)
	ada, grace := p.signedIn(t, "ada"), p.signedIn(t, "grace")
	page := ada.open(tokensPath)
	require.Contains(t, page.Text(), "You have none yet.")
	page = ada.press(page, "Make a token", map[string]string{"label": "Backup <b>", "lifetime": "year"})
	token := secretOn(page)
	require.True(t, strings.HasPrefix(token, "acme_oat_"), token)
	require.Contains(t, page.Text(), "Backup <b>")
	require.Contains(t, page.Text(), "works until "+time.Now().UTC().Add(365*day).Format("2 January 2006"))
	require.Contains(t, page.Text(), "Not used for notes yet")

	status, titles := p.notes(t, token)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, titles, "Flying machine")
	page = ada.open(tokensPath)
	require.Empty(t, secretOn(page), "it is shown once")
	require.NotContains(t, string(page.Body), token)
	require.Contains(t, page.Text(), "Last used for notes "+time.Now().UTC().Format("2 January 2006"))

	// Another token, and another user, are not touched.
	narrow := ada.press(ticked(page, "scope", "email"), "Make a token", map[string]string{"label": "Narrow"})
	status, _ = p.notes(t, secretOn(narrow))
	require.Equal(t, http.StatusForbidden, status, "it has not the scope")
	require.NotContains(t, grace.open(tokensPath).Text(), "Backup")
	revoke := find(t, page, `action="(/settings/tokens/[^"]+/revoke)"`)
	graces := grace.press(grace.open(tokensPath), "Make a token", map[string]string{"label": "Grace's"})
	grace.edit = func(r *http.Request) { r.URL.Path = revoke }
	require.Equal(t, http.StatusNotFound, grace.press(graces, "Revoke", nil).Status)
	status, _ = p.notes(t, token)
	require.Equal(t, http.StatusOK, status)

	page = ada.press(page, "Revoke", nil)
	require.Contains(t, page.Text(), "The token is revoked.")
	require.NotContains(t, page.Text(), "Backup")
	require.Contains(t, page.Text(), "Narrow")
	status, _ = p.notes(t, token)
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = p.notes(t, secretOn(graces))
	require.Equal(t, http.StatusOK, status)
	for _, path := range []string{revoke, "/settings/tokens/nonsense/revoke"} {
		ada.edit = func(r *http.Request) { r.URL.Path = path }
		require.Equal(t, http.StatusNotFound, ada.press(page, "Revoke", nil).Status)
	}
}

// The button on that page ends personal tokens only, whatever grant it names.
func TestRevokeTokenSparesSignIns(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook", nil, "notes:read")
	signIn := app.tokens(ada)
	grants, _, err := p.provider.ListGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"}, "", 0)
	require.NoError(t, err)
	require.Len(t, grants, 1)
	page := ada.press(ada.open(tokensPath), "Make a token", map[string]string{"label": "Script"})
	ada.edit = func(r *http.Request) { r.URL.Path = tokensPath + "/" + grants[0].ID.String() + "/revoke" }
	require.Equal(t, http.StatusNotFound, ada.press(page, "Revoke", nil).Status)
	status, _ := p.notes(t, signIn.AccessToken)
	require.Equal(t, http.StatusOK, status)
}

func TestTokenForm(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	for _, test := range []struct {
		name   string
		typed  map[string]string
		scopes []string
		says   string
	}{
		{"no label", map[string]string{"label": " "}, []string{"email"}, "Give a label"},
		{"a long label", map[string]string{"label": strings.Repeat("ä", 101)}, []string{"email"}, "Give a label"},
		{"a label with a control character", map[string]string{"label": "a\x1bb"}, []string{"email"}, "Give a label"},
		{"no scope", map[string]string{"label": "Script"}, nil, "Choose what the token may do."},
		{"another lifetime", map[string]string{"label": "Script", "lifetime": "century"}, []string{"email"}, "Choose how long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := ada.press(ticked(ada.open(tokensPath), "scope", test.scopes...), "Make a token", test.typed)
			require.Equal(t, http.StatusUnprocessableEntity, page.Status)
			require.Contains(t, page.Text(), test.says)
			require.Empty(t, secretOn(page))
		})
	}
	page := ada.open(tokensPath)
	page.Body = []byte(strings.ReplaceAll(string(page.Body), `value="notes:read"`, `value="private_metadata"`))
	require.Contains(t, ada.press(page, "Make a token", map[string]string{"label": "Script"}).Text(), "Choose what the token may do.")
	rows, err := p.liveTokens(t.Context(), "user_1815")
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestTooManyTokens(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	for range maxTokens {
		_, _, err := p.provider.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_1815", ApplicationID: p.tokens.app.ID})
		require.NoError(t, err)
	}
	page := ada.press(ada.open(tokensPath), "Make a token", map[string]string{"label": "One more"})
	require.Equal(t, http.StatusUnprocessableEntity, page.Status)
	require.Contains(t, page.Text(), "Revoke one that you do not need.")
	require.Equal(t, maxTokens, strings.Count(string(page.Body), "Without a label"), "they work, so they are shown")
}

// Tokens that have expired are not shown, and their notes go away.
func TestExpiredTokens(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	token, _, err := p.provider.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_1815", ApplicationID: p.tokens.app.ID, Lifetime: time.Millisecond})
	require.NoError(t, err)
	p.tokens.note(token.GrantID, tokenNote{Label: "Short-lived", ExpiresAt: token.ExpiresAt})
	time.Sleep(2 * time.Millisecond)
	require.NotContains(t, ada.open(tokensPath).Text(), "Short-lived")
	p.tokens.forget(time.Now().Add(-time.Hour))
	require.Len(t, p.tokens.notes, 1)
	p.tokens.forget(time.Now())
	require.Empty(t, p.tokens.notes)
}

// Nobody can sign in with the application that the tokens belong to. Whoever
// finds a token can end it.
func TestApplicationOfTokens(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	page := ada.open("/oauth/authorize?response_type=code&client_id=personal-access-tokens&redirect_uri=" + callback)
	require.Equal(t, http.StatusBadRequest, page.Status)

	token := secretOn(ada.press(ada.open(tokensPath), "Make a token", map[string]string{"label": "Lost"}))
	answer, err := http.PostForm(p.url+"/oauth/token/revoke", url.Values{"client_id": {"personal-access-tokens"}, "token": {token}})
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	status, _ := p.notes(t, token)
	require.Equal(t, http.StatusUnauthorized, status)

	again, err := newTokens(t.Context(), p.provider) // as after a restart with a store that survives
	require.NoError(t, err)
	require.Equal(t, p.tokens.app.ID, again.app.ID)
}
