package provider_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// A program on the user's machine listens on any free port (RFC 8252 section
// 7.3), for each name of the machine.
func TestLoopbackPortIsFree(t *testing.T) {
	h := newOpenHost(t)
	b := h.signedIn("user_ada")
	for name, register := range map[string]string{
		"public":       `"token_endpoint_auth_method":"none"`,
		"confidential": `"token_endpoint_auth_method":"client_secret_basic"`,
	} {
		app, _ := h.clientOf(h.register(`{"redirect_uris":["http://localhost/callback","http://127.0.0.1/callback","http://[::1]:7/callback"],` + register + `}`))
		for _, uri := range []string{"http://localhost:58135/callback", "http://127.0.0.1:58135/callback", "http://[::1]:58135/callback", "http://[::1]/callback"} {
			require.NotEmpty(t, b.authorize(app.request("redirect_uri", uri, "prompt", "consent")).Get("code"), name+" "+uri)
		}
		for _, uri := range []string{
			"http://localhost:58135/callback/", "http://localhost:58135/Callback", "http://localhost:58135/callback?x", "http://localhost:58135",
			"https://localhost:58135/callback", "http://LOCALHOST:58135/callback", "http://localhost.:58135/callback",
			"http://localhost.evil.example/callback", "http://localhostevil.example/callback", "http://localhost:58135@evil.example/callback",
			"http://localhost:1:2/callback", "http://localhost:/callback", "http://localhost:0/callback", "http://localhost:65536/callback",
			"http://app.localhost:58135/callback", "http://127.0.0.2:58135/callback", "http://127.1:58135/callback", "http://0.0.0.0:58135/callback",
			"http://[::ffff:127.0.0.1]:58135/callback", "http://[0:0:0:0:0:0:0:1]:58135/callback", "http://2130706433:58135/callback",
		} {
			b.get(app.request("redirect_uri", uri)).errorPage(t, 400, "not registered")
		}
		// Without PKCE, any program on the machine could use what arrives
		// there.
		b.get(app.request("redirect_uri", "http://localhost:58135/callback", "code_challenge", "", "code_challenge_method", "")).errorPage(t, 400, "code_challenge is missing")
	}
	// An application on a server has a fixed port.
	server := h.application(provider.ApplicationSettings{RedirectURIs: []string{"http://localhost/callback"}, PKCERequired: true})
	b.get(server.request("redirect_uri", "http://localhost:58135/callback")).errorPage(t, 400, "not registered")
	public := h.application(provider.ApplicationSettings{RedirectURIs: []string{"http://localhost/callback"}, Public: true})
	require.NotEmpty(t, b.authorize(public.request("redirect_uri", "http://localhost:58135/callback")).Get("code"))
}

// The host that the page shows is the one where a browser goes.
func TestRedirectHostsAreStrict(t *testing.T) {
	h := newOpenHost(t)
	for uri, says := range map[string]string{
		"https://accounts.g%D0%BE%D0%BEgle.com/cb": "%",
		"https://accounts%2egoogle.com/cb":         "%",
		"https://a%00.example.com/cb":              "URL",
		"https://google.com%2f@evil.example/cb":    "user",
		"https://google.com@evil.example/cb":       "user",
		"com.example.app://google.com@x/cb":        "user",
		"com.example.app://goo%67le.com/cb":        "%",
		"https://exa_mple.com/cb":                  "host",
		"https://-example.com/cb":                  "host",
		"https://example-.com/cb":                  "host",
		"https://example..com/cb":                  "host",
		"https://example.com./cb":                  "host",
		"https://.example.com/cb":                  "host",
		"https://exa,mple.com/cb":                  "host",
		"https://exa!mple.com/cb":                  "host",
		"https://2130706433/cb":                    "host",
		"https://0x7f.1/cb":                        "host",
		"https://127.1/cb":                         "host",
		"https://1.2.3.4.5/cb":                     "host",
		"https://010.0.0.1/cb":                     "host",
		"https://[fe80::1%25eth0]/cb":              "%",
		"http://192.168.1.5/cb":                    "plain http",
		"http://evil.localhost.example/cb":         "plain http",
	} {
		h.register(`{"redirect_uris":[`+strconv.Quote(uri)+`]}`).says(t, 400, "invalid_redirect_uri", says)
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "W", RedirectURIs: []string{uri}})
		require.Error(t, err, uri)
	}
	for _, uri := range []string{
		"https://example.com/cb", "https://EXAMPLE.com:8443/cb", "https://xn--bcher-kva.example/cb", "https://intranet/cb", "https://7zip.example/cb",
		"https://192.0.2.7/cb", "https://[2001:db8::1]:8443/cb", "https://example.com/a%20b?c=%D0%BE", "http://app.localhost/cb", "http://a.b.localhost:3000/cb",
	} {
		h.register(`{"redirect_uris":[`+strconv.Quote(uri)+`]}`).registered(t, 201)
	}
}

// A URI that was saved under other rules is refused when it is used.
func TestKeptRedirectURIsAreCheckedAgain(t *testing.T) {
	h := newHost(t)
	b := h.signedIn("user_ada")
	app := h.application(provider.ApplicationSettings{Public: true})
	for _, uri := range []string{"https://accounts.g%D0%BE%D0%BEgle.com/cb", "javascript:alert(1)", "ssh://host/cb"} {
		h.change(app, func(a *store.Application) { a.RedirectURIs, a.Reviewed = []string{uri}, false })
		b.get(app.request("redirect_uri", uri)).errorPage(t, 400, "no longer allowed")
		require.Contains(t, h.log.String(), "redirect URI")
	}
}

// Programs respond to many schemes. An application that isn't reviewed needs a
// scheme with a period, or that of an editor.
func TestSchemesOfApplicationsThatAreNotReviewed(t *testing.T) {
	h := newOpenHost(t)
	owned := provider.ApplicationSettings{Name: "Owned", OwnerID: "user_ada"}
	for _, scheme := range []string{"itms-services", "ssh", "smb", "steam", "zoommtg", "myapp", "ms-word", "javascript", "accounts-google-com", "cursors", "xvscode"} {
		uri := scheme + "://host/cb"
		h.register(`{"redirect_uris":["`+uri+`"]}`).refused(t, 400, "invalid_redirect_uri")
		owned.RedirectURIs = []string{uri}
		_, _, err := h.CreateApplication(ctx, owned)
		require.Error(t, err, uri)
	}
	for _, uri := range []string{"cursor://anysphere.cursor-mcp/oauth/callback", "vscode://vscode.github-authentication/did-authenticate", "com.example.app:/cb", "zed://x"} {
		for _, method := range []string{"none", "client_secret_post"} {
			app, _ := h.clientOf(h.register(`{"redirect_uris":["` + uri + `"],"token_endpoint_auth_method":"` + method + `"}`))
			b := h.signedIn("user_ada")
			page := b.get(app.request())
			require.Contains(t, page.text(), "return to the app on this device")
			require.NotContains(t, strings.ReplaceAll(page.text(), "@example.com", ""), "example", "a scheme may look like a host")
			require.NotEmpty(t, b.authorize(app.request()).Get("code"))
		}
	}
	// A scheme can be named like someone else's host.
	app, _ := h.clientOf(h.register(`{"redirect_uris":["accounts.google.com:/cb"],"client_name":"A"}`))
	require.NotContains(t, h.signedIn("user_ada").get(app.request()).text(), "google")
}

// The host may use any scheme; PKCE protects the code.
func TestAnySchemeForApplicationsOfTheHost(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{RedirectURIs: []string{"com.example.app://callback", "myapp:/cb"}})
	require.True(t, app.PKCERequired)
	b := h.signedIn("user_ada")
	require.Equal(t, "invalid_request", b.get(app.request("redirect_uri", "myapp:/cb", "code_challenge", "", "code_challenge_method", "")).redirected(t).Get("error"))
	require.NotEmpty(t, b.authorize(app.request("redirect_uri", "myapp:/cb", "code_challenge", challenge(verifier), "code_challenge_method", "S256")).Get("code"))
	for _, uri := range []string{"javascript:alert(1)", "data:text/html,x", "file:///etc", "ms-word:x"} {
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "W", RedirectURIs: []string{uri}})
		require.ErrorContains(t, err, "use https", uri)
	}
}

// Plain http at private addresses must be allowed explicitly, and never for
// strangers.
func TestAllowHTTP(t *testing.T) {
	private := []string{"http://192.168.1.5:8090/cb", "http://10.0.0.1/cb", "http://172.16.0.9/cb", "http://[fd00::1]:80/cb"}
	elsewhere := []string{"http://192.0.2.7/cb", "http://169.254.1.1/cb", "http://nas.example/cb", "http://nas/cb", "http://0.0.0.0/cb", "http://[fe80::1]/cb"}
	h := newOpenHost(t, func(c *provider.Config) { c.AllowHTTP = true })
	off := newOpenHost(t)
	for _, uri := range append(private, elsewhere...) {
		settings := provider.ApplicationSettings{Name: "W", RedirectURIs: []string{uri}}
		_, _, err := off.CreateApplication(ctx, settings)
		require.ErrorContains(t, err, "Config.AllowHTTP", uri)
		h.register(`{"redirect_uris":["`+uri+`"]}`).refused(t, 400, "invalid_redirect_uri")
		settings.OwnerID = "user_ada"
		_, _, err = h.CreateApplication(ctx, settings)
		require.Error(t, err, uri)
	}
	b := h.signedIn("user_ada")
	for _, uri := range private {
		app := h.application(provider.ApplicationSettings{RedirectURIs: []string{uri}})
		require.NotEmpty(t, b.authorize(app.request()).Get("code"), uri)
		require.Equal(t, 200, b.get(app.request()).StatusCode, "what answers there has proved nothing, so the page is shown each time")
	}
	for _, uri := range elsewhere {
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "W", RedirectURIs: []string{uri}})
		require.ErrorContains(t, err, "plain http", uri)
	}

	c := soundConfig(t)
	for issuer, allowed := range map[string]bool{
		"http://192.168.1.5:8090": true, "http://[fd00::1]": true, "http://192.0.2.7": false, "http://nas": false,
	} {
		c.Issuer, c.AllowHTTP = issuer, false
		_, err := provider.New(c)
		require.ErrorContains(t, err, "Config.AllowHTTP", issuer)
		c.AllowHTTP = true
		_, err = provider.New(c)
		require.Equal(t, allowed, err == nil, issuer)
	}
	for _, issuer := range []string{"http://app.localhost:8080", "http://a.b.localhost"} {
		c.Issuer, c.AllowHTTP = issuer, false
		_, err := provider.New(c)
		require.NoError(t, err)
	}
}

// Only reviewed applications may use the host's name.
func TestHostNameIsNotForStrangers(t *testing.T) {
	h := newOpenHost(t, func(c *provider.Config) { c.Pages.Name = "Acme Notes" })
	for _, name := range []string{"Acme Notes", "ACME NOTES", "acme-notes", "AcmeNotes!", "Ａcme Notes", "𝐀𝐜𝐦𝐞 𝐍𝐨𝐭𝐞𝐬", " Acme  Notes "} {
		h.register(`{"redirect_uris":["https://a.example.com/cb"],"client_name":`+strconv.Quote(name)+`}`).says(t, 400, "invalid_client_metadata", "that of Acme Notes itself")
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Acme Notes", OwnerID: "user_ada"})
		require.ErrorContains(t, err, "that of Acme Notes itself")
	}
	for _, name := range []string{"Acme Notes Exporter", "Acme", "Notes"} {
		h.register(`{"redirect_uris":["https://a.example.com/cb"],"client_name":`+strconv.Quote(name)+`}`).registered(t, 201)
	}
	_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Acme Notes"})
	require.NoError(t, err)
}

// Users are sent to an application that isn't reviewed only after they have
// decided on its page (RFC 9700 section 4.11.2).
func TestVisitorsAreSentOnlyWhereTheHostVouches(t *testing.T) {
	h := newOpenHost(t)
	reg, _ := h.clientOf(h.register(`{"redirect_uris":["https://agent.example.com/callback"]}`))
	owned := h.application(provider.ApplicationSettings{OwnerID: "user_ada"})
	wrong := [][]string{{"prompt", "none"}, {"response_type", "token"}, {"scope", "unheard_of"}, {"code_challenge", "x"}}
	for _, app := range []*application{reg, owned} {
		for _, changes := range wrong {
			h.browser().get(app.request("prompt", "none")).errorPage(t, 400, "sign in first")
			h.signedIn("user_grace").get(app.request(changes...)).errorPage(t, 400, "")
		}
		b := h.signedIn("user_ada")
		require.Equal(t, "access_denied", b.answer(b.get(app.request()), "deny").redirected(t).Get("error"))
		b.get(app.request("prompt", "none")).errorPage(t, 400, "")
		require.NotEmpty(t, b.authorize(app.request()).Get("code"))
		for _, changes := range wrong[1:] {
			require.NotEmpty(t, b.get(app.request(changes...)).redirected(t).Get("error"), "the user knows it now")
		}
		require.NotEmpty(t, b.get(app.request("prompt", "none")).redirected(t).Get("code"))

		require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada", ApplicationID: app.ID}))
		b.get(app.request("prompt", "none")).errorPage(t, 400, "")

		_, err := h.ReviewApplication(ctx, app.ID, true)
		require.NoError(t, err)
		require.Equal(t, "login_required", h.browser().get(app.request("prompt", "none")).redirected(t).Get("error"))
	}
}

// A review covers what the administrator has seen.
func TestReviewEndsWithWhatWasReviewed(t *testing.T) {
	h := newOpenHost(t)
	app := h.application(provider.ApplicationSettings{OwnerID: "user_ada", Name: "Wiki", LogoURL: "https://wiki.example.com/l.png"})
	require.False(t, app.Reviewed)
	_, err := h.ReviewApplication(ctx, app.ID, true, 7)
	require.ErrorIs(t, err, store.ErrConflict)
	for name, tt := range map[string]struct {
		edit func(*provider.ApplicationSettings)
		ends bool
	}{
		"name":      {func(s *provider.ApplicationSettings) { s.Name += "!" }, true},
		"logo":      {func(s *provider.ApplicationSettings) { s.LogoURL += "2" }, true},
		"home page": {func(s *provider.ApplicationSettings) { s.ClientURI = "https://wiki.example.com/home" }, true},
		"terms":     {func(s *provider.ApplicationSettings) { s.TermsURI = "https://wiki.example.com/terms" }, true},
		"policy":    {func(s *provider.ApplicationSettings) { s.PolicyURI = "https://wiki.example.com/privacy" }, true},
		"redirect URIs": {func(s *provider.ApplicationSettings) {
			s.RedirectURIs = append(s.RedirectURIs, "https://x.example.com/cb")
		}, true},
		"owner":   {func(s *provider.ApplicationSettings) { s.OwnerID = "user_grace" }, true},
		"scopes":  {func(s *provider.ApplicationSettings) { s.Scopes = nil }, false},
		"notes":   {func(s *provider.ApplicationSettings) { s.Metadata = map[string]string{"a": "b"} }, false},
		"nothing": {func(*provider.ApplicationSettings) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			reviewed, err := h.ReviewApplication(ctx, app.ID, true)
			require.NoError(t, err)
			require.True(t, reviewed.Reviewed)
			require.Contains(t, h.signedIn("user_grace").get(app.request()).body, "https://wiki.example.com/l.png")
			got, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
				tt.edit(s)
				return nil
			}, reviewed.Version)
			require.NoError(t, err)
			require.Equal(t, !tt.ends, got.Reviewed)
			page := h.signedIn("user_grace").get(app.request())
			require.Equal(t, !tt.ends, !strings.Contains(page.text(), "Not reviewed"))
			require.Equal(t, !tt.ends, strings.Contains(page.body, "l.png"))
		})
	}

	// An application that registered itself loses the review by its own
	// changes.
	reg, token := h.clientOf(h.register(`{"redirect_uris":["https://agent.example.com/callback"],"client_name":"Agent"}`))
	_, err = h.ReviewApplication(ctx, reg.ID, true)
	require.NoError(t, err)
	h.manage("PUT", reg.ClientID, token, `{"client_id":"`+reg.ClientID+`","redirect_uris":["https://agent.example.com/callback"],"client_name":"Agent","software_version":"2"}`).registered(t, 200)
	kept, err := h.FindApplication(ctx, reg.ID)
	require.NoError(t, err)
	require.True(t, kept.Reviewed)
	h.manage("PUT", reg.ClientID, token, `{"client_id":"`+reg.ClientID+`","redirect_uris":["ssh://host/cb"],"client_name":"Agent"}`).refused(t, 400, "invalid_redirect_uri")
	h.manage("PUT", reg.ClientID, token, `{"client_id":"`+reg.ClientID+`","redirect_uris":["https://agent.example.com/other"],"client_name":"Agent"}`).registered(t, 200)
	kept, err = h.FindApplication(ctx, reg.ID)
	require.NoError(t, err)
	require.False(t, kept.Reviewed)

	// The host's applications stay reviewed, unless they get an owner.
	own := h.application(provider.ApplicationSettings{})
	changed, err := h.UpdateApplication(ctx, own.ID, func(s *provider.ApplicationSettings) error { s.Name = "Other"; return nil })
	require.NoError(t, err)
	require.True(t, changed.Reviewed)
	u, err := url.Parse(own.RedirectURIs[0])
	require.NoError(t, err)
	require.NotContains(t, h.signedIn("user_ada").get(own.request()).text(), "reviewed", u.Host)
	ensured, err := h.EnsureApplication(ctx, "portal", provider.ApplicationSettings{Name: "P", Public: true, OwnerID: "user_ada"}, provider.Secret{})
	require.NoError(t, err)
	require.False(t, ensured.Reviewed)
}
