package wiki

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/acme/acmetest"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/examples/internal/ui"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost // The race detector makes it slow.
	m.Run()
}

// demo is Acme and Wiki, served for one test.
type demo struct {
	provider         *provider.Provider
	wiki             *Wiki
	acmeURL, wikiURL string
}

func newDemo(t *testing.T) *demo {
	t.Helper()
	acmeListener, acmeURL := acmetest.Listen(t)
	wikiListener, wikiURL := acmetest.Listen(t)
	host, err := acme.New(provider.Config{Issuer: acmeURL, Store: memory.New()})
	require.NoError(t, err)
	app, secret, err := host.Provider.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{Callback(wikiURL)}, Scopes: []string{"profile", "email", "public_metadata", "notes:read"},
	})
	require.NoError(t, err)
	d := &demo{host.Provider, New(Config{URL: wikiURL, Issuer: acmeURL, ClientID: app.ClientID, ClientSecret: secret.Reveal()}), acmeURL, wikiURL}
	mux := http.NewServeMux()
	host.Mount(mux)
	mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes)))
	acmetest.Serve(t, acmeListener, mux)
	acmetest.Serve(t, wikiListener, d.wiki.Handler())
	return d
}

// toConsent goes from Wiki's page to Acme's consent page.
func (d *demo) toConsent(p *acmetest.Person, login string) *browser.Page {
	signIn := p.Arrive(p.Press(p.Open(d.wikiURL), "Sign in with Acme", nil))
	return p.Arrive(p.SignIn(signIn, login))
}

// toWiki signs in to Wiki. It also returns the ID of Wiki's session.
func (d *demo) toWiki(t *testing.T, p *acmetest.Person, login string) (page *browser.Page, session string) {
	t.Helper()
	callback := p.Follow(p.Press(d.toConsent(p, login), "Allow", nil))
	return p.Arrive(callback), acmetest.Cookie(t, callback, "wiki_session").Value
}

func TestEachUserSeesTheirOwn(t *testing.T) {
	d := newDemo(t)
	for login, want := range map[string][]string{
		"ada":   {"Welcome, Ada Lovelace", "ada@acme.example (verified)", "Engines", "Bernoulli numbers", "Flying machine"},
		"grace": {"Welcome, Grace Hopper", "grace@acme.example (verified)", "Compilers", "Nanoseconds", "Relay 70, panel F"},
	} {
		page, _ := d.toWiki(t, acmetest.NewPerson(t), login)
		require.Equal(t, d.wikiURL+"/", page.URL.String(), "the code is gone from the address")
		for _, text := range want {
			require.Contains(t, page.Text(), text)
		}
	}
}

func TestDenied(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	page := p.Arrive(p.Press(d.toConsent(p, "ada"), "Cancel", nil))
	require.Contains(t, page.Text(), "You didn't allow Wiki to use your Acme account")
	require.True(t, page.HasButton("Sign in with Acme"))
	require.NotContains(t, p.Open(d.wikiURL).Text(), "You didn't allow", "the message is shown once")
}

// A response to another browser's request changes nothing.
func TestForeignAnswers(t *testing.T) {
	d := newDemo(t)
	for _, test := range []struct {
		name   string
		change func(answer url.Values)
		says   string
	}{
		{"another state", func(a url.Values) { a.Set("state", "x") }, "didn't start in this browser"},
		{"no state", func(a url.Values) { a.Del("state") }, "didn't start in this browser"},
		{"another issuer", func(a url.Values) { a.Set("iss", "https://evil.example") }, "didn't come from Acme"},
		{"no issuer", func(a url.Values) { a.Del("iss") }, "didn't come from Acme"},
		{"another code", func(a url.Values) { a.Set("code", "x") }, "The sign-in failed"},
		{"an error", func(a url.Values) { a.Del("code"); a.Set("error", "server_error"); a.Set("error_description", "<b>Oh") },
			"Acme didn't sign you in: <b>Oh (server_error)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := acmetest.NewPerson(t)
			to, err := url.Parse(p.Press(d.toConsent(p, "ada"), "Allow", nil).Leads())
			require.NoError(t, err)
			answer := to.Query()
			test.change(answer)
			changed := *to
			changed.RawQuery = answer.Encode()
			page := p.Arrive(p.Open(changed.String()))
			require.Contains(t, page.Text(), test.says)
			require.True(t, page.HasButton("Sign in with Acme"), "no one is signed in")
			page = p.Arrive(p.Open(to.String()))
			require.Contains(t, page.Text(), "didn't start in this browser", "a state works once")

			err = d.provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"})
			require.NoError(t, err)
		})
	}
	page := acmetest.NewPerson(t).Open(d.wikiURL + "/callback?code=x&state=&iss=" + url.QueryEscape(d.acmeURL))
	require.Equal(t, http.StatusSeeOther, page.Status, "an empty state doesn't match")
}

// Wiki refreshes an expired access token, and keeps the new refresh token.
func TestRefresh(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	_, session := d.toWiki(t, p, "ada")
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
		require.Contains(t, p.Open(d.wikiURL).Text(), "Welcome, Ada Lovelace")
	}
	require.Len(t, tokens, 6, "each refresh gives a new pair")
}

func TestEndedByAcme(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	d.toWiki(t, p, "ada")
	err := d.provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1815"})
	require.NoError(t, err)
	require.Equal(t, d.wikiURL+"/", p.Open(d.wikiURL+"/userinfo").Leads())
	require.Contains(t, p.Open(d.wikiURL).Text(), "Acme has ended your sign-in")
	require.NotContains(t, p.Open(d.wikiURL).Text(), "Acme has ended your sign-in")
}

func TestAcmeIsDown(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	d.toWiki(t, p, "ada")
	d.wiki.issuer = "http://127.0.0.1:1"
	page := p.Open(d.wikiURL)
	require.Equal(t, http.StatusBadGateway, page.Status)
	require.Contains(t, page.Text(), "Acme can't be reached right now")
	d.wiki.issuer = d.acmeURL
	require.Contains(t, p.Open(d.wikiURL).Text(), "Welcome, Ada Lovelace", "the sign-in is kept")
}

func TestWikiSession(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	before := acmetest.Cookie(t, p.Press(p.Open(d.wikiURL), "Sign in with Acme", nil), "wiki_session")
	require.True(t, before.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, before.SameSite)
	page, after := d.toWiki(t, p, "ada")
	require.NotEqual(t, before.Value, after)
	page = p.Arrive(p.Press(page, "Sign out", nil))
	require.True(t, page.HasButton("Sign in with Acme"))

	answer, _ := acmetest.Request(t, http.MethodPost, d.wikiURL+"/login", "x=y", http.Header{"Origin": {"https://evil.example"}})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
}

// The user can leave out a scope.
func TestWithoutNotes(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	page := p.Arrive(p.Press(d.toConsent(p, "ada"), "Allow", map[string]string{"granted": "profile"}))
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Text(), "Welcome, Ada Lovelace")
	require.Contains(t, page.Text(), "You didn't allow Wiki to read your notes.")
}

func TestPage(t *testing.T) {
	d := newDemo(t)
	p := acmetest.NewPerson(t)
	welcome, _ := d.toWiki(t, p, "grace")
	for _, page := range []*browser.Page{welcome, acmetest.NewPerson(t).Open(d.wikiURL)} {
		require.Equal(t, ui.Policy, page.Header.Get("Content-Security-Policy"))
		require.NotContains(t, string(page.Body), "<script")
		require.Contains(t, string(page.Body), `<meta name="viewport"`)
	}
	require.Contains(t, string(welcome.Body), d.acmeURL+"/avatars/grace.svg")
	require.Contains(t, string(welcome.Body), d.acmeURL+"/oauth/connections")
	for _, address := range []string{d.wikiURL + "/style.css", d.wikiURL + "/userinfo", d.acmeURL + "/oauth/connections"} {
		require.Equal(t, http.StatusOK, p.Arrive(p.Open(address)).Status, address)
	}
}
