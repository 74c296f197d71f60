package portal_test

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// everythingOn returns a Config whose applications can have all settings.
func everythingOn(c *provider.Config) {
	c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{}
	c.Workspaces = &provider.Workspaces{
		List:   func(context.Context, string) ([]provider.Workspace, error) { return nil, nil },
		Member: func(context.Context, string, string) (bool, error) { return true, nil },
	}
}

var (
	settingsForm = regexp.MustCompile(`(?s)name="do" value="save".*?</form>`)
	formControls = regexp.MustCompile(`(?s)<input type="([a-z]+)"[^>]* name="([^"]*)"(?: value="([^"]*)")?([^>]*)>|<textarea[^>]* name="([^"]*)"[^>]*>\n(.*?)</textarea>|<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>`)
	chosenOption = regexp.MustCompile(`value="([^"]*)" selected`)
)

// sends returns what a browser sends if the form of the settings is submitted
// unchanged.
func (p page) sends() []string {
	p.t.Helper()
	form := []string{"do", "save"}
	for _, found := range formControls.FindAllStringSubmatch(settingsForm.FindString(strings.ReplaceAll(p.body, ` id="`, ` data-id="`)), -1) {
		name, value := found[2]+found[5]+found[7], html.UnescapeString(found[3])
		switch {
		case found[5] != "":
			value = strings.ReplaceAll(html.UnescapeString(found[6]), "\n", "\r\n")
		case found[7] != "":
			if chosen := chosenOption.FindStringSubmatch(found[8]); chosen != nil {
				value = chosen[1]
			}
		case found[1] == "checkbox" && !strings.Contains(found[4], "checked"):
			continue
		case found[1] == "checkbox" && value == "":
			value = "on"
		}
		form = append(form, name, value)
	}
	require.Greater(p.t, len(form), 16, p.body)
	return form
}

// with changes fields of a form.
func with(form []string, changes ...string) []string {
	sent := values(form)
	for name, value := range values(changes) {
		sent[name] = value
	}
	var changed []string
	for name, all := range sent {
		for _, value := range all {
			changed = append(changed, name, value)
		}
	}
	return changed
}

func TestAdministratorsChangeEverySetting(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{}, everythingOn)
	b := h.browser("user_grace")
	require.NotContains(t, b.get(adminPath+"?new").is(200, "More settings").body, "<details class=\"more\" open")
	made := b.post(adminPath+"?new", "do", "create", "type", "web", "name", "Wiki", "redirect_uris", "https://wiki.example.com/callback", "scope", "profile", "owner", "user_ada",
		"tos_uri", "https://wiki.example.com/terms", "policy_uri", " https://wiki.example.com/privacy ", "workspace", "optional",
		"post_logout_redirect_uris", "https://wiki.example.com/a\r\n\r\nhttps://wiki.example.com/b", "lifetime_code", "30s", "lifetime_access", "30m",
		"lifetime_refresh", "720h", "lifetime_grant", "2400h", "lifetime_grace", "1h30m").is(201)
	app := h.application("Wiki")
	want := provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, Scopes: scopes.New("profile"), OwnerID: "user_ada", Metadata: app.Metadata,
		TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/privacy", Workspace: store.WorkspaceOptional,
		PostLogoutRedirectURIs: []string{"https://wiki.example.com/a", "https://wiki.example.com/b"},
		Lifetimes:              provider.Lifetimes{Code: 30 * time.Second, Access: 30 * time.Minute, Refresh: 720 * time.Hour, Grant: 2400 * time.Hour, Grace: 90 * time.Minute},
	}
	require.Equal(t, want, app.ApplicationSettings)
	require.True(t, h.authenticates(app, made.secret()))
	shown := b.get(adminPath+of(app)).is(200, `<details class="more" open>`, `value="30s"`, `value="30m"`, `value="720h"`, `value="1h30m"`,
		"Terms of service: <code>https://wiki.example.com/terms", "Post-logout redirect URI: <code>https://wiki.example.com/b")

	// Settings without a field in the form stay, and empty fields remove
	// settings.
	_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.IDTokenAlg, s.Metadata = "ES256", map[string]string{"plan": "gold"}
		return nil
	})
	require.NoError(t, err)
	b.post(adminPath+of(app), with(shown.sends(), "version", "2", "lifetime_code", "", "lifetime_grace", "0", "workspace", "", "tos_uri", "", "post_logout_redirect_uris", "")...).is(303)
	want.IDTokenAlg, want.Metadata, want.PostLogoutRedirectURIs, want.TermsURI, want.Workspace = "ES256", map[string]string{"plan": "gold"}, []string{}, "", store.WorkspaceNone
	want.Lifetimes.Code, want.Lifetimes.Grace = 0, 0
	require.Equal(t, want, h.application("Wiki").ApplicationSettings)

	// Keys replace the secret, and the other way around.
	set := hosttest.NewKeys().ClientKeySet("first")
	b.post(adminPath+of(app), with(shown.sends(), "version", "3", "jwks", set)...).is(303)
	app = h.application("Wiki")
	require.Equal(t, provider.ApplicationKeys{Set: set}, app.Keys)
	require.Empty(t, app.Secrets)
	b.post(adminPath+of(app), with(b.get(adminPath+of(app)).is(200, "on a server, with keys").sends(), "jwks", "", "jwks_uri", "https://wiki.example.com/keys")...).is(303)
	app = h.application("Wiki")
	require.Equal(t, provider.ApplicationKeys{URI: "https://wiki.example.com/keys"}, app.Keys)
	b.post(adminPath+of(app), with(b.get(adminPath+of(app)).is(200).sends(), "jwks_uri", "")...).is(303)
	app = h.application("Wiki")
	require.True(t, app.Keys.IsZero())
	b.post(adminPath+of(app), "do", "rotate", "overlap", "none", "version", fmt.Sprint(app.Version)).is(200, "There is a new secret")
}

// Errors are shown at their fields, with the typed values, and nothing is
// saved.
func TestMoreSettingsSayWhatIsWrong(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{}, everythingOn)
	b := h.browser("user_grace")
	app, _ := b.registers(adminPath, "Wiki")
	form := b.get(adminPath + of(app)).is(200).sends()
	for _, tt := range []struct{ field, typed, says string }{
		{"lifetime_access", `soon"`, `"soon\"" is not a duration: use one such as 90s, 30m, or 720h`},
		{"lifetime_access", "30", `"30" is not a duration`},
		{"lifetime_code", "10ms", "Code is 10ms: use at least 1s"},
		{"lifetime_refresh", "-1h", "Refresh is negative"},
		{"lifetime_grant", "1ms", "Grant is 1ms: use at least 1s"},
		{"lifetime_grace", "25h", "Grace is 25h0m0s: use at most 24h"},
		{"workspace", "forged", `workspace is "forged"`},
		{"post_logout_redirect_uris", "javascript:alert(1)", "javascript:alert(1)"},
		{"tos_uri", "http://wiki.example.com", "is not an https URL"},
		{"policy_uri", "javascript:alert(1)", "is not an https URL"},
		{"jwks", "{", "jwks: "},
		{"jwks_uri", "http://wiki.example.com/keys", "jwks_uri"},
	} {
		t.Run(tt.field+" "+tt.typed, func(t *testing.T) {
			refused := b.post(adminPath+of(app), with(form, tt.field, tt.typed)...).is(422, `<details class="more" open>`)
			control := regexp.MustCompile(`(?s)<p class="hint" id="([a-z_-]+)">[^\n]*<span class="error">([^\n]*)</span></p>\n<[a-z]+ (?:type="text" (?:inputmode="url" )?)?id="` + tt.field + `"[^>]* aria-describedby="([a-z_-]+)" aria-invalid="true">`)
			found := control.FindStringSubmatch(refused.body)
			require.NotNil(t, found, refused.body)
			require.Contains(t, html.UnescapeString(found[2]), tt.says)
			require.Equal(t, found[1], found[3])
			if tt.typed != "forged" { // There is no such option.
				require.Equal(t, []string{tt.typed}, values(refused.sends())[tt.field])
			}
			kept, err := h.FindApplication(ctx, app.ID)
			require.NoError(t, err)
			require.Equal(t, app, kept)
		})
	}
	b.post(adminPath+of(app), with(form, "jwks", "{}", "jwks_uri", "https://wiki.example.com/keys")...).is(422, "jwks and jwks_uri are both set: keep one")
	b.post(adminPath+"?new", "do", "create", "type", "device", "name", "Native", "jwks", hosttest.NewKeys().ClientKeySet("first")).is(422, `<p class="error">a public application has no keys`)
}

// Saving a form unchanged changes nothing, with any settings of the host.
func TestSavingWhatIsShownChangesNothing(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{}, everythingOn)
	set := " " + strings.Replace(hosttest.NewKeys().ClientKeySet("first"), "{", "{\n\t", 1) + "\n"
	app, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{
		Name: `A "b" <c> & d`, RedirectURIs: []string{"https://wiki.example.com/callback?a=b&c"}, PostLogoutRedirectURIs: []string{"https://wiki.example.com/?a=b&lt;"},
		Scopes: scopes.New("profile", "notes:read"), MachineScopes: scopes.New("notes:write"), Keys: provider.ApplicationKeys{Set: set}, IDTokenAlg: "ES256",
		PKCERequired: true, SkipConsent: true, Workspace: store.WorkspaceRequired, OwnerID: "user_ada", ClientURI: "https://wiki.example.com", LogoURL: "https://wiki.example.com/logo.svg",
		TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/privacy", Metadata: map[string]string{"plan": "gold"},
		Lifetimes: provider.Lifetimes{Code: 1500 * time.Millisecond, Access: 10 * time.Second, Refresh: 10 * time.Hour, Grant: 100 * time.Minute, Grace: time.Nanosecond},
	})
	require.NoError(t, err)
	for _, path := range []string{adminPath, developerPath} {
		who := map[string]string{adminPath: "user_grace", developerPath: "user_ada"}[path]
		b := h.browser(who)
		b.post(path+of(app), b.get(path+of(app)).is(200).sends()...).is(303)
		kept, err := h.FindApplication(ctx, app.ID)
		require.NoError(t, err)
		require.Equal(t, app.ApplicationSettings, kept.ApplicationSettings, path)
		require.Greater(t, kept.Version, app.Version)
	}
}

// Settings of a disabled feature can't be set with any form fields. What an
// application still has of them stays, and can be removed.
func TestMoreSettingsAreWhatIsSwitchedOn(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{})
	b := h.browser("user_grace")
	app, _ := b.registers(adminPath, "Wiki")
	shown := b.get(adminPath+of(app)).is(200, "Lifetimes", "Terms of service")
	for _, absent := range []string{"workspace", "jwks", "jwks_uri", "post_logout_redirect_uris"} {
		require.NotContains(t, shown.body, `name="`+absent+`"`)
	}
	forged := []string{
		"workspace", "required", "jwks_uri", "https://evil.example.com/keys", "jwks", "{}", "post_logout_redirect_uris", "https://evil.example.com/",
		"lifetime", "1h", "lifetimes.Access", "1h", "lifetime_", "1h", "id_token_signed_response_alg", "none", "metadata", "x", "public", "on", "client_id", "chosen", "disabled", "on", "reviewed", "",
	}
	b.post(adminPath+of(app), append(shown.sends(), forged...)...).is(303)
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	kept.Version, kept.UpdatedAt = app.Version, app.UpdatedAt
	require.Equal(t, app, kept)

	_, err = h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.PostLogoutRedirectURIs = []string{"https://wiki.example.com/bye"}
		return nil
	})
	require.NoError(t, err)
	b.post(adminPath+of(app), b.get(adminPath+of(app)).is(200, "https://wiki.example.com/bye").sends()...).is(303)
	require.NotEmpty(t, h.application("Wiki").PostLogoutRedirectURIs)
	b.post(adminPath+of(app), with(b.get(adminPath+of(app)).is(200).sends(), "post_logout_redirect_uris", "")...).is(303)
	require.Empty(t, h.application("Wiki").PostLogoutRedirectURIs)

	// All of these features were on when the application got its settings.
	before, err := h.kept.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	before.Workspace, before.Keys, before.Secrets = store.WorkspaceRequired, store.ClientKeys{URI: "https://wiki.example.com/keys"}, nil
	before.OwnerID, before.Scopes, before.MachineScopes = "user_ada", scopes.New("profile", "old:read"), scopes.New("notes:read", "old:write")
	require.NoError(t, h.kept.UpdateApplication(ctx, before))
	left := b.get(adminPath + of(app)).is(200).sends()
	b.post(adminPath+of(app), left...).is(422, "workspaces are not offered", "keys are not offered", `scope "old:read" is not one`, `machine scope "old:write" is not one`)
	ada := h.browser("user_ada")
	ada.post(developerPath+of(app), ada.get(developerPath+of(app)).is(200).sends()...).is(422, "workspaces are not offered", "keys are not offered", `machine scope "old:write" is not one`)
	b.post(adminPath+of(app), with(left, "workspace", "", "jwks_uri", "", "scope", "profile", "machine_scope", "notes:read")...).is(303)
	app.OwnerID, app.PostLogoutRedirectURIs, app.MachineScopes = "user_ada", []string{}, scopes.New("notes:read")
	require.Equal(t, app.ApplicationSettings, h.application("Wiki").ApplicationSettings)
}

// Developers see only the URL fields, not the other settings.
func TestDevelopersGiveTermsAndPrivacyAddresses(t *testing.T) {
	h := newHost(t, portal.DeveloperOptions{}, everythingOn)
	ada := h.browser("user_ada")
	app, _ := ada.registers(developerPath, "Wiki")
	shown := ada.get(developerPath+of(app)).is(200, "More settings", "Terms of service", "Privacy policy")
	for _, absent := range []string{"Lifetimes", `name="workspace"`, `name="jwks`, `name="post_logout`} {
		require.NotContains(t, shown.body, absent)
	}
	_, err := h.ReviewApplication(ctx, app.ID, true)
	require.NoError(t, err)
	form := with(ada.get(developerPath+of(app)).is(200, "must be reviewed again").sends(), "tos_uri", "https://wiki.example.com/terms", "policy_uri", "https://wiki.example.com/privacy")
	ada.post(developerPath+of(app), with(form, "tos_uri", "nonsense")...).is(422, `"nonsense" is not an https URL`, `<details class="more" open>`)
	ada.post(developerPath+of(app), form...).is(303)
	app = h.application("Wiki")
	require.Equal(t, "https://wiki.example.com/terms", app.TermsURI)
	require.Equal(t, "https://wiki.example.com/privacy", app.PolicyURI)
	require.False(t, app.Reviewed)
}
