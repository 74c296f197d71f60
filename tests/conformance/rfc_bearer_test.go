package conformance

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

// guarded are the resources that require access tokens.
var guarded = []string{userInfoPath, notesPath}

// everyResource runs a test for each resource.
func everyResource(t *testing.T, f func(t *testing.T, path string)) {
	for _, path := range guarded {
		t.Run(path, func(t *testing.T) { f(t, path) })
	}
}

// RFC 6750 section 2.1: resource servers must support the Authorization header.
// RFC 9110 section 11.1: the scheme has no case.
func TestBearerHeader(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	everyResource(t, func(t *testing.T, path string) {
		for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer  ", "Bearer    "} {
			r := h.do(t, "GET", path, http.Header{"Authorization": {scheme + access}}, "")
			require.Equal(t, http.StatusOK, r.StatusCode, "%q", scheme)
			require.Empty(t, r.Header.Values("WWW-Authenticate"))
		}
	})
}

// RFC 6750 sections 3 and 3.1: without any token, the answer is 401 with a
// challenge that has no error code.
func TestBearerMissing(t *testing.T) {
	h := newHost(t)
	everyResource(t, func(t *testing.T, path string) {
		for name, header := range map[string]http.Header{
			"nothing": {}, "Basic": {"Authorization": {"Basic dTpw"}}, "Digest": {"Authorization": {"Digest x"}}, "cookie": {"Cookie": {"access_token=x"}}, "another header": {"Access-Token": {"x"}},
			"empty": {"Authorization": {""}}, "longer scheme": {"Authorization": {"BearerX abc"}},
		} {
			t.Run(name, func(t *testing.T) {
				r := h.do(t, "GET", path, header, "")
				require.Equal(t, http.StatusUnauthorized, r.StatusCode)
				attributes := challenged(t, r, "Bearer")
				require.NotContains(t, attributes, "error")
				require.NotContains(t, attributes, "error_description")
				require.NotContains(t, attributes, "error_uri")
			})
		}
	})
}

// RFC 6750 section 3.1: an answer to a request without any token has no error
// information, not even in its body.
func TestBearerMissingHasNoErrorInTheBody(t *testing.T) {
	h := newHost(t)
	everyResource(t, func(t *testing.T, path string) {
		require.NotContains(t, h.do(t, "GET", path, http.Header{}, "").body, "invalid_token")
	})
}

// RFC 6750 section 3.1: a token that is unknown, malformed, expired or revoked
// is invalid_token with 401, in a challenge.
func TestBearerInvalid(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	ended, revoked, expired, live := c.tokens(t, "scope", allOf), c.tokens(t, "scope", allOf), c.tokens(t, "scope", allOf), c.tokens(t, "scope", allOf)
	h.clock.Add(2*time.Hour + time.Second)
	live = granted(t, h.send(t, tokenPath, c.refreshing(live.Refresh)))
	ended, revoked = granted(t, h.send(t, tokenPath, c.refreshing(ended.Refresh))), granted(t, h.send(t, tokenPath, c.refreshing(revoked.Refresh)))
	require.Equal(t, 200, h.send(t, revokePath, c.withID("token", ended.Access)).StatusCode)
	require.Equal(t, 200, h.send(t, revokePath, c.withID("token", revoked.Refresh)).StatusCode)
	everyResource(t, func(t *testing.T, path string) {
		require.Equal(t, 200, h.bearer(t, path, live.Access).StatusCode)
		for name, token := range map[string]string{
			"unknown": "x", "refresh token": live.Refresh, "code": c.code(t), "expired": expired.Access, "ended": ended.Access, "revoked": revoked.Access, "cut": live.Access[:len(live.Access)-1],
			"longer": live.Access + "A", "one letter": flip(live.Access), "case": swapCase(live.Access), "secret": c.secret, "client": c.ClientID, "punctuation": "-._~+/==",
			"huge": strings.Repeat("a", 100000), "prefix": "oat_", "refresh token dressed up": strings.Replace(live.Refresh, "ort_", "oat_", 1),
		} {
			t.Run(name, func(t *testing.T) {
				r := h.bearer(t, path, token)
				require.Equal(t, http.StatusUnauthorized, r.StatusCode, r.body)
				require.Equal(t, "invalid_token", challenged(t, r, "Bearer")["error"])
				require.NotContains(t, r.body, token+" ")
				require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			})
		}
	})
}

// RFC 6750 section 3.1: a value that isn't a b64token, or a repeated one, is a
// malformed request and never gives access.
func TestBearerMalformed(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	everyResource(t, func(t *testing.T, path string) {
		for name, values := range map[string][]string{
			"no token": {"Bearer"}, "only a space": {"Bearer "}, "two tokens": {"Bearer " + access + " " + access}, "comma": {"Bearer " + access + ", Bearer " + access}, "parameter": {"Bearer token=" + access},
			"quoted": {`Bearer "` + access + `"`}, "no scheme": {access}, "two headers": {"Bearer " + access, "Bearer " + access}, "Basic too": {"Basic dTpw", "Bearer " + access}, "not ASCII": {"Bearer é"},
			"colon": {"Bearer: " + access}, "Token scheme": {"Token " + access}, "twice the scheme": {"Bearer Bearer " + access}, "tab": {"Bearer\t" + access}, "percent": {"Bearer %6f"},
		} {
			t.Run(name, func(t *testing.T) {
				r := h.do(t, "GET", path, http.Header{"Authorization": values}, "")
				require.Contains(t, []int{400, 401}, r.StatusCode)
				attributes := challenged(t, r, "Bearer")
				if r.StatusCode == 400 {
					require.Equal(t, "invalid_request", attributes["error"])
				}
			})
		}
	})
}

// RFC 6750 section 2.3 and RFC 9700 section 4.3.2: tokens in URLs are refused.
func TestBearerInQueryIsRefused(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	everyResource(t, func(t *testing.T, path string) {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			r := h.do(t, method, path+"?access_token="+access, http.Header{"Content-Type": {formType}}, "")
			require.Contains(t, []int{400, 401, 405}, r.StatusCode, method)
		}
	})
}

// RFC 6750 section 2.2: a token in a body is accepted only from a posted form,
// and not with GET or another content type.
func TestBearerInBody(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	body := "access_token=" + access
	require.Contains(t, []int{200, 400, 401}, h.sendRaw(t, userInfoPath, body).StatusCode)
	for name, tt := range map[string]struct{ method, contentType, body string }{
		"GET": {"GET", formType, body}, "no type": {"POST", omit, body}, "text": {"POST", "text/plain", body}, "JSON": {"POST", "application/json", `{"access_token":"` + access + `"}`},
		"multipart": {"POST", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n" + access + "\r\n--x--\r\n"},
		"twice":     {"POST", formType, body + "&" + body}, "empty": {"POST", formType, "access_token="}, "other name": {"POST", formType, "token=" + access},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Content-Type": {tt.contentType}}
			if tt.contentType == omit {
				header.Del("Content-Type")
			}
			r := h.do(t, tt.method, userInfoPath, header, tt.body)
			require.Contains(t, []int{400, 401}, r.StatusCode, r.body)
			challenged(t, r, "Bearer")
		})
	}
}

// RFC 6750 sections 2 and 3.1: a token in more than one place is
// invalid_request with 400.
func TestBearerInTwoPlaces(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	for name, tt := range map[string]struct{ method, target, body string }{
		"header and query": {"GET", userInfoPath + "?access_token=" + access, ""},
		"header and body":  {"POST", userInfoPath, "access_token=" + access},
		"guard":            {"GET", notesPath + "?access_token=" + access, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.do(t, tt.method, tt.target, http.Header{"Authorization": {"Bearer " + access}, "Content-Type": {formType}}, tt.body)
			require.Equal(t, http.StatusBadRequest, r.StatusCode, r.body)
			require.Equal(t, "invalid_request", challenged(t, r, "Bearer")["error"])
		})
	}
}

// RFC 6750 section 3.1: a token with too little scope is insufficient_scope
// with 403, and scope names what is required.
func TestBearerInsufficientScope(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t).Access
	r := h.bearer(t, notesPath, access)
	require.Equal(t, http.StatusForbidden, r.StatusCode)
	attributes := challenged(t, r, "Bearer")
	require.Equal(t, "insufficient_scope", attributes["error"])
	require.Equal(t, "notes:read", attributes["scope"])
	require.True(t, h.works(t, access), "the token itself is good")
}

// RFC 6750 section 3: each challenge starts with the scheme Bearer and has a
// realm.
func TestBearerChallengesHaveARealm(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	narrow := c.tokens(t).Access
	everyResource(t, func(t *testing.T, path string) {
		realm := challenged(t, h.do(t, "GET", path, http.Header{}, ""), "Bearer")["realm"]
		require.Equal(t, h.url, realm)
		require.Equal(t, realm, challenged(t, h.bearer(t, path, "x"), "Bearer")["realm"])
	})
	require.NotEmpty(t, challenged(t, h.bearer(t, notesPath, narrow), "Bearer")["realm"])
}

// RFC 6749 section 5.1: an access token lives exactly as long as expires_in
// says.
func TestBearerExpiresAsTold(t *testing.T) {
	h := newHost(t)
	tokens := h.confidential().tokens(t, "scope", allOf)
	lifetime := time.Duration(tokens.ExpiresIn) * time.Second
	h.clock.Add(lifetime - time.Microsecond)
	everyResource(t, func(t *testing.T, path string) { require.Equal(t, 200, h.bearer(t, path, tokens.Access).StatusCode) })
	h.clock.Add(time.Microsecond)
	everyResource(t, func(t *testing.T, path string) { require.Equal(t, 401, h.bearer(t, path, tokens.Access).StatusCode) })
}

// RFC 6750 section 3.1: a token whose sign-in the host has revoked is
// invalid_token at once.
func TestBearerRevokedByTheHost(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	access := c.tokens(t, "scope", allOf).Access
	err := h.RevokeGrants(context.Background(), provider.GrantFilter{UserID: user})
	require.NoError(t, err)
	everyResource(t, func(t *testing.T, path string) {
		require.Equal(t, "invalid_token", challenged(t, h.bearer(t, path, access), "Bearer")["error"])
	})
}

// RFC 6750 section 2 and RFC 9110 section 9: unsupported methods are refused,
// and HEAD is GET without a body.
func TestBearerMethods(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	everyResource(t, func(t *testing.T, path string) {
		for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE", "get", "BREW"} {
			r := h.do(t, method, path, http.Header{"Authorization": {"Bearer " + access}}, "")
			require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, method)
			require.Contains(t, r.Header.Get("Allow"), "GET")
		}
		require.Equal(t, 200, h.do(t, "HEAD", path, http.Header{"Authorization": {"Bearer " + access}}, "").StatusCode)
		require.Equal(t, 401, h.do(t, "HEAD", path, http.Header{}, "").StatusCode)
		require.Equal(t, 401, h.do(t, "HEAD", path, http.Header{"Authorization": {"Bearer x"}}, "").StatusCode)
	})
	for _, header := range []http.Header{{}, {"Content-Type": {formType}}, {"Content-Type": {"application/json"}}} {
		header.Set("Authorization", "Bearer "+access)
		require.Equal(t, 200, h.do(t, "POST", userInfoPath, header, "").StatusCode)
	}
}

// RFC 6749 sections 1.4 and 3.3: the userinfo document has only what was
// granted. It names its user, and is not cached.
func TestUserInfoIsCutToScope(t *testing.T) {
	h := newHostWith(t, func(cfg *provider.Config) {
		cfg.Users = func(_ context.Context, id string) (userinfo.User, error) {
			secret := map[string]any{"a": "b"}
			return userinfo.User{ID: id, Name: "Ada", Username: "ada", Email: "ada@example.com", EmailVerified: true, PublicMetadata: secret, PrivateMetadata: secret}, nil
		}
	})
	c := h.client(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "public_metadata")})
	for scope, tt := range map[string]struct{ with, without []string }{
		"profile":         {[]string{"name", "username", "preferred_username"}, []string{"email", "email_verified", "public_metadata", "private_metadata"}},
		"email":           {[]string{"email", "email_verified"}, []string{"name", "username", "preferred_username", "public_metadata", "private_metadata"}},
		"public_metadata": {[]string{"public_metadata"}, []string{"name", "email", "private_metadata"}},
	} {
		t.Run(scope, func(t *testing.T) {
			r := h.bearer(t, userInfoPath, c.tokens(t, "scope", scope).Access)
			require.Equal(t, "application/json", r.Header.Get("Content-Type"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			document := object(t, r)
			require.Equal(t, user, document["sub"])
			require.Equal(t, user, document["user_id"])
			for _, name := range tt.with {
				require.Contains(t, document, name)
			}
			for _, name := range tt.without {
				require.NotContains(t, document, name)
			}
		})
	}
}

// RFC 9700 section 2.6: CORS on the userinfo endpoint works without
// credentials. It covers errors too, so that scripts can read the challenge.
func TestUserInfoCORS(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t).Access
	for name, authorization := range map[string]string{"good": "Bearer " + access, "bad": "Bearer x", "none": ""} {
		t.Run(name, func(t *testing.T) {
			anyOrigin(t, h.do(t, "GET", userInfoPath, http.Header{"Origin": {"https://spa.example.com"}, "Authorization": {authorization}}, ""))
		})
	}
	preflight(t, h, userInfoPath, "GET")
}

// RFC 6750 section 2.1: only the token decides whom a request is about.
func TestBearerIgnoresOtherParameters(t *testing.T) {
	h := newHost(t)
	access := h.confidential().tokens(t, "scope", allOf).Access
	everyResource(t, func(t *testing.T, path string) {
		query := url.Values{"user_id": {"user_eve"}, "scope": {"admin"}, "sub": {"user_eve"}}
		r := h.do(t, "GET", path+"?"+query.Encode(), http.Header{"Authorization": {"Bearer " + access}, "Test-User": {"user_eve"}}, "")
		require.Equal(t, 200, r.StatusCode)
		require.NotContains(t, r.body, "user_eve")
	})
}
