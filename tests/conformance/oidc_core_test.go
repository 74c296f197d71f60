package conformance

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	signing "github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
)

// What OpenID Connect requires and the plans of the suite don't check.

func newSuiteRun(t *testing.T, h *openIDHost) *suiteRun {
	return &suiteRun{T: t, h: h, browser: h.browser(t), client: h.first}
}

// OpenID Connect Core section 3.1.2.5: the query of the redirect URI is
// retained, with every way of answering.
func TestOpenIDRedirectURIKeepsItsQuery(t *testing.T) {
	h := newOpenIDHost(t)
	uri := h.relying.url + "/callback?dummy1=lorem&dummy2=ipsum"
	app, secret, err := h.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{uri}})
	require.NoError(t, err)
	for _, formPost := range []bool{false, true} {
		r := newSuiteRun(t, h)
		r.formPost, r.client = formPost, &relyingClient{id: app.ClientID, secret: secret.Reveal(), redirectURI: uri}
		for _, asked := range []url.Values{r.request(), r.request("scope", "unheard-of"), r.request("prompt", "none login")} {
			a := r.visit(asked)
			answer := r.answer(a)
			require.Equal(t, "lorem", a.query.Get("dummy1"))
			require.Equal(t, "ipsum", a.query.Get("dummy2"))
			require.Equal(t, asked.Get("state"), answer.Get("state"))
			if answer.Has("code") {
				r.redeem(asked, answer.Get("code"))
			}
		}
	}
}

// Core section 3.1.2.1, max_age: how old a sign-in may be, and 0 is always too
// old. Section 3.1.2.6: with prompt=none, too old means login_required.
func TestOpenIDMaxAge(t *testing.T) {
	h := newOpenIDHost(t)
	r := newSuiteRun(t, h)
	r.signIn()
	for _, tt := range []struct {
		after  time.Duration
		maxAge string
		again  bool
	}{
		{time.Second, "0", true}, {time.Second, "1", false}, {59 * time.Second, "60", false}, {2 * time.Second, "60", true},
		{time.Hour, "2147483647", false},
	} {
		h.clock.Add(tt.after)
		before := r.browser.signIns
		if tt.again {
			asked := r.request("max_age", tt.maxAge, "prompt", "none")
			r.failed(asked, r.visit(asked), "login_required")
		}
		s := r.signIn("max_age", tt.maxAge)
		require.Equal(t, tt.again, r.browser.signIns > before, "max_age=%s", tt.maxAge)
		if tt.again {
			require.Equal(t, h.clock.Now().Unix(), instant(t, s.id, "auth_time").Unix())
		}
	}
	for _, bad := range []string{"-1", "1.5", "soon", "99999999999999999999", "+1", "0x10"} {
		asked := r.request("max_age", bad)
		r.failed(asked, r.visit(asked), "invalid_request")
	}
}

// A user who comes back from the sign-in page without signing in again isn't
// sent there endlessly, and the client is told.
func TestOpenIDSignInThatIsNotFresh(t *testing.T) {
	h := newOpenIDHost(t)
	for _, wish := range [][]string{{"max_age", "60"}, {"prompt", "login"}} {
		r := newSuiteRun(t, h)
		r.signIn()
		h.clock.Add(time.Hour)
		r.browser.comesBack = true
		asked := r.request(wish...)
		r.failed(asked, r.visit(asked), "login_required")
		require.Equal(t, 2, r.browser.signIns)
	}
}

// Core sections 3.1.2.1 and 3.1.2.3: an id_token_hint, or a requested sub, says
// who must be signed in. A hint may have expired, and may belong to another
// client.
func TestOpenIDHintOfAnother(t *testing.T) {
	h := newOpenIDHost(t)
	ada, grace := newSuiteRun(t, h), newSuiteRun(t, h)
	grace.browser.user = "user_grace"
	hint := ada.signIn().raw
	grace.signIn()
	h.clock.Add(25 * time.Hour)
	for _, wish := range [][]string{{"id_token_hint", hint}, {"claims", `{"id_token":{"sub":{"value":"user_ada"}}}`}} {
		s := ada.again(signedIn{id: ada.signIn().id}, append(wish, "prompt", "none")...)
		require.Equal(t, "user_ada", s.id["sub"])

		asked := grace.request(append(wish, "prompt", "none")...)
		grace.failed(asked, grace.visit(asked), "login_required")

		signIns := grace.browser.signIns
		asked = grace.request(wish...)
		grace.failed(asked, grace.visit(asked), "login_required")
		require.Equal(t, signIns+1, grace.browser.signIns, "they may take another account, once")

		asked = grace.request(wish...)
		grace.browser.user = "user_ada"
		require.Equal(t, "user_ada", grace.redeem(asked, grace.code(asked, grace.visit(asked))).id["sub"])
		grace.browser = h.browser(t)
		grace.browser.user = "user_grace"
		grace.signIn()
	}
	asked := ada.request("id_token_hint", hint, "claims", `{"id_token":{"sub":{"value":"user_grace"}}}`)
	ada.failed(asked, ada.visit(asked), "invalid_request")
}

// Core section 5.5: claims are requested one by one. An unavailable one is left
// out, except an acr that is essential (section 5.5.1.1).
func TestOpenIDClaimsParameter(t *testing.T) {
	h := newOpenIDHost(t)
	r := newSuiteRun(t, h)
	s := r.signIn("claims", `{"id_token":{"email":null,"auth_time":{"essential":true},"https://example.com/unknown":{"value":"x"},"acr":{"values":["no such"]}},`+
		`"userinfo":{"phone_number":{"essential":true},"email":{"value":"another@example.com"}},"unknown":1}`)
	require.Equal(t, "ada@example.com", s.id["email"])
	require.Contains(t, s.id, "auth_time")
	document := object(t, r.userInfo("GET", s.tokens.Access))
	require.Equal(t, "+44 20 7946 0000", document["phone_number"])
	require.NotContains(t, document, "name")

	require.Equal(t, contextClasses[0], r.signIn("claims", `{"id_token":{"acr":{"essential":true,"values":["urn:example:two-factor","urn:example:password"]}}}`).id["acr"])
	for _, wish := range []string{
		`{"id_token":{"acr":{"essential":true,"values":["urn:example:two-factor"]}}}`, `{"id_token":{"acr":{"essential":true,"value":"urn:example:two-factor"}}}`,
	} {
		for _, prompt := range []string{"none", omit} {
			asked := r.request("claims", wish, "prompt", prompt)
			r.failed(asked, r.visit(asked), "unmet_authentication_requirements")
		}
	}
	for _, bad := range []string{`x`, `[]`, `"name"`, `{"userinfo":[]}`, `{"userinfo":{"name":true}}`, `{"id_token":{"sub":{"values":["a","b"]}}}`, `{} {}`, `{`} {
		asked := r.request("claims", bad)
		r.failed(asked, r.visit(asked), "invalid_request")
	}

	// An application doesn't get claims this way that it may not get by scopes.
	app, secret, err := h.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Shy", RedirectURIs: []string{r.client.redirectURI}, Scopes: scopes.New(scopes.Email),
	})
	require.NoError(t, err)
	r.client = &relyingClient{id: app.ClientID, secret: secret.Reveal(), redirectURI: r.client.redirectURI}
	s = r.signIn("claims", `{"userinfo":{"name":{"essential":true},"email":null}}`)
	document = object(t, r.userInfo("GET", s.tokens.Access))
	require.NotContains(t, document, "name")
	require.Equal(t, "ada@example.com", document["email"])
}

// Core section 3.1.2.1, prompt. An unknown value is ignored.
func TestOpenIDPrompt(t *testing.T) {
	h := newOpenIDHost(t)
	r := newSuiteRun(t, h)
	first := r.signIn()
	r.again(first, "prompt", "none")
	r.again(first, "prompt", "create")

	asked := r.request("prompt", "none consent")
	r.failed(asked, r.visit(asked), "invalid_request")
	signIns, agreed := r.browser.signIns, r.browser.asked
	r.signIn("prompt", "consent")
	require.Equal(t, []int{signIns, agreed + 1}, []int{r.browser.signIns, r.browser.asked})
	r.signIn("prompt", "select_account")
	require.Equal(t, signIns+1, r.browser.signIns)
	r.signIn("prompt", "login consent")
	require.Equal(t, []int{signIns + 2, agreed + 2}, []int{r.browser.signIns, r.browser.asked})

	r.client = h.second // not allowed by the user yet
	asked = r.request("prompt", "none")
	r.failed(asked, r.visit(asked), "consent_required")
}

// Core section 3.1.2.6, with each response mode.
func TestOpenIDRefusalsByFormPost(t *testing.T) {
	h := newOpenIDHost(t)
	r := newSuiteRun(t, h)
	r.formPost = true
	r.signIn()
	for code, wish := range map[string][]string{
		"request_not_supported": {"request", "x"}, "request_uri_not_supported": {"request_uri", "https://wiki.example.com/x"},
		"registration_not_supported": {"registration", "{}"}, "invalid_request": {"max_age", "x"}, "unsupported_response_type": {"response_type", "code id_token"},
		"invalid_scope": {"scope", "openid unheard-of"},
	} {
		asked := r.request(wish...)
		r.failed(asked, r.visit(asked), code)
	}
	asked := r.request("prompt", "none")
	r.browser = h.browser(t)
	r.failed(asked, r.visit(asked), "login_required")
}

// A device that asks for openid gets an ID token, which has no nonce.
func TestOpenIDDevice(t *testing.T) {
	h := newOpenIDHost(t)
	r := newSuiteRun(t, h)
	r.signIn()
	form := url.Values{"client_id": {r.client.id}, "client_secret": {r.client.secret}, "scope": {"openid email"}}
	answer := h.program(t, "POST", "/oauth/device_authorization", http.Header{"Content-Type": {formType}}, form.Encode())
	require.Equal(t, http.StatusOK, answer.StatusCode, answer.body)
	device := object(t, answer)

	page := r.browser.open(t, device["verification_uri_complete"].(string), nil)
	require.NotNil(t, page.page)
	confirmation := fields(page.page.body)
	confirmation.Set("user_code", device["user_code"].(string))
	done := r.browser.follow(t, r.browser.request(t, "POST", device["verification_uri"].(string), confirmation, h.origin))
	require.Contains(t, done.page.body, `role="status"`, brief(*done.page))
	require.Equal(t, 2, r.browser.asked)

	h.clock.Add(time.Minute)
	s := r.granted(r.token(r.client, "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", device["device_code"].(string)), "")
	require.Equal(t, "user_ada", s.id["sub"])
	require.Equal(t, "ada@example.com", s.id["email"])
	require.Contains(t, s.id, "auth_time")
	s.asked, s.code = url.Values{"scope": {"openid"}}, ""
	r.refreshed(s)
}

// OpenID Connect Discovery section 4 puts the document's path after the
// issuer's path, and RFC 8414 section 5 before it.
func TestOpenIDIssuerWithPath(t *testing.T) {
	h := newOpenIDHost(t, func(cfg *provider.Config) { cfg.Issuer += "/tenant" })
	require.True(t, strings.HasSuffix(h.url, "/tenant"))
	at := func(path string) reply {
		request, err := http.NewRequestWithContext(t.Context(), "GET", h.origin+path, nil)
		require.NoError(t, err)
		answer, err := (&http.Client{Transport: h.trust}).Do(request)
		require.NoError(t, err)
		return read(t, answer)
	}
	behind := at("/tenant" + discoveryPath)
	require.Equal(t, http.StatusOK, behind.StatusCode)
	for _, path := range []string{discoveryPath + "/tenant", metadataPath + "/tenant"} {
		require.Equal(t, behind.body, at(path).body, path)
	}
	m := object(t, behind)
	require.Equal(t, h.url, m["issuer"])
	require.Equal(t, h.url+jwksPath, m["jwks_uri"])
	_, err := oidc.NewProvider(h.context(), h.url)
	require.NoError(t, err)
	for _, formPost := range []bool{false, true} {
		r := newSuiteRun(t, h)
		r.formPost = formPost
		r.refreshed(r.signIn("scope", "openid profile"))
	}
}

// RFC 7517 section 5: the public keys, which may be cached for as long as the
// rotation allows.
func TestOpenIDKeySet(t *testing.T) {
	h := newOpenIDHost(t)
	get := h.program(t, "GET", jwksPath, http.Header{"Origin": {"https://spa.example.com"}}, "")
	require.Equal(t, http.StatusOK, get.StatusCode)
	require.Equal(t, "application/json", get.Header.Get("Content-Type"))
	require.Equal(t, "public, max-age=3600", get.Header.Get("Cache-Control"))
	require.Equal(t, "*", get.Header.Get("Access-Control-Allow-Origin"), "an application in a browser verifies too")
	head := h.program(t, "HEAD", jwksPath, http.Header{}, "")
	require.Equal(t, http.StatusOK, head.StatusCode)
	require.Empty(t, head.body)
	post := h.program(t, "POST", jwksPath, http.Header{}, "")
	require.Equal(t, http.StatusMethodNotAllowed, post.StatusCode)
	algorithms := map[any]bool{}
	for _, key := range newSuiteRun(t, h).keySet().Keys {
		algorithms[key.Algorithm] = true
	}
	for _, alg := range texts(t, h.metadata(t), "id_token_signing_alg_values_supported") {
		require.True(t, algorithms[alg], "no key signs %s", alg)
	}
}

// The discovery document names the algorithm of ID tokens, and their at_hash
// uses its hash function (Core section 3.1.3.6).
func TestOpenIDAlgorithms(t *testing.T) {
	for alg, half := range map[string]int{"RS256": 16, "ES256": 16, "EdDSA": 32} {
		t.Run(alg, func(t *testing.T) {
			h := newOpenIDHost(t, func(cfg *provider.Config) {
				var err error
				cfg.Keys, err = signing.New(t.Context(), signing.Options{
					Store: memory.New(), Secrets: []string{rand.Text() + rand.Text()}, Algorithms: []string{alg}, Now: cfg.Now,
				})
				require.NoError(t, err)
			})
			require.Equal(t, []string{alg}, texts(t, h.metadata(t), "id_token_signing_alg_values_supported"))
			r := newSuiteRun(t, h)
			s := r.signIn()
			require.Equal(t, alg, s.header["alg"])
			hash, err := base64.RawURLEncoding.DecodeString(s.id["at_hash"].(string))
			require.NoError(t, err)
			require.Len(t, hash, half)
			r.again(s, "prompt", "none", "id_token_hint", s.raw)
		})
	}
}
