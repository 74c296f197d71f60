package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// A host without OpenID Connect answers on every endpoint as before, even to
// clients that use it: testdata/off.txt has the answers of the last version
// without OpenID Connect to these same requests.
func TestOpenIDOff(t *testing.T) {
	h := newHostWith(t, func(cfg *provider.Config) {
		cfg.Registration = &provider.Registration{}
		cfg.ClientIDDocuments = &provider.ClientIDDocuments{}
		cfg.DeviceAuthorization = &provider.DeviceAuthorization{}
		cfg.Resources = []provider.Resource{{URL: cfg.Issuer + "/mcp", Name: "Notes"}}
	})
	said := transcript{secrets: map[string]string{h.url: "https://host", h.InstanceID(): "(instance)"}}

	for _, path := range []string{metadataPath, "/.well-known/openid-configuration", "/oauth/jwks", "/oauth/logout", "/.well-known/oauth-protected-resource/mcp"} {
		said.note("GET "+path, h.do(t, "GET", path, nil, ""))
	}

	registered := h.sendRaw(t, registerPath, `{"client_name":"Wiki","redirect_uris":["`+callback+`"],"id_token_signed_response_alg":"ES256",
		"subject_type":"pairwise","default_max_age":1,"require_auth_time":true,"default_acr_values":["x"],"request_uris":["x"],
		"post_logout_redirect_uris":["https://wiki.example.com/"],"scope":"openid profile"}`, "Content-Type", "application/json")
	client := object(t, registered)
	for _, name := range []string{"client_id", "client_secret", "registration_access_token"} {
		said.hide(client[name], name)
	}
	said.note("POST "+registerPath, registered)

	c := h.confidential()
	said.hide(c.ClientID, "client_id")
	said.hide(c.ID, "id")
	asked := c.request("scope", "openid profile email offline_access", "nonce", "n-1", "max_age", "x", "claims", "x", "id_token_hint", "x", "acr_values", "x",
		"display", "x", "ui_locales", "x", "claims_locales", "x", "request", "x", "request_uri", "x", "registration", "x")
	answer := c.answerTo(t, asked)
	said.hide(answer.Get("code"), "code")
	said.say("the answer to an authorization request", answer.Encode())
	posted := h.send(t, authorizePath, asked)
	where, err := url.Parse(posted.Header.Get("Location"))
	require.NoError(t, err)
	said.say("where a posted request leads", where.Query().Encode())

	first := h.send(t, tokenPath, c.redemption(answer.Get("code")))
	said.hideTokens(t, first)
	said.note("POST "+tokenPath+" with a code", first)
	second := h.send(t, tokenPath, c.refreshing(granted(t, first).Refresh, "scope", "openid profile"))
	said.hideTokens(t, second)
	said.note("POST "+tokenPath+" with a refresh token", second)
	access := granted(t, second).Access
	said.note("GET "+userInfoPath, h.bearer(t, userInfoPath, granted(t, first).Access))
	said.note("GET "+userInfoPath+" for less", h.bearer(t, userInfoPath, access))
	said.note("POST "+introspectPath, h.send(t, introspectPath, c.withID("token", access)))
	said.note("GET "+notesPath, h.bearer(t, notesPath, access))

	device := h.send(t, "/oauth/device_authorization", c.withID("scope", "openid profile"))
	said.hide(object(t, device)["device_code"], "device_code")
	said.hide(object(t, device)["user_code"], "user_code")
	said.note("POST /oauth/device_authorization", device)

	for _, changed := range [][]string{{"prompt", "none login"}, {"response_type", "code id_token"}, {"response_type", "id_token"}, {"scope", "openid phone"}} {
		said.say(fmt.Sprint("an authorization request with ", changed), c.answerTo(t, c.request(changed...)).Encode())
	}
	silent := h.do(t, "GET", authorizePath+"?"+c.request("scope", "openid", "prompt", "none").Encode(), nil, "")
	said.say("prompt=none without a user", redirected(t, silent).Encode())

	const file = "testdata/off.txt"
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), said.String())
}

// transcript has the host's answers, without what differs each time.
type transcript struct {
	strings.Builder
	secrets map[string]string
}

func (s *transcript) hide(secret any, name string) {
	s.secrets[secret.(string)] = "(" + name + ")"
}

func (s *transcript) hideTokens(t tb, r reply) {
	for _, name := range []string{"access_token", "refresh_token"} {
		s.hide(object(t, r)[name], name)
	}
}

// moment is a time in seconds, or the number of an answer.
var moment = regexp.MustCompile(`\b1\d{9}\b`)

func (s *transcript) say(title, text string) {
	for secret, name := range s.secrets {
		text = strings.NewReplacer(secret, name, url.QueryEscape(secret), name).Replace(text)
	}
	fmt.Fprintf(s, "# %s\n%s\n", title, moment.ReplaceAllString(strings.TrimSpace(text), "(time)"))
}

func (s *transcript) note(title string, r reply) {
	header := ""
	for _, name := range []string{"Content-Type", "Cache-Control", "WWW-Authenticate"} {
		for _, value := range r.Header[http.CanonicalHeaderKey(name)] {
			header += name + ": " + value + "\n"
		}
	}
	s.say(title, r.Status+"\n"+header+r.body)
}
