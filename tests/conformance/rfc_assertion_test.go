package conformance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	signing "github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// withKeys turns on keys of clients.
func withKeys(t testing.TB) func(*provider.Config) {
	return func(c *provider.Config) {
		var err error
		c.Keys, err = signing.New(t.Context(), signing.Options{Store: c.Store, Secrets: []string{strings.Repeat("sealed ", 6)}, Now: c.Now})
		require.NoError(t, err)
	}
}

// A signer is a key of a client.
type signer struct {
	key     crypto.Signer
	kid     string
	alg     jose.SignatureAlgorithm
	members map[string]any // additional members of the header
}

func newSigner(alg jose.SignatureAlgorithm, kid string) *signer {
	s := &signer{kid: kid, alg: alg}
	var err error
	switch alg[:2] {
	case "RS", "PS":
		s.key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES":
		s.key, err = ecdsa.GenerateKey(map[jose.SignatureAlgorithm]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg], rand.Reader)
	default:
		_, s.key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	return s
}

// keySet returns the JWK Set with the public keys of signers.
func keySet(signers ...*signer) string {
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.key.Public(), KeyID: s.kid, Algorithm: string(s.alg), Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// sign returns the claims as a signed JWT.
func (s *signer) sign(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range s.members {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	one, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid}}, options)
	if err != nil {
		panic(err)
	}
	signed, err := one.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// keyed is a client that signs.
type keyed struct {
	*client
	*signer
}

func (h *host) keyed(t testing.TB, alg jose.SignatureAlgorithm) *keyed {
	t.Helper()
	s := newSigner(alg, "1")
	return &keyed{h.register(t, provider.ApplicationSettings{Scopes: strings.Fields(allOf), Keys: provider.ApplicationKeys{Set: keySet(s)}}, callback), s}
}

// claims returns those of a good assertion, changed. A claim that is omit is
// left out.
func (k *keyed) claims(pairs ...any) map[string]any {
	now := k.h.clock.Now().Unix()
	claims := map[string]any{"iss": k.ClientID, "sub": k.ClientID, "aud": k.h.url, "jti": rand.Text(), "iat": now, "exp": now + 60}
	for i := 0; i < len(pairs); i += 2 {
		claims[pairs[i].(string)] = pairs[i+1]
		if pairs[i+1] == omit {
			delete(claims, pairs[i].(string))
		}
	}
	return claims
}

// with returns a form with an assertion. Only the assertion names the client.
func with(assertion string, pairs ...string) url.Values {
	return params(url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion}}, pairs...)
}

// asks uses an assertion for a request without effect, and reports whether it
// was accepted.
func (k *keyed) asks(t require.TestingT, assertion string) bool {
	r := k.h.send(t, introspectPath, with(assertion, "token", "x"))
	require.Contains(t, []int{200, 401}, r.StatusCode, brief(r))
	return r.StatusCode == 200
}

func (k *keyed) redeems(t testing.TB, code string) tokens {
	t.Helper()
	return granted(t, k.h.send(t, tokenPath, with(k.sign(k.claims()), "grant_type", "authorization_code", "code", code, "redirect_uri", callback)))
}

// RFC 7521 section 4.2, RFC 7523 sections 2.2 and 3, OpenID Connect Core
// section 9: a client may sign with its key at each endpoint where it
// authenticates. The client_id in the body may be left out. The audience is the
// issuer, the token endpoint, or the endpoint itself.
func TestAssertionAuthenticates(t *testing.T) {
	h := newHostWith(t, withKeys(t), func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} })
	for _, alg := range []jose.SignatureAlgorithm{"RS256", "PS256", "RS512", "ES256", "ES384", "ES512", "EdDSA"} {
		k := h.keyed(t, alg)
		require.Empty(t, k.secret)
		got := k.redeems(t, k.code(t))
		got = granted(t, h.send(t, tokenPath, with(k.sign(k.claims("aud", h.url+tokenPath)), "grant_type", "refresh_token", "refresh_token", got.Refresh, "client_id", k.ClientID)))
		for _, aud := range []any{h.url + introspectPath, []string{h.url}, h.url + tokenPath} {
			r := h.send(t, introspectPath, with(k.sign(k.claims("aud", aud)), "token", got.Access))
			require.Equal(t, true, object(t, r)["active"], brief(r))
		}
		for _, aud := range []string{h.url, h.url + tokenPath, h.url + revokePath} {
			require.Equal(t, 200, h.send(t, revokePath, with(k.sign(k.claims("aud", aud)), "token", got.Access)).StatusCode)
		}
		require.False(t, h.works(t, got.Access))
		r := h.send(t, deviceAuthorizationPath, with(k.sign(k.claims("aud", h.url+deviceAuthorizationPath))))
		require.Equal(t, 200, r.StatusCode, brief(r))
		r = h.send(t, tokenPath, with(k.sign(k.claims()), "grant_type", deviceGrant, "device_code", object(t, r)["device_code"].(string)))
		refused(t, r, 400, "authorization_pending")
	}
}

// RFC 7523 section 3, OpenID Connect Core section 9: the values that claims
// must have. A refusal spends nothing, and doesn't say which claim was wrong
// (RFC 7521 section 4.2.1, RFC 6749 section 5.2).
func TestAssertionClaims(t *testing.T) {
	h := newHostWith(t, withKeys(t))
	k := h.keyed(t, "ES256")
	other := h.keyed(t, "ES256")
	got := k.redeems(t, k.code(t))
	now := h.clock.Now().Unix()
	for name, claims := range map[string][]any{
		"no iss":              {"iss", omit},
		"no sub":              {"sub", omit},
		"another iss":         {"iss", "https://wiki.example.com"},
		"another sub":         {"sub", other.ClientID},
		"another client":      {"iss", other.ClientID, "sub", other.ClientID},
		"nobody":              {"iss", "nobody", "sub", "nobody"},
		"iss in capitals":     {"iss", omit, "ISS", k.ClientID},
		"iss a list":          {"iss", []string{k.ClientID}},
		"no aud":              {"aud", omit},
		"another aud":         {"aud", "https://other.example.com"},
		"two audiences":       {"aud", []string{h.url, "https://other.example.com"}},
		"two of this server":  {"aud", []string{h.url, h.url + tokenPath}},
		"the same twice":      {"aud", []string{h.url, h.url}},
		"no audience in it":   {"aud", []string{}},
		"aud with a slash":    {"aud", h.url + "/"},
		"aud of another use":  {"aud", h.url + revokePath},
		"aud an empty text":   {"aud", ""},
		"aud a number":        {"aud", 5},
		"aud null":            {"aud", nil},
		"no exp":              {"exp", omit},
		"exp is past":         {"exp", now - 61},
		"exp is far ahead":    {"exp", now + 3600 + 120},
		"exp in milliseconds": {"exp", now * 1000},
		"exp is infinite":     {"exp", 1e300},
		"exp is negative":     {"exp", -1},
		"exp a text":          {"exp", fmt.Sprint(now + 60)},
		"iat in the future":   {"iat", now + 120},
		"iat is old":          {"iat", now - 2*3600},
		"iat a text":          {"iat", "now"},
		"nbf in the future":   {"nbf", now + 120},
		"no jti":              {"jti", omit},
		"jti is empty":        {"jti", ""},
		"jti is long":         {"jti", strings.Repeat("a", 257)},
		"jti a number":        {"jti", 5},
	} {
		assertion := k.sign(k.claims(claims...))
		r := h.send(t, tokenPath, with(assertion, "grant_type", "refresh_token", "refresh_token", got.Refresh))
		require.Equal(t, 401, r.StatusCode, name)
		refused(t, r, 401, "invalid_client")
		require.Equal(t, "Client authentication failed: the client is unknown, or its client_assertion is not accepted.", object(t, r)["error_description"], name)
	}
	for name, claims := range map[string][]any{
		"a clock that is a little late":  {"exp", now - 59},
		"a clock that is a little early": {"iat", now + 59, "nbf", now + 59},
		"no iat":                         {"iat", omit},
		"an hour":                        {"exp", now + 3600},
		"an hour ago":                    {"iat", now - 3600, "nbf", now - 3600},
		"parts of seconds":               {"exp", float64(now) + 60.5},
		"more claims":                    {"azp", k.ClientID, "unheard_of", []any{nil}},
	} {
		require.True(t, k.asks(t, k.sign(k.claims(claims...))), name)
	}
	granted(t, h.send(t, tokenPath, with(k.sign(k.claims()), "grant_type", "refresh_token", "refresh_token", got.Refresh)))
}

// RFC 7523 section 3, RFC 7515 section 10, RFC 8725 sections 3.1 and 3.2: the
// algorithm is that of the client's key, and the key is one of the client's.
func TestAssertionSignature(t *testing.T) {
	h := newHostWith(t, withKeys(t))
	k, other := h.keyed(t, "RS256"), newSigner("RS256", "1")
	claims := k.claims()
	good := k.sign(claims)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	encode := base64.RawURLEncoding.EncodeToString
	plain := func(header string) string { return encode([]byte(header)) + "." + payload }
	public, err := x509.MarshalPKIXPublicKey(k.key.Public())
	require.NoError(t, err)
	hs256 := func(secret []byte) string {
		text := plain(`{"alg":"HS256","kid":"1","typ":"JWT"}`)
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return text + "." + encode(mac.Sum(nil))
	}
	jwk := jose.JSONWebKey{Key: other.key.Public(), KeyID: "1", Algorithm: "RS256"}
	signedWith := func(s signer) string { return s.sign(k.claims()) }
	for name, assertion := range map[string]string{
		"none":                      plain(`{"alg":"none"}`) + ".",
		"None":                      plain(`{"alg":"None","kid":"1"}`) + "." + signature,
		"no alg":                    plain(`{"kid":"1"}`) + "." + signature,
		"HS256 with the public key": hs256(public),
		"HS256 with it as PEM":      hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"HS256 with the set":        hs256([]byte(keySet(k.signer))),
		"another key":               signedWith(signer{key: other.key, kid: "1", alg: "RS256"}),
		"another kid":               signedWith(signer{key: k.key, kid: "2", alg: "RS256"}),
		"an embedded jwk":           signedWith(signer{key: other.key, kid: "1", alg: "RS256", members: map[string]any{"jwk": jwk}}),
		"a jku":                     signedWith(signer{key: other.key, kid: "1", alg: "RS256", members: map[string]any{"jku": "https://evil.example/jwks"}}),
		"crit":                      signedWith(signer{key: k.key, kid: "1", alg: "RS256", members: map[string]any{"crit": []string{"x"}, "x": 1}}),
		"another algorithm":         signedWith(signer{key: k.key, kid: "1", alg: "PS256"}),
		"the typ of a token":        signedWith(signer{key: k.key, kid: "1", alg: "RS256", members: map[string]any{"typ": "at+jwt"}}),
		"a changed payload":         header + "." + encode([]byte(strings.ReplaceAll(`{"iss":"x","sub":"x"}`, "x", k.ClientID))) + "." + signature,
		"no signature":              header + "." + payload + ".",
		"two parts":                 header + "." + payload,
		"four parts":                good + ".x",
		"padding":                   header + "." + payload + "=." + signature,
		"no JWT":                    "x",
		"huge":                      header + "." + encode([]byte(`{"iss":"`+k.ClientID+`","sub":"`+k.ClientID+`","x":"`+strings.Repeat("a", 5500)+`"}`)) + "." + signature,
		"a huge header":             plain(`{"alg":"RS256","kid":"1","x":"`+strings.Repeat("a", 5000)+`"}`) + "." + signature,
		"deep":                      header + "." + encode([]byte(strings.Repeat("[", 5000))) + "." + signature,
	} {
		require.False(t, k.asks(t, assertion), name)
	}
	r := h.send(t, introspectPath, with(strings.Repeat("a", 8193), "token", "x"))
	refused(t, r, 400, "invalid_request")
	require.True(t, k.asks(t, good), "a refused assertion doesn't use up its jti")
}

// RFC 7523 section 3, OpenID Connect Core section 9: a jti works once for its
// client, on every instance, for as long as the assertion is valid.
func TestAssertionWorksOnce(t *testing.T) {
	shared := memory.New()
	own := func(c *provider.Config) { c.Store = shared }
	h := newHostWith(t, own, withKeys(t))
	k, other := h.keyed(t, "ES256"), h.keyed(t, "ES256")
	assertion := k.sign(k.claims("jti", "1", "exp", h.clock.Now().Unix()+3600))
	require.True(t, k.asks(t, assertion))
	for range 3 {
		require.False(t, k.asks(t, assertion))
		require.False(t, k.asks(t, k.sign(k.claims("jti", "1"))), "another assertion with its jti")
		h.clock.Add(20 * time.Minute)
		_, err := h.Cleanup(t.Context())
		require.NoError(t, err)
	}
	require.False(t, k.asks(t, assertion), "a minute is tolerated")
	require.True(t, other.asks(t, other.sign(other.claims("jti", "1"))), "a jti is the client's own")

	// On two instances at once.
	issuer := func(c *provider.Config) { c.Issuer, c.Now = h.url, h.clock.Now }
	second := newHostWith(t, own, issuer, withKeys(t))
	for range 20 {
		assertion := k.sign(k.claims())
		var all sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for i := range 16 {
			all.Go(func() {
				at := *k.client
				at.h = []*host{h, second}[i%2]
				if (&keyed{&at, k.signer}).asks(fatal{}, assertion) {
					mu.Lock()
					good++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		require.Equal(t, 1, good)
	}
}

// RFC 6749 section 2.3, RFC 7521 sections 4.2 and 4.2.1: a request
// authenticates in one way, the client's.
func TestAssertionAndOtherCredentials(t *testing.T) {
	h := newHostWith(t, withKeys(t))
	k, confidential, public := h.keyed(t, "ES256"), h.confidential(), h.public()
	fresh := func(pairs ...string) url.Values {
		return with(k.sign(k.claims()), append([]string{"token", "x"}, pairs...)...)
	}
	basic := func(id, secret string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
	}
	for name, tt := range map[string]struct {
		form   url.Values
		header []string
		status int
		code   string
	}{
		"with a secret":          {fresh("client_secret", "x"), nil, 400, "invalid_request"},
		"with Basic":             {fresh(), basic(k.ClientID, "x"), 400, "invalid_request"},
		"with an empty Basic":    {fresh(), basic(k.ClientID, ""), 400, "invalid_request"},
		"without its type":       {fresh("client_assertion_type", omit), nil, 400, "invalid_request"},
		"the type alone":         {fresh("client_assertion", omit), nil, 400, "invalid_request"},
		"another type":           {fresh("client_assertion_type", strings.Replace(assertionType, "jwt", "saml2", 1)), nil, 401, "invalid_client"},
		"another client_id":      {fresh("client_id", confidential.ClientID), nil, 401, "invalid_client"},
		"its client_id alone":    {params(url.Values{"token": {"x"}}, "client_id", k.ClientID), nil, 401, "invalid_client"},
		"a secret in its place":  {params(url.Values{"token": {"x"}}, "client_id", k.ClientID, "client_secret", "x"), nil, 401, "invalid_client"},
		"Basic in its place":     {url.Values{"token": {"x"}}, basic(k.ClientID, "x"), 401, "invalid_client"},
		"a client with a secret": {with(k.sign(k.claims("iss", confidential.ClientID, "sub", confidential.ClientID)), "token", "x"), nil, 401, "invalid_client"},
		"a public client":        {with(k.sign(k.claims("iss", public.ClientID, "sub", public.ClientID)), "token", "x"), nil, 401, "invalid_client"},
	} {
		for _, path := range []string{introspectPath, revokePath} {
			r := h.send(t, path, tt.form, tt.header...)
			require.Equal(t, tt.status, r.StatusCode, name+": "+brief(r))
			refused(t, r, tt.status, tt.code)
		}
	}
	r := h.sendRaw(t, introspectPath, fresh().Encode()+"&client_assertion=x")
	refused(t, r, 400, "invalid_request")
	require.Equal(t, 200, h.send(t, introspectPath, fresh("client_secret", "")).StatusCode, "an empty one counts as missing")
	require.Equal(t, 200, h.send(t, introspectPath, fresh("client_id", k.ClientID)).StatusCode)
}

// RFC 8414 section 2, OpenID Connect Discovery section 3: the metadata says
// that clients may sign, and with which algorithms, but only if they may.
func TestAssertionMetadata(t *testing.T) {
	read := func(h *host) map[string]any { return object(t, h.do(t, "GET", metadataPath, nil, "")) }
	on, off := read(newHostWith(t, withKeys(t))), read(newHost(t))
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		methods, algs := endpoint+"_endpoint_auth_methods_supported", endpoint+"_endpoint_auth_signing_alg_values_supported"
		require.Equal(t, append(off[methods].([]any), "private_key_jwt"), on[methods])
		require.Subset(t, on[algs], []any{"RS256", "ES256", "EdDSA"})
		require.NotContains(t, off, algs)
		delete(on, methods)
		delete(on, algs)
		delete(off, methods)
	}
	delete(on, "issuer")
	delete(off, "issuer")
	require.ElementsMatch(t, slices.Collect(maps.Keys(off)), slices.Collect(maps.Keys(on)))
}

// RFC 7591 section 2, RFC 7592 section 2.2: a client registers its keys, or
// their URL. It gets a secret only if it uses one.
func TestRegisterKeys(t *testing.T) {
	h := newHostWith(t, withKeys(t), func(c *provider.Config) { c.Registration = &provider.Registration{} })
	s := newSigner("ES256", "1")
	var set map[string]any
	require.NoError(t, json.Unmarshal([]byte(keySet(s)), &set))
	private := map[string]any{"keys": []any{jose.JSONWebKey{Key: s.key, KeyID: "1"}}}
	secretPart := base64.RawURLEncoding.EncodeToString(s.key.(*ecdsa.PrivateKey).D.Bytes())
	body := func(pairs ...any) string {
		return metadata(append([]any{"redirect_uris", []string{callback}, "token_endpoint_auth_method", "private_key_jwt"}, pairs...)...)
	}
	c := h.registers(t, h.asksToRegister(t, body("jwks", set, "token_endpoint_auth_signing_alg", "ES256", "id_token_signed_response_alg", "ES256")))
	require.Equal(t, "private_key_jwt", c.information["token_endpoint_auth_method"])
	require.Equal(t, set, c.information["jwks"])
	require.Equal(t, "ES256", c.information["id_token_signed_response_alg"])
	require.NotContains(t, c.information, "client_secret")
	require.NotContains(t, c.information, "client_secret_expires_at")
	app, err := h.FindClient(t.Context(), c.id)
	require.NoError(t, err)
	k := &keyed{&client{Application: app, h: h}, s}
	got := granted(t, h.send(t, tokenPath, with(k.sign(k.claims()), "grant_type", "authorization_code",
		"code", k.code(t, "code_challenge", challenge, "code_challenge_method", "S256"), "redirect_uri", callback, "code_verifier", verifier)))
	require.True(t, h.works(t, got.Access))

	for name, tt := range map[string]struct{ body, code string }{
		"no keys":           {body(), "invalid_client_metadata"},
		"an empty set":      {body("jwks", map[string]any{"keys": []any{}}), "invalid_client_metadata"},
		"a private key":     {body("jwks", private), "invalid_client_metadata"},
		"jwks a text":       {body("jwks", "x"), "invalid_client_metadata"},
		"a jwks_uri inside": {body("jwks_uri", "https://127.0.0.1/jwks"), "invalid_client_metadata"},
		"a plain jwks_uri":  {body("jwks_uri", "http://wiki.example.com/jwks"), "invalid_client_metadata"},
		"a large set":       {body("jwks", map[string]any{"keys": set["keys"], "x": strings.Repeat("x", 16<<10)}), "invalid_client_metadata"},
	} {
		r := h.asksToRegister(t, tt.body)
		require.Equal(t, 400, r.StatusCode, name)
		refused(t, r, 400, tt.code)
		require.NotContains(t, r.body, secretPart, name)
	}
	for name, tt := range map[string]struct{ body, method string }{
		"it needs no key":     {metadata("redirect_uris", []string{callback}, "token_endpoint_auth_method", "none", "jwks", set), "none"},
		"it prefers a secret": {body("token_endpoint_auth_methods_supported", []string{"none", "private_key_jwt"}, "jwks", set), "private_key_jwt"},
		"it has none":         {body("token_endpoint_auth_methods_supported", []string{"none", "private_key_jwt"}), "none"},
		"the URL of its keys": {body("jwks_uri", "https://wiki.example.com/jwks"), "private_key_jwt"},
		"both":                {body("jwks", set, "jwks_uri", "https://wiki.example.com/jwks"), "private_key_jwt"},
		"another ID token":    {body("jwks", set, "id_token_signed_response_alg", "none"), "private_key_jwt"},
	} {
		c := h.registers(t, h.asksToRegister(t, tt.body))
		require.Equal(t, tt.method, c.information["token_endpoint_auth_method"], name)
		require.Empty(t, c.secret, name)
		require.False(t, c.information["jwks"] != nil && c.information["jwks_uri"] != nil, name)
		require.NotContains(t, c.information, "id_token_signed_response_alg", name)
	}

	// From keys to a secret, and back.
	replaced := func(pairs ...any) map[string]any {
		r := h.do(t, "PUT", c.path, http.Header{"Content-Type": {jsonType}, "Authorization": {"Bearer " + c.token}},
			metadata(append([]any{"client_id", c.id, "redirect_uris", []string{callback}}, pairs...)...))
		require.Equal(t, 200, r.StatusCode, brief(r))
		return object(t, r)
	}
	now := replaced("token_endpoint_auth_method", "client_secret_post")
	require.NotEmpty(t, now["client_secret"])
	require.NotContains(t, now, "jwks")
	require.False(t, k.asks(t, k.sign(k.claims())))
	require.Equal(t, 200, h.send(t, introspectPath, url.Values{"token": {"x"}, "client_id": {c.id}, "client_secret": {now["client_secret"].(string)}}).StatusCode)
	require.NotContains(t, replaced("token_endpoint_auth_method", "private_key_jwt", "jwks", set), "client_secret")
	require.True(t, k.asks(t, k.sign(k.claims())))
	refused(t, h.send(t, introspectPath, url.Values{"token": {"x"}, "client_id": {c.id}, "client_secret": {now["client_secret"].(string)}}), 401, "invalid_client")
}

// draft-ietf-oauth-client-id-metadata-document-02 section 4: a client that is
// known by a document and only signs may authenticate with the keys that the
// document has now.
func TestDocumentWithKeys(t *testing.T) {
	for _, atURI := range []bool{false, true} {
		d := newDocumented(t, withKeys(t))
		first, second := newSigner("ES256", "1"), newSigner("ES256", "2")
		document := func(signers ...*signer) {
			var set any
			require.NoError(t, json.Unmarshal([]byte(keySet(signers...)), &set))
			members := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": set}
			if atURI {
				delete(members, "jwks")
				members["jwks_uri"] = "https://client.example.com/oauth/jwks.json"
			}
			d.publish(members)
			client := d.serve
			d.serve = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/oauth/jwks.json" {
					client(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/jwk-set+json")
				json.NewEncoder(w).Encode(set)
			}
		}
		document(first)
		k := &keyed{d.client, first}
		code := k.code(t)
		r := d.h.send(t, tokenPath, params(d.redemption(code), "client_secret", omit))
		refused(t, r, 401, "invalid_client") // Knowing its client_id is not enough.
		got := granted(t, d.h.send(t, tokenPath, with(k.sign(k.claims()), "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)))
		require.True(t, d.h.works(t, got.Access))
		kept, _, err := d.h.ListApplications(t.Context(), store.ApplicationQuery{Origin: store.OriginDocument})
		require.NoError(t, err)
		require.Len(t, kept, 1)
		require.False(t, kept[0].Public || kept[0].Reviewed)
		require.True(t, kept[0].PKCERequired)

		// The client changes its key. The new key works at once if the document was
		// last fetched a minute ago, and the old one only until the document expires.
		document(second)
		next := &keyed{d.client, second}
		require.False(t, next.asks(t, next.sign(next.claims())))
		d.h.clock.Add(time.Minute)
		require.True(t, next.asks(t, next.sign(next.claims())))
		require.False(t, k.asks(t, k.sign(k.claims())))

		// A client that also works without a key doesn't need one, and may use it.
		d.h.clock.Add(time.Hour)
		d.publish(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.example.com/oauth/jwks.json",
			"token_endpoint_auth_methods_supported": []string{"none", "private_key_jwt"}})
		public := *d.client
		public.Public = true
		got = granted(t, d.h.send(t, tokenPath, public.redemption(public.code(t))))
		granted(t, d.h.send(t, tokenPath, with(next.sign(next.claims()), "grant_type", "refresh_token", "refresh_token", got.Refresh)))
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 section 4: a client that only
// signs needs keys that can sign.
func TestDocumentWithoutKeys(t *testing.T) {
	for _, keys := range []map[string]any{{}, {"jwks": map[string]any{"keys": []any{}}}, {"jwks_uri": "http://client.example.com/jwks"}, {"jwks": "x"}} {
		d := newDocumented(t, withKeys(t))
		keys["token_endpoint_auth_method"] = "private_key_jwt"
		d.publish(keys)
		r := d.h.visit(t, d.request().Encode())
		onPage(t, r)
		require.Contains(t, brief(r), "jwks")
	}
}
