package conformance

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// revoked checks that r is the answer to a revocation.
func revoked(t testing.TB, r reply) {
	t.Helper()
	require.Equal(t, http.StatusOK, r.StatusCode, r.body)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "{}", strings.TrimSpace(r.body))
}

// active asks the introspection endpoint about a token.
func (c *client) active(t testing.TB, token string) bool {
	t.Helper()
	r := c.h.send(t, introspectPath, c.withID("token", token))
	require.Equal(t, http.StatusOK, r.StatusCode, r.body)
	require.IsType(t, true, object(t, r)["active"])
	return object(t, r)["active"].(bool)
}

// RFC 7009 section 2.1: a revoked access token stops working at once. The
// sign-in continues.
func TestRevokeAccessToken(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			tokens := c.tokens(t)
			revoked(t, h.send(t, revokePath, c.withID("token", tokens.Access)))
			require.False(t, h.works(t, tokens.Access))
			next := granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
			require.True(t, h.works(t, next.Access))
		})
	}
}

// RFC 7009 section 2.1: revoking a refresh token revokes all access tokens of
// its grant, and no other grant.
func TestRevokeRefreshToken(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			bystander, first := c.tokens(t), c.tokens(t)
			second := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
			revoked(t, h.send(t, revokePath, c.withID("token", second.Refresh)))
			require.False(t, h.works(t, first.Access))
			require.False(t, h.works(t, second.Access))
			refused(t, h.send(t, tokenPath, c.refreshing(second.Refresh)), 400, "invalid_grant")
			require.True(t, h.works(t, bystander.Access))
		})
	}
}

// RFC 7009 section 2.1: a client that signs out with a rotated refresh token
// ends its sign-in too.
func TestRevokeRotatedRefreshToken(t *testing.T) {
	h := newHost(t)
	c := h.public()
	first := c.tokens(t)
	second := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
	revoked(t, h.send(t, revokePath, c.withID("token", first.Refresh)))
	require.False(t, h.works(t, second.Access))
}

// RFC 7009 section 2.2: a token that is unknown or already revoked is answered
// with 200.
func TestRevokeInvalidToken(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	ended := c.tokens(t).Access
	revoked(t, h.send(t, revokePath, c.withID("token", ended)))
	for name, token := range map[string]string{
		"unknown": "x", "again": ended, "one letter": flip(ended), "secret": c.secret, "punctuation": `"'<>;--`, "unicode": "é", "long": strings.Repeat("a", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			revoked(t, h.send(t, revokePath, c.withID("token", token)))
		})
	}
}

// RFC 7009 section 2.1: the hint is only a hint. A wrong one extends the
// search, and unknown ones are ignored.
func TestRevokeHint(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for _, hint := range []string{"access_token", "refresh_token", "", "id_token", "urn:x", "ACCESS_TOKEN"} {
		t.Run(hint, func(t *testing.T) {
			tokens := c.tokens(t)
			revoked(t, h.send(t, revokePath, c.withID("token", tokens.Access, "token_type_hint", hint)))
			require.False(t, h.works(t, tokens.Access))
			revoked(t, h.send(t, revokePath, c.withID("token", tokens.Refresh, "token_type_hint", hint)))
			refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)), 400, "invalid_grant")
		})
	}
}

// RFC 7009 section 2.1: the server verifies that the token was issued to the
// client. Another client's token is not revoked.
func TestRevokeTokenOfAnotherClient(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := c.tokens(t)
	for _, other := range []*client{h.confidential(), h.public()} {
		for _, token := range []string{tokens.Access, tokens.Refresh} {
			r := h.send(t, revokePath, other.withID("token", token))
			require.Contains(t, []int{200, 400}, r.StatusCode)
		}
	}
	require.True(t, h.works(t, tokens.Access))
	granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
}

// RFC 7009 section 2.1 and RFC 6749 section 2.3: the client must authenticate,
// in one way.
func TestRevokeClientAuthentication(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := c.tokens(t)
	for name, pairs := range map[string][]string{
		"nothing": {"client_id", omit, "client_secret", omit}, "no secret": {"client_secret", omit}, "wrong secret": {"client_secret", "x"}, "unknown": {"client_id", "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, revokePath, c.withID(append(pairs, "token", tokens.Access)...))
			refused(t, r, 401, "invalid_client")
			require.Empty(t, r.Header.Values("WWW-Authenticate"))
		})
	}
	challenged(t, h.send(t, revokePath, url.Values{"token": {tokens.Access}}, "Authorization", "Basic x"), "Basic")
	refused(t, h.send(t, revokePath, c.withID("token", tokens.Access, "client_secret", "x"), "Authorization", c.basic()), 400, "invalid_request")
	require.True(t, h.works(t, tokens.Access))
	revoked(t, h.send(t, revokePath, url.Values{"token": {tokens.Access}}, "Authorization", c.basic()))
	require.False(t, h.works(t, tokens.Access))
}

// RFC 7009 section 2.2.1: errors are those of the token endpoint; a missing
// token is invalid_request.
func TestRevokeMalformed(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	access := c.tokens(t).Access
	form := c.withID("token", access).Encode()
	for name, body := range map[string]string{
		"missing": c.withID().Encode(), "empty": c.withID("token", "").Encode(), "twice": form + "&token=" + access, "hint twice": form + "&token_type_hint=a&token_type_hint=b", "bad escape": form + "&token_type_hint=%zz",
		"secret twice": form + "&client_secret=" + c.secret,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.sendRaw(t, revokePath, body), 400, "invalid_request")
		})
	}
	r := h.sendRaw(t, revokePath, `{"token":"`+access+`"}`, "Content-Type", "application/json")
	refused(t, r, r.StatusCode, "invalid_request", "invalid_client")
	require.True(t, h.works(t, access))
}

// RFC 7009 section 2: the request is a POST, and the token is not in the URL.
func TestRevokeMethods(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	access := c.tokens(t).Access
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"} {
		r := h.do(t, method, revokePath+"?"+c.withID("token", access).Encode(), http.Header{}, "")
		require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, method)
		require.Contains(t, r.Header.Get("Allow"), "POST")
	}
	r := h.send(t, revokePath+"?token="+access, c.withID())
	refused(t, r, 400, "invalid_request")
	require.True(t, h.works(t, access))
}

// RFC 7009 section 2.3: revocation may be offered to scripts of other origins.
func TestRevokeCORS(t *testing.T) {
	h := newHost(t)
	c := h.public()
	for name, form := range map[string]url.Values{"good": c.withID("token", "x"), "bad": c.withID(), "no client": {}} {
		t.Run(name, func(t *testing.T) {
			anyOrigin(t, h.send(t, revokePath, form, "Origin", "https://spa.example.com"))
		})
	}
	preflight(t, h, revokePath, "POST")
}

// RFC 7662 section 2.2: a live token is described with active, scope,
// client_id, token_type, exp, iat, sub, and iss, with times as whole seconds.
func TestIntrospectActiveToken(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := c.tokens(t)
	r := h.send(t, introspectPath, c.withID("token", tokens.Access))
	require.Equal(t, http.StatusOK, r.StatusCode, r.body)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	var answer struct {
		Active    bool        `json:"active"`
		Scope     string      `json:"scope"`
		ClientID  string      `json:"client_id"`
		TokenType string      `json:"token_type"`
		Exp       json.Number `json:"exp"`
		Iat       json.Number `json:"iat"`
		Nbf       json.Number `json:"nbf"`
		Sub       string      `json:"sub"`
		Iss       string      `json:"iss"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &answer))
	require.True(t, answer.Active)
	require.ElementsMatch(t, []string{"profile", "email"}, splitScope(answer.Scope))
	require.Equal(t, c.ClientID, answer.ClientID)
	require.Equal(t, user, answer.Sub)
	require.Contains(t, []string{"", h.url}, answer.Iss)
	require.Contains(t, []string{"", "Bearer"}, answer.TokenType)
	exp, err := answer.Exp.Int64()
	require.NoError(t, err)
	iat, err := answer.Iat.Int64()
	require.NoError(t, err)
	require.InDelta(t, h.clock.Now().Unix(), iat, 1)
	require.Equal(t, int64(tokens.ExpiresIn), exp-iat)
	require.NotContains(t, r.body, tokens.Access)
}

// RFC 7662 section 2.2: for an inactive token the answer is only active: false.
func TestIntrospectInactiveToken(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	expired := c.tokens(t)
	h.clock.Add(73 * time.Hour)
	ended, live, foreign := c.tokens(t), c.tokens(t), h.confidential().tokens(t)
	revoked(t, h.send(t, revokePath, c.withID("token", ended.Refresh)))
	for name, token := range map[string]string{
		"unknown": "x", "expired": expired.Access, "expired refresh": expired.Refresh, "revoked": ended.Access, "revoked refresh": ended.Refresh, "code": c.code(t),
		"one letter": flip(live.Access), "case": swapCase(live.Access), "another client's": foreign.Access, "another client's refresh": foreign.Refresh, "secret": c.secret, "client": c.ClientID,
	} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, introspectPath, c.withID("token", token))
			require.Equal(t, http.StatusOK, r.StatusCode)
			require.Equal(t, `{"active":false}`, strings.TrimSpace(r.body))
			require.Equal(t, "application/json", r.Header.Get("Content-Type"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		})
	}
	require.True(t, c.active(t, live.Access))
}

// RFC 7662 section 4: a token is inactive as soon as it stops working.
func TestIntrospectFollowsTheToken(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := c.tokens(t)
	require.True(t, c.active(t, tokens.Access))
	h.clock.Add(2*time.Hour + time.Second)
	require.False(t, c.active(t, tokens.Access))
	next := granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
	require.True(t, c.active(t, next.Access))
	h.clock.Add(time.Minute)
	require.False(t, c.active(t, tokens.Refresh), "it was rotated")
	require.True(t, c.active(t, next.Access), "introspection is not a use")
	granted(t, h.send(t, tokenPath, c.refreshing(next.Refresh)))
}

// RFC 7662 section 2.1: the hint is only a hint.
func TestIntrospectHint(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	access := c.tokens(t).Access
	for _, hint := range []string{"access_token", "refresh_token", "", "x"} {
		r := h.send(t, introspectPath, c.withID("token", access, "token_type_hint", hint))
		require.Equal(t, true, object(t, r)["active"], hint)
	}
}

// RFC 7662 sections 2.1 and 2.3: the endpoint must require authorization, and
// answers 401 without it.
func TestIntrospectAuthentication(t *testing.T) {
	h := newHost(t)
	c, public := h.confidential(), h.public()
	access, publicAccess := c.tokens(t).Access, public.tokens(t).Access
	for name, form := range map[string]url.Values{
		"nothing": {"token": {access}}, "id alone": c.withID("token", access, "client_secret", omit), "wrong secret": c.withID("token", access, "client_secret", "x"),
		"unknown": c.withID("token", access, "client_id", "x"), "public": public.withID("token", publicAccess),
	} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, introspectPath, form)
			refused(t, r, 401, "invalid_client")
			require.NotContains(t, r.body, "active")
		})
	}
	t.Run("its own token", func(t *testing.T) {
		r := h.send(t, introspectPath, url.Values{"token": {access}}, "Authorization", "Bearer "+access)
		require.Equal(t, http.StatusUnauthorized, r.StatusCode)
	})
	t.Run("two ways", func(t *testing.T) {
		refused(t, h.send(t, introspectPath, c.withID("token", access, "client_secret", "x"), "Authorization", c.basic()), 400, "invalid_request")
		require.Equal(t, true, object(t, h.send(t, introspectPath, c.withID("token", access), "Authorization", c.basic()))["active"])
	})
	t.Run("Basic", func(t *testing.T) {
		r := h.send(t, introspectPath, url.Values{"token": {access}}, "Authorization", c.basic())
		require.Equal(t, true, object(t, r)["active"])
	})
}

// RFC 7662 section 2.1: a resource server may authorize itself with its own
// bearer token, and can ask about tokens of every client.
func TestIntrospectByResourceServer(t *testing.T) {
	h := newHostWith(t, func(cfg *provider.Config) { cfg.Introspection = provider.BearerKey("key_of_the_api") })
	c, public := h.confidential(), h.public()
	for _, access := range []string{c.tokens(t).Access, public.tokens(t).Access} {
		r := h.send(t, introspectPath, url.Values{"token": {access}}, "Authorization", "Bearer key_of_the_api")
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, true, object(t, r)["active"])
		for _, key := range []string{"Bearer x", "Bearer ", "Bearer", "Bearer key_of_the_api2", "Bearer KEY_OF_THE_API", "Basic key_of_the_api", "key_of_the_api", "Bearer " + access} {
			r := h.send(t, introspectPath, url.Values{"token": {access}}, "Authorization", key)
			require.Equal(t, http.StatusUnauthorized, r.StatusCode, key)
			require.NotContains(t, r.body, "active")
		}
	}
	require.True(t, c.active(t, c.tokens(t).Access), "applications can still ask about their own tokens")
	require.False(t, c.active(t, public.tokens(t).Access))
}

// RFC 7662 section 2.1: the request is a POST of a form with one token.
func TestIntrospectMalformed(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	access := c.tokens(t).Access
	form := c.withID("token", access).Encode()
	for name, body := range map[string]string{
		"missing": c.withID().Encode(), "empty": c.withID("token", "").Encode(), "twice": form + "&token=" + access, "bad escape": form + "&token_type_hint=%zz", "hint twice": form + "&token_type_hint=a&token_type_hint=b",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.sendRaw(t, introspectPath, body), 400, "invalid_request")
		})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		r := h.do(t, method, introspectPath+"?"+form, http.Header{}, "")
		require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, method)
		require.NotContains(t, r.body, "active")
	}
	refused(t, h.send(t, introspectPath+"?token="+access, c.withID()), 400, "invalid_request")
}

// RFC 7662 section 2: the endpoint is for resource servers, not for browsers,
// and has no CORS.
func TestIntrospectHasNoCORS(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	r := h.send(t, introspectPath, c.withID("token", "x"), "Origin", "https://spa.example.com")
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
}

// RFC 6749 section 3.1 and RFC 7009 section 2: unknown parameters are ignored
// everywhere.
func TestEndpointsIgnoreUnknownParameters(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	access := c.tokens(t).Access
	form := c.withID("token", access, "x", "y", "grant_type", "z")
	require.Equal(t, true, object(t, h.send(t, introspectPath, form))["active"])
	revoked(t, h.send(t, revokePath, form))
	require.False(t, h.works(t, access))
	for _, unknown := range unreadable {
		access = c.tokens(t).Access
		form := unknown + "&" + c.withID("token", access).Encode() + "&" + unknown
		require.Equal(t, true, object(t, h.sendRaw(t, introspectPath, form))["active"], unknown)
		r := h.sendRaw(t, userInfoPath, unknown+"&access_token="+access)
		require.Equal(t, http.StatusOK, r.StatusCode, unknown)
		revoked(t, h.sendRaw(t, revokePath, form))
		require.False(t, h.works(t, access))
	}
}

func (h *host) metadata(t testing.TB) map[string]any {
	t.Helper()
	r := h.do(t, "GET", metadataPath, http.Header{}, "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	return object(t, r)
}

func list(t testing.TB, value any) []string {
	t.Helper()
	require.IsType(t, []any{}, value)
	var all []string
	for _, v := range value.([]any) {
		all = append(all, v.(string))
	}
	return all
}

// RFC 8414 section 3.2: the answer is a JSON object with 200, without empty
// claims.
func TestMetadataAnswer(t *testing.T) {
	h := newHost(t)
	r := h.do(t, "GET", metadataPath, http.Header{}, "")
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	for name, value := range object(t, r) {
		require.NotNil(t, value, name)
		require.NotEqual(t, "", value, name)
		require.NotEqual(t, []any{}, value, name)
	}
	anyOrigin(t, r)
	preflight(t, h, metadataPath, "GET")
}

// RFC 8414 sections 2 and 3.3: issuer is exactly the URL from which the
// document's URL was made.
func TestMetadataIssuer(t *testing.T) {
	h := newHost(t)
	require.Equal(t, h.url, h.metadata(t)["issuer"])
}

// RFC 8414 section 3: the well-known path is inserted between the issuer's host
// and its path.
func TestMetadataOfIssuerWithPath(t *testing.T) {
	var issuer string
	h := newHostWith(t, func(cfg *provider.Config) {
		cfg.Issuer += "/tenants/one"
		issuer = cfg.Issuer
	})
	r := h.do(t, "GET", metadataPath+"/tenants/one", http.Header{}, "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	metadata := object(t, r)
	require.Equal(t, issuer, metadata["issuer"])
	require.Equal(t, issuer+authorizePath, metadata["authorization_endpoint"])
	if r := h.do(t, "GET", metadataPath, http.Header{}, ""); r.StatusCode == http.StatusOK {
		require.Equal(t, issuer, object(t, r)["issuer"])
	}
}

// RFC 8414 section 2: each URL is absolute, under the issuer, without a
// fragment (RFC 6749 section 3.1), and is served.
func TestMetadataEndpointsAreServed(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	metadata := h.metadata(t)
	path := func(name string) string {
		endpoint, ok := metadata[name].(string)
		require.True(t, ok, name)
		require.True(t, strings.HasPrefix(endpoint, h.url+"/"), endpoint)
		require.NotContains(t, endpoint, "#")
		return strings.TrimPrefix(endpoint, h.url)
	}
	r := h.do(t, "GET", path("authorization_endpoint")+"?"+c.request().Encode(), http.Header{"Test-User": {user}}, "")
	code := redirected(t, h.finish(t, r)).Get("code")
	tokens := granted(t, h.send(t, path("token_endpoint"), c.redemption(code)))
	require.Equal(t, 200, h.bearer(t, path("userinfo_endpoint"), tokens.Access).StatusCode)
	require.Equal(t, true, object(t, h.send(t, path("introspection_endpoint"), c.withID("token", tokens.Access)))["active"])
	revoked(t, h.send(t, path("revocation_endpoint"), c.withID("token", tokens.Access)))
	require.False(t, h.works(t, tokens.Access))
}

// RFC 8414 section 2 and RFC 9207 section 3: the metadata announces exactly
// what is offered.
func TestMetadataValues(t *testing.T) {
	h := newHost(t)
	metadata := h.metadata(t)
	require.Equal(t, []string{"code"}, list(t, metadata["response_types_supported"]))
	require.ElementsMatch(t, []string{"query", "form_post"}, list(t, metadata["response_modes_supported"]))
	require.ElementsMatch(t, []string{"authorization_code", "refresh_token"}, list(t, metadata["grant_types_supported"]))
	require.Equal(t, []string{"S256"}, list(t, metadata["code_challenge_methods_supported"]))
	require.Equal(t, true, metadata["authorization_response_iss_parameter_supported"])
	for name := range metadata {
		require.NotContains(t, []string{"jwks_uri", "registration_endpoint", "subject_types_supported", "id_token_signing_alg_values_supported", "claims_supported"}, name)
	}
	t.Run("scopes", func(t *testing.T) {
		supported := list(t, metadata["scopes_supported"])
		require.NotContains(t, supported, "openid")
		require.NotContains(t, supported, "offline_access")
		c := h.client(provider.ApplicationSettings{Scopes: supported})
		for _, scope := range supported {
			require.Equal(t, scope, c.tokens(t, "scope", scope).Scope)
		}
	})
	t.Run("response modes", func(t *testing.T) {
		c := h.public()
		for _, mode := range list(t, metadata["response_modes_supported"]) {
			require.Equal(t, 200, h.visit(t, c.request("response_mode", mode).Encode()).StatusCode)
		}
	})
}

// RFC 8414 section 2: the announced client authentication methods are those
// that work at each endpoint.
func TestMetadataAuthenticationMethods(t *testing.T) {
	h := newHost(t)
	metadata := h.metadata(t)
	c, public := h.confidential(), h.public()
	for prefix, path := range map[string]string{"token": tokenPath, "revocation": revokePath, "introspection": introspectPath} {
		announced := list(t, metadata[prefix+"_endpoint_auth_methods_supported"])
		request := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "token": {"x"}}
		for method, r := range map[string]reply{
			"client_secret_basic": h.send(t, path, request, "Authorization", c.basic()),
			"client_secret_post":  h.send(t, path, params(request, "client_id", c.ClientID, "client_secret", c.secret)),
			"none":                h.send(t, path, params(request, "client_id", public.ClientID)),
		} {
			t.Run(prefix+" "+method, func(t *testing.T) {
				if !slices.Contains(announced, method) {
					refused(t, r, 401, "invalid_client")
				} else if path == tokenPath {
					refused(t, r, 400, "invalid_grant")
				} else {
					require.Equal(t, http.StatusOK, r.StatusCode, r.body)
				}
			})
		}
		require.Subset(t, []string{"client_secret_basic", "client_secret_post", "none"}, announced)
	}
}

// RFC 8414 section 2: endpoints that are turned off are not announced.
func TestMetadataOfEndpointsLeftOut(t *testing.T) {
	h := newHostWith(t, func(cfg *provider.Config) { cfg.Paths = provider.Paths{Revoke: "-", Introspect: "-", UserInfo: "-"} })
	for name := range h.metadata(t) {
		for _, prefix := range []string{"revocation_", "introspection_", "userinfo_"} {
			require.False(t, strings.HasPrefix(name, prefix), name)
		}
	}
	c := h.confidential()
	for _, path := range []string{revokePath, introspectPath, userInfoPath} {
		require.Equal(t, http.StatusNotFound, h.send(t, path, c.withID("token", "x")).StatusCode, path)
	}
}

// RFC 8414 section 2: endpoints that are moved are announced at their new
// paths.
func TestMetadataOfEndpointsMoved(t *testing.T) {
	h := newHostWith(t, func(cfg *provider.Config) { cfg.Paths = provider.Paths{Token: "/t", Authorize: "/a"} })
	metadata := h.metadata(t)
	require.Equal(t, h.url+"/t", metadata["token_endpoint"])
	require.Equal(t, h.url+"/a", metadata["authorization_endpoint"])
	c := h.confidential()
	refused(t, h.send(t, "/t", c.redemption("x")), 400, "invalid_grant")
	require.Equal(t, http.StatusNotFound, h.send(t, tokenPath, c.redemption("x")).StatusCode)
}

// RFC 8414 section 3.1: the document is requested with GET, and neither the
// query nor headers change it.
func TestMetadataRequest(t *testing.T) {
	h := newHost(t)
	want := h.do(t, "GET", metadataPath, http.Header{}, "").body
	header := http.Header{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"gopher"}, "Authorization": {"Basic !!"}, "Accept": {"text/html"}}
	require.Equal(t, want, h.do(t, "GET", metadataPath+"?issuer=https%3A%2F%2Fevil.example", header, "").body)
	require.Equal(t, http.StatusOK, h.do(t, "HEAD", metadataPath, http.Header{}, "").StatusCode)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE"} {
		require.Equal(t, http.StatusMethodNotAllowed, h.do(t, method, metadataPath, http.Header{}, "").StatusCode, method)
	}
}

// RFC 9110 section 15.5.6: a refused method gets the list of the supported
// ones, and those work.
func TestAllowNamesWhatIsServed(t *testing.T) {
	h := newHost(t)
	for _, path := range []string{authorizePath, tokenPath, userInfoPath, revokePath, introspectPath, metadataPath, notesPath} {
		for _, method := range []string{"PUT", "GET"} {
			r := h.do(t, method, path, http.Header{}, "")
			if r.StatusCode != http.StatusMethodNotAllowed {
				continue
			}
			for _, allowed := range strings.Split(r.Header.Get("Allow"), ", ") {
				t.Run(method+" "+path+" "+allowed, func(t *testing.T) {
					require.NotEqual(t, http.StatusMethodNotAllowed, h.do(t, allowed, path, http.Header{}, "").StatusCode)
				})
			}
		}
	}
}
