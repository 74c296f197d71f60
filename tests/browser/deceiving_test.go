package browser

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
)

// No rule can reject every deceptive name, because a page can't know everything
// that people trust. So it says that the host has not reviewed the application,
// and shows the whole address to which the visitor will be sent, in a form that
// can't deceive.
func TestDeceivingApplications(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	long := "accounts.google.com." + strings.Repeat("sign-in-with-your-account.", 8) + "evil.example"
	hyphens := "your-account-is-protected-by-two-factor-authentication-google.com"
	for _, test := range []struct{ what, name, uri, host string }{
		{"Cyrillic", "Аррӏе", "https://xn--80ak6aa92e.com/callback", "xn--80ak6aa92e.com"},
		{"Greek", "ΡΑΥΡΑΙ", "https://xn--mxaaitbzm.example/callback", "xn--mxaaitbzm.example"},
		{"letters of formulas", "𝐆𝐨𝐨𝐠𝐥𝐞", "https://evil.example/callback", "evil.example"},
		{"subdomain", "Google", "https://google.com.evil.example/callback", "google.com.evil.example"},
		{"many subdomains", "Google", "https://" + long + "/callback", long},
		{"hyphens", "Sign in with Google", "https://accounts-google-com.example/callback", "accounts-google-com.example"},
		{"many hyphens", "Google", "https://" + hyphens + "/callback", hyphens},
		{"address", "Google", "https://203.0.113.7/callback", "203.0.113.7"},
		{"address of version 6", "Google", "https://[2001:db8::7]:8443/callback", "[2001:db8::7]:8443"},
		{"port", "Google", "https://evil.example:443/accounts.google.com/callback", "evil.example:443"},
		{"capital i", "PayPal", "https://paypaI.example/callback", "paypai.example"},
		{"host as a name", "accounts.google.com", "https://evil.example/callback", "evil.example"},
		{"advice as a name", "Google. Acme Notes has reviewed this application. You'll be sent back to accounts.google.com", "https://evil.example/callback", "evil.example"},
	} {
		app := provider.Application{ClientID: h.registers(test.name, test.uri)}
		for window, width := range map[string]int64{"wide": 1280, "narrow": 320} {
			p.isWide(width, 1)
			p.goes(h.authorizeURL(app, test.uri))
			what := test.what + " " + window
			p.picture(what)
			require.Equal(t, test.host, eval[string](p, `() => document.querySelector(".to bdi").innerText`), what)
			p.shows(test.name+" wants access to your Acme Notes account", "Not reviewed by Acme Notes.", "recognize "+test.host+".", "You'll be sent back to "+test.host+".")
			require.Equal(t, 1, eval[int](p, `() => document.querySelectorAll(".note").length`), what)
			assert.Empty(t, eval[[]string](p, outside), what)
			require.True(t, eval[bool](p, `() => {
				const warning = document.querySelector(".note"), to = warning.querySelector(".to bdi");
				return warning.checkVisibility() && to.checkVisibility() && 
					(warning.compareDocumentPosition(document.querySelector(".actions")) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
			}`), "%s: the warning has the address, and comes before the buttons", what)
			// A line is as full as it can be, and isn't broken at every hyphen or dot.
			require.True(t, eval[bool](p, `() => {
				const lines = [...document.querySelector(".to bdi").getClientRects()].filter(r => r.width > 0);
				return lines.slice(0, -1).every(r => lines[0].width - r.width < 16);
			}`), "%s: the address fills its lines", what)
			if len(test.host) <= 30 {
				require.Equal(t, 1, eval[int](p, `() => [...document.querySelector(".to bdi").getClientRects()].filter(r => r.width > 0).length`), "%s: the address is in one line", what)
			}
		}
	}
}

// registers registers an application without credentials.
func (h *host) registers(name, redirectURI string) (clientID string) {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"client_name": name, "redirect_uris": []string{redirectURI}, "token_endpoint_auth_method": "none"})
	require.NoError(h.t, err)
	answer, text := hosttest.Do(h.t, "POST", h.url+"/oauth/register", http.Header{"Content-Type": {"application/json"}}, string(body))
	require.Equal(h.t, http.StatusCreated, answer.StatusCode, "%s: %s", name, text)
	var app struct {
		ClientID string `json:"client_id"`
	}
	require.NoError(h.t, json.Unmarshal([]byte(text), &app))
	return app.ClientID
}
