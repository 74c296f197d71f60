package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

func TestWholeFlow(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
	b := h.browser()

	// Nobody is signed in: off to the host's sign-in page, and back.
	request := app.request("scope", "profile notes:read")
	r := b.get(request)
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	login, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/login", login.Path)
	back := login.Query().Get("next")
	require.True(t, strings.HasPrefix(back, "/oauth/authorize?"), back)
	r = b.post("/login", url.Values{"user": {"user_ada"}, "next": {back}})
	require.Equal(t, back, r.Header.Get("Location"))

	// The consent page says who asks, for what, and where it leads.
	page := b.get(h.url + back)
	require.Contains(t, page.body, "Wiki")
	require.Contains(t, page.body, "Ada Lovelace")
	require.Contains(t, page.body, "Read your notes")
	require.NotContains(t, page.body, "See your email address")
	require.Contains(t, page.body, "wiki.example.com")

	r = b.answer(page, "allow")
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), callback+"?"))
	answer := r.redirected(t)
	require.Equal(t, "st4te with space&more", answer.Get("state"))
	require.Equal(t, h.url, answer.Get("iss"))
	require.Len(t, answer, 3)

	got := app.redeem(answer.Get("code")).tokens(t)
	require.Equal(t, "Bearer", got.TokenType)
	require.EqualValues(t, 7200, got.ExpiresIn)
	require.Equal(t, "notes:read profile", got.Scope)

	r = h.bearer("/oauth/userinfo", got.AccessToken)
	require.Equal(t, 200, r.StatusCode)
	require.Contains(t, r.body, `"sub":"user_ada"`)
	require.Contains(t, r.body, `"name":"Ada Lovelace"`)
	require.NotContains(t, r.body, "ada@example.com")

	r = h.bearer("/api/notes", got.AccessToken)
	require.Equal(t, 200, r.StatusCode)
	require.Contains(t, r.body, `"UserID":"user_ada"`)

	require.Equal(t, []provider.EventKind{provider.EventGrantCreated, provider.EventTokenIssued}, h.eventKinds())
}

// Until client and redirect URI are known good, a refusal is a page and never a
// redirect (RFC 6749 section 4.1.2.1).
func TestErrorPageBeforeTheRedirectURIIsKnownGood(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	two := h.application(provider.ApplicationSettings{RedirectURIs: []string{callback, callback + "2"}})
	none := h.application(provider.ApplicationSettings{RedirectURIs: []string{}})
	long := strings.Repeat("x", 8<<10+1)
	for _, tt := range []struct{ name, target, says string }{
		{"no client", app.request("client_id", ""), "client_id is missing"},
		{"unknown client", app.request("client_id", "nobody"), "client_id is unknown"},
		{"unregistered redirect URI", app.request("redirect_uri", "https://evil.example.com/"), "not registered"},
		{"no redirect URI registered", none.request(), "no redirect URI registered"},
		{"several registered and none named", two.request("redirect_uri", ""), "redirect_uri is missing"},
		{"repeated client_id", app.request() + "&client_id=" + app.ClientID, "client_id more than once"},
		{"repeated redirect_uri", app.request() + "&redirect_uri=https://evil.example.com/", "redirect_uri more than once"},
		{"repeated state", app.request() + "&state=2", "state more than once"},
		{"repeated response_mode", app.request() + "&response_mode=query&response_mode=form_post", "response_mode more than once"},
		{"invalid UTF-8", app.request() + "&a=%ff", "invalid UTF-8"},
		{"NUL", app.request() + "&a=%00", "NUL"},
		{"broken percent-encoding", app.request() + "&a=%zz", "percent-encoding"},
		{"cut percent-encoding", app.request() + "&a=%2", "percent-encoding"},
		{"too long", app.request("state", long), "8 KiB"},
		{"too many", app.request() + strings.Repeat("&", 3) + manyParams(101), "100 parameters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, user := range []string{"", "user_ada"} {
				b := h.browser()
				if user != "" {
					b.signIn(user)
				}
				b.get(tt.target).errorPage(t, 400, tt.says)
			}
		})
	}
	require.Empty(t, h.signIns, "nobody may be sent to sign in for a request that cannot be answered")
}

func manyParams(n int) string {
	q := url.Values{}
	for i := range n {
		q.Set("p"+strings.Repeat("x", i), "1")
	}
	return q.Encode()
}

// An erroneous request is redirected only after the user has signed in (RFC
// 9700 section 4.11.2), and then with state (RFC 6749 section 4.1.2.1) and iss
// (RFC 9207 section 2). PKCE is required of public applications (RFC 9700
// section 2.1.1).
func TestErrorsByRedirectComeAfterSignInWithStateAndIss(t *testing.T) {
	h := newHost(t)
	confidential := h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})
	pkce := h.application(provider.ApplicationSettings{PKCERequired: true})
	for _, tt := range []struct {
		name, target, code string
	}{
		{"no response_type", confidential.request("response_type", ""), "invalid_request"},
		{"response_type token", confidential.request("response_type", "token"), "unsupported_response_type"},
		{"response_type code token", confidential.request("response_type", "code token"), "unsupported_response_type"},
		{"unknown scope", confidential.request("scope", "profile nothing"), "invalid_scope"},
		{"scope that the application does not have", confidential.request("scope", "notes:read"), "invalid_scope"},
		{"malformed scope", confidential.request("scope", `a"b`), "invalid_scope"},
		{"double space in scope", confidential.request("scope", "profile  email"), "invalid_scope"},
		{"response_mode fragment", confidential.request("response_mode", "fragment"), "invalid_request"},
		{"repeated scope", confidential.request("scope", "") + "&scope=&scope=email", "invalid_request"},
		{"repeated response_type", confidential.request() + "&response_type=code", "invalid_request"},
		{"prompt none with another", confidential.request("prompt", "none login"), "invalid_request"},
		{"public without PKCE (RFC 9700 section 2.1.1)", public.request("code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		{"PKCE demanded of a confidential application", pkce.request(), "invalid_request"},
		{"PKCE plain", public.request("code_challenge_method", "plain"), "invalid_request"},
		{"PKCE method left out, which means plain (RFC 7636 section 4.3)", public.request("code_challenge_method", ""), "invalid_request"},
		{"PKCE unknown method", public.request("code_challenge_method", "S512"), "invalid_request"},
		{"PKCE method without challenge", confidential.request("code_challenge_method", "S256"), "invalid_request"},
		{"PKCE challenge too short", public.request("code_challenge", "short"), "invalid_request"},
		{"PKCE challenge of 44 characters", public.request("code_challenge", challenge(verifier)+"A"), "invalid_request"},
		{"PKCE challenge with a character outside base64url", public.request("code_challenge", "+"+challenge(verifier)[1:]), "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := h.browser()
			r := b.get(tt.target)
			require.Equal(t, http.StatusSeeOther, r.StatusCode)
			require.True(t, strings.HasPrefix(r.Header.Get("Location"), "/login?"), r.Header.Get("Location"))

			b.signIn("user_ada")
			r = b.get(tt.target)
			require.Equal(t, http.StatusFound, r.StatusCode)
			require.True(t, strings.HasPrefix(r.Header.Get("Location"), callback+"?"))
			answer := r.redirected(t)
			require.Equal(t, tt.code, answer.Get("error"))
			require.NotEmpty(t, answer.Get("error_description"))
			require.Equal(t, "st4te with space&more", answer.Get("state"))
			require.Equal(t, h.url, answer.Get("iss"))
			require.Len(t, answer, 4)
		})
	}
}

// RFC 6749 section 3.3 lets a server grant less than was asked, if it says so.
func TestOpenIDScopesAreDroppedAndNeverGranted(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("email", "profile")})
	for asked, granted := range map[string]string{
		"openid profile":        "profile",
		"openid offline_access": "email profile",
		"offline_access email":  "email",
		"":                      "email profile",
	} {
		require.Equal(t, granted, app.tokens("user_ada", "scope", asked).Scope, "asked for %q", asked)
	}
}

// RFC 6749 section 3.1.2: a query in a registered redirect URI is retained.
func TestRegisteredQueryIsKeptByteForByte(t *testing.T) {
	h := newHost(t)
	for _, uri := range []string{
		callback + "?z=1&flag&a=2;b&z=%7e", callback + "?", callback + "?a=1&", callback + "?b=%2F&&c",
	} {
		app := h.application(provider.ApplicationSettings{RedirectURIs: []string{uri}})
		b := h.browser()
		b.signIn("user_ada")
		r := b.answer(b.get(app.request()), "allow")
		rest, ok := strings.CutPrefix(r.Header.Get("Location"), uri)
		require.True(t, ok, "%q is not the start of %q", uri, r.Header.Get("Location"))
		require.Regexp(t, `^[?&]?code=`, rest)
	}
}

// RFC 6749 section 4.1.1: state comes back as it was, whatever is in it. A
// browser changes line ends in the fields of a form, so none carries it bare.
func TestStateComesBackByteForByte(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	for _, state := range []string{"a\nb", "a\r\nb", "\r", `"'<>&amp;`, "%00%", "+ +", "grüße \U0001f511", strings.Repeat("x", 8<<10)} {
		page := b.get(app.request("state", state, "prompt", "consent"))
		form := page.form(t, "allow")
		for _, values := range form {
			require.NotContains(t, values[0], "\n")
			require.NotContains(t, values[0], "\r")
		}
		require.Equal(t, state, b.post("/oauth/authorize", form).redirected(t).Get("state"))
	}
}

func TestUnknownParametersAreIgnored(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	require.NotEmpty(t, b.authorize(app.request()+"&audience=1&audience=2&nonce=x").Get("code"))
}

// RFC 6749 section 3.1.2.3.
func TestRedirectURIMayBeLeftOutWhenOneIsRegistered(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada", "redirect_uri", "")
	app.redeem(code, "redirect_uri", "").tokens(t)
	code = app.code("user_ada", "redirect_uri", "")
	app.redeem(code, "redirect_uri", "https://evil.example.com/").refused(t, 400, "invalid_grant")
	app.redeem(code).tokens(t)
}

// A request that another site posts comes without the host's cookies (RFC 6749
// section 3.1 has the endpoint support POST).
func TestPostedRequestIsTurnedIntoItsGetForm(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	u, err := url.Parse(app.request("scope", "email", "unknown", "dropped"))
	require.NoError(t, err)
	r := b.post("/oauth/authorize", u.Query(), "Sec-Fetch-Site", "cross-site", "Origin", "https://wiki.example.com")
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	want := u.Query()
	want.Del("unknown")
	require.Equal(t, "/oauth/authorize?"+want.Encode(), r.Header.Get("Location"))
	require.Empty(t, h.signIns)

	h.send("POST", "/oauth/authorize", http.Header{"Content-Type": {"application/json"}}, "{}").errorPage(t, 400, "x-www-form-urlencoded")
	h.send("POST", "/oauth/authorize", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "a=%zz").errorPage(t, 400, "percent-encoding")
	h.send("HEAD", "/oauth/authorize", nil, "").statusIs(t, 405)
	h.send("OPTIONS", "/oauth/authorize", nil, "").statusIs(t, 405)
}

func (r *reply) statusIs(t testing.TB, status int) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
}

func TestPromptNone(t *testing.T) {
	h := newOpenHost(t)
	app := h.application(provider.ApplicationSettings{})

	b := h.browser()
	require.Equal(t, "login_required", b.authorize(app.request("prompt", "none")).Get("error"))
	b.signIn("user_ada")
	require.Equal(t, "consent_required", b.authorize(app.request("prompt", "none")).Get("error"))
	require.NotEmpty(t, b.authorize(app.request()).Get("code"))
	require.NotEmpty(t, b.authorize(app.request("prompt", "none")).Get("code"))
	require.Empty(t, h.signIns, "prompt=none must show nothing")

	self := h.application(provider.ApplicationSettings{})
	selfRegistered(t, h, self)
	h.browser().get(self.request("prompt", "none")).errorPage(t, 400, "sign in first")
}

// selfRegistered makes an application look as if it had registered itself.
func selfRegistered(t *testing.T, h *host, app *application) {
	t.Helper()
	h.change(app, func(a *store.Application) { a.Origin = store.OriginRegistration })
	app.Origin = store.OriginRegistration
}

func TestPromptLoginAsksForAFreshSignInOnce(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	h.clock.Add(time.Minute)

	r := b.get(app.request("prompt", "login", "login_hint", "ada@example.com"))
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.Len(t, h.signIns, 1)
	require.True(t, h.signIns[0].Force)
	require.False(t, h.signIns[0].SwitchAccount)
	require.Equal(t, "ada@example.com", h.signIns[0].LoginHint)
	back := h.signIns[0].ReturnTo

	// Coming back without having signed in ends the request and does not loop.
	answer := b.get(h.url + back).redirected(t)
	require.Equal(t, "login_required", answer.Get("error"))

	// Coming back after signing in goes on.
	b.signIn("user_ada")
	require.Equal(t, http.StatusOK, b.get(h.url+back).StatusCode)

	// The way back does not stay open for ever.
	h.clock.Add(2 * time.Hour)
	require.Equal(t, http.StatusSeeOther, b.get(h.url+back).StatusCode)

	// A visitor who signs in for the request is not asked a second time.
	fresh := h.browser()
	fresh.get(app.request("prompt", "login"))
	back = h.signIns[len(h.signIns)-1].ReturnTo
	fresh.signIn("user_ada")
	require.Equal(t, http.StatusOK, fresh.get(h.url+back).StatusCode)
}

func TestPromptSelectAccountAsksToSwitch(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	h.clock.Add(time.Minute)
	require.Equal(t, http.StatusSeeOther, b.get(app.request("prompt", "select_account")).StatusCode)
	require.True(t, h.signIns[0].SwitchAccount)
	// Choosing the account that is signed in needs no new sign-in.
	require.Equal(t, http.StatusOK, b.get(h.url+h.signIns[0].ReturnTo).StatusCode)
}

func TestResponseModeFormPost(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Name: `<b>"Wiki"</b>`})
	b := h.browser()
	b.signIn("user_ada")
	page := b.answer(b.get(app.request("response_mode", "form_post", "state", `"><script>`)), "allow")
	require.Equal(t, 200, page.StatusCode)
	require.Contains(t, page.body, `<form method="post" action="`+callback+`">`)
	require.Contains(t, page.body, "<button")
	require.NotContains(t, page.body, `"><script>`)
	require.NotContains(t, page.body, "<b>")
	require.Regexp(t, `script-src 'sha256-[^']+'`, page.Header.Get("Content-Security-Policy"))
	fields := page.form(t, "")
	require.Equal(t, h.url, fields.Get("iss"))
	require.Equal(t, `"><script>`, fields.Get("state"))
	app.redeem(fields.Get("code")).tokens(t)

	page = b.get(app.request("response_mode", "form_post", "scope", "nothing"))
	require.Equal(t, "invalid_scope", page.form(t, "").Get("error"))
}

// RFC 8252 section 7.3, and section 8.10 on what may differ.
func TestLoopbackRedirectURIPort(t *testing.T) {
	h := newHost(t)
	for _, tt := range []struct {
		name, registered, presented string
		public, ok                  bool
	}{
		{"another port on IPv4 (RFC 8252 section 7.3)", "http://127.0.0.1:1234/cb", "http://127.0.0.1:5678/cb", true, true},
		{"a port where none is registered", "http://127.0.0.1/cb", "http://127.0.0.1:5678/cb", true, true},
		{"another port on IPv6", "http://[::1]/cb", "http://[::1]:5678/cb", true, true},
		{"a query stays", "http://127.0.0.1/cb?x=1", "http://127.0.0.1:5678/cb?x=1", true, true},
		{"no path", "http://127.0.0.1", "http://127.0.0.1:5678", true, true},
		{"localhost is exact", "http://localhost:1234/cb", "http://localhost:5678/cb", true, false},
		{"localhost as registered", "http://localhost:1234/cb", "http://localhost:1234/cb", true, true},
		{"a confidential application is exact", "http://127.0.0.1:1234/cb", "http://127.0.0.1:5678/cb", false, false},
		{"IPv4 is not IPv6", "http://127.0.0.1/cb", "http://[::1]:5678/cb", true, false},
		{"another path", "http://127.0.0.1/cb", "http://127.0.0.1:5678/other", true, false},
		{"another query", "http://127.0.0.1/cb", "http://127.0.0.1:5678/cb?x=1", true, false},
		{"https is exact", "https://127.0.0.1/cb", "https://127.0.0.1:5678/cb", true, false},
		{"port 0", "http://127.0.0.1/cb", "http://127.0.0.1:0/cb", true, false},
		{"port too high", "http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", true, false},
		{"port with a leading zero", "http://127.0.0.1/cb", "http://127.0.0.1:0080/cb", true, false},
		{"port with a sign", "http://127.0.0.1/cb", "http://127.0.0.1:+80/cb", true, false},
		{"empty port", "http://127.0.0.1/cb", "http://127.0.0.1:/cb", true, false},
		{"user where the port should be", "http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example.com/cb", true, false},
		{"longer host", "http://127.0.0.1/cb", "http://127.0.0.1.evil.example.com/cb", true, false},
		{"longer number", "http://127.0.0.1/cb", "http://127.0.0.11/cb", true, false},
		{"user in front", "http://127.0.0.1/cb", "http://127.0.0.1@evil.example.com/cb", true, false},
		{"another spelling of the address", "http://127.0.0.1/cb", "http://127.1:5678/cb", true, false},
		{"the whole network", "http://127.0.0.1/cb", "http://127.0.0.2:5678/cb", true, false},
		{"backslash", "http://127.0.0.1/cb", `http://127.0.0.1:80\@evil.example.com/cb`, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := h.application(provider.ApplicationSettings{Public: tt.public, RedirectURIs: []string{tt.registered}})
			b := h.browser()
			b.signIn("user_ada")
			page := b.get(app.request("redirect_uri", tt.presented))
			if !tt.ok {
				page.errorPage(t, 400, "not registered")
				return
			}
			r := b.answer(page, "allow")
			require.True(t, strings.HasPrefix(r.Header.Get("Location"), tt.presented), r.Header.Get("Location"))
			// The code is bound to the port that was used.
			code := r.redirected(t).Get("code")
			if tt.presented != tt.registered {
				app.redeem(code).refused(t, 400, "invalid_grant")
			}
			app.redeem(code, "redirect_uri", tt.presented).tokens(t)
		})
	}
}

func TestFaultsOfTheHostAreAPageWithRetryAfter(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("broken")
	r := b.get(app.request())
	r.errorPage(t, 503, "Try again")
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	require.NotContains(t, r.body, "session store is down")
	require.Contains(t, h.log.String(), "session store is down")

	b.signIn("user_who_is_gone")
	b.get(app.request()).errorPage(t, 403, "not available")
}
