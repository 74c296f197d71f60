package provider_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// No URI but the registered one is ever answered at, whatever a lenient reader
// might take it for (RFC 9700 sections 2.1 and 4.1).
func TestRedirectURIAttacks(t *testing.T) {
	const registered = "https://wiki.example.com/oauth/callback"
	h := newHost(t)
	public := h.application(provider.ApplicationSettings{Public: true, RedirectURIs: []string{registered}})
	confidential := h.application(provider.ApplicationSettings{RedirectURIs: []string{registered}})
	for _, tt := range []struct{ name, uri string }{
		{"another host", "https://evil.example.com/oauth/callback"},
		{"sub-domain", "https://evil.wiki.example.com/oauth/callback"},
		{"parent domain", "https://example.com/oauth/callback"},
		{"host as a prefix", "https://wiki.example.com.evil.com/oauth/callback"},
		{"host as a suffix", "https://evilwiki.example.com/oauth/callback"},
		{"host with a trailing dot", "https://wiki.example.com./oauth/callback"},
		{"host in capitals", "https://WIKI.example.com/oauth/callback"},
		{"user in front", "https://wiki.example.com@evil.com/oauth/callback"},
		{"user and password in front", "https://wiki.example.com:443@evil.com/oauth/callback"},
		{"user before the right host", "https://evil@wiki.example.com/oauth/callback"},
		{"encoded at sign", "https://wiki.example.com%40evil.com/oauth/callback"},
		{"double-encoded at sign", "https://wiki.example.com%2540evil.com/oauth/callback"},
		{"backslash for slash", `https:\\wiki.example.com\oauth\callback`},
		{"backslash before the host ends", `https://evil.com\@wiki.example.com/oauth/callback`},
		{"backslash in the path", `https://wiki.example.com/oauth\callback`},
		{"encoded backslash", "https://evil.com%5c@wiki.example.com/oauth/callback"},
		{"port that is the default", "https://wiki.example.com:443/oauth/callback"},
		{"another port", "https://wiki.example.com:8443/oauth/callback"},
		{"http for https", "http://wiki.example.com/oauth/callback"},
		{"scheme in capitals", "HTTPS://wiki.example.com/oauth/callback"},
		{"no scheme", "//wiki.example.com/oauth/callback"},
		{"javascript", "javascript:alert(1)//https://wiki.example.com/oauth/callback"},
		{"data", "data:text/html,<script>1</script>"},
		{"scheme of its own", "wiki:/oauth/callback"},
		{"three slashes", "https:///wiki.example.com/oauth/callback"},
		{"one slash", "https:/wiki.example.com/oauth/callback"},
		{"trailing slash", "https://wiki.example.com/oauth/callback/"},
		{"longer path", "https://wiki.example.com/oauth/callback/../evil"},
		{"path as a prefix", "https://wiki.example.com/oauth/callbackevil"},
		{"shorter path", "https://wiki.example.com/oauth"},
		{"path in capitals", "https://wiki.example.com/OAUTH/callback"},
		{"dot segment", "https://wiki.example.com/oauth/./callback"},
		{"dot-dot segment", "https://wiki.example.com/evil/../oauth/callback"},
		{"encoded dot-dot segment", "https://wiki.example.com/evil/%2e%2e/oauth/callback"},
		{"double slash", "https://wiki.example.com//oauth/callback"},
		{"encoded slash", "https://wiki.example.com/oauth%2fcallback"},
		{"double-encoded slash", "https://wiki.example.com/oauth%252fcallback"},
		{"encoded letter", "https://wiki.example.com/oauth/%63allback"},
		{"path parameter", "https://wiki.example.com/oauth/callback;x=1"},
		{"query added", "https://wiki.example.com/oauth/callback?next=https://evil.com"},
		{"empty query", "https://wiki.example.com/oauth/callback?"},
		{"fragment", "https://wiki.example.com/oauth/callback#evil"},
		{"empty fragment", "https://wiki.example.com/oauth/callback#"},
		{"encoded fragment", "https://wiki.example.com/oauth/callback%23"},
		{"leading space", " https://wiki.example.com/oauth/callback"},
		{"trailing space", "https://wiki.example.com/oauth/callback "},
		{"tab inside", "https://wiki.example.com/oauth/\tcallback"},
		{"newline at the end", "https://wiki.example.com/oauth/callback\n"},
		{"newline and header", "https://wiki.example.com/oauth/callback\r\nSet-Cookie: a=b"},
		{"IDN look-alike (Cyrillic)", "https://w\u0456ki.example.com/oauth/callback"},
		{"IDN in its ASCII form", "https://xn--wki-8cd.example.com/oauth/callback"},
		{"fullwidth dot", "https://wiki\uff0eexample\uff0ecom/oauth/callback"},
		{"ideographic full stop", "https://wiki\u3002example.com/oauth/callback"},
		{"zero-width space", "https://wiki.example.com/oauth/\u200bcallback"},
		{"composed and decomposed", "https://wiki.example.com/oauth/c\u0061\u0301llback"},
		{"two joined", registered + "," + registered},
		{"two with a space", registered + " https://evil.com"},
		{"IP address", "https://93.184.216.34/oauth/callback"},
		{"loopback", "http://127.0.0.1:8080/oauth/callback"},
		{"wildcard", "https://*.example.com/oauth/callback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, app := range []*application{public, confidential} {
				b := h.browser()
				b.signIn("user_ada")
				b.get(app.request("redirect_uri", tt.uri)).errorPage(t, 400, "not registered")
				// Nor may a consent form carry one.
				form := b.get(app.request()).form(t, "allow")
				alter(form, "redirect_uri", tt.uri)
				r := b.post("/oauth/authorize", form)
				require.Empty(t, r.Header.Get("Location"))
				require.GreaterOrEqual(t, r.StatusCode, 400)
			}
		})
	}
}

// RFC 6749 section 3.1.2, RFC 8252 section 7.1.
func TestRedirectURIRegistration(t *testing.T) {
	h := newHost(t)
	for _, tt := range []struct{ name, uri, says string }{
		{"empty", "", "is empty"},
		{"relative", "/callback", "is relative"},
		{"no scheme", "//wiki.example.com/cb", "is relative"},
		{"fragment", callback + "#x", "has a fragment"},
		{"empty fragment", callback + "#", "has a fragment"},
		{"javascript", "javascript:alert(1)", "scheme javascript"},
		{"data", "data:text/html,x", "scheme data"},
		{"file", "file:///etc/passwd", "scheme file"},
		{"vbscript", "vbscript:x", "scheme vbscript"},
		{"blob", "blob:https://wiki.example.com/x", "scheme blob"},
		{"intent", "intent://x#Intent;end", "has a fragment"},
		{"capital javascript", "JavaScript:alert(1)", "capital letters"},
		{"user", "https://user@wiki.example.com/cb", "has a user"},
		{"plain http", "http://wiki.example.com/cb", "is plain http"},
		{"plain http on a private address", "http://192.168.1.1/cb", "is plain http"},
		{"plain http on another loopback address", "http://127.0.0.2/cb", "is plain http"},
		{"no host", "https:///cb", "has no host"},
		{"opaque", "https:wiki.example.com", "has no host"},
		{"bad port", "https://wiki.example.com:99999/cb", "bad port"},
		{"empty port", "https://wiki.example.com:/cb", "bad port"},
		{"space", "https://wiki.example.com/a b", "has a character"},
		{"newline", "https://wiki.example.com/a\n", "has a character"},
		{"backslash", `https://wiki.example.com\@evil.com`, "has a character"},
		{"not ASCII", "https://w\u0456ki.example.com/", "has a character"},
		{"broken percent-encoding", "https://wiki.example.com/%zz", "is not a URL"},
		{"only a scheme", "myapp:", "nothing after its scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "x", Public: true, RedirectURIs: []string{tt.uri}})
			require.ErrorContains(t, err, tt.says)
		})
	}
	for _, uri := range []string{"com.example.app:/cb", "cursor://anysphere.cursor/cb", "myapp:cb", "vscode://publisher.extension"} {
		_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "x", Public: true, RedirectURIs: []string{uri}})
		require.NoError(t, err)
		_, _, err = h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "x", RedirectURIs: []string{uri}})
		require.ErrorContains(t, err, "only a public application")
	}
	for _, uri := range []string{"https://a.example.com", "https://a.example.com:8443/x?y=z", "http://localhost:3000/cb", "http://127.0.0.1/", "http://[::1]:80/x"} {
		_, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "x", RedirectURIs: []string{uri}})
		require.NoError(t, err)
	}
}
