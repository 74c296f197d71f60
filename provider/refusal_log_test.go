package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// logged returns the one line that was logged since the last call.
func (h *host) logged() string {
	h.t.Helper()
	text := h.log.String()
	line := strings.TrimSuffix(text[h.read:], "\n")
	h.read = len(text)
	require.NotContains(h.t, line, "\n", "one line for each refusal")
	require.NotEmpty(h.t, line)
	return line
}

// What was refused is in the log, so that a host can tell a developer what is
// wrong with it.
func TestRefusalsLogWhatWasSent(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Resources = []provider.Resource{{URL: "https://api.example.com"}}
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	b := h.browser()
	b.signIn("user_ada")
	for name, tt := range map[string]struct {
		sent []string // changes to a request
		want []string
	}{
		"another redirect URI": {
			[]string{"redirect_uri", "https://wiki.example.com/callback/"},
			[]string{"client_id=" + app.ClientID, "redirect_uri=https://wiki.example.com/callback/", "application=" + app.ID},
		},
		"an unknown client":       {[]string{"client_id", "nobody"}, []string{"client_id=nobody", "redirect_uri=" + callback}},
		"one with a line break":   {[]string{"client_id", "x\nlevel=ERROR"}, []string{`client_id="x\\nlevel=ERROR"`}},
		"one that looks right":    {[]string{"redirect_uri", "https://wіki.example.com/callback"}, []string{`w\u0456ki`}},
		"one that is long":        {[]string{"client_id", strings.Repeat("x", 8000)}, []string{"client_id=" + strings.Repeat("x", 200) + "... "}},
		"another response_type":   {[]string{"response_type", "code token"}, []string{`response_type="code token"`}},
		"another response_mode":   {[]string{"response_mode", "fragment"}, []string{"response_mode=fragment"}},
		"a scope too much":        {[]string{"scope", "profile notes:read"}, []string{`scope="profile notes:read"`}},
		"a malformed scope":       {[]string{"scope", "profile,email\t"}, []string{`scope=profile,email\t`}},
		"an unknown resource":     {[]string{"resource", "https://other.example.com"}, []string{"resource=https://other.example.com"}},
		"a prompt with none":      {[]string{"prompt", "none login"}, []string{`prompt="none login"`}},
		"a challenge in the open": {[]string{"code_challenge", "x", "code_challenge_method", "plain"}, []string{"code_challenge_method=plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			h.read = len(h.log.String())
			b.get(app.request(tt.sent...))
			line := h.logged()
			require.Contains(t, line, `level=INFO msg="latchkey: request refused" endpoint=authorize`)
			for _, want := range tt.want {
				require.Contains(t, line, want)
			}
		})
	}
	h.read = len(h.log.String())
	app.post("/oauth/token", "grant_type", "password").refused(t, 400, "unsupported_grant_type")
	require.Contains(t, h.logged(), "grant_type=password")
	app.refresh(app.tokens("user_ada").RefreshToken, "resource", "https://other.example.com").refused(t, 400, "invalid_target")
	require.Contains(t, h.logged(), "resource=https://other.example.com")
}

// A request may hold secrets in every parameter that is for one, and say who the
// user is. Whatever it is refused for, none of that is in the log.
func TestRefusalsLogNoSecret(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	b := h.browser()
	b.signIn("user_ada")
	const secret = "s3cret"
	hidden := []string{
		"state", secret, "login_hint", secret + "@example.com", "code_challenge", secret, "code", secret, "code_verifier", secret,
		"refresh_token", secret, "access_token", secret, "token", secret, "device_code", secret, "user_code", secret,
		"client_secret", secret, "password", secret, "username", secret,
	}
	for _, wrong := range [][]string{
		nil, {"client_id", "nobody"}, {"redirect_uri", "https://evil.example.com"}, {"response_type", "token"}, {"response_mode", "fragment"},
		{"scope", "nothing"}, {"prompt", "none login"}, {"grant_type", "authorization_code"}, {"grant_type", "refresh_token"},
		{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"}, {"grant_type", "password"},
	} {
		sent := append(append([]string{}, hidden...), wrong...)
		b.get(app.request(sent...))
		b.get(h.url + "/oauth/device?" + strings.Repeat("user_code="+secret+"&", 2))
		for _, path := range []string{"/oauth/token", "/oauth/token/revoke", "/oauth/token_info", "/oauth/device_authorization"} {
			app.post(path, sent...)
			app.post(path, append(sent, "client_secret", app.secret)...)
			app.post(path, append(sent, "client_id", secret)...)
		}
		form := url.Values{}
		for i := 0; i < len(sent); i += 2 {
			form.Set(sent[i], sent[i+1])
		}
		b.post("/oauth/authorize", url.Values{"request": {form.Encode()}, "decision": {"allow"}, "seal": {secret}})
		b.post("/oauth/device", form)
		h.send("GET", "/oauth/userinfo?"+form.Encode(), http.Header{"Authorization": {"Bearer " + secret}}, "")
	}
	log := h.log.String()
	require.Greater(t, strings.Count(log, "latchkey: request refused"), 80)
	require.NotContains(t, log, secret)
	require.NotContains(t, log, app.secret)
}
