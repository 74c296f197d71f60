package pages_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/pages"
)

func showConsent(t *testing.T, c pages.Config, page pages.Consent, redirectURI string) *httptest.ResponseRecorder {
	t.Helper()
	return render(t, c, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) { p.Consent(w, r, page, redirectURI) })
}

// Scopes of a group are together, in the order of the groups, with their
// access.
func TestScopesInGroups(t *testing.T) {
	body := showConsent(t, pages.Config{}, pages.Consent{Scopes: []pages.Scope{
		{Name: "profile", Title: "See your name", Group: "Your account", Access: "read"},
		{Name: "notes:delete", Title: "Delete your notes", Description: "Also <shared> ones", Group: "Your notes", Access: "delete"},
		{Name: "email", Title: "See your email", Group: "Your account", Access: "read"},
		{Name: "notes:write", Title: "Write notes", Group: "Your notes", Access: "write", Required: true},
		{Name: "plain", Title: "Be plain"},
	}}, "https://wiki.example.com/cb").Body.String()
	text := regexp.MustCompile(`(?s)<style>.*</style>|<[^>]*>`).ReplaceAllString(body, " ")
	require.Regexp(t, `(?s)Your account\s+See your name\s+See your email\s+Your notes\s+Delete your notes\s+Also &lt;shared&gt; ones\s+Can delete\s+Write notes\s+Required\s+Can edit\s+Be plain`, text)
	require.Equal(t, 2, strings.Count(body, "<h3>"))
	require.Equal(t, 4, strings.Count(body, `name="granted"`), "one is required")
	require.NotContains(t, showConsent(t, pages.Config{}, pages.Consent{Scopes: []pages.Scope{{Name: "a", Title: "A"}}}, "").Body.String(), "<h3>")
}

// The URLs that an application gives are links only if it is reviewed (RFC 7591
// section 2). Otherwise they are text.
func TestLinksOfReviewedApplicationsOnly(t *testing.T) {
	app := pages.Application{Name: "Wiki", Domain: "wiki.example.com", ClientURI: "https://home.example.com/", TermsURI: "https://terms.example.com/", PolicyURI: "https://policy.example.com/"}
	for _, reviewed := range []bool{true, false} {
		app.Reviewed = reviewed
		for name, show := range map[string]func(*pages.Renderer, http.ResponseWriter, *http.Request){
			"consent": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
				p.Consent(w, r, pages.Consent{Application: app}, "https://wiki.example.com/cb")
			},
			"device": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
				p.Device(w, r, pages.Device{Step: pages.StepConfirm, Status: 200, Application: app})
			},
		} {
			body := render(t, pages.Config{}, show).Body.String()
			for _, address := range []string{app.ClientURI, app.TermsURI, app.PolicyURI} {
				require.Contains(t, body, address, name)
				require.Equal(t, reviewed, strings.Contains(body, `href="`+address), "%s: %s", name, address)
			}
		}
		body := render(t, pages.Config{}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Connections(w, r, pages.Connections{Connections: []pages.Connection{{Application: app}}, Disconnected: app})
		}).Body.String()
		require.Equal(t, reviewed, strings.Contains(body, `href="`+app.ClientURI), "connections")
		require.Equal(t, reviewed, strings.Contains(body, "Reconnect"))
	}
}

// The details show the whole redirect URI, unless its scheme could look like a
// host.
func TestWholeReturnAddress(t *testing.T) {
	const address = "https://wiki.example.com/callback?tenant=<7>"
	require.Contains(t, showConsent(t, pages.Config{}, pages.Consent{}, address).Body.String(), "https://wiki.example.com/callback?tenant=&lt;7&gt;</bdi>")
	require.NotContains(t, showConsent(t, pages.Config{}, pages.Consent{}, "accounts.example.com:/cb").Body.String(), "accounts.example.com")
}

// An application chooses its name, but not how much of the page it fills.
func TestLongNamesAreCut(t *testing.T) {
	long := strings.Repeat("Ünited ", 36)
	body := showConsent(t, pages.Config{}, pages.Consent{Application: pages.Application{Name: long}}, "https://wiki.example.com/cb").Body.String()
	require.Regexp(t, `<h1><bdi title="(Ünited ){36}">(Ünited ){14}Ü…</bdi> wants access`, body)
	require.Regexp(t, `<title>(Ünited ){14}Ü… wants access`, body)
	whole := strings.Repeat("sub.", 60) + "example"
	require.Contains(t, showConsent(t, pages.Config{}, pages.Consent{}, "https://"+whole+"/cb").Body.String(), "<bdi>"+whole+"</bdi>", "an address is whole")
}

// A picture of a user is loaded only if UserPictures is set, and only from URLs
// that would be valid for Config.LogoURL.
func TestPicturesOfUsers(t *testing.T) {
	user := pages.User{Label: "Ada King Lovelace", Name: "Ada King Lovelace", Email: "ada@example.com", Picture: "https://pictures.example.com/ada.png"}
	for name, tt := range map[string]struct {
		config  pages.Config
		picture string
		shown   bool
	}{
		"by default": {pages.Config{}, user.Picture, false},
		"wanted":     {pages.Config{UserPictures: true}, user.Picture, true},
		"plain http": {pages.Config{UserPictures: true}, "http://pictures.example.com/ada.png", false},
		"a script":   {pages.Config{UserPictures: true}, "javascript:alert(1)", false},
		"none":       {pages.Config{UserPictures: true}, "", false},
	} {
		user.Picture = tt.picture
		w := showConsent(t, tt.config, pages.Consent{User: user}, "https://wiki.example.com/cb")
		require.Equal(t, tt.shown, strings.Contains(w.Body.String(), "<img"), name)
		require.Equal(t, tt.shown, strings.Contains(w.Header().Get("Content-Security-Policy"), "img-src https://pictures.example.com"), name)
		require.Equal(t, !tt.shown, strings.Contains(w.Body.String(), ">AL</span>"), name)
		require.Contains(t, w.Body.String(), "<bdi>ada@example.com</bdi>")
	}
}

// The policy allows the host's pictures, and the dark one is chosen without a
// script.
func TestBrand(t *testing.T) {
	c := pages.Config{Name: "Acme", LogoURL: "https://a.example.com/l.svg", LogoDarkURL: "https://b.example.com/d.svg", IconURL: issuer + "/icon.svg", Wordmark: true}
	w := showConsent(t, c, pages.Consent{}, "https://wiki.example.com/cb")
	require.Contains(t, w.Body.String(), `<link rel="icon" href="https://acme.example.com/icon.svg">`)
	require.Contains(t, w.Body.String(), `<picture><source srcset="https://b.example.com/d.svg" media="(prefers-color-scheme: dark)"><img class="tile mark" src="https://a.example.com/l.svg" alt=""></picture>`)
	require.True(t, strings.HasSuffix(w.Header().Get("Content-Security-Policy"), "; img-src https://a.example.com https://b.example.com https://acme.example.com"), w.Header())
	_, err := pages.New(pages.Config{LogoDarkURL: "http://x.example.com/d", IconURL: "data:image/png;base64,AA"}, issuer)
	for _, says := range []string{"Config.LogoDarkURL is", "Config.IconURL is", "LogoDarkURL is set, but LogoURL is not"} {
		require.ErrorContains(t, err, says)
	}
}

// The error page names an application and says when to try again, if that is
// known.
func TestErrorPageSaysWhoAndWhen(t *testing.T) {
	show := func(page pages.Error) string {
		page.Status = 400
		return render(t, pages.Config{Name: "Acme"}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) { p.Error(w, r, page) }).Body.String()
	}
	require.Contains(t, show(pages.Error{Application: pages.Application{Name: "<Wiki>"}}), "&lt;Wiki&gt; made a request that Acme can&#39;t accept.")
	require.Contains(t, show(pages.Error{}), "The app that sent you here made a request")
	for minutes, says := range map[int]string{0: "in a minute.", 1: "in a minute.", 7: "in 7 minutes."} {
		require.Contains(t, show(pages.Error{Reason: pages.ReasonTooMany, RetryMinutes: minutes}), "Try again "+says)
	}
	require.Contains(t, show(pages.Error{Reference: "7Q4K-M2XD"}), "Error reference: <bdi>7Q4K-M2XD</bdi>")
	require.Contains(t, show(pages.Error{}), `<a class="button primary" href="https://acme.example.com/">Go to <bdi>Acme</bdi></a>`)
}

// The consent page is small, even with 14 scopes.
func TestConsentPageIsSmall(t *testing.T) {
	page := pages.Consent{Application: pages.Application{Name: "Wiki", Domain: "wiki.example.com"}, User: pages.User{Label: "Ada Lovelace", Email: "ada@example.com"},
		FormFields: []pages.Field{{Name: "request", Value: strings.Repeat("x", 400)}, {Name: "seal", Value: strings.Repeat("x", 64)}}}
	for i := range 14 {
		page.Scopes = append(page.Scopes, pages.Scope{Name: fmt.Sprintf("scope:%d", i), Title: "Read all of your notes and files", Group: fmt.Sprint("Group ", i/3), Access: "delete"})
	}
	size := showConsent(t, pages.Config{}, page, "https://wiki.example.com/cb").Body.Len()
	t.Log(size, "bytes")
	require.Less(t, size, 12_000)
}
