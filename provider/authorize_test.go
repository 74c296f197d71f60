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

	// No one is signed in: redirect to the host's sign-in page and back.
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
	require.Equal(t, "profile notes:read", got.Scope)

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
	h.change(app, func(a *store.Application) { a.Origin, a.Reviewed = store.OriginRegistration, false })
	app.Origin, app.Reviewed = store.OriginRegistration, false
}

func TestPromptLoginAsksForAFreshSignInOnce(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	h.clock.Add(2 * time.Minute)

	r := b.get(app.request("prompt", "login", "login_hint", "ada@example.com"))
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.Len(t, h.signIns, 1)
	require.True(t, h.signIns[0].Force)
	require.False(t, h.signIns[0].SwitchAccount)
	require.Equal(t, "ada@example.com", h.signIns[0].LoginHint)
	back := h.signIns[0].ReturnTo

	// Coming back without signing in ends the request and doesn't loop.
	answer := b.get(h.url + back).redirected(t)
	require.Equal(t, "login_required", answer.Get("error"))

	// After signing in, the visit continues.
	b.signIn("user_ada")
	require.Equal(t, http.StatusOK, b.get(h.url+back).StatusCode)

	// The return address expires.
	h.clock.Add(2 * time.Hour)
	require.Equal(t, http.StatusSeeOther, b.get(h.url+back).StatusCode)

	// A visitor who signs in for the request is not asked a second time.
	fresh := h.browser()
	fresh.get(app.request("prompt", "login"))
	back = h.signIns[len(h.signIns)-1].ReturnTo
	fresh.signIn("user_ada")
	require.Equal(t, http.StatusOK, fresh.get(h.url+back).StatusCode)
}

// The clock of the host's sessions may be behind, and a session may not know
// when it began. If a sign-in is too old, the log has the times.
func TestPromptLoginToleratesALateClock(t *testing.T) {
	for name, tt := range map[string]struct {
		signedIn func(sent time.Time) time.Time
		ok       bool
	}{
		"at once":         {func(sent time.Time) time.Time { return sent }, true},
		"7 seconds late":  {func(sent time.Time) time.Time { return sent.Add(-7 * time.Second) }, true},
		"59 seconds late": {func(sent time.Time) time.Time { return sent.Add(-59 * time.Second) }, true},
		"a clock ahead":   {func(sent time.Time) time.Time { return sent.Add(time.Hour) }, true},
		"not known":       {func(time.Time) time.Time { return time.Time{} }, true},
		"zero seconds":    {func(time.Time) time.Time { return time.Unix(0, 0) }, true},
		"2 minutes":       {func(sent time.Time) time.Time { return sent.Add(-2 * time.Minute) }, false},
		"a year":          {func(sent time.Time) time.Time { return sent.AddDate(-1, 0, 0) }, false},
		"in 1970":         {func(time.Time) time.Time { return time.Unix(1, 0) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var signedIn time.Time
			h := newHost(t, func(c *provider.Config) {
				c.CurrentUser = func(*http.Request) (provider.Session, error) {
					return provider.Session{UserID: "user_ada", SignedInAt: signedIn}, nil
				}
			})
			app := h.application(provider.ApplicationSettings{})
			b := h.browser()
			require.Equal(t, http.StatusSeeOther, b.get(app.request("prompt", "login")).StatusCode)
			sent := h.clock.Now()
			signedIn = tt.signedIn(sent)
			answer := b.get(h.url + h.signIns[0].ReturnTo)
			if tt.ok {
				require.Equal(t, http.StatusOK, answer.StatusCode)
				return
			}
			require.Equal(t, "login_required", answer.redirected(t).Get("error"))
			line := h.logged()
			require.Contains(t, line, "Config.SignIn at "+sent.UTC().Format(time.RFC3339))
			require.Contains(t, line, "signed in at "+signedIn.UTC().Format(time.RFC3339))
		})
	}
}

func TestPromptSelectAccountAsksToSwitch(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.browser()
	b.signIn("user_ada")
	h.clock.Add(time.Minute)
	require.Equal(t, http.StatusSeeOther, b.get(app.request("prompt", "select_account")).StatusCode)
	require.True(t, h.signIns[0].SwitchAccount)
	// Choosing the signed-in account needs no new sign-in.
	require.Equal(t, http.StatusOK, b.get(h.url+h.signIns[0].ReturnTo).StatusCode)
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
	b.get(app.request()).errorPage(t, 403, "isn't available")
}
