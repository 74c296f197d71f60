package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// An imported secret works. An invalid one is refused without revealing it.
func TestImportedSecretIsChecked(t *testing.T) {
	h := newHost(t)
	const secret = "p+ss w%rd:ü"
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	kept := parseHash(t, string(hash))
	app := h.imported("legacy-client", provider.ApplicationSettings{}, kept)
	app.secret = secret
	app.redeem(app.code("user_ada")).tokens(t)
	app.redeem(app.code("user_ada"), "client_secret", "wrong").refused(t, 401, "invalid_client")

	_, err = store.ParseSecretHash(secret)
	require.ErrorContains(t, err, "not a secret's hash")
	costly := parseHash(t, strings.Replace(string(hash), "$04$", "$13$", 1))
	for says, with := range map[string]struct {
		clientID string
		hash     store.SecretHash
	}{
		"bcrypt cost of 13":      {"x", costly},
		"client id is missing":   {"", kept},
		"application has no sec": {"public", kept},
		"has characters besides": {"a b", store.SecretHash{}},
		"already exists":         {"legacy-client", kept},
	} {
		_, err := h.ImportApplication(context.Background(), with.clientID, provider.ApplicationSettings{Name: "x", Public: with.clientID == "public"}, with.hash)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, err.Error(), string(hash))
	}
}

// Many clients send the secret in the header unencoded, although RFC 6749
// section 2.3.1 requires an encoding. That works too, and doesn't accept other
// secrets.
func TestImportedSecretAsSent(t *testing.T) {
	h := newHost(t)
	for i, secret := range []string{"abc+def", "a%20b", "50%off", "a+b%2Bc", "p+ss w%rd:ü", "%", "a&b=c"} {
		hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
		require.NoError(t, err)
		app := h.imported("legacy-"+strconv.Itoa(i), provider.ApplicationSettings{}, parseHash(t, string(hash)))
		try := func(password string, form ...string) *reply {
			basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(app.ClientID+":"+password))
			return app.redeem("x", append([]string{"client_id", "", "client_secret", "", "Header:Authorization", basic}, form...)...)
		}
		try(secret).refused(t, 400, "invalid_grant")
		try(url.QueryEscape(secret)).refused(t, 400, "invalid_grant")
		try(secret, "client_secret", secret).refused(t, 400, "invalid_grant")
		try(url.QueryEscape(secret), "client_secret", secret).refused(t, 400, "invalid_grant")
		app.redeem("x", "client_secret", secret).refused(t, 400, "invalid_grant")
		for _, wrong := range []string{secret + "+", "+" + secret, secret + "%", strings.ToUpper(secret) + "x", url.QueryEscape(url.QueryEscape(secret)) + "+", ""} {
			try(wrong).refused(t, 401, "invalid_client")
		}
		app.redeem("x", "client_secret", secret+"+").refused(t, 401, "invalid_client")
		try(secret, "client_secret", secret+"x").refused(t, 400, "invalid_request")
	}
}

// An attacker who tries secrets of one application, as fast as possible,
// doesn't delay other applications.
func TestWrongSecretsOfOneClientHoldUpNoOther(t *testing.T) {
	const cost, attackers = 10, 24
	h := newHost(t, func(c *provider.Config) { c.StoreTimeout = time.Minute })
	imported := func(id, secret string) *application {
		hash, err := bcrypt.GenerateFromPassword([]byte(secret), cost)
		require.NoError(t, err)
		app := h.imported(id, provider.ApplicationSettings{}, parseHash(t, string(hash)))
		app.secret = secret
		return app
	}
	target := imported("target", "right")
	target.redeem("x").refused(t, 400, "invalid_grant")
	ctx, stop := context.WithCancel(context.Background())
	var tried atomic.Int64
	var all sync.WaitGroup
	for i := range attackers {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"target"}, "client_secret": {fmt.Sprintf("wrong %d %d", i, n)}}
				r, err := http.NewRequestWithContext(ctx, "POST", h.url+"/oauth/token", strings.NewReader(form.Encode()))
				if err == nil {
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					if answer, err := http.DefaultClient.Do(r); err == nil {
						answer.Body.Close()
						tried.Add(1)
					}
				}
			}
		})
	}
	defer all.Wait()
	defer stop()
	require.Eventually(t, func() bool { return tried.Load() > 1 }, 30*time.Second, time.Millisecond)
	for i := range 5 {
		other := imported(fmt.Sprint("other", i), "right too")
		before := tried.Load()
		other.redeem("x").refused(t, 400, "invalid_grant")
		require.Less(t, tried.Load()-before, int64(attackers/2), "it waits for what has begun, and not for all who try")
		target.redeem("x").refused(t, 400, "invalid_grant") // What was right before costs nothing.
	}
}

func parseHash(t *testing.T, text string) store.SecretHash {
	t.Helper()
	hash, err := store.ParseSecretHash(text)
	require.NoError(t, err)
	return hash
}

// A confidential application with an unknown secret is imported without one.
func TestImportedApplicationWithoutASecretGetsOneLater(t *testing.T) {
	h := newHost(t)
	app := h.imported("legacy-client", provider.ApplicationSettings{}, store.SecretHash{})
	require.Empty(t, app.Secrets)
	app.redeem("x").refused(t, 401, "invalid_client")
	app.redeem("x", "client_secret", "x").refused(t, 401, "invalid_client")
	secret, err := h.AddSecret(context.Background(), app.ID, time.Time{})
	require.NoError(t, err)
	app.redeem("x", "client_secret", secret.Reveal()).refused(t, 400, "invalid_grant")
}

// A host's middleware may parse the form before the provider does.
func TestTokenRequestWhoseFormIsReadAlready(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	inner := h.server.Config.Handler
	h.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		inner.ServeHTTP(w, r)
	})
	app.redeem(code).tokens(t)
}

// No log line and no answer contains a secret.
func TestLogsHoldNoSecret(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	got := app.redeem(code).tokens(t)
	app.redeem(code)
	app.refresh(got.RefreshToken)
	app.redeem(code, "client_secret", "a-wrong-secret")
	app.redeem(code, "client_id", "a-secret-sent-as-the-id-"+"of-an-import")
	h.bearer("/oauth/userinfo", got.AccessToken)
	h.send("GET", "/oauth/userinfo?access_token="+got.AccessToken, nil, "")
	b := h.browser()
	b.get(app.request("state", "a-secret-state", "code_challenge", "a-secret-challenge", "redirect_uri", "https://evil.example.com/"))
	b.signIn("user_ada")
	b.get(app.request("scope", "nothing", "login_hint", "ada@example.com"))
	log := h.log.String()
	require.NotEmpty(t, log)
	for _, secret := range []string{code, got.AccessToken, got.RefreshToken, app.secret, "a-wrong-secret", "a-secret", "ada@example.com"} {
		require.NotContains(t, log, secret)
		if len(secret) > 30 {
			require.NotContains(t, log, secret[len(secret)/2:])
		}
	}
	require.Contains(t, log, "wrong client secret")
	require.Contains(t, log, "unknown client")
	require.Contains(t, log, "presented again after it was spent")
}

// Reused codes and refresh tokens are events: once if that ends the grant, and
// never if another client presents them.
func TestReuseIsAnEvent(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{}), h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	app.redeem(code, "redirect_uri", callback+"2").refused(t, 400, "invalid_grant")
	require.NotContains(t, h.eventKinds(), provider.EventReuseDetected)
	app.redeem(code).tokens(t)
	h.eventKinds()
	other.redeem(code).refused(t, 400, "invalid_grant")
	require.Empty(t, h.eventKinds())
	app.redeem(code).refused(t, 400, "invalid_grant")
	require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())

	got := app.tokens("user_ada")
	h.eventKinds()
	app.refresh(got.RefreshToken).tokens(t)
	require.Equal(t, []provider.EventKind{provider.EventTokenRefreshed}, h.eventKinds())
	h.clock.Add(30*time.Second + time.Microsecond)
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, []provider.EventKind{provider.EventReuseDetected}, h.eventKinds())
}

// expires_in is always positive, because some clients read zero as "never".
func TestExpiresInIsAlwaysPositive(t *testing.T) {
	h := newHost(t, func(c *provider.Config) {
		c.Lifetimes = provider.Lifetimes{Access: 1900 * time.Millisecond, Grace: time.Minute, Grant: time.Hour}
	})
	app := h.application(provider.ApplicationSettings{})
	left := func(r *reply) int {
		require.NotEmpty(t, r.tokens(t).RefreshToken)
		var answer struct {
			ExpiresIn int `json:"expires_in"`
		}
		require.NoError(t, json.Unmarshal([]byte(r.body), &answer))
		return answer.ExpiresIn
	}
	got := app.tokens("user_ada")
	require.Equal(t, 1, left(app.refresh(got.RefreshToken)))
	h.clock.Add(59 * time.Second) // It is repeated when its access token is long gone.
	again := app.refresh(got.RefreshToken)
	require.Equal(t, 1, left(again))
	last := app.refresh(again.tokens(t).RefreshToken)
	h.clock.Add(time.Hour - 59*time.Second - 300*time.Millisecond) // The grant is about to end.
	require.Equal(t, 1, left(app.refresh(last.tokens(t).RefreshToken)))
}
