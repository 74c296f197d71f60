package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// Each field has one limit for all ways to create an application: all accept
// the longest value, and refuse one more byte.
func TestLimitsAreTheSameOnAllWaysIn(t *testing.T) {
	var many scopes.Set
	const path = "https://a.example.com/"
	h := newHost(t, func(c *provider.Config) {
		for i := range 60 {
			name := fmt.Sprintf("resource-%02d:read-and-write-it", i)
			c.Scopes = append(c.Scopes, scopes.Scope{Name: name, Title: "Do " + name})
			many = append(many, name)
		}
		c.Registration = &provider.Registration{}
	})
	require.Greater(t, len(many.String()), 1024)
	admin := clerkapi.Handler(h.Provider, provider.BearerKey("sk_test"), clerkapi.Options{})
	call := func(method, path, body string) int {
		r := httptest.NewRequest(method, "/v1/oauth_applications"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer sk_test")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		return w.Code
	}
	uris := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint(path, i))
		}
		return list
	}
	for _, tt := range []struct {
		name string
		s    provider.ApplicationSettings
		good bool
	}{
		{"all scopes that are offered", provider.ApplicationSettings{Scopes: many}, true},
		{"those and what is tolerated", provider.ApplicationSettings{Scopes: append(scopes.New("openid", "offline_access"), many...)}, true},
		{"a scope that is not offered", provider.ApplicationSettings{Scopes: scopes.New("other")}, false},
		{"the longest name", provider.ApplicationSettings{Name: strings.Repeat("ä", 256)}, true},
		{"a longer name", provider.ApplicationSettings{Name: strings.Repeat("ä", 257)}, false},
		{"the longest redirect URI", provider.ApplicationSettings{RedirectURIs: []string{path + strings.Repeat("x", 1024-len(path))}}, true},
		{"a longer redirect URI", provider.ApplicationSettings{RedirectURIs: []string{path + strings.Repeat("x", 1025-len(path))}}, false},
		{"as many redirect URIs as can be", provider.ApplicationSettings{RedirectURIs: uris(100)}, true},
		{"more redirect URIs", provider.ApplicationSettings{RedirectURIs: uris(101)}, false},
	} {
		s := tt.s
		if s.Name == "" {
			s.Name = "Wiki"
		}
		if s.RedirectURIs == nil {
			s.RedirectURIs = []string{callback}
		}
		app, _, err := h.CreateApplication(ctx, s)
		require.Equal(t, tt.good, err == nil, "%s: create: %v", tt.name, err)
		_, err = h.ImportApplication(ctx, "imported-"+strings.ReplaceAll(tt.name, " ", "-"), s, store.SecretHash{})
		require.Equal(t, tt.good, err == nil, "%s: import: %v", tt.name, err)
		_, err = h.EnsureApplication(ctx, "ensured", s, provider.NewSecret(firstSecret))
		require.Equal(t, tt.good, err == nil, "%s: ensure: %v", tt.name, err)
		bare, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Bare"})
		require.NoError(t, err)
		_, err = h.UpdateApplication(ctx, bare.ID, func(into *provider.ApplicationSettings) error {
			*into = s
			return nil
		})
		require.Equal(t, tt.good, err == nil, "%s: update: %v", tt.name, err)

		sent := map[string]any{"name": s.Name, "redirect_uris": s.RedirectURIs}
		if s.Scopes != nil {
			sent["scopes"] = s.Scopes.String()
		}
		body, err := json.Marshal(sent)
		require.NoError(t, err)
		require.Equal(t, tt.good, call("POST", "", string(body)) == 200, "%s: POST", tt.name)
		require.Equal(t, tt.good, call("PATCH", "/"+bare.ID, string(body)) == 200, "%s: PATCH", tt.name)
		if tt.good { // An application can always be given what it has.
			body = []byte(`{"scopes":"` + app.Scopes.String() + `"}`)
			require.Equal(t, 200, call("PATCH", "/"+app.ID, string(body)), tt.name)
		}

		body, err = json.Marshal(map[string]any{"client_name": s.Name, "redirect_uris": s.RedirectURIs, "scope": s.Scopes.String()})
		require.NoError(t, err)
		good := tt.good || tt.s.Scopes != nil // Of its scopes those that are offered are kept.
		require.Equal(t, good, h.register(string(body)).StatusCode == 201, "%s: registration", tt.name)
	}
}
