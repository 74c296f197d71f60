package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// RFC 6749 section 3.1: the authorization endpoint must support GET.
func TestAuthorizeAnswersGet(t *testing.T) {
	h := newHost(t)
	require.NotEmpty(t, h.confidential().code(t))
}

// RFC 6749 section 3.1: the endpoint may support POST, which must mean the
// same. A post from another site comes without the cookies of the user's
// session.
func TestAuthorizePostMeansTheSame(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	form := c.request("state", "a&b=c", "unknown", "dropped")
	r := h.send(t, authorizePath, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://wiki.example.com")
	require.Equal(t, http.StatusSeeOther, r.StatusCode, brief(r))
	location, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, authorizePath, location.Path)
	require.Equal(t, c.request("state", "a&b=c"), location.Query())
	answer := redirected(t, h.submit(t, h.visit(t, location.RawQuery), "allow"))
	require.NotEmpty(t, answer.Get("code"))
	require.Equal(t, "a&b=c", answer.Get("state"))

	onPage(t, h.send(t, authorizePath, form, "Content-Type", "application/json"))
	onPage(t, h.sendRaw(t, authorizePath, form.Encode()+"&scope=%zz"))
}

// RFC 9110 section 15.4.8: if the sign-in page answers with 307, the browser
// posts what the user typed to the URL of the request. The request is answered
// as if it were a GET, and what was typed goes nowhere.
func TestAuthorizePostWithTheRequestInItsQuery(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	query := c.request("state", "a&b=c").Encode()
	for name, typed := range map[string][2]string{
		"form": {"username=ada&password=hunter2&csrf=%zz", formType}, "no body": {"", formType}, "no type": {"", ""},
		"multipart": {"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x--\r\n", "multipart/form-data; boundary=x"},
		"JSON":      {`{"password":"hunter2"}`, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.sendRaw(t, authorizePath+"?"+query+"&utm=50%off", typed[0], "Content-Type", typed[1], "Test-User", user)
			require.Equal(t, http.StatusSeeOther, r.StatusCode, brief(r))
			require.Equal(t, authorizePath+"?"+query, r.Header.Get("Location"))
		})
	}
	r := h.sendRaw(t, authorizePath+"?"+query, c.request("state", "body").Encode(), "Test-User", user)
	require.Contains(t, r.Header.Get("Location"), "state=body", "the body is the request, if it has one")
	r = h.sendRaw(t, authorizePath+"?"+query, "state=body", "Test-User", user)
	require.Equal(t, authorizePath+"?state=body", r.Header.Get("Location"), "the two are never mixed")
	onPage(t, h.sendRaw(t, authorizePath+"?"+query, "decision=allow", "Test-User", user))
	onPage(t, h.sendRaw(t, authorizePath+"?"+query, "scope=%zz", "Test-User", user))
	onPage(t, h.sendRaw(t, authorizePath+"?utm=x", "{}", "Content-Type", "application/json"))
}

// unreadable are malformed parameters with names that no endpoint knows.
var unreadable = []string{
	"utm_campaign=50%off", "a=%zz", "a=%2", "a=%", "%zz=a", "%ff=a", "a=%ff", "a=%00", "%00=a", "a=%ED%A0%80", "=", "=a", "&&&", "a;b=c;d",
	"a=" + strings.Repeat("x", 9<<10), strings.Repeat("x", 9<<10) + "=a", strings.Repeat("a=1&", 500), "client%20id=x", "Scope=%zz", "scope%00=x",
}

// RFC 6749 section 3.1: parameters sent without a value are treated as if they
// were omitted.
func TestAuthorizeParameterWithoutValueIsOmitted(t *testing.T) {
	h := newHost(t)
	c, public := h.confidential(), h.public()
	t.Run("response_type", func(t *testing.T) {
		c.sentBack(t, h.visit(t, c.request("response_type", "").Encode()), "invalid_request")
	})
	t.Run("client_id", func(t *testing.T) {
		onPage(t, h.visit(t, c.request("client_id", "").Encode()))
	})
	t.Run("redirect_uri", func(t *testing.T) {
		code := c.code(t, "redirect_uri", "")
		granted(t, h.send(t, tokenPath, c.redemption(code, "redirect_uri", omit)))
	})
	t.Run("scope", func(t *testing.T) {
		require.Equal(t, c.tokens(t, "scope", omit).Scope, c.tokens(t, "scope", "").Scope)
	})
	t.Run("state", func(t *testing.T) {
		require.False(t, c.answerTo(t, c.request("state", "")).Has("state"))
	})
	t.Run("response_mode", func(t *testing.T) {
		require.NotEmpty(t, c.code(t, "response_mode", ""))
	})
	t.Run("code_challenge and its method", func(t *testing.T) {
		code := c.code(t, "code_challenge", "", "code_challenge_method", "")
		granted(t, h.send(t, tokenPath, c.redemption(code)))
	})
	t.Run("code_challenge of a public application", func(t *testing.T) {
		public.sentBack(t, h.visit(t, public.request("code_challenge", "").Encode()), "invalid_request")
	})
	t.Run("without an equals sign", func(t *testing.T) {
		r := h.visit(t, c.request("state", omit).Encode()+"&state")
		require.False(t, redirected(t, h.finish(t, r)).Has("state"))
	})
}

// RFC 6749 section 3.1: unrecognized request parameters must be ignored, with
// any value.
func TestAuthorizeIgnoresUnknownParameters(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t, "audience", "x", "nonce", "n", "code", "injected", "error", "injected", "iss", "https://evil.example", "access_token", "x")
	granted(t, h.send(t, tokenPath, c.redemption(code)))
	for _, unknown := range unreadable {
		answer := redirected(t, h.finish(t, h.visit(t, unknown+"&"+c.request().Encode()+"&"+unknown)))
		require.NotEmpty(t, answer.Get("code"), "%.40q", unknown)
	}
}

// RFC 6749 section 3.1: unrecognized request parameters must be ignored, even
// those that an extension lets a client repeat, such as resource for resource
// indicators.
func TestAuthorizeIgnoresRepeatedUnknownParameters(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	values := c.request()
	values["resource"] = []string{"https://api.example.com/", "https://files.example.com/"}
	values["audience"] = []string{"x", "y"}
	require.NotEmpty(t, c.answerTo(t, values).Get("code"))
}

// RFC 6749 section 3.1: parameters must not be included more than once. Section
// 4.1.2.1: the client is told so with invalid_request.
func TestAuthorizeParameterTwice(t *testing.T) {
	h := newHost(t)
	c, public := h.confidential(), h.public()
	twice := func(name, kind string) reply {
		values := public.request("response_mode", "query", "prompt", "consent")
		second := values.Get(name)
		if kind == "different" {
			second += "x"
		}
		values.Add(name, second)
		return h.visit(t, values.Encode())
	}
	for _, kind := range []string{"equal", "different"} {
		for _, name := range []string{"response_type", "scope", "code_challenge", "code_challenge_method"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				public.sentBack(t, twice(name, kind), "invalid_request")
			})
		}
		// If a parameter that controls the response is ambiguous, a page will do.
		for _, name := range []string{"state", "response_mode"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				if r := twice(name, kind); r.StatusCode >= 400 {
					onPage(t, r)
				} else {
					public.sentBack(t, r, "invalid_request")
				}
			})
		}
	}
	// If a parameter that controls where an error goes is ambiguous, it can't be
	// trusted.
	for _, name := range []string{"client_id", "redirect_uri"} {
		for kind, second := range map[string]string{"equal": c.request().Get(name), "different": "https://evil.example/"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				values := c.request()
				values.Add(name, second)
				onPage(t, h.visit(t, values.Encode()))
			})
		}
	}
}

// RFC 6749 section 3.1.1: a missing response_type is invalid_request and one
// that is not understood is unsupported_response_type. RFC 9700 section 2.1.2:
// access tokens are not issued by the authorization endpoint.
func TestAuthorizeResponseType(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	c.sentBack(t, h.visit(t, c.request("response_type", omit).Encode()), "invalid_request")
	for _, responseType := range []string{"token", "id_token", "code token", "code id_token", "none", "CODE", " code", "code ", "code code", "codex"} {
		t.Run(responseType, func(t *testing.T) {
			r := h.visit(t, c.request("response_type", responseType).Encode())
			answer := c.sentBack(t, r, "unsupported_response_type")
			require.Equal(t, "xyz", answer.Get("state"))
			require.NotContains(t, r.Header.Get("Location"), "access_token=")
		})
	}
}

// RFC 6749 section 1.9: parameter names are case sensitive.
func TestAuthorizeParameterNamesAreCaseSensitive(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, check := range map[string]func(t *testing.T, r reply){
		"client_id":     func(t *testing.T, r reply) { onPage(t, r) },
		"response_type": func(t *testing.T, r reply) { c.sentBack(t, r, "invalid_request") },
		"state":         func(t *testing.T, r reply) { require.False(t, redirected(t, h.finish(t, r)).Has("state")) },
	} {
		t.Run(name, func(t *testing.T) {
			values := c.request()
			values[strings.ToUpper(name)] = values[name]
			values.Del(name)
			check(t, h.visit(t, values.Encode()))
		})
	}
}

// RFC 6749 section 3.1.2.4: if the client is missing, unknown, or mismatching,
// the user is told and not redirected.
func TestAuthorizeUnknownClient(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, id := range map[string]string{
		"missing": omit, "unknown": "nobody", "other case": swapCase(c.ClientID), "space after": c.ClientID + " ", "NUL after": c.ClientID + "\x00",
		"shorter": c.ClientID[1:], "not UTF-8": "\xff\xfe", "huge": strings.Repeat("a", 10000),
	} {
		t.Run(name, func(t *testing.T) {
			onPage(t, h.visit(t, c.request("client_id", id).Encode()))
		})
	}
}

// RFC 6749 section 4.1.2.1: until client and redirect URI are validated, a
// refusal is a page and never a redirect, and the user isn't sent to sign in.
func TestAuthorizeErrorPage(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	two, none := h.register(t, provider.ApplicationSettings{}, callback, callback+"2"), h.register(t, provider.ApplicationSettings{})
	good := c.request().Encode()
	for _, tt := range []struct{ name, query, says string }{
		{"no client", c.request("client_id", omit).Encode(), "client_id is missing"},
		{"unknown client", c.request("client_id", "nobody").Encode(), "client_id is unknown"},
		{"unregistered redirect URI", c.request("redirect_uri", "https://evil.example/").Encode(), "not registered"},
		{"no redirect URI registered", "response_type=code&client_id=" + none.ClientID, "no redirect URI registered"},
		{"several registered and none named", two.request("redirect_uri", omit).Encode(), "redirect_uri is missing"},
		{"client_id twice", good + "&client_id=" + c.ClientID, "client_id more than once"},
		{"redirect_uri twice", good + "&redirect_uri=https://evil.example/", "redirect_uri more than once"},
		{"state twice", good + "&state=2", "state more than once"},
		{"response_mode twice", good + "&response_mode=query&response_mode=form_post", "response_mode more than once"},
		{"not UTF-8", good + "&prompt=%ff", "prompt has invalid UTF-8"},
		{"NUL", good + "&prompt=%00", "NUL"},
		{"bad escape", good + "&login_hint=%zz", "percent-encoding"},
		{"cut escape", good + "&%70rompt=%2", "percent-encoding"},
		{"more than 8 KiB", c.request("state", strings.Repeat("x", 8<<10+1)).Encode(), "8 KiB"},
		{"more than 100 parameters", good + "&&&" + strings.Repeat("scope=a&", 101), "100 parameters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, header := range []http.Header{{}, {"Test-User": {user}}} {
				r := h.do(t, "GET", authorizePath+"?"+tt.query, header, "")
				onPage(t, r)
				require.Equal(t, http.StatusBadRequest, r.StatusCode)
				require.Contains(t, brief(r), tt.says)
			}
		})
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// RFC 9700 sections 2.1 and 4.1, and RFC 6749 section 3.1.2.3: redirect URIs
// are compared by exact string matching, no matter how a lenient parser reads
// one. Section 3.1.2.4: the user agent is not redirected to an invalid one, nor
// by a consent form that carries one.
func TestAuthorizeRedirectURIMatchesExactly(t *testing.T) {
	h := newHost(t)
	uris := []string{"https://wiki.example.com/oauth/callback", "https://wiki.example.com/q?tenant=1"}
	clients := []*client{h.register(t, provider.ApplicationSettings{}, uris...), h.register(t, provider.ApplicationSettings{Public: true}, uris...)}
	for name, uri := range map[string]string{
		"another host":                 "https://evil.example.com/oauth/callback",
		"subdomain":                    "https://evil.wiki.example.com/oauth/callback",
		"parent domain":                "https://example.com/oauth/callback",
		"domain suffix":                "https://wiki.example.com.evil.example/oauth/callback",
		"domain prefix":                "https://evilwiki.example.com/oauth/callback",
		"trailing dot":                 "https://wiki.example.com./oauth/callback",
		"host case":                    "https://Wiki.example.com/oauth/callback",
		"user":                         "https://wiki.example.com@evil.example/oauth/callback",
		"user and password":            "https://wiki.example.com:443@evil.example/oauth/callback",
		"user before":                  "https://x@wiki.example.com/oauth/callback",
		"encoded at sign":              "https://wiki.example.com%40evil.example/oauth/callback",
		"double-encoded at sign":       "https://wiki.example.com%2540evil.example/oauth/callback",
		"backslash for slash":          `https:\\wiki.example.com\oauth\callback`,
		"backslash":                    `https://evil.example\@wiki.example.com/oauth/callback`,
		"backslash in the path":        `https://wiki.example.com/oauth\callback`,
		"encoded backslash":            "https://evil.example%5c@wiki.example.com/oauth/callback",
		"default port":                 "https://wiki.example.com:443/oauth/callback",
		"port":                         "https://wiki.example.com:8443/oauth/callback",
		"http":                         "http://wiki.example.com/oauth/callback",
		"scheme case":                  "HTTPS://wiki.example.com/oauth/callback",
		"relative":                     "/oauth/callback",
		"without scheme":               "//wiki.example.com/oauth/callback",
		"javascript":                   "javascript:alert(1)//https://wiki.example.com/oauth/callback",
		"data":                         "data:text/html,<script>1</script>",
		"private-use scheme":           "wiki:/oauth/callback",
		"three slashes":                "https:///wiki.example.com/oauth/callback",
		"one slash":                    "https:/wiki.example.com/oauth/callback",
		"slash after":                  "https://wiki.example.com/oauth/callback/",
		"longer path":                  "https://wiki.example.com/oauth/callback2",
		"shorter path":                 "https://wiki.example.com/oauth",
		"path case":                    "https://wiki.example.com/oauth/Callback",
		"dot segment":                  "https://wiki.example.com/oauth/./callback",
		"traversal":                    "https://wiki.example.com/oauth/callback/../callback",
		"traversal before":             "https://wiki.example.com/evil/../oauth/callback",
		"encoded traversal":            "https://wiki.example.com/evil/%2e%2e/oauth/callback",
		"double slash":                 "https://wiki.example.com//oauth/callback",
		"encoded slash":                "https://wiki.example.com/oauth%2fcallback",
		"double-encoded slash":         "https://wiki.example.com/oauth%252fcallback",
		"encoded letter":               "https://wiki.example.com/oauth/%63allback",
		"path parameter":               "https://wiki.example.com/oauth/callback;x=1",
		"query":                        "https://wiki.example.com/oauth/callback?next=https://evil.example",
		"empty query":                  "https://wiki.example.com/oauth/callback?",
		"fragment":                     "https://wiki.example.com/oauth/callback#x",
		"empty fragment":               "https://wiki.example.com/oauth/callback#",
		"encoded fragment":             "https://wiki.example.com/oauth/callback%23",
		"space after":                  "https://wiki.example.com/oauth/callback ",
		"space before":                 " https://wiki.example.com/oauth/callback",
		"tab inside":                   "https://wiki.example.com/oauth/\tcallback",
		"newline after":                "https://wiki.example.com/oauth/callback\n",
		"newline and header":           "https://wiki.example.com/oauth/callback\r\nSet-Cookie: a=b",
		"NUL after":                    "https://wiki.example.com/oauth/callback\x00",
		"look-alike letter (Cyrillic)": "https://w\u0456ki.example.com/oauth/callback",
		"look-alike letter in ASCII":   "https://xn--wki-8cd.example.com/oauth/callback",
		"fullwidth dot":                "https://wiki\uff0eexample\uff0ecom/oauth/callback",
		"ideographic full stop":        "https://wiki\u3002example.com/oauth/callback",
		"zero-width space":             "https://wiki.example.com/oauth/\u200bcallback",
		"decomposed":                   "https://wiki.example.com/oauth/ca\u0301llback",
		"registered query changed":     "https://wiki.example.com/q?tenant=2",
		"registered query left out":    "https://wiki.example.com/q",
		"registered query extended":    "https://wiki.example.com/q?tenant=1&x=1",
		"two in one":                   "https://wiki.example.com/oauth/callback https://evil.example/",
		"comma":                        "https://wiki.example.com/oauth/callback,https://wiki.example.com/oauth/callback",
		"IP address":                   "https://93.184.216.34/oauth/callback",
		"loopback":                     "http://127.0.0.1:8080/oauth/callback",
		"wildcard":                     "https://*.example.com/oauth/callback",
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range clients {
				r := h.visit(t, c.request("redirect_uri", uri).Encode())
				onPage(t, r)
				require.NotContains(t, r.body, `href="https://evil.example`)

				page := h.visit(t, c.request().Encode())
				form := params(fields(page.body), "decision", "allow")
				inRequest(form, func(q url.Values) { q.Set("redirect_uri", uri) })
				r = h.do(t, "POST", authorizePath, consentHeader(h, page), form.Encode())
				require.Empty(t, r.Header.Get("Location"))
				require.GreaterOrEqual(t, r.StatusCode, 400)
			}
		})
	}
	for _, uri := range uris {
		t.Run("exactly "+uri, func(t *testing.T) {
			require.NotEmpty(t, clients[0].answerTo(t, clients[0].request("redirect_uri", uri)).Get("code"))
		})
	}
}

// RFC 6749 section 3.1.2.4 and RFC 9700 section 4.11.2: no other error in the
// request turns a bad redirect URI into a redirect.
func TestAuthorizeBadRedirectURIWithOtherFaults(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, pairs := range map[string][]string{
		"response_type":   {"response_type", "token"},
		"scope":           {"scope", "admin"},
		"prompt none":     {"prompt", "none"},
		"form_post":       {"response_mode", "form_post"},
		"response_mode":   {"response_mode", "fragment"},
		"challenge":       {"code_challenge", "x"},
		"no client":       {"client_id", omit},
		"nothing at all":  {"client_id", omit, "response_type", omit, "state", omit, "scope", omit},
		"an empty client": {"client_id", ""},
	} {
		t.Run(name, func(t *testing.T) {
			query := c.request(append(pairs, "redirect_uri", "https://evil.example/")...).Encode()
			onPage(t, h.visit(t, query))
		})
	}
}

// RFC 6749 section 3.1.2.3: the redirect URI may be left out if one is
// registered, and is required if several are.
func TestAuthorizeRedirectURILeftOut(t *testing.T) {
	h := newHost(t)
	one := h.confidential()
	r := h.submit(t, h.visit(t, one.request("redirect_uri", omit).Encode()), "allow")
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), callback+"?"))
	two := h.register(t, provider.ApplicationSettings{}, callback, callback+"2")
	onPage(t, h.visit(t, two.request("redirect_uri", omit).Encode()))
	none := h.register(t, provider.ApplicationSettings{})
	onPage(t, h.visit(t, url.Values{"response_type": {"code"}, "client_id": {none.ClientID}}.Encode()))
}

// unsafeRedirectURIs are refused for every kind of client, with a part of the
// reason for each.
var unsafeRedirectURIs = map[string]string{
	"": "is empty", "/callback": "is relative", "callback": "is relative", "//wiki.example.com/cb": "is relative",
	callback + "#x": "has a fragment", callback + "#": "has a fragment", "intent://x#Intent;end": "has a fragment",
	"javascript:alert(1)": "scheme javascript", "JavaScript:alert(1)": "capital letters", "data:text/html,x": "scheme data", "file:///etc/passwd": "scheme file",
	"vbscript:x": "scheme vbscript", "blob:https://wiki.example.com/x": "scheme blob", "about:blank": "scheme about", "search-ms:/x": "scheme search-ms",
	"search:/x": "scheme search", "ms-msdt:/id": "scheme ms-msdt", "ms-settings:/x": "scheme ms-settings", "shell:/x": "scheme shell",
	"microsoft-edge:https://evil.example/": "scheme microsoft-edge",
	"https://user@wiki.example.com/cb":     "has a user", "https://u:p@wiki.example.com/callback": "has a user",
	"http://wiki.example.com/cb": "is plain http", "http://192.168.1.1/cb": "is plain http", "http://127.0.0.2/cb": "is plain http", "http://127.0.0.1.example.com/cb": "is plain http",
	"https://": "has no host", "https:///cb": "has no host", "https:wiki.example.com": "has no host",
	"https://*.example.com/cb": "has a wildcard", "https://wiki*.example.com/cb": "has a wildcard", "http://*/cb": "has a wildcard", "https://wiki.example.com:*/cb": "is not a URL",
	"https://wiki.example.com:99999/cb": "invalid port", "https://wiki.example.com:/cb": "invalid port",
	"https://wiki.example.com/a b": "has a character", "https://wiki.example.com/\r\n": "has a character", `https://wiki.example.com\@evil.example`: "has a character",
	"https://w\u0456ki.example.com/": "has a character", "https://wiki.example.com/%zz": "is not a URL", "myapp:": "scheme",
}

// RFC 6749 section 3.1.2: a redirect URI is absolute and has no fragment. RFC
// 8252 sections 7.1 and 8.4 and RFC 9700 section 2.1: a browser must not
// execute it, http is only for loopback, and a private-use scheme is only for
// native applications.
func TestRegistrationRefusesUnsafeRedirectURIs(t *testing.T) {
	h := newHost(t)
	register := func(uri string, public bool) error {
		_, _, err := h.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{uri}, Public: public})
		return err
	}
	for uri, says := range unsafeRedirectURIs {
		for _, public := range []bool{false, true} {
			require.ErrorContains(t, register(uri, public), says, "%q public=%v", uri, public)
		}
	}
	for _, uri := range []string{"com.example.app:/cb", "cursor://anysphere.cursor/cb", "myapp:cb", "vscode://publisher.extension"} {
		require.NoError(t, register(uri, true))
		require.NoError(t, register(uri, false))
	}
	for _, uri := range []string{"https://a.example.com", "https://a.example.com:8443/x?y=z", "https://a.example.com/*?a=*", "http://localhost:3000/cb", "http://127.0.0.1/", "http://[::1]:80/x"} {
		require.NoError(t, register(uri, false))
		require.NoError(t, register(uri, true))
	}
}

// RFC 6749 section 3.1.2: the query of a registered redirect URI must be
// retained when parameters are added.
func TestAuthorizeKeepsTheQueryOfTheRedirectURI(t *testing.T) {
	h := newHost(t)
	for _, uri := range []string{
		"https://wiki.example.com/cb?tenant=a%20b&x=1", "https://wiki.example.com/cb?a=b+c", "https://wiki.example.com/cb?flag", "https://wiki.example.com/cb?a=1&a=2&%7e=~",
		"https://wiki.example.com/c%2fb?next=https%3A%2F%2Fwiki.example.com%2F%3Fa%3Db", "https://wiki.example.com/cb?z=1&flag&a=2;b&z=%7e",
		"https://wiki.example.com/cb?", "https://wiki.example.com/cb?a=1&", "https://wiki.example.com/cb?b=%2F&&c",
	} {
		t.Run(uri, func(t *testing.T) {
			c := h.register(t, provider.ApplicationSettings{Public: true}, uri)
			page := h.visit(t, c.request().Encode())
			for decision, name := range map[string]string{"allow": "code", "deny": "error"} {
				added, ok := strings.CutPrefix(h.submit(t, page, decision).Header.Get("Location"), uri)
				require.True(t, ok)
				if !strings.HasSuffix(uri, "?") && !strings.HasSuffix(uri, "&") {
					added, ok = strings.CutPrefix(added, "&")
					require.True(t, ok)
				}
				values, err := url.ParseQuery(added)
				require.NoError(t, err)
				require.NotEmpty(t, values.Get(name))
			}
			page = h.visit(t, c.request("response_mode", "form_post").Encode())
			action := posted(t, h.submit(t, page, "allow"))
			require.Equal(t, uri, action)
		})
	}
}

// RFC 6749 section 4.1.2: the answer has code and state in the query, and RFC
// 9207 section 2 adds iss. RFC 6749 section 10.3 and RFC 9700 section 4.3.2: no
// URL contains a token.
func TestAuthorizeAnswerParameters(t *testing.T) {
	h := newHost(t)
	c := h.public()
	r := h.submit(t, h.visit(t, c.request().Encode()), "allow")
	answer := redirected(t, r)
	require.ElementsMatch(t, []string{"code", "state", "iss"}, keys(answer))
	for name := range answer {
		require.Len(t, answer[name], 1)
	}
	require.Equal(t, "xyz", answer.Get("state"))
	require.Equal(t, h.url, answer.Get("iss"))
	require.NotContains(t, r.Header.Get("Location"), "#")
	for _, cookie := range r.Cookies() {
		require.NotContains(t, cookie.Value, answer.Get("code"), "the browser must not keep the code")
	}
}

func keys(values url.Values) []string {
	var names []string
	for name := range values {
		names = append(names, name)
	}
	return names
}

// RFC 6749 section 4.1.2: state comes back exactly as the client sent it, in
// answers and errors. A browser submits the consent page's form.
func TestAuthorizeStateIsEchoedByteForByte(t *testing.T) {
	h := newHost(t)
	c := h.public()
	for name, state := range map[string]string{
		"quotes":             `"'<>&amp;</script>`,
		"percent":            "100%25%",
		"plus and space":     "a+b c  d ",
		"base64":             "eyJhIjoiYiJ9+/==",
		"unicode":            "žluťoučký 🔑 \u202e \u00a0",
		"decomposed unicode": "e\u0301",
		"replacement":        "a\uFFFDb",
		"line feed":          "a\nb",
		"line ends":          "a\r\nb\rc\nd",
		"tab":                "a\tb",
		"separators":         "a;b&c=d?e#f,g",
		"braces":             "{{.Secret}}${x}%s%d",
		"space":              " ",
		"backslash":          `\u0041\n`,
		"only digits":        "0001",
		"carriage return":    "\r",
		"8 KiB":              strings.Repeat("x", 8<<10),
		"2 KiB":              strings.Repeat("0123456789abcdef", 128),
	} {
		t.Run(name, func(t *testing.T) {
			page := h.visit(t, c.request("state", state).Encode())
			require.Equal(t, []string{state}, redirected(t, h.submit(t, page, "allow"))["state"])
			require.Equal(t, []string{state}, redirected(t, h.submit(t, page, "deny"))["state"])
			answer := c.sentBack(t, h.visit(t, c.request("state", state, "scope", "admin").Encode()), "invalid_scope")
			require.Equal(t, []string{state}, answer["state"])
		})
	}
}

// RFC 6749 sections 4.1.2 and 10.12: an unreadable state is refused. Treating
// it as missing would cost the client its protection against cross-site request
// forgery.
func TestAuthorizeNeverLosesState(t *testing.T) {
	h := newHost(t)
	c := h.public()
	for name, raw := range map[string]string{
		"semicolon": "a;b", "bad escape": "a%zzb", "cut escape": "a%", "not UTF-8": "a%FF%FEb", "NUL": "a%00b", "escape character": "a%1Bb", "surrogate": "%ED%A0%80",
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.NewReplacer("%FF", "\xff", "%FE", "\xfe", "%00", "\x00", "%1B", "\x1b", "%ED%A0%80", "\xed\xa0\x80").Replace(raw)
			r := h.visit(t, c.request("state", omit).Encode()+"&state="+raw)
			r = h.finish(t, r)
			if r.StatusCode >= 400 {
				onPage(t, r)
				return
			}
			answer := redirected(t, r)
			if answer.Has("code") {
				require.Equal(t, want, answer.Get("state"))
			} else {
				require.Equal(t, "invalid_request", answer.Get("error"))
			}
		})
	}
}

// RFC 6749 section 4.1.2: if the request has no state, neither does the answer.
func TestAuthorizeWithoutState(t *testing.T) {
	h := newHost(t)
	c := h.public()
	page := h.visit(t, c.request("state", omit).Encode())
	require.ElementsMatch(t, []string{"code", "iss"}, keys(redirected(t, h.submit(t, page, "allow"))))
	require.NotContains(t, redirected(t, h.submit(t, page, "deny")), "state")
	require.NotContains(t, c.sentBack(t, h.visit(t, c.request("state", omit, "scope", "x").Encode()), "invalid_scope"), "state")
}

// RFC 6749 section 4.1.2.1: a user who says no is sent back with access_denied,
// and no code works afterwards. The same goes for an unknown decision.
func TestAuthorizeAccessDenied(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for _, decision := range []string{"deny", "something else"} {
		answer := c.sentBack(t, h.submit(t, h.visit(t, c.request().Encode()), decision), "access_denied")
		require.Equal(t, "xyz", answer.Get("state"))
		require.Equal(t, h.url, answer.Get("iss"))
	}
	require.Empty(t, c.grants(t))
}

// RFC 6749 section 4.1.2.1 and RFC 9207 section 2: each error that is sent to
// the client has the state and the issuer, in the query only. RFC 9700 section
// 4.11.2: the user has signed in before.
func TestAuthorizeErrorsAreSentToTheClient(t *testing.T) {
	h := newHost(t)
	c, public := h.confidential(), h.public()
	strict := h.client(provider.ApplicationSettings{PKCERequired: true})
	for _, tt := range []struct {
		name  string
		c     *client
		query string
		code  string
	}{
		{"no response_type", c, c.request("response_type", omit).Encode(), "invalid_request"},
		{"response_type", c, c.request("response_type", "token").Encode(), "unsupported_response_type"},
		{"two response types", c, c.request("response_type", "code token").Encode(), "unsupported_response_type"},
		{"response_type twice", c, c.request().Encode() + "&response_type=code", "invalid_request"},
		{"unknown scope", c, c.request("scope", "profile admin").Encode(), "invalid_scope"},
		{"scope of others", c, c.request("scope", "private_metadata").Encode(), "invalid_scope"},
		{"malformed scope", c, c.request("scope", `pro"file`).Encode(), "invalid_scope"},
		{"scope twice, once empty", c, c.request("scope", "").Encode() + "&scope=email", "invalid_request"},
		{"response_mode", c, c.request("response_mode", "carrier_pigeon").Encode(), "invalid_request"},
		{"prompt none with another", c, c.request("prompt", "none login").Encode(), "invalid_request"},
		{"no challenge (RFC 9700 section 2.1.1)", public, public.request("code_challenge", omit, "code_challenge_method", omit).Encode(), "invalid_request"},
		{"no challenge where demanded", strict, strict.request("scope", omit).Encode(), "invalid_request"},
		{"plain", public, public.request("code_challenge_method", "plain").Encode(), "invalid_request"},
		{"no method, which means plain (RFC 7636 section 4.3)", public, public.request("code_challenge_method", omit).Encode(), "invalid_request"},
		{"method without challenge", c, c.request("code_challenge_method", "S256").Encode(), "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			away := h.do(t, "GET", authorizePath+"?"+tt.query, http.Header{}, "")
			require.Equal(t, http.StatusSeeOther, away.StatusCode)
			require.True(t, strings.HasPrefix(away.Header.Get("Location"), "/login?"), away.Header.Get("Location"))

			answer := tt.c.sentBack(t, h.visit(t, tt.query), tt.code)
			require.ElementsMatch(t, []string{"error", "error_description", "state", "iss"}, keys(answer))
			require.NotEmpty(t, answer.Get("error_description"))
			require.Equal(t, []string{"xyz"}, answer["state"])
			require.Equal(t, []string{h.url}, answer["iss"])
		})
	}
}

// RFC 6749 section 3.3: scopes are compared case-sensitively and in any order,
// and unknown names are invalid_scope. The answer has the host's order. Extra
// spaces are allowed, because clients join the parameter from parts; other
// white space is not.
func TestAuthorizeScope(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, tt := range map[string]struct{ scope, granted string }{
		"one":           {"profile", "profile"},
		"order":         {"notes:read profile", "profile notes:read"},
		"twice":         {"profile profile", "profile"},
		"all":           {allOf, allOf},
		"spaces":        {"  notes:read   profile ", "profile notes:read"},
		"only spaces":   {"  ", allOf},
		"OpenID":        {"openid profile offline_access", "profile offline_access"},
		"offline alone": {"offline_access", allOf + " offline_access"},
		"left out":      {omit, allOf},
		"OpenID's only": {"openid", allOf},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.granted, c.tokens(t, "scope", tt.scope).Scope)
		})
	}
	for name, scope := range map[string]string{
		"no-break space": "profile\u00a0email", "form feed": "profile \f", "NUL between": "profile\x0bemail",
		"unknown": "admin", "case": "Profile", "one of two": "profile admin", "quote": `"profile"`, "comma": "profile,email", "backslash": `pro\file`,
		"tab": "profile\temail", "newline": "profile\nemail", "not ASCII": "profilé", "prefix": "prof", "not the application's": "private_metadata",
	} {
		t.Run(name, func(t *testing.T) {
			c.sentBack(t, h.visit(t, c.request("scope", scope).Encode()), "invalid_scope")
		})
	}
}

// RFC 7636 section 4.4.1 and RFC 9700 section 2.1.1: public applications must
// send a challenge. plain is refused, even as the default, and an S256
// challenge has 43 characters of base64url.
func TestAuthorizeChallenge(t *testing.T) {
	h := newHost(t)
	for kind, c := range map[string]*client{"public": h.public(), "confidential": h.confidential()} {
		for name, pairs := range map[string][]string{
			"plain":            {"code_challenge", challenge, "code_challenge_method", "plain"},
			"plain by default": {"code_challenge", challenge, "code_challenge_method", omit},
			"unknown method":   {"code_challenge", challenge, "code_challenge_method", "S512"},
			"method case":      {"code_challenge", challenge, "code_challenge_method", "s256"},
			"too short":        {"code_challenge", challenge[1:], "code_challenge_method", "S256"},
			"too long":         {"code_challenge", challenge + "A", "code_challenge_method", "S256"},
			"padded":           {"code_challenge", challenge + "=", "code_challenge_method", "S256"},
			"plain base64":     {"code_challenge", "+" + challenge[1:], "code_challenge_method", "S256"},
			"space":            {"code_challenge", " " + challenge[1:], "code_challenge_method", "S256"},
			"not ASCII":        {"code_challenge", "é" + challenge[2:], "code_challenge_method", "S256"},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				c.sentBack(t, h.visit(t, c.request(pairs...).Encode()), "invalid_request")
			})
		}
	}
}

// RFC 8252 section 7.3: a native application may choose the port of its
// loopback redirect URI, and nothing else of it (section 8.10). The code is
// bound to the chosen port.
func TestAuthorizeLoopbackPort(t *testing.T) {
	h := newHost(t)
	const v4, v6 = "http://127.0.0.1/cb", "http://[::1]/cb"
	for _, tt := range []struct {
		name, registered, presented string
		public, good                bool
	}{
		{"another port", "http://127.0.0.1:1234/cb", "http://127.0.0.1:5678/cb", true, true},
		{"a port where none is registered", v4, "http://127.0.0.1:51004/cb", true, true},
		{"no port", v4, v4, true, true},
		{"no port where one is registered", "http://127.0.0.1:1234/cb", v4, true, true},
		{"IPv6", v6, "http://[::1]:61023/cb", true, true},
		{"a query stays", "http://127.0.0.1/cb?x=1", "http://127.0.0.1:5678/cb?x=1", true, true},
		{"no path", "http://127.0.0.1", "http://127.0.0.1:5678", true, true},
		{"localhost as registered", "http://localhost:1234/cb", "http://localhost:1234/cb", true, true},
		{"localhost with another port", "http://localhost:1234/cb", "http://localhost:5678/cb", true, true},
		{"localhost for the address", v4, "http://localhost:51004/cb", true, false},
		{"a confidential application", v4, "http://127.0.0.1:51004/cb", false, false},
		{"IPv6 for IPv4", v4, "http://[::1]:5678/cb", true, false},
		{"IPv4 written as IPv6", v4, "http://[::ffff:127.0.0.1]:51004/cb", true, false},
		{"another path", v4, "http://127.0.0.1:51004/other", true, false},
		{"another path of IPv6", v6, "http://[::1]:51004/other", true, false},
		{"slash after", v4, "http://127.0.0.1:51004/cb/", true, false},
		{"encoded letter", v4, "http://127.0.0.1:51004/%63b", true, false},
		{"query", v4, "http://127.0.0.1:51004/cb?x=1", true, false},
		{"fragment", v4, "http://127.0.0.1:51004#/cb", true, false},
		{"https", v4, "https://127.0.0.1:51004/cb", true, false},
		{"another port of https", "https://127.0.0.1/cb", "https://127.0.0.1:5678/cb", true, false},
		{"scheme case", v4, "HTTP://127.0.0.1:51004/cb", true, false},
		{"port 0", v4, "http://127.0.0.1:0/cb", true, false},
		{"port too high", v4, "http://127.0.0.1:65536/cb", true, false},
		{"huge port", v4, "http://127.0.0.1:99999999/cb", true, false},
		{"negative port", v4, "http://127.0.0.1:-1/cb", true, false},
		{"port with a leading zero", v4, "http://127.0.0.1:0080/cb", true, false},
		{"port with a sign", v4, "http://127.0.0.1:+80/cb", true, false},
		{"empty port", v4, "http://127.0.0.1:/cb", true, false},
		{"host for a port", v4, "http://127.0.0.1:evil.example/cb", true, false},
		{"user where the port should be", v4, "http://127.0.0.1:51004@evil.example/cb", true, false},
		{"backslash after the port", v4, `http://127.0.0.1:80\@evil.example/cb`, true, false},
		{"user before", v4, "http://user@127.0.0.1:51004/cb", true, false},
		{"the address as a user", v4, "http://127.0.0.1@evil.example/cb", true, false},
		{"longer host", v4, "http://127.0.0.1.evil.example/cb", true, false},
		{"longer number", v4, "http://127.0.0.11/cb", true, false},
		{"short spelling", v4, "http://127.1:51004/cb", true, false},
		{"another address of the network", v4, "http://127.0.0.2:51004/cb", true, false},
		{"the unspecified address", v4, "http://0.0.0.0:51004/cb", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := h.register(t, provider.ApplicationSettings{Public: tt.public}, tt.registered)
			page := h.visit(t, c.request("redirect_uri", tt.presented).Encode())
			if !tt.good {
				onPage(t, page)
				return
			}
			r := h.submit(t, page, "allow")
			added, ok := strings.CutPrefix(r.Header.Get("Location"), tt.presented)
			require.True(t, ok, r.Header.Get("Location"))
			require.Regexp(t, `^[?&]code=`, added)
			code := redirected(t, r).Get("code")
			refused(t, h.send(t, tokenPath, c.redemption(code, "redirect_uri", "http://127.0.0.1:51005/cb")), 400, "invalid_grant")
			if tt.presented != tt.registered {
				refused(t, h.send(t, tokenPath, c.redemption(code)), 400, "invalid_grant")
			}
			granted(t, h.send(t, tokenPath, c.redemption(code, "redirect_uri", tt.presented)))
		})
	}
}

// RFC 8252 section 7.1: native applications may use private-use schemes.
func TestAuthorizePrivateUseScheme(t *testing.T) {
	h := newHost(t)
	c := h.register(t, provider.ApplicationSettings{Public: true}, "com.example.app:/oauth2redirect")
	page := h.visit(t, c.request().Encode())
	r := h.submit(t, page, "allow")
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), "com.example.app:/oauth2redirect?"))
	granted(t, h.send(t, tokenPath, c.redemption(redirected(t, r).Get("code"))))
	for _, uri := range []string{"com.example.app:/other", "com.example.app:/oauth2redirect/", "com.example.app://oauth2redirect", "com.example.application:/oauth2redirect"} {
		onPage(t, h.visit(t, c.request("redirect_uri", uri).Encode()))
	}
	app, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{"com.example.app:/cb"}})
	require.NoError(t, err)
	require.True(t, app.PKCERequired, "any program can claim a scheme (RFC 8252 section 6)")
}

// RFC 8252 section 8.6: the user of a public application is asked every time,
// because others can pretend to be the application.
func TestAuthorizeAsksForPublicApplicationsEveryTime(t *testing.T) {
	h := newHost(t)
	c := h.public()
	for range 3 {
		require.NotEmpty(t, redirected(t, h.submit(t, h.visit(t, c.request().Encode()), "allow")).Get("code"))
	}
}

// RFC 8252 section 8.6: even for an application with SkipConsent, the user is
// asked if others could receive its code.
func TestAuthorizeAsksWhereOthersCouldListen(t *testing.T) {
	h := newHost(t)
	c := h.register(t, provider.ApplicationSettings{Public: true, SkipConsent: true}, callback, "http://127.0.0.1/cb", "com.example.app:/cb")
	require.NotEmpty(t, redirected(t, h.visit(t, c.request().Encode())).Get("code"))
	for _, uri := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "com.example.app:/cb"} {
		r := h.visit(t, c.request("redirect_uri", uri).Encode())
		require.NotEmpty(t, redirected(t, h.submit(t, r, "allow")).Get("code"))
	}
}

// RFC 6749 section 10.2: a repeated request needs no consent if the user agreed
// to the same scopes, until that is revoked.
func TestAuthorizeAsksAgain(t *testing.T) {
	h := newHost(t)
	c, other := h.confidential(), h.confidential()
	asked := func(c *client, id string, pairs ...string) bool {
		r := h.do(t, "GET", authorizePath+"?"+c.request(pairs...).Encode(), http.Header{"Test-User": {id}}, "")
		if r.StatusCode == http.StatusOK {
			return true
		}
		require.NotEmpty(t, redirected(t, r).Get("code"))
		return false
	}
	require.True(t, asked(c, user))
	require.True(t, asked(c, user), "opening the page is not consent")
	c.code(t, "scope", "profile email")
	require.False(t, asked(c, user))
	require.False(t, asked(c, user, "scope", "profile"), "less")
	require.True(t, asked(c, user, "scope", "profile email notes:read"), "more")
	require.True(t, asked(c, user, "scope", "notes:read"), "other")
	require.True(t, asked(c, user, "scope", omit), "all")
	c.code(t, "scope", "notes:read")
	require.False(t, asked(c, user, "scope", omit), "consents add up")
	require.False(t, asked(c, user, "scope", "email"))
	require.True(t, asked(c, "user_eve"), "another user")
	require.True(t, asked(other, user), "another application")
	err := h.RevokeGrants(context.Background(), provider.GrantFilter{UserID: user})
	require.NoError(t, err)
	require.True(t, asked(c, user), "revoked")
}

// RFC 9700 section 4.11.2: a request with an error is not redirected before the
// user has signed in.
func TestAuthorizeIsNotAnOpenRedirector(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, pairs := range map[string][]string{"good": nil, "response_type": {"response_type", "token"}, "scope": {"scope", "admin"}, "mode": {"response_mode", "x"}, "challenge": {"code_challenge", "x"}} {
		t.Run(name, func(t *testing.T) {
			r := h.do(t, "GET", authorizePath+"?"+c.request(pairs...).Encode(), http.Header{}, "")
			require.True(t, strings.HasPrefix(r.Header.Get("Location"), "/login?"), "%d %s", r.StatusCode, r.Header.Get("Location"))
			require.NotContains(t, []int{301, 307, 308}, r.StatusCode)
		})
	}
	t.Run("prompt none", func(t *testing.T) {
		r := h.do(t, "GET", authorizePath+"?"+c.request("prompt", "none").Encode(), http.Header{}, "")
		answer := c.sentBack(t, r, "login_required")
		require.Equal(t, "xyz", answer.Get("state"))
		require.Equal(t, h.url, answer.Get("iss"))
	})

	// No one vouches for the redirect URIs of a self-registered application, so a
	// link alone redirects no one there. Once its page was answered, the
	// application is told.
	open := newOpenHost(t)
	stranger := open.registers(t, open.asksToRegister(t, metadata("redirect_uris", []string{callback}, "token_endpoint_auth_method", "none"))).client(t)
	for _, pairs := range [][]string{{"prompt", "none"}, {"response_type", "token"}, {"scope", "unheard_of"}, {"prompt", "none login"}, {"code_challenge", "x"}} {
		for _, mode := range []string{omit, "form_post"} {
			r := open.visit(t, stranger.request(append(pairs, "response_mode", mode)...).Encode())
			onPage(t, r)
			require.Contains(t, brief(r), "made a request that")
		}
	}
	stranger.sentBack(t, open.submit(t, open.visit(t, stranger.request().Encode()), "deny"), "access_denied")
	require.NotEmpty(t, stranger.code(t))
}

// RFC 9700 section 4.11.2: after the sign-in page, the user returns to the
// authorization endpoint with the very same request.
func TestAuthorizeReturnsAfterSignIn(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	values := c.request("state", `a+b%"&=`+"é")
	r := h.do(t, "GET", authorizePath+"?"+values.Encode(), http.Header{}, "")
	back, err := url.Parse(redirected(t, r).Get("next"))
	require.NoError(t, err)
	require.Empty(t, back.Host)
	require.Equal(t, authorizePath, back.Path)
	got := back.Query()
	for name := range values {
		require.Equal(t, values[name], got[name], name)
	}

	// The provider adds the time of the request, so that it recognizes a user who
	// comes back without signing in, and doesn't send them again in a loop.
	again := h.do(t, "GET", back.String(), http.Header{}, "")
	require.Equal(t, http.StatusForbidden, again.StatusCode, brief(again))
	require.Empty(t, again.Header.Get("Location"))
	require.Equal(t, http.StatusOK, h.do(t, "GET", back.String(), http.Header{"Test-User": {user}}, "").StatusCode)
}

// RFC 9700 section 4.12: a 307 redirect must not pass credentials on.
func TestAuthorizeRedirectsWith303(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	page := h.visit(t, c.request().Encode())
	require.Equal(t, http.StatusSeeOther, h.submit(t, page, "deny").StatusCode)
	require.Equal(t, http.StatusSeeOther, h.submit(t, page, "allow").StatusCode)
}

// RFC 9700 section 4.16 and RFC 6749 section 10.13: the pages can't be framed.
// RFC 9700 section 4.2.4: they don't reveal their URL. RFC 6749 section 10.12:
// they load no script from other servers, which could press a button.
func TestAuthorizePagesAreProtected(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, r := range map[string]reply{
		"consent": h.visit(t, c.request().Encode()), "error": h.visit(t, c.request("client_id", "x").Encode()),
		"form": h.visit(t, c.request("response_mode", "form_post", "scope", "x").Encode()),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "DENY", r.Header.Get("X-Frame-Options"))
			require.Contains(t, r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			require.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'")
			require.NotContains(t, r.Header.Get("Content-Security-Policy"), "unsafe")
			require.NotContains(t, policy(r), "img-src")
			require.Equal(t, name == "form", policy(r)["script-src"] != nil)
			require.Contains(t, []string{"no-referrer", "same-origin", "origin", "strict-origin"}, r.Header.Get("Referrer-Policy"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
			require.NotRegexp(t, regexp.MustCompile(`(?i)<(img|link|iframe)|src=`), r.body, "nothing is loaded from other servers")
		})
	}
}

// RFC 6749 section 5.1: answers with codes are not kept in caches.
func TestAuthorizeAnswersAreNotCached(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	page := h.visit(t, c.request().Encode())
	for name, r := range map[string]reply{
		"code": h.submit(t, page, "allow"), "denied": h.submit(t, page, "deny"), "error": h.visit(t, c.request("scope", "x").Encode()),
		"sign-in": h.do(t, "GET", authorizePath+"?"+c.request().Encode(), http.Header{}, ""),
	} {
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"), name)
	}
}

// RFC 9700 section 2.6: the authorization endpoint must not support CORS.
func TestAuthorizeHasNoCORS(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	header := http.Header{"Origin": {"https://wiki.example.com"}, "Access-Control-Request-Method": {"GET"}, "Test-User": {user}}
	for _, method := range []string{"GET", "OPTIONS", "POST", "HEAD"} {
		r := h.do(t, method, authorizePath+"?"+c.request().Encode(), header, "")
		for name := range r.Header {
			require.NotContains(t, name, "Access-Control", method)
		}
	}
}

// RFC 9110 section 15.5.6: methods other than GET, HEAD, and POST are refused.
func TestAuthorizeMethods(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for _, method := range []string{"OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "get", "BREW"} {
		t.Run(method, func(t *testing.T) {
			r := h.do(t, method, authorizePath+"?"+c.request().Encode(), http.Header{"Test-User": {user}}, "")
			require.NotContains(t, r.Header.Get("Location"), "code=")
			require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
			require.Contains(t, r.Header.Get("Allow"), "GET")
		})
	}
}

// RFC 9110 sections 9.3.2 and 9.2.1: HEAD is answered like GET, without the
// body. It is a safe method, so a link checker grants nothing.
func TestAuthorizeHeadGrantsNothing(t *testing.T) {
	h := newHost(t)
	for name, c := range map[string]*client{"agreed before": h.confidential(), "never asked": h.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf), SkipConsent: true})} {
		t.Run(name, func(t *testing.T) {
			c.code(t)
			require.Len(t, c.grants(t), 1)
			r := h.do(t, "HEAD", authorizePath+"?"+c.request().Encode(), http.Header{"Test-User": {user}}, "")
			require.Equal(t, http.StatusOK, r.StatusCode)
			require.Empty(t, r.body)
			require.NotContains(t, r.Header.Get("Location"), "code=")
			require.Len(t, c.grants(t), 1)
			r = h.do(t, "HEAD", authorizePath+"?"+c.request().Encode(), http.Header{}, "")
			require.Equal(t, http.StatusSeeOther, r.StatusCode)
			require.Contains(t, r.Header.Get("Location"), "/login")
			require.Equal(t, http.StatusBadRequest, h.do(t, "HEAD", authorizePath, http.Header{}, "").StatusCode)
		})
	}
}

// RFC 6749 section 10.10: codes cannot be guessed, and no two are equal.
func TestCodesAreRandom(t *testing.T) {
	h := newHost(t)
	c := h.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf), SkipConsent: true})
	seen := map[string]bool{}
	for range 200 {
		code := c.code(t)
		require.False(t, seen[code])
		seen[code] = true
		require.GreaterOrEqual(t, len(code), 22, "128 bits need 22 characters")
		require.Regexp(t, regexp.MustCompile(`^[A-Za-z0-9._~-]+$`), code)
	}
}

// RFC 6749 section 4.1.2: a code expires soon; at most 10 minutes are
// recommended.
func TestCodeExpires(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	code := c.code(t)
	h.clock.Add(10*time.Minute - time.Microsecond)
	granted(t, h.send(t, tokenPath, c.redemption(code)))
	code = c.code(t)
	h.clock.Add(10 * time.Minute)
	refused(t, h.send(t, tokenPath, c.redemption(code)), 400, "invalid_grant")
}

// RFC 6749 section 10.12, and section 10.6 on whose grant it is: only the user
// can agree.
func TestConsentIsProtectedAgainstForgery(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	for name, forge := range map[string]func(http.Header, url.Values){
		"without the cookie": func(h http.Header, _ url.Values) { h.Del("Cookie") },
		"another cookie":     func(h http.Header, _ url.Values) { h.Set("Cookie", "latchkey_consent=x") },
		"from another site": func(h http.Header, _ url.Values) {
			h.Set("Origin", "https://evil.example")
			h.Set("Sec-Fetch-Site", "cross-site")
		},
		"from a sub-domain": func(h http.Header, _ url.Values) {
			h.Set("Origin", "https://sub.app.example")
			h.Set("Sec-Fetch-Site", "same-site")
		},
		"from another browser of the user": func(header http.Header, _ url.Values) {
			header.Set("Cookie", consentHeader(h, h.visit(t, c.request().Encode())).Get("Cookie"))
		},
		"from another origin": func(h http.Header, _ url.Values) { h.Set("Origin", "https://evil.example"); h.Del("Sec-Fetch-Site") },
		"opaque origin":       func(h http.Header, _ url.Values) { h.Set("Origin", "null"); h.Del("Sec-Fetch-Site") },
		"by another user":     func(h http.Header, _ url.Values) { h.Set("Test-User", "user_eve") },
		"signed out":          func(h http.Header, _ url.Values) { h.Del("Test-User") },
		"without the seal":    func(_ http.Header, v url.Values) { v.Del("seal") },
		"more scope":          func(_ http.Header, v url.Values) { inRequest(v, func(q url.Values) { q.Set("scope", allOf) }) },
		"other scope":         func(_ http.Header, v url.Values) { inRequest(v, func(q url.Values) { q.Set("scope", "notes:read") }) },
		"no scope":            func(_ http.Header, v url.Values) { inRequest(v, func(q url.Values) { q.Del("scope") }) },
		"other client": func(_ http.Header, v url.Values) {
			inRequest(v, func(q url.Values) { q.Set("client_id", h.confidential().ClientID) })
		},
		"other redirect URI": func(_ http.Header, v url.Values) {
			inRequest(v, func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") })
		},
		"other state": func(_ http.Header, v url.Values) { inRequest(v, func(q url.Values) { q.Set("state", "evil") }) },
		"other challenge": func(_ http.Header, v url.Values) {
			inRequest(v, func(q url.Values) { q.Set("code_challenge", challenge) })
			inRequest(v, func(q url.Values) { q.Set("code_challenge_method", "S256") })
		},
		"other mode": func(_ http.Header, v url.Values) {
			inRequest(v, func(q url.Values) { q.Set("response_mode", "form_post") })
		},
		"parameters twice":     func(_ http.Header, v url.Values) { inRequest(v, func(q url.Values) { q.Add("scope", allOf) }) },
		"both decisions":       func(_ http.Header, v url.Values) { v["decision"] = []string{"deny", "allow"} },
		"no decision":          func(_ http.Header, v url.Values) { v.Del("decision") },
		"an unknown decision":  func(_ http.Header, v url.Values) { v.Set("decision", "yes") },
		"as plain text":        func(h http.Header, _ url.Values) { h.Set("Content-Type", "text/plain") },
		"without content type": func(h http.Header, _ url.Values) { h.Del("Content-Type") },
	} {
		t.Run(name, func(t *testing.T) {
			page := h.visit(t, c.request().Encode())
			header, form := consentHeader(h, page), params(fields(page.body), "decision", "allow")
			forge(header, form)
			r := h.do(t, "POST", authorizePath, header, form.Encode())
			require.Less(t, r.StatusCode, 500, brief(r))
			require.NotContains(t, r.Header.Get("Location"), "code=", "%d", r.StatusCode)
			require.NotContains(t, r.Header.Get("Location"), "evil.example")
			require.NotContains(t, r.body, `name="code"`)
			for _, id := range []string{user, "user_eve"} {
				grants, _, err := h.ListGrants(context.Background(), provider.GrantFilter{UserID: id}, "", 0)
				require.NoError(t, err)
				require.Empty(t, grants)
			}
		})
	}
}

// inRequest changes the request in a consent form.
func inRequest(form url.Values, change func(url.Values)) {
	request, err := url.ParseQuery(form.Get("request"))
	if err != nil {
		panic(err)
	}
	change(request)
	form.Set("request", request.Encode())
}

// RFC 6749 section 10.14: values from the request and the application can't
// become markup on the consent page and the error page.
func TestPagesEscapeWhatTheyShow(t *testing.T) {
	h := newHost(t)
	evil := `"><script>alert(1)</script>`
	app, _, err := h.CreateApplication(context.Background(), provider.ApplicationSettings{Name: evil, RedirectURIs: []string{callback}, Scopes: strings.Fields(allOf)})
	require.NoError(t, err)
	c := &client{app, "", h}
	for name, query := range map[string]url.Values{
		"name": c.request(), "state": c.request("state", evil), "client": c.request("client_id", evil), "redirect": c.request("redirect_uri", evil),
		"form": c.request("state", evil, "scope", evil, "response_mode", "form_post"), "scope": c.request("scope", evil), "type": c.request("response_type", evil),
		"login_hint": c.request("login_hint", evil), "mode": c.request("response_mode", evil),
	} {
		require.NotContains(t, h.visit(t, query.Encode()).body, "<script>alert", name)
	}
}

// posted checks that r is a page of the form post response mode and returns the
// form's target.
func posted(t testing.TB, r reply) string {
	t.Helper()
	require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
	m := regexp.MustCompile(`<form method="post" action="([^"]*)">`).FindStringSubmatch(r.body)
	require.NotNil(t, m, r.body)
	return strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(m[1])
}

// OAuth 2.0 Form Post Response Mode section 2: the parameters are in hidden
// fields of a form that the browser posts to the redirect URI, and not in a
// URL. The page is not cached.
func TestFormPost(t *testing.T) {
	h := newHost(t)
	c := h.public()
	state := `"'<>&amp;+%25 é`
	page := h.visit(t, c.request("response_mode", "form_post", "state", state).Encode())
	for decision, names := range map[string][]string{"allow": {"code", "state", "iss"}, "deny": {"error", "error_description", "state", "iss"}} {
		t.Run(decision, func(t *testing.T) {
			r := h.submit(t, page, decision)
			require.Equal(t, callback, posted(t, r))
			require.Empty(t, r.Header.Get("Location"))
			require.Equal(t, "text/html; charset=utf-8", strings.ToLower(r.Header.Get("Content-Type")))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			answer := fields(r.body)
			require.ElementsMatch(t, names, keys(answer))
			require.Equal(t, []string{state}, answer["state"])
			require.Equal(t, []string{h.url}, answer["iss"])
			if decision == "allow" {
				granted(t, h.send(t, tokenPath, c.redemption(answer.Get("code"))))
			}
		})
	}
	t.Run("error", func(t *testing.T) {
		r := h.visit(t, c.request("response_mode", "form_post", "scope", "admin").Encode())
		require.Equal(t, callback, posted(t, r))
		require.Equal(t, "invalid_scope", fields(r.body).Get("error"))
		require.Equal(t, h.url, fields(r.body).Get("iss"))
	})
}

// OAuth 2.0 Multiple Response Types section 2.1: other response modes are not
// offered. fragment would put a code where scripts can read it.
func TestResponseModes(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	require.NotEmpty(t, c.code(t, "response_mode", "query"))
	for _, mode := range []string{"fragment", "FORM_POST", "web_message", "query.jwt", "query fragment", "x"} {
		t.Run(mode, func(t *testing.T) {
			answer := c.sentBack(t, h.visit(t, c.request("response_mode", mode).Encode()), "invalid_request")
			require.Equal(t, "xyz", answer.Get("state"))
		})
	}
}

// RFC 9207 section 2: iss is the issuer of the metadata, even if it has a path.
func TestIssuerWithPath(t *testing.T) {
	var issuer string
	h := newHostWith(t, func(cfg *provider.Config) {
		cfg.Issuer += "/tenants/one"
		issuer = cfg.Issuer
	})
	c := h.confidential()
	r := h.do(t, "GET", "/tenants/one"+authorizePath+"?"+c.request("scope", "x").Encode(), http.Header{"Test-User": {user}}, "")
	require.Equal(t, issuer, c.sentBack(t, r, "invalid_scope").Get("iss"))
}

// RFC 9700 section 4.13 and RFC 8414 section 2: neither Host nor a proxy's
// headers change the issuer.
func TestIssuerDoesNotComeFromTheRequest(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	r, err := http.NewRequest("GET", h.url+authorizePath+"?"+c.request("scope", "x").Encode(), nil)
	require.NoError(t, err)
	r.Host = "evil.example"
	r.Header = http.Header{"Test-User": {user}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"host=evil.example"}}
	response, err := h.http.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Contains(t, response.Header.Get("Location"), "iss="+url.QueryEscape(h.url))
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NotContains(t, string(text)+response.Header.Get("Location"), "evil.example")
}

// RFC 6749 section 4.1.1: query parameters of a POST are not mixed with those
// of its body, which could hide what the user agrees to.
func TestAuthorizeDoesNotMixQueryAndBody(t *testing.T) {
	h := newHost(t)
	c := h.confidential()
	page := h.visit(t, c.request().Encode())
	form := params(fields(page.body), "decision", "allow")
	r := h.do(t, "POST", authorizePath+"?scope=notes:read&redirect_uri=https%3A%2F%2Fevil.example%2F&state=evil", consentHeader(h, page), form.Encode())
	require.NotContains(t, r.Header.Get("Location"), "evil")
	if r.StatusCode < 400 {
		tokens := granted(t, h.send(t, tokenPath, c.redemption(redirected(t, r).Get("code"))))
		require.ElementsMatch(t, []string{"profile", "email"}, splitScope(tokens.Scope))
	}
}

// RFC 8252 section 7: the browser reaches each kind of redirect URI, and the
// address to which the application redirects from there. Browsers apply
// form-action to every redirect after a form, so pages with forms that lead to
// an application don't set it.
func TestConsentFormMayLeadToTheRedirectURI(t *testing.T) {
	h := newHost(t)
	c := h.register(t, provider.ApplicationSettings{Public: true}, "http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:7000/cb", "com.example.app:/cb", callback)
	for _, uri := range []string{"http://127.0.0.1:51004/cb", "http://localhost:7000/cb", "com.example.app:/cb", callback, "http://[::1]:51004/cb"} {
		t.Run(uri, func(t *testing.T) {
			for _, mode := range []string{"query", "form_post"} {
				if mode == "form_post" && !strings.HasPrefix(uri, "http") {
					continue // A browser posts only to web addresses.
				}
				page := h.visit(t, c.request("redirect_uri", uri, "response_mode", mode).Encode())
				require.Equal(t, []string{"'none'"}, policy(page)["base-uri"])
				require.NotContains(t, policy(page), "form-action")
				if mode == "form_post" {
					answered := h.submit(t, page, "allow")
					require.Equal(t, []string{"'none'"}, policy(answered)["base-uri"])
					require.NotContains(t, policy(answered), "form-action")
				}
			}
		})
	}
}

// policy returns the sources of each directive of a content security policy.
func policy(r reply) map[string][]string {
	directives := map[string][]string{}
	for directive := range strings.SplitSeq(r.Header.Get("Content-Security-Policy"), ";") {
		if words := strings.Fields(directive); len(words) > 0 {
			directives[words[0]] = words[1:]
		}
	}
	return directives
}

// OAuth 2.0 Form Post Response Mode section 2: a script submits the form, which
// the page's policy allows, or else a button does.
func TestFormPostSubmitsItself(t *testing.T) {
	h := newHost(t)
	c := h.public()
	r := h.submit(t, h.visit(t, c.request("response_mode", "form_post").Encode()), "allow")
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(r.body, -1)
	require.Len(t, scripts, 1)
	sum := sha256.Sum256([]byte(scripts[0][1]))
	require.Equal(t, []string{"'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"}, policy(r)["script-src"])
	require.Contains(t, r.body, `<button type="submit"`)
}
