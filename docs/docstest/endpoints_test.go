package docstest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// purposes say what each endpoint is for. The rest of the table is read from the
// handlers.
var purposes = []struct {
	path, purpose string
	on            string // if empty, always
	field         string // of Config.Paths
	standard      string
}{
	{"/oauth/authorize", "consent page; sends the user back to the client with a code", "", "Authorize", "RFC 6749 section 3.1"},
	{"/oauth/token", "exchanges a code, a refresh token, a device code, or a machine's credentials for tokens", "", "Token", "RFC 6749 section 3.2"},
	{"/oauth/userinfo", "returns who the user is", "", "UserInfo", "OpenID Connect Core section 5.3"},
	{"/oauth/token/revoke", "revokes a token", "", "Revoke", "RFC 7009"},
	{"/oauth/token_info", "introspection: says whether a token works, and what for", "", "Introspect", "RFC 7662"},
	{"/oauth/connections", "page where users see and disconnect applications", "", "Connections", ""},
	{"/oauth/register", "registers an application", "`Registration`", "Register", "RFC 7591"},
	{"/oauth/register/{client_id}", "reads, changes, or deletes a registration", "`Registration`", "Register", "RFC 7592"},
	{"/oauth/device_authorization", "gives a device its codes", "`DeviceAuthorization`", "DeviceAuthorization", "RFC 8628 section 3.1"},
	{"/oauth/device", "page where users enter a device's code and decide", "`DeviceAuthorization`", "Device", "RFC 8628 section 3.3"},
	{"/oauth/logout", "signs the user out of your app at a client's request", "`OpenID.SignOut`", "Logout", "OpenID Connect RP-Initiated Logout 1.0"},
	{"/oauth/jwks", "public keys that verify ID tokens", "`OpenID`", "JWKS", "RFC 7517"},
	{"/.well-known/oauth-authorization-server", "metadata: tells clients every endpoint and feature", "", "NoMetadata", "RFC 8414"},
	{"/.well-known/openid-configuration", "the same document under its OpenID Connect name", "`OpenID`", "NoMetadata", "OpenID Connect Discovery 1.0"},
	{"/.well-known/oauth-protected-resource/mcp", "says where to get tokens for a resource, here `https://app.example.com/mcp`", "`Resources`", "", "RFC 9728"},
}

// docs/reference/endpoints.md has each route of a provider with everything turned
// on, and no other. To write its table anew:
//
//	go test ./docs/docstest -run TestEndpoints -update
func TestEndpoints(t *testing.T) {
	required := provider.Config{
		Issuer: "https://app.example.com", Store: memory.New(),
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/login", "next"), Logger: slog.New(slog.DiscardHandler),
		Users: func(context.Context, string) (userinfo.User, error) {
			return userinfo.User{}, userinfo.ErrNotFound
		},
	}
	whole := required
	whole.Resources = []provider.Resource{{URL: "https://app.example.com/mcp"}}
	whole.Registration = &provider.Registration{}
	whole.DeviceAuthorization = &provider.DeviceAuthorization{}
	whole.Keys = hosttest.NewKeys()
	whole.OpenID = &provider.OpenID{SignOut: func(http.ResponseWriter, *http.Request) error { return nil }}
	least, most := answers(t, required), answers(t, whole)

	rows := []string{"| path | methods | called by | what it does | on with | `Config.Paths` | standard |", "| --- | --- | --- | --- | --- | --- | --- |"}
	for _, p := range purposes {
		found, ok := most[p.path]
		require.True(t, ok, "%s is not a route any more: take it out of purposes", p.path)
		_, always := least[p.path]
		require.Equal(t, p.on == "", always, "%s: whether it is always on", p.path)
		delete(most, p.path)
		field := ""
		if p.field != "" {
			_, ok := reflect.TypeFor[provider.Paths]().FieldByName(p.field)
			require.True(t, ok, "Config.Paths has no %s", p.field)
			field = "`" + p.field + "`"
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |", p.path, found, p.purpose, cmp.Or(p.on, "always"), field, p.standard)
		rows = append(rows, strings.ReplaceAll(row, "|  |", "| |"))
	}
	require.Empty(t, most, "routes that are missing: give them a purpose")
	checkGenerated(t, "docs/reference/endpoints.md", "endpoints", rows)
}

// answers returns the methods of each route and its caller, by its path. A route
// that answers every method with 404 is off, and left out.
func answers(t *testing.T, cfg provider.Config) map[string]string {
	t.Helper()
	p, err := provider.New(cfg)
	require.NoError(t, err)
	methods, callers := map[string][]string{}, map[string]string{}
	for _, r := range p.Routes() {
		w := httptest.NewRecorder()
		r.Handler.ServeHTTP(w, httptest.NewRequest(r.Method, cfg.Issuer+r.Path, nil))
		switch {
		case w.Code == http.StatusNotFound || w.Code == http.StatusMethodNotAllowed:
		case r.Method == http.MethodOptions:
			callers[r.Path] = "program, any origin"
		default:
			methods[r.Path] = append(methods[r.Path], r.Method)
			callers[r.Path] = "program"
			if r.Session {
				callers[r.Path] = "browser, signed in"
			}
		}
	}
	all := map[string]string{}
	for path, names := range methods {
		all[path] = strings.Join(names, ", ") + " | " + callers[path]
	}
	return all
}
