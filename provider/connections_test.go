package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/storetest"
)

const connections = "/oauth/connections"

func (b *browser) disconnect(t *testing.T, page *reply, id string) *reply {
	t.Helper()
	seal := regexp.MustCompile(`name="seal" value="([^"]*)"`).FindStringSubmatch(page.body)
	require.NotNil(t, seal, page.text())
	return b.post(connections, url.Values{"application": {id}, "seal": {seal[1]}})
}

func TestConnectionsPageShowsAndEndsThem(t *testing.T) {
	h := newHost(t)
	ctx := context.Background()
	wiki := h.application(provider.ApplicationSettings{Name: "Wiki", Scopes: scopes.New("profile", "notes:read"), ClientURI: "https://wiki.example.com"})
	chess := h.application(provider.ApplicationSettings{Name: "<Chess>"})
	gone := h.application(provider.ApplicationSettings{Name: "Gone"})
	for _, app := range []*application{chess, gone} {
		app.tokens("user_ada")
	}
	h.clock.Add(48 * time.Hour)
	got := wiki.tokens("user_ada")
	grace := wiki.tokens("user_grace")

	b := h.browser()
	b.signIn("user_ada")
	page := b.get(h.url + connections)
	page.statusIs(t, http.StatusOK)
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.True(t, strings.HasSuffix(page.Header.Get("Content-Security-Policy"), "form-action 'self'"))
	require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
	text := page.text()
	require.Contains(t, text, "Signed in as Ada Lovelace")
	require.Contains(t, text, "Connected "+h.clock.Now().UTC().Format("Jan 2, 2006"))
	require.Contains(t, text, "Read your notes")
	require.Contains(t, page.body, "&lt;Chess&gt;")
	require.Less(t, strings.Index(text, "Wiki"), strings.Index(text, "Chess"), "the last used comes first")

	listed, err := h.ListConnections(ctx, "user_ada")
	require.NoError(t, err)
	require.Len(t, listed, 3)
	require.Equal(t, wiki.ID, listed[0].Application.ID)
	require.Len(t, listed[0].Scopes, 2)
	require.Equal(t, "notes:read", listed[0].Scopes[1].Name)

	// A deleted application has no access to take back.
	require.NoError(t, h.DeleteApplication(ctx, gone.ID))
	require.NotContains(t, b.get(h.url+connections).text(), "Gone")

	h.eventKinds()
	r := b.disconnect(t, page, wiki.ID)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.Contains(t, r.Header.Get("Location"), connections+"?disconnected=")
	require.Equal(t, []provider.EventKind{provider.EventGrantRevoked}, h.eventKinds())
	require.Equal(t, 401, h.bearer("/api/notes", got.AccessToken).StatusCode)
	require.Equal(t, 400, wiki.refresh(got.RefreshToken).StatusCode)
	require.Equal(t, 200, h.bearer("/api/notes", grace.AccessToken).StatusCode, "another user's")
	after := b.get(h.url + r.Header.Get("Location"))
	require.Contains(t, after.text(), "Wiki was disconnected")
	require.NotContains(t, after.text(), "Read your notes")
	b.get(wiki.request()).statusIs(t, http.StatusOK) // It has to ask again.

	// The address alone can't show that something was disconnected.
	require.NotContains(t, b.get(h.url+connections+"?disconnected="+chess.ID).text(), "was disconnected")
	require.NotContains(t, b.get(h.url+connections+"?disconnected=nonsense").text(), "was disconnected")
}

// The last use of an application is the latest one of all its sign-ins. It is
// connected while one of them is live.
func TestConnectionsAreTheSignInsThatLive(t *testing.T) {
	h := newHost(t)
	wiki := h.application(provider.ApplicationSettings{Name: "Wiki"})
	first := h.clock.Now()
	listed := func() []pages.Connection {
		t.Helper()
		connections, err := h.ListConnections(context.Background(), "user_ada")
		require.NoError(t, err)
		return connections
	}
	lastUsed := func(at time.Time) {
		t.Helper()
		require.Len(t, listed(), 1)
		require.WithinDuration(t, at, listed()[0].LastUsed, time.Millisecond)
		require.WithinDuration(t, first, listed()[0].Since, time.Millisecond)
	}
	revoke := func(token string) { wiki.post("/oauth/token/revoke", "token", token).statusIs(t, 200) }

	older := wiki.tokens("user_ada")
	h.clock.Add(24 * time.Hour)
	newer := wiki.tokens("user_ada")
	lastUsed(h.clock.Now())
	h.clock.Add(24 * time.Hour)
	older = wiki.refresh(older.RefreshToken).tokens(t)
	refreshed := h.clock.Now()
	lastUsed(refreshed)
	h.clock.Add(time.Hour)
	h.bearer("/oauth/userinfo", older.AccessToken).statusIs(t, 200)
	lastUsed(refreshed) // Using a token writes nothing.

	revoke(older.AccessToken) // The sign-in continues.
	lastUsed(refreshed)
	revoke(older.RefreshToken)
	lastUsed(first.Add(24 * time.Hour)) // What is over was not used.
	revoke(newer.RefreshToken)
	require.Empty(t, listed(), "it has given back what it had")
	require.Contains(t, h.signedIn("user_ada").get(h.url+connections).text(), "No connected apps yet")

	wiki.tokens("user_ada") // It is let in again without a question,
	lastUsed(h.clock.Now()) // and was not used before it came.
	h.clock.Add(72*time.Hour - time.Minute)
	require.Len(t, listed(), 1)
	h.clock.Add(time.Minute)
	require.Empty(t, listed(), "nothing it has works")

	// A code that was not redeemed counts as a sign-in while it can be
	// redeemed.
	wiki.code("user_ada")
	require.Len(t, listed(), 1)
	h.clock.Add(10 * time.Minute)
	require.Empty(t, listed())
}

// Tokens of IssueToken are for the host's own page.
func TestPersonalTokensAreNotAConnection(t *testing.T) {
	h := newHost(t)
	ctx := context.Background()
	tools := h.application(provider.ApplicationSettings{Name: "Personal access tokens", RedirectURIs: []string{}})
	token, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: tools.ID, Lifetime: time.Hour})
	require.NoError(t, err)
	listed, err := h.ListConnections(ctx, "user_ada")
	require.NoError(t, err)
	require.Empty(t, listed)
	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{ApplicationID: tools.ID}, "", 0)
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Equal(t, token.ExpiresAt, grants[0].ExpiresAt)

	// An application that lost its redirect URIs, and has a consent, stays.
	wiki := h.application(provider.ApplicationSettings{Name: "Wiki"})
	wiki.tokens("user_ada")
	_, err = h.UpdateApplication(ctx, wiki.ID, func(a *provider.ApplicationSettings) error {
		a.RedirectURIs = nil
		return nil
	})
	require.NoError(t, err)
	listed, err = h.ListConnections(ctx, "user_ada")
	require.NoError(t, err)
	require.Len(t, listed, 1)
}

func TestConnectionsPageWithoutAny(t *testing.T) {
	h := newHost(t)
	b := h.browser()
	b.signIn("user_ada")
	require.Contains(t, b.get(h.url+connections).text(), "No connected apps yet")
}

func TestConnectionsPageSendsToSignInOnce(t *testing.T) {
	h := newHost(t)
	b := h.browser()
	r := b.get(h.url + connections)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	back := h.lastSignIn().ReturnTo
	require.True(t, strings.HasPrefix(back, connections+"?"))
	b.get(h.url+back).errorPage(t, 403, "couldn't confirm that you're signed in")
	b.signIn("user_ada")
	b.get(h.url+back).statusIs(t, http.StatusOK)
}

func TestForgedDisconnectIsRefused(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Name: "Wiki"})
	got := app.tokens("user_ada")
	const stale = "was already answered"
	for name, forge := range map[string]func(b *browser, form url.Values) *reply{
		"from another site": func(b *browser, form url.Values) *reply {
			return b.post(connections, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com")
		},
		"without a seal": func(b *browser, form url.Values) *reply {
			form.Del("seal")
			return b.post(connections, form)
		},
		"without an application": func(b *browser, form url.Values) *reply {
			form.Del("application")
			return b.post(connections, form)
		},
		"with the seal of another user": func(b *browser, form url.Values) *reply {
			b.signIn("user_grace")
			return b.post(connections, form)
		},
		"with the seal of the consent page": func(b *browser, form url.Values) *reply {
			form.Set("seal", b.get(app.request("prompt", "consent")).form(t, "").Get("seal"))
			return b.post(connections, form)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := h.browser()
			b.signIn("user_ada")
			page := b.get(h.url + connections)
			form := url.Values{"application": {app.ID}, "seal": page.form(t, "")["seal"][:1]}
			forge(b, form).errorPage(t, 403, stale)
			require.Equal(t, 200, h.bearer("/oauth/userinfo", got.AccessToken).StatusCode)
		})
	}

	// Without its cookie the form is refused; sent twice, it leads to the page.
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(h.url + connections)
	other := h.browser()
	other.signIn("user_ada")
	other.disconnect(t, page, app.ID).errorPage(t, 403, "didn't send the cookie")
	require.Equal(t, http.StatusSeeOther, b.disconnect(t, page, app.ID).StatusCode)
	again := b.disconnect(t, page, app.ID)
	require.Equal(t, http.StatusSeeOther, again.StatusCode)
	require.Contains(t, b.get(h.url+again.Header.Get("Location")).text(), "Wiki was disconnected")

	for _, method := range []string{"PUT", "DELETE", "OPTIONS"} {
		require.Equal(t, 405, h.send(method, connections, nil, "").StatusCode)
	}
}

func TestConnectionsPageSaysWhenTheStoreIsDown(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Store = storetest.NewBreakable(c.Store) })
	h.store.(*storetest.Breakable).Fail(errFire, "List")
	b := h.browser()
	b.signIn("user_ada")
	r := b.get(h.url + connections)
	r.errorPage(t, 503, "cannot answer right now")
	require.NotEmpty(t, r.Header.Get("Retry-After"))
}

// A user ends one sign-in, and the others of the application continue. The form
// can't end other users' sign-ins, and reveals nothing about them.
func TestOneSignInCanBeEnded(t *testing.T) {
	h := newHost(t)
	wiki := h.application(provider.ApplicationSettings{Name: "Wiki"})
	older := wiki.tokens("user_ada")
	h.clock.Add(time.Hour)
	newer, graces := wiki.tokens("user_ada"), wiki.tokens("user_grace")
	signIns := func(userID string) []pages.SignIn {
		t.Helper()
		listed, err := h.ListConnections(context.Background(), userID)
		require.NoError(t, err)
		require.Len(t, listed, 1)
		require.Equal(t, listed[0].SignInCount, len(listed[0].SignIns))
		return listed[0].SignIns
	}
	mine := signIns("user_ada")
	require.Len(t, mine, 2)
	require.True(t, mine[0].Since.After(mine[1].Since), "newest first")
	b := h.signedIn("user_ada")
	end := func(id string) *reply {
		t.Helper()
		page := b.get(h.url + connections)
		return b.post(connections, url.Values{"sign_in": {id}, "seal": page.form(t, "")["seal"][:1]})
	}
	works := func(token string) bool { return h.bearer("/oauth/userinfo", token).StatusCode == 200 }
	h.eventKinds()
	r := end(mine[1].ID)
	require.Equal(t, []provider.EventKind{provider.EventGrantRevoked}, h.eventKinds())
	require.Contains(t, b.follow(r).text(), "You're signed out of Wiki on that device.")
	require.Equal(t, []bool{false, true, true}, []bool{works(older.AccessToken), works(newer.AccessToken), works(graces.AccessToken)})
	require.Equal(t, 400, wiki.refresh(older.RefreshToken).StatusCode)
	require.Equal(t, mine[:1], signIns("user_ada"))

	for _, id := range []string{signIns("user_grace")[0].ID, mine[1].ID, "00000000-0000-7000-8000-000000000000"} {
		require.NotContains(t, b.follow(end(id)).text(), "signed out of", id)
	}
	require.Empty(t, h.eventKinds())
	for _, id := range []string{"", "nonsense"} {
		end(id).errorPage(t, 403, "was already answered")
	}
	page := b.get(h.url + connections)
	form := url.Values{"sign_in": {mine[0].ID}, "seal": page.form(t, "")["seal"][:1]}
	b.post(connections, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com").errorPage(t, 403, "was already answered")
	h.signedIn("user_ada").post(connections, form).errorPage(t, 403, "didn't send the cookie")
	require.True(t, works(newer.AccessToken) && works(graces.AccessToken))
	require.Equal(t, http.StatusSeeOther, b.post(connections, form).StatusCode)
	require.Equal(t, connections, b.post(connections, form).Header.Get("Location"), "the second click of two")
	require.False(t, works(newer.AccessToken))

	// The address alone can't say it.
	require.NotContains(t, b.get(h.url+connections+"?signed_out="+wiki.ID).text(), "signed out of")
}

// The page has a bounded size, and links to the rest.
func TestConnectionsPageIsBounded(t *testing.T) {
	h := newHost(t)
	ctx := context.Background()
	const many = 53
	for i := range many {
		app := h.application(provider.ApplicationSettings{Name: "App " + strconv.Itoa(100+i)})
		_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
		require.NoError(t, err)
		h.clock.Add(time.Second)
		for range 23 * min(1, i/(many-1)) { // the last of them
			_, _, err = h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
			require.NoError(t, err)
		}
	}
	b := h.signedIn("user_ada")
	count := func(page *reply) int { return strings.Count(page.body, "<details>") }
	first := b.get(h.url + connections)
	require.Equal(t, 50, count(first))
	require.Contains(t, first.text(), "Sign-ins: 24")
	require.Contains(t, first.text(), "Only the newest 20 are listed.")
	require.Equal(t, 49+20, strings.Count(first.body, `name="sign_in"`))
	more := regexp.MustCompile(`href="(/oauth/connections\?from=50)"`).FindStringSubmatch(first.body)
	require.NotNil(t, more)
	last := b.get(h.url + more[1])
	require.Equal(t, many-50, count(last))
	require.Contains(t, last.text(), "App 100")
	require.NotContains(t, last.body, "?from=")
	for _, from := range []string{"-1", "x", "53", "99999999999999999999"} {
		require.Equal(t, 50, count(b.get(h.url+connections+"?from="+from)), from)
	}
}
