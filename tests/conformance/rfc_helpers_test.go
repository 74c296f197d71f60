package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
)

// The paths of the endpoints, unless Config.Paths changes them.
const (
	authorizePath  = "/oauth/authorize"
	tokenPath      = "/oauth/token"
	userInfoPath   = "/oauth/userinfo"
	revokePath     = "/oauth/token/revoke"
	introspectPath = "/oauth/token_info"
	metadataPath   = "/.well-known/oauth-authorization-server"
	notesPath      = "/api/notes"
)

const (
	formType = "application/x-www-form-urlencoded"
	user     = "user_ada"
	allOf    = "profile email notes:read"

	// omit is the value of a parameter to leave out.
	omit = "\x00omit"
)

// The verifier and the challenge of RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// register creates an application with the given redirect URIs.
func (h *host) register(t testing.TB, n provider.ApplicationSettings, uris ...string) *client {
	t.Helper()
	n.Name, n.RedirectURIs = "Wiki", uris
	app, secret, err := h.CreateApplication(context.Background(), n)
	require.NoError(t, err)
	return &client{app, secret.Reveal(), h}
}

// confidential is an application with a secret that may ask for every scope
// that these tests use.
func (h *host) confidential() *client {
	return h.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf)})
}

// public is an application without a secret.
func (h *host) public() *client {
	return h.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf), Public: true})
}

// params returns the given names and values, without those whose value is omit.
func params(values url.Values, pairs ...string) url.Values {
	result := url.Values{}
	for name, v := range values {
		result[name] = append([]string(nil), v...)
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == omit {
			result.Del(pairs[i])
		} else {
			result.Set(pairs[i], pairs[i+1])
		}
	}
	return result
}

// request returns the parameters of a valid authorization request, changed.
func (c *client) request(pairs ...string) url.Values {
	values := url.Values{
		"response_type": {"code"}, "client_id": {c.ClientID}, "redirect_uri": {c.RedirectURIs[0]}, "scope": {"profile email"}, "state": {"xyz"},
	}
	if c.Public {
		values.Set("code_challenge", challenge)
		values.Set("code_challenge_method", "S256")
	}
	return params(values, pairs...)
}

// visit is a browser that opens the authorization endpoint with a signed-in
// user.
func (h *host) visit(t tb, query string) reply {
	t.Helper()
	return h.do(t, "GET", authorizePath+"?"+query, http.Header{"Test-User": {user}}, "")
}

// fields returns the fields of a form as a browser reads them.
func fields(page string) url.Values { return hosttest.Fields(page) }

var lineEnds = regexp.MustCompile("\r\n|\r|\n")

// submit is a browser that presses a button of the consent page. As the HTML
// standard says, line ends are sent as CR and LF.
func (h *host) submit(t tb, page reply, decision string, pairs ...string) reply {
	t.Helper()
	require.Equal(t, http.StatusOK, page.StatusCode, brief(page))
	require.True(t, strings.Contains(page.body, `value="allow"`), brief(page))
	form := params(fields(page.body), append([]string{"decision", decision}, pairs...)...)
	for _, values := range form {
		for i := range values {
			values[i] = lineEnds.ReplaceAllString(values[i], "\r\n")
		}
	}
	return h.do(t, "POST", authorizePath, consentHeader(h, page), form.Encode())
}

func consentHeader(h *host, page reply) http.Header {
	header := http.Header{"Test-User": {user}, "Content-Type": {formType}, "Origin": {h.url}, "Sec-Fetch-Site": {"same-origin"}}
	for _, cookie := range page.Cookies() {
		header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	return header
}

// finish agrees if r is the consent page, and returns the answer.
func (h *host) finish(t tb, r reply) reply {
	t.Helper()
	if r.StatusCode == http.StatusOK && strings.Contains(r.body, `value="allow"`) {
		return h.submit(t, r, "allow")
	}
	return r
}

// brief returns the text of a page.
func brief(r reply) string {
	_, text, found := strings.Cut(r.body, "<body>")
	if !found {
		text = r.body
	}
	return r.Status + ": " + strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " ")), " ")
}

// answerTo opens the authorization endpoint, agrees if asked, and returns the
// parameters that arrive at the redirect URI.
func (c *client) answerTo(t tb, values url.Values) url.Values {
	t.Helper()
	return redirected(t, c.h.finish(t, c.h.visit(t, values.Encode())))
}

// code returns a new authorization code.
func (c *client) code(t tb, pairs ...string) string {
	t.Helper()
	answer := c.answerTo(t, c.request(pairs...))
	require.Empty(t, answer.Get("error"), answer.Get("error_description"))
	require.NotEmpty(t, answer.Get("code"))
	return answer.Get("code")
}

// redirected returns the query of the URL to which r redirects.
func redirected(t tb, r reply) url.Values {
	t.Helper()
	require.Contains(t, []int{http.StatusFound, http.StatusSeeOther}, r.StatusCode, brief(r))
	_, query, found := strings.Cut(r.Header.Get("Location"), "?")
	require.True(t, found, r.Header.Get("Location"))
	require.NotContains(t, query, "#")
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	return values
}

// sentBack checks that r is an error that was sent to the client, and returns
// its parameters.
func (c *client) sentBack(t testing.TB, r reply, code string) url.Values {
	t.Helper()
	answer := redirected(t, r)
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), c.RedirectURIs[0]+"?"), r.Header.Get("Location"))
	require.Equal(t, code, answer.Get("error"), answer.Get("error_description"))
	require.False(t, answer.Has("code"))
	plainText(t, answer.Get("error_description"))
	return answer
}

// onPage checks that r shows the error to the user without redirecting.
func onPage(t testing.TB, r reply) {
	t.Helper()
	require.GreaterOrEqual(t, r.StatusCode, 400, brief(r))
	require.Less(t, r.StatusCode, 500, brief(r))
	require.Empty(t, r.Header.Get("Location"))
	require.Empty(t, r.Header.Get("Refresh"))
	require.Contains(t, r.Header.Get("Content-Type"), "text/html")
	require.False(t, strings.Contains(r.body, "<form"), brief(r))
	require.False(t, strings.Contains(r.body, "http-equiv"), brief(r))
}

var described = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`)

// plainText checks the characters of error, error_description and scope values
// (RFC 6749 appendix A.7 and A.8, RFC 6750 section 3).
func plainText(t testing.TB, s string) {
	t.Helper()
	require.Regexp(t, described, s)
}

func (c *client) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.ClientID)+":"+url.QueryEscape(c.secret)))
}

// send posts a form. The header is given as names and values.
func (h *host) send(t require.TestingT, path string, form url.Values, header ...string) reply {
	return h.sendRaw(t, path, form.Encode(), header...)
}

func (h *host) sendRaw(t require.TestingT, path, body string, header ...string) reply {
	all := http.Header{"Content-Type": {formType}}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == omit {
			all.Del(header[i])
		} else {
			all.Set(header[i], header[i+1])
		}
	}
	return h.do(t, "POST", path, all, body)
}

// withID adds the credentials to a form in the way of the client's kind.
func (c *client) withID(pairs ...string) url.Values {
	values := url.Values{"client_id": {c.ClientID}}
	if !c.Public {
		values.Set("client_secret", c.secret)
	}
	return params(values, pairs...)
}

// redemption returns the form that redeems the code from request, changed.
func (c *client) redemption(code string, pairs ...string) url.Values {
	values := c.withID("grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURIs[0])
	if c.Public {
		values.Set("code_verifier", verifier)
	}
	return params(values, pairs...)
}

func (c *client) refreshing(token string, pairs ...string) url.Values {
	return params(c.withID("grant_type", "refresh_token", "refresh_token", token), pairs...)
}

type tokens struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Refresh   string `json:"refresh_token"`
	Scope     string `json:"scope"`
}

// granted checks that r is a token answer and returns it.
func granted(t require.TestingT, r reply) tokens {
	require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
	var answer tokens
	require.NoError(t, json.Unmarshal([]byte(r.body), &answer))
	require.NotEmpty(t, answer.Access)
	require.NotEmpty(t, answer.Refresh)
	return answer
}

// tokens signs a user in and redeems the code.
func (c *client) tokens(t testing.TB, pairs ...string) tokens {
	t.Helper()
	return granted(t, c.h.send(t, tokenPath, c.redemption(c.code(t, pairs...))))
}

// refused checks that r is an error answer of the token, revocation or
// introspection endpoint, with one of the codes.
func refused(t testing.TB, r reply, status int, codes ...string) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, brief(r))
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Empty(t, r.Header.Get("Location"))
	answer := object(t, r)
	require.Contains(t, codes, answer["error"], r.body)
	for name, value := range answer {
		require.Contains(t, []string{"error", "error_description", "error_uri"}, name)
		require.IsType(t, "", value)
		plainText(t, value.(string))
	}
}

// object returns the JSON object in r.
func object(t tb, r reply) map[string]any {
	t.Helper()
	require.True(t, utf8.ValidString(r.body))
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &answer), r.body)
	return answer
}

// bearer requests the resource at path with an Authorization header.
func (h *host) bearer(t require.TestingT, path, token string) reply {
	return h.do(t, "GET", path, http.Header{"Authorization": {"Bearer " + token}}, "")
}

// works reports whether an access token gives access to the userinfo document.
func (h *host) works(t require.TestingT, access string) bool {
	r := h.bearer(t, userInfoPath, access)
	require.Contains(t, []int{http.StatusOK, http.StatusUnauthorized}, r.StatusCode, brief(r))
	return r.StatusCode == http.StatusOK
}

// challenged returns the attributes of the only WWW-Authenticate challenge in
// r, which must have the given scheme and be well-formed.
func challenged(t testing.TB, r reply, scheme string) map[string]string {
	t.Helper()
	require.Len(t, r.Header.Values("WWW-Authenticate"), 1, "there must be one challenge")
	got, rest, _ := strings.Cut(r.Header.Get("WWW-Authenticate"), " ")
	require.Equal(t, scheme, got)
	attributes := map[string]string{}
	attribute := regexp.MustCompile(`^([a-z_]+)="([\x20-\x21\x23-\x5B\x5D-\x7E]*)"(?:, *|$)`)
	for rest != "" {
		m := attribute.FindStringSubmatch(rest)
		require.NotNil(t, m, "%q isn't an attribute", rest)
		require.NotContains(t, attributes, m[1], "an attribute must not appear twice")
		attributes[m[1]] = m[2]
		rest = rest[len(m[0]):]
	}
	return attributes
}

// grants returns the live grants of an application.
func (c *client) grants(t testing.TB) []provider.Grant {
	t.Helper()
	grants, next, err := c.h.ListGrants(context.Background(), provider.GrantFilter{ApplicationID: c.ID}, "", 100)
	require.NoError(t, err)
	require.Empty(t, next)
	return grants
}
