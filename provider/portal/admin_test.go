package portal_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// authenticates reports whether a secret is one of the application's.
func (h *host) authenticates(app provider.Application, secret string) bool {
	h.t.Helper()
	answer, err := http.PostForm(h.Endpoints().Introspect, url.Values{"client_id": {app.ClientID}, "client_secret": {secret}, "token": {"x"}})
	require.NoError(h.t, err)
	require.NoError(h.t, answer.Body.Close())
	return answer.StatusCode == 200
}

func TestAdministration(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	b := h.browser("user_grace")
	b.get(adminPath).is(200, "There are no applications yet")
	b.get(adminPath+"?new").is(200, "notes:write", "It must use PKCE")

	made := b.post(adminPath+"?new", "do", "create", "type", "web", "name", "Wiki <b>", "redirect_uris", "https://wiki.example.com/a\r\nhttps://wiki.example.com/b\n",
		"scope", "profile", "scope", "notes:write", "client_uri", "https://wiki.example.com", "owner", "user_ada", "pkce", "on", "machine_scope", "notes:read").is(201, "The application is registered", "Wiki <b>")
	require.NotContains(t, made.body, "<b>")
	app := h.application("Wiki <b>")
	require.Equal(t, []string{"https://wiki.example.com/a", "https://wiki.example.com/b"}, app.RedirectURIs)
	require.Equal(t, scopes.New("profile", "notes:write"), app.Scopes)
	require.Equal(t, "user_ada", app.OwnerID)
	require.True(t, app.PKCERequired)
	require.Equal(t, scopes.New("notes:read"), app.MachineScopes)
	require.False(t, app.Reviewed)
	first := made.secret()
	require.True(t, h.authenticates(app, first))
	require.NotContains(t, b.get(adminPath+of(app)).is(200).body, first, "it is shown once")

	// The form is sent again, as if its answer were reloaded.
	again := b.post(adminPath+"?new", "do", "create", "type", "web", "name", "Wiki <b>").is(422, "an application with this name already")
	require.NotContains(t, again.body, `id="secret"`)

	for _, search := range []string{"wIKI", app.ClientID} {
		b.get(adminPath+"?search="+search).is(200, app.ClientID)
	}
	b.get(adminPath+"?search=board").is(200, "No application has this name")

	version := fmt.Sprint(app.Version)
	save := []string{"do", "save", "name", "Board", "redirect_uris", "https://wiki.example.com/a", "scope", "email", "skip_consent", "on"}
	b.post(adminPath+of(app), append(save, "version", version)...).is(303)
	b.post(adminPath+of(app), append(save, "version", version)...).is(409, "The application was changed meanwhile")
	app = h.application("Board")
	require.Equal(t, scopes.New("email"), app.Scopes)
	require.True(t, app.SkipConsent)
	require.Empty(t, app.MachineScopes, "what is unticked is taken away")
	b.post(adminPath+"?new", "do", "create", "type", "device", "name", "Public", "machine_scope", "notes:read").is(422, "machine scopes")
	require.Empty(t, app.OwnerID)
	b.post(adminPath+of(app), "do", "save", "name", "", "redirect_uris", "javascript:alert(1)", "version", fmt.Sprint(app.Version)).
		is(422, "name is missing", "javascript:alert(1)")

	// With an overlap both secrets work; without it, only the new one.
	rotate := func(overlap string) page {
		return b.post(adminPath+of(app), "do", "rotate", "overlap", overlap, "version", fmt.Sprint(h.application("Board").Version))
	}
	stale := fmt.Sprint(h.application("Board").Version)
	second := rotate("day").is(200, "There is a new secret").secret()
	require.True(t, h.authenticates(app, first) && h.authenticates(app, second))
	b.post(adminPath+of(app), "do", "rotate", "overlap", "none", "version", stale).is(409, "Nothing was changed")
	rotate("day").is(422, "Two secrets work already")
	rotate("nonsense").is(422, "Choose how long")
	third := rotate("none").is(200).secret()
	require.True(t, h.authenticates(app, third))
	require.False(t, h.authenticates(app, first) || h.authenticates(app, second))

	b.post(adminPath+of(app), "do", "review", "version", "1").is(409)
	b.post(adminPath+of(app), "do", "review", "version", fmt.Sprint(h.application("Board").Version)).is(303)
	require.True(t, h.application("Board").Reviewed)
	b.post(adminPath+of(app), "do", "unreview").is(303)
	require.False(t, h.application("Board").Reviewed)

	// The list of sign-ins.
	_, token, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Label: "backup", Scopes: scopes.New("email")})
	require.NoError(t, err)
	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{ApplicationID: app.ID}, "", 0)
	require.NoError(t, err)
	b.get(adminPath+of(app)).is(200, "user_ada", "backup", "Scopes: email", grants[0].ID.String())
	b.post(adminPath+of(app), "do", "end", "grant", "nonsense").is(404)
	b.post(adminPath+of(app), "do", "end", "grant", grants[0].ID.String()).is(303)
	_, err = h.Verify(ctx, token.Reveal())
	require.ErrorIs(t, err, provider.ErrInvalidToken)
	_, token, err = h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
	require.NoError(t, err)
	b.post(adminPath+of(app), "do", "end_all").is(303)
	_, err = h.Verify(ctx, token.Reveal())
	require.ErrorIs(t, err, provider.ErrInvalidToken)

	b.post(adminPath+of(app), "do", "disable").is(303)
	require.True(t, h.application("Board").Disabled)
	b.get(adminPath+of(app)+"&done=disabled").is(200, "all its requests are refused", "All its users are signed out of it")
	b.post(adminPath+of(app), "do", "enable", "version", fmt.Sprint(h.application("Board").Version)).is(303)
	require.False(t, h.application("Board").Disabled)

	require.Equal(t, "?done=deleted", b.post(adminPath+of(app), "do", "delete").is(303).Header.Get("Location"))
	_, err = h.FindApplication(ctx, app.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	b.get(adminPath + of(app)).is(404)
	b.post(adminPath+of(app), "do", "delete").is(404)
}

// Every action of an administrator is an event that says who did it.
func TestAdministrationIsAnAuditTrail(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	b := h.browser("user_grace")
	app, _ := b.registers(adminPath, "Wiki")
	b.post(adminPath+of(app), "do", "rotate", "overlap", "day", "version", "1").is(200)
	b.post(adminPath+of(app), "do", "review", "version", "2").is(303)
	b.post(adminPath+of(app), "do", "disable").is(303)
	b.post(adminPath+of(app), "do", "delete").is(303)
	var trail []string
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Kind != provider.EventRequest {
			trail = append(trail, e.Actor+" "+string(e.Kind))
			require.Equal(t, app.ID, e.ApplicationID)
		}
	}
	require.Equal(t, []string{
		"user_grace application.created", "user_grace application.secret_added", "user_grace application.reviewed",
		"user_grace grant.revoked", "user_grace application.disabled", "user_grace grant.revoked", "user_grace application.deleted",
	}, trail)
}

// Only administrators see or do anything. Visitors who are not signed in are
// redirected to sign in.
func TestOnlyAdministratorsAdminister(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	app, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
	require.NoError(t, err)
	r := h.browser("").get(adminPath + of(app))
	require.Equal(t, 303, r.StatusCode)
	next, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(next.Query().Get("next"), adminPath+of(app)+"&"), next)

	ada := h.browser("user_ada")
	require.NotContains(t, ada.get(adminPath).is(403, "Only administrators").body, "Wiki")
	for do := range map[string]bool{"save": true, "rotate": true, "delete": true, "review": true, "disable": true, "end_all": true} {
		ada.post(adminPath+of(app), "do", do, "version", "1", "overlap", "none", "name", "Mine").is(403)
		h.browser("").post(adminPath+of(app), "do", do, "version", "1").is(303)
	}
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, app, kept)

	require.Panics(t, func() { portal.Admin(h.Provider, portal.AdminOptions{}) })
	nameless := portal.Admin(h.Provider, portal.AdminOptions{Allow: func(*http.Request) (string, error) { return "", nil }})
	w := httptest.NewRecorder()
	nameless.ServeHTTP(w, httptest.NewRequest("GET", adminPath, nil))
	require.Equal(t, 403, w.Code, "an administrator without a name is none")
}

// A form of another site changes nothing, for any form and user, and neither
// does a GET.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{TokenScopes: scopes.New("profile")})
	grace, ada := h.browser("user_grace"), h.browser("user_ada")
	own, _ := ada.registers(developerPath, "Wiki")
	for name, header := range map[string][]string{
		"another site":           {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com"},
		"a neighbor":             {"Sec-Fetch-Site", "same-site", "Origin", "http://evil.127.0.0.1"},
		"an older browser":       {"Sec-Fetch-Site", "", "Origin", "https://evil.example.com"},
		"a frame with no origin": {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, do := range []string{"create", "save", "rotate", "review", "disable", "end_all", "delete", "create_token", "revoke_token"} {
				form := url.Values{"do": {do}, "name": {"Forged"}, "type": {"web"}, "version": {"1"}, "overlap": {"none"}, "label": {"x"}, "scope": {"profile"}, "lifetime": {"week"}}
				grace.send("POST", adminPath+of(own), form, header...).is(403, "sent by another site")
				ada.send("POST", developerPath+of(own), form, header...).is(403, "sent by another site")
			}
		})
	}
	for do := range map[string]bool{"delete": true, "disable": true, "rotate": true} {
		grace.get(adminPath + of(own) + "&do=" + do + "&overlap=none&version=1").is(200)
	}
	kept, err := h.FindApplication(ctx, own.ID)
	require.NoError(t, err)
	require.Equal(t, own, kept)
	_, total, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	require.Equal(t, 1, total)
	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{UserID: "user_ada"}, "", 0)
	require.NoError(t, err)
	require.Empty(t, grants)
}

func TestListHasPages(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	for i := range 45 {
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: fmt.Sprintf("App %02d", i)})
		require.NoError(t, err)
		time.Sleep(time.Microsecond)
	}
	b := h.browser("user_grace")
	first := b.get(adminPath).is(200, "App 44", "App 25", "45 applications", `?page=2&search=`)
	require.NotContains(t, first.body, "App 24")
	require.NotContains(t, first.body, "Previous page")
	last := b.get(adminPath+"?page=3").is(200, "App 04", "App 00", "Previous page")
	require.NotContains(t, last.body, "Next page")
	b.get(adminPath+"?page=-1").is(200, "App 44")
}

// An outage of the store shows an error page, with a reference that is also in
// the log.
func TestOutagesAreSaid(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{TokenScopes: scopes.New("profile")})
	b := h.browser("user_grace")
	app, _ := b.registers(adminPath, "Wiki")
	h.kept.Fail(fmt.Errorf("dial tcp: s3cret"))
	for _, path := range []string{adminPath, adminPath + of(app), developerPath, developerPath + "?tokens", developerPath + of(app)} {
		require.NotContains(t, b.get(path).is(503, "cannot answer right now", "Reference").body, "s3cret")
	}
	b.post(adminPath+of(app), "do", "delete").is(503)
	h.kept.Heal()
	b.get(adminPath + of(app)).is(200)
	b.send("PUT", adminPath, nil).is(405)
}
