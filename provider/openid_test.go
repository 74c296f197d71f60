package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// newOpenIDHost is a host with OpenID Connect on.
func newOpenIDHost(t testing.TB, edit ...func(*provider.Config)) (*host, *hosttest.Keys) {
	t.Helper()
	keys := hosttest.NewKeys()
	return newHost(t, append([]func(*provider.Config){func(c *provider.Config) {
		c.Keys, c.OpenID = keys, &provider.OpenID{}
	}}, edit...)...), keys
}

// claims returns the claims of the ID token in an answer, which the keys have
// signed.
func (r *reply) claims(t testing.TB, keys *hosttest.Keys) map[string]any {
	t.Helper()
	require.Equal(t, 200, r.StatusCode, r.body)
	var answer struct {
		IDToken string `json:"id_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &answer))
	require.NotEmpty(t, answer.IDToken, r.body)
	content, err := keys.Verify(t.Context(), answer.IDToken)
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(content, &claims))
	return claims
}

func TestIDTokenSaysHowTheUserSignedIn(t *testing.T) {
	h, keys := newOpenIDHost(t, func(c *provider.Config) {
		session := c.CurrentUser
		c.CurrentUser = func(r *http.Request) (provider.Session, error) {
			s, err := session(r)
			s.ACR, s.AMR, s.ID = "urn:example:mfa", []string{"pwd", "otp", "not a name"}, "session_1"
			return s, err
		}
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	answer := app.redeem(app.code("user_ada", "scope", "openid email", "nonce", "n-1"))
	got := answer.claims(t, keys)
	require.Equal(t, "email openid", answer.tokens(t).Scope)
	now := h.clock.Now().Unix()
	require.InDelta(t, now, got["auth_time"], 1)
	require.Equal(t, float64(now), got["iat"])
	require.Equal(t, float64(now+3600), got["exp"])
	for name, want := range map[string]any{
		"iss": h.url, "sub": "user_ada", "aud": app.ClientID, "nonce": "n-1", "acr": "urn:example:mfa", "amr": []any{"pwd", "otp"}, "sid": "session_1",
		"email": "ada@example.com", "email_verified": true,
	} {
		require.Equal(t, want, got[name], name)
	}
	require.NotContains(t, got, "name", "profile was not granted")

	_, exported := export(t, h, "user_ada")
	for _, part := range []string{`"signed_in_at":"`, `"acr":"urn:example:mfa"`, `"amr":["pwd","otp"]`, `"session_id":"session_1"`} {
		require.Contains(t, exported, part, "what is kept about a user is theirs to see")
	}

	h.clock.Add(time.Hour)
	refreshed := app.refresh(answer.tokens(t).RefreshToken)
	again := refreshed.claims(t, keys)
	require.Equal(t, got["auth_time"], again["auth_time"], "a refresh is not a sign-in")
	require.Equal(t, float64(h.clock.Now().Unix()), again["iat"])
	require.NotContains(t, again, "nonce")
	require.NotEqual(t, got["at_hash"], again["at_hash"])
}

// Nothing is spent before the ID token is signed: if the keys are unavailable,
// or the host can't return the user, the code and the refresh token keep
// working.
func TestOutageOfKeysSignsNoOneOut(t *testing.T) {
	outage := errors.New("the key service does not answer")
	for name, set := range map[string]func(*host, *hosttest.Keys, error){
		"keys":  func(_ *host, k *hosttest.Keys, err error) { k.Fail(err) },
		"users": func(h *host, _ *hosttest.Keys, err error) { h.mu.Lock(); h.down = err; h.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			h, keys := newOpenIDHost(t)
			app := h.application(provider.ApplicationSettings{})
			code := app.code("user_ada", "scope", "openid profile")
			set(h, keys, outage)
			for range 3 {
				app.redeem(code).refused(t, 503, "temporarily_unavailable")
			}
			set(h, keys, nil)
			token := app.redeem(code).tokens(t).RefreshToken
			set(h, keys, outage)
			for range 3 {
				app.refresh(token).refused(t, 503, "temporarily_unavailable")
			}
			require.Contains(t, h.log.String(), outage.Error())
			set(h, keys, nil)
			app.refresh(token).claims(t, keys)
			if name == "keys" {
				set(h, keys, outage)
				h.send("GET", "/oauth/jwks", nil, "").refused(t, 503, "temporarily_unavailable")
				_, err := h.Cleanup(t.Context())
				require.ErrorIs(t, err, outage)
			}
		})
	}
}

// A signature is expensive, so none is made unless it is requested.
func TestIDTokenNeedsTheOpenIDScope(t *testing.T) {
	h, keys := newOpenIDHost(t)
	app := h.application(provider.ApplicationSettings{})
	got := app.redeem(app.code("user_ada", "scope", "profile", "nonce", "n-1"))
	require.NotContains(t, got.body, "id_token")
	require.NotContains(t, app.refresh(got.tokens(t).RefreshToken).body, "id_token")
	_, secret, err := h.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID})
	require.NoError(t, err)
	h.bearer("/oauth/userinfo", secret.Reveal()).statusIs(t, 200)
	require.Zero(t, keys.Signed.Load())

	whole := app.redeem(app.code("user_ada", "scope", "openid profile")).tokens(t)
	require.NotContains(t, app.refresh(whole.RefreshToken, "scope", "profile").body, "id_token", "it was not asked for this time")
}

// The scope openid alone reveals only who the user is.
func TestOpenIDAloneRevealsNothing(t *testing.T) {
	h, keys := newOpenIDHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "email")})
	b := h.signedIn("user_ada")
	page := b.get(app.request("scope", "openid"))
	require.NotContains(t, page.text(), "email address")
	answer := b.answer(page, "allow").redirected(t)
	got := app.redeem(answer.Get("code"))
	require.Equal(t, "openid", got.tokens(t).Scope)
	require.NotContains(t, got.claims(t, keys), "email")
	require.NotContains(t, h.bearer("/oauth/userinfo", got.tokens(t).AccessToken).body, "ada@")
}

// The additional claims of OpenID Connect are only for applications that ask
// for openid; the userinfo document of others is unchanged.
func TestMoreClaimsAreForOpenID(t *testing.T) {
	h, keys := newOpenIDHost(t, func(c *provider.Config) {
		c.Scopes = append(c.Scopes, scopes.Scope{Name: scopes.Phone, Title: "See your phone number"}, scopes.Scope{Name: scopes.Address, Title: "See your address"})
	})
	ada := h.users["user_ada"]
	ada.Nickname, ada.Locale, ada.UpdatedAt, ada.PhoneNumber = "Countess", "en-GB", time.Unix(1_700_000_000, 0), "+44 20 7946 0000"
	ada.Address = userinfo.Address{Locality: "London"}
	h.users["user_ada"] = ada
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "phone", "address")})
	for scope, more := range map[string]bool{"profile phone address": false, "openid profile phone address": true} {
		answer := app.redeem(app.code("user_ada", "scope", scope))
		document := h.bearer("/oauth/userinfo", answer.tokens(t).AccessToken)
		for _, part := range []string{
			`"nickname":"Countess"`, `"locale":"en-GB"`, `"updated_at":1700000000`, `"phone_number":"+44 20 7946 0000"`, `"phone_number_verified":false`,
			`"address":{"locality":"London"}`,
		} {
			require.Equal(t, more, strings.Contains(document.body, part), "%s: %s", scope, part)
		}
		require.Contains(t, document.body, `"user_id":"user_ada"`)
		if more {
			require.Equal(t, map[string]any{"locality": "London"}, answer.claims(t, keys)["address"])
		}
	}
}

// Without Config.OpenID its parameters are ignored, and its endpoints don't
// exist.
func TestOpenIDIsOff(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	got := app.redeem(app.code("user_ada", "scope", "openid profile", "nonce", "n-1", "max_age", "x", "claims", "x", "id_token_hint", "x", "request", "x"))
	require.NotContains(t, got.body, "id_token")
	require.Equal(t, "profile", got.tokens(t).Scope)
	for _, path := range []string{"/oauth/jwks", "/oauth/logout", "/.well-known/openid-configuration"} {
		require.Equal(t, "the host's own page", h.send("GET", path, nil, "").body, path)
	}
	metadata := h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body
	for _, word := range []string{"openid", "jwks", "id_token", "claims", "prompt"} {
		require.NotContains(t, metadata, word)
	}
}

func TestOpenIDNeedsKeys(t *testing.T) {
	h := newHost(t)
	valid := provider.Config{Issuer: h.url, Store: memory.New(), CurrentUser: h.currentUser, SignIn: h.signIn, Users: h.user}
	for name, tt := range map[string]struct {
		edit func(*provider.Config)
		says string
	}{
		"no keys":       {func(c *provider.Config) { c.Keys = nil }, "Config.Keys is missing"},
		"no public key": {func(c *provider.Config) { c.Paths.JWKS = "-" }, "Config.Paths.JWKS is left out"},
		"negative":      {func(c *provider.Config) { c.OpenID.IDTokenLifetime = -1 }, "Config.OpenID.IDTokenLifetime is negative"},
		"a week":        {func(c *provider.Config) { c.OpenID.IDTokenLifetime = 7 * 24 * time.Hour }, "Config.OpenID.IDTokenLifetime is 168h0m0s: use at most 24h0m0s"},
		"a bad acr":     {func(c *provider.Config) { c.OpenID.ACRValues = []string{"a b"} }, `Config.OpenID.ACRValues has "a b"`},
		"its scope":     {func(c *provider.Config) { c.Scopes = []scopes.Scope{{Name: "openid", Title: "x"}} }, `Config.Scopes has the name "openid"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid
			c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{}
			tt.edit(&c)
			_, err := provider.New(c)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

// A host whose sessions have no time can't say how old a sign-in is. Its log
// says what is missing, and no visitor is redirected in a loop.
func TestMaxAgeNeedsSignedInAt(t *testing.T) {
	h, _ := newOpenIDHost(t, func(c *provider.Config) {
		session := c.CurrentUser
		c.CurrentUser = func(r *http.Request) (provider.Session, error) {
			s, err := session(r)
			s.SignedInAt = time.Time{}
			return s, err
		}
	})
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	sent := b.get(app.request("scope", "openid", "max_age", "60"))
	require.Equal(t, http.StatusSeeOther, sent.StatusCode)
	require.True(t, h.signIns[len(h.signIns)-1].Force)
	back := b.get(h.url + mustParse(sent.Header.Get("Location")).Query().Get("next"))
	require.Equal(t, "login_required", back.redirected(t).Get("error"))
	require.Contains(t, h.log.String(), "Session.SignedInAt is zero")
}

// An ID token names one provider's user to one application. As a hint, only a
// real one of this provider counts, and it never signs anyone in. Others are
// ignored, so visitors can still see a page.
func TestHintsOfOthersSayNothing(t *testing.T) {
	h, keys := newOpenIDHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	sign := func(k *hosttest.Keys, claims string) string {
		token, err := k.Sign(t.Context(), "ES256", []byte(claims))
		require.NoError(t, err)
		return token
	}
	good := `{"iss":"` + h.url + `","sub":"user_ada","aud":"` + app.ClientID + `","exp":1}`
	parts := strings.Split(sign(keys, good), ".")
	for name, hint := range map[string]string{
		"garbage":           "x",
		"another's key":     sign(hosttest.NewKeys(), good),
		"another's issuer":  sign(keys, `{"iss":"https://evil.example","sub":"user_ada","aud":"x"}`),
		"no user":           sign(keys, `{"iss":"`+h.url+`","aud":"x"}`),
		"another signature": parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(good, "ada", "grace", 1))) + "." + parts[2],
		"no signature":      parts[0] + "." + parts[1] + ".",
	} {
		b.get(app.request("scope", "openid", "id_token_hint", hint)).statusIs(t, http.StatusOK)
		h.read = len(h.log.String())
		require.Equal(t, "login_required", b.get(app.request("scope", "openid", "id_token_hint", hint, "prompt", "none")).redirected(t).Get("error"), name)
		require.Contains(t, h.logged(), "the id_token_hint can't be used", name)
	}
	for _, name := range []string{"prompt", ""} {
		changes := []string{"scope", "openid", "id_token_hint", sign(keys, strings.Replace(good, "ada", "grace", 1))}
		if name != "" {
			require.Equal(t, "login_required", b.get(app.request(append(changes, name, "none")...)).redirected(t).Get("error"))
			continue
		}
		require.Equal(t, http.StatusSeeOther, b.get(app.request(changes...)).StatusCode)
		require.True(t, h.signIns[len(h.signIns)-1].SwitchAccount)
	}
	b.get(app.request("scope", "openid", "id_token_hint", sign(keys, good))).statusIs(t, http.StatusOK)
}

// Missing parameters may be in the object. A posted request keeps the object.
func TestRequestObjectsAreRefusedFirst(t *testing.T) {
	h, _ := newOpenIDHost(t)
	app := h.application(provider.ApplicationSettings{Public: true})
	b := h.browser()
	b.signIn("user_ada")
	for param, code := range map[string]string{
		"request": "request_not_supported", "request_uri": "request_uri_not_supported", "registration": "registration_not_supported",
	} {
		q := url.Values{"client_id": {app.ClientID}, "redirect_uri": {app.RedirectURIs[0]}, param: {"eyJhbGciOiJub25lIn0.e30."}}
		require.Equal(t, code, b.get(h.url+"/oauth/authorize?"+q.Encode()).redirected(t).Get("error"))
		posted := b.post("/oauth/authorize", q)
		require.Equal(t, http.StatusSeeOther, posted.StatusCode)
		require.Equal(t, code, b.get(h.url+posted.Header.Get("Location")).redirected(t).Get("error"))
	}
}

// The parameters of OpenID Connect may identify the user.
func TestRefusalsOfOpenIDLogNoSecret(t *testing.T) {
	h, keys := newOpenIDHost(t)
	app := h.application(provider.ApplicationSettings{})
	b := h.signedIn("user_ada")
	const secret = "s3cret"
	hint, err := keys.Sign(t.Context(), "ES256", []byte(`{"iss":"https://`+secret+`.example","sub":"`+secret+`","aud":"x"}`))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"claims": `{"id_token":{"sub":{"values":["` + secret + `","x"]}}}`, "id_token_hint": hint, "nonce": strings.Repeat(secret, 500), "request": secret,
		"request_uri": "https://" + secret + ".example", "registration": secret,
	} {
		h.read = len(h.log.String())
		require.NotEmpty(t, b.get(app.request("scope", "openid", name, value, "prompt", "none")).redirected(t).Get("error"), name)
		require.NotContains(t, h.logged(), secret, name)
		b.get(app.request("scope", "openid", name, secret))
	}
	require.NotContains(t, h.log.String(), secret)
	require.NotContains(t, h.log.String(), hint[len(hint)/2:])
}
