package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// RFC 6749 section 5.1: the answer is JSON with access_token, token_type,
// expires_in as a number, refresh_token and scope.
func TestTokenAnswer(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	r := h.send(t, tokenPath, c.redemption(c.code(t)))
	granted(t, r)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	answer := object(t, r)
	require.ElementsMatch(t, []string{"access_token", "token_type", "expires_in", "refresh_token", "scope"}, slices.Collect(maps.Keys(answer)))
	require.Equal(t, "Bearer", answer["token_type"])
	require.Equal(t, float64(7200), answer["expires_in"])
	require.NotEqual(t, answer["access_token"], answer["refresh_token"])
	require.ElementsMatch(t, []string{"profile", "email"}, splitScope(answer["scope"].(string)))
}

// RFC 6749 section 5.1: answers with tokens must have Cache-Control no-store.
func TestTokenAnswerIsNotStored(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	r := h.send(t, tokenPath, c.redemption(c.code(t)))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "no-store", h.send(t, tokenPath, c.refreshing(granted(t, r).Refresh)).Header.Get("Cache-Control"))
}

// RFC 6749 section 5.1: answers with tokens must have Pragma no-cache too.
func TestTokenAnswerHasPragma(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	r := h.send(t, tokenPath, c.redemption(c.code(t)))
	granted(t, r)
	require.Equal(t, "no-cache", r.Header.Get("Pragma"))
}

// RFC 6749 section 10.10: tokens can't be guessed, and none is repeated. RFC
// 6750 section 2.1: an access token is a b64token.
func TestTokensAreRandom(t *testing.T) {
	h := newHost(t)
	c := h.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf), SkipConsent: true})
	seen := map[string]bool{}
	for range 100 {
		tokens := c.tokens(t)
		for _, token := range []string{tokens.Access, tokens.Refresh} {
			require.False(t, seen[token])
			seen[token] = true
			require.GreaterOrEqual(t, len(token), 27, "160 bits need 27 characters")
			require.Regexp(t, `^[A-Za-z0-9._~+/-]+=*$`, token)
		}
	}
}

// RFC 6749 section 3.2: the client must use POST.
func TestTokenMethods(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "post", "BREW"} {
		t.Run(method, func(t *testing.T) {
			form := c.redemption(code).Encode()
			r := h.do(t, method, tokenPath+"?"+form, http.Header{"Content-Type": {formType}}, form)
			require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
			require.Contains(t, r.Header.Get("Allow"), "POST")
			require.NotContains(t, r.body, "access_token")
		})
	}
	granted(t, h.send(t, tokenPath, c.redemption(code)))
}

// RFC 6749 sections 2.3.1 and 3.2: parameters and credentials are in the body
// and never in the URL.
func TestTokenReadsTheBodyOnly(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	full := c.redemption(code)
	for name, inQuery := range map[string][]string{
		"everything": slices.Collect(maps.Keys(full)), "secret": {"client_secret"}, "credentials": {"client_id", "client_secret"}, "code": {"code"}, "grant_type": {"grant_type"},
		"redirect_uri": {"redirect_uri"},
	} {
		t.Run(name, func(t *testing.T) {
			query, body := url.Values{}, params(full)
			for _, name := range inQuery {
				query[name] = body[name]
				body.Del(name)
			}
			r := h.send(t, tokenPath+"?"+query.Encode(), body)
			require.Contains(t, []int{400, 401}, r.StatusCode, r.body)
			require.NotContains(t, r.body, "access_token")
		})
	}
	granted(t, h.send(t, tokenPath, full))
	t.Run("verifier", func(t *testing.T) {
		public := h.public()
		code := public.code(t)
		r := h.send(t, tokenPath+"?code_verifier="+verifier, public.redemption(code, "code_verifier", omit))
		refused(t, r, 400, "invalid_grant", "invalid_request")
	})
}

// RFC 6749 section 4.1.3: parameters are sent as
// application/x-www-form-urlencoded.
func TestTokenContentType(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	form := c.redemption(code)
	asJSON, err := json.Marshal(map[string]string{"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "client_id": c.ClientID, "client_secret": c.secret})
	require.NoError(t, err)
	for name, tt := range map[string]struct{ contentType, body string }{
		"none":                       {omit, form.Encode()},
		"text":                       {"text/plain", form.Encode()},
		"JSON":                       {"application/json", string(asJSON)},
		"form with JSON":             {formType, string(asJSON)},
		"multipart":                  {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nauthorization_code\r\n--x--\r\n"},
		"multipart without boundary": {"multipart/form-data", form.Encode()},
		"multipart with the form":    {"multipart/form-data; boundary=x", form.Encode()},
		"longer":                     {formType + "2", form.Encode()},
		"XML":                        {"application/xml", "<code/>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.sendRaw(t, tokenPath, tt.body, "Content-Type", tt.contentType)
			refused(t, r, r.StatusCode, "invalid_request", "invalid_client")
			require.Contains(t, []int{400, 401, 415}, r.StatusCode)
		})
	}
	t.Run("two", func(t *testing.T) {
		header := http.Header{"Content-Type": {formType, "application/json"}}
		refused(t, h.do(t, "POST", tokenPath, header, form.Encode()), 400, "invalid_request")
	})
	granted(t, h.send(t, tokenPath, form))
	for _, contentType := range []string{formType, formType + "; charset=UTF-8", formType + ";charset=utf-8", "Application/X-WWW-Form-URLEncoded"} {
		granted(t, h.send(t, tokenPath, c.redemption(c.code(t)), "Content-Type", contentType))
	}
}

// RFC 6749 section 5.2: a missing grant_type is invalid_request, and one that
// is not offered is unsupported_grant_type. RFC 9700 section 2.4: the password
// grant must not be used.
func TestTokenGrantType(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	refused(t, h.send(t, tokenPath, c.redemption(code, "grant_type", omit)), 400, "invalid_request")
	for _, grantType := range []string{
		"password", "client_credentials", "implicit", "token", "Authorization_Code", "AUTHORIZATION_CODE", "authorization_code ", " authorization_code",
		"authorization_code refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"urn:ietf:params:oauth:grant-type:token-exchange", "__refreshing", "__implicit", strings.Repeat("a", 5000),
	} {
		t.Run(grantType[:min(len(grantType), 50)], func(t *testing.T) {
			form := c.redemption(code, "grant_type", grantType, "username", "ada", "password", "x")
			refused(t, h.send(t, tokenPath, form), 400, "unsupported_grant_type")
		})
	}
	granted(t, h.send(t, tokenPath, c.redemption(code)))
}

// RFC 6749 section 3.2: parameters must not be included more than once.
func TestTokenParameterTwice(t *testing.T) {
	h := newHost(t)
	public, c := h.public(), h.confidential()
	refresh := c.tokens(t).Refresh
	forms := map[string]url.Values{
		"public code": public.redemption(public.code(t)), "code": c.redemption(c.code(t)), "refresh": c.refreshing(refresh, "scope", "profile"),
	}
	for name, form := range forms {
		for parameter := range form {
			for kind, second := range map[string]string{"equal": form.Get(parameter), "different": "x"} {
				t.Run(name+" "+parameter+" "+kind, func(t *testing.T) {
					twice := params(form)
					twice.Add(parameter, second)
					r := h.send(t, tokenPath, twice)
					refused(t, r, r.StatusCode, "invalid_request")
					require.Equal(t, 400, r.StatusCode)
				})
			}
		}
	}
	for _, form := range forms { // Nothing was spent.
		granted(t, h.send(t, tokenPath, form))
	}
}

// RFC 6749 section 3.2: unrecognized parameters must be ignored.
func TestTokenIgnoresUnknownParameters(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := granted(t, h.send(t, tokenPath, c.redemption(c.code(t), "audience", "x", "response_type", "token", "access_token", "x", "state", "s", "user_id", "user_eve")))
	require.Equal(t, user, object(t, h.bearer(t, userInfoPath, tokens.Access))["sub"])
	refresh := c.tokens(t).Refresh
	for _, unknown := range unreadable {
		refresh = granted(t, h.sendRaw(t, tokenPath, unknown+"&"+c.refreshing(refresh).Encode()+"&"+unknown)).Refresh
	}
}

// RFC 6749 section 3.2: unrecognized parameters must be ignored, even those
// that an extension lets a client repeat, such as resource for resource
// indicators.
func TestTokenIgnoresRepeatedUnknownParameters(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	form := c.redemption(c.code(t))
	form["resource"] = []string{"https://api.example.com/", "https://files.example.com/"}
	form["audience"] = []string{"x", "y"}
	granted(t, h.send(t, tokenPath, form))
}

// RFC 6749 section 3.2: parameters sent without a value are treated as if they
// were omitted.
func TestTokenParameterWithoutValueIsOmitted(t *testing.T) {
	h := newHost(t)
	c, public := h.confidential(), h.public()
	code := c.code(t)
	for _, name := range []string{"grant_type", "code"} {
		refused(t, h.send(t, tokenPath, c.redemption(code, name, "")), 400, "invalid_request")
		refused(t, h.send(t, tokenPath, c.redemption(code, name, omit)), 400, "invalid_request")
	}
	refused(t, h.send(t, tokenPath, c.redemption(code, "redirect_uri", "")), 400, "invalid_grant", "invalid_request")
	for _, name := range []string{"client_id", "client_secret"} {
		refused(t, h.send(t, tokenPath, c.redemption(code, name, "")), 401, "invalid_client")
	}
	refused(t, h.send(t, tokenPath, c.refreshing("")), 400, "invalid_request")
	tokens := granted(t, h.send(t, tokenPath, c.redemption(code, "code_verifier", "", "scope", "", "unknown", "")))
	require.ElementsMatch(t, []string{"profile", "email"}, splitScope(granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh, "scope", ""))).Scope))
	granted(t, h.send(t, tokenPath, public.redemption(public.code(t), "client_secret", "")))
	t.Run("header", func(t *testing.T) {
		granted(t, h.send(t, tokenPath, c.redemption(c.code(t), "client_id", "", "client_secret", ""), "Authorization", c.basic()))
	})
}

// RFC 6749 section 1.9: parameter names and values are case sensitive.
func TestTokenParameterNamesAreCaseSensitive(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	for name := range c.redemption(code) {
		t.Run(name, func(t *testing.T) {
			form := c.redemption(code)
			form[strings.ToUpper(name)] = form[name]
			form.Del(name)
			r := h.send(t, tokenPath, form)
			refused(t, r, r.StatusCode, "invalid_request", "invalid_client", "invalid_grant")
		})
	}
	refused(t, h.send(t, tokenPath, c.redemption(swapCase(code))), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, c.redemption(code, "client_secret", swapCase(c.secret))), 401, "invalid_client")
	refused(t, h.send(t, tokenPath, c.redemption(code, "client_id", swapCase(c.ClientID))), 401, "invalid_client")
	granted(t, h.send(t, tokenPath, c.redemption(code)))
}

// RFC 6749 section 2.3.1: the server must support HTTP Basic authentication,
// with a case-insensitive scheme and form-encoded credentials. It may support
// credentials in the body.
func TestTokenClientAuthentication(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	escaped := func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		pairs  []string
		header string
	}{
		"body":                        {nil, omit},
		"header":                      {[]string{"client_id", omit, "client_secret", omit}, c.basic()},
		"header and id":               {[]string{"client_secret", omit}, c.basic()},
		"lower case scheme":           {[]string{"client_id", omit, "client_secret", omit}, strings.Replace(c.basic(), "Basic", "basic", 1)},
		"upper case scheme":           {[]string{"client_id", omit, "client_secret", omit}, strings.Replace(c.basic(), "Basic", "BASIC", 1)},
		"escaped where it needs not":  {[]string{"client_id", omit, "client_secret", omit}, "Basic " + base64.StdEncoding.EncodeToString([]byte(escaped(c.ClientID)+":"+escaped(c.secret)))},
		"several spaces after scheme": {[]string{"client_id", omit, "client_secret", omit}, strings.Replace(c.basic(), " ", "  ", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			granted(t, h.send(t, tokenPath, c.redemption(c.code(t), tt.pairs...), "Authorization", tt.header))
		})
	}
	t.Run("a secret of any characters", func(t *testing.T) {
		const secret = "p+ss w%rd:ü"
		kept, err := store.ParseSecretHash("$2a$04$.IFANJKCA68nx3rPah5P/OHsIQZRwhY.jFTHtj4nCiIIK4ggLph06")
		require.NoError(t, err)
		app, err := h.ImportApplication(t.Context(), "legacy:client", provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}}, kept)
		require.NoError(t, err)
		c := &client{app, secret, h}
		granted(t, h.send(t, tokenPath, c.redemption(c.code(t))))
		granted(t, h.send(t, tokenPath, c.redemption(c.code(t), "client_id", omit, "client_secret", omit), "Authorization", c.basic()))
	})
}

// RFC 6749 section 2.3: the client must not authenticate in more than one way,
// and section 5.2 calls that invalid_request. Some clients always do. If both
// ways say the same, they are accepted.
func TestTokenTwoAuthentications(t *testing.T) {
	h := newHost(t)
	c, other, public := h.confidential(), h.confidential(), h.public()
	code := c.code(t)
	for name, form := range map[string]url.Values{
		"wrong secret in body": c.redemption(code, "client_secret", "x"), "other client in body": c.redemption(code, "client_id", other.ClientID, "client_secret", other.secret),
		"wrong secret alone in body": c.redemption(code, "client_id", omit, "client_secret", other.secret), "cut secret in body": c.redemption(code, "client_secret", c.secret[1:]),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.send(t, tokenPath, form, "Authorization", c.basic()), 400, "invalid_request")
		})
	}
	t.Run("another id in body", func(t *testing.T) {
		form := c.redemption(code, "client_id", other.ClientID, "client_secret", omit)
		refused(t, h.send(t, tokenPath, form, "Authorization", c.basic()), 400, "invalid_request")
	})
	t.Run("a public id in body", func(t *testing.T) {
		form := public.redemption(public.code(t))
		refused(t, h.send(t, tokenPath, form, "Authorization", c.basic()), 400, "invalid_request")
	})
	t.Run("two headers", func(t *testing.T) {
		header := http.Header{"Content-Type": {formType}, "Authorization": {c.basic(), c.basic()}}
		r := h.do(t, "POST", tokenPath, header, c.redemption(code, "client_id", omit, "client_secret", omit).Encode())
		refused(t, r, 400, "invalid_request")
	})
	wrong := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ClientID+":x"))
	refused(t, h.send(t, tokenPath, c.redemption(code, "client_secret", "x"), "Authorization", wrong), 401, "invalid_client")
	granted(t, h.send(t, tokenPath, c.redemption(code), "Authorization", c.basic()))
	granted(t, h.send(t, tokenPath, c.redemption(c.code(t), "client_id", omit), "Authorization", c.basic()))
}

// RFC 6749 section 5.2: failed client authentication is invalid_client with
// 401, and names the scheme if the client used the Authorization header.
// Otherwise it doesn't, because a browser would ask its user for a password. It
// spends nothing.
func TestTokenInvalidClient(t *testing.T) {
	h := newHost(t)
	c, other, public := h.confidential(), h.confidential(), h.public()
	code := c.code(t)
	none := []string{"client_id", omit, "client_secret", omit}
	encode := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, tt := range map[string]struct {
		pairs  []string
		header string
	}{
		"nothing":                     {none, omit},
		"id alone":                    {[]string{"client_secret", omit}, omit},
		"empty secret":                {[]string{"client_secret", ""}, omit},
		"secret alone":                {[]string{"client_id", omit}, omit},
		"wrong secret":                {[]string{"client_secret", "x"}, omit},
		"cut secret":                  {[]string{"client_secret", c.secret[:len(c.secret)-1]}, omit},
		"longer secret":               {[]string{"client_secret", c.secret + "x"}, omit},
		"space after secret":          {[]string{"client_secret", c.secret + " "}, omit},
		"another's secret":            {[]string{"client_secret", other.secret}, omit},
		"unknown client":              {[]string{"client_id", "nobody"}, omit},
		"unknown client alone":        {[]string{"client_id", "nobody", "client_secret", omit}, omit},
		"public client with a secret": {[]string{"client_id", public.ClientID}, omit},
		"huge secret":                 {[]string{"client_secret", strings.Repeat("x", 4000)}, omit},
		"header, wrong secret":        {none, encode(c.ClientID + ":x")},
		"header, empty secret":        {none, encode(c.ClientID + ":")},
		"header, unknown client":      {none, encode("nobody:" + c.secret)},
		"header, no colon":            {none, encode(c.ClientID)},
		"header, empty":               {none, encode(":")},
		"header, no base64":           {none, "Basic !!!"},
		"header, no credentials":      {none, "Basic"},
		"header, bad escape":          {none, encode(c.ClientID + ":%zz")},
		"header, not UTF-8":           {none, encode("\xff:\xfe")},
		"header, NUL":                 {none, encode(c.ClientID + ":" + c.secret + "\x00")},
		"header, another scheme":      {none, "Digest username=x"},
		"header, Bearer":              {none, "Bearer " + c.secret},
		"header, credentials swapped": {none, encode(c.secret + ":" + c.ClientID)},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, tokenPath, c.redemption(code, tt.pairs...), "Authorization", tt.header)
			refused(t, r, 401, "invalid_client")
			if !strings.HasPrefix(tt.header, "Basic") {
				require.Empty(t, r.Header.Values("WWW-Authenticate"))
				return
			}
			require.Equal(t, map[string]string{"realm": h.url}, challenged(t, r, "Basic"))
		})
	}
	granted(t, h.send(t, tokenPath, c.redemption(code)))
}

// RFC 6749 section 5.2: an unknown client and a wrong secret give the same
// error, so that it doesn't reveal which clients exist.
func TestTokenDoesNotTellWhichClientsExist(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	known := h.send(t, tokenPath, c.redemption("x", "client_secret", "x"))
	unknown := h.send(t, tokenPath, c.redemption("x", "client_secret", "x", "client_id", "nobody"))
	require.Equal(t, known.body, unknown.body)
	require.Equal(t, known.StatusCode, unknown.StatusCode)
}

// RFC 6749 section 2.1 and RFC 7636 section 4.5: a public application sends its
// ID and its verifier. Some clients send an empty secret too.
func TestTokenPublicClient(t *testing.T) {
	h := newHost(t)
	c := h.public()
	empty := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ClientID+":"))
	granted(t, h.send(t, tokenPath, c.redemption(c.code(t))))
	granted(t, h.send(t, tokenPath, c.redemption(c.code(t), "client_secret", "")))
	granted(t, h.send(t, tokenPath, c.redemption(c.code(t), "client_id", omit), "Authorization", empty))
	r := h.send(t, tokenPath, c.redemption(c.code(t), "client_id", omit))
	refused(t, r, 401, "invalid_client")
}

// RFC 6749 section 4.1.3: if redirect_uri was in the authorization request, it
// is required here and must be identical.
func TestCodeIsBoundToRedirectURI(t *testing.T) {
	h := newHost(t)
	c := h.register(t, provider.ApplicationSettings{}, callback, callback+"2")
	for name, uri := range map[string]string{
		"missing": omit, "another registered": callback + "2", "slash": callback + "/", "case": strings.ToUpper(callback), "unknown": "https://evil.example/",
		"query": callback + "?", "space": callback + " ", "escaped twice": url.QueryEscape(callback),
	} {
		t.Run(name, func(t *testing.T) {
			code := c.code(t)
			refused(t, h.send(t, tokenPath, c.redemption(code, "redirect_uri", uri)), 400, "invalid_grant", "invalid_request")
			granted(t, h.send(t, tokenPath, c.redemption(code))) // Nothing was spent.
		})
	}
	t.Run("left out of both", func(t *testing.T) {
		one := h.confidential()
		granted(t, h.send(t, tokenPath, one.redemption(one.code(t, "redirect_uri", omit), "redirect_uri", omit)))
	})
	t.Run("left out of the first", func(t *testing.T) {
		one := h.confidential()
		code := one.code(t, "redirect_uri", omit)
		refused(t, h.send(t, tokenPath, one.redemption(code, "redirect_uri", "https://evil.example/")), 400, "invalid_grant")
		granted(t, h.send(t, tokenPath, one.redemption(code)))
	})
	t.Run("left out of the second, as OAuth 2.1 has it, with PKCE", func(t *testing.T) {
		code := c.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
		granted(t, h.send(t, tokenPath, c.redemption(code, "redirect_uri", omit, "code_verifier", verifier)))
	})
}

// RFC 6749 section 4.1.3: the code must have been issued to the client that
// redeems it.
func TestCodeIsBoundToClient(t *testing.T) {
	h := newHost(t)
	c, other, public, public2 := h.confidential(), h.confidential(), h.public(), h.public()
	code, publicCode := c.code(t), public.code(t)
	refused(t, h.send(t, tokenPath, other.redemption(code)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, public.redemption(code, "code_verifier", omit)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, public2.redemption(publicCode)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, other.redemption(publicCode, "code_verifier", verifier)), 400, "invalid_grant")
	granted(t, h.send(t, tokenPath, c.redemption(code))) // Nothing was spent.
	granted(t, h.send(t, tokenPath, public.redemption(publicCode)))
}

// RFC 6749 sections 4.1.3 and 5.2: a value that isn't a code is invalid_grant.
func TestCodeThatIsNone(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	tokens := c.tokens(t)
	for name, s := range map[string]string{
		"unknown": "x", "cut": code[:len(code)-1], "longer": code + "x", "space after": code + " ", "space before": " " + code, "NUL": code + "\x00",
		"newline": code + "\n", "case": swapCase(code), "access token": tokens.Access, "refresh token": tokens.Refresh, "huge": strings.Repeat("a", 100000),
		"not UTF-8": "\xff\xfe", "SQL": "' OR 1=1 --", "one letter": flip(code),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.send(t, tokenPath, c.redemption(s)), 400, "invalid_grant", "invalid_request")
		})
	}
	granted(t, h.send(t, tokenPath, c.redemption(code)))
	require.True(t, h.works(t, tokens.Access))
}

// flip changes the last letter of a token.
func flip(s string) string {
	last := byte('A')
	if s[len(s)-1] == last {
		last = 'B'
	}
	return s[:len(s)-1] + string(last)
}

// RFC 7636 appendix B: the example's verifier redeems a code that was requested
// with the example's challenge.
func TestVerifierOfTheExample(t *testing.T) {
	h := newHost(t)
	for _, c := range []*client{h.public(), h.confidential()} {
		code := c.code(t, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256")
		granted(t, h.send(t, tokenPath, c.redemption(code, "code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")))
	}
}

// RFC 7636 section 4.6: a verifier that does not match is invalid_grant, and so
// is a missing one (RFC 9700 section 2.1.1). The code is not spent.
func TestCodeIsBoundToVerifier(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"public": h.public(), "confidential": h.confidential()} {
		for name, v := range map[string]string{
			"missing": omit, "empty": "", "the challenge": challenge, "case": swapCase(verifier), "one letter": flip(verifier), "space after": verifier + " ",
			"another": strings.Repeat("a", 43), "padded": verifier + "=", "newline": verifier + "\n",
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				code := c.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
				r := h.send(t, tokenPath, c.redemption(code, "code_verifier", v))
				refused(t, r, 400, "invalid_grant", "invalid_request")
				granted(t, h.send(t, tokenPath, c.redemption(code, "code_verifier", verifier)))
			})
		}
	}
}

// RFC 7636 section 4.1: a verifier has 43 to 128 unreserved characters.
func TestVerifierSyntax(t *testing.T) {
	h := newHost(t)
	c := h.public()
	for name, tt := range map[string]struct {
		verifier string
		good     bool
	}{
		"43":          {strings.Repeat("a", 43), true},
		"128":         {strings.Repeat("a", 128), true},
		"punctuation": {strings.Repeat("-._~", 11), true},
		"42":          {strings.Repeat("a", 42), false},
		"129":         {strings.Repeat("a", 129), false},
		"plus":        {strings.Repeat("a", 43) + "+", false},
		"slash":       {strings.Repeat("a", 43) + "/", false},
		"equals":      {strings.Repeat("a", 43) + "=", false},
		"space":       {strings.Repeat("a", 43) + " ", false},
		"not ASCII":   {strings.Repeat("é", 30), false},
		"one":         {"a", false},
	} {
		t.Run(name, func(t *testing.T) {
			sum := sha256.Sum256([]byte(tt.verifier))
			code := c.code(t, "code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
			r := h.send(t, tokenPath, c.redemption(code, "code_verifier", tt.verifier))
			if tt.good {
				granted(t, r)
			} else {
				refused(t, r, 400, "invalid_grant", "invalid_request")
			}
		})
	}
}

// RFC 9700 section 4.8.2: a verifier without a challenge is refused.
func TestVerifierWithoutChallenge(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	refused(t, h.send(t, tokenPath, c.redemption(code, "code_verifier", verifier)), 400, "invalid_grant", "invalid_request")
	granted(t, h.send(t, tokenPath, c.redemption(code)))
}

// RFC 6749 section 4.1.2: a code must not be used more than once; if it is, the
// tokens issued on it should be revoked. Another client's use of it ends nothing.
func TestCodeReplay(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	tokens := granted(t, h.send(t, tokenPath, c.redemption(code)))
	refused(t, h.send(t, tokenPath, h.confidential().redemption(code)), 400, "invalid_grant")
	require.True(t, h.works(t, tokens.Access))
	refused(t, h.send(t, tokenPath, c.redemption(code)), 400, "invalid_grant")
	require.False(t, h.works(t, tokens.Access))
	refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)), 400, "invalid_grant")
}

// RFC 6749 section 4.1.2: a replay also counts after a refresh, and ends only
// that sign-in.
func TestCodeReplayAfterRefresh(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	bystander := c.tokens(t)
	code := c.code(t)
	first := granted(t, h.send(t, tokenPath, c.redemption(code)))
	second := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
	refused(t, h.send(t, tokenPath, c.redemption(code)), 400, "invalid_grant")
	require.False(t, h.works(t, first.Access))
	require.False(t, h.works(t, second.Access))
	refused(t, h.send(t, tokenPath, c.refreshing(second.Refresh)), 400, "invalid_grant")
	require.True(t, h.works(t, bystander.Access))
}

// RFC 6749 sections 4.1.2 and 10.5: of many concurrent redemptions exactly one
// succeeds. The others are replays, so nothing of that sign-in works
// afterwards.
func TestCodeRedeemedInParallel(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			form := c.redemption(c.code(t))
			replies := together(64, func() reply { return h.send(fatal{}, tokenPath, form) })
			var won []tokens
			for _, r := range replies {
				if r.StatusCode == http.StatusOK {
					won = append(won, granted(t, r))
				} else {
					refused(t, r, 400, "invalid_grant")
				}
			}
			require.Len(t, won, 1)
			require.False(t, h.works(t, won[0].Access))
			refused(t, h.send(t, tokenPath, c.refreshing(won[0].Refresh)), 400, "invalid_grant")
			require.Empty(t, c.grants(t))
		})
	}
}

// together calls f n times concurrently.
func together(n int, f func() reply) []reply {
	replies, start := make([]reply, n), make(chan struct{})
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() {
			<-start
			replies[i] = f()
		})
	}
	close(start)
	wg.Wait()
	return replies
}

// RFC 6749 section 6 and RFC 9700 section 4.14.2: refresh tokens rotate, and
// the new pair works.
func TestRefresh(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			last := c.tokens(t)
			for range 3 {
				next := granted(t, h.send(t, tokenPath, c.refreshing(last.Refresh)))
				require.NotEqual(t, last.Refresh, next.Refresh)
				require.NotEqual(t, last.Access, next.Access)
				require.Equal(t, "Bearer", next.Type)
				require.Equal(t, 7200, next.ExpiresIn)
				require.Equal(t, last.Scope, next.Scope)
				require.True(t, h.works(t, next.Access))
				require.True(t, h.works(t, last.Access), "it lives until it expires")
				last = next
			}
		})
	}
}

// RFC 9700 section 4.14.2: a refresh token that is used again after its
// successor was issued ends the sign-in, once the grace for retries is over.
func TestRefreshTokenReuse(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			bystander, first := c.tokens(t), c.tokens(t)
			second := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
			h.clock.Add(30*time.Second + time.Microsecond)
			refused(t, h.send(t, tokenPath, c.refreshing(first.Refresh)), 400, "invalid_grant")
			require.False(t, h.works(t, first.Access))
			require.False(t, h.works(t, second.Access))
			refused(t, h.send(t, tokenPath, c.refreshing(second.Refresh)), 400, "invalid_grant")
			require.True(t, h.works(t, bystander.Access))
		})
	}
}

// RFC 9700 section 4.14.2: within the grace, every token of the chain gets the
// current pair, so that only one chain exists. Afterwards an old one ends the
// sign-in, whether the newer ones were used or not.
func TestOldRefreshTokensGetTheCurrentPair(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			pairs := []tokens{c.tokens(t)}
			for range 3 {
				h.clock.Add(5 * time.Second)
				pairs = append(pairs, granted(t, h.send(t, tokenPath, c.refreshing(pairs[len(pairs)-1].Refresh))))
			}
			current := pairs[3]
			for _, old := range pairs[:3] {
				again := granted(t, h.send(t, tokenPath, c.refreshing(old.Refresh)))
				require.Equal(t, []string{current.Access, current.Refresh}, []string{again.Access, again.Refresh})
			}
			h.clock.Add(20*time.Second + time.Microsecond)
			refused(t, h.send(t, tokenPath, c.refreshing(pairs[0].Refresh)), 400, "invalid_grant")
			require.False(t, h.works(t, current.Access))
			refused(t, h.send(t, tokenPath, c.refreshing(current.Refresh)), 400, "invalid_grant")
		})
	}
}

// RFC 9700 section 4.14.2: with the shortest grace, every reuse ends the
// sign-in.
func TestRefreshTokenReuseWithoutGrace(t *testing.T) {
	h := newHostWith(t, func(cfg *provider.Config) { cfg.Lifetimes.Grace = time.Nanosecond })
	c := h.confidential()
	first := c.tokens(t)
	second := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
	h.clock.Add(time.Microsecond)
	refused(t, h.send(t, tokenPath, c.refreshing(first.Refresh)), 400, "invalid_grant")
	require.False(t, h.works(t, second.Access))
	refused(t, h.send(t, tokenPath, c.refreshing(second.Refresh)), 400, "invalid_grant")
}

// RFC 6749 section 10.4 and RFC 9700 section 4.14.2: many concurrent refreshes
// with one token leave one chain: each gets the same pair.
func TestRefreshInParallel(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"confidential": h.confidential(), "public": h.public()} {
		t.Run(kind, func(t *testing.T) {
			form := c.refreshing(c.tokens(t).Refresh)
			replies := together(64, func() reply { return h.send(fatal{}, tokenPath, form) })
			first := granted(t, replies[0])
			for _, r := range replies {
				require.Equal(t, replies[0].body, r.body)
			}
			require.True(t, h.works(t, first.Access))
			next := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
			require.True(t, h.works(t, next.Access))
		})
	}
}

// RFC 6749 sections 6 and 3.3: a refresh may ask for less, and never gets more
// than was granted. Many libraries repeat their first request each time, no
// matter what the user granted. They get the granted scopes, and the answer
// says so. Only if none is left, or the scope is malformed, is the request
// refused.
func TestRefreshScope(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, tt := range map[string]struct{ scope, granted string }{
		"left out": {omit, "profile email"}, "all": {"email profile", "profile email"}, "less": {"profile", "profile"}, "with OpenID's": {"openid profile offline_access", "profile"},
		"more": {"profile email notes:read", "profile email"}, "less and more": {"admin notes:read email", "email"}, "spaces": {" email   profile ", "profile email"},
		"only OpenID's": {"openid", "profile email"}, "only offline": {"offline_access", "profile email"},
	} {
		t.Run(name, func(t *testing.T) {
			next := granted(t, h.send(t, tokenPath, c.refreshing(c.tokens(t).Refresh, "scope", tt.scope)))
			require.Equal(t, tt.granted, next.Scope)
			document := object(t, h.bearer(t, userInfoPath, next.Access))
			require.Equal(t, slices.Contains(splitScope(tt.granted), "email"), document["email"] != nil)
			require.Equal(t, "profile email", granted(t, h.send(t, tokenPath, c.refreshing(next.Refresh))).Scope)
		})
	}
	for name, scope := range map[string]string{
		"other": "notes:read", "unknown": "admin", "case": "PROFILE", "malformed": `"profile"`, "one malformed": `profile "email"`, "tab": "profile\temail", "newline": "profile email\n",
	} {
		t.Run(name, func(t *testing.T) {
			refresh := c.tokens(t).Refresh
			refused(t, h.send(t, tokenPath, c.refreshing(refresh, "scope", scope)), 400, "invalid_scope")
			granted(t, h.send(t, tokenPath, c.refreshing(refresh)))
		})
	}
}

// OpenID Connect Core section 11: offline_access is the scope of a refresh
// token. Because there always is a refresh token, every client that asks for
// the scope gets it, without consent. It gives no access.
func TestOfflineAccess(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	first := c.tokens(t, "scope", "offline_access profile email")
	require.Equal(t, "profile email offline_access", first.Scope)
	require.Equal(t, "profile email offline_access", object(t, h.send(t, introspectPath, c.withID("token", first.Access)))["scope"])
	again := granted(t, h.send(t, tokenPath, c.refreshing(first.Refresh)))
	require.Equal(t, first.Scope, again.Scope)
	for asked, want := range map[string]string{
		"offline_access email": "email offline_access", "profile": "profile", "offline_access": first.Scope, "openid offline_access profile notes:read": "profile offline_access",
	} {
		again = granted(t, h.send(t, tokenPath, c.refreshing(again.Refresh, "scope", asked)))
		require.Equal(t, want, again.Scope, asked)
	}
	none := c.tokens(t, "scope", "profile")
	require.Equal(t, "profile", granted(t, h.send(t, tokenPath, c.refreshing(none.Refresh, "scope", "profile offline_access"))).Scope, "a refresh adds nothing")
}

// RFC 6749 section 6: the new refresh token has the scope of the old one, even
// after a refresh with less.
func TestRefreshKeepsTheScopeOfTheRefreshToken(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	narrow := granted(t, h.send(t, tokenPath, c.refreshing(c.tokens(t).Refresh, "scope", "profile")))
	require.Equal(t, "profile", narrow.Scope)
	require.NotContains(t, object(t, h.bearer(t, userInfoPath, narrow.Access)), "email")
	full := granted(t, h.send(t, tokenPath, c.refreshing(narrow.Refresh)))
	require.ElementsMatch(t, []string{"profile", "email"}, splitScope(full.Scope))
}

// RFC 6749 sections 6 and 10.4: a refresh token is bound to its client, which
// must authenticate.
func TestRefreshIsBoundToClient(t *testing.T) {
	h := newHost(t)
	c, other, public := h.confidential(), h.confidential(), h.public()
	tokens := c.tokens(t)
	refused(t, h.send(t, tokenPath, other.refreshing(tokens.Refresh)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, public.refreshing(tokens.Refresh)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh, "client_secret", omit)), 401, "invalid_client")
	refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh, "client_secret", "x")), 401, "invalid_client")
	refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh, "client_id", omit, "client_secret", omit)), 401, "invalid_client")
	refused(t, h.send(t, tokenPath, other.refreshing(public.tokens(t).Refresh)), 400, "invalid_grant")
	granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
}

// RFC 6749 sections 1.5 and 5.2: a value that isn't a refresh token doesn't
// refresh.
func TestRefreshTokenThatIsNone(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := c.tokens(t)
	for name, s := range map[string]string{
		"unknown": "x", "access token": tokens.Access, "code": c.code(t), "cut": tokens.Refresh[1:], "one letter": flip(tokens.Refresh), "space": tokens.Refresh + " ", "case": swapCase(tokens.Refresh),
		"NUL": tokens.Refresh + "\x00", "huge": strings.Repeat("a", 100000), "not UTF-8": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.send(t, tokenPath, c.refreshing(s)), 400, "invalid_grant", "invalid_request")
		})
	}
	granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
}

// RFC 9700 section 4.14.2: refresh tokens expire when they are not used.
func TestRefreshTokenExpires(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens := c.tokens(t)
	for range 3 {
		h.clock.Add(72*time.Hour - time.Microsecond)
		tokens = granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
	}
	h.clock.Add(72 * time.Hour)
	refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)), 400, "invalid_grant")
}

// RFC 6749 section 10.4: a revoked sign-in is not refreshed, nor is that of a
// deleted user.
func TestRefreshOfWhatWasRevoked(t *testing.T) {
	var mu sync.Mutex
	gone := false
	h := newHostWith(t, func(cfg *provider.Config) {
		users := cfg.Users
		cfg.Users = func(ctx context.Context, id string) (userinfo.User, error) {
			mu.Lock()
			defer mu.Unlock()
			if gone {
				return userinfo.User{}, userinfo.ErrNotFound
			}
			return users(ctx, id)
		}
	})
	c := h.confidential()
	one, another := c.tokens(t), c.tokens(t)
	grants := c.grants(t)
	require.Len(t, grants, 2)
	require.NoError(t, h.RevokeGrants(context.Background(), provider.GrantFilter{ID: grants[0].ID}))
	left := 0
	for _, tokens := range []tokens{one, another} {
		if r := h.send(t, tokenPath, c.refreshing(tokens.Refresh)); r.StatusCode == http.StatusOK {
			left++
		} else {
			refused(t, r, 400, "invalid_grant")
		}
	}
	require.Equal(t, 1, left)
	last := c.tokens(t)
	mu.Lock()
	gone = true
	mu.Unlock()
	refused(t, h.send(t, tokenPath, c.refreshing(last.Refresh)), 400, "invalid_grant")
}

// RFC 6749 section 5.2: a deleted client is unknown.
func TestTokenDeletedClient(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	tokens, code := c.tokens(t), c.code(t)
	require.NoError(t, h.DeleteApplication(context.Background(), c.ID))
	refused(t, h.send(t, tokenPath, c.redemption(code)), 401, "invalid_client")
	refused(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)), 401, "invalid_client")
	require.False(t, h.works(t, tokens.Access))
	onPage(t, h.visit(t, c.request().Encode()))
}

// RFC 6749 section 5.2: a malformed request is invalid_request.
func TestTokenMalformedBody(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	form := c.redemption(c.code(t)).Encode()
	for name, body := range map[string]string{
		"empty": "", "separators": "&&&", "bad escape": form + "&scope=%zz", "cut escape": form + "%", "semicolon": strings.ReplaceAll(form, "&", ";"),
		"JSON": `{"grant_type":"authorization_code"}`, "no names": "=a&=b", "NUL": "\x00\x00", "bytes": "\xff\xfe\xfd",
		"NUL in a parameter": form + "&scope=%00", "not UTF-8 in a parameter": form + "&resource=%ff", "long value": form + "&scope=" + strings.Repeat("x", 8<<10+1),
	} {
		t.Run(name, func(t *testing.T) {
			r := h.sendRaw(t, tokenPath, body)
			refused(t, r, r.StatusCode, "invalid_request", "invalid_client")
			require.Contains(t, []int{400, 401}, r.StatusCode)
		})
	}
	granted(t, h.sendRaw(t, tokenPath, form))
}

// RFC 9110 section 15.5.14: a body that is too large is refused.
func TestTokenHugeBody(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	for name, form := range map[string]url.Values{
		"one value": c.redemption(code, "x", strings.Repeat("a", 2<<20)), "code": c.redemption(strings.Repeat("a", 2<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, tokenPath, form)
			refused(t, r, 413, "invalid_request")
		})
	}
	granted(t, h.send(t, tokenPath, c.redemption(code)))
}

// RFC 9110 section 8.6: a body may come in chunks, without Content-Length.
func TestTokenChunkedBody(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	body := io.MultiReader(strings.NewReader(c.redemption(c.code(t)).Encode()), strings.NewReader(""))
	r, err := http.NewRequest("POST", h.url+tokenPath, struct{ io.Reader }{body})
	require.NoError(t, err)
	r.Header.Set("Content-Type", formType)
	response, err := h.http.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// RFC 6749 section 3.2: a path below the endpoint is not the endpoint.
func TestTokenPathIsExact(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	form := c.redemption(c.code(t))
	for _, path := range []string{tokenPath + "/", tokenPath + "/x", "/OAuth/Token", "/oauth//token", "/oauth/token%20", "/oauth/./token"} {
		r := h.send(t, path, form)
		require.NotEqual(t, http.StatusOK, r.StatusCode, path)
		require.Less(t, r.StatusCode, 500)
		require.NotContains(t, r.body, "access_token")
	}
}

// RFC 9700 section 2.6: the token endpoint may support CORS. It does so
// without credentials, and for errors too.
func TestTokenCORS(t *testing.T) {
	h := newHost(t)
	c := h.public()
	for name, form := range map[string]url.Values{"good": c.redemption(c.code(t)), "bad": c.redemption("x"), "no client": {}} {
		t.Run(name, func(t *testing.T) {
			anyOrigin(t, h.send(t, tokenPath, form, "Origin", "https://spa.example.com"))
		})
	}
	preflight(t, h, tokenPath, "POST")
}

// anyOrigin checks that scripts of every origin may read r, without cookies.
func anyOrigin(t testing.TB, r reply) {
	t.Helper()
	require.Equal(t, []string{"*"}, r.Header.Values("Access-Control-Allow-Origin"))
	require.NotContains(t, r.Header, "Access-Control-Allow-Credentials")
	require.Contains(t, strings.ToLower(r.Header.Get("Access-Control-Expose-Headers")), "www-authenticate")
}

// preflight checks that scripts of every origin may send what clients send.
func preflight(t testing.TB, h *host, path, method string) {
	t.Helper()
	r := h.do(t, "OPTIONS", path, http.Header{
		"Origin": {"https://spa.example.com"}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {"authorization,content-type,mcp-protocol-version,x-requested-with"},
	}, "")
	require.Contains(t, []int{200, 204}, r.StatusCode)
	require.Empty(t, r.body)
	anyOrigin(t, r)
	require.Contains(t, r.Header.Get("Access-Control-Allow-Methods"), method)
	// The Fetch standard, section 4.8: without credentials the asterisk is every
	// header but Authorization.
	allowed := strings.Split(strings.ToLower(r.Header.Get("Access-Control-Allow-Headers")), ", ")
	require.Subset(t, allowed, []string{"*", "authorization", "content-type", "mcp-protocol-version"})
}

// RFC 6749 sections 10.3, 10.4 and 10.5: no error contains secrets, codes, or
// tokens.
func TestTokenErrorsTellNoSecrets(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	for name, form := range map[string]url.Values{
		"wrong client": h.confidential().redemption(code), "redirect": c.redemption(code, "redirect_uri", "https://evil.example/"), "type": c.redemption(code, "grant_type", c.secret),
		"refresh": c.refreshing(code), "secret": c.redemption(code, "client_id", c.secret), "scope": c.refreshing(code, "scope", c.secret),
	} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, tokenPath, form)
			require.GreaterOrEqual(t, r.StatusCode, 400)
			require.NotContains(t, r.body, c.secret)
			require.NotContains(t, r.body, code)
			require.NotContains(t, r.body, "evil.example")
		})
	}
}

// RFC 6749 section 3.3: a grant has only scopes that the application may have
// at that time. Scopes that were taken away are not granted again.
func TestScopesTakenAwayAreNotGrantedAgain(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	c.code(t, "scope", "profile email")
	_, err := h.UpdateApplication(context.Background(), c.ID, func(app *provider.ApplicationSettings) error {
		app.Scopes = scopes.New("profile")
		return nil
	})
	require.NoError(t, err)
	c.sentBack(t, h.visit(t, c.request().Encode()), "invalid_scope")
}
