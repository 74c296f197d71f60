package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

const (
	logout  = "/oauth/logout"
	goodbye = "https://wiki.example.com/bye"
)

// signsOut makes a host an OpenID Provider whose session ends by its cookie.
func signsOut(c *provider.Config) {
	c.Keys = hosttest.NewKeys()
	c.OpenID = &provider.OpenID{SignOut: func(w http.ResponseWriter, _ *http.Request) error {
		http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", MaxAge: -1})
		return nil
	}}
}

// leaver is an application that sends its users to sign out.
func (h *host) leaver(s provider.ApplicationSettings) *application {
	s.PostLogoutRedirectURIs = append(s.PostLogoutRedirectURIs, goodbye)
	return h.application(s)
}

// idToken returns an ID token of the user, for a session with that ID.
func (a *application) idToken(user string) string {
	a.h.t.Helper()
	r := a.redeem(a.code(user, "scope", "openid"))
	r.statusIs(a.h.t, 200)
	var got struct {
		IDToken string `json:"id_token"`
	}
	require.NoError(a.h.t, json.Unmarshal([]byte(r.body), &got))
	require.NotEmpty(a.h.t, got.IDToken)
	return got.IDToken
}

// logoutURL is a link to sign out, with parameters given as name, value.
func (h *host) logoutURL(params ...string) string {
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	return h.url + logout + "?" + q.Encode()
}

// asks checks that a page asks whether to sign out.
func (r *reply) asks(t testing.TB, host string) {
	t.Helper()
	r.statusIs(t, 200)
	require.Contains(t, r.text(), "Sign out of "+host+"?")
	require.Empty(t, r.Header.Get("Location"))
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
}

// sentTo checks that a browser is redirected to a URL.
func (r *reply) sentTo(t testing.TB, target string) {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, r.StatusCode, r.body)
	require.Equal(t, target, r.Header.Get("Location"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
}

// isSignedIn checks whether a user is signed in, according to the host.
func (b *browser) isSignedIn(t testing.TB, want bool) {
	t.Helper()
	u, err := url.Parse(b.h.url)
	require.NoError(t, err)
	found := false
	for _, c := range b.client.Jar.Cookies(u) {
		found = found || c.Name == "session"
	}
	require.Equal(t, want, found, "signed in")
}

func (h *host) signedInAs(user string) *browser {
	h.t.Helper()
	b := h.browser()
	b.signIn(user)
	return b
}

func (h *host) hostName() string { return strings.TrimPrefix(h.url, "http://") }

// A hint for the signed-in user ends their session at once, and nothing else:
// the application keeps its tokens. The page after that shows the current
// state.
func TestLogoutEndsTheSessionAndNoGrant(t *testing.T) {
	h := newHost(t, signsOut)
	app := h.leaver(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
	hint, kept := app.idToken("user_ada"), app.tokens("user_ada", "scope", "notes:read")
	h.clock.Add(48 * time.Hour) // The hint has expired long ago.
	kept = app.refresh(kept.RefreshToken).tokens(t)
	h.eventKinds()

	b := h.signedInAs("user_ada")
	r := b.get(h.logoutURL("id_token_hint", hint))
	r.sentTo(t, logout)
	b.isSignedIn(t, false)
	h.mu.Lock()
	last := h.events[len(h.events)-2:]
	h.mu.Unlock()
	require.Equal(t, provider.EventSignedOut, last[0].Kind)
	require.Equal(t, []string{"user_ada", app.ID}, []string{last[0].UserID, last[0].ApplicationID})
	require.Equal(t, []string{"logout", "ok", app.ID}, []string{last[1].Endpoint, last[1].Outcome, last[1].ApplicationID})
	after := b.get(h.url + logout)
	after.statusIs(t, 200)
	require.Contains(t, after.text(), "You're signed out")

	h.bearer("/api/notes", kept.AccessToken).statusIs(t, 200)
	app.refresh(kept.RefreshToken).tokens(t)

	b = h.signedInAs("user_ada")
	b.get(h.logoutURL("id_token_hint", hint, "client_id", app.ClientID, "post_logout_redirect_uri", goodbye, "state", "a b&c")).sentTo(t, goodbye+"?state=a+b%26c")
	b.isSignedIn(t, false)
}

// A user who is not named by a valid hint is asked. The page says who is signed
// in and where they will be sent.
func TestLogoutAsksUsersThatTheHintDoesNotName(t *testing.T) {
	var session atomic.Value
	session.Store("s1")
	var keys provider.Keys
	h := newHost(t, signsOut, func(c *provider.Config) {
		keys = c.Keys
		current := c.CurrentUser
		c.CurrentUser = func(r *http.Request) (provider.Session, error) {
			s, err := current(r)
			s.ID = session.Load().(string)
			return s, err
		}
	})
	app, other := h.leaver(provider.ApplicationSettings{}), h.leaver(provider.ApplicationSettings{Name: "Chess"})
	hint := app.idToken("user_ada")
	foreign, err := hosttest.NewKeys().Sign(context.Background(), "ES256", []byte(`{"iss":"`+h.url+`","sub":"user_ada","aud":"`+app.ClientID+`"}`))
	require.NoError(t, err)
	claims, err := json.Marshal(map[string]string{"iss": "https://other.example.com", "sub": "user_ada", "aud": app.ClientID})
	require.NoError(t, err)
	elsewhere, err := keys.Sign(context.Background(), "ES256", claims)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		hint    string
		session string
		client  string
		user    string
		asks    bool
	}{
		"the user and the session":   {hint: hint, session: "s1"},
		"a host that knows no IDs":   {hint: hint},
		"another session":            {hint: hint, session: "s2", asks: true},
		"another user's":             {hint: hint, session: "s1", user: "user_grace", asks: true},
		"none":                       {session: "s1", client: app.ClientID, asks: true},
		"signed by another key":      {hint: foreign, session: "s1", client: app.ClientID, asks: true},
		"of another issuer":          {hint: elsewhere, session: "s1", client: app.ClientID, asks: true},
		"cut short":                  {hint: hint[:len(hint)-4], session: "s1", client: app.ClientID, asks: true},
		"an access token":            {hint: app.tokens("user_ada").AccessToken, session: "s1", client: app.ClientID, asks: true},
		"of it, and it names itself": {hint: hint, session: "s1", client: app.ClientID},
	} {
		t.Run(name, func(t *testing.T) {
			session.Store(tt.session)
			user := "user_ada"
			if tt.user != "" {
				user = tt.user
			}
			b := h.signedInAs(user)
			params := []string{"post_logout_redirect_uri", goodbye, "state", "xyz"}
			if tt.hint != "" {
				params = append(params, "id_token_hint", tt.hint)
			}
			if tt.client != "" {
				params = append(params, "client_id", tt.client)
			}
			r := b.get(h.logoutURL(params...))
			if !tt.asks {
				r.sentTo(t, goodbye+"?state=xyz")
				b.isSignedIn(t, false)
				return
			}
			r.asks(t, h.hostName())
			b.isSignedIn(t, true)
			require.Contains(t, r.text(), "Wiki asks to sign you out of")
			require.Contains(t, r.text(), "You'll be sent back to wiki.example.com.")
			b.post(logout, r.form(t, "allow")).sentTo(t, goodbye+"?state=xyz")
			b.isSignedIn(t, false)
		})
	}
	b := h.signedInAs("user_ada")
	b.get(h.logoutURL("id_token_hint", hint, "client_id", other.ClientID)).errorPage(t, 400, "issued to another application")
	b.isSignedIn(t, true)
}

// A redirect URI that is not one of the application's, byte for byte, gets an
// error page. No one is signed out or redirected.
func TestLogoutRedirectURIsAreComparedByteForByte(t *testing.T) {
	h := newHost(t, signsOut)
	app := h.leaver(provider.ApplicationSettings{Public: true, PostLogoutRedirectURIs: []string{"http://127.0.0.1:8080/bye", goodbye + "/q?a=1"}})
	other := h.application(provider.ApplicationSettings{Name: "Chess", PostLogoutRedirectURIs: []string{"https://chess.example.com/bye"}})
	hint := app.idToken("user_ada")
	b := h.signedInAs("user_ada")
	for _, uri := range []string{
		goodbye + "?foo=bar", goodbye + "?", goodbye + "/", goodbye + "#", "https://WIKI.example.com/bye", "HTTPS://wiki.example.com/bye",
		"https://wiki.example.com:443/bye", "http://wiki.example.com/bye", "https://wiki.example.com/Bye", "https://wiki.example.com/%62ye",
		"https://wiki.example.com/bye/../bye", "https://wiki.example.com.evil.example/bye", "https://wiki.example.com@evil.example/bye",
		"https://evil.example/bye", "//evil.example", "/bye", "javascript:alert(1)", " " + goodbye, goodbye + "\n",
		"http://127.0.0.1:8081/bye", "http://127.0.0.1/bye", "http://localhost:8080/bye", goodbye + "/q?a=1&b=2", goodbye + "/q",
		callback, "https://chess.example.com/bye", h.url,
	} {
		for _, known := range [][]string{{"id_token_hint", hint}, {"client_id", app.ClientID}} {
			b.get(h.logoutURL(append(known, "post_logout_redirect_uri", uri)...)).errorPage(t, 400, "not registered for it")
			h.browser().get(h.logoutURL(append(known, "post_logout_redirect_uri", uri)...)).errorPage(t, 400, "not registered for it")
		}
	}
	b.get(h.logoutURL("client_id", other.ClientID, "post_logout_redirect_uri", goodbye)).errorPage(t, 400, "not registered for it")
	b.get(h.logoutURL("client_id", "nobody", "post_logout_redirect_uri", goodbye)).errorPage(t, 400, "is not registered")
	b.get(h.logoutURL("post_logout_redirect_uri", goodbye)).errorPage(t, 400, "did not say which application it is")
	r := b.get(h.logoutURL("post_logout_redirect_uri", goodbye, "id_token_hint", "nonsense"))
	r.errorPage(t, 400, "is not an ID token of this server")
	require.Contains(t, r.body, `href="`+logout+`"`, "the visitor can sign out all the same")
	b.get(h.logoutURL("id_token_hint", hint, "post_logout_redirect_uri", goodbye, "post_logout_redirect_uri", goodbye)).errorPage(t, 400, "more than once")
	b.get(h.logoutURL("logout_hint", "a", "logout_hint", "b")).errorPage(t, 400, "more than once")
	b.isSignedIn(t, true)
	h.read = len(h.log.String())
	b.get(h.logoutURL("client_id", app.ClientID, "post_logout_redirect_uri", goodbye+"/", "id_token_hint", hint)).statusIs(t, 400)
	line := h.logged()
	require.Contains(t, line, "endpoint=logout error=invalid_request")
	require.Contains(t, line, "post_logout_redirect_uri="+goodbye+"/")
	require.NotContains(t, line, hint)

	b.get(h.logoutURL("id_token_hint", hint, "post_logout_redirect_uri", goodbye+"/q?a=1", "state", "s", "utm_source", "x", "utm_source", "y")).sentTo(t, goodbye+"/q?a=1&state=s")
	b.isSignedIn(t, false)
}

// A link alone doesn't redirect anyone to an application that isn't reviewed,
// not even with a hint of the application's developer. A signed-in user decides
// on the page, unless the application has their ID token: then they have
// decided before.
func TestLogoutIsNotAnOpenRedirector(t *testing.T) {
	h := newHost(t, signsOut)
	app, trusted := h.leaver(provider.ApplicationSettings{Public: true}), h.leaver(provider.ApplicationSettings{})
	_, err := h.ReviewApplication(context.Background(), app.ID, false)
	require.NoError(t, err)
	ofMaker, ofAda := app.idToken("user_grace"), app.idToken("user_ada")
	for name, params := range map[string][]string{
		"by its client_id": {"client_id", app.ClientID}, "by its maker's hint": {"id_token_hint", ofMaker}, "by a hint": {"id_token_hint", ofAda},
	} {
		link := h.logoutURL(append(params, "post_logout_redirect_uri", goodbye, "state", "s")...)
		r := h.browser().get(link)
		r.statusIs(t, 200)
		require.Empty(t, r.Header.Get("Location"), name)
		require.Contains(t, r.text(), "You're signed out")
		require.Contains(t, r.text(), "Not reviewed by")
		require.Contains(t, r.text(), "You'll be sent back to wiki.example.com.")
		require.Contains(t, r.body, `href="`+goodbye+`?state=s"`)
		b := h.signedInAs("user_ada")
		r = b.get(link)
		if name == "by a hint" {
			r.sentTo(t, goodbye+"?state=s")
			continue
		}
		r.asks(t, h.hostName())
		require.Contains(t, r.text(), "Not reviewed by")
		b.post(logout, r.form(t, "allow")).sentTo(t, goodbye+"?state=s")
	}
	h.browser().get(h.logoutURL("client_id", trusted.ClientID, "post_logout_redirect_uri", goodbye)).sentTo(t, goodbye)
}

// No other site, user, or browser can answer the page, and it can't be answered
// twice.
func TestLogoutFormIsSealed(t *testing.T) {
	h := newHost(t, signsOut)
	app := h.leaver(provider.ApplicationSettings{})
	link := h.logoutURL("client_id", app.ClientID, "post_logout_redirect_uri", goodbye)
	b := h.signedInAs("user_ada")
	page := b.get(link)
	page.asks(t, h.hostName())
	form := page.form(t, "allow")
	refused := func(b *browser, form url.Values, header ...string) {
		t.Helper()
		b.post(logout, form, header...).errorPage(t, 403, "")
		b.isSignedIn(t, true)
	}
	changed := func(name, value string) url.Values {
		altered := url.Values{}
		for k, v := range form {
			altered[k] = append([]string(nil), v...)
		}
		if name == "state" {
			alter(altered, name, value)
		} else {
			altered.Set(name, value)
		}
		return altered
	}
	refused(b, changed("seal", ""))
	refused(b, changed("seal", strings.Repeat("A", 64)))
	refused(b, changed("state", "other"))
	refused(b, changed("request", ""))
	refused(b, url.Values{"decision": {"allow"}})
	refused(b, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	refused(h.signedInAs("user_ada"), form) // another browser's
	b.post("/login", url.Values{"user": {"user_grace"}, "next": {"/"}})
	refused(b, form) // another user's
	b.signIn("user_ada")
	h.clock.Add(2 * time.Hour)
	b.signIn("user_ada")
	refused(b, form) // too old
	b.post(logout, url.Values{"decision": {"allow", "allow"}, "request": form["request"], "seal": form["seal"]}).errorPage(t, 400, "more than once")

	// A request that another site posts becomes a GET.
	b.post(logout, url.Values{"client_id": {app.ClientID}, "seal": {"x"}}, "Sec-Fetch-Site", "cross-site").sentTo(t, logout+"?client_id="+app.ClientID)
	b.isSignedIn(t, true)

	page = b.get(link)
	stay := b.post(logout, page.form(t, "deny"))
	stay.statusIs(t, 200)
	require.Contains(t, stay.text(), "You're still signed in")
	b.isSignedIn(t, true)
	require.NotContains(t, h.eventKinds(), provider.EventSignedOut)

	form = page.form(t, "allow")
	b.post(logout, form).sentTo(t, goodbye)
	b.post(logout, form).sentTo(t, goodbye) // the second click of two
	require.Equal(t, []provider.EventKind{provider.EventSignedOut}, h.eventKinds())
	b.signIn("user_ada")
	again := b.post(logout, form) // from a page that is still in the window
	require.Equal(t, http.StatusSeeOther, again.StatusCode)
	require.True(t, strings.HasPrefix(again.Header.Get("Location"), logout+"?"), "asked anew")
	b.isSignedIn(t, true)
}

// If the session can't be ended, nothing happens: the browser keeps the
// session's cookie, and the page can be sent again.
func TestLogoutWhenTheHostFails(t *testing.T) {
	var down atomic.Bool
	h := newHost(t, signsOut, func(c *provider.Config) {
		ends := c.OpenID.SignOut
		c.OpenID.SignOut = func(w http.ResponseWriter, r *http.Request) error {
			if err := ends(w, r); err != nil || !down.Load() {
				return err
			}
			return errors.New("the session store is down")
		}
	})
	app := h.leaver(provider.ApplicationSettings{})
	hint := app.idToken("user_ada")
	b := h.signedInAs("user_ada")
	form := b.get(h.url+logout).form(t, "allow")
	down.Store(true)
	h.eventKinds()
	r := b.get(h.logoutURL("id_token_hint", hint, "post_logout_redirect_uri", goodbye))
	r.errorPage(t, 503, "cannot answer right now")
	b.post(logout, form).errorPage(t, 503, "cannot answer right now")
	require.Contains(t, h.log.String(), "Config.OpenID.SignOut: the session store is down")
	require.Empty(t, h.eventKinds())
	b.isSignedIn(t, true)
	down.Store(false)
	b.post(logout, form).sentTo(t, logout)
	b.isSignedIn(t, false)
}

// An outage of the store or of the users shows an error page if something must
// be looked up, and signs no one out. If nothing must be looked up, the user
// can sign out.
func TestLogoutInAnOutage(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newHost(t, signsOut, func(c *provider.Config) { c.Store = kept })
	app := h.leaver(provider.ApplicationSettings{})
	hint := app.idToken("user_ada")
	b := h.signedInAs("user_ada")
	kept.Fail(errFire)
	b.get(h.logoutURL("id_token_hint", hint, "post_logout_redirect_uri", goodbye)).errorPage(t, 503, "cannot answer right now")
	b.get(h.logoutURL("client_id", app.ClientID)).asks(t, h.hostName())
	b.isSignedIn(t, true)
	b.get(h.logoutURL("id_token_hint", hint)).sentTo(t, logout)
	b.isSignedIn(t, false)
	kept.Heal()

	b.signIn("broken")
	b.get(h.logoutURL("id_token_hint", hint)).errorPage(t, 503, "cannot answer right now")
	b.signIn("user_ada")
	h.down = errFire
	b.get(h.url+logout).errorPage(t, 503, "cannot answer right now")
	h.down = nil
	delete(h.users, "user_ada") // An account that is gone can be signed out of.
	page := b.get(h.url + logout)
	page.asks(t, h.hostName())
	require.Contains(t, page.text(), "Signed in as user_ada")
	b.post(logout, page.form(t, "allow")).sentTo(t, logout)
	b.isSignedIn(t, false)
	h.users["user_ada"] = userinfo.User{ID: "user_ada"}
}

// A HEAD request signs no one out.
func TestLogoutByHeadDoesNothing(t *testing.T) {
	h := newHost(t, signsOut)
	hint := h.leaver(provider.ApplicationSettings{}).idToken("user_ada")
	b := h.signedInAs("user_ada")
	r, err := http.NewRequest("HEAD", h.logoutURL("id_token_hint", hint), nil)
	require.NoError(t, err)
	send(t, b.client, r).statusIs(t, 200)
	b.isSignedIn(t, true)
}

// Without OpenID.SignOut the page doesn't exist, and no document mentions it.
func TestLogoutIsOffUntilTheHostCanEndASession(t *testing.T) {
	for name, edit := range map[string]func(*provider.Config){
		"no OpenID":  func(*provider.Config) {},
		"no SignOut": func(c *provider.Config) { signsOut(c); c.OpenID.SignOut = nil },
	} {
		h := newHost(t, edit)
		require.Contains(t, h.send("GET", logout, nil, "").body, "the host's own page", name)
		require.Empty(t, h.Endpoints().Logout)
		for _, r := range h.Routes() {
			require.NotContains(t, r.Path, "logout")
		}
		app := h.leaver(provider.ApplicationSettings{})
		require.Equal(t, []string{goodbye}, app.PostLogoutRedirectURIs, "they are kept all the same")
	}
	h := newHost(t, signsOut)
	require.Equal(t, h.url+logout, h.Endpoints().Logout)
}
