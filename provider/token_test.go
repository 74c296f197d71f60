package provider_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// An imported secret works, and what can't be one is refused without a word of it.
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

func parseHash(t *testing.T, text string) store.SecretHash {
	t.Helper()
	hash, err := store.ParseSecretHash(text)
	require.NoError(t, err)
	return hash
}

// A confidential application whose secret is not known is imported without one.
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

// A host's middleware may have read the form before the provider does.
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

// No log line and no answer holds a secret.
func TestLogsHoldNoSecret(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	code := app.code("user_ada")
	got := app.redeem(code).tokens(t)
	app.redeem(code)
	app.refresh(got.RefreshToken)
	app.redeem(code, "client_secret", "a-wrong-secret")
	app.redeem(code, "client_id", "a-secret-sent-as-the-id")
	h.bearer("/oauth/userinfo", got.AccessToken)
	h.send("GET", "/oauth/userinfo?access_token="+got.AccessToken, nil, "")
	b := h.browser()
	b.get(app.request("state", "a-secret-state", "redirect_uri", "https://evil.example.com/a-secret-uri"))
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

// Codes and refresh tokens that come again are told to Config.Events: once where
// that ends the grant, and never where another client presents them.
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
