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

// The log has the refused values, so that a host can tell a developer what is
// wrong.
func TestRefusalsLogWhatWasSent(t *testing.T) {
	h := newHost(t, newWorkspaces().on, func(c *provider.Config) {
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
		"one that is long":        {[]string{"client_id", strings.Repeat("x.", 4000)}, []string{"client_id=" + strings.Repeat("x.", 100) + "... "}},
		"another response_type":   {[]string{"response_type", "code token"}, []string{`response_type="code token"`}},
		"another response_mode":   {[]string{"response_mode", "fragment"}, []string{"response_mode=fragment"}},
		"a scope too much":        {[]string{"scope", "profile notes:read"}, []string{`scope="profile notes:read"`}},
		"a malformed scope":       {[]string{"scope", "profile,email\t"}, []string{`scope=profile,email\t`}},
		"an unknown resource":     {[]string{"resource", "https://other.example.com"}, []string{"resource=https://other.example.com"}},
		"a workspace for none":    {[]string{"workspace", "org_math"}, []string{"workspace=org_math"}},
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

// A client learns only that its code or token is invalid; the log has the
// reason. A client that authenticated with its secret learns what it forgot to
// send.
func TestTokenRefusalsHaveTheirCause(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})
	pkce := []string{"code_challenge", challenge(verifier), "code_challenge_method", "S256"}
	const general = "The code is not valid: it is unknown, expired, revoked, or used, or was issued to another client or for another redirect_uri or code_verifier."
	for name, tt := range map[string]struct {
		ask         func() *reply
		cause, says string
	}{
		"verifier missing":            {func() *reply { return app.redeem(app.code("user_ada", pkce...)) }, "the code_verifier is missing", "The code_verifier is missing"},
		"verifier missing, public":    {func() *reply { return public.redeem(public.code("user_ada"), "code_verifier", "") }, "the code_verifier is missing", general},
		"verifier wrong":              {func() *reply { return app.redeem(app.code("user_ada", pkce...), "code_verifier", verifier+"x") }, "the code_verifier does not match", general},
		"verifier not expected":       {func() *reply { return app.redeem(app.code("user_ada"), "code_verifier", verifier) }, "requested without a code_challenge", general},
		"redirect URI missing":        {func() *reply { return app.redeem(app.code("user_ada"), "redirect_uri", "") }, "the redirect_uri is missing", "The redirect_uri is missing"},
		"redirect URI other":          {func() *reply { return app.redeem(app.code("user_ada"), "redirect_uri", callback+"2") }, "the redirect_uri is not that of", general},
		"another client's":            {func() *reply { return other.redeem(app.code("user_ada")) }, "it belongs to another application", general},
		"another's, without verifier": {func() *reply { return other.redeem(app.code("user_ada", pkce...), "redirect_uri", "") }, "it belongs to another application", general},
		"unknown":                     {func() *reply { return app.redeem("x") }, "unknown code or token", general},
		"spent": {func() *reply {
			code := app.code("user_ada")
			app.redeem(code).tokens(t)
			return app.redeem(code)
		}, "presented again after it was spent", general},
		"expired": {func() *reply {
			code := app.code("user_ada")
			h.clock.Add(11 * time.Minute)
			return app.redeem(code)
		}, "cause=expired", general},
		"revoked": {func() *reply {
			code := app.code("user_ada")
			require.NoError(t, h.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_ada"}))
			return app.redeem(code)
		}, "grant revoked", general},
	} {
		t.Run(name, func(t *testing.T) {
			answer := tt.ask()
			answer.refused(t, 400, "invalid_grant")
			require.Contains(t, answer.body, `"error_description":"`+tt.says)
			line := h.logged()
			require.Contains(t, line, tt.cause)
			require.Equal(t, strings.Contains(name, "redirect URI other"), strings.Contains(line, " redirect_uri="+callback+"2"))
		})
	}
	token := app.tokens("user_ada").RefreshToken
	other.refresh(token).refused(t, 400, "invalid_grant")
	require.Contains(t, h.logged(), "it belongs to another application")
	app.refresh(token, "scope", "notes:read").refused(t, 400, "invalid_scope")
	require.Contains(t, h.logged(), "scope=notes:read")
	app.refresh(app.code("user_ada")).refused(t, 400, "invalid_grant")
	require.Contains(t, h.logged(), "unknown code or token")
}

// A request may contain secrets and the user's identity in its parameters. For
// any refusal, none of that is in the log.
func TestRefusalsLogNoSecret(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} })
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	b := h.browser()
	b.signIn("user_ada")
	const secret = "s3cret-of-another-provider-thats-imported"
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
	code, token := app.code("user_ada"), app.tokens("user_ada")
	for _, misplaced := range []string{app.secret, code, token.AccessToken, token.RefreshToken} {
		for _, name := range []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "resource", "grant_type"} {
			b.get(app.request(name, "https://x.example/?"+misplaced))
			app.post("/oauth/token", "grant_type", "authorization_code", "code", "x", name, misplaced)
		}
		require.NotContains(t, h.log.String(), misplaced)
		require.NotContains(t, h.log.String(), misplaced[len(misplaced)/2:])
	}
	log := h.log.String()
	require.Greater(t, strings.Count(log, "latchkey: request refused"), 80)
	require.NotContains(t, log, secret)
	require.NotContains(t, log, app.secret)
}
