package conformance

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

const (
	deviceAuthorizationPath = "/oauth/device_authorization"
	devicePath              = "/oauth/device"
	deviceGrant             = "urn:ietf:params:oauth:grant-type:device_code"
)

func newDeviceHost(t testing.TB) *host {
	return newHostWith(t, func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} })
}

// device asks for codes and returns the whole answer.
func (c *client) device(t testing.TB, pairs ...string) map[string]any {
	t.Helper()
	r := c.h.send(t, deviceAuthorizationPath, c.withID(pairs...))
	require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
	return object(t, r)
}

// polling returns the form with which a device asks for its tokens.
func (c *client) polling(device map[string]any, pairs ...string) url.Values {
	return params(c.withID("grant_type", deviceGrant, "device_code", device["device_code"].(string)), pairs...)
}

// enters is a browser in which the user opens a URL of the device page and
// submits the prefilled code.
func (h *host) enters(t testing.TB, target string) reply {
	t.Helper()
	page := h.do(t, "GET", target, http.Header{"Test-User": {user}}, "")
	require.Equal(t, http.StatusOK, page.StatusCode, brief(page))
	address, err := url.Parse(target)
	require.NoError(t, err)
	form := params(fields(page.body), "user_code", address.Query().Get("user_code"))
	r := h.do(t, "POST", devicePath, consentHeader(h, page), form.Encode())
	require.Equal(t, http.StatusSeeOther, r.StatusCode, brief(r))
	return h.do(t, "GET", r.Header.Get("Location"), consentHeader(h, page), "")
}

// decides is a browser in which the user follows the complete address and
// presses a button.
func (h *host) decides(t testing.TB, device map[string]any, decision string) reply {
	t.Helper()
	page := h.enters(t, strings.TrimPrefix(device["verification_uri_complete"].(string), h.url))
	require.Equal(t, http.StatusOK, page.StatusCode, brief(page))
	form := params(fields(page.body), "decision", decision)
	r := h.do(t, "POST", devicePath, consentHeader(h, page), form.Encode())
	require.Equal(t, http.StatusSeeOther, r.StatusCode, brief(r))
	return page
}

// RFC 8628 section 3.2: device_code, user_code, verification_uri, and
// expires_in are required, interval and verification_uri_complete are present
// too, and the answer is JSON that is not cached.
func TestDeviceAuthorizationAnswer(t *testing.T) {
	h := newDeviceHost(t)
	for name, c := range map[string]*client{"public": h.public(), "confidential": h.confidential()} {
		t.Run(name, func(t *testing.T) {
			r := h.send(t, deviceAuthorizationPath, c.withID("scope", "profile"))
			require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
			require.Equal(t, "application/json", r.Header.Get("Content-Type"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			answer := object(t, r)
			require.ElementsMatch(t, []string{"device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval"}, slices.Collect(maps.Keys(answer)))
			require.Equal(t, float64(600), answer["expires_in"])
			require.Equal(t, float64(5), answer["interval"])
			require.Equal(t, h.url+devicePath, answer["verification_uri"])
			require.NotContains(t, answer["verification_uri"], "?")
			require.Equal(t, h.url+devicePath+"?user_code="+answer["user_code"].(string), answer["verification_uri_complete"])
		})
	}
}

// RFC 8628 section 3.1: the request is a form in the body of a POST; parameters
// without a value count as omitted, unknown ones are ignored, and none may be
// repeated.
func TestDeviceAuthorizationRequest(t *testing.T) {
	h := newDeviceHost(t)
	c := h.public()
	form := c.withID("scope", "profile")
	c.device(t, "scope", "", "unknown", "x")
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
		r := h.do(t, method, deviceAuthorizationPath+"?"+form.Encode(), http.Header{"Content-Type": {formType}}, form.Encode())
		require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
	}
	refused(t, h.send(t, deviceAuthorizationPath+"?"+form.Encode(), url.Values{}), 401, "invalid_client")
	refused(t, h.sendRaw(t, deviceAuthorizationPath, form.Encode()+"&scope=email"), 400, "invalid_request")
	refused(t, h.sendRaw(t, deviceAuthorizationPath, form.Encode()+"&client_id="+c.ClientID), 400, "invalid_request")
	refused(t, h.send(t, deviceAuthorizationPath, form, "Content-Type", "application/json"), 400, "invalid_request")
	refused(t, h.send(t, deviceAuthorizationPath, c.withID("scope", "unknown")), 400, "invalid_scope")
	refused(t, h.send(t, deviceAuthorizationPath, c.withID("scope", "private_metadata")), 400, "invalid_scope")
	preflight(t, h, deviceAuthorizationPath, "POST")
}

// RFC 8628 section 3.1: a device that names no scope asks for all that it may
// have.
func TestDeviceWithoutScope(t *testing.T) {
	h := newDeviceHost(t)
	c := h.client(provider.ApplicationSettings{Public: true, Scopes: scopes.New("profile", "notes:read")})
	device := c.device(t, "scope", omit)
	h.decides(t, device, "allow")
	require.ElementsMatch(t, []string{"profile", "notes:read"}, splitScope(granted(t, h.send(t, tokenPath, c.polling(device))).Scope))
}

// RFC 8628 section 3.1: the client authenticates as at the token endpoint.
func TestDeviceAuthorizationClientAuthentication(t *testing.T) {
	h := newDeviceHost(t)
	c := h.confidential()
	r := h.send(t, deviceAuthorizationPath, url.Values{}, "Authorization", c.basic())
	require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
	refused(t, h.send(t, deviceAuthorizationPath, url.Values{}), 401, "invalid_client")
	refused(t, h.send(t, deviceAuthorizationPath, c.withID("client_secret", omit)), 401, "invalid_client")
	refused(t, h.send(t, deviceAuthorizationPath, c.withID("client_secret", "wrong")), 401, "invalid_client")
	refused(t, h.send(t, deviceAuthorizationPath, url.Values{"client_id": {"unknown"}}), 401, "invalid_client")
	refused(t, h.send(t, deviceAuthorizationPath, h.public().withID("client_secret", "wrong")), 401, "invalid_client")

	device := c.device(t)
	h.decides(t, device, "allow")
	refused(t, h.send(t, tokenPath, c.polling(device, "client_secret", omit)), 401, "invalid_client")
	granted(t, h.send(t, tokenPath, c.polling(device)))
}

// RFC 8628 sections 3.3 and 3.3.1: the user is shown the code to compare, even
// if it came with the URL. The URL alone only fills it in.
func TestDevicePageShowsTheCode(t *testing.T) {
	h := newDeviceHost(t)
	device := h.public().device(t)
	link := h.do(t, "GET", strings.TrimPrefix(device["verification_uri_complete"].(string), h.url), http.Header{"Test-User": {user}}, "")
	require.Contains(t, link.body, `name="user_code" value="`+device["user_code"].(string)+`"`)
	require.NotContains(t, brief(link), "Wiki")
	page := h.decides(t, device, "allow")
	require.Contains(t, brief(page), device["user_code"].(string))
	require.Contains(t, brief(page), "Wiki")
}

// RFC 8628 sections 3.4 and 3.5: once the user has agreed, the device gets the
// answer of RFC 6749 section 5.1.
func TestDeviceTokenAnswer(t *testing.T) {
	h := newDeviceHost(t)
	c := h.public()
	device := c.device(t, "scope", "profile")
	h.decides(t, device, "allow")
	r := h.send(t, tokenPath, c.polling(device))
	tokens := granted(t, r)
	require.Equal(t, "profile", tokens.Scope)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.True(t, h.works(t, tokens.Access))
	granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
}

// RFC 8628 section 3.5: each error, with status 400 as RFC 6749 section 5.2
// says.
func TestDevicePollErrors(t *testing.T) {
	h := newDeviceHost(t)
	c, other := h.public(), h.public()
	waiting, denied := c.device(t), c.device(t)
	refused(t, h.send(t, tokenPath, c.polling(waiting)), 400, "authorization_pending")
	h.decides(t, denied, "deny")
	refused(t, h.send(t, tokenPath, c.polling(denied)), 400, "access_denied")
	refused(t, h.send(t, tokenPath, other.polling(waiting)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, c.polling(waiting, "device_code", "unknown")), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, c.polling(waiting, "device_code", omit)), 400, "invalid_request")
	refused(t, h.sendRaw(t, tokenPath, c.polling(waiting).Encode()+"&device_code=x"), 400, "invalid_request")
	h.clock.Add(10 * time.Minute)
	refused(t, h.send(t, tokenPath, c.polling(waiting)), 400, "expired_token")
}

// RFC 8628 section 3.5: a device that polls too soon must wait 5 seconds longer
// each time from then on. A device that keeps to the interval is never told to
// slow down, even if a request catches up a little with the one before.
func TestDeviceSlowDown(t *testing.T) {
	h := newDeviceHost(t)
	c := h.public()
	device := c.device(t)
	for _, tt := range []struct {
		after time.Duration
		code  string
	}{
		{0, "authorization_pending"}, // The first request may come at any time.
		{5 * time.Second, "authorization_pending"},
		{4600 * time.Millisecond, "authorization_pending"},
		{4 * time.Second, "slow_down"},
		{9 * time.Second, "slow_down"},
		{14 * time.Second, "slow_down"},
		{20 * time.Second, "authorization_pending"},
		{0, "slow_down"},
	} {
		h.clock.Add(tt.after)
		refused(t, h.send(t, tokenPath, c.polling(device)), 400, tt.code)
	}
	h.decides(t, device, "allow")
	granted(t, h.send(t, tokenPath, c.polling(device))) // No delay is needed once the user has decided.
}

// RFC 8628 section 3.4: a device code isn't accepted as another credential, nor
// another credential as a device code.
func TestDeviceCodeIsNotAnotherCredential(t *testing.T) {
	h := newDeviceHost(t)
	c := h.public()
	device := c.device(t)
	code := device["device_code"].(string)
	h.decides(t, device, "allow")
	for _, wrong := range []string{code + "x", device["user_code"].(string), "oac_" + strings.TrimPrefix(code, "odc_")} {
		refused(t, h.send(t, tokenPath, c.polling(device, "device_code", wrong)), 400, "invalid_grant")
	}
	tokens := granted(t, h.send(t, tokenPath, c.polling(device)))
	for _, wrong := range []string{tokens.Access, tokens.Refresh} {
		refused(t, h.send(t, tokenPath, c.polling(device, "device_code", wrong)), 400, "invalid_grant")
	}
	refused(t, h.send(t, tokenPath, c.withID("grant_type", "authorization_code", "code", code)), 400, "invalid_grant")
	refused(t, h.send(t, tokenPath, c.refreshing(code)), 400, "invalid_grant")
	require.False(t, h.works(t, code))
	require.True(t, h.works(t, tokens.Access))
}

// RFC 8628 section 3.5 and RFC 6749 section 4.1.2: a device code works once,
// and a second use revokes what it gave.
func TestDeviceCodeReplay(t *testing.T) {
	h := newDeviceHost(t)
	c := h.public()
	device := c.device(t)
	h.decides(t, device, "allow")
	tokens := granted(t, h.send(t, tokenPath, c.polling(device)))
	next := granted(t, h.send(t, tokenPath, c.refreshing(tokens.Refresh)))
	refused(t, h.send(t, tokenPath, h.public().polling(device)), 400, "invalid_grant")
	require.True(t, h.works(t, next.Access), "another client's replay ends nothing")
	refused(t, h.send(t, tokenPath, c.polling(device)), 400, "invalid_grant")
	require.False(t, h.works(t, tokens.Access))
	require.False(t, h.works(t, next.Access))
	refused(t, h.send(t, tokenPath, c.refreshing(next.Refresh)), 400, "invalid_grant")
}

// RFC 8628 section 4: the metadata names the endpoint and the grant only if
// device authorization is on.
func TestDeviceMetadata(t *testing.T) {
	h := newDeviceHost(t)
	metadata := h.metadata(t)
	require.Equal(t, h.url+deviceAuthorizationPath, metadata["device_authorization_endpoint"])
	require.Contains(t, list(t, metadata["grant_types_supported"]), deviceGrant)

	off := newHost(t)
	require.NotContains(t, off.metadata(t), "device_authorization_endpoint")
	require.NotContains(t, list(t, off.metadata(t)["grant_types_supported"]), deviceGrant)
	c := off.public()
	refused(t, off.send(t, tokenPath, c.withID("grant_type", deviceGrant, "device_code", "x")), 400, "unsupported_grant_type")
	require.Equal(t, http.StatusNotFound, off.send(t, deviceAuthorizationPath, c.withID()).StatusCode)
}

// RFC 8628 sections 5.1 and 5.2: user codes have 34 bits, device codes at least
// 160, and none is repeated.
func TestDeviceCodesAreRandom(t *testing.T) {
	h := newDeviceHost(t)
	c := h.public()
	seen := map[string]bool{}
	for range 100 {
		device := c.device(t)
		for _, name := range []string{"device_code", "user_code"} {
			code := device[name].(string)
			require.False(t, seen[code])
			seen[code] = true
		}
		require.GreaterOrEqual(t, len(device["device_code"].(string)), 27, "160 bits need 27 characters")
		require.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, device["user_code"])
	}
}

// RFC 8628 section 5.4: a user who follows a link with a code in it is warned,
// and nothing is allowed before they say so, regardless of earlier consents.
func TestDeviceRemotePhishing(t *testing.T) {
	h := newDeviceHost(t)
	c := h.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf), SkipConsent: true})
	c.tokens(t)
	device := c.device(t)
	target := strings.TrimPrefix(device["verification_uri_complete"].(string), h.url)
	page := h.enters(t, target+"&decision=allow")
	require.Contains(t, brief(page), "Never approve a code that someone sent you.")
	refused(t, h.send(t, tokenPath, c.polling(device)), 400, "authorization_pending")
}

// RFC 8628 section 6.1: case, hyphens, spaces, and characters outside the
// alphabet make no difference.
func TestUserCodeInput(t *testing.T) {
	h := newDeviceHost(t)
	device := h.public().device(t)
	code := strings.ReplaceAll(device["user_code"].(string), "-", "")
	for _, typed := range []string{device["user_code"].(string), code, strings.ToLower(code), code[:3] + " " + code[3:], "-" + strings.Join(strings.Split(code, ""), " "),
		" " + code[:2] + " - " + code[2:] + "\t", strings.Join(strings.Split(code, ""), "-"), code[:4] + "\u2013" + code[4:], code[:4] + "\u00a0" + code[4:], "A" + code + "."} {
		page := h.enters(t, devicePath+"?user_code="+url.QueryEscape(typed))
		require.Equal(t, http.StatusOK, page.StatusCode, brief(page))
		require.Contains(t, brief(page), device["user_code"].(string))
	}
}
