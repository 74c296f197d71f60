package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const registerPath = "/oauth/register"

// newOpenHost is a host where applications can register themselves.
func newOpenHost(t testing.TB, edit ...func(*provider.Config)) *host {
	return newHost(t, append([]func(*provider.Config){func(c *provider.Config) { c.Registration = &provider.Registration{} }}, edit...)...)
}

// register sends a registration.
func (h *host) register(body string, header ...string) *reply {
	h.t.Helper()
	all := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		all.Set(header[i], header[i+1])
	}
	return h.send("POST", registerPath, all, body)
}

// manage sends a request to the client configuration endpoint.
func (h *host) manage(method, clientID, token, body string) *reply {
	h.t.Helper()
	return h.send(method, registerPath+"/"+clientID, http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}, body)
}

// clientOf reads the answer to a registration as an application that can act.
func (h *host) clientOf(r *reply) (app *application, token string) {
	h.t.Helper()
	shown := r.registered(h.t, 201)
	kept, err := h.FindClient(ctx, shown["client_id"].(string))
	require.NoError(h.t, err)
	secret, _ := shown["client_secret"].(string)
	return &application{kept, secret, h}, shown["registration_access_token"].(string)
}

// registered reads the client information of an answer.
func (r *reply) registered(t testing.TB, status int) map[string]any {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &shown))
	return shown
}

// says checks the error_description too.
func (r *reply) says(t testing.TB, status int, code, text string) {
	t.Helper()
	r.refused(t, status, code)
	var got map[string]string
	require.NoError(t, json.Unmarshal([]byte(r.body), &got))
	require.Contains(t, got["error_description"], text)
	require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`, got["error_description"])
}

const (
	minimal = `{"redirect_uris":["https://agent.example.com/callback"]}`
	native  = `{"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none","client_name":"Agent"}`
)

func TestRegistrationIsOffUnlessConfigured(t *testing.T) {
	h := newHost(t)
	require.Empty(t, h.Endpoints().Register)
	for _, route := range h.Routes() {
		require.NotContains(t, route.Path, "register")
	}
	require.NotContains(t, h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, "registration")
	require.Equal(t, 405, h.register(minimal).StatusCode, "the host's own mux answers")
	require.Equal(t, "the host's own page", h.send("GET", registerPath+"/x", nil, "").body)
	for _, handler := range []http.Handler{h.RegistrationHandler(), h.ClientConfigurationHandler()} {
		off := newHost(t)
		off.server.Config.Handler = handler
		require.Equal(t, 404, off.register(minimal).StatusCode)
	}

	h = newOpenHost(t, func(c *provider.Config) { c.Paths.Register = "-" })
	require.Empty(t, h.Endpoints().Register)
	require.NotContains(t, h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, "registration")
	require.Equal(t, 405, h.register(minimal).StatusCode)
}

func TestRegistrationConfigIsChecked(t *testing.T) {
	c := goodConfig()
	c.Registration = &provider.Registration{ExpireAfter: time.Millisecond}
	c.Paths = provider.Paths{Register: "register", Token: "/x"}
	_, err := provider.New(c)
	require.ErrorContains(t, err, "Config.Registration.ExpireAfter is 1ms")
	require.ErrorContains(t, err, `Config.Paths.Register is "register"`)
	c.Registration.ExpireAfter, c.Paths.Register = 0, "/x"
	_, err = provider.New(c)
	require.ErrorContains(t, err, "Config.Paths.Register is the same as Paths.Token")
	c.Paths.Register = ""
	p, err := provider.New(c)
	require.NoError(t, err)
	require.Equal(t, "https://app.example.com/oauth/register", p.Endpoints().Register)
	require.Zero(t, c.Registration.ExpireAfter, "the host's own struct is left alone")
	c.Registration, c.Paths.Token = nil, "/oauth/register"
	_, err = provider.New(c)
	require.NoError(t, err, "its default path is free while registration is off")
}

// What the host sees of a registration, from start to end.
func TestHostSeesARegistration(t *testing.T) {
	h := newOpenHost(t)
	answer := h.register(strings.TrimSuffix(minimal, "}") + `,"owner_id":"user_ada","contacts":["ops@agent.example.com"]}`)
	app, token := h.clientOf(answer)
	require.Regexp(t, `^[0-9A-Za-z]{16}$`, app.ClientID)
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, app.secret)
	require.Regexp(t, `^rat_[0-9A-Za-z]{43}$`, token)
	require.Equal(t, h.url+registerPath+"/"+app.ClientID, answer.registered(t, 201)["registration_client_uri"])
	require.Equal(t, store.OriginRegistration, app.Origin)
	require.True(t, app.PKCERequired)
	require.False(t, app.SkipConsent)
	require.Empty(t, app.OwnerID)
	require.Equal(t, []provider.EventKind{provider.EventApplicationRegistered}, h.eventKinds())

	h.clock.Add(time.Hour)
	h.manage("PUT", app.ClientID, token, with(app, minimal, "client_name", `"Two"`)).registered(t, 200)
	require.Equal(t, []provider.EventKind{provider.EventApplicationUpdated}, h.eventKinds())
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, app.Secrets, kept.Secrets)
	require.Equal(t, store.OriginRegistration, kept.Origin)
	require.True(t, kept.PKCERequired)
	require.Equal(t, app.UpdatedAt.Add(time.Hour), kept.UpdatedAt)

	app.tokens("user_ada")
	h.eventKinds()
	h.manage("DELETE", app.ClientID, token, "").statusIs(t, 204)
	require.Equal(t, []provider.EventKind{provider.EventGrantRevoked, provider.EventApplicationDeleted}, h.eventKinds())
	_, err = h.FindApplication(ctx, app.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, app.liveGrants())
	for _, secret := range []string{app.secret, token} {
		require.NotContains(t, fmt.Sprintf("%+v %+v", kept, *kept.Registration), secret, "only its hash is kept")
		require.NotContains(t, h.log.String(), secret)
	}
	require.NotContains(t, h.log.String(), "ops@")
}

func TestRegisteredApplicationTypeFollowsFromItsRedirects(t *testing.T) {
	h := newOpenHost(t)
	for _, tt := range []struct{ uris, auth, kind, name string }{
		{`"https://a.example.com:8443/cb"`, "client_secret_basic", "web", "a.example.com"},
		{`"http://localhost:3000/cb"`, "client_secret_basic", "native", "localhost"},
		{`"http://[::1]/cb","https://a.example.com/cb"`, "none", "native", "::1"},
		{`"https://a.example.com/cb","http://127.0.0.1:33418/"`, "none", "native", "a.example.com"},
		{`"cursor://anysphere.cursor-mcp/oauth/callback"`, "none", "native", "Unnamed application"},
		{`"com.example.app:/cb"`, "none", "native", "Unnamed application"},
	} {
		shown := h.register(`{"redirect_uris":[`+tt.uris+`],"token_endpoint_auth_method":"`+tt.auth+`"}`).registered(t, 201)
		require.Equal(t, tt.kind, shown["application_type"], tt.uris)
		require.Equal(t, tt.name, shown["client_name"], "the name that is left out")
	}
}

// applications returns how many are stored.
func (h *host) applications(t testing.TB) int {
	_, total, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	return total
}

// The answer names the member that was sent, not the field of the application.
func TestRegisterNamesTheMemberThatIsWrong(t *testing.T) {
	h := newOpenHost(t)
	for _, tt := range []struct{ body, says string }{
		{`"client_name":"` + strings.Repeat("x", 257) + `"`, "client_name is longer than 256"},
		{`"client_name":"Acme\u202eedacraF"`, "client_name has the character U+202E"},
		{`"client_name":"a\u0000b"`, "client_name has"},
		{`"client_name":" \u200b "`, "client_name has the character U+200B"},
		{`"client_name":"a","client_name":"b"`, "client_name occurs twice: keep one"},
		{`"client_n\u0061me":"a","client_name":"b"`, "client_name occurs twice"},
		{`"redirect_uris":["https://b.example.com"]`, "redirect_uris occurs twice"},
	} {
		h.register(strings.TrimSuffix(minimal, "}")+","+tt.body+"}").says(t, 400, "invalid_client_metadata", tt.says)
	}
	require.Zero(t, h.applications(t))
	h.register(strings.TrimSuffix(minimal, "}")+`,"Client_Name":"Other","client_n\u0061me":"Ag\u0065nt","contacts":["ops@a.example.com"]}`).registered(t, 201)
	require.NotContains(t, h.log.String(), "@a.example.com", "a log has no addresses")

	for body, says := range map[string]string{
		`{"redirect_uris":null}`:                              "redirect_uris is missing",
		`{"redirect_uris":"https://a.example.com/cb"}`:        "redirect_uris is of type string: send an array of strings",
		`{"redirect_uris":["https://a.example.com/cb",null]}`: "redirect_uris is of type array: send an array of strings",
		`{"redirect_uris":["http://a.example.com"]}`:          "plain http",
		`{"redirect_uris":["myapp:/cb"]}`:                     "a scheme with a period",
	} {
		h.register(body).says(t, 400, "invalid_redirect_uri", says)
	}
	app, token := h.clientOf(h.register(minimal))
	for body, says := range map[string]string{
		minimal: "client_id is missing",
		with(app, minimal, "client_id", `"other"`):                     "client_id is not that of this registration",
		with(app, minimal, "client_id", `7`):                           "client_id is of type number",
		with(app, minimal, "registration_access_token", `"`+token+`"`): "registration_access_token cannot be changed by the client",
		with(app, minimal, "client_secret", `"chosen"`):                "client_secret is not the one",
	} {
		h.manage("PUT", app.ClientID, token, body).says(t, 400, "invalid_client_metadata", says)
	}
}

func TestRegisterReadsOneSmallJSONObject(t *testing.T) {
	h := newOpenHost(t)
	h.register(minimal, "Content-Type", "text/plain").says(t, 400, "invalid_request", "application/json")
	h.register(minimal, "Content-Type", "").says(t, 400, "invalid_request", "application/json")
	h.send("POST", registerPath, http.Header{"Content-Type": {"application/json", "application/json"}}, minimal).says(t, 400, "invalid_request", "application/json")
	h.send("POST", registerPath, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "redirect_uris=x").refused(t, 400, "invalid_request")
	for _, body := range []string{
		"", "null", "[]", `"x"`, "1", "{", minimal + "{}", minimal + "x", "x" + minimal, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{1:2}`, "{\"client_name\":\"\xff\"}",
		`{"client_name":'x'}`, `{"a":` + strings.Repeat("[", 30000), `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}",
	} {
		h.register(body).says(t, 400, "invalid_request", "JSON object")
	}
	huge := strings.TrimSuffix(minimal, "}") + `,"unheard_of":"` + strings.Repeat("x", 64<<10) + `"}`
	h.register(huge).says(t, 413, "invalid_request", "64 KiB")
	require.Zero(t, h.applications(t))

	h.register(minimal+"\r\n ", "Content-Type", "application/json; charset=utf-8").registered(t, 201)
	h.register(strings.TrimSuffix(minimal, "}")+`,"unheard_of":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}").registered(t, 201)
	h.send("GET", registerPath, nil, "").refused(t, 405, "invalid_request")
}

// If the offered scopes are longer than a scope parameter may be, an
// application that names none still gets all.
func TestRegisterWithAllOfManyScopes(t *testing.T) {
	h := newOpenHost(t, func(c *provider.Config) {
		for i := range 200 {
			c.Scopes = append(c.Scopes, scopes.Scope{Name: fmt.Sprintf("scope%d:read", i), Title: "x"})
		}
	})
	shown := h.register(minimal).registered(t, 201)
	require.Len(t, strings.Fields(shown["scope"].(string)), 205)
}

func TestRegistrationAnswersOtherOrigins(t *testing.T) {
	h := newOpenHost(t)
	app, _ := h.clientOf(h.register(minimal))
	for path, methods := range map[string]string{registerPath: "POST, OPTIONS", registerPath + "/" + app.ClientID: "GET, PUT, DELETE, OPTIONS"} {
		r := h.send("OPTIONS", path, http.Header{"Origin": {"https://a.example.com"}, "Access-Control-Request-Method": {"POST"}}, "")
		r.statusIs(t, 204)
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, methods, r.Header.Get("Access-Control-Allow-Methods"))
		require.Contains(t, r.Header.Get("Access-Control-Allow-Headers"), "Content-Type")
		require.Contains(t, r.Header.Get("Access-Control-Allow-Headers"), "Authorization")
	}
	for _, route := range h.Routes() {
		if strings.HasPrefix(route.Path, registerPath) {
			require.False(t, route.Session)
		}
	}
}

// A complete sign-in of an unknown client.
func TestSelfRegisteredApplicationSignsIn(t *testing.T) {
	h := newOpenHost(t)
	var endpoints map[string]any
	require.NoError(t, json.Unmarshal([]byte(h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body), &endpoints))
	require.Equal(t, h.url+registerPath, endpoints["registration_endpoint"])
	require.Equal(t, h.Endpoints().Register, endpoints["registration_endpoint"])
	for name, body := range map[string]string{
		"native":       `{"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none","client_name":"Agent","logo_uri":"https://agent.example.com/logo.png"}`,
		"confidential": `{"redirect_uris":["https://agent.example.com/callback"],"client_name":"Agent","logo_uri":"https://agent.example.com/logo.png"}`,
	} {
		t.Run(name, func(t *testing.T) {
			app, _ := h.clientOf(h.register(body))
			b := h.browser()
			b.signIn("user_ada")
			pkce := []string{"code_challenge", challenge(verifier), "code_challenge_method", "S256"}
			b.get(app.request("code_challenge", "", "code_challenge_method", "")).errorPage(t, 400, "must use PKCE")
			for range 2 {
				page := b.get(app.request(append(pkce, "prompt", "consent")...))
				page.statusIs(t, 200)
				require.Contains(t, page.text(), "Not reviewed by")
				require.NotContains(t, page.body, "logo.png")
				answer := b.answer(page, "allow").redirected(t)
				got := app.redeem(answer.Get("code"), "code_verifier", verifier).tokens(t)
				require.Equal(t, "profile email public_metadata private_metadata notes:read", got.Scope)
				h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, 200)
				next := app.refresh(got.RefreshToken).tokens(t)
				h.bearer("/api/notes", next.AccessToken).statusIs(t, 200)
			}
			h.browser().get(app.request(append(pkce, "prompt", "none")...)).errorPage(t, 400, "sign in first")
		})
	}
}

// A client may register one of the two ways to send a secret and use the other.
func TestSelfRegisteredSecretWorksBothWays(t *testing.T) {
	h := newOpenHost(t)
	app, _ := h.clientOf(h.register(minimal))
	app.redeem("x").refused(t, 400, "invalid_grant")
	r, err := http.NewRequest("POST", h.url+"/oauth/token", strings.NewReader(url.Values{"grant_type": {"authorization_code"}, "code": {"x"}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(app.ClientID, app.secret)
	send(t, h.server.Client(), r).refused(t, 400, "invalid_grant")
	app.redeem("x", "client_secret", "wrong").refused(t, 401, "invalid_client")
}

func TestAllowDecidesWhoRegisters(t *testing.T) {
	var asked []provider.Application
	var answer error
	h := newOpenHost(t, func(c *provider.Config) {
		c.Registration.Allow = func(r *http.Request, app provider.Application) error {
			asked = append(asked, app)
			app.RedirectURIs[0] = "https://changed.example.com"
			return answer
		}
	})
	answer = errors.New("the reason stays inside")
	r := h.register(minimal)
	r.refused(t, 403, "access_denied")
	require.NotContains(t, r.body, "inside")
	require.Contains(t, h.log.String(), "inside")
	require.Equal(t, []string{"https://changed.example.com"}, asked[0].RedirectURIs)
	require.Equal(t, store.OriginRegistration, asked[0].Origin)
	answer = &provider.Error{Code: "access_denied", Description: "Not from agent.example.com.", Status: 403}
	h.register(minimal).says(t, 403, "access_denied", "Not from agent.example.com.")
	require.Zero(t, h.applications(t))
	require.Empty(t, h.eventKinds())
	h.register(`{"redirect_uris":["x"]}`).refused(t, 400, "invalid_redirect_uri")
	require.Len(t, asked, 2, "it is asked about what could be kept only")
	answer = nil
	require.Equal(t, []any{"https://agent.example.com/callback"}, h.register(minimal).registered(t, 201)["redirect_uris"], "its copy is its own")
}

// RFC 7591 section 3 lets a server ask for an initial access token.
func TestInitialAccessToken(t *testing.T) {
	const key = "an-initial-access-token"
	check := provider.BearerKey(key)
	h := newOpenHost(t, func(c *provider.Config) {
		c.Registration.Allow = func(r *http.Request, _ provider.Application) error {
			if r.Method == http.MethodPut {
				return nil
			}
			return check(r)
		}
	})
	for _, header := range [][]string{nil, {"Authorization", "Bearer wrong"}} {
		r := h.register(minimal, header...)
		r.says(t, 401, "invalid_token", "initial access token")
		require.Contains(t, r.Header.Get("WWW-Authenticate"), `Bearer realm="`+h.url+`", error="invalid_token"`)
	}
	app, token := h.clientOf(h.register(minimal, "Authorization", "Bearer "+key))
	h.manage("GET", app.ClientID, token, "").registered(t, 200)
	h.manage("GET", app.ClientID, key, "").refused(t, 401, "invalid_token")
}

func TestLimitIsAskedBeforeARegistrationCosts(t *testing.T) {
	var asked []provider.LimitRequest
	wait := 1500 * time.Millisecond
	h := newOpenHost(t, func(c *provider.Config) {
		c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
			asked = append(asked, l)
			return wait
		}
		c.Registration.Allow = func(*http.Request, provider.Application) error { panic("too early") }
	})
	ip := netip.MustParseAddr("127.0.0.1")
	for _, body := range []string{minimal, "not read"} {
		r := h.register(body)
		r.refused(t, 429, "temporarily_unavailable")
		require.Equal(t, "2", r.Header.Get("Retry-After"))
	}
	h.manage("GET", "someone", "x", "").refused(t, 429, "temporarily_unavailable")
	require.Equal(t, []provider.LimitRequest{{Endpoint: "register", IP: ip}, {Endpoint: "register", IP: ip}, {Endpoint: "register", ClientID: "someone", IP: ip}}, asked)
	require.Equal(t, [][2]string{{"register", "rate_limited"}, {"register", "rate_limited"}, {"register", "rate_limited"}}, h.requests(t))
}

// It makes no difference whether a proxy strips the issuer's path.
func TestRegistrationBelowAnIssuerWithAPath(t *testing.T) {
	for _, strip := range []bool{false, true} {
		h := newOpenHost(t, func(c *provider.Config) { c.Issuer += "/sub" })
		if strip {
			inner := h.server.Config.Handler
			h.server.Config.Handler = http.StripPrefix("/sub", inner)
		}
		h.url += "/sub"
		shown := h.register(minimal).registered(t, 201)
		uri := shown["registration_client_uri"].(string)
		require.Equal(t, h.url+"/oauth/register/"+shown["client_id"].(string), uri)
		got := h.send("GET", strings.TrimPrefix(uri, h.url), http.Header{"Authorization": {"Bearer " + shown["registration_access_token"].(string)}}, "").registered(t, 200)
		delete(shown, "client_secret")
		require.Equal(t, shown, got)
	}
}

// Clients register with the scopes that they need first, and can't change that
// when they need more. RFC 7591 section 2 calls scope what a client can ask
// for, and doesn't say that it is the limit.
func TestRegisteredScopeIsADefaultAndNoLimit(t *testing.T) {
	h := newOpenHost(t)
	app, _ := h.clientOf(h.register(strings.TrimSuffix(native, "}") + `,"scope":"profile"}`))
	require.Equal(t, "profile", app.tokens("user_ada").Scope)
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request("scope", "profile notes:read"))
	require.Contains(t, page.text(), "Read your notes")
	code := b.answer(page, "allow").redirected(t).Get("code")
	require.Equal(t, "profile notes:read", app.redeem(code).tokens(t).Scope)
	require.Equal(t, "invalid_scope", b.get(app.request("scope", "unheard_of")).redirected(t).Get("error"))

	// The scopes that the host sets for its application are a limit.
	own := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile")})
	require.Equal(t, "invalid_scope", b.get(own.request("scope", "profile notes:read")).redirected(t).Get("error"))
}

// The host can withhold scopes from applications that registered themselves.
func TestScopesOfSelfRegisteredApplications(t *testing.T) {
	h := newOpenHost(t, func(c *provider.Config) { c.Registration.Scopes = []string{"profile", "email"} })
	app, _ := h.clientOf(h.register(native))
	require.Equal(t, "profile email", app.Scopes.String())
	b := h.browser()
	b.signIn("user_ada")
	b.get(app.request("scope", "notes:read")).errorPage(t, 400, "may not ask for the scope notes:read")
	require.Equal(t, "profile", app.tokens("user_ada", "scope", "profile notes:read").Scope, "one that asks for more gets what it may have")
	other := h.register(strings.TrimSuffix(native, "}")+`,"scope":"notes:read"}`).registered(t, 201)
	require.Equal(t, "profile email", other["scope"], "none is left, as if it had named none")

	hd, site, doc := newDocumentHost(t, func(c *provider.Config) { c.ClientIDDocuments.Scopes = []string{"profile"} })
	site.document(map[string]any{"scope": "profile notes:read"})
	require.Equal(t, "profile", doc.tokens("user_ada").Scope)
	hd.signedIn("user_grace").get(doc.request("scope", "notes:read")).errorPage(t, 400, "may not ask for the scope notes:read")

	_, err := provider.New(provider.Config{Issuer: "https://app.example.com", Registration: &provider.Registration{Scopes: []string{"no"}},
		ClientIDDocuments: &provider.ClientIDDocuments{Scopes: []string{"nor"}}})
	require.ErrorContains(t, err, `Config.Registration.Scopes has "no": add it to Config.Scopes`)
	require.ErrorContains(t, err, `Config.ClientIDDocuments.Scopes has "nor": add it to Config.Scopes`)
}

// An application that registered only for devices can't sign users in with a
// browser.
func TestRegisteredGrantTypesHold(t *testing.T) {
	h := newDeviceHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	app, _ := h.clientOf(h.register(`{"redirect_uris":["https://tv.example.com/cb"],"token_endpoint_auth_method":"none","grant_types":["` + grantDevice + `"]}`))
	b := h.browser()
	b.signIn("user_ada")
	b.get(app.request()).errorPage(t, 400, "unauthorized_client")
	require.NotEmpty(t, app.device().UserCode)
}
