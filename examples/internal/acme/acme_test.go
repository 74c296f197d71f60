package acme_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

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

// serve runs the app until the test ends, and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	listener, issuer := acmetest.Listen(t)
	host, err := acme.New(provider.Config{Issuer: issuer, Store: memory.New()})
	require.NoError(t, err)
	mux := http.NewServeMux()
	host.Mount(mux)
	mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes)))
	mux.Handle("GET /secret", host.Page(func(w http.ResponseWriter, _ *http.Request, userID string) { w.Write([]byte(userID)) }))
	acmetest.Serve(t, listener, mux)
	return issuer
}

func TestSignIn(t *testing.T) {
	issuer, p := serve(t), acmetest.NewPerson(t)
	page := p.Arrive(p.Open(issuer + "/secret"))
	require.Contains(t, page.Text(), "Sign in to Acme Notes")
	require.Contains(t, page.Text(), acme.Password)
	first := p.SignIn(page, "ada@acme.example")
	require.Equal(t, issuer+"/secret", first.Leads())
	cookie := acmetest.Cookie(t, first, "acme_session")
	require.True(t, cookie.HttpOnly)
	require.False(t, cookie.Secure, "the issuer is http")
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "user_1815", string(p.Arrive(first).Body))

	second := p.SignIn(p.Open(issuer+"/login?prompt=select_account"), "Grace")
	require.NotEqual(t, cookie.Value, acmetest.Cookie(t, second, "acme_session").Value, "each sign-in gets a new session ID")
	home := p.Arrive(second)
	require.Contains(t, home.Text(), "You are signed in as Grace Hopper.")
	require.Contains(t, home.Text(), "Nanoseconds")
	_, body := acmetest.Request(t, http.MethodGet, issuer, "", http.Header{"Cookie": {"acme_session=" + cookie.Value}})
	require.NotContains(t, body, "Sign out", "the session before it is gone")
	require.Equal(t, http.StatusOK, p.Arrive(p.Open(issuer+"/oauth/connections")).Status)

	require.NotContains(t, p.Arrive(p.Press(home, "Sign out", nil)).Text(), "Grace Hopper")
	require.Contains(t, p.Open(issuer).Text(), "Welcome to Acme Notes")

	app, err := acme.NewApp("https://acme.example")
	require.NoError(t, err)
	require.True(t, app.Sessions.Cookie.Secure)
}

// The sign-in page sends users only to addresses on this origin.
func TestReturnAddress(t *testing.T) {
	issuer, signedIn := serve(t), acmetest.NewPerson(t)
	signedIn.SignIn(signedIn.Open(issuer+"/login"), "ada")
	for _, next := range []string{
		"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "/\t/evil.example", "/\n/evil.example",
		"/\r//evil.example", "\t//evil.example", " //evil.example", "https://evil.example", "https:evil.example", "HTTPS://evil.example/",
		"javascript:alert(1)", "data:text/html,x", "evil.example", "", "?x", "#x", ".//evil.example", "/x\x00", "/x\x7f", "/%09/evil.example",
	} {
		t.Run(next, func(t *testing.T) {
			for name, page := range map[string]*browser.Page{
				"form, then sign-in": func() *browser.Page {
					p := acmetest.NewPerson(t)
					return p.SignIn(p.Open(issuer+"/login?next="+url.QueryEscape(next)), "ada")
				}(),
				"sign-in": func() *browser.Page {
					p := acmetest.NewPerson(t)
					form := map[string]string{"login": "ada", "password": acme.Password, "next": next}
					return p.Press(p.Open(issuer+"/login"), "Sign in", form)
				}(),
				"signed in already": signedIn.Open(issuer + "/login?next=" + url.QueryEscape(next)),
			} {
				require.Equal(t, http.StatusSeeOther, page.Status, name)
				require.Equal(t, "/", page.Header.Get("Location"), name)
			}
		})
	}
	for _, next := range []string{"/", "/oauth/authorize?client_id=x&state=a%2Fb", "/x?next=https://evil.example"} {
		t.Run(next, func(t *testing.T) {
			page := signedIn.Open(issuer + "/login?next=" + url.QueryEscape(next))
			require.Equal(t, next, page.Header.Get("Location"))
			require.True(t, strings.HasPrefix(page.Leads(), issuer+"/"), page.Leads())
		})
	}
}

// Another site cannot sign a visitor in or out. Latchkey's endpoints for programs
// don't have that check.
func TestFormsOfOtherSites(t *testing.T) {
	issuer := serve(t)
	form := url.Values{"login": {"ada"}, "password": {acme.Password}}.Encode()
	for _, header := range []http.Header{
		{"Origin": {"https://evil.example"}},
		{"Origin": {"http://127.0.0.1:1"}}, // the same site, but not the same origin
		{"Origin": {"null"}},
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"same-site"}},
	} {
		for _, path := range []string{"/login", "/logout"} {
			answer, _ := acmetest.Request(t, http.MethodPost, issuer+path, form, header)
			require.Equal(t, http.StatusForbidden, answer.StatusCode, "%s %v", path, header)
			require.Empty(t, answer.Cookies())
		}
		answer, _ := acmetest.Request(t, http.MethodPost, issuer+"/oauth/token", "grant_type=authorization_code", header)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode, header)
		answer, _ = acmetest.Request(t, http.MethodPost, issuer+"/oauth/authorize", "client_id=x", header)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, header)
	}
	answer, _ := acmetest.Request(t, http.MethodPost, issuer+"/login", form, http.Header{"Origin": {issuer}})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
}

func TestUnknownUserAndWrongPasswordLookAlike(t *testing.T) {
	issuer := serve(t)
	var answers []string
	for _, login := range []string{"ADA", "eve", ""} { // The page contains "ada" anyway.
		p := acmetest.NewPerson(t)
		page := p.Press(p.Open(issuer+"/login?next=/x"), "Sign in", map[string]string{"login": login, "password": "mistyped"})
		require.Equal(t, http.StatusUnprocessableEntity, page.Status)
		require.Empty(t, page.Header["Set-Cookie"])
		require.Contains(t, string(page.Body), `name="next" value="/x"`)
		require.NotContains(t, string(page.Body), "mistyped")
		if login != "" {
			answers = append(answers, strings.ReplaceAll(string(page.Body), login, "…"))
		}
	}
	require.Equal(t, answers[0], answers[1])
}

// The response for an unknown user takes about as long as for a wrong password.
func TestUnknownUserTakesAsLong(t *testing.T) {
	defer func(before int) { acme.HashCost = before }(acme.HashCost)
	acme.HashCost = 8
	issuer := serve(t)
	took := func(login string) time.Duration {
		least := time.Hour
		for range 3 {
			start := time.Now()
			form := url.Values{"login": {login}, "password": {"wrong"}}.Encode()
			answer, _ := acmetest.Request(t, http.MethodPost, issuer+"/login", form, nil)
			require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
			least = min(least, time.Since(start))
		}
		return least
	}
	require.Greater(t, took("eve"), took("ada")/4)
}

func TestSignInPage(t *testing.T) {
	issuer, p := serve(t), acmetest.NewPerson(t)
	require.Contains(t, string(p.Open(issuer+"/login?login_hint=grace%40acme.example%22").Body), `value="grace@acme.example&#34;"`)

	p.SignIn(p.Open(issuer+"/login"), "ada")
	for query, want := range map[string]string{
		"":                       "redirect",
		"?prompt=login":          "form",
		"?prompt=select_account": "form with a link to continue",
	} {
		page := p.Open(issuer + "/login" + query)
		got := "form"
		switch {
		case page.Leads() == issuer+"/":
			got = "redirect"
		case strings.Contains(page.Text(), "Continue as Ada Lovelace"):
			got = "form with a link to continue"
		}
		require.Equal(t, want, got, query)
	}
}

// Every page has a viewport, a style sheet, and no scripts. Its links lead
// somewhere.
func TestPages(t *testing.T) {
	issuer, p := serve(t), acmetest.NewPerson(t)
	signIn := p.Open(issuer + "/login")
	home := p.Arrive(p.SignIn(signIn, "ada"))
	for _, page := range []*browser.Page{signIn, home, acmetest.NewPerson(t).Open(issuer)} {
		require.Equal(t, ui.Policy, page.Header.Get("Content-Security-Policy"))
		require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
		require.NotContains(t, string(page.Body), "<script")
		require.Contains(t, string(page.Body), `<meta name="viewport"`)
		for _, link := range regexp.MustCompile(`href="(/[^"]*)"`).FindAllStringSubmatch(string(page.Body), -1) {
			require.Equal(t, http.StatusOK, p.Arrive(p.Open(issuer+link[1])).Status, link[1])
		}
	}
	require.Contains(t, string(home.Body), `href="/oauth/connections"`)
	for path, kind := range map[string]string{"/style.css": "text/css; charset=utf-8", "/avatars/grace.svg": "image/svg+xml", "/avatars/ada.svg": "image/svg+xml"} {
		page := p.Open(issuer + path)
		require.Equal(t, http.StatusOK, page.Status, path)
		require.Equal(t, kind, page.Header.Get("Content-Type"))
	}
	for _, path := range []string{"/avatars/", "/avatars/x.svg", "/pages.html"} {
		require.Equal(t, http.StatusNotFound, p.Open(issuer+path).Status, path)
	}
}

func TestNotesNeedAToken(t *testing.T) {
	answer, _ := acmetest.Request(t, http.MethodGet, serve(t)+"/api/notes", "", nil)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "Bearer")
}
