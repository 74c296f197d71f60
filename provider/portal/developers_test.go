package portal_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// everything lists all actions of forms.
var everything = []string{"create", "save", "rotate", "end", "end_all", "review", "unreview", "disable", "enable", "delete", "exchange"}

func TestDevelopers(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	r := h.browser("").get(developerPath + "?new")
	require.Equal(t, 303, r.StatusCode)
	require.Contains(t, r.Header.Get("Location"), "/login?next=")

	ada := h.browser("user_ada")
	first := ada.get(developerPath+"?new").is(200, "profile", "email")
	require.NotContains(t, first.body, "notes:read", "what developers may choose is the host's decision")
	app, secret := ada.registers(developerPath, "Wiki")
	require.Equal(t, "user_ada", app.OwnerID)
	require.False(t, app.Reviewed)
	require.True(t, h.authenticates(app, secret))
	ada.get(developerPath).is(200, "Wiki", "1 application of at most 20", "not reviewed")
	ada.get(developerPath+of(app)).is(200, app.ClientID, h.Endpoints().Token, "No request has failed lately")
	ada.post(developerPath+of(app), "do", "save", "version", "1", "name", "Board", "redirect_uris", "https://board.example.com/callback", "scope", "email").is(303)
	app = h.application("Board")
	require.Equal(t, scopes.New("email"), app.Scopes)
	require.Equal(t, "user_ada", app.OwnerID)
	require.True(t, h.authenticates(app, ada.post(developerPath+of(app), "do", "rotate", "overlap", "day", "version", "2").is(200).secret()))

	// A request fails, and its developer sees why.
	resp, err := http.PostForm(h.Endpoints().Token, url.Values{"client_id": {app.ClientID}, "client_secret": {"wrong"}, "grant_type": {"refresh_token"}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	ada.send("GET", "/oauth/authorize?"+url.Values{"client_id": {app.ClientID}, "redirect_uri": {"https://board.example.com/<b>"}}.Encode(), nil)
	failed := ada.get(developerPath+of(app)).is(200, "Cause: wrong client secret", "redirect_uri=https://board.example.com/<b>", "Anyone can send such requests")
	require.NotContains(t, failed.body, "<b>")

	require.Contains(t, h.browser("user_ada").get("/stripped/").is(200).body, of(app), "behind a router that cuts a prefix off too")
	ada.post(developerPath+of(app), "do", "end_all").is(303)
	ada.post(developerPath+of(app), "do", "delete").is(303)
	ada.get(developerPath).is(200, "There are no applications yet")
}

// Another user's application doesn't exist for developers: on no page, in no
// form, and for no button.
func TestDevelopersSeeOnlyTheirOwn(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	ada, grace := h.browser("user_ada"), h.browser("user_grace")
	app, secret := ada.registers(developerPath, "Wiki")
	hosts, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Internal"})
	require.NoError(t, err)
	require.NotContains(t, grace.get(developerPath).is(200).body, "Wiki")
	require.NotContains(t, grace.get(developerPath+"?search=Wiki&owner=user_ada&page=1").is(200).body, "Wiki")
	for _, other := range []provider.Application{app, hosts} {
		for _, path := range []string{of(other), of(other) + "&try", of(other) + "&after=x"} {
			require.NotContains(t, grace.get(developerPath+path).is(404).body, other.Name)
		}
		for _, do := range everything {
			if do == "create" {
				continue
			}
			grace.post(developerPath+of(other), "do", do, "version", fmt.Sprint(other.Version), "overlap", "none", "name", "Mine", "answer", other.ClientID,
				"application", other.ID, "owner", "user_grace", "grant", "x", "verifier", strings.Repeat("v", 43)).is(404)
		}
		kept, err := h.FindApplication(ctx, other.ID)
		require.NoError(t, err)
		require.Equal(t, other, kept)
	}
	require.True(t, h.authenticates(app, secret))

	// Of two IDs in one address, the first counts.
	mine, _ := grace.registers(developerPath, "Own")
	grace.get(developerPath+of(mine)+"&application="+app.ID).is(200, "Own")
	grace.post(developerPath+of(mine)+"&application="+app.ID, "do", "delete").is(303)
	_, err = h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
}

// A developer can't give an application rights that only the host may give,
// with any form fields.
func TestDevelopersCannotRaiseTheirRights(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{Scopes: scopes.New("profile", "email")})
	ada := h.browser("user_ada")
	raised := []string{
		"owner", "", "pkce", "", "skip_consent", "on", "reviewed", "on", "disabled", "", "scope", "notes:write", "scope", "profile", "scope", "openid",
		"machine_scope", "notes:write", "machine_scopes", "notes:write", "lifetime", "9999h", "lifetime_access", "9999h", "lifetime_grace", "24h", "workspace", "required",
		"post_logout_redirect_uris", "https://evil.example.com/", "jwks_uri", "https://evil.example.com/keys", "metadata", "x", "client_id", "chosen", "public", "on", "origin", "manual", "id", "oa_chosen",
	}
	ada.post(developerPath+"?new", append(raised, "do", "create", "type", "web", "name", "Wiki", "redirect_uris", "https://wiki.example.com/callback")...).is(201)
	check := func() provider.Application {
		app := h.application("Wiki")
		require.Equal(t, provider.ApplicationSettings{
			Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, PostLogoutRedirectURIs: app.PostLogoutRedirectURIs,
			Scopes: scopes.New("profile"), OwnerID: "user_ada", Metadata: app.Metadata,
		}, app.ApplicationSettings)
		require.Empty(t, app.Metadata)
		require.False(t, app.Reviewed)
		require.NotEqual(t, "chosen", app.ClientID)
		return app
	}
	app := check()
	for _, do := range []string{"review", "unreview", "disable", "enable", "end"} {
		ada.post(developerPath+of(app), "do", do, "version", "1").is(404)
	}
	ada.post(developerPath+of(app), append(raised, "do", "save", "version", "1", "name", "Wiki", "redirect_uris", "https://wiki.example.com/callback")...).is(303)
	check()

	// Rights that an administrator gave stay, and nothing is added to them. A
	// review ends when the application changes how it presents itself.
	_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.Scopes, s.SkipConsent, s.PKCERequired = scopes.New("profile", "notes:read"), true, true
		return nil
	})
	require.NoError(t, err)
	_, err = h.ReviewApplication(ctx, app.ID, true)
	require.NoError(t, err)
	ada.post(developerPath+of(app), "do", "save", "version", fmt.Sprint(h.application("Wiki").Version), "name", "Another", "redirect_uris", "https://evil.example.com/", "scope", "email", "scope", "notes:write").is(303)
	kept := h.application("Another")
	require.ElementsMatch(t, scopes.New("email", "notes:read"), kept.Scopes)
	require.True(t, kept.PKCERequired)
	require.False(t, kept.Reviewed)
	_, err = h.DisableApplication(ctx, app.ID, true)
	require.NoError(t, err)
	ada.post(developerPath+of(app), "do", "enable", "version", fmt.Sprint(kept.Version+1)).is(404)
	ada.get(developerPath+of(app)).is(200, "This application is disabled", "Ask the operator why")
}

// A user can't exceed the number of applications and tokens, even with parallel
// forms.
func TestDevelopersHaveABoundedNumber(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{MaxApplications: 3, TokenScopes: scopes.New("profile")})
	ada := h.browser("user_ada")
	count := func() int {
		_, total, err := h.ListApplications(ctx, store.ApplicationQuery{OwnerID: "user_ada"})
		require.NoError(t, err)
		return total
	}
	for range 5 {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				ada.post(developerPath+"?new", "do", "create", "type", "device", "name", fmt.Sprint("App ", i), "redirect_uris", "https://a.example.com/callback")
			})
		}
		wg.Wait()
		require.LessOrEqual(t, count(), 3)
	}
	for i := 0; i < 3 && count() < 3; i++ {
		ada.registers(developerPath, fmt.Sprint("Next", i))
	}
	ada.post(developerPath+"?new", "do", "create", "type", "web", "name", "One more", "redirect_uris", "https://a.example.com/callback").is(422, "as many applications as you may have")
	require.Equal(t, 3, count())

	for i := range 47 {
		ada.post(developerPath+"?tokens", "do", "create_token", "label", fmt.Sprint("token ", i), "scope", "profile", "lifetime", "week").is(201)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ada.post(developerPath+"?tokens", "do", "create_token", "label", fmt.Sprint("at once ", i), "scope", "profile", "lifetime", "week")
		})
	}
	wg.Wait()
	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{UserID: "user_ada"}, "", 100)
	require.NoError(t, err)
	require.LessOrEqual(t, len(grants), 50)
}

// A form that found room for one more application or token, and is then
// overtaken by another, makes none.
func TestFormThatIsOvertakenMakesNothing(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{MaxApplications: 1, TokenScopes: scopes.New("profile")})
	ada := h.browser("user_ada")
	h.kept.Once("CreateApplication", func() {
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "First", OwnerID: "user_ada"})
		require.NoError(t, err)
	})
	ada.post(developerPath+"?new", "do", "create", "type", "web", "name", "Second", "redirect_uris", "https://a.example.com/callback").is(422, "as many applications as you may have")
	owned, _, err := h.ListApplications(ctx, store.ApplicationQuery{OwnerID: "user_ada"})
	require.NoError(t, err)
	require.Len(t, owned, 1)
	require.Equal(t, "First", owned[0].Name)

	create := func(label string) page {
		return ada.post(developerPath+"?tokens", "do", "create_token", "label", label, "scope", "profile", "lifetime", "week")
	}
	create("0").is(201)
	app, err := h.FindClient(ctx, "personal-access-tokens")
	require.NoError(t, err)
	h.kept.Once("Create", func() {
		for range 49 {
			_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
			require.NoError(t, err)
		}
	})
	require.NotContains(t, create("one too many").is(422, "You have 50 tokens").body, `id="secret"`)
	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{UserID: "user_ada"}, "", 100)
	require.NoError(t, err)
	require.Len(t, grants, 50)
}

// A workspace owns what its members register, as long as the host says that
// they are members.
func TestOwnersMayBeWorkspaces(t *testing.T) {
	member := map[string]bool{"user_ada": true, "user_grace": true}
	h := newHost(t, portal.DeveloperOptions{Owner: func(_ *http.Request, user string) (string, error) {
		if !member[user] {
			return "", errors.New("no member")
		}
		return "workspace_1", nil
	}})
	app, _ := h.browser("user_ada").registers(developerPath, "Wiki")
	require.Equal(t, "workspace_1", app.OwnerID)
	h.browser("user_grace").get(developerPath+of(app)).is(200, "Wiki")
	member["user_grace"] = false
	h.browser("user_grace").get(developerPath+of(app)).is(403, "You may not manage")
}

func TestPersonalAccessTokens(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{TokenScopes: scopes.New("profile", "notes:read")})
	ada, grace := h.browser("user_ada"), h.browser("user_grace")
	ada.get(developerPath).is(200, "Personal access tokens")
	ada.get(developerPath+"?tokens").is(200, "You have no tokens", "notes:read")
	create := []string{"do", "create_token", "label", "backup <b>", "scope", "notes:read", "lifetime", "quarter"}
	made := ada.post(developerPath+"?tokens", create...).is(201, "There is a new token", "backup <b>", h.Endpoints().UserInfo)
	require.NotContains(t, made.body, "<b>")
	token := made.secret()
	verified, err := h.Verify(ctx, token, "notes:read")
	require.NoError(t, err)
	require.Equal(t, "user_ada", verified.UserID)
	require.Equal(t, scopes.New("notes:read"), verified.Scopes)
	require.NotContains(t, ada.get(developerPath+"?tokens").is(200, "backup <b>").body, token, "it is shown once")
	ada.post(developerPath+"?tokens", create...).is(422, "a token with this name already")
	ada.post(developerPath+"?tokens", "do", "create_token", "label", "\u202e", "scope", "email", "scope", "notes:write", "lifetime", "forever").
		is(422, "characters that cannot be shown", "Choose what the token may do", "Choose how long")
	ada.post(developerPath+"?tokens", "do", "create_token").is(422, "Enter a name")

	// No other user sees or revokes it, and its application has no owner.
	require.NotContains(t, grace.get(developerPath+"?tokens").is(200, "You have no tokens").body, "backup &lt;b")
	grace.post(developerPath+"?tokens", "do", "revoke_token", "token", verified.GrantID.String()).is(404)
	app, err := h.FindApplication(ctx, verified.ApplicationID)
	require.NoError(t, err)
	grace.get(developerPath + of(app)).is(404)
	_, err = h.Verify(ctx, token)
	require.NoError(t, err)

	// Revoking a token revokes its grant, and no other sign-in of the user.
	wiki, _ := ada.registers(developerPath, "Wiki")
	signIn, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: wiki.ID})
	require.NoError(t, err)
	ada.post(developerPath+"?tokens", "do", "revoke_token", "token", signIn.GrantID.String()).is(404)
	ada.post(developerPath+"?tokens", "do", "revoke_token", "token", "nonsense").is(404)
	require.Equal(t, "?tokens=&done=revoked", ada.post(developerPath+"?tokens", "do", "revoke_token", "token", verified.GrantID.String()).is(303).Header.Get("Location"))
	_, err = h.Verify(ctx, token)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
	ada.get(developerPath+"?tokens&done=revoked").is(200, "You have no tokens", "The token is revoked")
}

// Personal access tokens are off by default.
func TestPersonalAccessTokensAreOffUnlessConfigured(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	ada := h.browser("user_ada")
	require.NotContains(t, ada.get(developerPath+"?tokens").is(200).body, "ersonal access token")
	ada.post(developerPath+"?tokens", "do", "create_token", "label", "x", "scope", "profile", "lifetime", "week").is(404)
	ada.post(developerPath+"?tokens", "do", "revoke_token", "token", "x").is(404)
	_, err := h.FindClient(ctx, "personal-access-tokens")
	require.ErrorIs(t, err, store.ErrNotFound)
}

var commandShown = regexp.MustCompile(`<pre id="token-command"><code>([^<]*)</code>`)

// The page to try an application leads to a token, with the command that it
// shows and with PKCE.
func TestTryingAnApplication(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	ada := h.browser("user_ada")
	app, secret := ada.registers(developerPath, "Wiki")
	form := ada.get(developerPath+of(app)+"&try").is(200, "1. Sign in", "curl -H 'Authorization: Bearer ACCESS_TOKEN'")
	linked := regexp.MustCompile(`href="([^"]*/oauth/authorize[^"]*)"`).FindStringSubmatch(form.body)
	require.NotNil(t, linked, form.body)
	verifier := regexp.MustCompile(`name="verifier" value="([^"]*)"`).FindStringSubmatch(form.body)[1]
	signIn := strings.ReplaceAll(linked[1], "&amp;", "&")
	require.Contains(t, signIn, "code_challenge_method=S256")
	arrived := providertest.Allow(t, ada.Client, signIn)

	try := func(answer string) page {
		return ada.post(developerPath+of(app)+"&try", "do", "exchange", "verifier", verifier, "answer", answer)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "curl is not installed")
		t.Skip("curl is not installed, so the commands that the page shows are not tried")
	}
	shown := try(arrived.String()).is(200)
	command := unescaped(commandShown.FindStringSubmatch(shown.body)[1])
	out, err := exec.Command("sh", "-c", strings.Replace(command, "YOUR_SECRET", secret, 1)+" -s").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "access_token")

	for answer, says := range map[string]string{
		"":                                    "does not begin with a redirect URI",
		"https://evil.example.com/?code=abc":  "does not begin with a redirect URI",
		app.RedirectURIs[0]:                   "There is no code",
		app.RedirectURIs[0] + "?code=a'%3brm": "There is no code",
		app.RedirectURIs[0] + "?error=access_denied&error_description=No<b>": "The sign-in was refused: access_denied. No<b>",
	} {
		require.NotContains(t, try(answer).is(422, says).body, "<b>")
	}
	ada.post(developerPath+of(app)+"&try", "do", "exchange", "verifier", "'; rm -rf /", "answer", arrived.String()).is(422, "too old")
}

func unescaped(text string) string {
	return strings.NewReplacer("&#39;", "'", "&amp;", "&", "&#34;", `"`).Replace(text)
}
