package provider_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// RFC 6749 section 2.3, and section 5.2 for the refusals.
func TestClientAuthentication(t *testing.T) {
	h := newHost(t)
	confidential := h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})
	id, secret := confidential.ClientID, confidential.secret
	const wrong = "wrongwrongwrongwrongwrongwrong"
	for _, tt := range []struct {
		name   string
		app    *application
		form   []string
		status int
		code   string
	}{
		{"client_secret_post", confidential, nil, 200, ""},
		{"client_secret_basic", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", basic(id, secret)}, 200, ""},
		{"basic in lower case", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", strings.Replace(basic(id, secret), "Basic", "basic", 1)}, 200, ""},
		{"basic with the same client_id in the body", confidential, []string{"client_secret", "", "Header:Authorization", basic(id, secret)}, 200, ""},
		{"public with client_id only", public, []string{"client_secret", ""}, 200, ""},
		{"public with basic and an empty password", public, []string{"client_id", "", "Header:Authorization", basic(public.ClientID, "")}, 200, ""},

		{"wrong secret", confidential, []string{"client_secret", wrong}, 401, "invalid_client"},
		{"wrong secret by basic", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", basic(id, wrong)}, 401, "invalid_client"},
		{"no secret", confidential, []string{"client_secret", ""}, 401, "invalid_client"},
		{"no client", confidential, []string{"client_id", "", "client_secret", ""}, 401, "invalid_client"},
		{"unknown client", confidential, []string{"client_id", "nobody"}, 401, "invalid_client"},
		{"unknown client without a secret", confidential, []string{"client_id", "nobody", "client_secret", ""}, 401, "invalid_client"},
		{"public with a secret", public, []string{"client_secret", wrong}, 401, "invalid_client"},
		{"another scheme", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", "Bearer x"}, 401, "invalid_client"},
		{"basic that is not base64", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", "Basic !!!"}, 401, "invalid_client"},
		{"basic without a colon", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("x"))}, 401, "invalid_client"},
		{"basic with a broken percent-encoding", confidential, []string{"client_id", "", "client_secret", "", "Header:Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":%zz"))}, 401, "invalid_client"},
		{"two ways at once (RFC 6749 section 2.3)", confidential, []string{"Header:Authorization", basic(id, secret)}, 400, "invalid_request"},
		{"two clients at once", confidential, []string{"client_id", "other", "client_secret", "", "Header:Authorization", basic(id, secret)}, 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := tt.app.code("user_ada")
			r := tt.app.redeem(code, tt.form...)
			if tt.code == "" {
				r.tokens(t)
				return
			}
			r.refused(t, tt.status, tt.code)
			if tt.status == 401 {
				require.Equal(t, `Basic realm="`+h.url+`"`, r.Header.Get("WWW-Authenticate"))
			}
			// A failed authentication spends nothing.
			tt.app.redeem(code).tokens(t)
		})
	}
	r := confidential.redeem("x", "client_secret", wrong)
	unknown := confidential.redeem("x", "client_id", "nobody")
	require.Equal(t, r.body, unknown.body, "the answer must not tell whether the client exists")
}

// Id and secret in the Basic header are form-encoded each (RFC 6749 section
// 2.3.1), which matters for secrets that are imported.
func TestImportedSecretIsCheckedAndEncoded(t *testing.T) {
	h := newHost(t)
	const secret = "p+ss w%rd:ü"
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	kept := parseHash(t, string(hash))
	app := h.imported("legacy-client", provider.ApplicationSettings{}, kept)
	app.secret = secret
	form := []string{"client_id", "", "client_secret", "", "Header:Authorization", basic(app.ClientID, secret)}
	app.redeem(app.code("user_ada"), form...).tokens(t)
	app.redeem(app.code("user_ada")).tokens(t)
	app.redeem(app.code("user_ada"), "client_secret", "wrong").refused(t, 401, "invalid_client")

	_, err = store.ParseSecretHash(secret)
	require.ErrorContains(t, err, "not a secret's hash")
	costly := parseHash(t, strings.Replace(string(hash), "$04$", "$13$", 1))
	for says, with := range map[string]struct {
		clientID string
		hash     store.SecretHash
	}{
		"bcrypt cost of 13":      {"x", costly},
		"client id is missing":   {"", kept},
		"application has no sec": {"public", kept},
		"has characters besides": {"a b", store.SecretHash{}},
		"already exists":         {"legacy-client", kept},
	} {
		_, err := h.ImportApplication(context.Background(), with.clientID, provider.ApplicationSettings{Name: "x", Public: with.clientID == "public"}, with.hash)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, err.Error(), string(hash))
	}
}

func parseHash(t *testing.T, text string) store.SecretHash {
	t.Helper()
	hash, err := store.ParseSecretHash(text)
	require.NoError(t, err)
	return hash
}

// A confidential application whose secret is not known is imported without one.
func TestImportedApplicationWithoutASecretGetsOneLater(t *testing.T) {
	h := newHost(t)
	app := h.imported("legacy-client", provider.ApplicationSettings{}, store.SecretHash{})
	require.Empty(t, app.Secrets)
	app.redeem("x").refused(t, 401, "invalid_client")
	app.redeem("x", "client_secret", "x").refused(t, 401, "invalid_client")
	secret, err := h.AddSecret(context.Background(), app.ID, time.Time{})
	require.NoError(t, err)
	app.redeem("x", "client_secret", secret.Reveal()).refused(t, 400, "invalid_grant")
}

// RFC 6749 section 3.2, and section 2.3.1 on credentials in the query.
func TestTokenRequestIsParsedStrictly(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	good := url.Values{"grant_type": {"authorization_code"}, "client_id": {app.ClientID}, "client_secret": {app.secret}, "redirect_uri": {callback}}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, tt := range []struct {
		name         string
		method, path string
		header       http.Header
		body         func(code string) string
		status       int
		code         string
	}{
		{name: "GET", method: "GET", status: 405, code: "invalid_request"},
		{name: "JSON", header: http.Header{"Content-Type": {"application/json"}}, status: 400, code: "invalid_request"},
		{name: "multipart", header: http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, status: 400, code: "invalid_request"},
		{name: "no content type", header: http.Header{}, status: 400, code: "invalid_request"},
		{name: "two content types", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded", "application/json"}}, status: 400, code: "invalid_request"},
		{name: "two Authorization headers", header: http.Header{"Content-Type": form["Content-Type"], "Authorization": {"Basic eDp4", "Basic eDp4"}}, status: 400, code: "invalid_request"},
		{name: "everything in the query", path: "?" + good.Encode(), body: func(string) string { return "" }, status: 401, code: "invalid_client"},
		{name: "repeated code", body: func(code string) string { return good.Encode() + "&code=" + code + "&code=" + code }, status: 400, code: "invalid_request"},
		{name: "repeated client_id", body: func(code string) string { return good.Encode() + "&code=" + code + "&client_id=x" }, status: 400, code: "invalid_request"},
		{name: "broken percent-encoding", body: func(code string) string { return good.Encode() + "&code=%zz" }, status: 400, code: "invalid_request"},
		{name: "NUL", body: func(code string) string { return good.Encode() + "&code=%00" }, status: 400, code: "invalid_request"},
		{name: "invalid UTF-8", body: func(code string) string { return good.Encode() + "&code=%ff" }, status: 400, code: "invalid_request"},
		{name: "over 1 MiB", body: func(code string) string { return good.Encode() + "&code=" + strings.Repeat("x", 1<<20) }, status: 413, code: "invalid_request"},
		{name: "no grant_type", body: func(code string) string {
			return strings.Replace(good.Encode(), "grant_type=", "g=", 1) + "&code=" + code
		}, status: 400, code: "invalid_request"},
		{name: "password grant", body: func(code string) string {
			return strings.Replace(good.Encode(), "authorization_code", "password", 1) + "&username=a&password=b"
		}, status: 400, code: "unsupported_grant_type"},
		{name: "client_credentials grant", body: func(code string) string {
			return strings.Replace(good.Encode(), "authorization_code", "client_credentials", 1)
		}, status: 400, code: "unsupported_grant_type"},
		{name: "implicit grant by its inner name", body: func(code string) string { return strings.Replace(good.Encode(), "authorization_code", "__implicit", 1) }, status: 400, code: "unsupported_grant_type"},
		{name: "no code", body: func(string) string { return good.Encode() }, status: 400, code: "invalid_request"},
		{name: "unknown parameters are ignored", body: func(code string) string { return good.Encode() + "&code=" + code + "&audience=x&audience=y" }, status: 200},
		{name: "a charset is fine", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=UTF-8"}}, status: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := app.code("user_ada")
			if tt.method == "" {
				tt.method = "POST"
			}
			if tt.header == nil {
				tt.header = form
			}
			body := good.Encode() + "&code=" + code
			if tt.body != nil {
				body = tt.body(code)
			}
			if tt.method == "GET" {
				body = ""
			}
			r := h.send(tt.method, "/oauth/token"+tt.path, tt.header, body)
			if tt.status == 200 {
				r.tokens(t)
				return
			}
			r.refused(t, tt.status, tt.code)
			require.NotContains(t, r.body, code)
			app.redeem(code).tokens(t)
		})
	}
}

// A host's middleware may have read the form before the provider does.
func TestTokenRequestWhoseFormIsReadAlready(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	inner := h.server.Config.Handler
	h.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		inner.ServeHTTP(w, r)
	})
	app.redeem(code).tokens(t)
}

// RFC 6749 section 4.1.3, RFC 7636 section 4.6.
func TestCodeIsBoundToItsClientRedirectURIAndVerifier(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	other := h.application(provider.ApplicationSettings{})
	public := h.application(provider.ApplicationSettings{Public: true})

	plain, withPKCE := app.code("user_ada"), app.code("user_ada", "code_challenge", challenge(verifier), "code_challenge_method", "S256")
	ofPublic := public.code("user_ada")
	tampered := []byte(plain)
	tampered[20] ^= 1
	for _, tt := range []struct {
		name string
		app  *application
		code string
		form []string
	}{
		{"foreign code", other, plain, nil},
		{"foreign code of a public client", other, ofPublic, []string{"code_verifier", verifier}},
		{"other redirect_uri", app, plain, []string{"redirect_uri", callback + "2"}},
		{"no redirect_uri where it was named and PKCE was not used (RFC 6749 section 4.1.3)", app, plain, []string{"redirect_uri", ""}},
		{"wrong verifier", public, ofPublic, []string{"code_verifier", verifier + "x"}},
		{"no verifier", public, ofPublic, []string{"code_verifier", ""}},
		{"no verifier where a challenge was sent (RFC 9700 section 2.1.1)", app, withPKCE, nil},
		{"verifier without a challenge", app, plain, []string{"code_verifier", verifier}},
		{"verifier too short", public, ofPublic, []string{"code_verifier", "short"}},
		{"verifier with a bad character", public, ofPublic, []string{"code_verifier", verifier + "!"}},
		{"the challenge as the verifier", public, ofPublic, []string{"code_verifier", challenge(verifier)}},
		{"unknown code", app, "nonsense", nil},
		{"mistyped code", app, string(tampered), nil},
		{"an access token as the code", app, app.tokens("user_ada").AccessToken, nil},
		{"a refresh token as the code", app, app.tokens("user_ada").RefreshToken, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.app.redeem(tt.code, tt.form...).refused(t, 400, "invalid_grant")
		})
	}
	require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
	// None of it spent anything.
	app.redeem(plain).tokens(t)
	public.redeem(ofPublic).tokens(t)
	// OAuth 2.1 lets a client that uses PKCE leave the redirect_uri out.
	app.redeem(withPKCE, "redirect_uri", "", "code_verifier", verifier).tokens(t)
}

// RFC 6749 section 4.1.2: at most ten minutes.
func TestCodeExpires(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	h.clock.Add(10*time.Minute - time.Microsecond)
	app.redeem(code).tokens(t)
	code = app.code("user_ada")
	h.clock.Add(10 * time.Minute)
	app.redeem(code).refused(t, 400, "invalid_grant")
}

// RFC 6749 section 4.1.2: a code that is used again ends what it gave.
func TestCodeReplayByItsClientRevokesTheGrant(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	got := app.redeem(code).tokens(t)
	h.eventKinds()

	other.redeem(code).refused(t, 400, "invalid_grant")
	require.Equal(t, 200, h.bearer("/oauth/userinfo", got.AccessToken).StatusCode, "a foreign client must not end a grant")
	require.Empty(t, h.eventKinds())

	app.redeem(code).refused(t, 400, "invalid_grant")
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())
}

func TestParallelRedemptionsGiveOneSuccess(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			switch r := app.redeem(code); r.StatusCode {
			case 200:
				won.Add(1)
			case 400:
			default:
				t.Errorf("status %d: %s", r.StatusCode, r.body)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, won.Load())
	require.Empty(t, h.grantsOf("user_ada"), "the grant must be revoked")
}

func TestCORS(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	for _, path := range []string{"/oauth/token", "/oauth/userinfo", "/oauth/token/revoke", "/.well-known/oauth-authorization-server"} {
		r := h.send("OPTIONS", path, http.Header{"Origin": {"https://spa.example.com"}, "Access-Control-Request-Method": {"POST"}}, "")
		r.statusIs(t, 204)
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "Authorization, Content-Type, MCP-Protocol-Version", r.Header.Get("Access-Control-Allow-Headers"))
		require.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"))
	}
	for _, r := range []*reply{app.redeem("x"), app.redeem("x", "client_secret", "wrong"), h.bearer("/oauth/userinfo", "x")} {
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"), "errors need it too")
		require.Contains(t, r.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
	}
	for _, path := range []string{"/oauth/authorize", "/oauth/token_info"} {
		r := h.send("GET", path, http.Header{"Origin": {"https://spa.example.com"}}, "")
		require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), path)
	}
}

// No log line and no answer holds a secret.
func TestLogsHoldNoSecret(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	got := app.redeem(code).tokens(t)
	app.redeem(code)
	app.refresh(got.RefreshToken)
	app.redeem(code, "client_secret", "a-wrong-secret")
	app.redeem(code, "client_id", "a-secret-sent-as-the-id")
	h.bearer("/oauth/userinfo", got.AccessToken)
	h.send("GET", "/oauth/userinfo?access_token="+got.AccessToken, nil, "")
	b := h.browser()
	b.get(app.request("state", "a-secret-state", "redirect_uri", "https://evil.example.com/a-secret-uri"))
	b.signIn("user_ada")
	b.get(app.request("scope", "nothing", "login_hint", "ada@example.com"))
	log := h.log.String()
	require.NotEmpty(t, log)
	for _, secret := range []string{code, got.AccessToken, got.RefreshToken, app.secret, "a-wrong-secret", "a-secret", "ada@example.com"} {
		require.NotContains(t, log, secret)
		if len(secret) > 30 {
			require.NotContains(t, log, secret[len(secret)/2:])
		}
	}
	require.Contains(t, log, "wrong client secret")
	require.Contains(t, log, "unknown client")
	require.Contains(t, log, "presented again after it was spent")
}
