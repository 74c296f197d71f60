package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider"
)

func TestEachUserSeesTheirOwn(t *testing.T) {
	d := newDemo(t)
	for login, want := range map[string][]string{
		"ada":   {"Welcome, Ada Lovelace", "ada@acme.example verified", "Engines", "Bernoulli numbers", "Flying machine"},
		"grace": {"Welcome, Grace Hopper", "grace@acme.example verified", "Compilers", "Nanoseconds", "Relay 70, panel F"},
	} {
		page, _ := newPerson(t).toWiki(d, login)
		require.Equal(t, d.wikiURL+"/", page.URL.String(), "the code is gone from the address")
		for _, text := range want {
			require.Contains(t, page.Text(), text)
		}
	}
}

func TestDenied(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	page := p.arrive(p.press(p.toConsent(d, "ada"), "Cancel", nil))
	require.Contains(t, page.Text(), "You did not allow Wiki to use your Acme account")
	require.True(t, page.HasButton("Sign in with Acme"))
	require.NotContains(t, p.open(d.wikiURL).Text(), "You did not allow", "it is said once")
}

// An answer that is not the one to this browser's question changes nothing.
func TestForeignAnswers(t *testing.T) {
	d := newDemo(t)
	for _, test := range []struct {
		name   string
		change func(answer url.Values)
		says   string
	}{
		{"another state", func(a url.Values) { a.Set("state", "x") }, "was not started in this browser"},
		{"no state", func(a url.Values) { a.Del("state") }, "was not started in this browser"},
		{"another issuer", func(a url.Values) { a.Set("iss", "https://evil.example") }, "did not come from Acme"},
		{"no issuer", func(a url.Values) { a.Del("iss") }, "did not come from Acme"},
		{"another code", func(a url.Values) { a.Set("code", "x") }, "Signing in did not work"},
		{"an error", func(a url.Values) { a.Del("code"); a.Set("error", "server_error"); a.Set("error_description", "<b>Oh") },
			"Acme refused to sign you in: <b>Oh (server_error)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPerson(t)
			to, err := url.Parse(p.press(p.toConsent(d, "ada"), "Allow", nil).Leads())
			require.NoError(t, err)
			answer := to.Query()
			test.change(answer)
			changed := *to
			changed.RawQuery = answer.Encode()
			page := p.arrive(p.open(changed.String()))
			require.Contains(t, page.Text(), test.says)
			require.True(t, page.HasButton("Sign in with Acme"), "nobody is signed in")
			page = p.arrive(p.open(to.String()))
			require.Contains(t, page.Text(), "was not started in this browser", "a state is good for one answer")

			err = d.provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"})
			require.NoError(t, err)
		})
	}
	page := newPerson(t).open(d.wikiURL + "/callback?code=x&state=&iss=" + url.QueryEscape(d.acmeURL))
	require.Equal(t, http.StatusSeeOther, page.Status, "an empty state is no state")
}

// An access token that has expired is refreshed, and what comes with the new
// one is kept.
func TestRefresh(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	_, session := p.toWiki(d, "ada")
	tokens := map[string]bool{}
	for range 3 {
		ctx, err := d.wiki.sessions.Load(context.Background(), session)
		require.NoError(t, err)
		var token oauth2.Token
		require.NoError(t, json.Unmarshal(d.wiki.sessions.GetBytes(ctx, sessionToken), &token))
		require.WithinDuration(t, time.Now().Add(2*time.Hour), token.Expiry, time.Minute)
		tokens[token.AccessToken], tokens[token.RefreshToken] = true, true
		token.Expiry = time.Now().Add(-time.Second)
		require.NoError(t, d.wiki.keep(ctx, &token))
		_, _, err = d.wiki.sessions.Commit(ctx)
		require.NoError(t, err)
		require.Contains(t, p.open(d.wikiURL).Text(), "Welcome, Ada Lovelace")
	}
	require.Len(t, tokens, 6, "each refresh gives a new pair")
}

func TestEndedByAcme(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	p.toWiki(d, "ada")
	err := d.provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"})
	require.NoError(t, err)
	require.Equal(t, d.wikiURL+"/", p.open(d.wikiURL+"/userinfo").Leads())
	require.Contains(t, p.open(d.wikiURL).Text(), "Acme has ended your sign-in")
	require.NotContains(t, p.open(d.wikiURL).Text(), "Acme has ended your sign-in")
}

func TestAcmeIsDown(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	p.toWiki(d, "ada")
	d.wiki.issuer = "http://127.0.0.1:1"
	page := p.open(d.wikiURL)
	require.Equal(t, http.StatusBadGateway, page.Status)
	require.Contains(t, page.Text(), "Acme cannot be asked right now")
	d.wiki.issuer = d.acmeURL
	require.Contains(t, p.open(d.wikiURL).Text(), "Welcome, Ada Lovelace", "the sign-in is kept")
}

func TestWikiSession(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	before := cookieOf(t, p.press(p.open(d.wikiURL), "Sign in with Acme", nil), "wiki_session")
	require.True(t, before.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, before.SameSite)
	page, after := p.toWiki(d, "ada")
	require.NotEqual(t, before.Value, after)
	page = p.arrive(p.press(page, "Sign out", nil))
	require.True(t, page.HasButton("Sign in with Acme"))

	answer, _ := request(t, http.MethodPost, d.wikiURL+"/login", "x=y", http.Header{"Origin": {"https://evil.example"}})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
}
