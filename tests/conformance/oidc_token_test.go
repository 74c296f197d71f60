package conformance

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
)

// The modules that use the token endpoint again.
var tokenModules = map[string]suiteModule{
	"oidcc-codereuse": {"A code used twice: `invalid_grant`.",
		reuse(0), nil},
	"oidcc-codereuse-30seconds": {"A code used again after 30 seconds: `invalid_grant`, and the access token stops working.",
		reuse(30 * time.Second), nil},
	"oidcc-refresh-token": {"`offline_access` with `prompt=consent`: a refresh gives a new ID token of the same user, client, and `auth_time`; another client can't use the refresh token.",
		refreshToken, nil},
}

// refusedToken checks an error answer of the token endpoint.
func (r *suiteRun) refusedToken(answer reply) {
	r.Helper()
	require.Equal(r, http.StatusBadRequest, answer.StatusCode, answer.body)
	require.Equal(r, "application/json", answer.Header.Get("Content-Type"))
	o := object(r, answer)
	require.Equal(r, "invalid_grant", o["error"])
	description, _ := o["error_description"].(string)
	r.description(description)
	require.NotContains(r, o, "id_token")
}

func reuse(after time.Duration) func(*suiteRun) {
	return func(r *suiteRun) { codeReuse(r, after) }
}

func codeReuse(r *suiteRun, after time.Duration) {
	s := r.signIn()
	r.h.clock.Add(after)
	r.refusedToken(r.token(r.client, "grant_type", "authorization_code", "code", s.code, "redirect_uri", r.client.redirectURI))
	require.Equal(r, http.StatusUnauthorized, r.userInfo("GET", s.tokens.Access).StatusCode)
}

func refreshToken(r *suiteRun) {
	metadata := r.h.metadata(r)
	require.True(r, has(r, metadata, "scopes_supported", "offline_access"))
	require.True(r, has(r, metadata, "grant_types_supported", "refresh_token"))
	const scope = "openid offline_access"
	r.refreshed(r.signIn("scope", scope, "prompt", "consent"), "scope", scope)
	require.Equal(r, 1, r.browser.asked)

	first := r.client
	r.client, r.browser = r.h.second, r.h.browser(r)
	last := r.refreshed(r.signIn("scope", scope, "prompt", "consent", "nonce", random(43)))
	r.refusedToken(r.token(first, "grant_type", "refresh_token", "refresh_token", last.tokens.Refresh))
	require.Equal(r, http.StatusOK, r.userInfo("GET", last.tokens.Access).StatusCode, "the token still works for its own client")
}

// refreshed refreshes tokens, and compares the new ones.
func (r *suiteRun) refreshed(before signedIn, pairs ...string) signedIn {
	r.Helper()
	r.hardToGuess(before.tokens.Refresh)
	r.h.clock.Add(time.Second)
	after := r.granted(r.token(r.client, append([]string{"grant_type", "refresh_token", "refresh_token", before.tokens.Refresh}, pairs...)...), "")
	require.Greater(r, entropy(after.tokens.Access), 96.0)
	r.hardToGuess(after.tokens.Refresh)
	require.NotEqual(r, before.tokens.Access, after.tokens.Access)
	for _, name := range []string{"iss", "sub", "aud", "azp", "auth_time", "acr", "amr", "sid"} {
		require.Equal(r, before.id[name], after.id[name], name)
	}
	require.NotEqual(r, before.id["iat"], after.id["iat"])
	require.NotEqual(r, before.id["at_hash"], after.id["at_hash"])
	require.Equal(r, http.StatusOK, r.userInfo("GET", after.tokens.Access).StatusCode)
	return after
}
