package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/store/memory"
)

// Wherever the sign-in page is asked to send people, it is on this origin.
func TestReturnAddress(t *testing.T) {
	d := newDemo(t)
	signedIn := newPerson(t)
	signedIn.arrive(signedIn.signIn(signedIn.open(d.acmeURL+"/login"), "ada"))
	for _, next := range []string{
		"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "/\t/evil.example", "/\n/evil.example",
		"/\r//evil.example", "\t//evil.example", " //evil.example", "https://evil.example", "https:evil.example", "HTTPS://evil.example/",
		"javascript:alert(1)", "data:text/html,x", "evil.example", "", "?x", "#x", ".//evil.example", "/x\x00", "/x\x7f", "/%09/evil.example",
	} {
		t.Run(next, func(t *testing.T) {
			for name, page := range map[string]*browser.Page{
				"form, then sign-in": func() *browser.Page {
					p := newPerson(t)
					return p.signIn(p.open(d.acmeURL+"/login?next="+url.QueryEscape(next)), "ada")
				}(),
				"sign-in": func() *browser.Page {
					p := newPerson(t)
					form := map[string]string{"login": "ada", "password": password, "next": next}
					return p.press(p.open(d.acmeURL+"/login"), "Sign in", form)
				}(),
				"signed in already": signedIn.open(d.acmeURL + "/login?next=" + url.QueryEscape(next)),
			} {
				require.Equal(t, http.StatusSeeOther, page.Status, name)
				require.Equal(t, "/", page.Header.Get("Location"), name)
			}
		})
	}
	for _, next := range []string{"/", "/oauth/authorize?client_id=x&state=a%2Fb", "/x?next=https://evil.example"} {
		t.Run(next, func(t *testing.T) {
			page := signedIn.open(d.acmeURL + "/login?next=" + url.QueryEscape(next))
			require.Equal(t, next, page.Header.Get("Location"))
			require.True(t, strings.HasPrefix(page.Leads(), d.acmeURL+"/"), page.Leads())
		})
	}
}

// Another site cannot sign a visitor in, or out. Latchkey's endpoints for
// programs are not behind that check.
func TestFormsOfOtherSites(t *testing.T) {
	d := newDemo(t)
	form := url.Values{"login": {"ada"}, "password": {password}}.Encode()
	for _, header := range []http.Header{
		{"Origin": {"https://evil.example"}},
		{"Origin": {d.wikiURL}}, // the same site, but not the same origin
		{"Origin": {"null"}},
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"same-site"}},
	} {
		for _, path := range []string{"/login", "/logout"} {
			answer, _ := request(t, http.MethodPost, d.acmeURL+path, form, header)
			require.Equal(t, http.StatusForbidden, answer.StatusCode, "%s %v", path, header)
			require.Empty(t, answer.Cookies())
		}
		answer, _ := request(t, http.MethodPost, d.acmeURL+"/oauth/token", "grant_type=authorization_code", header)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode, header)
		answer, _ = request(t, http.MethodPost, d.acmeURL+"/oauth/authorize", "client_id=x", header)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, header)
	}
	answer, _ := request(t, http.MethodPost, d.acmeURL+"/login", form, http.Header{"Origin": {d.acmeURL}})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
}

func TestUnknownUserAndWrongPasswordLookAlike(t *testing.T) {
	d := newDemo(t)
	var answers []string
	for _, login := range []string{"ada", "nobody", ""} {
		p := newPerson(t)
		page := p.press(p.open(d.acmeURL+"/login?next=/x"), "Sign in", map[string]string{"login": login, "password": "wrong"})
		require.Equal(t, http.StatusUnprocessableEntity, page.Status)
		require.Empty(t, page.Header["Set-Cookie"])
		require.Contains(t, string(page.Body), `name="next" value="/x"`)
		if login != "" {
			answers = append(answers, strings.ReplaceAll(string(page.Body), login, "…"))
		}
	}
	require.NotContains(t, answers[0], "wrong")
	require.Equal(t, strings.ReplaceAll(answers[0], "… and grace", "ada and grace"), answers[1])
}

// The answer for an unknown user takes about as long as for a wrong password.
func TestUnknownUserTakesAsLong(t *testing.T) {
	defer func(before int) { hashCost = before }(hashCost)
	hashCost = 8
	u, err := newUsers("http://127.0.0.1")
	require.NoError(t, err)
	took := func(login string) time.Duration {
		least := time.Hour
		for range 3 {
			start := time.Now()
			_, ok := u.authenticate(login, "wrong")
			require.False(t, ok)
			least = min(least, time.Since(start))
		}
		return least
	}
	require.Greater(t, took("nobody"), took("ada")/4)
}

func TestSession(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	first := p.signIn(p.open(d.acmeURL+"/login"), "ada@acme.example")
	cookie := cookieOf(t, first, "acme_session")
	require.True(t, cookie.HttpOnly)
	require.False(t, cookie.Secure, "the issuer is http")
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Contains(t, p.arrive(first).Text(), "Ada Lovelace")

	second := p.signIn(p.open(d.acmeURL+"/login?prompt=select_account"), "Grace")
	require.NotEqual(t, cookie.Value, cookieOf(t, second, "acme_session").Value, "a new session id at each sign-in")
	home := p.arrive(second)
	require.Contains(t, home.Text(), "Grace Hopper")
	_, body := request(t, http.MethodGet, d.acmeURL, "", http.Header{"Cookie": {"acme_session=" + cookie.Value}})
	require.NotContains(t, body, "Sign out", "the session before it is gone")

	require.NotContains(t, p.arrive(p.press(home, "Sign out", nil)).Text(), "Grace Hopper")
	require.Contains(t, p.open(d.acmeURL).Text(), "Notes for everybody")

	h, err := newHost("https://acme.example", memory.New(), 600)
	require.NoError(t, err)
	require.True(t, h.sessions.Cookie.Secure)
}

func TestSignInPage(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	require.Contains(t, string(p.open(d.acmeURL+"/login?login_hint=grace%40acme.example%22").Body), `value="grace@acme.example&#34;"`)

	p.signIn(p.open(d.acmeURL+"/login"), "ada")
	for query, want := range map[string]string{
		"":                       "redirect",
		"?prompt=login":          "form",
		"?prompt=select_account": "form with a way on",
	} {
		page := p.open(d.acmeURL + "/login" + query)
		got := "form"
		switch {
		case page.Leads() == d.acmeURL+"/":
			got = "redirect"
		case strings.Contains(page.Text(), "Continue as Ada Lovelace"):
			got = "form with a way on"
		}
		require.Equal(t, want, got, query)
	}
}

// An application may demand that the user signs in again, and that works.
func TestFreshSignIn(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	p.toWiki(d, "ada")
	start := p.press(p.arrive(p.press(p.open(d.wikiURL), "Sign out", nil)), "Sign in with Acme", nil)
	page := p.open(start.Leads() + "&prompt=login&login_hint=ada")
	page = p.arrive(page)
	require.True(t, page.HasButton("Sign in"), page.Text())
	require.Contains(t, p.arrive(p.press(p.arrive(p.signIn(page, "ada")), "Allow", nil)).Text(), "Welcome, Ada Lovelace")
}

func TestNotesAPI(t *testing.T) {
	d := newDemo(t)
	api := d.acmeURL + "/api/notes"
	answer, _ := request(t, http.MethodGet, api, "", nil)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "Bearer")
	answer, _ = request(t, http.MethodGet, api, "", http.Header{"Authorization": {"Bearer oat_nonsense"}})
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`)

	narrow := d.token(t, "ada", "profile")
	answer, _ = request(t, http.MethodGet, api, "", http.Header{"Authorization": {"Bearer " + narrow}})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), `scope="notes:read"`)

	for login, want := range map[string]string{"ada": "Flying machine", "grace": "Nanoseconds"} {
		token := d.token(t, login, "profile notes:read")
		answer, body := request(t, http.MethodGet, api, "", http.Header{"Authorization": {"Bearer " + token}})
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
		var content struct{ Notes []note }
		require.NoError(t, json.Unmarshal([]byte(body), &content))
		require.Equal(t, d.users.byLogin[login].notes, content.Notes)
		require.Contains(t, body, want)
	}
}

// Every page is whole in itself: no scripts, nothing from elsewhere.
func TestPages(t *testing.T) {
	d := newDemo(t)
	p := newPerson(t)
	welcome, _ := p.toWiki(d, "grace")
	for _, page := range []*browser.Page{
		welcome, newPerson(t).open(d.wikiURL), newPerson(t).open(d.acmeURL), newPerson(t).open(d.acmeURL + "/login"), p.open(d.acmeURL),
	} {
		require.Equal(t, policy, page.Header.Get("Content-Security-Policy"))
		require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
		require.NotContains(t, string(page.Body), "<script")
	}
	require.Contains(t, string(welcome.Body), d.acmeURL+"/avatars/grace.svg")
	for path, kind := range map[string]string{"/style.css": "text/css; charset=utf-8", "/avatars/grace.svg": "image/svg+xml", "/avatars/ada.svg": "image/svg+xml"} {
		page := p.open(d.acmeURL + path)
		require.Equal(t, http.StatusOK, page.Status, path)
		require.Equal(t, kind, page.Header.Get("Content-Type"))
	}
	for _, path := range []string{"/avatars/", "/pages/acme.html", "/acme.html"} {
		require.Equal(t, http.StatusNotFound, p.open(d.acmeURL+path).Status, path)
	}
}
