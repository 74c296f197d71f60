package conformance

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

// The modules that sign a user in and expect success.
var flowModules = map[string]suiteModule{
	"oidcc-server": {"Signs in with `scope=openid`: the code is hard to guess; the ID token is valid, has `at_hash`, and of the user only `sub`; the response has `expires_in`.",
		happyFlow, nil},
	"oidcc-idtoken-signature": {"A client that registers itself (here with PKCE, which it must use) and requests no algorithm gets RS256, with a `kid`.",
		idTokenSignature, nil},
	"oidcc-idtoken-unsigned": {"The suite skips it, because `id_token_signing_alg_values_supported` doesn't list `none`. A client that wants `none` gets no unsigned ID token.",
		idTokenUnsigned, nil},
	"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": {"The nonce may be left out. Then the ID token has none.",
		withoutNonce, nil},
	"oidcc-display-page":  {"`display=page` is accepted.", alsoWith("display", "page"), nil},
	"oidcc-display-popup": {"`display=popup` is accepted.", alsoWith("display", "popup"), nil},
	"oidcc-ensure-request-with-unknown-parameter-succeeds": {"An unknown parameter is ignored.",
		alsoWith("extra", "foobar"), nil},
	"oidcc-login-hint":     {"`login_hint` is accepted.", alsoWith("login_hint", "buffy@127.0.0.1"), nil},
	"oidcc-ui-locales":     {"`ui_locales` is accepted.", alsoWith("ui_locales", "se"), nil},
	"oidcc-claims-locales": {"`claims_locales` is accepted.", alsoWith("claims_locales", "se"), nil},
	"oidcc-ensure-request-with-acr-values-succeeds": {"`acr_values` with all of `acr_values_supported`: the ID token has one of them as `acr`.",
		contextClass, nil},
	"oidcc-ensure-post-request-succeeds": {"The authorization request may be posted by another site.",
		postedRequest, nil},
	"oidcc-server-client-secret-post": {"A client may send its secret in the form.",
		secretInForm, nil},
	"oidcc-ensure-request-with-valid-pkce-succeeds": {"A confidential client may use PKCE.",
		withPKCE, nil},
}

func happyFlow(r *suiteRun) {
	s := r.signIn()
	r.hardToGuess(s.code)
	half := sha256.Sum256([]byte(s.tokens.Access))
	require.Equal(r, base64.RawURLEncoding.EncodeToString(half[:16]), s.id["at_hash"])
	for _, scope := range []string{"profile", "email", "address", "phone"} {
		r.without("the ID token", s.id, scopeClaims[scope]...)
	}
	known := strings.Fields("iss sub aud exp iat auth_time nonce acr amr azp at_hash c_hash nbf jti sid s_hash")
	for name := range s.id {
		require.Contains(r, known, name)
	}
	require.True(r, has(r, r.h.metadata(r), "token_endpoint_auth_methods_supported", "client_secret_basic"))
	require.Equal(r, 1, r.browser.signIns)
}

// alsoWith signs in with one more parameter.
func alsoWith(pairs ...string) func(*suiteRun) {
	return func(r *suiteRun) { r.signIn(pairs...) }
}

// register registers a client that the host doesn't know. Unlike in the suite,
// it must use PKCE. So for certification, give the suite clients that the host
// has registered.
func (r *suiteRun) register(pairs ...any) map[string]any {
	r.Helper()
	wish := map[string]any{
		"client_name": "Conformance", "redirect_uris": []string{r.h.relying.url + "/callback"}, "grant_types": []string{"authorization_code"},
		"response_types": []string{"code"}, "token_endpoint_auth_method": "client_secret_basic", "contacts": []string{"certification@example.com"},
	}
	for i := 0; i < len(pairs); i += 2 {
		wish[pairs[i].(string)] = pairs[i+1]
	}
	body, err := json.Marshal(wish)
	require.NoError(r, err)
	answer := r.h.program(r, "POST", registerPath, http.Header{"Content-Type": {"application/json"}}, string(body))
	require.Equal(r, http.StatusCreated, answer.StatusCode, answer.body)
	client := object(r, answer)
	r.client = &relyingClient{id: client["client_id"].(string), secret: client["client_secret"].(string), redirectURI: r.h.relying.url + "/callback"}
	return client
}

func idTokenSignature(r *suiteRun) {
	r.register()
	s := r.signInWithPKCE()
	require.Equal(r, "RS256", s.header["alg"])
	require.NotEmpty(r, s.header["kid"])
}

func idTokenUnsigned(r *suiteRun) {
	require.False(r, has(r, r.h.metadata(r), "id_token_signing_alg_values_supported", "none"))
	body := `{"client_name":"Conformance","redirect_uris":["` + r.h.relying.url + `/callback"],"id_token_signed_response_alg":"none"}`
	answer := r.h.program(r, "POST", registerPath, http.Header{"Content-Type": {"application/json"}}, body)
	if answer.StatusCode == http.StatusCreated {
		client := object(r, answer)
		require.NotEqual(r, "none", client["id_token_signed_response_alg"])
		r.client = &relyingClient{id: client["client_id"].(string), secret: client["client_secret"].(string), redirectURI: r.h.relying.url + "/callback"}
		require.NotEqual(r, "none", r.signInWithPKCE().header["alg"])
		return
	}
	require.Equal(r, http.StatusBadRequest, answer.StatusCode)
	require.Equal(r, "invalid_client_metadata", object(r, answer)["error"])
}

func withoutNonce(r *suiteRun) { r.signIn("nonce", omit) }

func contextClass(r *suiteRun) {
	supported := texts(r, r.h.metadata(r), "acr_values_supported")
	require.NotEmpty(r, supported)
	s := r.signIn("acr_values", strings.Join(supported, " "))
	require.Contains(r, supported, s.id["acr"])
}

func postedRequest(r *suiteRun) {
	asked := r.request()
	a := r.browser.open(r, r.h.Endpoints().Authorize, asked)
	r.redeem(asked, r.code(asked, a))
}

func secretInForm(r *suiteRun) {
	require.True(r, has(r, r.h.metadata(r), "token_endpoint_auth_methods_supported", "client_secret_post"))
	r.client = r.h.post
	r.signIn()
}

func withPKCE(r *suiteRun) { r.signInWithPKCE() }

func (r *suiteRun) signInWithPKCE() signedIn {
	r.Helper()
	asked := r.request("code_challenge", challenge, "code_challenge_method", "S256")
	return r.redeem(asked, r.code(asked, r.visit(asked)), "code_verifier", verifier)
}
