package conformance

import (
	"crypto/rand"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// suiteRun is one run of a module of the suite. The following checks are made
// by every module of the suite.
type suiteRun struct {
	*testing.T
	h        *openIDHost
	formPost bool
	browser  *openIDBrowser
	client   *relyingClient
	warnings []string // warnings of the suite
}

const skew = 5 * time.Minute // the difference between clocks that the suite allows

// warn records a warning of the suite unless ok.
func (r *suiteRun) warn(well bool, warning string) {
	if !well {
		r.warnings = append(r.warnings, warning)
	}
}

// random returns a state or nonce like the suite's: those of more than ten
// characters end with every special character that needs no encoding.
func random(length int) string {
	if length > 10 {
		return (rand.Text() + rand.Text() + rand.Text() + rand.Text() + rand.Text())[:length-4] + "-._~"
	}
	return rand.Text()[:length]
}

// request returns the parameters of an authorization request.
func (r *suiteRun) request(pairs ...string) url.Values {
	values := url.Values{
		"client_id": {r.client.id}, "redirect_uri": {r.client.redirectURI}, "scope": {"openid"},
		"state": {random(10)}, "nonce": {random(10)}, "response_type": {"code"},
	}
	if r.formPost {
		values.Set("response_mode", "form_post")
	}
	return params(values, pairs...)
}

// visit sends the browser to the authorization endpoint.
func (r *suiteRun) visit(values url.Values) arrival {
	r.Helper()
	return r.browser.open(r, r.h.Endpoints().Authorize+"?"+values.Encode(), nil)
}

// answer returns the parameters of an answer, which came with the requested
// response mode.
func (r *suiteRun) answer(a arrival) url.Values {
	r.Helper()
	if a.page != nil {
		r.Fatalf("the browser didn't get back to the relying party: %s", brief(*a.page))
	}
	require.Equal(r, "/callback", a.path)
	if !r.formPost {
		require.Equal(r, http.MethodGet, a.method)
		return a.query
	}
	require.Equal(r, http.MethodPost, a.method)
	require.Equal(r, formType, a.contentType)
	require.False(r, a.query.Has("code") || a.query.Has("error"), "the answer is in the form, not in the query")
	return a.form
}

// code returns the code of an answer to the request.
func (r *suiteRun) code(asked url.Values, a arrival) string {
	r.Helper()
	answer := r.answer(a)
	require.Empty(r, answer.Get("error"), answer.Get("error_description"))
	require.Equal(r, asked.Get("state"), answer.Get("state"))
	require.Equal(r, []string{r.h.url}, answer["iss"])
	require.NotEmpty(r, answer.Get("code"))
	return answer.Get("code")
}

// failed checks an answer that must be one of the errors.
func (r *suiteRun) failed(asked url.Values, a arrival, codes ...string) {
	r.Helper()
	answer := r.answer(a)
	require.Contains(r, codes, answer.Get("error"), answer.Get("error_description"))
	require.Equal(r, asked.Get("state"), answer.Get("state"))
	require.Equal(r, r.h.url, answer.Get("iss"))
	require.False(r, answer.Has("code"))
	for name := range answer {
		r.warn(slices.Contains([]string{"error", "error_description", "error_uri", "state", "session_state", "iss"}, name), "the error has the parameter "+name)
	}
	r.description(answer.Get("error_description"))
}

func (r *suiteRun) description(text string) {
	r.Helper()
	require.Regexp(r, `^[\x09\x0A\x0D\x20-\x21\x23-\x5B\x5D-\x7E]*$`, text)
	r.warn(!strings.ContainsAny(text, "\r\n\t"), "the error_description has a line break")
}

// token sends a request to the token endpoint, with the client's credentials.
func (r *suiteRun) token(client *relyingClient, pairs ...string) reply {
	r.Helper()
	form, header := params(url.Values{}, pairs...), http.Header{"Content-Type": {formType}}
	if client.byForm {
		form.Set("client_id", client.id)
		form.Set("client_secret", client.secret)
	} else {
		basic := &http.Request{Header: header}
		basic.SetBasicAuth(url.QueryEscape(client.id), url.QueryEscape(client.secret))
	}
	return r.h.program(r, "POST", tokenPath, header, form.Encode())
}

// signedIn has the tokens of a user who has signed in, and the claims of their
// ID token.
type signedIn struct {
	asked      url.Values
	code       string
	tokens     tokens
	raw        string
	header, id map[string]any
}

// redeem redeems a code and checks the whole answer.
func (r *suiteRun) redeem(asked url.Values, code string, pairs ...string) signedIn {
	r.Helper()
	form := append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", r.client.redirectURI}, pairs...)
	s := r.granted(r.token(r.client, form...), asked.Get("nonce"))
	s.asked, s.code = asked, code
	require.Equal(r, http.StatusOK, r.userInfo("GET", s.tokens.Access).StatusCode)
	return s
}

// granted checks an answer of the token endpoint, and the ID token in it.
func (r *suiteRun) granted(answer reply, nonce string) (s signedIn) {
	r.Helper()
	s.tokens = granted(r, answer)
	require.Equal(r, "application/json", answer.Header.Get("Content-Type"))
	require.Contains(r, answer.Header.Get("Cache-Control"), "no-store")
	require.Equal(r, "bearer", strings.ToLower(s.tokens.Type))
	require.Positive(r, s.tokens.ExpiresIn)
	raw, ok := object(r, answer)["id_token"].(string)
	require.True(r, ok, "the ID token is missing: %s", answer.body)
	s.raw = raw
	s.header, s.id = r.idToken(raw, nonce, s.tokens.Access)
	return s
}

// signIn has the user sign in, and redeems the code.
func (r *suiteRun) signIn(pairs ...string) signedIn {
	r.Helper()
	asked := r.request(pairs...)
	return r.redeem(asked, r.code(asked, r.visit(asked)))
}

// keySet returns the public keys, and checks them.
func (r *suiteRun) keySet() *jose.JSONWebKeySet {
	r.Helper()
	uri, ok := r.h.metadata(r)["jwks_uri"].(string)
	require.True(r, ok)
	answer := r.h.program(r, "GET", strings.TrimPrefix(uri, r.h.url), http.Header{}, "")
	require.Equal(r, http.StatusOK, answer.StatusCode)
	var raw struct{ Keys []map[string]any }
	require.NoError(r, json.Unmarshal([]byte(answer.body), &raw))
	require.NotEmpty(r, raw.Keys)
	ids := map[any]bool{}
	for _, key := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			require.NotContains(r, key, private, "it is a part of a private key")
		}
		for _, name := range map[any][]string{"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}[key["kty"]] {
			require.NotEmpty(r, key[name], "%v", key)
		}
		r.warn(slices.Contains([]any{"RSA", "EC", "OKP"}, key["kty"]), "a key has an unknown kty")
		r.warn(slices.Contains([]any{"RS256", "ES256", "EdDSA"}, key["alg"]), "a key has an unknown alg")
		require.Equal(r, "sig", key["use"])
		require.NotEmpty(r, key["kid"])
		require.False(r, ids[key["kid"]], "two keys have the kid %v", key["kid"])
		ids[key["kid"]] = true
	}
	var set jose.JSONWebKeySet
	require.NoError(r, json.Unmarshal([]byte(answer.body), &set))
	require.Len(r, set.Keys, len(raw.Keys))
	for _, key := range set.Keys {
		require.True(r, key.Valid() && key.IsPublic())
	}
	return &set
}

// idToken checks an ID token as the suite does, and again as go-oidc does, with
// the access token that came along. It returns its header and its claims.
func (r *suiteRun) idToken(raw, nonce, access string) (header, claims map[string]any) {
	r.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	require.NoError(r, err)
	require.Len(r, signed.Signatures, 1)
	with := signed.Signatures[0].Header
	found := r.keySet().Key(with.KeyID)
	require.Len(r, found, 1, "one key has the kid %q", with.KeyID)
	require.Equal(r, with.Algorithm, found[0].Algorithm)
	content, err := signed.Verify(found[0])
	require.NoError(r, err)
	require.NoError(r, json.Unmarshal(content, &claims))
	header = map[string]any{"alg": with.Algorithm, "kid": with.KeyID}

	now := r.h.clock.Now()
	require.Equal(r, r.h.url, claims["iss"])
	require.Equal(r, r.client.id, claims["aud"])
	require.NotEmpty(r, claims["sub"])
	require.WithinRange(r, instant(r, claims, "exp"), now, now.AddDate(50, 0, 0))
	require.WithinRange(r, instant(r, claims, "iat"), now.Add(-skew), now.Add(skew))
	if claims["auth_time"] != nil {
		require.WithinRange(r, instant(r, claims, "auth_time"), now.AddDate(-1, 0, 0), now.Add(skew))
	}
	if claims["acr"] != nil {
		require.NotEmpty(r, claims["acr"])
	}
	if nonce == "" {
		require.NotContains(r, claims, "nonce")
	} else {
		require.Equal(r, nonce, claims["nonce"])
	}
	r.standardClaims(claims)

	op, err := r.h.discovered()
	require.NoError(r, err)
	verified, err := op.Verifier(&oidc.Config{ClientID: r.client.id, Now: r.h.clock.Now}).Verify(r.h.context(), raw)
	require.NoError(r, err)
	require.Equal(r, nonce, verified.Nonce)
	require.Equal(r, claims["sub"], verified.Subject)
	require.NoError(r, verified.VerifyAccessToken(access))
	return header, claims
}

func instant(t require.TestingT, claims map[string]any, name string) time.Time {
	seconds, ok := claims[name].(float64)
	require.True(t, ok, "%s is %v", name, claims[name])
	require.InDelta(t, math.Trunc(seconds), seconds, 0)
	return time.Unix(int64(seconds), 0)
}

// Claims of section 5.1 of OpenID Connect Core, by the scope that asks for them.
var scopeClaims = map[string][]string{
	"openid": {"sub"},
	"profile": {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
		"birthdate", "zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

var birthdate = regexp.MustCompile(`^(\d{4}|\d{4}-\d\d-\d\d)$`)

// standardClaims checks the types of the claims of section 5.1.
func (r *suiteRun) standardClaims(claims map[string]any) {
	r.Helper()
	text := func(name string, value any) {
		s, ok := value.(string)
		require.True(r, ok && strings.TrimSpace(s) != "" && !strings.EqualFold(s, "null"), "%s is %#v", name, value)
	}
	for _, names := range scopeClaims {
		for _, name := range names {
			value, there := claims[name]
			switch {
			case !there:
			case name == "email_verified" || name == "phone_number_verified":
				require.IsType(r, true, value, name)
			case name == "updated_at":
				require.WithinRange(r, instant(r, claims, name), time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), r.h.clock.Now().Add(skew))
			case name == "birthdate":
				require.Regexp(r, birthdate, value)
			case name == "address":
				require.IsType(r, map[string]any{}, value)
				for part, value := range value.(map[string]any) {
					require.Contains(r, []string{"formatted", "street_address", "locality", "region", "postal_code", "country"}, part)
					text(part, value)
				}
			default:
				text(name, value)
			}
		}
	}
}

func (r *suiteRun) userInfo(method, access string) reply {
	r.Helper()
	return r.h.program(r, method, userInfoPath, http.Header{"Authorization": {"Bearer " + access}}, "")
}

// described checks the userinfo document of the user of the ID token.
func (r *suiteRun) described(s signedIn, answer reply) map[string]any {
	r.Helper()
	require.Equal(r, http.StatusOK, answer.StatusCode, answer.body)
	require.Regexp(r, `^application/json(;|$)`, answer.Header.Get("Content-Type"))
	document := object(r, answer)
	require.NotEmpty(r, document["sub"])
	require.Equal(r, s.id["sub"], document["sub"])
	r.standardClaims(document)
	for _, scope := range strings.Fields(s.asked.Get("scope")) {
		for _, name := range scopeClaims[scope] {
			_, there := document[name]
			r.warn(there, "the userinfo document lacks "+name)
		}
	}
	return document
}

// without warns about claims that were not requested there.
func (r *suiteRun) without(place string, claims map[string]any, names ...string) {
	for _, name := range names {
		_, there := claims[name]
		r.warn(!there, place+" has "+name)
	}
}

// entropy is Shannon's entropy.
func entropy(s string) float64 {
	count := map[rune]float64{}
	for _, c := range s {
		count[c]++
	}
	bits, n := 0.0, float64(len(s))
	for _, k := range count {
		bits -= k * math.Log2(k/n)
	}
	return bits
}

// hardToGuess checks a credential.
func (r *suiteRun) hardToGuess(credential string) {
	r.Helper()
	require.GreaterOrEqual(r, len(credential)*8, 128)
	require.Greater(r, entropy(credential), 96.0)
	require.Regexp(r, `^[\x20-\x7E]+$`, credential)
}
