package provider_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Keep an application's client ID and secret from another provider. Only the
// hash of the secret is needed. Existing applications stay unchanged, so the
// import can run again.
func ExampleProvider_ImportApplication() {
	p := migratedProvider()
	hash, err := store.ParseSecretHash("$2a$10$WqKOLJuyNjDGOyK3/DzAmeCK5aK2oh45YbFuuQpVmzQzC4lHhlNWy")
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		app, err := p.ImportApplication(context.Background(), "6a3a4c1e-3bd2-4f8e-9a51-7f1f3d6c1c11", provider.ApplicationSettings{
			Name:         "Wiki",
			RedirectURIs: []string{"https://wiki.example.com/callback"},
			Scopes:       scopes.New("profile", "email"),
		}, hash)
		var wrong provider.FieldErrors
		switch {
		case errors.Is(err, store.ErrExists):
			fmt.Println("it is there already")
		case errors.As(err, &wrong):
			fmt.Println(wrong)
		case err == nil:
			fmt.Println(app.ClientID)
		}
	}
	// Output:
	// 6a3a4c1e-3bd2-4f8e-9a51-7f1f3d6c1c11
	// it is there already
}

// Use the paths of another provider, so that clients need not change their
// settings.
func ExamplePaths() {
	p := migratedProvider()
	fmt.Println(p.Endpoints().Authorize)
	fmt.Println(p.Endpoints().Token)
	// Output:
	// https://auth.example.com/oauth2/auth
	// https://auth.example.com/oauth2/token
}

func migratedProvider() *provider.Provider {
	cfg := provider.Config{
		Issuer:      "https://auth.example.com",
		Store:       memory.New(),
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
	}
	// Hydra's paths.
	cfg.Paths = provider.Paths{
		Authorize: "/oauth2/auth",
		Token:     "/oauth2/token",
		Revoke:    "/oauth2/revoke",
		UserInfo:  "/userinfo",
	}
	p, err := provider.New(cfg)
	if err != nil {
		panic(err)
	}
	return p
}

// sideBySide serves the token endpoint while refresh tokens of an old provider
// are still in use. It recognizes Latchkey's tokens by their prefix. If you set
// Config.TokenPrefix, that comes before "ort_".
func sideBySide(old, latchkey http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		refresh := r.PostFormValue("refresh_token")
		if refresh != "" && !strings.HasPrefix(refresh, "ort_") {
			old.ServeHTTP(w, r) // It finds the parsed form in r.PostForm.
			return
		}
		latchkey.ServeHTTP(w, r)
	})
}

// guardBoth accepts requests to the API with tokens of either provider.
func guardBoth(old, latchkey func(http.Handler) http.Handler, api http.Handler) http.Handler {
	byOld, byLatchkey := old(api), latchkey(api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer oat_") {
			byLatchkey.ServeHTTP(w, r)
			return
		}
		byOld.ServeHTTP(w, r)
	})
}

// While an application migrates, its users stay signed in: each provider
// refreshes its own tokens.
func TestSideBySideWithTheOldProvider(t *testing.T) {
	old := providertest.New(t, func(c *provider.Config) { c.TokenPrefix = "old_" })
	latchkey := providertest.New(t)
	mux := http.NewServeMux()
	mux.Handle("/oauth/token", sideBySide(old.Provider.TokenHandler(), latchkey.Provider.TokenHandler()))
	mux.Handle("/api", guardBoth(old.Provider.Require("profile"), latchkey.Provider.Require("profile"), http.HandlerFunc(showToken)))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	opens := func(token string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, server.URL+"/api", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		return send(t, server.Client(), r).StatusCode
	}
	post := func(form url.Values) *reply {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, server.URL+"/oauth/token", strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return send(t, server.Client(), r)
	}
	for _, h := range []*providertest.Host{old, latchkey} {
		h.SignIn("user_ada")
		first := providertest.Authorize(t, h.Provider, h.Client, "profile")
		require.Equal(t, http.StatusOK, opens(first.AccessToken))
		next := post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "client_id": {first.ClientID}}).tokens(t)
		require.Equal(t, strings.HasPrefix(first.RefreshToken, "old_"), strings.HasPrefix(next.RefreshToken, "old_"))
		require.Equal(t, http.StatusOK, opens(next.AccessToken))
		require.Equal(t, http.StatusUnauthorized, opens(next.AccessToken+"x"))
	}
	post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"made up"}, "client_id": {"x"}}).refused(t, http.StatusUnauthorized, "invalid_client")
	post(url.Values{"grant_type": {"authorization_code"}, "code": {"made up"}, "client_id": {"x"}}).refused(t, http.StatusUnauthorized, "invalid_client")
}
