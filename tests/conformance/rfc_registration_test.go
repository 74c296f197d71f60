package conformance

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

const (
	registerPath = "/oauth/register"
	jsonType     = "application/json"
	everyScope   = "profile email public_metadata private_metadata notes:read" // scopes that a client may ask for
)

func newOpenHost(t testing.TB) *host {
	return newHostWith(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
}

// registration is what a client knows about its registration.
type registration struct {
	h                       *host
	id, secret, token, path string
	information             map[string]any
}

// metadata encodes a JSON object of names and values.
func metadata(pairs ...any) string {
	object := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i].(string)] = pairs[i+1]
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func (h *host) asksToRegister(t testing.TB, body string, header ...string) reply {
	t.Helper()
	return h.sendRaw(t, registerPath, body, append([]string{"Content-Type", jsonType}, header...)...)
}

// registers checks that r is client information (RFC 7591 section 3.2.1) and
// returns it.
func (h *host) registers(t testing.TB, r reply) *registration {
	t.Helper()
	require.Equal(t, http.StatusCreated, r.StatusCode, brief(r))
	information := informed(t, r)
	c := &registration{h: h, information: information}
	c.id, _ = information["client_id"].(string)
	c.secret, _ = information["client_secret"].(string)
	c.token, _ = information["registration_access_token"].(string)
	uri, _ := information["registration_client_uri"].(string)
	require.True(t, strings.HasPrefix(uri, h.url+"/"), uri)
	c.path = strings.TrimPrefix(uri, h.url)
	require.NotEmpty(t, c.id)
	require.NotEmpty(t, c.token)
	return c
}

func informed(t testing.TB, r reply) map[string]any {
	t.Helper()
	require.Equal(t, jsonType, r.Header.Get("Content-Type"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "no-cache", r.Header.Get("Pragma"))
	return object(t, r)
}

// client returns the registration as an application that can sign users in.
func (c *registration) client(t testing.TB) *client {
	t.Helper()
	app, err := c.h.FindClient(t.Context(), c.id)
	require.NoError(t, err)
	return &client{app, c.secret, c.h}
}

// manage sends a request to the client configuration endpoint.
func (c *registration) manage(t testing.TB, method, token, body string) reply {
	t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	if body != "" {
		header.Set("Content-Type", jsonType)
	}
	return c.h.do(t, method, c.path, header, body)
}

// RFC 8414 section 2 and RFC 7591 section 3: metadata has the registration
// endpoint.
func TestRegistrationEndpointIsAdvertised(t *testing.T) {
	h := newOpenHost(t)
	document := object(t, h.do(t, "GET", metadataPath, nil, ""))
	require.Equal(t, h.url+registerPath, document["registration_endpoint"])
	require.NotContains(t, object(t, newHost(t).do(t, "GET", metadataPath, nil, "")), "registration_endpoint")
}

// RFC 7591 sections 2 and 3.2.1: the answer is 201, with a unique ID and all
// registered metadata, including defaults.
func TestRegisterAnswersWithAllMetadata(t *testing.T) {
	h := newOpenHost(t)
	for sent, kept := range map[string]string{
		`{"redirect_uris": ["` + callback + `"]}`: `{
			"redirect_uris": ["` + callback + `"], "token_endpoint_auth_method": "client_secret_basic", "client_secret_expires_at": 0,
			"grant_types": ["authorization_code"], "response_types": ["code"], "application_type": "web",
			"client_name": "wiki.example.com", "scope": "` + everyScope + `"
		}`,
		`{
			"redirect_uris": ["` + callback + `", "http://127.0.0.1/cb", "com.example.agent:/cb"],
			"token_endpoint_auth_method": "none", "grant_types": ["refresh_token", "authorization_code", "authorization_code"], "response_types": ["code"],
			"application_type": "native", "client_name": "Agent é", "client_uri": "https://wiki.example.com/", "logo_uri": "https://wiki.example.com/logo.png",
			"scope": "profile notes:read", "contacts": ["ops@wiki.example.com"], "tos_uri": "https://wiki.example.com/tos",
			"policy_uri": "https://wiki.example.com/policy", "software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "2.1",
			"jwks": {"keys": []}, "jwks_uri": "https://wiki.example.com/jwks", "software_statement": "x.y.z", "client_name#ja": "x", "unheard_of": [[{}]],
			"client_id": "mine", "client_secret": "mine", "registration_access_token": "mine", "default_max_age": 3
		}`: `{
			"redirect_uris": ["` + callback + `", "http://127.0.0.1/cb", "com.example.agent:/cb"],
			"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
			"application_type": "native", "client_name": "Agent é", "client_uri": "https://wiki.example.com/", "logo_uri": "https://wiki.example.com/logo.png",
			"scope": "profile notes:read", "contacts": ["ops@wiki.example.com"], "tos_uri": "https://wiki.example.com/tos",
			"policy_uri": "https://wiki.example.com/policy", "software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "2.1"
		}`,
	} {
		c, other := h.registers(t, h.asksToRegister(t, sent)), h.registers(t, h.asksToRegister(t, sent))
		require.Equal(t, float64(h.clock.Now().Unix()), c.information["client_id_issued_at"])
		require.Equal(t, c.information["token_endpoint_auth_method"] == "none", c.secret == "")
		require.NotEqual(t, c.id, other.id)
		require.NotEqual(t, c.token, other.token)
		require.True(t, c.secret == "" || c.secret != other.secret)
		require.NotContains(t, []string{c.id, c.token, other.id}, "mine")
		require.JSONEq(t, kept, metadataOf(t, c.information))
	}
}

// metadataOf returns the metadata that a client chose, or could have chosen,
// without what the server assigned.
func metadataOf(t testing.TB, information map[string]any) string {
	rest := maps.Clone(information)
	for _, own := range []string{"client_id", "client_id_issued_at", "client_secret", "registration_access_token", "registration_client_uri"} {
		delete(rest, own)
	}
	encoded, err := json.Marshal(rest)
	require.NoError(t, err)
	return string(encoded)
}

// RFC 7591 section 2: token_endpoint_auth_method none is a public client, which
// gets no secret (section 3.2.1).
func TestRegisterPublicClient(t *testing.T) {
	h := newOpenHost(t)
	c := h.registers(t, h.asksToRegister(t, metadata("redirect_uris", []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method", "none")))
	require.NotContains(t, c.information, "client_secret")
	require.NotContains(t, c.information, "client_secret_expires_at")
	require.Equal(t, "none", c.information["token_endpoint_auth_method"])
	app := c.client(t)
	require.True(t, h.works(t, app.tokens(t).Access))
}

// RFC 7591 sections 2 and 3.2.1: the server ignores what it doesn't understand,
// and replaces what it doesn't offer or can't use. The answer says what it
// stored.
func TestRegisterIgnoresAndReplaces(t *testing.T) {
	h := newOpenHost(t)
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		members, field string
		want           any // nil: nothing was stored
	}{
		{`"unheard_of":{"a":1},"unheard_of":2`, "unheard_of", nil},
		{`"client_name#fr":"x"`, "client_name#fr", nil},
		{`"client_secret":7,"client_id":{}`, "client_name", "wiki.example.com"},

		{`"token_endpoint_auth_method":null`, "token_endpoint_auth_method", "client_secret_basic"},
		{`"token_endpoint_auth_method":"client_secret_post"`, "token_endpoint_auth_method", "client_secret_post"},
		{`"token_endpoint_auth_method":"client_secret_post","token_endpoint_auth_methods_supported":["none","client_secret_post"]`, "token_endpoint_auth_method", "client_secret_post"},
		{`"token_endpoint_auth_methods_supported":["client_secret_post"]`, "token_endpoint_auth_method", "client_secret_post"},
		{`"token_endpoint_auth_method":"client_secret_basic","token_endpoint_auth_methods_supported":[]`, "token_endpoint_auth_method", "client_secret_basic"},

		{`"grant_types":["authorization_code","implicit","refresh_token"]`, "grant_types", []any{"authorization_code", "refresh_token"}},
		{`"grant_types":["implicit"]`, "grant_types", []any{"authorization_code"}},
		{`"grant_types":["client_credentials","refresh_token"]`, "grant_types", []any{"authorization_code", "refresh_token"}},
		{`"grant_types":[null,5,"authorization_code"]`, "grant_types", []any{"authorization_code"}},
		{`"grant_types":"authorization_code"`, "grant_types", []any{"authorization_code"}},
		{`"response_types":["code","token"]`, "response_types", []any{"code"}},
		{`"response_types":["token"]`, "response_types", []any{"code"}},
		{`"response_types":5`, "response_types", []any{"code"}},

		{`"application_type":"native"`, "application_type", "native"},
		{`"application_type":"browser"`, "application_type", "web"},
		{`"application_type":["web"]`, "application_type", "web"},

		{`"scope":"profile claudeai"`, "scope", "profile"},
		{`"scope":" profile  \"x\" email "`, "scope", "email profile"},
		{`"scope":"claudeai"`, "scope", everyScope},
		{`"scope":["profile"]`, "scope", everyScope},
		{`"scope":""`, "scope", everyScope},
		{`"scope":"` + strings.Repeat("a ", 5000) + `"`, "scope", everyScope},

		{`"client_name":5`, "client_name", "wiki.example.com"},
		{`"client_name":"  "`, "client_name", "wiki.example.com"},
		{`"client_uri":"https://wiki.example.com"`, "client_uri", "https://wiki.example.com"},
		{`"client_uri":"http://localhost:5173"`, "client_uri", nil},
		{`"client_uri":"` + h.url + `/"`, "client_uri", nil},
		{`"client_uri":"https://` + long + `"`, "client_uri", nil},
		{`"client_uri":"https://a.example.com","client_uri":"https://b.example.com"`, "client_uri", nil},
		{`"logo_uri":"data:image/png;base64,AA"`, "logo_uri", nil},
		{`"logo_uri":["https://wiki.example.com/l.png"]`, "logo_uri", nil},
		{`"tos_uri":"tos.html"`, "tos_uri", nil},
		{`"policy_uri":"javascript:alert(1)"`, "policy_uri", nil},
		{`"policy_uri":true`, "policy_uri", nil},
		{`"contacts":"a@wiki.example.com"`, "contacts", nil},
		{`"contacts":["a@wiki.example.com",5,"` + long + `","","b\u0000"]`, "contacts", []any{"a@wiki.example.com"}},
		{`"software_id":{}`, "software_id", nil},
		{`"software_id":"` + long + `"`, "software_id", nil},
		{`"software_version":"a\nb"`, "software_version", nil},
	} {
		c := h.registers(t, h.asksToRegister(t, `{"redirect_uris":["`+callback+`"],`+tt.members+`}`))
		if tt.field == "scope" {
			require.ElementsMatch(t, strings.Fields(tt.want.(string)), strings.Fields(c.information["scope"].(string)), tt.members)
			continue
		}
		require.Equal(t, tt.want, c.information[tt.field], tt.members)
		require.Equal(t, c.information["token_endpoint_auth_method"] == "none", c.secret == "", tt.members)
		require.Equal(t, []any{callback}, c.information["redirect_uris"])
	}
}

// RFC 7591 sections 2 and 3.2.1, OpenID Connect Relying Party Metadata Choices
// section 2: a client that lists how it can authenticate, none of which is
// offered, becomes a public client. It never gets a secret that it may be
// unable to keep.
func TestRegisterGivesNoSecretUnasked(t *testing.T) {
	h := newOpenHost(t)
	for _, members := range []string{
		`"token_endpoint_auth_method":"none"`,
		`"token_endpoint_auth_method":"None"`,
		`"token_endpoint_auth_method":["none"]`,
		`"token_endpoint_auth_method":false`,
		`"token_endpoint_auth_method":"none","token_endpoint_auth_method":"client_secret_basic"`,
		`"token_endpoint_auth_method":"private_key_jwt"`,
		`"token_endpoint_auth_method":"tls_client_auth"`,
		`"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_methods_supported":["none","private_key_jwt"],"jwks_uri":"https://wiki.example.com/jwks"`,
		`"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_methods_supported":["client_secret_post","none"]`,
		`"token_endpoint_auth_method":"client_secret_basic","token_endpoint_auth_methods_supported":["none"]`,
		`"token_endpoint_auth_methods_supported":["none","client_secret_basic"]`,
		`"token_endpoint_auth_methods_supported":["private_key_jwt"]`,
		`"token_endpoint_auth_methods_supported":"none"`,
		`"token_endpoint_auth_methods_supported":[null]`,
	} {
		c := h.registers(t, h.asksToRegister(t, `{"redirect_uris":["`+callback+`"],`+members+`}`))
		require.Equal(t, "none", c.information["token_endpoint_auth_method"], members)
		require.Empty(t, c.secret, members)
	}
	// Cursor sends this: it calls a program on the user's machine a web client.
	c := h.registers(t, h.asksToRegister(t, `{"application_type":"web","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback"],"token_endpoint_auth_method":"none"}`))
	require.Equal(t, "native", c.information["application_type"])
	require.NotEmpty(t, c.client(t).code(t))
}

// RFC 7591 section 3.2.2.
func TestRegisterErrors(t *testing.T) {
	h := newOpenHost(t)
	for name, tt := range map[string]struct{ body, code string }{
		"RFC 7591 section 2: redirect URIs are required": {metadata("client_name", "x"), "invalid_redirect_uri"},
		"RFC 7591 section 5: not http":                   {metadata("redirect_uris", []string{"http://wiki.example.com/cb"}), "invalid_redirect_uri"},
		"RFC 7591 section 5: not javascript":             {metadata("redirect_uris", []string{"javascript:alert(1)"}, "token_endpoint_auth_method", "none"), "invalid_redirect_uri"},
		"RFC 6749 section 3.1.2: absolute":               {metadata("redirect_uris", []string{"/cb"}), "invalid_redirect_uri"},
		"RFC 6749 section 3.1.2: no fragment":            {metadata("redirect_uris", []string{callback + "#x"}), "invalid_redirect_uri"},
		"twice":                                          {`{"redirect_uris":["` + callback + `"],"redirect_uris":["https://evil.example.com"]}`, "invalid_client_metadata"},
		"a name that reverses what follows":              {metadata("redirect_uris", []string{callback}, "client_name", "a\u202eb"), "invalid_client_metadata"},
		"one isn't a string":                             {metadata("redirect_uris", []any{callback, 5}), "invalid_redirect_uri"},
		"one is bad":                                     {metadata("redirect_uris", []string{callback, "http://wiki.example.com/cb"}), "invalid_redirect_uri"},
		"one is null":                                    {metadata("redirect_uris", []any{callback, nil}), "invalid_redirect_uri"},
		"one is repeated":                                {metadata("redirect_uris", []string{callback, callback}), "invalid_redirect_uri"},
		"one is too long":                                {metadata("redirect_uris", []string{callback + strings.Repeat("x", 1024)}), "invalid_redirect_uri"},
		"too many":                                       {metadata("redirect_uris", slices.Repeat([]string{"http://[::1]"}, 101)), "invalid_redirect_uri"},
		"none":                                           {metadata("redirect_uris", []string{}), "invalid_redirect_uri"},
		"null":                                           {metadata("redirect_uris", nil), "invalid_redirect_uri"},
		"a text":                                         {metadata("redirect_uris", callback), "invalid_redirect_uri"},
		"a scheme without an owner":                      {metadata("redirect_uris", []string{"myapp:/cb"}), "invalid_redirect_uri"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, h.asksToRegister(t, tt.body), 400, tt.code) })
	}
	for uri := range unsafeRedirectURIs {
		refused(t, h.asksToRegister(t, metadata("redirect_uris", []string{uri}, "token_endpoint_auth_method", "none")), 400, "invalid_redirect_uri")
	}
	refused(t, h.asksToRegister(t, "{"), 400, "invalid_request", "invalid_client_metadata")
	refused(t, h.sendRaw(t, registerPath, "client_name=x"), 400, "invalid_request", "invalid_client_metadata")
	require.Equal(t, http.StatusMethodNotAllowed, h.do(t, "GET", registerPath, nil, "").StatusCode)
}

// RFC 7591 section 5: no one vouches for what a client says, so the user is
// told.
func TestRegisteredClientsAreMarked(t *testing.T) {
	h := newOpenHost(t)
	app := h.registers(t, h.asksToRegister(t, metadata("redirect_uris", []string{callback}, "client_name", "Agent", "logo_uri", "https://wiki.example.com/l.png"))).client(t)
	request := app.request("code_challenge", challenge, "code_challenge_method", "S256", "prompt", "consent").Encode()
	for range 2 {
		page := h.visit(t, request)
		require.Contains(t, brief(page), "Not reviewed by")
		require.NotContains(t, page.body, "l.png")
		redirected(t, h.submit(t, page, "allow"))
	}
}

// RFC 7592 section 2.1 and section 3: a read returns the registration as it is
// now. RFC 9110 section 15.5.6: other methods are refused with the list of the
// supported ones.
func TestConfigurationRead(t *testing.T) {
	h := newOpenHost(t)
	c := h.registers(t, h.asksToRegister(t, metadata("redirect_uris", []string{callback}, "contacts", []string{"a@wiki.example.com"})))
	r := c.manage(t, "GET", c.token, "")
	require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
	got := informed(t, r)
	delete(c.information, "client_secret") // Only its hash is stored.
	require.Equal(t, c.information, got)
	for _, method := range []string{"POST", "PATCH", "HEAD"} {
		r := c.manage(t, method, c.token, "{}")
		require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
		require.Equal(t, "GET, PUT, DELETE, OPTIONS", r.Header.Get("Allow"))
	}
}

// RFC 7592 section 2.2: the update replaces everything. A member that is left
// out is removed or gets its default.
func TestConfigurationUpdate(t *testing.T) {
	h := newOpenHost(t)
	c := h.registers(t, h.asksToRegister(t, metadata("redirect_uris", []string{callback}, "client_name", "One", "contacts", []string{"a"}, "scope", "profile",
		"client_uri", "https://wiki.example.com", "tos_uri", "https://wiki.example.com/tos", "software_id", "x", "grant_types", []string{"authorization_code", "refresh_token"})))
	next := []any{"redirect_uris", []string{"https://wiki.example.com/next"}, "client_name", "Two"}
	h.clock.Add(time.Hour)
	fresh := h.registers(t, h.asksToRegister(t, metadata(next...)))
	for _, secret := range []any{nil, c.secret} {
		r := c.manage(t, "PUT", c.token, metadata(append(next, "client_id", c.id, "client_secret", secret, "registration_client_uri", nil)...))
		require.Equal(t, http.StatusOK, r.StatusCode, brief(r))
		got := informed(t, r)
		require.JSONEq(t, metadataOf(t, fresh.information), metadataOf(t, got))
		require.NotContains(t, got, "client_secret", "it has one, but only the hash is stored")
		for _, own := range []string{"client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"} {
			require.Equal(t, c.information[own], got[own], own)
		}
		require.Equal(t, got, informed(t, c.manage(t, "GET", c.token, "")))
	}
	app := c.client(t)
	onPage(t, h.visit(t, app.request("redirect_uri", callback).Encode()))
	refused(t, h.send(t, tokenPath, app.redemption("x")), 400, "invalid_grant") // Its secret still works.
}

// RFC 7592 section 2.2: what an update must and must not contain.
func TestConfigurationUpdateErrors(t *testing.T) {
	h := newOpenHost(t)
	c := h.registers(t, h.asksToRegister(t, metadata("redirect_uris", []string{callback})))
	for name, pairs := range map[string][]any{
		"no client_id":              {"client_id", nil},
		"another client_id":         {"client_id", "x"},
		"registration_access_token": {"registration_access_token", c.token},
		"registration_client_uri":   {"registration_client_uri", h.url + c.path},
		"client_secret_expires_at":  {"client_secret_expires_at", 0},
		"client_id_issued_at":       {"client_id_issued_at", 0},
		"a new secret":              {"client_secret", "chosen"},
		"a name that reverses":      {"client_name", "a\u202eb"},
		"a number for a client_id":  {"client_id", 7},
		"no redirect URIs":          {"redirect_uris", []string{}},
		"plain http":                {"redirect_uris", []string{"http://wiki.example.com/cb"}},
	} {
		t.Run(name, func(t *testing.T) {
			code := "invalid_client_metadata"
			if pairs[0] == "redirect_uris" {
				code = "invalid_redirect_uri"
			}
			body := metadata(append([]any{"client_id", c.id, "redirect_uris", []string{callback}}, pairs...)...)
			refused(t, c.manage(t, "PUT", c.token, body), 400, code)
		})
	}
	refused(t, c.manage(t, "PUT", c.token, "[]"), 400, "invalid_request")
	public := h.registers(t, h.asksToRegister(t, metadata("redirect_uris", []string{callback}, "token_endpoint_auth_method", "none")))
	body := metadata("client_id", public.id, "redirect_uris", []string{callback}, "token_endpoint_auth_method", "none", "client_secret", "x")
	refused(t, public.manage(t, "PUT", public.token, body), 400, "invalid_client_metadata")
	delete(c.information, "client_secret")
	require.Equal(t, c.information, informed(t, c.manage(t, "GET", c.token, "")))
}

// RFC 7592 section 2.3: the answer is 204, and neither the client nor its
// tokens work afterwards. Other clients aren't affected.
func TestConfigurationDelete(t *testing.T) {
	h := newOpenHost(t)
	body := metadata("redirect_uris", []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method", "none")
	c, bystander := h.registers(t, h.asksToRegister(t, body)), h.registers(t, h.asksToRegister(t, body)).client(t)
	app := c.client(t)
	tokens, code, others := app.tokens(t), app.code(t), bystander.tokens(t)
	r := c.manage(t, "DELETE", c.token, "")
	require.Equal(t, http.StatusNoContent, r.StatusCode, brief(r))
	require.Empty(t, r.body)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.False(t, h.works(t, tokens.Access))
	refused(t, h.send(t, tokenPath, app.refreshing(tokens.Refresh)), 401, "invalid_client")
	refused(t, h.send(t, tokenPath, app.redemption(code)), 401, "invalid_client")
	onPage(t, h.visit(t, app.request().Encode()))
	require.True(t, h.works(t, others.Access))
}

// RFC 7592 sections 2.1, 2.2 and 2.3: without the client's own registration
// access token the answer is 401, by RFC 6750 section 3. It is the same for
// every mistake, so it doesn't reveal which clients exist.
func TestConfigurationToken(t *testing.T) {
	h := newOpenHost(t)
	body := metadata("redirect_uris", []string{callback})
	c, other, gone := h.registers(t, h.asksToRegister(t, body)), h.registers(t, h.asksToRegister(t, body)), h.registers(t, h.asksToRegister(t, body))
	require.Equal(t, http.StatusNoContent, gone.manage(t, "DELETE", gone.token, "").StatusCode)
	manual := h.confidential()
	at := func(id string) *registration { return &registration{h: h, path: registerPath + "/" + id} }
	var answer string
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		body := ""
		if method == "PUT" {
			body = metadata("client_id", c.id, "redirect_uris", []string{callback})
		}
		for name, tt := range map[string]struct {
			at    *registration
			token string
		}{
			"another client's":            {c, other.token},
			"wrong":                       {c, flip(c.token)},
			"longer":                      {c, c.token + "x"},
			"in capitals":                 {c, strings.ToUpper(c.token)},
			"the secret":                  {c, c.secret},
			"an access token":             {c, manual.tokens(t).Access},
			"unknown client":              {at("unknown"), c.token},
			"deleted client":              {gone, gone.token},
			"the host's own client":       {at(manual.ClientID), c.token},
			"the host's own and its own":  {at(manual.ClientID), manual.secret},
			"with the host's name for it": {at(c.client(t).ID), c.token},
			"NUL":                         {at("%00"), c.token},
			"a trailing space":            {at(c.id + "%20"), c.token},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				r := tt.at.manage(t, method, tt.token, body)
				refused(t, r, 401, "invalid_token")
				require.Equal(t, "invalid_token", challenged(t, r, "Bearer")["error"])
				answer = cmp.Or(answer, r.body)
				require.Equal(t, answer, r.body)
			})
		}
		for _, header := range []http.Header{nil, {"Authorization": {"Basic " + c.token}}} {
			r := h.do(t, method, c.path, header, body)
			require.Equal(t, http.StatusUnauthorized, r.StatusCode)
			require.NotContains(t, challenged(t, r, "Bearer"), "error")
		}
		refused(t, h.do(t, method, c.path+"?access_token="+c.token, nil, body), 400, "invalid_request")
	}
	require.Equal(t, http.StatusOK, c.manage(t, "GET", c.token, "").StatusCode)
	require.Equal(t, http.StatusOK, other.manage(t, "GET", other.token, "").StatusCode)
}
